// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"fmt"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// Classes are XGBoost's estimators for scikit-learn.
var Classes = fitted.Classes{
	"xgboost.sklearn.XGBClassifier":   newClassifier,
	"xgboost.sklearn.XGBRFClassifier": newClassifier,
	"xgboost.sklearn.XGBRegressor":    newRegressor,
	"xgboost.sklearn.XGBRFRegressor":  newRegressor,
	"xgboost.core.Booster":            newAlone,
	"xgboost.sklearn.XGBRanker":       newRegressor,
}

func newRegressor(e *fitted.Estimator) graph.Node { return newBooster(e) }

// newAlone makes a Booster in a pickle, which answers as one in a file of its own.
func newAlone(e *fitted.Estimator) graph.Node {
	return readBooster(e, e, func(m *model) int { return len(m.trees) })
}

// newBooster reads the booster of an estimator. It is never nil.
func newBooster(e *fitted.Estimator) *booster {
	state := e.Part("_Booster")
	return readBooster(e, state, func(m *model) int { return m.used(state) })
}

// readBooster reads a booster, which asks as many of its trees as used says.
func readBooster(e, state *fitted.Estimator, used func(*model) int) *booster {
	none := &booster{}
	handle, ok := state.Get("handle").(pickle.Bytes)
	e.Require(ok, "its booster holds no model")
	if !e.Ok() {
		return none
	}
	m, err := parse(handle, e.Budget())
	if err != nil {
		e.Check(fmt.Errorf("%s: %w", e.Class(), err))
		return none
	}
	if len(m.names) == 0 { // XGBoost before 1.4 has them beside the model
		m.names = namesOf(state, m.features)
	}
	b, err := m.build(e.Budget(), used(m))
	if err != nil {
		e.Check(fmt.Errorf("%s: %w", e.Class(), err))
		return none
	}
	for _, remark := range m.remarks() {
		e.Remark(remark)
	}
	b.input.Class = e.Class()
	b.missing = nan
	switch v := e.Get("missing").(type) {
	case float64:
		b.missing = float32(v)
	case int64:
		b.missing = float32(v)
	case nil:
	default:
		e.Failf("missing is %s, which is not supported", pickle.Describe(v))
	}
	e.Wide(max(b.margins, m.features)) // sparse rows become dense
	return b
}

// namesOf returns the names of the columns of a DataFrame. Without one XGBoost once
// named them f0, f1 and so on.
func namesOf(state *fitted.Estimator, features int) []string {
	list, ok := state.Get("feature_names").(*pickle.List)
	if !ok || len(list.Items) != features {
		return nil
	}
	var names []string
	for i, v := range list.Items {
		name, ok := v.(string)
		if !ok || i == 0 && name == "f0" {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// used returns how many trees an estimator asks: those up to the best iteration.
func (m *model) used(state *fitted.Estimator) int {
	limit, limited := state.Get("best_ntree_limit").(int64)
	if best, ok := state.Get("best_iteration").(int64); ok && m.best < 0 {
		m.best = int(min(max(best, 0), 1<<30))
	}
	outputs := max(m.classes, m.targets, 1)
	switch {
	case m.version < 104 && limited:
		return int(min(max(limit, 0), 1<<30)) * outputs
	case m.best < 0 || m.version < 104:
		return len(m.trees)
	case m.best+1 < len(m.rounds) && m.rounds[m.best+1] >= 0:
		return m.rounds[m.best+1]
	case len(m.rounds) > 0:
		return len(m.trees)
	}
	return min((m.best+1)*max(m.parallel, 1), len(m.trees)) * outputs
}

// classifier answers labels, and probabilities.
type classifier struct {
	graph.Outputs
	booster *booster
}

func (c *classifier) Input() *graph.Input { return &c.booster.input }

func newClassifier(e *fitted.Estimator) graph.Node {
	b := newBooster(e)
	c := &classifier{booster: b}
	e.Require(!b.objective.label, "objective multi:softmax is not supported: save the booster alone")
	if !e.Ok() {
		return c
	}
	if b.margins > 1 && !b.objective.classes { // one probability for each of several labels
		c.Outputs[frame.Predict] = graph.List(b.margins)
		c.Outputs[frame.PredictProba] = frame.Output{Type: frame.Float32, Width: b.margins}
		return c
	}
	classes := max(b.margins, 2)
	c.Outputs[frame.PredictProba] = frame.Output{Type: frame.Float32, Width: classes}
	c.Outputs[frame.Predict] = labels(e, classes)
	return c
}

// labels returns those of the label encoder that XGBoost had before 1.6, or the
// numbers of the classes.
func labels(e *fitted.Estimator, classes int) frame.Output {
	if _, ok := e.Get("_le").(*pickle.Object); ok {
		out := e.Part("_le").Labels()
		e.Require(!e.Ok() || len(out.Classes[0]) == classes, "its classes do not fit its booster")
		return out
	}
	if n, ok := e.Get("n_classes_").(int64); ok {
		e.Require(int(n) == classes, "n_classes_ does not fit its booster")
	}
	if !e.Alloc(32 * classes) {
		return frame.Output{}
	}
	numbers := make([]any, classes)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	return graph.Labels(frame.Int64, numbers)
}

// Predict implements graph.Predictor.
func (c *classifier) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	b := c.booster
	margins, err := b.sums(w, x)
	if err != nil {
		return err
	}
	answers, width := w.Floats(b.margins), c.Outputs[m].Width
	for i := range x.Rows {
		b.objective.answers(answers, margins[i*b.margins:(i+1)*b.margins])
		c.row(m, dst[i*width:(i+1)*width], answers)
	}
	return nil
}

// row fills dst with the answers for a row.
func (c *classifier) row(m frame.Method, dst, p []float64) {
	switch {
	case m == frame.PredictProba && len(dst) == len(p):
		copy(dst, p)
	case m == frame.PredictProba:
		dst[0], dst[1] = float64(1-float32(p[0])), p[0]
	case c.booster.objective.classes:
		dst[0] = float64(largest(p))
	default:
		for i, v := range p {
			dst[i] = 0
			if v > 0.5 {
				dst[i] = 1
			}
		}
	}
}
