// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"fmt"
)

// attributes reads the attributes of an estimator. After the first error all
// methods return zero values, so a builder reads everything and checks once. Of
// several names for an attribute the newest comes first.
type attributes struct {
	builder *builder
	object  *object
	class   string
	err     error
}

func (a *attributes) failf(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, args...)
	}
}

func (a *attributes) check(err error) {
	if a.err == nil {
		a.err = err
	}
}

// require fails with a sentence about the attributes unless they fit together.
func (a *attributes) require(ok bool, sentence string) {
	if !ok {
		a.failf("%s", sentence)
	}
}

// get returns an attribute, or nil if there is none or it is None.
func (a *attributes) get(names ...string) any {
	for _, name := range names {
		if v, ok := a.object.state.entries[name]; ok && v != any(none{}) {
			return v
		}
	}
	return nil
}

func (a *attributes) text(fallback string, names ...string) string {
	if v := a.get(names...); v != nil {
		s, ok := v.(string)
		if !ok {
			a.failf("%s is %s, which is not supported", names[0], describe(v))
		}
		return s
	}
	return fallback
}

func (a *attributes) flag(names ...string) bool {
	v, _ := a.get(names...).(bool)
	return v
}

func (a *attributes) number(names ...string) float64 {
	switch v := a.get(names...).(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case bool:
		if v {
			return 1
		}
		return 0
	default:
		a.failf("%s is missing", names[0])
		return 0
	}
}

// array returns an array that every fitted estimator has.
func (a *attributes) array(names ...string) *ndarray {
	arr, ok := a.get(names...).(*ndarray)
	if !ok {
		a.failf("%s is no dense array", names[0])
		return &ndarray{}
	}
	return arr
}

func (a *attributes) floats(names ...string) []float64 {
	return numbers(a, a.array(names...), names[0], func(n decoded) float64 { return n.float })
}

func (a *attributes) ints(names ...string) []int64 {
	return numbers(a, a.array(names...), names[0], func(n decoded) int64 { return n.int })
}

// matrix returns an array of two dimensions.
func (a *attributes) matrix(names ...string) Matrix {
	arr := a.array(names...)
	if len(arr.shape) != 2 {
		a.failf("%s is no matrix", names[0])
		return Matrix{}
	}
	return Matrix{Rows: arr.shape[0], Cols: arr.shape[1], Data: a.floats(names...)}
}

func numbers[T any](a *attributes, arr *ndarray, name string, pick func(decoded) T) []T {
	if a.err != nil {
		return nil
	}
	number := arr.dtype.number()
	if number == nil {
		a.failf("%s holds no numbers", name)
		return nil
	}
	count, err := arr.count()
	a.check(err)
	a.check(a.builder.alloc(8 * count))
	if a.err != nil {
		return nil
	}
	out := make([]T, 0, count)
	a.check(arr.each(a.builder.budget, func(b []byte) { out = append(out, pick(number(b))) }))
	return out
}

// values returns the elements of an array of labels or names. It charges each
// mention of a text, because printing labels copies each of them.
func (a *attributes) values(arr *ndarray) []any {
	if a.err != nil {
		return nil
	}
	count, err := arr.count()
	a.check(err)
	a.check(a.builder.alloc(slotCost*count + 2*len(arr.data)))
	if a.err != nil {
		return nil
	}
	out := make([]any, 0, count)
	if arr.dtype.kind != 'O' {
		a.check(arr.each(a.builder.budget, func(b []byte) {
			if a.err == nil {
				v, err := arr.dtype.value(b)
				a.check(err)
				out = append(out, v)
			}
		}))
		return out
	}
	for _, v := range arr.objects {
		if text, ok := v.(string); ok {
			a.check(a.builder.alloc(2 * len(text)))
		}
		if a.err != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// labels returns the classes a classifier can answer.
func (a *attributes) labels() []any {
	if _, ok := a.get("classes_").(*list); ok {
		a.failf("it predicts several outputs at once, which is not supported")
		return nil
	}
	labels := a.values(a.array("classes_"))
	for _, l := range labels {
		switch l.(type) {
		case int64, float64, bool, string:
		default:
			a.failf("a class label is %s, which is not supported", describe(l))
		}
	}
	a.require(len(labels) > 0, "it has no classes")
	return labels
}

// input describes the rows it was fitted on, which have this many features.
func (a *attributes) input(features int) input {
	in := input{class: a.class, features: features}
	a.require(features > 0, "it was fitted on no features")
	if v, ok := a.get("n_features_in_").(int64); ok && v != int64(features) {
		a.failf("n_features_in_ is %d, but it was fitted on %d", v, features)
	}
	if arr, ok := a.get("feature_names_in_").(*ndarray); ok {
		for _, v := range a.values(arr) {
			name, ok := v.(string)
			if !ok {
				a.failf("a feature name is %s", describe(v))
			}
			in.names = append(in.names, name)
		}
		a.require(len(in.names) == features, "feature_names_in_ does not fit the features")
	}
	return in
}
