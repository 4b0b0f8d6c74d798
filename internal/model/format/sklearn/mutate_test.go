// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"encoding/binary"
	"flag"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/corpus"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// limits are enough for the models of the corpus.
var limits = budget.Limits{Memory: 16 << 20}

// attributes are those of all objects of a file, so that they can be changed.
type attributes struct {
	objects []*pickle.Object
	names   [][]string // of each, sorted
}

func (a *attributes) find(v any) {
	switch v := v.(type) {
	case *pickle.Object:
		if slices.Contains(a.objects, v) {
			return
		}
		a.objects = append(a.objects, v)
		names := slices.Sorted(maps.Keys(v.State.Entries))
		a.names = append(a.names, names)
		for _, name := range names {
			a.find(v.State.Entries[name])
		}
		a.all(v.Args)
	case *pickle.List:
		a.all(v.Items)
	case pickle.Tuple:
		a.all(v)
	case *pickle.Array:
		a.all(v.Objects)
	}
}

func (a *attributes) all(values []any) {
	for _, v := range values {
		a.find(v)
	}
}

// pick returns the attributes of an object, and the name of one.
func (a *attributes) pick(c *hostile.Choices) (map[string]any, string) {
	i := c.Below(len(a.objects))
	if len(a.names[i]) == 0 {
		return map[string]any{}, ""
	}
	return a.objects[i].State.Entries, hostile.Pick(c, a.names[i])
}

// change changes one attribute.
func (a *attributes) change(c *hostile.Choices) {
	entries, name := a.pick(c)
	switch c.Byte() % 6 {
	case 0:
		delete(entries, name)
	case 1:
		entries[name] = hostile.Pick(c, []any{
			pickle.None{},
			true, "", "auto", math.NaN(), math.Inf(1), -1.0, 0.5, int64(0), int64(1), int64(-1), int64(math.MaxInt32),
			int64(math.MaxInt64), &pickle.List{},
			pickle.Tuple{int64(1), int64(1 << 40)},
			&pickle.Object{Class: &pickle.Global{}}, &pickle.Array{},
		})
	case 2: // another one's
		others, other := a.pick(c)
		if v, ok := others[other]; ok {
			entries[name] = v
		}
	default:
		reshape(c, entries[name])
	}
}

// reshape gives an array another shape of as many elements, or a list another length.
func reshape(c *hostile.Choices, v any) {
	switch v := v.(type) {
	case *pickle.Array:
		n, err := v.Count()
		if err != nil {
			return
		}
		shapes := [][]int{{n}, {1, n}, {n, 1}, {n, 1, 1}}
		if len(v.Shape) > 1 {
			turned := slices.Clone(v.Shape)
			slices.Reverse(turned)
			shapes = append(shapes, turned)
		}
		if n%2 == 0 {
			shapes = append(shapes, []int{2, n / 2}, []int{n / 2, 2})
		}
		v.Shape = hostile.Pick(c, shapes)
	case *pickle.List:
		at := c.Below(len(v.Items))
		v.Items = append(slices.Clone(v.Items[:at]), v.Items[min(len(v.Items), at+c.Below(3)):]...)
		if len(v.Items) > 0 {
			v.Items = append(v.Items, hostile.Pick(c, v.Items))
		}
	}
}

// tryAttributes changes a model's attributes, and the bytes of its arrays.
func tryAttributes(t *testing.T, models []corpus.Case, decisions []byte) bool {
	t.Helper()
	c := hostile.NewChoices(decisions)
	model := models[c.Below(len(models))]
	data := model.Data
	if c.Byte()%2 == 0 {
		data = slices.Clone(data)
		for range 1 + c.Byte()%3 {
			at := c.Below(256) * len(data) / 256
			n := hostile.Pick(c, []int64{0, 1, 2, -1, 100, 1 << 20, math.MaxInt32, math.MinInt64, 0x7ff8 << 48})
			copy(data[min(at+c.Below(256), len(data)-1):], binary.LittleEndian.AppendUint64(nil, uint64(n))[:4+4*(c.Byte()%2)])
		}
	}
	value, left, err := pickle.Read(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		return false
	}
	a := &attributes{}
	a.find(value)
	for range c.Byte() % 4 {
		if len(a.objects) > 0 {
			a.change(c)
		}
	}
	m, err := fitted.Build(value, left, classes)
	if err != nil {
		return false
	}
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s of %s: %v", model.Path(), model.Version, r)
		}
	}()
	_ = modeltest.Survives(t, m)
	return true
}

// mutable are models to change, one version of each.
func mutable(tb testing.TB, kinds ...string) []corpus.Case {
	tb.Helper()
	var models []corpus.Case
	for _, kind := range kinds {
		for _, c := range corpus.Cases(tb, kind) {
			if c.Version == "1.9.1" && len(c.Data) < 1<<14 && slices.Contains(Suffixes, path.Ext(c.File)) && !strings.Contains(c.Name, "names") {
				models = append(models, c)
			}
		}
	}
	return models
}

// FuzzAttributes changes what good files say about their estimators: which attributes
// there are, and their types, shapes and elements.
func FuzzAttributes(f *testing.F) {
	if flag.Lookup("test.fuzz").Value.String() == "" {
		f.Skip("TestChangedAttributesNeverPanic tries a second of it: reading all models takes seconds")
	}
	models := mutable(f, corpus.Kinds[:10]...)
	f.Fuzz(func(t *testing.T, decisions []byte) { tryAttributes(t, models, decisions) })
}

func TestChangedAttributesNeverPanic(t *testing.T) {
	for _, kind := range []string{"bayes", "cluster", "columns", "linear", "meta", "mlp", "neighbours", "text", "trees", "xgboost", "lightgbm"} {
		t.Run(kind, func(t *testing.T) {
			models := mutable(t, kind)
			hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool { t.Helper(); return tryAttributes(t, models, decisions) })
		})
	}
}
