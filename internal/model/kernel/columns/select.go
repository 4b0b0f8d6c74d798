// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// selection keeps some of the columns: SelectKBest and its siblings.
type selection struct {
	input graph.Input
	keep  []int
	place []int32 // of each column among those that are kept, or -1
}

// choose makes the node that keeps the columns of a mask.
func choose(e *fitted.Estimator, mask []bool) *selection {
	s := &selection{input: e.Input(len(mask))}
	s.input.Sparse = true
	if !e.Alloc(12 * len(mask)) {
		return s
	}
	for j, kept := range mask {
		at := int32(-1)
		if kept {
			at = int32(len(s.keep))
			s.keep = append(s.keep, j)
		}
		s.place = append(s.place, at)
	}
	e.Require(len(s.keep) > 0, "it selects no features")
	return s
}

func (s *selection) Input() *graph.Input { return &s.input }

func (s *selection) Width() int { return len(s.keep) }

// Thin reports that sparse blocks stay sparse.
func (s *selection) Thin() bool { return true }

func (s *selection) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if !x.Sparse() {
		return graph.Select(w, x, s.keep), nil
	}
	most := x.Starts[x.Rows] - x.Starts[0]
	out := w.Sparse(x.Rows, len(s.keep), most)
	for i := range x.Rows {
		columns, values := x.Entries(i)
		for k, c := range columns {
			if at := s.place[c]; at >= 0 {
				out.Index, out.Data = append(out.Index, at), append(out.Data, values[k])
			}
		}
		out.Starts = append(out.Starts, len(out.Data))
	}
	return out, w.Steps(most)
}

// mask returns which of n numbers a test is true for.
func mask(e *fitted.Estimator, values []float64, test func(float64) bool) []bool {
	if !e.Alloc(len(values)) {
		return nil
	}
	out := make([]bool, len(values))
	for i, v := range values {
		out[i] = test(v)
	}
	return out
}

func newVariance(e *fitted.Estimator) graph.Node {
	threshold := e.Number("threshold")
	s := choose(e, mask(e, e.Floats("variances_"), func(v float64) bool { return v > threshold }))
	s.input.AllowNaN, s.input.AllowInf = true, true
	return s
}

// newSupport is a selector that has its mask as support_.
func newSupport(e *fitted.Estimator) graph.Node { return support(e) }

func support(e *fitted.Estimator) *selection {
	return lenient(e, choose(e, mask(e, e.Floats("support_"), func(v float64) bool { return v != 0 })))
}

// lenient lets missing and infinite values through, as scikit-learn does if the estimator
// that selects is known to take missing ones.
func lenient(e *fitted.Estimator, s *selection) *selection {
	if o, ok := e.Get("estimator").(*pickle.Object); ok && strings.HasPrefix(o.Class.Name, "HistGradientBoosting") {
		s.input.AllowNaN, s.input.AllowInf = true, true
	}
	return s
}

// modes are the ways to select by scores or their p-values, with their parameters.
var modes = map[string]struct {
	mode, parameter string
}{
	"SelectKBest": {"k_best", "k"}, "SelectPercentile": {"percentile", "percentile"},
	"SelectFpr": {"fpr", "alpha"}, "SelectFdr": {"fdr", "alpha"}, "SelectFwe": {"fwe", "alpha"},
}

func newUnivariate(e *fitted.Estimator) graph.Node {
	how := modes[e.Class()]
	if how.mode == "" {
		how.mode, how.parameter = e.Text("percentile", "mode"), "param"
	}
	scores := e.Floats("scores_")
	if !e.Ok() {
		return choose(e, nil)
	}
	if !e.Alloc(32*len(scores)) || !e.Work(32*len(scores)) { // to sort them
		return choose(e, nil)
	}
	all := e.Get(how.parameter) == any("all")
	switch {
	case all && how.mode == "k_best":
		return choose(e, mask(e, scores, func(float64) bool { return true }))
	case how.mode == "k_best":
		return choose(e, best(scores, e.Int(math.MaxInt32, how.parameter)))
	case how.mode == "percentile":
		return choose(e, percentile(scores, e.Number(how.parameter)))
	}
	p, alpha := e.Floats("pvalues_"), e.Number(how.parameter)
	e.Require(len(p) == len(scores), "scores_ and pvalues_ do not fit")
	switch how.mode {
	case "fpr":
	case "fwe":
		alpha /= float64(len(p))
	case "fdr":
		alpha = benjaminiHochberg(p, alpha)
		return choose(e, mask(e, p, func(v float64) bool { return v <= alpha }))
	default:
		e.Failf("mode %s is not supported", pickle.Quote(how.mode))
	}
	return choose(e, mask(e, p, func(v float64) bool { return v < alpha }))
}

// best returns the mask of the k largest scores. The last of equal scores win, and NaN
// is the smallest.
func best(scores []float64, k int) []bool {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(scores[a], scores[b]) })
	out := make([]bool, len(scores))
	for _, i := range order[max(len(order)-k, 0):] {
		out[i] = true
	}
	return out
}

// compare orders numbers, with NaN as the least of float64.
func compare(a, b float64) int {
	a, b = least(a), least(b)
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func least(v float64) float64 {
	if v != v {
		return -math.MaxFloat64
	}
	return v
}

// percentile returns the mask of the scores above a percentile, and of as many that
// are equal to it, from the first, as are left.
func percentile(scores []float64, percent float64) []bool {
	out := make([]bool, len(scores))
	if percent == 0 || len(scores) == 0 {
		return out
	}
	sorted := make([]float64, len(scores))
	for i, v := range scores {
		sorted[i] = least(v)
	}
	slices.Sort(sorted)
	// numpy's percentile, which interpolates.
	at := (100 - percent) / 100 * float64(len(sorted)-1)
	i := min(max(int(at), 0), len(sorted)-1)
	threshold := sorted[i]
	if i+1 < len(sorted) {
		threshold += (sorted[i+1] - sorted[i]) * (at - float64(i))
	}
	left := int(float64(len(scores)) * percent / 100)
	for i, v := range scores {
		if percent == 100 || least(v) > threshold {
			out[i] = true
			left--
		}
	}
	for i, v := range scores {
		if !out[i] && least(v) == threshold && left > 0 {
			out[i] = true
			left--
		}
	}
	return out
}

// benjaminiHochberg returns the largest p-value that their procedure accepts, or one
// below all.
func benjaminiHochberg(p []float64, alpha float64) float64 {
	sorted := slices.Clone(p)
	slices.Sort(sorted)
	most := math.Inf(-1)
	for i, v := range sorted {
		if v <= alpha/float64(len(p))*float64(i+1) {
			most = v
		}
	}
	return most
}

// elimination is RFE and RFECV, which also answer as the estimator that they chose
// the features for.
type elimination struct {
	*selection
	graph.Predictor
}

func newElimination(e *fitted.Estimator) graph.Node {
	s := support(e)
	end := e.Node(e.Get("estimator_"))
	p, ok := end.(graph.Predictor)
	if !ok {
		return s
	}
	if e.Ok() && p.Input().Width != s.Width() {
		e.Failf("its estimator does not fit the features")
	}
	return &elimination{s, p}
}

func (n *elimination) Input() *graph.Input { return &n.input }

// End implements fitted.Ender.
func (n *elimination) End() graph.Node { return n.Predictor }

func (n *elimination) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	x, err := n.Transform(w, x)
	if err != nil {
		return err
	}
	return graph.Predict(w, n.Predictor, m, dst, x)
}
