// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

func TestLabelsNearATieFollowTheRule(t *testing.T) {
	const tiny = 1e-20 // rounds to a probability of one half
	got := map[string][]bool{}
	for name, r := range map[string]rule{"likelier": likelier, "not negative": notNegative, "positive": positive} {
		a := answer{scale: 1, rule: r}
		for _, raw := range []float64{-1, -tiny, 0, tiny, 1} {
			got[name] = append(got[name], a.second(raw))
		}
	}
	want := map[string][]bool{
		"likelier":     {false, false, false, false, true},
		"not negative": {false, false, true, true, true},
		"positive":     {false, false, false, true, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("second of two classes (-want +got):\n%s", diff)
	}
}

func TestCategoriesBefore14AreBytes(t *testing.T) {
	missing := -99.0
	for v, want := range map[float64][2]float64{ // from 1.2 on, and before
		0: {0, 0}, 3.9: {3, 3}, 255: {255, 255}, 256: {0, 0}, 300: {44, 44}, 1e10: {0, 0}, math.Inf(1): {0, 0},
		-0.5: {missing, 0}, -1: {missing, 255}, -1e10: {missing, 0}, math.Inf(-1): {missing, 0},
	} {
		for i, negative := range []bool{false, true} {
			got := byteOf(v, negative)
			if math.IsNaN(got) {
				got = missing
			}
			if got != want[i] {
				t.Errorf("%v with negative numbers %t: %v, want %v", v, negative, got, want[i])
			}
		}
	}
}

func TestCategoriesBecomeCodes(t *testing.T) {
	e := encoder{
		{column: 0, number: ordinals{2.5: 0, 7: 1}.code},
		{column: 2, texts: map[string]float64{"a": 0, "b": 1}, number: amongTexts},
	}
	nan := math.NaN()
	for name, test := range map[string]struct {
		row   []float64
		texts []string
		want  []float64
		err   string
	}{
		"known":             {[]float64{7, 7, frame.Text}, []string{"", "", "b"}, []float64{1, 7, 1}, ""},
		"unknown":           {[]float64{8, 8, frame.Text}, []string{"", "", "c"}, []float64{-1, 8, -1}, ""},
		"missing":           {[]float64{nan, nan, frame.None}, []string{"", "", ""}, []float64{-1, -1, -1}, ""},
		"a number as text":  {[]float64{frame.Text, frame.Text, frame.Text}, []string{"2.5", " 1e3", "a"}, []float64{0, 1000, 0}, ""},
		"no number":         {[]float64{1, frame.Text, frame.None}, []string{"", "x", ""}, nil, "could not convert string to float: 'x'"},
		"infinite":          {[]float64{math.Inf(1), 0, frame.None}, nil, nil, "Input contains infinity or a value too large for dtype('float64')."},
		"a number for text": {[]float64{7, 7, 7}, nil, []float64{1, 7, -1}, ""},
	} {
		x := frame.Dense(1, 3, test.row)
		x.Texts = test.texts
		out, err := e.encode(&graph.Work{}, x)
		if message := errorOf(err); message != test.err {
			t.Errorf("%s: error %q, want %q", name, message, test.err)
			continue
		}
		if err != nil {
			continue
		}
		for i, v := range out.Data {
			if math.IsNaN(v) {
				out.Data[i] = -1
			}
		}
		if diff := cmp.Diff(test.want, out.Data); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func errorOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
