// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/pickle"
)

// Function reports whether a name is one of numpy's, and returns its function of one
// number, or nil if that is not supported. A file only names them.
func Function(g *pickle.Global) (numpy bool, call func(float64) float64) {
	if g.Module != "numpy" && !strings.HasPrefix(g.Module, "numpy.") {
		return false, nil
	}
	return true, functions[g.Name]
}

var functions = map[string]func(float64) float64{
	"abs": math.Abs, "absolute": math.Abs, "fabs": math.Abs,
	"sqrt": math.Sqrt, "cbrt": math.Cbrt,
	"square": func(x float64) float64 { return x * x },
	"exp":    math.Exp, "exp2": math.Exp2, "expm1": math.Expm1,
	"log": math.Log, "log2": math.Log2, "log10": math.Log10, "log1p": math.Log1p,
	"sin": math.Sin, "cos": math.Cos, "tan": math.Tan,
	"arcsin": math.Asin, "arccos": math.Acos, "arctan": math.Atan,
	"sinh": math.Sinh, "cosh": math.Cosh, "tanh": math.Tanh,
	"arcsinh": math.Asinh, "arccosh": math.Acosh, "arctanh": math.Atanh,
	"floor": math.Floor, "ceil": math.Ceil, "trunc": math.Trunc, "rint": math.RoundToEven,
	"negative":   func(x float64) float64 { return -x },
	"positive":   func(x float64) float64 { return x },
	"reciprocal": func(x float64) float64 { return 1 / x },
	"sign":       sign,
	"deg2rad":    func(x float64) float64 { return x * (math.Pi / 180) },
	"radians":    func(x float64) float64 { return x * (math.Pi / 180) },
	"rad2deg":    func(x float64) float64 { return x * (180 / math.Pi) },
	"degrees":    func(x float64) float64 { return x * (180 / math.Pi) },
	"nan_to_num": finite,
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 and NaN; numpy's sign of -0 is 0, which is the same number
}

func finite(x float64) float64 {
	if x != x {
		return 0
	}
	return min(max(x, -math.MaxFloat64), math.MaxFloat64)
}
