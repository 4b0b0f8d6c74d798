// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// histogram is HistGradientBoosting: the same sum as boosting, of trees that compare
// float64, know where missing values go, and split by categories.
type histogram struct {
	input graph.Input
	answer
	sum[float64]
	baseline []float64
	encoder  encoder // nil if there are no categories
}

func newHistogramClassifier(e *fitted.Estimator) graph.Node {
	h := &histogram{answer: newAnswer(e)}
	if e.Version() >= 105 {
		h.rule = positive
	}
	switch name := loss(e); name {
	case "HalfBinomialLoss", "HalfMultinomialLoss", "BinaryCrossEntropy", "CategoricalCrossEntropy":
	default:
		e.Failf("loss %s is not supported", pickle.Quote(name))
	}
	h.read(e)
	return h
}

func newHistogramRegressor(e *fitted.Estimator) graph.Node {
	h := &histogram{}
	h.Outputs[frame.Predict] = graph.One()
	switch name := loss(e); name {
	case "HalfSquaredError", "LeastSquares", "AbsoluteError", "LeastAbsoluteDeviation", "PinballLoss":
	case "HalfPoissonLoss", "Poisson", "HalfGammaLoss":
		h.inverse = math.Exp
	default:
		e.Failf("loss %s is not supported", pickle.Quote(name))
	}
	h.read(e)
	return h
}

func (h *histogram) read(e *fitted.Estimator) {
	h.width = h.raws()
	h.baseline = baseline(e)
	e.Require(len(h.baseline) == h.width, "its baseline does not fit its classes")
	features := e.Int(byCategory-1, "_n_features", "n_features_in_")
	h.input = e.Input(features)
	h.input.AllowNaN, h.input.AllowInf = true, true
	known, order := h.categories(e, features)
	for _, v := range e.List("_predictors") {
		stage, _ := v.(*pickle.List)
		if stage == nil || len(stage.Items) != h.width {
			e.Failf("its _predictors do not fit its classes")
			return
		}
		for k, v := range stage.Items {
			t := newPredictor(e.Member(v), known, order)
			if !e.Ok() {
				return
			}
			t.column = k
			h.trees = append(h.trees, t)
			h.sorting = h.sorting || len(t.sets) > 0
		}
	}
}

// baseline returns the raw values of all rows, which are an array or one number.
func baseline(e *fitted.Estimator) []float64 {
	if _, ok := e.Get("_baseline_prediction").(*pickle.Array); ok {
		return e.Floats("_baseline_prediction")
	}
	return []float64{e.Number("_baseline_prediction")}
}

// newPredictor reads a TreePredictor. Known are the categories of the features, and
// order is where these are.
func newPredictor(e *fitted.Estimator, known []*set, order []int) *tree[float64] {
	nodes := e.Array("nodes")
	e.Require(len(nodes.Shape) == 1 && nodes.Shape[0] > 0, "its tree has no nodes")
	if !e.Ok() {
		return nil
	}
	b := newBuilder[float64](e, nodes, nodes.Shape[0])
	b.links("left", "right", "is_leaf")
	b.features("feature_idx", len(order))
	b.inner("feature_idx", func(n *node[float64], v pickle.Number) { n.feature = uint32(order[v.Int]) })
	b.inner("num_threshold", func(n *node[float64], v pickle.Number) { n.threshold = v.Float })
	b.missing()
	b.sets(known)
	if !e.Alloc(8 * b.count) {
		return nil
	}
	values := make([]float64, b.count)
	b.Field(nodes, "value", func(i int, v pickle.Number) { values[i] = v.Float })
	b.values([]span{{0, 1}}, 1, values)
	b.Release(8 * b.count)
	return b.finish()
}

// sets reads the splits by category. An unknown category goes where a missing one
// does.
func (b *builder[T]) sets(known []*set) {
	const perSet = 8
	if !b.Ok() || !b.nodes.Has("is_categorical") {
		return
	}
	splits := 0
	b.inner("is_categorical", func(n *node[T], v pickle.Number) {
		if v.Int != 0 {
			n.feature |= byCategory
			splits++
		}
	})
	if !b.Ok() || splits == 0 {
		return
	}
	lefts := b.Matrix("raw_left_cat_bitsets")
	b.Require(lefts.Cols == perSet, "its categories are no sets")
	if !b.Alloc(4 * perSet * splits) {
		return
	}
	b.inner("bitset_idx", func(n *node[T], v pickle.Number) {
		if n.feature&byCategory == 0 {
			return
		}
		all := known[n.feature&^flags]
		if !inside(v.Int, 0, lefts.Rows) || all == nil {
			b.Failf("a node of its tree has no such categories")
			return
		}
		var s set
		for k, word := range lefts.Row(int(v.Int)) {
			s[k] = uint32(int64(word))
			if n.feature&missingLeft != 0 {
				s[k] |= ^all[k]
			}
		}
		n.threshold = T(len(b.tree.sets))
		b.tree.sets = append(b.tree.sets, s)
	})
}

func (h *histogram) Input() *graph.Input { return &h.input }

func (h *histogram) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if h.encoder != nil {
		var err error
		if x, err = h.encoder.encode(w, x); err != nil {
			return err
		}
	}
	raw := h.raw(w, m, dst, x.Rows)
	for i := range raw {
		raw[i] = h.baseline[i%h.width]
	}
	if err := h.add(w, raw, x.Data, x.Cols, holed(x)); err != nil {
		return err
	}
	h.answer.answer(m, dst, raw)
	return nil
}
