// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// power is PowerTransformer: the transforms of Box and Cox (1964), and of Yeo and
// Johnson (2000).
type power struct {
	input   graph.Input
	lambdas []float64
	boxCox  bool
	after   graph.Transformer // nil without standardize
}

func newPower(e *fitted.Estimator) graph.Node {
	p := &power{lambdas: e.Floats("lambdas_")}
	switch method := e.Text("yeo-johnson", "method"); method {
	case "yeo-johnson":
	case "box-cox":
		p.boxCox = true
	default:
		e.Failf("method %s is not supported", pickle.Quote(method))
	}
	p.input = e.Input(len(p.lambdas))
	p.input.AllowNaN = true
	if e.Flag("standardize") {
		p.after = e.AsTransformer(e.Node(e.Get("_scaler")))
		e.Require(p.after.Input().Width == len(p.lambdas), "its scaler does not fit the features")
		e.Require(!rounds(p.after), "a feature is nearly constant after its power, so rounding alone makes the values, which is not supported")
	}
	for _, v := range p.lambdas {
		e.Require(v == v && e.Work(1), "a power is no number")
	}
	return p
}

// rounds reports whether a scaler makes the rounding of a feature large: scikit-learn
// 1.2 finds a power such as 50 for a constant feature.
func rounds(t graph.Transformer) bool {
	const most = 1 << 30 // times the deviation
	s, ok := t.(*scaler)
	if !ok || len(s.sub) != len(s.div) {
		return false
	}
	for j, mean := range s.sub {
		if math.Abs(mean) > most*s.div[j] {
			return true
		}
	}
	return false
}

func (p *power) Input() *graph.Input { return &p.input }

func (p *power) Width() int { return p.input.Width }

func (p *power) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, x.Cols)
	for i := range x.Rows {
		row := out.Row(i)
		copy(row, x.Row(i))
		for j, lambda := range p.lambdas {
			switch {
			case !p.boxCox:
				row[j] = yeoJohnson(row[j], lambda)
			case row[j] <= 0:
				return x, frame.InputError("The Box-Cox transformation can only be applied to strictly positive data")
			default:
				row[j] = boxCox(row[j], lambda)
			}
		}
		const steps = 50 // of a power
		if err := w.Steps(steps * len(row)); err != nil {
			return x, err
		}
	}
	if p.after == nil {
		return out, nil
	}
	return graph.Transform(w, p.after, out)
}

func boxCox(x, lambda float64) float64 {
	if lambda == 0 {
		return math.Log(x)
	}
	return math.Expm1(lambda*math.Log(x)) / lambda
}

func yeoJohnson(x, lambda float64) float64 {
	sign := 1.0
	if x < 0 { // the mirror image, with the power 2 - lambda
		x, lambda, sign = -x, 2-lambda, -1
	}
	if math.Abs(lambda) < epsilon {
		return sign * math.Log1p(x)
	}
	return sign * math.Expm1(lambda*math.Log1p(x)) / lambda
}
