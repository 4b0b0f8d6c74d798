// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// metric is a distance. Searches compare reduced distances, which need no root.
type metric struct {
	name    string
	reduced func(x, y []float64) float64 // y has as many values
	// four returns reduced distances of a row to four others; nil if no faster.
	four func(x, a, b, c, d []float64) (float64, float64, float64, float64)
	// power is that of which a reduced distance has no root: 2 for the Euclidean
	// distance. It is 1 if reduced is the distance itself.
	power float64
	// order is Minkowski's p: infinite for the maximum. It is 0 for other metrics.
	order float64
}

// distance returns the distance of a reduced one.
func (m *metric) distance(reduced float64) float64 {
	switch m.power {
	case 1:
		return reduced
	case 2:
		return math.Sqrt(reduced)
	}
	return math.Pow(reduced, 1/m.power)
}

// reduce is the inverse of distance.
func (m *metric) reduce(distance float64) float64 {
	switch m.power {
	case 1:
		return distance
	case 2:
		return distance * distance
	}
	return math.Pow(distance, m.power)
}

// rows fills dst with the reduced distances of a row to those of a matrix.
func (m *metric) rows(dst, row []float64, of *vector.Matrix) {
	i := 0
	for ; m.four != nil && i+4 <= len(dst); i += 4 {
		dst[i], dst[i+1], dst[i+2], dst[i+3] = m.four(row, of.Row(i), of.Row(i+1), of.Row(i+2), of.Row(i+3))
	}
	for ; i < len(dst); i++ {
		dst[i] = m.reduced(row, of.Row(i))
	}
}

// newMetric reads the metric of an estimator that was fitted on rows of this width.
func newMetric(e *fitted.Estimator, width int) metric {
	name := e.Text("minkowski", "effective_metric_", "metric")
	params := e.Dict("effective_metric_params_")
	for key, v := range params {
		known := key == "p" || key == "V" && name == "seuclidean" || key == "VI" && name == "mahalanobis"
		if v != any(pickle.None{}) && !known {
			e.Failf("the parameter %s of metric %s is not supported", pickle.Quote(key), pickle.Quote(name))
		}
	}
	switch name {
	case "euclidean", "l2":
		return metric{name, vector.SquaredDistance, squaredOfFour, 2, 2}
	case "manhattan", "l1", "cityblock":
		return metric{name, cityblock, cityblockOfFour, 1, 1}
	case "chebyshev", "infinity":
		return metric{name, chebyshev, nil, 1, math.Inf(1)}
	case "minkowski", "p":
		return newMinkowski(e, name, params["p"])
	case "seuclidean":
		variance := e.FloatsOf(params["V"], "V")
		e.Require(len(variance) == width, "V does not fit the features")
		return metric{name, standardized(variance), nil, 2, 0}
	case "mahalanobis":
		inverse := e.MatrixOf(params["VI"], "VI")
		e.Require(inverse.Rows == width && inverse.Cols == width, "VI does not fit the features")
		return metric{name, mahalanobis(inverse), nil, 2, 0}
	case "nan_euclidean":
		return metric{name, gapped, nil, 2, 0}
	}
	if d, ok := plain[name]; ok {
		return metric{name, d, nil, 1, 0}
	}
	e.Failf("metric %s is not supported", pickle.Quote(name))
	return metric{}
}

// unchanged refuses a classifier without a tree whose metric was changed after it was
// fitted: from 1.3 on, scikit-learn may answer by either of them.
func (s *space) unchanged(e *fitted.Estimator) {
	name := e.Text("minkowski", "metric")
	if s.tree != nil || e.Version() < 103 {
		return
	}
	want, order := name, s.order
	if name == "minkowski" {
		order = e.Number("p")
		switch order {
		case 1:
			want = "manhattan"
		case 2:
			want = "euclidean"
		case math.Inf(1):
			want = "chebyshev"
		}
	}
	e.Require(want == s.name && order == s.order, "its metric was changed after it was fitted, which is not supported")
}

func newMinkowski(e *fitted.Estimator, name string, v any) metric {
	p := math.NaN()
	switch v := v.(type) {
	case float64:
		p = v
	case int64:
		p = float64(v)
	}
	e.Require(p >= 1 && !math.IsInf(p, 0), "p of its metric is no number from 1 on")
	return metric{name, func(x, y []float64) float64 {
		sum := 0.0
		for i, v := range x {
			sum += power(math.Abs(v-y[i]), p)
		}
		return sum
	}, nil, p, p}
}

// power rounds a small whole power once, as glibc does. Go's rounds more often.
func power(x, p float64) float64 {
	const most = 16
	if p != math.Trunc(p) || p > most {
		return math.Pow(x, p)
	}
	high, low := x, 0.0 // their sum is the power
	for range int(p) - 1 {
		next := high * x
		if next > math.MaxFloat64 {
			return next
		}
		low = low*x + math.FMA(high, x, -next)
		high = next
	}
	return high + low
}

// plain are the metrics without parameters and roots.
var plain = map[string]func(x, y []float64) float64{
	"sqeuclidean": vector.SquaredDistance,
	"canberra":    canberra,
	"braycurtis":  brayCurtis,
	"hamming":     hamming,
	"correlation": correlation,
	"cosine":      cosine,
}

func cityblock(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += math.Abs(v - y[i])
	}
	return sum
}

// cityblockOfFour sums as cityblock does.
func cityblockOfFour(x, a, b, c, d []float64) (sa, sb, sc, sd float64) {
	a, b, c, d = a[:len(x)], b[:len(x)], c[:len(x)], d[:len(x)]
	for i, v := range x {
		sa += math.Abs(v - a[i])
		sb += math.Abs(v - b[i])
		sc += math.Abs(v - c[i])
		sd += math.Abs(v - d[i])
	}
	return sa, sb, sc, sd
}

// squaredOfFour sums as vector.SquaredDistance does.
func squaredOfFour(x, a, b, c, d []float64) (sa, sb, sc, sd float64) {
	a, b, c, d = a[:len(x)], b[:len(x)], c[:len(x)], d[:len(x)]
	for i, v := range x {
		da, db, dc, dd := v-a[i], v-b[i], v-c[i], v-d[i]
		sa += da * da
		sb += db * db
		sc += dc * dc
		sd += dd * dd
	}
	return sa, sb, sc, sd
}

func chebyshev(x, y []float64) float64 {
	most := 0.0
	for i, v := range x {
		most = max(most, math.Abs(v-y[i]))
	}
	return most
}

func standardized(variance []float64) func(x, y []float64) float64 {
	return func(x, y []float64) float64 {
		sum := 0.0
		for i, v := range x {
			d := v - y[i]
			sum += d * d / variance[i]
		}
		return sum
	}
}

func mahalanobis(inverse vector.Matrix) func(x, y []float64) float64 {
	return func(x, y []float64) float64 {
		sum := 0.0
		for i, v := range x {
			part := 0.0
			for j, a := range inverse.Row(i) {
				part += a * (x[j] - y[j])
			}
			sum += part * (v - y[i])
		}
		return sum
	}
}

// gapped is the squared Euclidean distance of the features that both rows have, as if
// the others were as far apart.
func gapped(x, y []float64) float64 {
	sum, both := 0.0, 0
	for i, v := range x {
		if d := v - y[i]; d == d {
			sum += d * d
			both++
		}
	}
	return sum / float64(both) * float64(len(x))
}

func canberra(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		if of := math.Abs(v) + math.Abs(y[i]); of > 0 {
			sum += math.Abs(v-y[i]) / of
		}
	}
	return sum
}

// brayCurtis is scikit-learn's. SciPy takes |x+y| for |x|+|y|.
func brayCurtis(x, y []float64) float64 {
	sum, of := 0.0, 0.0
	for i, v := range x {
		sum += math.Abs(v - y[i])
		of += math.Abs(v) + math.Abs(y[i])
	}
	if of == 0 {
		return 0
	}
	return sum / of
}

func hamming(x, y []float64) float64 {
	n := 0
	for i, v := range x {
		if v != y[i] {
			n++
		}
	}
	return float64(n) / float64(len(x))
}

// summed is SciPy's Bray-Curtis distance, which scikit-learn takes where it does not
// search with a heap.
func summed(x, y []float64) float64 {
	sum, of := 0.0, 0.0
	for i, v := range x {
		sum += math.Abs(v - y[i])
		of += math.Abs(v + y[i])
	}
	return sum / of
}

// cosine is 1 - the cosine of the angle between rows.
func cosine(x, y []float64) float64 {
	far := []float64{-vector.Dot(x, y)}
	if length := vector.L2(y); length > 0 {
		far[0] /= length
	}
	turn(far, x)
	return far[0]
}

// correlation is 1 - the cosine of the angle between rows whose mean is 0.
func correlation(x, y []float64) float64 {
	n, meanX, meanY := float64(len(x)), 0.0, 0.0
	for i, v := range x {
		meanX += v / n
		meanY += y[i] / n
	}
	xx, xy, yy := 0.0, 0.0, 0.0
	for i, v := range x {
		a, b := v-meanX, y[i]-meanY
		xx, xy, yy = xx+a*a, xy+a*b, yy+b*b
	}
	return 1 - xy/math.Sqrt(xx*yy)
}
