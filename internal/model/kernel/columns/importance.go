// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// newFromModel is SelectFromModel: it keeps the features whose coefficients or
// importances in another estimator are not small.
func newFromModel(e *fitted.Estimator) graph.Node {
	name := "estimator_"
	if e.Get(name) == nil {
		name = "estimator"
	}
	end := e.Part(name)
	scores := importances(e, end)
	if !e.Ok() || !e.Alloc(32*len(scores)) || !e.Work(32*len(scores)) {
		return choose(e, nil)
	}
	least := threshold(e, end, scores)
	kept := make([]bool, len(scores))
	for i, v := range scores {
		kept[i] = !(v < least)
	}
	if e.Get("max_features") == nil {
		return lenient(e, choose(e, kept))
	}
	// Of equal scores, the first are kept.
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(scores[b], scores[a]) })
	for _, i := range order[min(e.Int(math.MaxInt32, "max_features"), len(order)):] {
		kept[i] = false
	}
	return lenient(e, choose(e, kept))
}

// importances returns the norm of the coefficients of each feature, or its importance.
func importances(e, end *fitted.Estimator) []float64 {
	arr, ok := end.Get("coef_").(*pickle.Array)
	switch getter := e.Text("auto", "importance_getter"); {
	case getter == "auto" && !ok, getter == "feature_importances_":
		out := gains(end)
		e.Require(len(out) > 0, "its estimator has no coefficients or importances, which is not supported")
		for i, v := range out {
			e.Require(v == v, "an importance of its estimator is NaN")
			out[i] = math.Abs(v)
		}
		return out
	case getter != "auto" && getter != "coef_":
		e.Failf("importance_getter %s is not supported", pickle.Quote(getter))
		return nil
	case !ok || len(arr.Shape) == 0 || len(arr.Shape) > 2:
		e.Failf("its estimator has no coefficients, which is not supported")
		return nil
	}
	coef, n := end.Floats("coef_"), arr.Shape[len(arr.Shape)-1]
	if !e.Ok() || n == 0 || !e.Alloc(8*n) {
		return nil
	}
	order := 1.0
	if len(arr.Shape) == 2 {
		order = e.Number("norm_order")
	}
	out := make([]float64, n)
	for i, v := range coef {
		switch order {
		case 1:
			out[i%n] += math.Abs(v)
		case 2:
			out[i%n] += v * v
		case math.Inf(1):
			out[i%n] = max(out[i%n], math.Abs(v))
		default:
			e.Failf("norm_order is not supported")
			return nil
		}
	}
	for i := range out {
		if order == 2 {
			out[i] = math.Sqrt(out[i])
		}
		e.Require(out[i] == out[i], "a coefficient of its estimator is NaN")
	}
	return out
}

// threshold returns the least importance of a feature that is kept.
func threshold(e, end *fitted.Estimator, scores []float64) float64 {
	v := e.Get("threshold")
	text, ok := v.(string)
	switch {
	case v == nil && sparsifies(end):
		return 1e-5
	case v == nil:
		text = "mean"
	case !ok:
		return number(e, v, "threshold")
	}
	scale, reference, found := strings.Cut(text, "*")
	factor := 1.0
	if !found {
		reference = scale
	} else {
		var err error
		if factor, err = strconv.ParseFloat(strings.TrimSpace(scale), 64); err != nil {
			e.Failf("threshold %s is not supported", pickle.Quote(text))
		}
	}
	switch strings.TrimSpace(reference) {
	case "mean":
		return factor * (pairwise(scores) / float64(len(scores)))
	case "median":
		sorted := slices.Sorted(slices.Values(scores))
		n := len(sorted)
		return factor * (sorted[(n-1)/2] + sorted[n/2]) / 2
	}
	e.Failf("threshold %s is not supported", pickle.Quote(text))
	return 0
}

// sparsifies reports whether an estimator was fitted with a penalty that makes
// coefficients 0.
func sparsifies(end *fitted.Estimator) bool {
	ratio := end.Get("l1_ratio")
	switch class := end.Name(); {
	case strings.Contains(class, "Lasso"), end.Get("penalty") == any("l1"):
		return true
	case class == "ElasticNet":
		return ratio == any(1.0) || ratio == any(int64(1))
	case class == "ElasticNetCV":
		ratio = end.Get("l1_ratio_")
		return ratio == any(1.0) || ratio == any(int64(1))
	case class == "LogisticRegression" && end.Get("penalty") == any("deprecated"): // since 1.8
		return ratio == any(1.0) || ratio == any(int64(1))
	}
	return false
}
