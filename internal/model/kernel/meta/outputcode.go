// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// outputCode is OutputCodeClassifier (Dietterich and Bakiri 1995): the class whose code
// is the nearest to the scores.
type outputCode struct {
	*binaries
	codes vector.Matrix // a row for each class
}

func newOutputCode(e *fitted.Estimator) graph.Node {
	o := &outputCode{binaries: newBinaries(e), codes: e.Matrix("code_book_")}
	out, n := classesOf(e, 2)
	e.Require(o.codes.Rows == n && o.codes.Cols == len(o.parts), "code_book_ does not fit the estimators")
	o.Outputs[frame.Predict] = out
	e.Wide(len(o.parts))
	return o
}

func (o *outputCode) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	n := len(o.parts)
	scores, far := w.Floats(x.Rows*n), w.Floats(o.codes.Rows)
	if err := o.scores(w, scores, x); err != nil {
		return err
	}
	if !vector.Within(scores, math.MaxFloat64) {
		return errNotFinite
	}
	for i := range dst {
		vector.SquaredDistances(far, scores[i*n:(i+1)*n], &o.codes)
		best := 0
		for k, v := range far {
			if v < far[best] {
				best = k
			}
		}
		dst[i] = float64(best)
	}
	return w.Steps(x.Rows * len(o.codes.Data))
}
