// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
)

func estimator(entries map[string]any) *Estimator {
	b := &builder{Budget: budget.New(budget.DefaultLimits, 0)}
	o := &pickle.Object{Class: &pickle.Global{Module: "a", Name: "B"}, State: pickle.Dict{Entries: entries}}
	return &Estimator{builder: b, object: o, class: "B", failure: &failure{}}
}

func TestVersionsAreThoseOfTheFile(t *testing.T) {
	for text, want := range map[any]int{"1.3.2": 103, "0.24.2": 24, "1.10.dev0": 110, "1": 0, "x.y": 0, "1.999.0": 0, nil: 0, 5: 0} {
		e := estimator(map[string]any{"_sklearn_version": text})
		if got := e.Version(); got != want {
			t.Errorf("%v is %d, want %d", text, got, want)
		}
	}
}

func TestAttributesThatDoNotFitAreNamed(t *testing.T) {
	e := map[string]any{
		"text": "x", "three": int64(3), "flag": true, "none": pickle.None{}, "fitted_": int64(1),
		"dict": &pickle.Dict{Entries: map[string]any{"a": int64(1)}}, "strings": &pickle.Array{},
	}
	for name, test := range map[string]struct {
		read func(e *Estimator) any
		want any // a value, or an error
		err  string
	}{
		"a fallback":             {func(e *Estimator) any { return e.Text("y", "none") }, "y", ""},
		"the older name":         {func(e *Estimator) any { return e.Text("y", "none", "text") }, "x", ""},
		"a text that is none":    {func(e *Estimator) any { return e.Text("y", "three") }, "", "B: three is an int, which is not supported"},
		"a bool as a number":     {func(e *Estimator) any { return e.Number("flag") }, 1.0, ""},
		"a number as a flag":     {func(e *Estimator) any { return e.Flag("three") }, true, ""},
		"a missing flag":         {func(e *Estimator) any { return e.Flag("none") }, false, ""},
		"a text as a flag":       {func(e *Estimator) any { return e.Flag("text") }, false, "B: text is a str, which is not supported"},
		"an integer":             {func(e *Estimator) any { return e.Int(3, "three") }, 3, ""},
		"an integer too large":   {func(e *Estimator) any { return e.Int(2, "three") }, 0, "B: three is out of range"},
		"a missing number":       {func(e *Estimator) any { return e.Number("none") }, 0.0, "B: none is missing"},
		"a missing array":        {func(e *Estimator) any { return e.Floats("none") }, []float64(nil), "B: none is no dense array"},
		"an array of no numbers": {func(e *Estimator) any { return e.Ints("strings") }, []int64(nil), "B: strings holds no numbers"},
		"a dict":                 {func(e *Estimator) any { return e.Dict("dict") }, map[string]any{"a": int64(1)}, ""},
		"a missing list":         {func(e *Estimator) any { return e.List("none") }, []any(nil), "B: it has no none"},
		"a part of a part":       {func(e *Estimator) any { return e.Part("none").Part("none").Class() }, "B", "B: it has no none"},
	} {
		x := estimator(e)
		if diff := cmp.Diff(test.want, test.read(x)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		got := ""
		if !x.Ok() {
			got = x.describe().Error()
		}
		if got != test.err {
			t.Errorf("%s: error %q, want %q", name, got, test.err)
		}
	}
}

func TestLabelsThatJSONHasNotAreRefused(t *testing.T) {
	b := estimator(nil).builder.Budget
	array := func(a *pickle.Array, err error) *pickle.Array {
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, test := range map[string]struct {
		classes *pickle.Array
		want    string
	}{
		"bytes":            {array(pickle.NewArray(b, "|S2", nil, []int64{2}, false, []byte("abcd"))), "B: its labels are of numpy's type S, which JSON has not"},
		"complex numbers":  {array(pickle.NewArray(b, "<c8", nil, []int64{1}, false, make([]byte, 8))), "B: its labels are of numpy's type c, which JSON has not"},
		"objects of bytes": {array(pickle.NewObjects(b, []any{pickle.Bytes("a")}, []int64{1})), "B: a class label is bytes, which is not supported"},
		"bools":            {array(pickle.NewArray(b, "|b1", nil, []int64{2}, false, []byte{0, 1})), ""},
		"large integers":   {array(pickle.NewArray(b, "<u8", nil, []int64{1}, false, []byte{255, 255, 255, 255, 255, 255, 255, 255})), ""},
	} {
		e := estimator(map[string]any{"classes_": test.classes})
		e.Labels()
		got := ""
		if !e.Ok() {
			got = e.describe().Error()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestMalformedSparseMatricesAreEmpty(t *testing.T) {
	b := estimator(nil).builder.Budget
	ints := func(values ...int64) *pickle.Array {
		var data []byte
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, uint64(v))
		}
		a, err := pickle.NewArray(b, "<i8", nil, []int64{int64(len(values))}, false, data)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, test := range map[string]struct {
		starts, indices []int64
		rows            int
	}{
		"two rows":                         {[]int64{0, 1, 2}, []int64{0, 2}, 2},
		"a row that ends before it begins": {[]int64{0, 2, 0}, []int64{0, 2}, 0},
		"a row beyond the values":          {[]int64{0, 1, 3}, []int64{0, 2}, 0},
		"a column that there is not":       {[]int64{0, 1, 2}, []int64{0, 3}, 0},
		"a row too few":                    {[]int64{0, 2}, []int64{0, 2}, 0},
	} {
		e := estimator(map[string]any{"x": &pickle.Object{Class: &pickle.Global{Module: "scipy.sparse._csr", Name: "csr_matrix"}, State: pickle.Dict{Entries: map[string]any{
			"data": ints(1, 1), "indices": ints(test.indices...), "indptr": ints(test.starts...), "_shape": pickle.Tuple{int64(2), int64(3)},
		}}}})
		if x := e.Rows("x"); x.Rows != test.rows || e.Ok() != (test.rows > 0) {
			t.Errorf("%s: %d rows, %v", name, x.Rows, e.failure.err)
		}
	}
}
