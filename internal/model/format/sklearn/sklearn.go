// SPDX-License-Identifier: Apache-2.0

// Package sklearn answers predictions with models that scikit-learn saved.
//
// Load takes the bytes of a .joblib, .pkl or .pickle file. They pass through
// three stages: decompress undoes joblib's compression; a restricted unpickler
// turns the opcodes into plain values, looking up every name the file mentions
// in one fixed table; and a builder per estimator checks those values and
// copies what predicting needs. A Model is immutable and safe for concurrent
// use.
//
// The package never runs, imports or resolves anything that a file names: a
// name outside the table ends the load with an error that says which one it
// was. It reads nothing but the bytes it is given. One budget of memory and of
// steps, which follows from Limits and from the size of the file, bounds all
// three stages.
package sklearn

import (
	"fmt"
	"math"
	"sync"
)

// Matrix holds the samples to predict, row after row.
type Matrix struct {
	Rows, Cols int
	Data       []float64 // Rows * Cols values
}

// Model is a fitted classifier, with the transformers that come before it.
type Model struct {
	transforms []transformer
	classifier classifier
	classes    []any
	features   []string
	scratches  sync.Pool
}

// rowSteps is the cost of a row without its columns, in steps.
const rowSteps = 100

// A step is one estimator of a model.
type step interface {
	// accepts reports why the estimator refuses a row.
	accepts(row []float64) error
	shape() input
}

type transformer interface {
	step
	transform(row []float64)
}

type classifier interface {
	step
	labels() []any
	// predict returns the index of the row's class.
	predict(row []float64, s *scratch) int
	// hasProba reports whether proba may be called.
	hasProba() bool
	// proba fills dst, one probability per class.
	proba(dst, row []float64, s *scratch)
}

// scratch is memory that requests reuse. Each slice grows to the need of the model
// and is kept.
type scratch struct {
	row    []float64
	kernel []float64
	scores []float64
	pairs  []float64
	votes  []int

	stop func() error // nil for never
	done int          // steps since the last call of stop
	err  error        // that stop returned
}

// stopped counts n steps of about a nanosecond, and reports whether to stop. If
// so, err is the reason and the results are invalid.
func (s *scratch) stopped(n int) bool {
	const every = 1 << 22
	if s.done += n; s.done < every || s.stop == nil || s.err != nil {
		return s.err != nil
	}
	s.done = 0
	s.err = s.stop()
	return s.err != nil
}

// input describes the rows that an estimator was fitted on.
type input struct {
	class    string // as scikit-learn's messages name it: "SVC"
	features int
	names    []string // of the columns, if it was fitted on a DataFrame
	allowNaN bool
	single   bool // the estimator rounds its input to float32
}

func (in input) shape() input { return in }

// InputError is the error of an input that a model refuses, with the text that
// scikit-learn has for it.
type InputError string

func (e InputError) Error() string { return string(e) }

func inputErrorf(format string, args ...any) error { return InputError(fmt.Sprintf(format, args...)) }

func (in input) accepts(row []float64) error {
	limit := math.MaxFloat64
	if in.single {
		limit = math.MaxFloat32
	}
	for _, v := range row {
		switch {
		case v >= -limit && v <= limit:
		case math.IsNaN(v) && in.allowNaN:
		case math.IsNaN(v):
			return InputError("Input X contains NaN.")
		case in.single:
			return InputError("Input X contains infinity or a value too large for dtype('float32').")
		default:
			return InputError("Input X contains infinity or a value too large for dtype('float64').")
		}
	}
	return nil
}

// Load reads a model from the bytes of a file, to which the model keeps no
// reference. A panic of the reader becomes an error of one sentence. An error that
// is ErrMemory means that a larger limits.Memory would do.
func Load(data []byte, limits Limits) (m *Model, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			m, err = nil, fmt.Errorf("this file makes Serin's reader fail, which is a bug: please report it and attach the file (%v)", bug)
		}
	}()
	return parse(data, limits)
}

// parse is Load without the recovery, for tests that look for panics.
func parse(data []byte, limits Limits) (*Model, error) {
	b := newBudget(limits, len(data))
	raw, err := decompress(data, b)
	if err != nil {
		return nil, err
	}
	b.unpacked(len(data), len(raw))
	value, err := unpickle(raw, b)
	if err != nil {
		return nil, err
	}
	return build(value, b)
}

// Class returns the name of the classifier, such as "SVC".
func (m *Model) Class() string { return m.classifier.shape().class }

// Features returns the number of columns that the model expects.
func (m *Model) Features() int { return m.first().features }

// Classes returns the labels of the classes, each an int64, float64, bool or
// string. Predict returns indexes into it.
func (m *Model) Classes() []any { return m.classes }

// FeatureNames lists the columns of the DataFrame the model was fitted on, or
// nothing if it was fitted on an array.
func (m *Model) FeatureNames() []string { return m.features }

// HasProba reports whether PredictProba works for the model.
func (m *Model) HasProba() bool { return m.classifier.hasProba() }

// Predict appends the class index of each row of x to dst, and returns an error
// if x does not fit the model. Every few milliseconds it calls stop, unless that
// is nil, and returns its error if there is one.
func (m *Model) Predict(stop func() error, dst []int, x Matrix) ([]int, error) {
	s := m.scratch(stop)
	defer m.recycle(s)
	if err := m.checkShape(x); err != nil {
		return dst, err
	}
	for i := range x.Rows {
		row, err := m.prepare(x, i, s)
		if err != nil {
			return dst, err
		}
		class := m.classifier.predict(row, s)
		if s.stopped(x.Cols + rowSteps); s.err != nil {
			return dst, s.err
		}
		dst = append(dst, class)
	}
	return dst, nil
}

// PredictProba appends len(Classes()) probabilities per row of x to dst, in the
// order of Classes. It calls stop as Predict does.
func (m *Model) PredictProba(stop func() error, dst []float64, x Matrix) ([]float64, error) {
	if !m.HasProba() {
		return dst, fmt.Errorf("this %s has no predict_proba", m.Class())
	}
	s := m.scratch(stop)
	defer m.recycle(s)
	if err := m.checkShape(x); err != nil {
		return dst, err
	}
	for i := range x.Rows {
		row, err := m.prepare(x, i, s)
		if err != nil {
			return dst, err
		}
		n := len(dst)
		dst = append(dst, make([]float64, len(m.classes))...)
		m.classifier.proba(dst[n:], row, s)
		if s.stopped(x.Cols + len(m.classes) + rowSteps); s.err != nil {
			return dst[:n], s.err
		}
	}
	return dst, nil
}

func (m *Model) first() input {
	if len(m.transforms) > 0 {
		return m.transforms[0].shape()
	}
	return m.classifier.shape()
}

func (m *Model) checkShape(x Matrix) error {
	in := m.first()
	switch {
	case x.Cols == 0:
		return inputErrorf("Found array with 0 feature(s) (shape=(%d, 0)) while a minimum of 1 is required by %s.", x.Rows, in.class)
	case x.Cols != in.features:
		return inputErrorf("X has %d features, but %s is expecting %d features as input.", x.Cols, in.class, in.features)
	}
	return nil
}

// prepare returns row i as the classifier wants it.
func (m *Model) prepare(x Matrix, i int, s *scratch) ([]float64, error) {
	row := x.Data[i*x.Cols : (i+1)*x.Cols]
	if len(m.transforms) > 0 {
		row = append(s.row[:0], row...)
		s.row = row
	}
	for _, t := range m.transforms {
		if err := t.accepts(row); err != nil {
			return nil, err
		}
		t.transform(row)
	}
	return row, m.classifier.accepts(row)
}

func (m *Model) scratch(stop func() error) *scratch {
	s, ok := m.scratches.Get().(*scratch)
	if !ok {
		s = &scratch{}
	}
	s.stop, s.done, s.err = stop, 0, nil
	return s
}

func (m *Model) recycle(s *scratch) {
	s.stop = nil
	m.scratches.Put(s)
}

// sized returns *buf with n elements, which are not cleared.
func sized[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}
