// SPDX-License-Identifier: Apache-2.0

package graph

import "github.com/serin-dev/serin/internal/model/frame"

// Select returns some columns of a dense block, in the order asked for.
func Select(w *Work, x frame.Frame, columns []int) frame.Frame {
	out := w.Dense(x.Rows, len(columns))
	if len(x.Texts) > 0 {
		out.Texts = w.Texts(len(out.Data))
	}
	texts := false
	for i := range x.Rows {
		for k, c := range columns {
			from, to := i*x.Cols+c, i*len(columns)+k
			out.Data[to] = x.Data[from]
			if len(x.Texts) > 0 {
				out.Texts[to] = x.Texts[from]
				texts = texts || frame.IsText(x.Data[from])
			}
		}
	}
	if !texts {
		out.Texts = nil
	}
	return out
}

// Join puts blocks of as many rows side by side. The result is sparse if one of
// them is, and then none may hold strings.
func Join(w *Work, parts []frame.Frame) frame.Frame {
	rows, cols := 0, 0
	sparse, texts := false, false
	for i := range parts {
		rows = parts[i].Rows
		cols += parts[i].Cols
		sparse = sparse || parts[i].Sparse()
		texts = texts || len(parts[i].Texts) > 0
	}
	if sparse {
		return joinSparse(w, parts, rows, cols)
	}
	out := w.Dense(rows, cols)
	if texts {
		out.Texts = w.Texts(len(out.Data))
		clear(out.Texts)
	}
	at := 0
	for p := range parts {
		part := &parts[p]
		for i := range rows {
			to := i*cols + at
			copy(out.Data[to:], part.Row(i))
			if len(part.Texts) > 0 {
				copy(out.Texts[to:], part.Texts[i*part.Cols:(i+1)*part.Cols])
			}
		}
		at += part.Cols
	}
	return out
}

func joinSparse(w *Work, parts []frame.Frame, rows, cols int) frame.Frame {
	most := 0
	for p := range parts {
		part := &parts[p]
		if part.Sparse() {
			most += part.Starts[rows] - part.Starts[0]
		} else {
			most += len(part.Data)
		}
	}
	out := w.Sparse(rows, cols, most)
	for i := range rows {
		at := 0
		for p := range parts {
			addEntries(&out, &parts[p], i, at)
			at += parts[p].Cols
		}
		out.Starts = append(out.Starts, len(out.Data))
	}
	return out
}

// addEntries adds a row of a part to a sparse block, with its columns from at on.
func addEntries(out, part *frame.Frame, row, at int) {
	if part.Sparse() {
		columns, values := part.Entries(row)
		for k, c := range columns {
			out.Index, out.Data = append(out.Index, int32(at)+c), append(out.Data, values[k])
		}
		return
	}
	for c, v := range part.Row(row) {
		if v != 0 {
			out.Index, out.Data = append(out.Index, int32(at+c)), append(out.Data, v)
		}
	}
}
