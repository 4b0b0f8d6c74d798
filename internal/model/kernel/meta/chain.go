// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// chain has members in turn, which get the answers of those before them as
// columns (Read, Pfahringer, Holmes and Frank 2009).
type chain struct {
	outer
	order  []int        // the output of each member
	method frame.Method // whose answers become columns
	values [][]float64  // of each member's labels; nil for numbers
}

func newChain(e *fitted.Estimator) *chain {
	c := &chain{}
	c.members = members(e, e.List("estimators_"))
	if !e.Ok() {
		return c
	}
	first := c.members[0].Input()
	c.input = e.Input(first.Width)
	if len(c.input.Names) == 0 {
		c.input.Names = first.Names
	}
	c.input.Sparse = true
	e.Wide(first.Width + len(c.members))
	seen := make([]bool, len(c.members))
	order := orderOf(e)
	e.Require(len(order) == len(c.members), "order_ does not fit the estimators")
	for i, p := range c.members {
		e.Require(fits(p.Input(), first.Width+i), "its estimators do not follow each other")
		if !e.Ok() {
			return c
		}
		at := order[i]
		e.Require(at >= 0 && at < int64(len(seen)) && !seen[max(min(at, int64(len(seen))-1), 0)], "order_ does not fit the estimators")
		if e.Ok() {
			seen[at] = true
			c.order = append(c.order, int(at))
		}
	}
	return c
}

// orderOf reads order_, which is an array, or the list that the user gave.
func orderOf(e *fitted.Estimator) []int64 {
	if _, ok := e.Get("order_").(*pickle.Array); ok {
		return e.Ints("order_")
	}
	var order []int64
	for _, v := range e.List("order_") {
		at, ok := v.(int64)
		e.Require(ok && e.Alloc(8), "order_ holds no integers")
		order = append(order, at)
	}
	return order
}

func newRegressorChain(e *fitted.Estimator) graph.Node {
	c := newChain(e)
	for _, p := range c.members {
		e.Require(has(p, frame.Predict, 1), "one of its estimators predicts no number")
	}
	c.values = make([][]float64, len(c.members))
	c.Outputs[frame.Predict] = graph.List(len(c.members))
	return c
}

func newClassifierChain(e *fitted.Estimator) graph.Node {
	c := newChain(e)
	switch method := e.Text("predict", "chain_method_"); method {
	case "predict":
	case "predict_proba":
		c.method = frame.PredictProba
	case "decision_function":
		c.method = frame.DecisionFunction
	default:
		e.Failf("chain_method %s is not supported", pickle.Quote(method))
	}
	likely, decides, two := true, true, true
	for _, p := range c.members {
		values := numbers(e, p)
		c.values = append(c.values, values)
		two = two && len(values) == 2
		likely = likely && has(p, frame.PredictProba, 2)
		decides = decides && has(p, frame.DecisionFunction, 1)
	}
	e.Require(c.method == frame.Predict || c.method == frame.PredictProba && likely || c.method == frame.DecisionFunction && decides,
		"its estimators have not what its chain_method asks for")
	n := len(c.members)
	c.Outputs[frame.Predict] = graph.List(n)
	if likely && two {
		c.Outputs[frame.PredictProba] = graph.List(n)
	}
	if decides && two {
		c.Outputs[frame.DecisionFunction] = graph.List(n)
	}
	return c
}

func (c *chain) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	n := len(c.members)
	before := w.Floats(x.Rows * n)
	mark := w.Mark()
	for i, p := range c.members {
		w.Release(mark)
		rows := x
		if i > 0 {
			known := w.Dense(x.Rows, i)
			for r := range x.Rows {
				copy(known.Row(r), before[r*n:r*n+i])
			}
			rows = graph.Join(w, []frame.Frame{x, known})
		}
		if err := c.ask(w, p, i, c.method, before, i, rows); err != nil {
			return err
		}
		if m != c.method {
			if err := c.ask(w, p, i, m, dst, c.order[i], rows); err != nil {
				return err
			}
			continue
		}
		for r := range x.Rows {
			dst[r*n+c.order[i]] = before[r*n+i]
		}
	}
	return w.Steps(len(dst))
}

// ask puts the answers of member i into column at of dst.
func (c *chain) ask(w *graph.Work, p graph.Predictor, i int, m frame.Method, dst []float64, at int, x frame.Frame) error {
	part, err := ask(w, p, m, x)
	if err != nil {
		return err
	}
	n, width := len(c.members), len(part)/x.Rows
	for r := range x.Rows {
		v := part[r*width+width-1]
		if m == frame.Predict && c.values[i] != nil {
			v = c.values[i][int(v)]
		}
		dst[r*n+at] = v
	}
	return nil
}
