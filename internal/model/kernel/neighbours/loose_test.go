// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"errors"
	"math"
	"testing"
)

func TestEquallyFarPointsAreSettledIfTheyAnswerTheSame(t *testing.T) {
	answers := []int{0, 1, 1, 1, 0, 2}
	alike := func(a, b int) bool { return answers[a] == answers[b] }
	for name, test := range map[string]struct {
		far   []float64
		k     int
		loose looseness
		want  bool
	}{
		"none is":                         {[]float64{1, 2, 3, 4, 5, 6}, 2, looseness{alike: alike}, true},
		"those that are answer the same":  {[]float64{1, 2, 2, 2, 5, 6}, 2, looseness{alike: alike}, true},
		"those that are answer otherwise": {[]float64{2, 2, 2, 3, 5, 6}, 2, looseness{alike: alike}, false},
		"all of them are taken":           {[]float64{2, 2, 2, 3, 5, 6}, 3, looseness{alike: alike}, true},
		"but for rounding":                {[]float64{2, 3, 3, 3, 2 + 1e-15, 6}, 1, looseness{alike: alike}, true},
		"but for rounding, otherwise":     {[]float64{2, 2 + 1e-15, 3, 3, 5, 6}, 1, looseness{alike: alike}, false},
		"nothing tells their answers":     {[]float64{5, 2, 2, 3, 5, 6}, 1, looseness{}, false},
		"too few have a distance":         {[]float64{1, math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()}, 2, looseness{alike: alike}, false},
		"one has nearly all weight":       {[]float64{1e-17, 0.5, 0.6, 1, 1, 1}, 2, looseness{alike: alike, weighted: true}, true},
		"two have nearly all weight":      {[]float64{1e-17, 1e-16, 0.6, 1, 1, 1}, 2, looseness{alike: alike, weighted: true}, false},
	} {
		s := &space{loose: test.loose}
		h := heap{make([]float64, test.k), make([]int, test.k)}
		h.fill(test.far)
		if got := s.settled(&h, test.far); got != test.want {
			t.Errorf("%s: settled is %t", name, got)
		}
	}
}

func TestRowsWhereSeveralAnswerAreSettledIfTheyAnswerTheSame(t *testing.T) {
	answers := []int{0, 1, 1, 0}
	alike := func(a, b int) bool { return answers[a] == answers[b] }
	for name, test := range map[string]struct {
		far  []float64
		here float64
		want error
	}{
		"none is there":              {[]float64{1, 2, 3, 4}, 1e-13, nil},
		"one is there":               {[]float64{0, 2, 3, 4}, 1e-13, nil},
		"both answer the same":       {[]float64{1, 0, 1e-15, 4}, 1e-13, nil},
		"both answer otherwise":      {[]float64{1e-16, 1e-15, 3, 4}, 1e-13, errTogether},
		"nothing weighs by distance": {[]float64{0, 0, 3, 4}, 0, nil},
	} {
		s := &space{loose: looseness{here: test.here, alike: alike}}
		if got := s.together(test.far); !errors.Is(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
