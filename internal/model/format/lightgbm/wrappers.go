// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"fmt"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// Classes are LightGBM's estimators for scikit-learn.
var Classes = fitted.Classes{
	"lightgbm.basic.Booster":          newAlone,
	"lightgbm.sklearn.LGBMClassifier": newClassifier,
	"lightgbm.sklearn.LGBMRegressor":  newRegressor,
	"lightgbm.sklearn.LGBMRanker":     newRegressor,
}

func newRegressor(e *fitted.Estimator) graph.Node { return newBooster(e) }

// newAlone makes a Booster in a pickle. It answers up to its best iteration, too.
func newAlone(e *fitted.Estimator) graph.Node { return readBooster(e, e) }

// newBooster reads the booster of an estimator, up to its best iteration. It is never
// nil.
func newBooster(e *fitted.Estimator) *booster {
	return readBooster(e, e.Part("_Booster"))
}

func readBooster(e, state *fitted.Estimator) *booster {
	none := &booster{}
	text := state.Text("", "_handle", "handle")
	best, _ := state.Get("best_iteration").(int64)
	if !e.Ok() {
		return none
	}
	b, err := parse(text, e.Budget(), int(min(max(best, 0), 1<<30)))
	if err != nil {
		e.Check(fmt.Errorf("%s: %w", e.Class(), err))
		return none
	}
	b.input.Class = e.Class()
	e.Wide(b.outputs)
	return b
}

// classifier answers labels, and probabilities.
type classifier struct {
	graph.Outputs
	booster *booster
}

func (c *classifier) Input() *graph.Input { return &c.booster.input }

func newClassifier(e *fitted.Estimator) graph.Node {
	c := &classifier{booster: newBooster(e)}
	encoder := e.Part("_le").Labels()
	if !e.Ok() {
		return c
	}
	if _, own := e.Get("_objective", "objective").(string); !own || c.booster.answer == nil && !c.booster.softmax {
		e.Failf("objective %s is not supported for a classifier", pickle.Describe(e.Get("_objective", "objective")))
	}
	classes := max(c.booster.outputs, 2)
	e.Require(len(encoder.Classes[0]) == classes, "its classes do not fit its booster")
	c.Outputs[frame.Predict] = encoder
	c.Outputs[frame.PredictProba] = graph.List(classes)
	return c
}

// Predict implements graph.Predictor.
func (c *classifier) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	b := c.booster
	p := w.Floats(x.Rows * b.outputs)
	if err := b.Predict(w, frame.Predict, p, x); err != nil {
		return err
	}
	switch {
	case b.outputs == 1 && m == frame.Predict:
		for i, v := range p {
			dst[i] = 0
			if v > 1-v {
				dst[i] = 1
			}
		}
	case b.outputs == 1:
		for i, v := range p {
			dst[2*i], dst[2*i+1] = 1-v, v
		}
	case m == frame.Predict:
		for i := range x.Rows {
			dst[i] = float64(vector.Argmax(p[i*b.outputs : (i+1)*b.outputs]))
		}
	default:
		copy(dst, p)
	}
	return nil
}
