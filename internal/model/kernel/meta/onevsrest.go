// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// oneVsRest is OneVsRestClassifier.
type oneVsRest struct {
	*binaries
	several bool // it answers a list of labels for a row, each 0 or 1
	last    bool // of equal scores the last one wins
	zeros   bool // probabilities that are all 0 stay so
}

func newOneVsRest(e *fitted.Estimator) graph.Node {
	version := e.Version()
	o := &oneVsRest{binaries: newBinaries(e), last: version < 108, zeros: version >= zerosSince}
	binarizer := e.Part("label_binarizer_")
	out, kind := binarizer.Labels(), binarizer.Text("", "y_type_")
	if !e.Ok() {
		return o
	}
	n, parts := len(out.Classes[0]), len(o.parts)
	o.several = strings.HasPrefix(kind, "multilabel")
	switch {
	case o.several:
		e.Require(n == parts, "its estimators do not fit the classes")
		out = e.Flags(parts)
	case n == 2:
		e.Require(parts == 1 && kind == "binary", "its estimators do not fit the classes")
	default:
		e.Require(parts == n && kind == "multiclass", "its estimators do not fit the classes")
	}
	o.Outputs[frame.Predict] = out
	o.more(e, n)
	return o
}

const zerosSince = 107

// more adds the outputs that all parts have.
func (o *oneVsRest) more(e *fitted.Estimator, n int) {
	likely, decides := true, true
	for i := range o.parts {
		p := &o.parts[i]
		likely = likely && (p.Predictor == nil || has(p, frame.PredictProba, 2))
		decides = decides && (p.Predictor == nil || has(p, frame.DecisionFunction, 1))
	}
	if likely {
		o.Outputs[frame.PredictProba] = graph.List(n)
	}
	if decides {
		o.Outputs[frame.DecisionFunction] = graph.OneOrList(len(o.parts))
	}
	e.Wide(n)
}

func (o *oneVsRest) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if m == frame.PredictProba {
		return o.likely(w, dst, x)
	}
	n, scores := len(o.parts), dst
	if len(dst) != x.Rows*n {
		scores = w.Floats(x.Rows * n)
	}
	if err := o.scores(w, scores, x); err != nil || m == frame.DecisionFunction {
		return err
	}
	if len(dst) == len(scores) {
		for i, v := range scores {
			dst[i] = 0
			if v > o.threshold {
				dst[i] = 1
			}
		}
		return nil
	}
	for i := range dst {
		best := 0
		for k, v := range scores[i*n : (i+1)*n] {
			if most := scores[i*n+best]; v > most || o.last && v == most {
				best = k
			}
		}
		dst[i] = float64(best)
	}
	return w.Steps(len(scores))
}

func (o *oneVsRest) likely(w *graph.Work, dst []float64, x frame.Frame) error {
	n := len(dst) / x.Rows
	for i := range o.parts {
		if err := o.parts[i].likely(w, dst, i+n-len(o.parts), n, x); err != nil {
			return err
		}
	}
	for i := range x.Rows {
		row, sum := dst[i*n:(i+1)*n], 0.0
		if len(o.parts) < n {
			row[0] = 1 - row[1]
		}
		for _, p := range row {
			sum += p
		}
		if o.several || sum == 0 && o.zeros {
			continue
		}
		for k := range row {
			row[k] /= sum
		}
	}
	return w.Steps(len(dst))
}
