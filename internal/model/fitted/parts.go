// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// List returns the items of an attribute that is a list, a tuple or an array of
// objects.
func (e *Estimator) List(names ...string) []any {
	switch v := e.Get(names...).(type) {
	case *pickle.List:
		return v.Items
	case pickle.Tuple:
		return v
	case *pickle.Array:
		if v.Kind() == 'O' {
			return v.Objects
		}
	}
	e.absent("it has no %s", names[0])
	return nil
}

// Drop forgets the elements of an array that is not needed any more.
func (e *Estimator) Drop(arr *pickle.Array) {
	if !e.shared {
		arr.Drop(e.builder.Budget)
	}
}

// Remark notes a sentence that the owner of the model should read.
func (e *Estimator) Remark(sentence string) {
	const most = 5
	if len(e.builder.remarks) < most && !slices.Contains(e.builder.remarks, sentence) {
		e.builder.remarks = append(e.builder.remarks, sentence)
	}
}

// Items returns those of a tuple or a list: a user may write a step of a pipeline as
// either.
func Items(v any) []any {
	switch v := v.(type) {
	case pickle.Tuple:
		return v
	case *pickle.List:
		return v.Items
	}
	return nil
}

// Dict returns the entries of an attribute that is a dict, or of a subclass, whose
// keys are strings. It charges the steps to look at all of them.
func (e *Estimator) Dict(names ...string) map[string]any {
	var entries map[string]any
	switch v := e.Get(names...).(type) {
	case *pickle.Dict:
		entries = v.Entries
	case *pickle.Object:
		entries = v.Items.Entries
	default:
		e.absent("it has no %s", names[0])
	}
	e.Work(len(entries))
	return entries
}

// Part reads an object inside the estimator that is no estimator itself, such as a
// tree. Its failures are the estimator's.
func (e *Estimator) Part(names ...string) *Estimator {
	o, ok := e.Get(names...).(*pickle.Object)
	if !ok {
		e.absent("it has no %s", names[0])
		o = &pickle.Object{Class: &pickle.Global{}}
	}
	return e.inside(o)
}

// inside reads an object as a part.
func (e *Estimator) inside(o *pickle.Object) *Estimator {
	part := *e
	part.object, part.shared = o, e.shared || o.Shared
	return &part
}

// Member reads an estimator in a list whose class is known, such as a tree of a
// forest, as a part. Each mention is charged.
func (e *Estimator) Member(v any) *Estimator {
	o, ok := v.(*pickle.Object)
	if !ok {
		e.Failf("one of its estimators is %s", pickle.Describe(v))
		o = &pickle.Object{Class: &pickle.Global{}}
	}
	e.Alloc(estimatorCost)
	return e.inside(o)
}

// Node builds an estimator inside this one. It is never nil.
func (e *Estimator) Node(v any) graph.Node {
	if e.Ok() {
		n, err := e.builder.node(v, e.depth+1, e.shared)
		if err == nil {
			return n
		}
		e.Check(err)
	}
	return placeholder{&graph.Input{}}
}

// AsTransformer returns a node of this estimator as what it must be.
func (e *Estimator) AsTransformer(n graph.Node) graph.Transformer {
	t, ok := n.(graph.Transformer)
	if !ok {
		e.Failf("%s stands in the middle of it but transforms nothing", n.Input().Class)
		return placeholder{n.Input()}
	}
	return t
}

// AsPredictor returns a node of this estimator as what it must be.
func (e *Estimator) AsPredictor(n graph.Node) graph.Predictor {
	p, ok := n.(graph.Predictor)
	if !ok {
		e.Failf("%s stands at its end but predicts nothing", n.Input().Class)
		return placeholder{n.Input()}
	}
	return p
}

// Skipped reports whether a step of a pipeline stands for no step.
func Skipped(v any) bool { return v == any(pickle.None{}) || v == any("passthrough") }

// Matrices returns the matrices of an attribute that is a list of them. An array of
// one dimension is one row.
func (e *Estimator) Matrices(names ...string) []vector.Matrix {
	var all []vector.Matrix
	for _, v := range e.List(names...) {
		arr, ok := v.(*pickle.Array)
		if !ok || len(arr.Shape) == 0 || len(arr.Shape) > 2 {
			e.Failf("one of %s is no matrix", names[0])
		}
		if !e.Alloc(slotCost) {
			return nil
		}
		rows := 1
		if len(arr.Shape) == 2 {
			rows = arr.Shape[0]
		}
		all = append(all, e.matrix(rows, arr.Shape[len(arr.Shape)-1], read(e, arr, names[0], (*pickle.Array).Floats)))
	}
	return all
}

// Matrix returns an array of two dimensions. A sparse one becomes dense.
func (e *Estimator) Matrix(names ...string) vector.Matrix {
	return e.MatrixOf(e.Get(names...), names[0])
}

// MatrixOf is Matrix for an array in a list, which has the name of the list.
func (e *Estimator) MatrixOf(v any, name string) vector.Matrix {
	return e.matrixOf(v, name, (*pickle.Array).Floats)
}

// Own is Matrix of which a node may write into the rows. The file then has no more of them,
// so that they are not in memory twice.
func (e *Estimator) Own(names ...string) vector.Matrix {
	if !e.shared {
		return e.matrixOf(e.Get(names...), names[0], (*pickle.Array).Take)
	}
	m := e.Matrix(names...)
	if e.Alloc(8 * len(m.Data)) {
		m.Data = slices.Clone(m.Data)
	}
	return m
}

func (e *Estimator) matrixOf(v any, name string, decode func(*pickle.Array, *budget.Budget) ([]float64, error)) vector.Matrix {
	if sparse, ok := e.csr(v); ok {
		return sparse.dense()
	}
	arr, ok := v.(*pickle.Array)
	if ok && len(arr.Shape) != 2 {
		e.Failf("%s is no matrix", name)
	}
	var shape []int
	if ok {
		shape = arr.Shape // which Take forgets
	}
	data := read(e, v, name, decode)
	if !e.Ok() {
		return vector.Matrix{}
	}
	return e.matrix(shape[0], shape[1], data)
}

// matrix charges a value for each row and column: one without elements may have 2^31 rows,
// for each of which a node takes memory.
func (e *Estimator) matrix(rows, cols int, data []float64) vector.Matrix {
	const size = 8 // bytes
	if !e.Alloc(size * (rows + cols)) {
		return vector.Matrix{}
	}
	return vector.Matrix{Rows: rows, Cols: cols, Data: data}
}
