// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"slices"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// Labels returns the output of a classifier that answers one of its classes_.
func (e *Estimator) Labels() frame.Output {
	if _, ok := e.Get("classes_").(*pickle.List); ok {
		e.Failf("it predicts several outputs at once, which is not supported")
		return frame.Output{}
	}
	arr := e.Array("classes_")
	return graph.Labels(typeOf(arr), e.labels(arr))
}

// LabelsOfAll returns the output of a classifier that answers one label, or a list of
// them: then its classes_ are a list too.
func (e *Estimator) LabelsOfAll() frame.Output {
	list, ok := e.Get("classes_").(*pickle.List)
	if !ok {
		return e.Labels()
	}
	e.Require(len(list.Items) > 0, "it has no classes")
	out := frame.Output{Width: len(list.Items)}
	for i, v := range list.Items {
		arr, ok := v.(*pickle.Array)
		if !ok {
			e.Failf("classes_ has %s", pickle.Describe(v))
		}
		if !e.Alloc(slotCost) {
			return frame.Output{}
		}
		if i == 0 {
			out.Type = typeOf(arr)
		}
		out.Classes = append(out.Classes, e.labels(arr))
	}
	return out
}

// labels returns the classes of one output.
func (e *Estimator) labels(arr *pickle.Array) []any {
	if e.Ok() && !arr.Numeric() && strings.IndexByte("OU", arr.Kind()) < 0 {
		e.Failf("its labels are of numpy's type %c, which JSON has not", arr.Kind())
	}
	labels := e.Values(arr)
	for _, l := range labels {
		switch l.(type) {
		case int64, uint64, float64, bool, string:
		default:
			e.Failf("a class label is %s, which is not supported", pickle.Describe(l))
		}
	}
	e.Require(len(labels) > 0, "it has no classes")
	return labels
}

// Flags returns the output of a classifier that answers n labels for each row, each 0
// or 1.
func (e *Estimator) Flags(n int) frame.Output {
	const size = 24 // of a slice
	if !e.Alloc(size * n) {
		return frame.Output{}
	}
	return frame.Output{Type: frame.Int64, Width: n, Classes: slices.Repeat([][]any{{int64(0), int64(1)}}, n)}
}

// typeOf is the type of an array's elements, for protocols that tell it. A float16 is
// told as a float32, because JSON's tensors have no such type.
func typeOf(arr *pickle.Array) frame.Type {
	types := map[string]frame.Type{
		"b1": frame.Bool, "i1": frame.Int8, "i2": frame.Int16, "i4": frame.Int32, "i8": frame.Int64,
		"u1": frame.Uint8, "u2": frame.Uint16, "u4": frame.Uint32, "u8": frame.Uint64, "f2": frame.Float32, "f4": frame.Float32, "f8": frame.Float64,
	}
	if t, ok := types[string(arr.Kind())+strconv.Itoa(arr.Size())]; ok {
		return t
	}
	return frame.Bytes
}
