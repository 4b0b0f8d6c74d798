// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// Estimator reads the attributes of an estimator. After the first failure all
// methods return zero values, so a constructor reads everything and need not check
// in between. Of several names for an attribute the newest comes first.
type Estimator struct {
	builder *builder
	object  *pickle.Object
	class   string
	depth   int
	shared  bool     // the file mentions it more than once, or what it is in
	failure *failure // shared with its parts
}

type failure struct {
	err    error
	absent bool // the first failure is an attribute that fitting makes
}

// sentence is an error about an estimator's attributes, before which describe puts the
// estimator's class. Other errors, such as the budget's, are not about the estimator.
type sentence string

func (s sentence) Error() string { return string(s) }

// describe returns the failure, which is a sentence.
func (e *Estimator) describe() error {
	if e.failure.absent && !e.fitted() {
		return fmt.Errorf("the %s was saved before it was fitted", e.class)
	}
	return fmt.Errorf("%s: %w", e.class, e.failure.err)
}

// fitted reports whether an estimator is fitted: by scikit-learn's convention,
// fitting adds attributes whose names end in an underscore.
func (e *Estimator) fitted() bool {
	for name := range e.object.State.Entries {
		if strings.HasSuffix(name, "_") {
			return true
		}
	}
	return false
}

// Budget is what is left to build the model, for the readers of a model that lies in an
// attribute as bytes.
func (e *Estimator) Budget() *budget.Budget { return e.builder.Budget }

// Class is the name of the estimator's class: "SVC".
func (e *Estimator) Class() string { return e.class }

// Name is the name of the object's own class. For a part, Class is the estimator's
// instead.
func (e *Estimator) Name() string { return e.object.Class.Name }

// Ok reports whether nothing has failed so far.
func (e *Estimator) Ok() bool { return e.failure.err == nil }

// Failf says why the estimator cannot be built.
func (e *Estimator) Failf(format string, args ...any) {
	e.Check(sentence(fmt.Sprintf(format, args...)))
}

// Check fails with an error, if there is one.
func (e *Estimator) Check(err error) {
	if e.failure.err == nil {
		e.failure.err = err
	}
}

// Require fails with a sentence about the attributes unless they fit together.
func (e *Estimator) Require(ok bool, about string) {
	if !ok {
		e.Check(sentence(about))
	}
}

// absent fails because of an attribute that fitting makes.
func (e *Estimator) absent(format string, args ...any) {
	if e.failure.err == nil {
		e.failure.absent = true
		e.Failf(format, args...)
	}
}

// Alloc charges n bytes of memory, before they are allocated. It reports whether
// to go on.
func (e *Estimator) Alloc(n int) bool {
	if e.Ok() {
		e.Check(e.builder.Alloc(n))
	}
	return e.Ok()
}

// Work charges n steps, in a loop whose length comes from the file. It reports
// whether to go on.
func (e *Estimator) Work(n int) bool {
	if e.Ok() {
		e.Check(e.builder.Work(n))
	}
	return e.Ok()
}

// Wide notes that predicting makes blocks of n columns, so that a model of wide
// blocks gets fewer rows at a time.
func (e *Estimator) Wide(n int) { e.builder.widest = max(e.builder.widest, n) }

// Release returns n bytes of memory that was needed for a while.
func (e *Estimator) Release(n int) { e.builder.Release(n) }

// Version is the scikit-learn that saved the estimator, as major*100 + minor: 1.3 is
// 103. It is 0 if the file does not tell.
func (e *Estimator) Version() int {
	text, _ := e.Get("_sklearn_version").(string)
	parts := strings.SplitN(text, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	major, err1 := strconv.ParseUint(parts[0], 10, 8)
	minor, err2 := strconv.ParseUint(parts[1], 10, 8)
	if err1 != nil || err2 != nil {
		return 0
	}
	return int(major)*100 + int(minor)
}

// Get returns an attribute, or nil if there is none or it is None.
func (e *Estimator) Get(names ...string) any {
	for _, name := range names {
		if v, ok := e.object.State.Entries[name]; ok && v != any(pickle.None{}) {
			return v
		}
	}
	return nil
}

// Arg returns argument i of the call that makes the object.
func (e *Estimator) Arg(i int) any {
	if i < len(e.object.Args) {
		return e.object.Args[i]
	}
	return nil
}

// Text returns an attribute that is a string, or the fallback if there is none.
func (e *Estimator) Text(fallback string, names ...string) string {
	v := e.Get(names...)
	if v == nil {
		return fallback
	}
	s, ok := v.(string)
	if !ok {
		e.Failf("%s is %s, which is not supported", names[0], pickle.Describe(v))
	}
	return s
}

// Flag reports whether an attribute is true in Python, which takes numbers for flags
// too: scikit-learn before 1.2 was content with with_mean=1.
func (e *Estimator) Flag(names ...string) bool {
	switch v := e.Get(names...).(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	default:
		e.Failf("%s is %s, which is not supported", names[0], pickle.Describe(v))
		return false
	}
}

// Number returns an attribute that is a number.
func (e *Estimator) Number(names ...string) float64 {
	v, ok := pickle.Float(e.Get(names...))
	if !ok {
		e.absent("%s is missing", names[0])
	}
	return v
}

// Int returns an attribute that is an integer from 0 to most.
func (e *Estimator) Int(most int, names ...string) int {
	v, ok := e.Get(names...).(int64)
	switch {
	case !ok:
		e.absent("%s is missing", names[0])
		return 0
	case v < 0 || v > int64(most):
		e.Failf("%s is out of range", names[0])
		return 0
	}
	return int(v)
}

// Array returns an attribute that is an array.
func (e *Estimator) Array(names ...string) *pickle.Array {
	arr, ok := e.Get(names...).(*pickle.Array)
	if !ok {
		e.absent("%s is no dense array", names[0])
		return &pickle.Array{}
	}
	return arr
}

// Floats returns the numbers of an array, row after row. A node may keep them, and
// does not write into them.
func (e *Estimator) Floats(names ...string) []float64 { return e.FloatsOf(e.Get(names...), names[0]) }

// Ints returns the integers of an array, row after row.
func (e *Estimator) Ints(names ...string) []int64 { return e.IntsOf(e.Get(names...), names[0]) }

// FloatsOf is Floats for an array in a list, which has the name of the list.
func (e *Estimator) FloatsOf(v any, name string) []float64 {
	return read(e, v, name, (*pickle.Array).Floats)
}

// IntsOf is Ints for an array in a list, which has the name of the list.
func (e *Estimator) IntsOf(v any, name string) []int64 {
	return read(e, v, name, (*pickle.Array).Ints)
}

// Field calls set with one field of an array of structures, from the first to the
// last. It stops calling after a failure.
func (e *Estimator) Field(arr *pickle.Array, name string, set func(i int, v pickle.Number)) {
	if !e.Ok() {
		return
	}
	found, err := arr.Field(e.builder.Budget, name, func(i int, v pickle.Number) {
		if e.Ok() {
			set(i, v)
		}
	})
	e.Check(err)
	if !found {
		e.Failf("the nodes of its tree have no %s", name)
	}
}

// read decodes an array.
func read[T any](e *Estimator, v any, name string, decode func(*pickle.Array, *budget.Budget) ([]T, error)) []T {
	arr, ok := v.(*pickle.Array)
	switch {
	case !ok:
		e.absent("%s is no dense array", name)
	case !arr.Numeric():
		e.Failf("%s holds no numbers", name)
	}
	if !e.Ok() {
		return nil
	}
	out, err := decode(arr, e.builder.Budget)
	e.Check(err)
	return out
}

// Values returns the elements of an array of labels, names or categories: int64,
// uint64, float64, bool, string, or whatever an array of objects holds.
func (e *Estimator) Values(arr *pickle.Array) []any {
	if !e.Ok() {
		return nil
	}
	values, err := arr.Values(e.builder.Budget)
	e.Check(err)
	return values
}

// Input describes the blocks it was fitted on, which have this many columns. Nil
// follows a failure.
func (e *Estimator) Input(width int) graph.Input {
	in := graph.Input{Class: e.class, Schema: frame.Schema{Width: width}}
	e.Require(width > 0, "it was fitted on no features")
	if v, ok := e.Get("n_features_in_").(int64); ok && v != int64(width) {
		e.Failf("n_features_in_ is %d, but it was fitted on %d", v, width)
	}
	arr, ok := e.Get("feature_names_in_").(*pickle.Array)
	if !ok {
		return in
	}
	for _, v := range e.Values(arr) {
		name, ok := v.(string)
		if !ok {
			e.Failf("a feature name is %s", pickle.Describe(v))
		}
		in.Names = append(in.Names, name)
	}
	e.Require(len(in.Names) == width, "feature_names_in_ does not fit the features")
	return in
}
