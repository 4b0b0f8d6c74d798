// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// bagging is the mean of members, which get some of the columns each (Breiman 1996).
type bagging struct {
	outer
	columns [][]int // of each member; nil for all
	count   float64 // by which sums are divided
	classes int     // 0 for a regression
	codes   [][]int // the classes of each member
	votes   bool    // members without probabilities answer a class
}

func newBagging(e *fitted.Estimator) *bagging {
	// Scikit-learn asks, and divides by, as many as the parameter says now.
	count, list, features := e.Int(1<<31-1, "n_estimators"), e.List("estimators_"), e.List("estimators_features_")
	e.Require(count > 0 && len(features) == len(list), "estimators_features_ does not fit the estimators")
	if !e.Ok() {
		return &bagging{}
	}
	asked := min(count, len(list))
	b := &bagging{count: float64(count)}
	b.members = members(e, list[:asked])
	width := e.Int(1<<31-1, "n_features_in_", "n_features_")
	b.input = e.Input(width)
	b.input.AllowNaN, b.input.AllowInf, b.input.Sparse = true, true, false
	for i, v := range features[:asked] {
		if !e.Ok() {
			return b
		}
		columns, all := columnsOf(e, v, width)
		e.Require(fits(b.members[i].Input(), len(columns)), "one of its estimators has other features")
		if all {
			columns = nil
		}
		b.columns = append(b.columns, columns)
		e.Wide(b.members[i].Input().Width)
	}
	b.takeKinds(e)
	return b
}

// takeKinds takes over the kinds of the members' columns.
func (b *bagging) takeKinds(e *fitted.Estimator) {
	has := func(p graph.Predictor) bool { return len(p.Input().Kinds) > 0 }
	if !slices.ContainsFunc(b.members, has) || !e.Alloc(16*b.input.Width) {
		return
	}
	kinds, known := make([]frame.Kind, b.input.Width), make([]bool, b.input.Width)
	for i, p := range b.members {
		in := p.Input()
		if in.Blind {
			continue
		}
		if !e.Work(in.Width) {
			return
		}
		for k := range in.Width {
			at := k
			if b.columns[i] != nil {
				at = b.columns[i][k]
			}
			kind := in.Kind(k)
			if known[at] && kinds[at] != kind {
				kind = frame.Anything
			}
			kinds[at], known[at] = kind, true
		}
	}
	for j := range kinds {
		if !known[j] {
			kinds[j] = frame.Anything
		}
	}
	b.input.Kinds = kinds
}

// columnsOf reads the columns of a member, and reports whether they are all in order.
func columnsOf(e *fitted.Estimator, v any, width int) (columns []int, all bool) {
	if arr, ok := v.(*pickle.Array); !ok || arr.Kind() == 'O' {
		e.Failf("estimators_features_ has %s", pickle.Describe(v))
		return nil, false
	}
	values := e.IntsOf(v, "estimators_features_")
	if !e.Alloc(8 * len(values)) {
		return nil, false
	}
	all = len(values) == width
	for i, c := range values {
		e.Require(c >= 0 && c < int64(width), "estimators_features_ does not fit the features")
		columns = append(columns, int(c))
		all = all && int(c) == i
	}
	return columns, all
}

func newBaggingClassifier(e *fitted.Estimator) graph.Node {
	b := newBagging(e)
	out, n := classesOf(e, 1)
	b.classes = n
	probabilities, same := 0, n > 1
	for _, p := range b.members {
		own := codes(e, p, n)
		b.codes = append(b.codes, own)
		same = same && has(p, frame.DecisionFunction, graph.Decisions(n).Width) && len(own) == n
		if _, ok := p.Output(frame.PredictProba); ok {
			probabilities++
			e.Require(has(p, frame.PredictProba, len(own)), "one of its estimators has other probabilities")
		}
	}
	b.votes = probabilities == 0
	e.Require(b.votes || probabilities == len(b.members), "some of its estimators have no probabilities")
	b.Outputs = graph.Outputs{out, graph.List(n), {}}
	if same {
		b.Outputs[frame.DecisionFunction] = graph.Decisions(n)
	}
	e.Wide(n)
	return b
}

func newBaggingRegressor(e *fitted.Estimator) graph.Node {
	b := newBagging(e)
	for i, p := range b.members {
		out, _ := p.Output(frame.Predict)
		e.Require(out.Width > 0 && out.Classes == nil, "one of its estimators predicts no numbers")
		if i == 0 {
			b.Outputs[frame.Predict] = out
		}
		e.Require(out.Width == b.Outputs[frame.Predict].Width, "its estimators have different outputs")
	}
	return b
}

func (b *bagging) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	switch {
	case b.classes == 0, m == frame.DecisionFunction:
		return b.mean(w, m, dst, x)
	case m == frame.PredictProba:
		return b.likely(w, dst, x)
	}
	scores := w.Floats(x.Rows * b.classes)
	if err := b.likely(w, scores, x); err != nil {
		return err
	}
	choose(dst, scores)
	return nil
}

// ask returns the answers of a member.
func (b *bagging) ask(w *graph.Work, i int, m frame.Method, x frame.Frame) ([]float64, error) {
	if b.columns[i] != nil {
		x = graph.Select(w, x, b.columns[i])
	}
	return ask(w, b.members[i], m, x)
}

func (b *bagging) mean(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	clear(dst)
	mark := w.Mark()
	for i := range b.members {
		w.Release(mark)
		part, err := b.ask(w, i, m, x)
		if err != nil {
			return err
		}
		for k, v := range part {
			dst[k] += v
		}
	}
	b.divide(dst)
	return w.Steps(len(dst) * len(b.members))
}

// likely fills dst with the mean of the members' probabilities, or with their votes.
func (b *bagging) likely(w *graph.Work, dst []float64, x frame.Frame) error {
	m := frame.PredictProba
	if b.votes {
		m = frame.Predict
	}
	clear(dst)
	mark := w.Mark()
	for i := range b.members {
		w.Release(mark)
		part, err := b.ask(w, i, m, x)
		if err != nil {
			return err
		}
		n := len(b.codes[i])
		for r := range x.Rows {
			row := dst[r*b.classes : (r+1)*b.classes]
			if b.votes {
				row[b.codes[i][int(part[r])]]++
				continue
			}
			for k, v := range part[r*n : (r+1)*n] {
				row[b.codes[i][k]] += v
			}
		}
	}
	b.divide(dst)
	return w.Steps(len(dst) * len(b.members))
}

func (b *bagging) divide(dst []float64) {
	for i := range dst {
		dst[i] /= b.count
	}
}
