// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// place is somewhere in the value of a file, where something else can be put.
type place struct {
	value  any
	set    func(any)
	remove func() // nil where nothing can be left out
}

// Mutant is the value of a file, to be changed as a stranger would.
type Mutant struct {
	Root       any
	containers [][]place // of each object, list, dict, set, tuple and array of objects
	Objects    []*pickle.Object
	inside     []any    // all values
	classes    []string // public names to take for others
	seen       map[any]bool
}

// NewMutant finds all that can be changed of a value. Its estimators may become those
// of other classes.
func NewMutant(value any, classes []string) *Mutant {
	m := &Mutant{Root: value, classes: classes, seen: map[any]bool{}}
	m.containers = append(m.containers, []place{{value: value, set: func(v any) { m.Root = v }}})
	m.find(value, 0)
	return m
}

func (m *Mutant) find(v any, depth int) {
	const deepest = 50
	m.inside = append(m.inside, v)
	if _, ok := v.(pickle.Tuple); !ok && pointer(v) {
		if m.seen[v] {
			return
		}
		m.seen[v] = true
	}
	if depth == deepest {
		return
	}
	for _, inside := range m.places(v) {
		if len(inside) > 0 {
			m.containers = append(m.containers, inside)
		}
		for _, p := range inside {
			m.find(p.value, depth+1)
		}
	}
}

func pointer(v any) bool {
	switch v.(type) {
	case *pickle.Object, *pickle.List, *pickle.Dict, *pickle.Set, *pickle.Array:
		return true
	}
	return false
}

// places returns those of a container, by the parts that it has.
func (m *Mutant) places(v any) [][]place {
	switch v := v.(type) {
	case *pickle.Object:
		m.Objects = append(m.Objects, v)
		return [][]place{entries(v.State.Entries), entries(v.Items.Entries), items(&v.List.Items), tuple(v.Args)}
	case *pickle.List:
		return [][]place{items(&v.Items)}
	case *pickle.Set:
		return [][]place{items(&v.Items)}
	case *pickle.Dict:
		return [][]place{entries(v.Entries)}
	case *pickle.Array:
		return [][]place{tuple(v.Objects)}
	case pickle.Tuple:
		return [][]place{tuple(v)}
	}
	return nil
}

func entries(of map[string]any) []place {
	var all []place
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, place{of[name], func(v any) { of[name] = v }, func() { delete(of, name) }})
	}
	return all
}

func items(of *[]any) []place {
	all := tuple(*of)
	for i := range all {
		all[i].remove = func() { *of = slices.Delete(slices.Clone(*of), min(i, len(*of)), min(i+1, len(*of))) }
	}
	return all
}

func tuple(of []any) []place {
	all := make([]place, len(of))
	for i, v := range of {
		all[i] = place{value: v, set: func(v any) { of[i] = v }}
	}
	return all
}

// scalars are values that a constructor may not expect.
var scalars = []any{
	pickle.None{},
	pickle.BigInt{},
	pickle.Bytes("\xff\x00"), true, false, "", "auto", "constant", "passthrough", "drop", "\xff", "x\x00y", strings.Repeat("(a*)*", 40), `(?:a|b){900}`,
	math.NaN(), math.Inf(1), math.Inf(-1), -1.0, 0.5, 1e300, 5e-324, int64(0), int64(1), int64(2), int64(7), int64(-1), int64(1 << 20), int64(1 << 30),
	int64(math.MaxInt32), int64(math.MinInt32), int64(math.MaxInt64), int64(math.MinInt64), uint64(math.MaxUint64),
	pickle.Tuple{},
	pickle.Tuple{int64(1), int64(1 << 40)},
	pickle.Tuple{"a", pickle.None{}},
}

// versions are those whose semantics differ.
var versions = []any{"0.19.1", "0.24.2", "1.0.2", "1.2.2", "1.3.2", "1.4.2", "1.5.2", "1.7.2", "1.9.1", "99.0", "-1.5", "1", ""}

// containerOf makes an empty container, each time a new one.
func containerOf(c *hostile.Choices) any {
	switch c.Byte() % 6 {
	case 0:
		return &pickle.List{}
	case 1:
		return &pickle.Dict{}
	case 2:
		return &pickle.Set{}
	case 3:
		return &pickle.Array{}
	case 4:
		return &pickle.Object{Class: &pickle.Global{}}
	}
	return &pickle.Global{Module: "os", Name: "system"}
}

// Change changes one thing. Others are values of other files, to take parts of.
func (m *Mutant) Change(c *hostile.Choices, others ...*Mutant) {
	at := hostile.Pick(c, hostile.Pick(c, m.containers))
	switch c.Byte() % 12 {
	case 0, 1:
		at.set(hostile.Pick(c, scalars))
	case 2:
		if at.remove != nil {
			at.remove()
		}
	case 3: // something else of the file: also a container that it lies in
		at.set(hostile.Pick(c, m.inside))
	case 4:
		at.set(containerOf(c))
	case 5: // of another file
		if len(others) > 0 {
			at.set(hostile.Pick(c, hostile.Pick(c, others).inside))
		}
	case 6:
		m.class(c)
	case 7: // an object of the file in place of another one
		if len(m.Objects) > 0 {
			at.set(hostile.Pick(c, m.Objects))
		}
	default:
		m.part(c, at)
	}
}

// class gives an object another class, or another version.
func (m *Mutant) class(c *hostile.Choices) {
	if len(m.Objects) == 0 {
		return
	}
	o := hostile.Pick(c, m.Objects)
	if _, ok := o.State.Entries["_sklearn_version"]; ok && c.Byte()%2 == 0 {
		o.State.Entries["_sklearn_version"] = hostile.Pick(c, versions)
		return
	}
	if name := hostile.Pick(c, m.classes); name != "" {
		dot := strings.LastIndexByte(name, '.')
		o.Class = &pickle.Global{Module: name[:dot], Name: name[dot+1:]}
	}
}

// part changes an array, a list or a text that is there, and else another one.
func (m *Mutant) part(c *hostile.Choices, at place) {
	if _, ok := at.value.(*pickle.Array); !ok {
		if arrays := m.arrays(); len(arrays) > 0 && c.Byte()%4 > 0 {
			change(c, hostile.Pick(c, arrays))
			return
		}
	}
	switch v := at.value.(type) {
	case *pickle.Array:
		change(c, v)
	case *pickle.List:
		lengthen(c, &v.Items)
	case *pickle.Set:
		lengthen(c, &v.Items)
	case pickle.Tuple:
		longer := slices.Clone([]any(v))
		lengthen(c, &longer)
		at.set(pickle.Tuple(longer))
	case *pickle.Dict:
		if names := slices.Sorted(maps.Keys(v.Entries)); len(names) > 0 {
			v.Entries[hostile.Pick(c, []string{"", "a", "\xff", names[0] + names[0]})] = v.Entries[hostile.Pick(c, names)]
		}
	case pickle.Bytes: // a booster
		at.set(pickle.Bytes(hostile.Damaged(c, v, len(v) > 0 && v[0] == '{' && c.Byte()%2 == 0)))
	case string:
		if strings.Contains(v, "\n") {
			at.set(string(hostile.Damaged(c, []byte(v), true)))
		} else if len(v) > 0 {
			from := c.Below(len(v))
			at.set(v[:from] + hostile.Pick(c, []string{"", "(", "{9}", "\xff", v}) + v[from:])
		}
	case int64:
		at.set(v + int64(int8(c.Byte())))
	case float64:
		at.set(-v * float64(c.Byte()))
	}
}

// lengthen repeats an item, or leaves out some.
func lengthen(c *hostile.Choices, of *[]any) {
	if len(*of) == 0 {
		return
	}
	from := c.Below(len(*of))
	switch again := (*of)[from]; c.Byte() % 3 {
	case 0:
		*of = slices.Insert(slices.Clone(*of), from, again)
	case 1:
		*of = slices.Clone((*of)[:from])
	default:
		*of = append(slices.Clone(*of), slices.Repeat([]any{again}, 1+c.Below(300))...)
	}
}

func (m *Mutant) arrays() []*pickle.Array {
	var all []*pickle.Array
	for _, v := range m.inside {
		if a, ok := v.(*pickle.Array); ok {
			all = append(all, a)
		}
	}
	return all
}
