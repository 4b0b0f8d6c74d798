// SPDX-License-Identifier: Apache-2.0

// Package graph runs fitted estimators on blocks of rows.
//
// An estimator is a Node: a Transformer makes other columns of a block, and a
// Predictor answers for its rows. Nodes hold nodes, as a pipeline, a
// ColumnTransformer or an ensemble does, so a model is a tree of values. New turns
// its root into a frame.Model, which cuts a Frame into blocks that fit a core's
// cache and asks the root for each.
//
// A node asks another one through Transform and Predict of this package, which
// check the block as scikit-learn does: its width, its missing and infinite values,
// strings. So a node gets what its Input promises, and checks nothing itself.
//
// Nodes are immutable. The memory they need for a block is that of a Work, and so
// is the way in which a request stops.
package graph

import (
	"fmt"
	"sync"

	"github.com/serin-dev/serin/internal/model/frame"
)

// Input describes the blocks that an estimator takes.
type Input struct {
	Class string // as scikit-learn's messages name it: "SVC"
	frame.Schema

	AllowNaN bool
	AllowInf bool
	Single   bool // the estimator rounds its input to float32
	Sparse   bool // it takes sparse blocks too; for others they are made dense
	NoSparse bool // scikit-learn computes otherwise of sparse blocks, which are refused
	Blind    bool // it looks at no column: rows may be of any width and kind
}

// Node is a fitted estimator.
type Node interface {
	Input() *Input
}

// Transformer makes other columns of a block.
type Transformer interface {
	Node
	// Width is the number of columns that Transform makes.
	Width() int
	// Transform returns a block of as many rows, in the memory of w or of x. It does
	// not write into x.
	Transform(w *Work, x frame.Frame) (frame.Frame, error)
}

// Thin is a Transformer whose blocks may be sparse. They may be wide, because they
// take memory for the values that are not 0 only.
type Thin interface {
	Transformer
	// Thin reports whether this one's are, of sparse blocks or of any.
	Thin() bool
}

// Sparser is a Transformer whose blocks are sparse in scikit-learn, and may be dense here.
type Sparser interface {
	Transformer
	Sparse() bool
}

// Elastic is a Transformer that takes blocks of any width. It may not know which until
// it is built: scikit-learn before 1.2 did not note it.
type Elastic interface {
	Transformer
	// SetWidth tells it, if its Input has 0.
	SetWidth(int)
}

// Predictor answers for the rows of a block.
type Predictor interface {
	Node
	// Output describes what a method answers, and reports whether there is it.
	Output(frame.Method) (frame.Output, bool)
	// Predict fills dst with the Output(m).Width values of each row.
	Predict(w *Work, m frame.Method, dst []float64, x frame.Frame) error
}

// Transform asks a node for other columns of x.
func Transform(w *Work, t Transformer, x frame.Frame) (frame.Frame, error) {
	if err := t.Input().check(w, &x); err != nil {
		return x, err
	}
	return t.Transform(w, x)
}

// Predict asks a node for the answers of its method m, which it must have.
func Predict(w *Work, p Predictor, m frame.Method, dst []float64, x frame.Frame) error {
	if err := p.Input().check(w, &x); err != nil {
		return err
	}
	return p.Predict(w, m, dst, x)
}

const (
	blockRows   = 256
	blockValues = 1 << 16 // of the widest part of a model
	rowSteps    = 100     // the cost of a row without its columns
)

// model is a frame.Model.
type model struct {
	root    Predictor
	class   string
	remarks []string
	rows    int // of a block
	works   sync.Pool
}

// New returns a model that asks root, and is called class. Widest is the largest
// number of dense columns between two of its nodes.
func New(root Predictor, class string, widest int, remarks ...string) frame.Model {
	return &model{root: root, class: class, remarks: remarks, rows: min(max(blockValues/max(widest, 1), 1), blockRows)}
}

// Class implements frame.Model.
func (m *model) Class() string { return m.class }

// Remarks implements frame.Model.
func (m *model) Remarks() []string { return m.remarks }

// Schema implements frame.Model.
func (m *model) Schema() frame.Schema { return m.root.Input().Schema }

// Output implements frame.Model.
func (m *model) Output(method frame.Method) (frame.Output, bool) { return m.root.Output(method) }

// Predict implements frame.Model.
func (m *model) Predict(stop func() error, method frame.Method, dst *frame.Result, x frame.Frame) error {
	out, ok := m.root.Output(method)
	if !ok {
		return fmt.Errorf("this %s has no %s", m.class, method)
	}
	w, ok := m.works.Get().(*Work)
	if !ok {
		w = &Work{}
	}
	defer m.recycle(w)
	w.begin(stop)
	dst.Output, dst.Rows = out, x.Rows
	dst.Values = sized(dst.Values, x.Rows*out.Width)
	for from := 0; from < x.Rows; from += m.rows {
		to := min(from+m.rows, x.Rows)
		w.Release(Mark{}) // what the last block took
		if err := Predict(w, m.root, method, dst.Values[from*out.Width:to*out.Width], x.Slice(from, to)); err != nil {
			return err
		}
		if err := w.Steps((to - from) * (x.Cols + out.Width + rowSteps)); err != nil {
			return err
		}
	}
	return nil
}

// sized returns n elements in the memory of s, which are not cleared.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func (m *model) recycle(w *Work) {
	w.end()
	m.works.Put(w)
}
