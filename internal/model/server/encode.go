// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/serin-dev/serin/internal/model/frame"
)

// encodeLabels renders each label of an output once: a prediction is then a copy.
func encodeLabels(out frame.Output) ([][][]byte, error) {
	var all [][][]byte
	for _, classes := range out.Classes {
		var labels [][]byte
		for _, c := range classes {
			label, err := encodeLabel(c)
			if err != nil {
				return nil, err
			}
			labels = append(labels, label)
		}
		all = append(all, labels)
	}
	return all, nil
}

func encodeLabel(label any) ([]byte, error) {
	switch l := label.(type) {
	case int64:
		return strconv.AppendInt(nil, l, 10), nil
	case uint64:
		return strconv.AppendUint(nil, l, 10), nil
	case float64:
		return appendFloat(nil, l), nil
	case bool:
		return strconv.AppendBool(nil, l), nil
	case string:
		return []byte(quote(l)), nil
	}
	return nil, fmt.Errorf("a class label is a %T", label)
}

// appendResult writes a list of the rows' answers, as numpy's tolist() makes it.
// Labels are those of encodeLabels.
func appendResult(dst []byte, r *frame.Result, labels [][][]byte) []byte {
	if len(r.Output.Parts) > 0 {
		return appendParts(dst, r)
	}
	dst = append(dst, '[')
	column := 0
	for i, v := range r.Values {
		switch {
		case i > 0 && (r.Output.Flat || column > 0):
			dst = append(dst, ',')
		case i > 0:
			dst = append(dst, `],[`...)
		case !r.Output.Flat:
			dst = append(dst, '[')
		}
		if labels != nil {
			dst = append(dst, labels[column][int(v)]...)
		} else {
			dst = appendValue(dst, r.Output.Type, v)
		}
		if column++; column == r.Output.Width {
			column = 0
		}
	}
	if !r.Output.Flat && len(r.Values) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// appendParts writes a list of lists of rows, one for each part.
func appendParts(dst []byte, r *frame.Result) []byte {
	from := 0
	separator := byte('[')
	for _, width := range r.Output.Parts {
		part := frame.Result{Output: frame.Output{Type: r.Output.Type, Width: width}}
		for row := range r.Rows {
			at := row*r.Output.Width + from
			part.Values = append(part.Values, r.Values[at:at+width]...)
		}
		dst = appendResult(append(dst, separator), &part, nil)
		separator = ','
		from += width
	}
	return append(dst, ']')
}

// appendValue writes a number of numpy's type.
func appendValue(dst []byte, t frame.Type, v float64) []byte {
	switch t {
	case frame.Float64, frame.Float32:
		return appendFloat(dst, v)
	case frame.Bool:
		return strconv.AppendBool(dst, v != 0)
	default:
		return strconv.AppendInt(dst, int64(v), 10)
	}
}

// appendFloat writes a float so that it reads back as the same float, and not
// as an integer.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...) // JSON has no such numbers
	}
	if size := math.Abs(f); size != 0 && (size < 1e-5 || size >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[n:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// quote renders a string as JSON. It leaves <, > and & as they are.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // strings always encode
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
