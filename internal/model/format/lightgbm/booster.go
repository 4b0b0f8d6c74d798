// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/kernel/boosting"
	"github.com/serin-dev/serin/internal/model/vector"
)

// booster answers what Booster.predict(rows) does.
type booster struct {
	graph.Outputs
	input   graph.Input
	outputs int
	walks   []*boosting.Tree[float64] // of trees
	trees   []*tree                   // those of a round for each output, round after round
	average bool                      // of the rounds, as in a random forest; else their sum
	answer  func(raw float64) float64
	softmax bool
}

// tree has the values of its leaves, or their linear models.
type tree struct {
	tree   *boosting.Tree[float64]
	first  int // the number of the first leaf among its nodes
	values []float64
	linear []linear
	// longest is the number of features of the longest linear model.
	longest int
}

// linear is what a leaf answers for a row without NaN among its features.
type linear struct {
	constant float64
	features []int
	weights  []float64
}

func (b *booster) Input() *graph.Input { return &b.input }

// objectiveOf sets how raw sums become answers, by the objective's line
// (https://lightgbm.readthedocs.io/en/stable/Parameters.html#objective).
func (b *booster) objectiveOf(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil // a custom objective: raw sums
	}
	scale := 1.0
	root := false
	for _, word := range words[1:] {
		root = root || word == "sqrt"
		if text, ok := strings.CutPrefix(word, "sigmoid:"); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fmt.Errorf("objective has %.20q, which is no number", word)
			}
			scale = v
		}
	}
	switch words[0] {
	case "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg", "custom":
		if root {
			b.answer = func(raw float64) float64 { return math.Copysign(raw*raw, raw) }
		}
	case "poisson", "gamma", "tweedie":
		b.answer = math.Exp
	case "binary", "multiclassova":
		b.answer = func(raw float64) float64 { return 1 / (1 + math.Exp(-scale*raw)) }
	case "cross_entropy":
		b.answer = func(raw float64) float64 { return 1 / (1 + math.Exp(-raw)) }
	case "cross_entropy_lambda":
		b.answer = func(raw float64) float64 { return math.Log1p(math.Exp(raw)) }
	case "multiclass":
		b.softmax = true
	default:
		return fmt.Errorf("objective %.40q is not supported", words[0])
	}
	return nil
}

// Predict implements graph.Predictor.
func (b *booster) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	clear(dst)
	holes := !vector.Within(x.Data, math.Inf(1))
	err := boosting.Walk(w, b.walks, x.Data, x.Cols, holes, func(i, from int, leaves []int32) error {
		t := b.trees[i]
		t.add(dst[from*b.outputs+i%b.outputs:], b.outputs, leaves, &x, from)
		if t.linear == nil {
			return nil
		}
		return w.Steps(len(leaves) * t.longest)
	})
	if err != nil {
		return err
	}
	rounds := float64(len(b.trees) / b.outputs)
	for i := range dst {
		if b.average && rounds > 0 {
			dst[i] /= rounds
		}
		if b.answer != nil {
			dst[i] = b.answer(dst[i])
		}
	}
	for i := 0; b.softmax && i < len(dst); i += b.outputs {
		vector.Softmax(dst[i : i+b.outputs])
	}
	return nil
}

// add adds the values of the leaves that rows have arrived at, to every so many of dst.
// From is the first of the rows in x.
func (t *tree) add(dst []float64, every int, leaves []int32, x *frame.Frame, from int) {
	for i, at := range leaves {
		leaf := int(at) - t.first
		if t.linear == nil {
			dst[i*every] += t.values[leaf]
			continue
		}
		dst[i*every] += t.line(leaf, x.Row(from+i))
	}
}

// line is the answer of a leaf's linear model, or its value if a feature is missing.
func (t *tree) line(leaf int, row []float64) float64 {
	l := &t.linear[leaf]
	sum := l.constant
	for k, f := range l.features {
		v := row[f]
		if v != v {
			return t.values[leaf]
		}
		sum += float64(l.weights[k] * v)
	}
	return sum
}
