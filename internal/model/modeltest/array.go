// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/hostile"
	"github.com/serin-dev/serin/internal/testkit/opcodes"
)

// fields are those of the nodes of trees, by scikit-learn's names.
var fields = []string{
	"left_child", "right_child", "feature", "threshold", "impurity", "n_node_samples", "missing_go_to_left",
	"value", "count", "feature_idx", "num_threshold", "left", "right", "gain", "depth", "is_leaf", "bin_threshold", "is_categorical", "bitset_idx",
	"idx_start", "idx_end", "radius",
}

var (
	codes   = []string{"f8", "f8", "f8", "i8", "i8", "f4", "f2", "i4", "i1", "u1", "u8", "b1", ">f8", ">i4"}
	numbers = []pickle.Number{
		{},
		{Float: 1, Int: 1},
		{Float: -1, Int: -1},
		{Float: -2, Int: -2},
		{Float: 2, Int: 2},
		{Float: 3, Int: 3},
		{Float: 0.5},
		{Float: 255, Int: 255},
		{Float: 256, Int: 256},
		{Float: 65536, Int: 65536},
		{Float: math.NaN(), Int: math.MinInt64},
		{Float: math.Inf(1), Int: math.MaxInt64},
		{Float: math.Inf(-1), Int: math.MinInt32},
		{Float: 1e300, Int: math.MaxInt32},
		{Float: -1e300, Int: 1 << 40},
		{Float: 5e-324, Int: 1 << 30},
		{Float: math.Copysign(0, -1)},
		{Float: 1e39, Int: -1 << 40},
	}
)

// change gives an array other elements, another type, or another shape. Of trees these
// are children, features, thresholds, counts: the same number again makes cycles and
// nodes with two parents.
func change(c *hostile.Choices, a *pickle.Array) {
	n, err := a.Count()
	if err != nil || n == 0 || n > 1<<16 {
		return
	}
	kind := c.Byte() % 8
	switch {
	case kind == 0 && c.Byte()%4 == 0: // without elements, an array may say anything
		const most = 1 << 28
		put(a, hostile.Pick(c, [][]int{{0}, {0, n}, {n, 0}, {most, 0}, {0, most}, {most, 0, 1}, {1, 0, most}}), opcodes.Dtype(hostile.Pick(c, codes)), nil)
	case kind < 2:
		reshape(c, a, n)
	case a.Has("left_child") || a.Has("left") || a.Has("radius"):
		structure(c, a, n)
	case a.Numeric() && (kind < 7 || len(a.Shape) != 1):
		b := budget.New(budget.DefaultLimits, 0)
		floats, err1 := a.Floats(b)
		ints, err2 := a.Ints(b)
		if err1 != nil || err2 != nil {
			return
		}
		all := make([]pickle.Number, n)
		for i := range all {
			all[i] = pickle.Number{Float: floats[i], Int: ints[i]}
		}
		code := string(a.Kind()) + fmt.Sprint(a.Size())
		if c.Byte()%4 == 0 {
			code = hostile.Pick(c, codes)
		}
		shape := a.Shape
		all = disturb(c, all)
		if len(all) != n {
			shape = []int{len(all)}
		}
		put(a, shape, opcodes.Dtype(code), encode(code, all))
	default: // Python's objects, or another length
		objects := make([]any, n)
		if values, err := a.Values(budget.New(budget.DefaultLimits, 0)); err == nil {
			copy(objects, values)
		}
		for range 1 + c.Byte()%3 {
			objects[c.Below(n)] = hostile.Pick(c, scalars)
		}
		object(a, objects)
	}
}

// disturb changes some numbers: by extremes, by others of the same, or all at once.
func disturb(c *hostile.Choices, all []pickle.Number) []pickle.Number {
	for range 1 + c.Byte()%4 {
		at := c.Below(len(all))
		switch c.Byte() % 6 {
		case 0:
			all[at] = all[c.Below(len(all))]
		case 1:
			all[at].Int++
			all[at].Float = math.Nextafter(all[at].Float, math.Inf(1))
		case 2:
			all[at].Int--
			all[at].Float = -all[at].Float
		case 3:
			with := hostile.Pick(c, numbers)
			for i := at; i < len(all); i++ {
				all[i] = with
			}
		case 4:
			if c.Byte()%4 == 0 {
				return append(all[:at:at], slices.Repeat(all[at:at+1], c.Below(40))...)
			}
			fallthrough
		default:
			all[at] = hostile.Pick(c, numbers)
		}
	}
	if len(all) == 0 {
		return []pickle.Number{{}}
	}
	return all
}

// structure changes fields of structures.
func structure(c *hostile.Choices, a *pickle.Array, n int) {
	type column struct {
		name, code string
		all        []pickle.Number
	}
	var columns []column
	for _, name := range fields {
		one := column{name, "i8", make([]pickle.Number, n)}
		if found, err := a.Field(budget.New(budget.DefaultLimits, 0), name, func(i int, v pickle.Number) { one.all[i] = v }); err != nil || !found {
			continue
		}
		if slices.Contains([]string{"threshold", "num_threshold", "value", "impurity", "gain", "radius"}, name) {
			one.code = "f8"
		}
		columns = append(columns, one)
	}
	for range 1 + c.Byte()%3 {
		one := hostile.Pick(c, columns)
		if changed := disturb(c, slices.Clone(one.all)); len(changed) == n {
			copy(one.all, changed)
		}
	}
	if c.Byte()%16 == 0 && len(columns) > 1 { // one is missing
		columns = slices.Delete(columns, 1, 2)
	}
	size := 8 * len(columns)
	data := make([]byte, size*n)
	var kind strings.Builder
	kind.WriteString(opcodes.Dtype(fmt.Sprint("V", size)) + "(K\x03" + opcodes.Text("|") + "NN}(")
	for k, one := range columns {
		encoded := encode(one.code, one.all)
		for i := range n {
			copy(data[i*size+8*k:], encoded[8*i:8*i+8])
		}
		kind.WriteString(opcodes.Text(one.name) + "(" + opcodes.Dtype(one.code) + opcodes.Int(8*k) + "t")
	}
	put(a, a.Shape, kind.String()+"u"+opcodes.Int(size)+"J\xff\xff\xff\xffK\x00tb", data)
}

// reshape gives an array another shape of as many elements.
func reshape(c *hostile.Choices, a *pickle.Array, n int) {
	turned := slices.Clone(a.Shape)
	slices.Reverse(turned)
	shapes := [][]int{{n}, {1, n}, {n, 1}, {n, 1, 1}, {1, 1, n}, turned, {}}
	if n%2 == 0 {
		shapes = append(shapes, []int{2, n / 2}, []int{n / 2, 2}, []int{n / 2, 2, 1})
	}
	shape := hostile.Pick(c, shapes)
	if len(shape) == 0 && n != 1 {
		shape = []int{n}
	}
	a.Shape = shape
}

func encode(code string, all []pickle.Number) []byte {
	var out []byte
	for _, v := range all {
		switch code {
		case "f8":
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v.Float))
		case ">f8":
			out = binary.BigEndian.AppendUint64(out, math.Float64bits(v.Float))
		case "f4":
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v.Float)))
		case "i8", "u8":
			out = binary.LittleEndian.AppendUint64(out, uint64(v.Int))
		case "i4", "u4":
			out = binary.LittleEndian.AppendUint32(out, uint32(v.Int))
		case ">i4":
			out = binary.BigEndian.AppendUint32(out, uint32(v.Int))
		case "i2", "u2", "f2":
			out = binary.LittleEndian.AppendUint16(out, uint16(v.Int))
		default:
			out = append(out, byte(v.Int))
		}
	}
	return out
}

// put makes an array of what a pickle makes of its type.
func put(a *pickle.Array, shape []int, kind string, data []byte) {
	build(a, shape, kind, opcodes.Bytes(string(data)))
}

// object makes an array of Python's objects.
func object(a *pickle.Array, objects []any) {
	shape := a.Shape
	build(a, []int{1}, opcodes.Dtype("O"), "(Nl")
	a.Shape, a.Objects = shape, objects
}

func build(a *pickle.Array, shape []int, kind, elements string) {
	file := opcodes.Array(kind, elements, shape...) + "."
	v, _, err := pickle.Read(bytes.NewReader([]byte(file)), int64(len(file)), budget.DefaultLimits)
	made, ok := v.(*pickle.Array)
	if err != nil || !ok {
		panic(fmt.Sprintf("an array of %v: %v", shape, err))
	}
	*a = *made
}
