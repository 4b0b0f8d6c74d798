// SPDX-License-Identifier: Apache-2.0

package python

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
)

func TestAnswersOfLabels(t *testing.T) {
	for name, test := range map[string]struct {
		head   string
		values []float64
		want   frame.Result
		fails  bool
	}{
		"strings": {`{"type":"bytes","rows":2,"width":1,"flat":true,"labels":["a","b"]}`, []float64{1, 0}, frame.Result{
			Rows: 2, Values: []float64{1, 0},
			Output: frame.Output{Type: frame.Bytes, Width: 1, Flat: true, Open: true, Classes: [][]any{{"a", "b"}}},
		}, false},
		"large integers": {`{"type":"uint64","rows":1,"width":2,"labels":[18446744073709551615,-9007199254740993]}`, []float64{0, 1}, frame.Result{
			Rows: 1, Values: []float64{0, 1},
			Output: frame.Output{Type: frame.Uint64, Width: 2, Open: true, Classes: [][]any{{uint64(1<<64 - 1), int64(-1<<53 - 1)}, {uint64(1<<64 - 1), int64(-1<<53 - 1)}}},
		}, false},
		"several outputs": {`{"type":"float64","rows":1,"width":3,"parts":[1,2]}`, []float64{1, 2, 3}, frame.Result{
			Rows: 1, Values: []float64{1, 2, 3}, Output: frame.Output{Width: 3, Parts: []int{1, 2}, Open: true},
		}, false},
		"beyond the labels":   {`{"type":"bytes","rows":1,"width":1,"flat":true,"labels":["a"]}`, []float64{1}, frame.Result{}, true},
		"no label":            {`{"type":"bytes","rows":1,"width":1,"flat":true}`, []float64{1}, frame.Result{}, true},
		"another type":        {`{"type":"complex128","rows":1,"width":1,"flat":true}`, []float64{1}, frame.Result{}, true},
		"rows that overflow":  {`{"type":"int8","rows":4611686018427387904,"width":4}`, nil, frame.Result{}, true},
		"parts of other size": {`{"type":"int8","rows":1,"width":2,"parts":[1]}`, []float64{1, 2}, frame.Result{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var m message
			var h reply
			body, err := m.read(bytes.NewReader(packed([]byte(test.head), test.values)), &h)
			if err != nil {
				t.Fatal(err)
			}
			var got frame.Result
			err = h.into(&got, body)
			if test.fails {
				if err == nil {
					t.Errorf("no error, but %+v", got)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// FuzzAnswer checks that whatever a worker sends is an error or a result of one shape.
func FuzzAnswer(f *testing.F) {
	f.Add(packed([]byte(`{"type":"bytes","rows":2,"width":1,"flat":true,"labels":["a",1,2.5,true,null]}`), []float64{1, 0}))
	f.Add(packed([]byte(`{"type":"float64","rows":1,"width":3,"parts":[1,2]}`), []float64{1, 2, 3}))
	f.Add(packed([]byte(`{"error":"X has 3 features","input":true}`), nil))
	f.Add([]byte("\xff\xff\xff\x0f\x00\x00\x00\x00\x0f\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m message
		var h reply
		body, err := m.read(bytes.NewReader(data), &h)
		if err != nil {
			return
		}
		var r frame.Result
		if h.into(&r, body) != nil {
			return
		}
		if len(r.Values) != r.Rows*r.Output.Width {
			t.Fatalf("%d values of %d rows and %d columns", len(r.Values), r.Rows, r.Output.Width)
		}
		for i, v := range r.Values {
			if r.Output.Classes != nil {
				_ = r.Output.Label(i%r.Output.Width, v)
			}
		}
	})
}
