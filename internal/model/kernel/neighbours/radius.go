// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// around asks all rows within a radius.
type around struct {
	space
	answers
	radius     float64 // reduced
	byDistance bool
	// lonely is the class of a row without neighbours, for each output. Its probability
	// is 1, unless it is none of the classes (known is how many there are).
	lonely []int
	known  []int
}

func newAround(e *fitted.Estimator) *around {
	a := &around{space: newSpace(e), byDistance: weighted(e)}
	a.radius = a.reduce(e.Number("radius"))
	return a
}

func newRadiusRegressor(e *fitted.Estimator) graph.Node {
	a := newAround(e)
	a.answers = newNumbers(e, a.points.Rows)
	a.loose.alike = a.same
	return a
}

func newRadiusClassifier(e *fitted.Estimator) graph.Node {
	a := newAround(e)
	a.unchanged(e)
	a.answers = newClasses(e, a.points.Rows)
	a.loose.alike = a.same
	a.known = a.classes
	if e.Get("outlier_label_") == nil || !e.Ok() {
		return a
	}
	var labels []any
	switch v := e.Get("outlier_label_").(type) {
	case *pickle.Array:
		labels = e.Values(v)
	case *pickle.List:
		labels = v.Items
	}
	out := &a.Outputs[frame.Predict]
	e.Require(len(labels) == len(out.Classes), "outlier_label_ does not fit the classes")
	if !e.Ok() {
		return a
	}
	out.Classes = slices.Clone(out.Classes)
	for k, label := range labels {
		if arr, ok := label.(*pickle.Array); ok {
			if values := e.Values(arr); len(values) == 1 {
				label = values[0]
			}
		}
		switch label.(type) {
		case int64, uint64, float64, bool, string:
		default:
			e.Failf("an outlier label is %s, which is not supported", pickle.Describe(label))
		}
		at := slices.Index(out.Classes[k], label)
		if at < 0 {
			at = len(out.Classes[k])
			out.Classes[k] = append(slices.Clone(out.Classes[k]), label)
		}
		a.lonely = append(a.lonely, at)
	}
	return a
}

func (a *around) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	width, n := a.Outputs[m].Width, a.points.Rows
	far, rows := w.Floats(n), w.Ints(n)
	counts := w.Floats(a.Outputs[frame.PredictProba].Width)
	return a.each(w, x, func(i int, all []float64) error {
		if err := a.together(all); err != nil {
			return err
		}
		near := 0
		for r, v := range all {
			in, err := a.within(v, a.radius)
			if err != nil {
				return err
			}
			if in {
				far[near], rows[near] = a.distance(v), r
				near++
			}
		}
		weigh(far[:near], a.byDistance)
		out := dst[i*width : (i+1)*width]
		switch {
		case a.classes == nil:
			a.mean(out, rows[:near], far[:near])
		case near == 0 && a.lonely == nil:
			return frame.InputErrorf("No neighbors found for test samples [%d], you can try using larger radius, giving a label for outliers, or considering removing them from your dataset.", i)
		case near == 0:
			a.alone(m, out)
		default:
			a.count(counts, rows[:near], far[:near])
			a.decide(m, out, counts)
		}
		return w.Steps(near*a.width + n)
	})
}

// alone answers for a row without neighbours.
func (a *around) alone(m frame.Method, dst []float64) {
	clear(dst)
	for k, class := range a.lonely {
		switch {
		case m == frame.Predict:
			dst[k] = float64(class)
		case class < a.known[k]:
			dst[class] = 1
		}
		if m == frame.PredictProba {
			dst = dst[a.known[k]:]
		}
	}
}
