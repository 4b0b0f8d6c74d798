// SPDX-License-Identifier: Apache-2.0

package skops

import (
	"encoding/binary"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
)

var errNpy = errors.New("an array of the file is malformed")

// The header of an array is a dict of Python: descr, fortran_order and shape.
var (
	header  = regexp.MustCompile(`^\{'descr': (.+), 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \}\s*$`)
	simple  = regexp.MustCompile(`^'([^']*)'$`)
	several = regexp.MustCompile(`^\[(\('[^']*', '[^']*'\)(, )?)+\]$`)
	field   = regexp.MustCompile(`\('([^']*)', '([^']*)'\)`)
)

// array reads numpy's format .npy, in its versions 1 to 3.
// See https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
func array(b *budget.Budget, data []byte) (*pickle.Array, error) {
	const magic, longest = "\x93NUMPY", 1 << 14
	if len(data) < 12 || string(data[:len(magic)]) != magic {
		return nil, errNpy
	}
	from, size := 10, int64(binary.LittleEndian.Uint16(data[8:]))
	if data[6] > 1 {
		from, size = 12, int64(binary.LittleEndian.Uint32(data[8:]))
	}
	if size > longest || size > int64(len(data)-from) {
		return nil, errNpy
	}
	to := from + int(size)
	parts := header.FindSubmatch(data[from:to])
	if parts == nil {
		return nil, errNpy
	}
	var shape []int64
	for dim := range strings.SplitSeq(string(parts[3]), ",") {
		if dim = strings.TrimSpace(dim); dim == "" {
			continue
		}
		n, err := strconv.ParseInt(dim, 10, 64)
		if err != nil {
			return nil, errNpy
		}
		shape = append(shape, n)
	}
	kind, fields := "", []pickle.Field(nil)
	if m := simple.FindSubmatch(parts[1]); m != nil {
		kind = string(m[1])
	} else if several.Match(parts[1]) {
		for _, m := range field.FindAllSubmatch(parts[1], -1) {
			fields = append(fields, pickle.Field{Name: string(m[1]), Type: string(m[2])})
		}
	} else {
		return nil, errNpy
	}
	return pickle.NewArray(b, kind, fields, shape, string(parts[2]) == "True", data[to:])
}
