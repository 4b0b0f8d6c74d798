// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"flag"
	"maps"
	"math"
	"path"
	"slices"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/corpus"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// limits are enough for the models of the corpus.
var limits = budget.Limits{Memory: 16 << 20}

// damaged changes a few bytes of a file: mostly of its arrays, which are most of it.
func damaged(c *hostile.Choices, data []byte) []byte {
	data = slices.Clone(data)
	for range 1 + c.Byte()%3 {
		at := c.Below(256) * len(data) / 256
		n := hostile.Pick(c, []int64{0, 1, 2, -1, 100, 1 << 20, math.MaxInt32, math.MinInt64, 0x7ff8 << 48})
		copy(data[min(at+c.Below(256), len(data)-1):], binary.LittleEndian.AppendUint64(nil, uint64(n))[:4+4*(c.Byte()%2)])
	}
	return data
}

// tryMutant loads a model whose file says something else.
func tryMutant(t *testing.T, models []corpus.Case, names []string, decisions []byte) bool {
	t.Helper()
	c := hostile.NewChoices(decisions)
	model := models[c.Below(len(models))]
	defer func() {
		if r := recover(); r != nil {
			t.Logf("%s of %s (%s), decisions %q", model.Path(), model.Version, model.Class, decisions)
			panic(r)
		}
	}()
	data := model.Data
	if c.Byte()%4 == 0 {
		data = damaged(c, data)
	}
	value, left, err := pickle.Read(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		return false
	}
	mutant := modeltest.NewMutant(value, names)
	var others []*modeltest.Mutant
	if c.Byte()%4 == 0 {
		data := models[c.Below(len(models))].Data
		if other, _, err := pickle.Read(bytes.NewReader(data), int64(len(data)), limits); err == nil {
			others = append(others, modeltest.NewMutant(other, names))
		}
	}
	for range 1 + c.Byte()%4 {
		mutant.Change(c, others...)
	}
	var m frame.Model
	hostile.Frugal(t, 256<<20, func() {
		if m, err = fitted.Build(mutant.Root, left, classes); err == nil {
			_ = modeltest.Survives(t, m)
		}
	})
	return err == nil
}

// mutable are models to change: of each class the smallest file of each version, and all
// small ones of the newest version.
func mutable(tb testing.TB, kinds ...string) []corpus.Case {
	tb.Helper()
	type key struct{ class, version, library, name string }
	models := map[key]corpus.Case{}
	for _, kind := range kinds {
		for _, c := range corpus.Cases(tb, kind) {
			k := key{c.Class, c.Version, c.Library, ""}
			if c.Version == "1.9.1" && len(c.Data) < 1<<15 {
				k.name = c.Name
			}
			if was, ok := models[k]; slices.Contains(Suffixes, path.Ext(c.File)) && (!ok || len(c.Data) < len(was.Data)) {
				models[k] = c
			}
		}
	}
	return slices.SortedFunc(maps.Values(models), func(a, b corpus.Case) int {
		return cmp.Or(cmp.Compare(a.Path(), b.Path()), corpus.Compare(a.Version, b.Version))
	})
}

// kinds are those whose files are pickles.
var kinds = slices.DeleteFunc(slices.Clone(corpus.Kinds), func(kind string) bool { return kind == "skops" })

// FuzzAttributes changes what good files say about their estimators: which attributes
// there are, and their types, shapes and elements, and what lies in what.
func FuzzAttributes(f *testing.F) {
	if flag.Lookup("test.fuzz").Value.String() == "" {
		f.Skip("TestChangedAttributesNeverPanic tries a second of it: reading all models takes seconds")
	}
	models, names := mutable(f, kinds...), slices.Sorted(maps.Keys(classes))
	f.Fuzz(func(t *testing.T, decisions []byte) { tryMutant(t, models, names, decisions) })
}

func TestChangedAttributesNeverPanic(t *testing.T) {
	names := slices.Sorted(maps.Keys(classes))
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			models := mutable(t, kind)
			hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool { t.Helper(); return tryMutant(t, models, names, decisions) })
		})
	}
}

// Each class that is supported lies in one of the files that are changed.
func TestEveryClassIsChanged(t *testing.T) {
	if testing.Short() {
		t.Skip("reading all models takes seconds")
	}
	missing := maps.Clone(classes)
	delete(missing, "sklearn.model_selection.HalvingRandomSearchCV") // of which the corpus has none
	for _, c := range mutable(t, kinds...) {
		value, left, err := pickle.Read(bytes.NewReader(c.Data), int64(len(c.Data)), limits)
		if err != nil {
			continue
		}
		objects := modeltest.NewMutant(value, nil).Objects
		if _, err := fitted.Build(value, left, classes); err != nil {
			continue
		}
		for _, o := range objects {
			delete(missing, o.Class.Public())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("no file with a %s is changed", name)
	}
}
