// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"math"
	"testing"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// some returns a block whose values are often 0, and the same block sparse.
func some(rows, cols, seed int) (dense, sparse frame.Frame) {
	dense = frame.Dense(rows, cols, make([]float64, rows*cols))
	sparse = frame.Frame{Rows: rows, Cols: cols, Starts: []int{0}}
	for i := range dense.Data {
		if v := (i*7 + seed) % 11; v < 6 {
			dense.Data[i] = float64(v) - 2.5
			sparse.Data, sparse.Index = append(sparse.Data, dense.Data[i]), append(sparse.Index, int32(i%cols))
		}
		if i%cols == cols-1 {
			sparse.Starts = append(sparse.Starts, len(sparse.Data))
		}
	}
	return dense, sparse
}

// machines returns a machine of three classes, with dense and with sparse vectors.
func machines(k kernel) (dense, sparse *machine) {
	const vectors, cols = 13, 10
	d, s := some(vectors, cols, 3)
	m := machine{kernel: k, vectors: d, nothing: make([]float64, vectors), intercept: []float64{0.5, -0.25, 2}}
	from := 0
	for _, to := range []int{5, 5, 13} { // the second class has none
		g := group{from, to, vector.Matrix{Rows: 2, Cols: to - from, Data: make([]float64, 2*(to-from))}}
		for k := range g.weights.Data {
			g.weights.Data[k] = float64(k%5) - 1.75
		}
		m.groups, from = append(m.groups, g), to
	}
	other := m
	other.vectors = s
	return &m, &other
}

func TestSparseAndDenseVectorsAnswerTheSame(t *testing.T) {
	kernels := map[string]kernel{
		"products":  {finish: func([]float64) {}},
		"distances": {distance: true, finish: func([]float64) {}},
	}
	x, y := some(9, 10, 1)
	for name, k := range kernels {
		dense, sparse := machines(k)
		var want []float64
		for i, ask := range []struct {
			*machine
			frame.Frame
		}{{dense, x}, {sparse, x}, {sparse, y}} {
			got := []float64{}
			if err := ask.each(&graph.Work{}, ask.Frame, func(_ int, values []float64) error {
				got = append(got, values...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			for j, v := range got {
				if math.Abs(v-want[j]) > 1e-9 {
					t.Errorf("%s, way %d: value %d is %v, want %v", name, i, j, v, want[j])
				}
			}
			if len(got) != 3*x.Rows {
				t.Errorf("%s, way %d: %d values", name, i, len(got))
			}
		}
	}
}

func TestPairsAddTheirClassesInOrder(t *testing.T) {
	m, _ := machines(kernel{finish: func([]float64) {}})
	similar := make([]float64, m.vectors.Rows)
	for i := range similar {
		similar[i] = 1 / float64(i+3)
	}
	got := make([]float64, 3)
	if err := m.pairs(&graph.Work{}, got, similar); err != nil {
		t.Fatal(err)
	}
	pair := 0
	for i, a := range m.groups {
		for j := i + 1; j < len(m.groups); j++ {
			b, want := m.groups[j], 0.0
			for k, v := range a.weights.Row(j - 1) {
				want += v * similar[a.from+k]
			}
			for k, v := range b.weights.Row(i) {
				want += v * similar[b.from+k]
			}
			if want += m.intercept[pair]; got[pair] != want {
				t.Errorf("pair %d, %d is %v, want %v", i, j, got[pair], want)
			}
			pair++
		}
	}
}

func TestNoSupportVectorsAnswerTheIntercept(t *testing.T) {
	m := machine{kernel: kernel{distance: true, finish: func([]float64) {}}, vectors: frame.Dense(0, 2, nil), weights: vector.Matrix{Rows: 1}, intercept: []float64{4}}
	err := m.each(&graph.Work{}, frame.Dense(3, 2, make([]float64, 6)), func(_ int, values []float64) error {
		if len(values) != 1 || values[0] != 4 {
			t.Errorf("values %v", values)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
