// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// looseness is how far distances may be from scikit-learn's, whose last digits, and
// choice among equal ones, then depend on the processor. An answer that depends on them
// is refused.
type looseness struct {
	on    bool
	least float64             // of what a reduced distance may be off
	alike func(a, b int) bool // reports whether two points answer the same; nil for never
	// weighted reports whether points are weighted by 1 / distance.
	weighted bool
	// here is the reduced distance that may be 0 but for rounding, if near points have
	// all weight.
	here float64
}

// loosen finds out whether distances are loose. From numpy 1.25 on, its partition
// depends on the processor.
func (s *space) loosen(e *fitted.Estimator, dense bool) {
	asks := e.Get("n_neighbors") != nil
	angle := s.name == "cosine" || s.name == "correlation"
	s.loose.on = !dense || angle && (e.Version() >= 103 || s.name == "cosine") || s.chosen && asks && e.Version() >= 103 || s.name == "nan_euclidean" && !asks
	if !s.loose.on {
		return
	}
	values := s.points.Data
	if s.thin != nil {
		values = s.thin.Data
	}
	if asks && (s.name == "hamming" || whole(values)) {
		e.Failf("metric %s without a tree is not supported for such rows: many of them are equally far", pickle.Quote(s.name))
	}
	s.loose.weighted = weighted(e)
	if s.loose.weighted && (angle && !asks || s.name == "nan_euclidean") {
		e.Failf("metric %s is not supported with weights by distance", pickle.Quote(s.name))
	}
	const rounding = 1e-12
	s.loose.least = rounding
	switch {
	case angle:
	case s.thin != nil:
		s.loose.least *= s.thin.longest()
	default:
		s.loose.least *= longest(&s.points)
	}
}

// longest returns the largest square of the length of a row, without missing values.
func longest(points *vector.Matrix) float64 {
	most := 0.0
	for i := range points.Rows {
		sum := 0.0
		for _, v := range points.Row(i) {
			if v == v {
				sum += v * v
			}
		}
		most = max(most, sum)
	}
	return most
}

// whole reports whether all values are whole numbers, whose distances are often equal.
func whole(values []float64) bool {
	for _, v := range values {
		if v != math.Trunc(v) {
			return false
		}
	}
	return true
}

// margin is what a reduced distance may be off.
func (l *looseness) margin(far float64) float64 {
	const rounding = 1e-11
	return l.least + rounding*math.Abs(far)
}

// settled reports whether the answer stays the same whichever of the points that are
// about as far as the farthest in the heap are taken.
func (s *space) settled(h *heap, far []float64) bool {
	margin := s.loose.margin(h.far[0])
	low, high := h.far[0]-margin, h.far[0]+margin
	if !(high < math.Inf(1)) {
		return false
	}
	first, inside, all, alike := -1, 0, 0, true
	for i, v := range far {
		if v >= low && v <= high {
			if first < 0 {
				first = i
			}
			all++
			alike = alike && s.loose.alike != nil && s.loose.alike(first, i)
		}
	}
	for _, v := range h.far {
		if v >= low {
			inside++
		}
	}
	return (all == inside || alike) && (!s.loose.weighted || s.apart(h))
}

// apart reports whether no point is so near that its weight is mere rounding, or only
// such that answer the same count then.
func (s *space) apart(h *heap) bool {
	const zero, little = 1e-9, 1e-2
	if slices.Min(h.far) >= zero {
		return true
	}
	first := -1
	for i, v := range h.far {
		switch {
		case v >= little:
		case first < 0:
			first = h.row[i]
		case !s.loose.alike(first, h.row[i]):
			return false
		}
	}
	return true
}

var errTogether = frame.InputError("A row is where several rows are that answer differently. With weights by distance, rounding decides which of them answers.")

// hold finds out up to which distance rounding decides which points have all weight.
func (s *space) hold(e *fitted.Estimator) {
	sizes := s.squares
	if s.thin != nil {
		sizes = s.thin.sizes
	}
	const rounding = 1e-13
	if e.Ok() && len(sizes) > 0 && weighted(e) {
		s.loose.here = rounding * slices.Max(sizes)
	}
}

// together returns an error if points that are where a row is answer differently.
func (s *space) together(far []float64) error {
	if s.loose.here == 0 {
		return nil
	}
	first := -1
	for i, v := range far {
		switch {
		case v > s.loose.here:
		case first < 0:
			first = i
		case !s.loose.alike(first, i):
			return errTogether
		}
	}
	return nil
}

// within reports whether a point lies within a radius, or returns an error if rounding
// decides.
func (s *space) within(far, radius float64) (bool, error) {
	if s.loose.on && math.Abs(far-radius) <= s.loose.margin(far) {
		return false, frame.InputError("A row has a neighbor that is exactly as far as the radius. Whether scikit-learn takes it depends on the processor.")
	}
	return far <= radius, nil
}

// directions returns the points with a length of -1 each, but those of length 0.
func directions(points *vector.Matrix) vector.Lanes {
	for i := range points.Rows {
		vector.Divide(points.Row(i), vector.L2(points.Row(i)))
	}
	return vector.NewLanes(points, -1)
}

// turn makes cosine distances of the products of a row and directions.
func turn(far, row []float64) {
	length := vector.L2(row)
	if length == 0 {
		length = 1
	}
	for j, v := range far {
		far[j] = max(1+v/length, 0)
	}
}
