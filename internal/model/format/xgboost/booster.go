// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"errors"
	"fmt"
	"math"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/kernel/boosting"
	"github.com/serin-dev/serin/internal/model/vector"
)

// booster answers what Booster.predict(DMatrix(rows)) does.
type booster struct {
	graph.Outputs
	input     graph.Input
	objective objective
	margins   int // of a row
	base      []float32
	trees     []*boosting.Tree[float32]
	members   []member
	weights   []float32 // of gblinear: one for each feature and margin, and the biases
	missing   float32   // a value that is taken for a missing one
}

// member is what the leaves of a tree add, to the margins from column on.
type member struct {
	values []float32 // width for each node
	width  int
	column int
	weight float32 // of dart
}

func (b *booster) Input() *graph.Input { return &b.input }

// build makes the booster of the first trees.
func (m *model) build(b *budget.Budget, trees int) (*booster, error) {
	obj, ok := objectives[m.objective]
	switch {
	case !ok:
		return nil, fmt.Errorf("objective %q is not supported; supported are %s", m.objective, supported())
	case m.features == 0:
		return nil, errors.New("it was fitted on no features")
	case len(m.names) > 0 && len(m.names) != m.features:
		return nil, errors.New("its feature_names do not fit its features")
	case obj.classes && m.targets > 1 || obj.classes && m.classes == 0:
		return nil, errors.New("its number of classes does not fit its objective")
	}
	// From 3.4 on, quantiles do not cross.
	obj.sorted = m.objective == "reg:quantileerror" && m.version >= 304
	out := &booster{objective: obj, margins: max(m.classes, m.targets, 1), input: graph.Input{Class: "Booster", AllowNaN: true, Single: true, Sparse: true}}
	out.input.Schema = frame.Schema{Width: m.features, Names: m.names}
	out.Outputs[frame.Predict] = frame.Output{Type: frame.Float32, Width: out.margins}
	if out.margins == 1 || obj.label {
		out.Outputs[frame.Predict] = frame.Output{Type: frame.Float32, Width: 1, Flat: true}
	}
	if err := b.Alloc(16 * out.margins); err != nil {
		return nil, err
	}
	if err := out.start(m); err != nil {
		return nil, err
	}
	switch m.booster {
	case "gblinear":
		if len(m.weights) != (m.features+1)*out.margins {
			return nil, errors.New("its weights do not fit its features")
		}
		for i := range out.base {
			out.base[i] = out.base[0] // XGBoost starts all sums of a gblinear with the first one
		}
		out.weights = m.weights
		return out, nil
	case "gbtree", "dart":
		return out, out.grow(m, b, trees)
	}
	return nil, fmt.Errorf("booster %q is not supported", m.booster)
}

// start sets the margins that the sums start with.
func (b *booster) start(m *model) error {
	if len(m.base) != 1 && len(m.base) != b.margins {
		return errors.New("its base_score does not fit its outputs")
	}
	for i := range b.margins {
		v := float32(m.base[i%len(m.base)])
		if b.objective.margin != nil && !m.transformed {
			v = b.objective.margin(v)
		}
		b.base = append(b.base, v)
	}
	return nil
}

func (b *booster) grow(m *model, charge *budget.Budget, trees int) error {
	dart := m.booster == "dart" || len(m.drop) > 0
	if len(m.groups) != len(m.trees) || dart && len(m.drop) != len(m.trees) {
		return errors.New("its trees are not as many as it says")
	}
	for i, t := range m.trees[:min(trees, len(m.trees))] {
		group := m.groups[i]
		if t.width > 1 {
			group = 0
		}
		if group < 0 || group+t.width > b.margins {
			return fmt.Errorf("tree %d: it belongs to no output", i)
		}
		made, err := boosting.New(charge, t.splits, m.features)
		if err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
		charge.Release(splitBytes * len(t.splits))
		t.splits = nil
		one := member{values: t.values, width: t.width, column: group, weight: 1}
		if dart {
			one.weight = m.drop[i]
		}
		b.trees, b.members = append(b.trees, made), append(b.members, one)
	}
	return nil
}

// Predict implements graph.Predictor.
func (b *booster) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	margins, err := b.sums(w, x)
	if err != nil {
		return err
	}
	width := b.Outputs[m].Width
	for i := range x.Rows {
		b.objective.answers(dst[i*width:(i+1)*width], margins[i*b.margins:(i+1)*b.margins])
	}
	return nil
}

// values returns the values of a block. What a sparse one does not have is missing.
func (b *booster) values(w *graph.Work, x frame.Frame) []float32 {
	rows := w.Singles(x.Rows * x.Cols)
	if x.Sparse() {
		for i := range rows {
			rows[i] = nan
		}
		for i := range x.Rows {
			columns, values := x.Entries(i)
			for k, j := range columns {
				rows[i*x.Cols+int(j)] = float32(values[k])
			}
		}
	} else {
		vector.Singles(rows, x.Data)
	}
	if b.missing == b.missing { // it is not NaN
		for i, v := range rows {
			if v == b.missing {
				rows[i] = nan
			}
		}
	}
	return rows
}

// sums returns the margins of a block.
func (b *booster) sums(w *graph.Work, x frame.Frame) ([]float32, error) {
	rows := b.values(w, x)
	out := w.Singles(x.Rows * b.margins)
	for i := range x.Rows {
		copy(out[i*b.margins:], b.base)
	}
	if b.weights != nil {
		b.linear(out, rows, x.Cols)
		return out, w.Steps(x.Rows * len(b.weights))
	}
	holes := x.Sparse() || b.missing == b.missing || !vector.Within(x.Data, math.Inf(1))
	return out, boosting.Walk(w, b.trees, rows, x.Cols, holes, func(tree, from int, leaves []int32) error {
		t := b.members[tree]
		t.add(out[from*b.margins:], leaves, b.margins)
		if t.width == 1 {
			return nil
		}
		return w.Steps(len(leaves) * t.width)
	})
}

// add adds the values of the leaves that rows have arrived at.
func (t *member) add(out []float32, leaves []int32, margins int) {
	if t.width == 1 {
		for i, leaf := range leaves {
			out[i*margins+t.column] += float32(t.weight * t.values[leaf])
		}
		return
	}
	for i, leaf := range leaves {
		row := out[i*margins+t.column:]
		for k, v := range t.values[int(leaf)*t.width : (int(leaf)+1)*t.width] {
			row[k] += float32(t.weight * v)
		}
	}
}

// linear adds the weighted values, without the missing ones.
func (b *booster) linear(out, rows []float32, cols int) {
	bias := b.weights[cols*b.margins:]
	for i := range len(rows) / cols {
		sums := out[i*b.margins : (i+1)*b.margins]
		for k := range sums {
			sums[k] += bias[k]
		}
		for j, v := range rows[i*cols : (i+1)*cols] {
			if v != v {
				continue
			}
			for k, weight := range b.weights[j*b.margins : (j+1)*b.margins] {
				sums[k] += float32(v * weight)
			}
		}
	}
}
