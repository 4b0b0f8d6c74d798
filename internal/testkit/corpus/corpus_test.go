// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryCaseIsComplete(t *testing.T) {
	for _, kind := range Kinds {
		for _, c := range Cases(t, kind) {
			if c.Class == "" || len(c.Data) == 0 || len(c.Input.Rows) == 0 {
				t.Errorf("%s of %s lacks something", c.Path(), c.Version)
			}
			for method, a := range c.Answers {
				if a.Error != "" {
					continue
				}
				if n := a.Rows(); n == 0 || n > len(c.Input.Rows) || len(a.Values)%n != 0 {
					t.Errorf("%s of %s: %s has %d rows and %d values for %d rows of input", c.Path(), c.Version, method, n, len(a.Values), len(c.Input.Rows))
				}
				if diff := a.Diff(a.Values); diff != "" {
					t.Errorf("%s of %s: %s: %s", c.Path(), c.Version, method, diff)
				}
			}
		}
	}
}

func TestDiffTellsTypesAndNumbersApart(t *testing.T) {
	floats := Answer{Type: "float64", Shape: []int{2, 2}, Values: []any{1.0, 2.0, 3e9, 0.5}}
	for _, c := range []struct {
		name, want string
		answer     Answer
		got        []any
	}{
		{"close numbers are the same", "", floats, []any{1 + 9e-7, 2.0, 3e9 + 2000, 0.5}},
		{"a far number differs", "row 1, value 1: 0.5000011 (float64), want 0.5 (float64)", floats, []any{1.0, 2.0, 3e9, 0.5000011}},
		{"an integer is no float", "row 0, value 0: 1 (int64), want 1 (float64)", floats, []any{int64(1), 2.0, 3e9, 0.5}},
		{"a row may not lack", "3 values, want 4", floats, []any{1.0, 2.0, 3e9}},
		{"more rows than known are not compared", "", floats, []any{1.0, 2.0, 3e9, 0.5, 7.0, 8.0}},
		{"strings are compared whole", "row 0, value 0: b (string), want a (string)", Answer{Shape: []int{1}, Values: []any{"a"}}, []any{"b"}},
	} {
		if got := c.answer.Diff(c.got); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPartsLieBesideEachOther(t *testing.T) {
	part := func(values ...any) Answer {
		return Answer{Type: "float64", Shape: []int{2, len(values) / 2}, Values: values}
	}
	a := Answer{Parts: []Answer{part(1, 2, 3, 4, 5, 6), part(7, 8)}}
	a.plain()
	if diff := cmp.Diff([]any{1.0, 2.0, 3.0, 7.0, 4.0, 5.0, 6.0, 8.0}, a.Values); diff != "" {
		t.Error(diff)
	}
}

func TestVerdicts(t *testing.T) {
	answers := func(values ...any) Load {
		return func(*Case) (Ask, error) {
			return func(method string) ([]any, error) {
				if method != "predict" {
					return nil, ErrMethod
				}
				return values, nil
			}, nil
		}
	}
	refuses := func(*Case) (Ask, error) { return nil, errors.New("not supported\nand more") }
	fails := func(*Case) (Ask, error) {
		return func(string) ([]any, error) { return nil, errors.New("no") }, nil
	}
	one := map[string]Answer{"predict": {Type: "int64", Shape: []int{1}, Values: []any{int64(1)}}}
	bad := map[string]Answer{"predict": {Error: "Input X contains NaN."}}
	likely := map[string]Answer{"predict": one["predict"], "predict_proba": {Type: "float64", Shape: []int{1, 1}, Values: []any{1.0}}}
	decides := map[string]Answer{"predict": one["predict"], "decision_function": {Type: "float64", Shape: []int{1}, Values: []any{1.0}}}
	for _, c := range []struct {
		name    string
		answers map[string]Answer
		load    Load
		want    verdict
	}{
		{"the same answer is exact", one, answers(int64(1)), verdict{word: "exact"}},
		{"another answer is wrong", one, answers(int64(2)), verdict{"wrong", "predict: row 0, value 0: 2 (int64), want 1 (int64)"}},
		{"a file that does not load is refused", one, refuses, verdict{"refused", "not supported"}},
		{"rows that are refused are refused", one, fails, verdict{"refused", "predict: no"}},
		{"the library's refusal is exact if it is refused", bad, fails, verdict{word: "exact"}},
		{"the library's refusal is wrong if it is answered", bad, answers(int64(1)), verdict{"wrong", "predict: an answer, and not: Input X contains NaN."}},
		{"without probabilities a case is refused", likely, answers(int64(1)), verdict{"refused", "no predict_proba"}},
		{"without decisions a case is exact", decides, answers(int64(1)), verdict{word: "exact"}},
		{"an answer that the library does not have is wrong", nil, answers(int64(1)), verdict{"wrong", "1 answers where the library has no predict"}},
	} {
		if got := judge(&Case{Answers: c.answers}, c.load); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestLinesFitCases(t *testing.T) {
	c := Case{Kind: "trees", Name: "hist-regressor", Version: "1.5.2"}
	for line, want := range map[string]bool{
		"trees/hist-regressor": true, "trees/hist-* 1.5.2": true, "trees/* 1.*": true, "*/* 0.24.2 1.5.2": true, "wrong trees/hist-*": true,
		"trees": false, "trees/hist": false, "trees/hist-* 1.4.2": false, "svm/*": false,
	} {
		if e := entryOf(line); e.matches(&c) != want {
			t.Errorf("%q fits: %t, want %t", line, !want, want)
		}
	}
}
