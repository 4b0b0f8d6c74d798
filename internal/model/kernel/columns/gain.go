// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// gains returns the feature_importances_ of trees and sums of trees: by how much their
// splits by a feature made the impurity less. Scikit-learn computes it when asked, from
// what the file has. It returns nil for other estimators.
//
// A feature may be as important as the threshold is, so all sums have numpy's order.
func gains(end *fitted.Estimator) []float64 {
	class := strings.TrimSuffix(strings.TrimSuffix(end.Name(), "Classifier"), "Regressor")
	switch class {
	case "DecisionTree", "ExtraTree":
		return gain(end, true)
	case "RandomForest", "ExtraTrees":
		return meanGain(end, end.List("estimators_"), true)
	case "GradientBoosting":
		return meanGain(end, end.List("estimators_"), false)
	case "AdaBoost":
		weights, members := end.Floats("estimator_weights_"), end.List("estimators_")
		var sum []float64
		for i, v := range members[:min(len(members), len(weights))] {
			sum = addScaled(end, sum, gain(end.Member(v), true), weights[i])
		}
		return divide(sum, pairwise(weights))
	}
	return nil
}

// meanGain returns the mean of trees that split, which then sums to 1.
func meanGain(e *fitted.Estimator, trees []any, normalized bool) []float64 {
	var sum, one []float64
	split := 0.0
	for _, v := range trees {
		tree := e.Member(v)
		one = gain(tree, normalized)
		nodes := tree.Part("tree_").Array("nodes")
		if e.Ok() && nodes.Shape[0] > 1 {
			sum = addScaled(e, sum, one, 1)
			split++
		}
	}
	if split == 0 {
		return one // all zero
	}
	divide(sum, split)
	return divide(sum, pairwise(sum))
}

// gain returns what the splits of a tree gain.
func gain(e *fitted.Estimator, normalized bool) []float64 {
	const mostFeatures = 1 << 30
	tree := e.Part("tree_")
	features, _ := tree.Arg(0).(int64)
	nodes := tree.Array("nodes")
	e.Require(features > 0 && features < mostFeatures && len(nodes.Shape) == 1 && nodes.Shape[0] > 0, "its tree is malformed")
	if !e.Ok() {
		return nil
	}
	n := nodes.Shape[0]
	if !e.Alloc(8*int(features) + 24*n) {
		return nil
	}
	defer e.Release(24 * n)
	out, impurity, rights := make([]float64, features), make([]float64, n), make([]int64, n)
	tree.Field(nodes, "impurity", func(i int, v pickle.Number) { impurity[i] = v.Float })
	tree.Field(nodes, "weighted_n_node_samples", func(i int, v pickle.Number) { impurity[i] *= v.Float })
	root := 0.0
	tree.Field(nodes, "weighted_n_node_samples", func(i int, v pickle.Number) {
		if i == 0 {
			root = v.Float
		}
	})
	lefts := make([]int64, n)
	child := func(to []int64) func(int, pickle.Number) {
		return func(i int, v pickle.Number) {
			e.Require(v.Int >= -1 && v.Int < int64(n), "a node of its tree has no such child")
			to[i] = v.Int
		}
	}
	tree.Field(nodes, "left_child", child(lefts))
	tree.Field(nodes, "right_child", child(rights))
	tree.Field(nodes, "feature", func(i int, v pickle.Number) {
		if lefts[i] < 0 {
			return
		}
		if rights[i] < 0 || v.Int < 0 || v.Int >= features {
			e.Failf("a node of its tree has no such feature")
			return
		}
		out[v.Int] += impurity[i] - impurity[lefts[i]] - impurity[rights[i]]
	})
	divide(out, root)
	if total := pairwise(out); normalized && total > 0 {
		divide(out, total)
	}
	return out
}

// addScaled adds values to a sum of as many, which is nil at first.
func addScaled(e *fitted.Estimator, sum, values []float64, scale float64) []float64 {
	if sum == nil {
		if !e.Alloc(8 * len(values)) {
			return nil
		}
		sum = make([]float64, len(values))
	}
	e.Require(len(sum) == len(values), "its trees have different features")
	if !e.Ok() {
		return sum
	}
	for i, v := range values {
		sum[i] += scale * v
	}
	e.Release(8 * len(values))
	return sum
}

func divide(values []float64, by float64) []float64 {
	for i := range values {
		values[i] /= by
	}
	return values
}

// pairwise sums in the order of numpy.
func pairwise(values []float64) float64 {
	const lanes, most = 8, 128
	n, sum := len(values), 0.0
	switch {
	case n > most:
		half := n / 2
		half -= half % lanes
		return pairwise(values[:half]) + pairwise(values[half:])
	case n >= lanes:
		var l [lanes]float64
		for ; len(values) >= lanes; values = values[lanes:] {
			for j := range l {
				l[j] += values[j]
			}
		}
		sum = ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]))
	}
	for _, v := range values {
		sum += v
	}
	return sum
}
