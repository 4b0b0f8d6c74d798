// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
)

// The script testdata/small/make.py makes the files, and prints the answers.
func TestSmallModels(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for name, test := range map[string]struct {
		rows [][]any
		want []any
	}{
		"union-kmeans":    {[][]any{{0.5}, {9.0}}, []any{1.8333333333333308, 58.83333333333337}},
		"ordinal-rare":    {[][]any{{"a"}, {"b"}, {"c"}, {nan}, {"?"}}, []any{19.458333333333332, 15.541666666666664, 11.624999999999996, 27.291666666666668, 23.375}},
		"mean-shift":      {[][]any{{4.0}, {-1.0}, {1e20}, {-1e20}}, []any{int64(0), int64(1), int64(0), int64(0)}},
		"isotonic-nan":    {[][]any{{0.0}, {1.0}, {2.0}}, []any{3.5, 3.5, 3.5}},
		"isotonic-raise":  {[][]any{{0.0}, {1.0}, {2.0}}, []any{3.5, 3.5, 3.5}},
		"variance":        {[][]any{{3.0, inf}, {3.0, nan}}, []any{6.999999999999999, 6.999999999999999}},
		"bagging-strings": {[][]any{{"b", "x"}, {"a", "y"}, {"?", "y"}}, []any{1.6875000000000002, 2.2291666666666665, 2.5902777777777777}},
		"texts-near":      {[][]any{{"green blue green"}, {"red"}}, []any{2.7375766604868046, 1.0}},
		"rows-same":       {[][]any{{3.0, 1.3}}, []any{3.112441390538172}},
		"select-gaps":     {[][]any{{1.0, nan}, {nan, 1.0}, {inf, 1.0}}, []any{14.36499996185303, 15.88499999046326, 23.485000038146968}},
	} {
		m := load(t, "testdata/small/"+name+".pkl")
		x, err := modeltest.Frame(test.rows, nil, m.Schema())
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := modeltest.Answer(m, "predict", x)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRowsWhoseMembersAnswerNoNumbersAreRefused(t *testing.T) {
	for name, value := range map[string]float64{"target-radius": 100, "codes-bayes": 1e300} {
		m := load(t, "testdata/small/"+name+".pkl")
		x, err := modeltest.Frame([][]any{{value}}, nil, m.Schema())
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := modeltest.Answer(m, "predict", x); err == nil || err.Error() != "Input contains NaN, infinity or a value too large for dtype('float64')." {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestRowWhereSeveralAnswerIsRefused(t *testing.T) {
	m := load(t, "testdata/small/rows-same.pkl")
	x, err := modeltest.Frame([][]any{{0.1, 0.7}}, nil, m.Schema())
	if err != nil {
		t.Fatal(err)
	}
	const want = "A row is where several rows are that answer differently. With weights by distance, rounding decides which of them answers."
	if got, _, err := modeltest.Answer(m, "predict", x); err == nil || err.Error() != want {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSmallModelsThatAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"quantiles-sparse": "Pipeline: QuantileTransformer of sparse rows is not supported",
		"power-constant":   "PowerTransformer: a feature is nearly constant after its power, so rounding alone makes the values, which is not supported",
		"whiten-flat":      "PCA: a component has no variance, so whiten makes its rounding large, which is not supported",
	} {
		if _, err := parse(read(t, "testdata/small/"+name+".pkl"), budget.DefaultLimits); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
