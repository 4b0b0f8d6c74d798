// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/vector"
)

// sums is a predictor that answers the sum of each row, and its number in the block.
type sums struct {
	input  Input
	blocks []int // rows of each block that it got
}

func (s *sums) Input() *Input { return &s.input }

func (s *sums) Output(m frame.Method) (frame.Output, bool) { return List(2), m == frame.Predict }

func (s *sums) Predict(w *Work, _ frame.Method, dst []float64, x frame.Frame) error {
	s.blocks = append(s.blocks, x.Rows)
	for i := range x.Rows {
		dst[2*i], dst[2*i+1] = 0, float64(i)
		for _, v := range x.Row(i) {
			dst[2*i] += v
		}
	}
	return w.Steps(0)
}

func TestFramesAreCutIntoBlocks(t *testing.T) {
	for name, test := range map[string]struct {
		rows, widest int
		want         []int
	}{
		"few rows":               {3, 1, []int{3}},
		"many rows":              {600, 1, []int{256, 256, 88}},
		"wide blocks":            {3, 1 << 15, []int{2, 1}},
		"wider than any block":   {2, 1 << 40, []int{1, 1}},
		"of unknown width, none": {2, 0, []int{2}},
	} {
		s := &sums{input: Input{Schema: frame.Schema{Width: 2}}}
		x := frame.Dense(test.rows, 2, make([]float64, 2*test.rows))
		for i := range x.Data {
			x.Data[i] = float64(i)
		}
		var r frame.Result
		if err := New(s, "sums", test.widest).Predict(nil, frame.Predict, &r, x); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, s.blocks); diff != "" {
			t.Errorf("%s: blocks (-want +got):\n%s", name, diff)
		}
		for i := range x.Rows {
			if r.Values[2*i] != float64(4*i+1) {
				t.Errorf("%s: row %d sums to %v", name, i, r.Values[2*i])
			}
		}
	}
}

func TestPredictionsStopWhenToldTo(t *testing.T) {
	gone := errors.New("gone")
	asked := 0
	x := frame.Dense(1<<18, 1, make([]float64, 1<<18))
	err := New(&sums{input: Input{Schema: frame.Schema{Width: 1}}}, "sums", 1).Predict(func() error {
		if asked++; asked == 3 {
			return gone
		}
		return nil
	}, frame.Predict, &frame.Result{}, x)
	if !errors.Is(err, gone) || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestAMethodThatThereIsNotIsAnError(t *testing.T) {
	err := New(&sums{}, "Sums", 1).Predict(nil, frame.PredictProba, &frame.Result{}, frame.Dense(1, 1, []float64{1}))
	if err == nil || err.Error() != "this Sums has no predict_proba" {
		t.Error(err)
	}
}

// some is a block with a number, a string and None in each row.
func some() frame.Frame {
	x := frame.Dense(2, 3, []float64{1, frame.Text, frame.None, 2, frame.Text, frame.None})
	x.Texts = []string{"", "3", "", "", "4", ""}
	return x
}

// sparse is [[0 5 0] [0 0 0] [6 0 7]], as the last rows of a larger block.
func sparse() frame.Frame {
	x := frame.Frame{Rows: 4, Cols: 3, Data: []float64{9, 5, 6, 7}, Index: []int32{0, 1, 0, 2}, Starts: []int{0, 1, 2, 2, 4}}
	return x.Slice(1, 4)
}

func TestBlocksAreCheckedAsScikitLearnDoes(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	three := frame.Schema{Width: 3}
	texts := frame.Schema{Width: 3, Kinds: []frame.Kind{frame.Anything, frame.Anything, frame.Anything}}
	plain, other := frame.Dense(1, 3, []float64{1, inf, nan}), some()
	other.Texts[1] = "three"
	for name, test := range map[string]struct {
		in   Input
		x    frame.Frame
		want any // the values, or an error
	}{
		"NaN comes before infinity": {Input{Schema: three}, plain, "Input X contains NaN."},
		"infinity":                  {Input{Schema: three, AllowNaN: true}, plain, "Input X contains infinity or a value too large for dtype('float64')."},
		"both may be allowed":       {Input{Schema: three, AllowNaN: true, AllowInf: true}, plain, []float64{1, inf, nan}},
		"too large for a float32":   {Input{Schema: three, Single: true}, frame.Dense(1, 3, []float64{1, 1e39, 2}), "Input X contains infinity or a value too large for dtype('float32')."},
		"another width":             {Input{Class: "SVC", Schema: three}, frame.Dense(1, 2, []float64{1, 2}), "X has 2 features, but SVC is expecting 3 features as input."},
		"no columns":                {Input{Class: "SVC", Schema: three}, frame.Dense(4, 0, nil), "Found array with 0 feature(s) (shape=(4, 0)) while a minimum of 1 is required by SVC."},
		"strings of numbers":        {Input{Schema: three, AllowNaN: true}, some(), []float64{1, 3, nan, 2, 4, nan}},
		"other strings":             {Input{Schema: three, AllowNaN: true}, other, "could not convert string to float: 'three'"},
		"strings where they may be": {Input{Schema: texts, AllowNaN: true}, some(), some().Data},
		"sparse made dense":         {Input{Schema: three}, sparse(), []float64{0, 5, 0, 0, 0, 0, 6, 0, 7}},
		"sparse left alone":         {Input{Schema: three, Sparse: true}, sparse(), sparse().Data},
	} {
		got := test.x
		err := test.in.check(&Work{}, &got)
		if want, ok := test.want.(string); ok {
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got.Data, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBlocksBranchAndJoin(t *testing.T) {
	w := &Work{}
	x := some()
	numbers, texts := Select(w, x, []int{0}), Select(w, x, []int{2, 1})
	if len(numbers.Texts) > 0 {
		t.Errorf("a column of numbers has strings: %q", numbers.Texts)
	}
	joined := Join(w, []frame.Frame{texts, numbers})
	want := frame.Dense(2, 3, []float64{frame.None, frame.Text, 1, frame.None, frame.Text, 2})
	want.Texts = []string{"", "3", "", "", "4", ""}
	bits := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
	if diff := cmp.Diff(want, joined, bits); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}

	ones := frame.Dense(3, 1, []float64{1, 0, 1})
	both := Join(w, []frame.Frame{sparse(), ones, sparse()})
	got := dense(w, both)
	rows := []float64{
		0, 5, 0, 1, 0, 5, 0,
		0, 0, 0, 0, 0, 0, 0,
		6, 0, 7, 1, 6, 0, 7,
	}
	if diff := cmp.Diff(rows, got.Data); diff != "" || !both.Sparse() {
		t.Errorf("sparse: %t (-want +got):\n%s", both.Sparse(), diff)
	}
}

func TestMemoryIsValidUntilItIsReleased(t *testing.T) {
	w := &Work{}
	var kept [][]float64
	for i := range 20 {
		s := w.Floats(10 + 7*i)
		s[0], s[len(s)-1] = float64(i), float64(i)
		kept = append(kept, s)
		mark := w.Mark()
		for range 3 {
			clear(w.Floats(1000 * i))
			inner := w.Mark()
			clear(w.Floats(40))
			w.Release(inner)
		}
		w.Release(mark)
	}
	for i, s := range kept {
		if s[0] != float64(i) || s[len(s)-1] != float64(i) {
			t.Errorf("slice %d was handed out again", i)
		}
	}
}

func TestProductsOfSparseAndDenseBlocksAreTheSame(t *testing.T) {
	w, m := &Work{}, vector.Matrix{Rows: 2, Cols: 3, Data: []float64{1, 2, 3, 4, 5, 6}}
	want := []float64{10.5, 24.75, 0.5, -0.25, 27.5, 65.75}
	for name, x := range map[string]frame.Frame{"sparse": sparse(), "dense": dense(w, sparse())} {
		got := make([]float64, len(want))
		if err := Product(w, got, x, m, []float64{0.5, -0.25}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// wide answers so many values for each row.
type wide int

func (wide) Input() *Input { return &Input{Blind: true} }

func (n wide) Output(frame.Method) (frame.Output, bool) { return List(int(n)), true }

func (wide) Predict(*Work, frame.Method, []float64, frame.Frame) error { return nil }

// many asks a node again and again, and counts no steps.
type many struct{ wide }

func (m many) Predict(w *Work, method frame.Method, dst []float64, x frame.Frame) error {
	for {
		if err := Predict(w, m.wide, method, dst, x); err != nil {
			return err
		}
	}
}

func TestNodesThatCountNoStepsStop(t *testing.T) {
	enough := errors.New("enough")
	x := frame.Dense(1, 1, make([]float64, 1))
	if err := New(many{1}, "Many", 1).Predict(func() error { return enough }, frame.Predict, &frame.Result{}, x); !errors.Is(err, enough) {
		t.Errorf("%v, want %v", err, enough)
	}
}

// keeper asks for memory before it asks itself, as a chain of many nodes does.
type keeper struct{ wide }

func (k keeper) Predict(w *Work, method frame.Method, dst []float64, x frame.Frame) error {
	w.Floats(1 << 20)
	return Predict(w, k, method, dst, x)
}

func TestChainsThatFillTheMemoryAreRefused(t *testing.T) {
	x := frame.Dense(1, 1, make([]float64, 1))
	if err := New(keeper{1}, "Keeper", 1).Predict(nil, frame.Predict, &frame.Result{}, x); !errors.Is(err, errFull) {
		t.Errorf("%v, want %v", err, errFull)
	}
}
