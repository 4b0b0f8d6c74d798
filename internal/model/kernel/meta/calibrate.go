// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// calibrated is CalibratedClassifierCV: the mean of members whose scores become
// probabilities.
type calibrated struct {
	outer
	classes int
	ways    []way
}

// way is how the scores of a member become probabilities.
type way struct {
	method frame.Method // that answers its scores
	width  int          // of them
	at     []int        // the class of each curve
	curves []curve
	// temperature multiplies scores, or logarithms of probabilities, before a softmax,
	// if there are no curves (Guo, Pleiss, Sun and Weinberger 2017).
	temperature float64
}

// A curve makes a probability of a score.
type curve func(score float64) float64

func newCalibrated(e *fitted.Estimator) graph.Node {
	c := &calibrated{}
	var all []graph.Predictor
	var parts []*fitted.Estimator
	for _, v := range e.List("calibrated_classifiers_") {
		part := e.Member(v)
		if !e.Ok() {
			return c
		}
		parts = append(parts, part)
		all = append(all, e.AsPredictor(e.Node(part.Get("estimator", "base_estimator"))))
	}
	e.Require(len(all) > 0, "it has no estimators")
	c.outer = newOuter(e, all...)
	out, n := classesOf(e, 2)
	c.classes = n
	for i, part := range parts {
		if e.Ok() {
			c.ways = append(c.ways, newWay(part, all[i], out.Classes[0]))
		}
	}
	c.Outputs = graph.Outputs{out, graph.List(n), {}}
	e.Wide(n)
	return c
}

func newWay(e *fitted.Estimator, p graph.Predictor, classes []any) way {
	n, own := len(classes), []int(nil)
	hot := e.Text("sigmoid", "method") == "temperature"
	if hot { // whose estimators know the indexes of classes
		own = codes(e, p, len(classes))
	} else {
		own = places(e, p, classes)
	}
	wy := way{method: frame.DecisionFunction}
	out, ok := p.Output(frame.DecisionFunction)
	if !ok {
		wy.method = frame.PredictProba
		out, ok = p.Output(frame.PredictProba)
	}
	wy.width = out.Width
	e.Require(ok && len(out.Parts) == 0 && (wy.width == len(own) || wy.width == 1 && len(own) == 2), "an estimator in it has other scores")
	calibrators := e.List("calibrators", "calibrators_")
	if hot {
		e.Require(len(calibrators) == 1 && len(own) == n, "its calibrators do not fit the classes")
		if e.Ok() {
			wy.temperature = e.Member(calibrators[0]).Number("beta_")
		}
		return wy
	}
	if n == 2 {
		own = []int{1}
	}
	wy.at = own
	e.Require(len(calibrators) == len(own), "its calibrators do not fit the classes")
	for _, v := range calibrators {
		if !e.Ok() {
			return wy
		}
		wy.curves = append(wy.curves, newCurve(e.Member(v), v))
	}
	return wy
}

func newCurve(e *fitted.Estimator, v any) curve {
	if o, ok := v.(*pickle.Object); ok && o.Class.Name == "IsotonicRegression" {
		s := newLine(e)
		return s.at
	}
	a, b := e.Number("a_"), e.Number("b_")
	return func(score float64) float64 { return vector.Sigmoid(-(a*score + b)) }
}

func (c *calibrated) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	n, mean := c.classes, dst
	if m == frame.Predict {
		mean = w.Floats(x.Rows * n)
	}
	clear(mean)
	mark := w.Mark()
	for i, p := range c.members {
		w.Release(mark)
		wy, one := &c.ways[i], w.Floats(n)
		scores, err := ask(w, p, wy.method, x)
		if err != nil {
			return err
		}
		for r := range x.Rows {
			wy.likely(one, scores[r*wy.width:(r+1)*wy.width])
			for k, v := range one {
				mean[r*n+k] += v
			}
		}
		if err := w.Steps(20 * x.Rows * n); err != nil {
			return err
		}
	}
	for i := range mean {
		mean[i] /= float64(len(c.members))
	}
	if m == frame.Predict {
		choose(dst, mean)
	}
	return nil
}

// likely fills dst with the probabilities of all classes.
func (wy *way) likely(dst, scores []float64) {
	switch {
	case wy.curves == nil:
		wy.soften(dst, scores)
		return
	case len(dst) == 2:
		dst[1] = wy.curves[0](scores[len(scores)-1])
		dst[0] = 1 - dst[1]
		return
	}
	clear(dst)
	sum := 0.0
	for k, f := range wy.curves {
		p := f(scores[k])
		dst[wy.at[k]] = p
		sum += p
	}
	for k := range dst {
		if sum == 0 {
			dst[k] = 1 / float64(len(dst))
			continue
		}
		dst[k] /= sum
	}
}

func (wy *way) soften(dst, scores []float64) {
	const least = 1e-12
	for k := range dst {
		switch {
		case len(scores) < len(dst):
			dst[k] = scores[0] * float64(2*k-1)
		case wy.method == frame.PredictProba:
			dst[k] = math.Log(scores[k] + least)
		default:
			dst[k] = scores[k]
		}
		dst[k] *= wy.temperature
	}
	vector.Softmax(dst)
}

// line is IsotonicRegression: straight lines between points.
type line struct {
	x, y []float64
	// Beyond the points, the value is that of the last one if clip is true, and else NaN.
	// One point alone is a constant.
	clip bool
}

func newLine(e *fitted.Estimator) line {
	s := line{x: e.Floats("X_thresholds_"), y: e.Floats("y_thresholds_")}
	e.Require(len(s.x) == len(s.y) && len(s.x) > 0, "X_thresholds_ does not fit y_thresholds_")
	e.Require(e.Array("X_thresholds_").Size() == 8, "thresholds of float32 are not supported")
	s.clip = e.Text("nan", "out_of_bounds") == "clip" || len(s.x) == 1
	return s
}

// at returns the value at x.
func (s *line) at(x float64) float64 {
	end := len(s.x) - 1
	switch {
	case !(x >= s.x[0] && x <= s.x[end]) && !s.clip, x != x:
		return math.NaN()
	case x <= s.x[0] || end == 0:
		return s.y[0]
	case x >= s.x[end]:
		return s.y[end]
	}
	from, to := 0, end // x is beyond from, and not beyond to
	for to-from > 1 {
		if mid := (from + to) / 2; s.x[mid] < x {
			from = mid
		} else {
			to = mid
		}
	}
	slope := (s.y[to] - s.y[from]) / (s.x[to] - s.x[from])
	return slope*(x-s.x[from]) + s.y[from]
}

// isotonic is IsotonicRegression as a model of one column.
type isotonic struct {
	outer
	line
	strict bool // a value beyond the points is an error
}

func newIsotonic(e *fitted.Estimator) graph.Node {
	i := &isotonic{line: newLine(e)}
	i.strict = e.Text("nan", "out_of_bounds") == "raise" && !i.clip
	i.input = e.Input(1)
	i.Outputs[frame.Predict] = graph.One()
	return i
}

func (s *isotonic) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	for i, v := range x.Data {
		switch {
		case s.strict && v < s.x[0]:
			return frame.InputErrorf("A value (%v) in x_new is below the interpolation range's minimum value (%v).", v, s.x[0])
		case s.strict && v > s.x[len(s.x)-1]:
			return frame.InputErrorf("A value (%v) in x_new is above the interpolation range's maximum value (%v).", v, s.x[len(s.x)-1])
		}
		dst[i] = s.at(v)
	}
	return w.Steps(10 * len(dst))
}
