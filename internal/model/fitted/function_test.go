// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"math"
	"testing"

	"github.com/serin-dev/serin/internal/model/pickle"
)

func TestFunctionsAreThoseOfNumpy(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		module, name string
		x, want      float64
	}{
		{"numpy", "floor", -1.5, -2},
		{"numpy", "ceil", -1.5, -1},
		{"numpy", "rint", 2.5, 2},
		{"numpy", "sign", -3, -1},
		{"numpy", "sign", math.NaN(), math.NaN()},
		{"numpy", "deg2rad", 180, math.Pi},
		{"numpy", "nan_to_num", math.NaN(), 0},
		{"numpy", "nan_to_num", -inf, -math.MaxFloat64},
		{"numpy", "nan_to_num", inf, math.MaxFloat64},
		{"numpy", "nan_to_num", 2.5, 2.5},
		{"numpy.core._multiarray_umath", "negative", 1, -1},
	} {
		numpy, call := Function(&pickle.Global{Module: test.module, Name: test.name})
		if !numpy || call == nil {
			t.Errorf("%s.%s is not supported", test.module, test.name)
		} else if got := call(test.x); got != test.want && (got == got || test.want == test.want) {
			t.Errorf("%s(%v) is %v, want %v", test.name, test.x, got, test.want)
		}
	}
	if numpy, call := Function(&pickle.Global{Module: "numpyish", Name: "exp"}); numpy || call != nil {
		t.Error("another module's function is taken for numpy's")
	}
}
