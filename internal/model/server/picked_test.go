// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
)

// picky is the schema of a ColumnTransformer that looks at the columns a and c.
var picky = frame.Schema{Width: 3, Names: []string{"a", "b", "c"}, Picked: []bool{true, false, true}, Kinds: []frame.Kind{frame.Numbers, frame.Anything, frame.Numbers}}

func TestColumnsThatTheModelDoesNotLookAtMayBeMissingOrMore(t *testing.T) {
	nan := math.NaN()
	for body, want := range map[string]any{
		`{"a":1,"b":2,"c":3}`:                           []float64{1, 2, 3},
		`{"c":3,"a":1}`:                                 []float64{1, nan, 3},
		`{"a":1,"c":3,"d":"text"}`:                      []float64{1, nan, 3},
		`{"a":[1,4],"c":[3,6],"d":["x",null]}`:          []float64{1, nan, 3, 4, nan, 6},
		`{"a":1,"c":3,"d":[0,0]}`:                       []float64{1, nan, 3, 1, nan, 3},
		`{"a":1,"c":3,"d":{"x":0,"y":0}}`:               []float64{1, nan, 3, 1, nan, 3},
		`{"a":1,"c":3,"d":[0,0],"d":0}`:                 []float64{1, nan, 3},
		`[{"a":1,"c":3,"d":[[7]]},{"b":5,"a":4,"c":6}]`: []float64{1, nan, 3, 4, 5, 6},
		`{"a":1,"b":2}`:                                 `instance 0 has no feature "c"`,
		`{}`:                                            `instance 0 has no feature "a"`,
		`{"d":1}`:                                       `instance 0 has no feature "a"`,
		`{"a":[1],"c":[3],"d":[0,0]}`:                   "the features of instance 0 have different lengths",
	} {
		b := &batch{schema: picky}
		for range 2 { // the second time in used memory
			var got any
			if err := b.parse([]byte(`{"instances":[` + body + `]}`)); err != nil {
				got = err.Error()
			} else {
				got = b.x.Data
			}
			if diff := cmp.Diff(want, got, nans); diff != "" {
				t.Errorf("%s (-want +got):\n%s", body, diff)
			}
		}
	}
}

func TestObjectsOfVeryManyUnknownColumnsAreRefused(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"instances":[{"a":1,"c":3`)
	for i := range 1001 {
		fmt.Fprintf(&body, `,"%d":1`, i)
	}
	body.WriteString(`}]}`)
	err := (&batch{schema: picky}).parse([]byte(body.String()))
	if want := "instance 0 has more than 1000 features that the model does not look at"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestTensorsOfColumnsThatTheModelDoesNotLookAtMayBeMissingOrMore(t *testing.T) {
	tensor := func(names string) string {
		var all []string
		for name := range strings.FieldsSeq(names) {
			all = append(all, fmt.Sprintf(`{"name":%q,"shape":[1],"datatype":"FP64","data":[%d]}`, name, name[0]-'a'+1))
		}
		return `{"parameters":{"content_type":"pd"},"inputs":[` + strings.Join(all, ",") + `]}`
	}
	for names, want := range map[string]any{
		"d c a": []float64{1, math.NaN(), 3},
		"b a c": []float64{1, 2, 3},
		"a b":   `there is no input "c", which is a column of the model`,
	} {
		b := &batch{schema: picky}
		c, err := b.inferRequest("m", []byte(tensor(names)), nil)
		if err == nil {
			err = b.fill(c.contentType == "pd")
		}
		var got any = b.x.Data
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got, nans); diff != "" {
			t.Errorf("%s (-want +got):\n%s", names, diff)
		}
	}
}
