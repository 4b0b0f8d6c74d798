// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

func TestRequestsBecomeAMatrix(t *testing.T) {
	named := []string{"a", "b"}
	for name, test := range map[string]struct {
		features []string
		body     string
		want     frame.Frame
	}{
		"rows of numbers":             {nil, `{"instances":[[1,2.5],[-3e2,0]]}`, matrix(2, 1, 2.5, -300, 0)},
		"white space anywhere":        {nil, " {\t\"instances\" :\r\n[ [ 1 , 2 ] ] } \n", matrix(2, 1, 2)},
		"inputs":                      {nil, `{"inputs":[[1,2]]}`, matrix(2, 1, 2)},
		"inputs win":                  {nil, `{"inputs":[[1,2]],"instances":[[3,4]]}`, matrix(2, 1, 2)},
		"inputs win, coming last":     {nil, `{"instances":[[3,4]],"inputs":[[1,2]]}`, matrix(2, 1, 2)},
		"inputs win over nonsense":    {nil, `{"instances":["x",{}],"inputs":[[1,2]]}`, matrix(2, 1, 2)},
		"the last of equal keys":      {nil, `{"instances":[[3]],"instances":[[1,2]]}`, matrix(2, 1, 2)},
		"an escaped key":              {nil, `{"\u0069nstances":[[1]]}`, matrix(1, 1)},
		"other keys":                  {nil, `{"signature_name":"x\n\"","more":{"a":[1,{"b":null}]},"instances":[[1]],"z":[]}`, matrix(1, 1)},
		"null, true and false":        {nil, `{"instances":[[null,true,false]]}`, matrix(3, math.NaN(), 1, 0)},
		"nearer to zero than a float": {nil, `{"instances":[[1e-999]]}`, matrix(1, 0)},
		"numbers as strings":          {nil, `{"instances":[["6.8",2," -1e3 ","nan"]]}`, matrix(4, 6.8, 2, -1000, math.NaN())},
		"an escaped number":           {nil, `{"instances":[["\u0036\u002e8"]]}`, matrix(1, 6.8)},
		"objects of named columns":    {named, `{"instances":[{"a":1,"b":2},{"b":4,"a":3}]}`, matrix(2, 1, 2, 3, 4)},
		"objects, columns unknown":    {nil, `{"instances":[{"x":1,"y":2},{"y":4,"x":3}]}`, matrix(2, 1, 2, 3, 4)},
		"objects holding columns":     {named, `{"instances":[{"b":[2,4],"a":[1,3]},{"a":5,"b":[6]}]}`, matrix(2, 1, 2, 3, 4, 5, 6)},
		"objects with strings":        {named, `{"instances":[{"a":"1","b":["2"]}]}`, matrix(2, 1, 2)},
		"columns by index":            {named, `{"instances":[{"a":{"0":1,"1":3},"b":{"0":2,"1":4}},{"b":{"x":6},"a":{"x":5}}]}`, matrix(2, 1, 2, 3, 4, 5, 6)},
		"an index in another order":   {named, `{"instances":[{"a":{"1":3,"0":1},"b":{"0":2,"1":4}}]}`, matrix(2, 3, 4, 1, 2)},
		"an index with gaps":          {named, `{"instances":[{"a":{"0":1,"1":3},"b":{"1":4,"2":6}}]}`, matrix(2, 1, math.NaN(), 3, 4, math.NaN(), 6)},
		"the last of equal indexes":   {named, `{"instances":[{"a":{"0":9,"1":3,"0":1},"b":{"0":2,"1":4}}]}`, matrix(2, 1, 2, 3, 4)},
		"a number for all rows":       {named, `{"instances":[{"a":[1,3],"b":2},{"a":4,"b":{"x":5,"y":6}}]}`, matrix(2, 1, 2, 3, 2, 4, 5, 4, 6)},
		"lists of objects":            {named, `{"instances":[[{"a":1,"b":2},{"b":4,"a":3}],[{"a":5,"b":6}],{"a":[7],"b":[8]}]}`, matrix(2, 1, 2, 3, 4, 5, 6, 7, 8)},
		"the last of equal columns":   {nil, `{"instances":[{"x":9,"y":2,"x":1}]}`, matrix(2, 1, 2)},
		"lists, columns named":        {named, `{"instances":[[1,2]]}`, matrix(2, 1, 2)},
		"rows without numbers":        {nil, `{"instances":[[]]}`, frame.Frame{Rows: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &batch{schema: frame.Schema{Names: test.features, Width: 2}}
			for range 2 { // the second time in used memory
				if err := b.parse([]byte(test.body)); err != nil {
					t.Fatal(err)
				}
				test.want.Names = b.x.Names // of which there is another test
				if diff := cmp.Diff(test.want, b.x, nans); diff != "" {
					t.Errorf("matrix (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A mixed schema has a column of each kind.
func TestStringsOfARequestAreKeptWhereTheModelTakesThem(t *testing.T) {
	mixed := frame.Schema{Width: 3, Names: []string{"n", "s", "a"}, Kinds: []frame.Kind{frame.Numbers, frame.Strings, frame.Anything}}
	flat := frame.Schema{Width: 1, Kinds: []frame.Kind{frame.Strings}, Flat: true}
	for name, test := range map[string]struct {
		schema frame.Schema
		body   string
		want   [][]any
		named  bool
	}{
		"lists":                    {mixed, `{"instances":[["1","1",1],[null,null,null],[2,"","é\n"]]}`, [][]any{{1.0, "1", 1.0}, {"NaN", nil, nil}, {2.0, "", "é\n"}}, false},
		"objects":                  {mixed, `{"instances":[{"a":"x","n":"1","s":"y"},{"n":2,"s":"","a":null}]}`, [][]any{{1.0, "y", "x"}, {2.0, "", nil}}, true},
		"columns":                  {mixed, `{"instances":[{"a":["x",3],"n":[1,2],"s":"y"}]}`, [][]any{{1.0, "y", "x"}, {2.0, "y", 3.0}}, true},
		"an index with gaps":       {mixed, `{"instances":[{"a":{"0":"x"},"n":{"1":2},"s":{"1":"y"}}]}`, [][]any{{"NaN", "NaN", "x"}, {2.0, "y", "NaN"}}, true},
		"empty strings only":       {mixed, `{"instances":[[1,"",""]]}`, [][]any{{1.0, "", ""}}, false},
		"no strings":               {mixed, `{"instances":[[1,2,3]]}`, [][]any{{1.0, 2.0, 3.0}}, false},
		"values that are no lists": {flat, `{"instances":["a b","c"]}`, [][]any{{"a b"}, {"c"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &batch{schema: test.schema}
			for range 2 { // the second time in used memory
				if err := b.parse([]byte(test.body)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, values(&b.x)); diff != "" {
					t.Errorf("values (-want +got):\n%s", diff)
				}
				if named := len(b.x.Names) > 0; named != test.named {
					t.Errorf("the columns have the names %q", b.x.Names)
				}
			}
		})
	}
}

func TestIntegersOfInstancesMustBeExactWhereTheyMayBeNames(t *testing.T) {
	for _, test := range []struct {
		value string
		kind  frame.Kind
		ok    bool
	}{
		{"9007199254740991", frame.Anything, true},
		{"-9007199254740991", frame.Strings, true},
		{"9007199254740992", frame.Anything, false}, // as is 9007199254740993, for a float64
		{"9007199254740993", frame.Anything, false},
		{"-9007199254740993", frame.Strings, false},
		{"9007199254740993", frame.Numbers, true},
		{"9.007199254740993e15", frame.Anything, true}, // a float in Python, too
		{`"9007199254740993"`, frame.Anything, true},
	} {
		for _, body := range []string{`{"instances":[[1,%s]]}`, `{"instances":[{"n":1,"a":%s}]}`, `{"instances":[{"n":[1],"a":[%s]}]}`} {
			b := &batch{schema: frame.Schema{Width: 2, Names: []string{"n", "a"}, Kinds: []frame.Kind{frame.Numbers, test.kind}}}
			err := b.parse(fmt.Appendf(nil, body, test.value))
			if test.ok != (err == nil) || err != nil && err.Error() != "instance 0 has an integer of 2^53 or more in a column of categories, where it may be rounded: send it as a string, or smaller" {
				t.Errorf(body+" of kind %d: %v", test.value, test.kind, err)
			}
		}
	}
}

// values returns those of a frame as Python has them, and "NaN".
func values(x *frame.Frame) [][]any {
	rows := make([][]any, x.Rows)
	for i := range x.Data {
		var v any = x.Data[i]
		switch {
		case frame.IsText(x.Data[i]):
			v = x.Texts[i]
		case frame.IsNone(x.Data[i]):
			v = nil
		case math.IsNaN(x.Data[i]):
			v = "NaN"
		}
		rows[i/x.Cols] = append(rows[i/x.Cols], v)
	}
	return rows
}

func matrix(cols int, data ...float64) frame.Frame {
	return frame.Dense(len(data)/cols, cols, data)
}

// nans compares floats, taking NaN for equal and no numbers for nil.
var nans = cmp.Comparer(func(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
})

func TestBadRequestsSayWhatIsWrong(t *testing.T) {
	deep := strings.Repeat("[", 10_000)
	for body, want := range map[string]string{
		``:                                 "Unrecognized request format: the body ends too early (byte 0)",
		`{`:                                "Unrecognized request format: the body ends too early (byte 1)",
		`[[1,2]]`:                          "Unrecognized request format: not a JSON object",
		`{"instances":[[1,2]]`:             "Unrecognized request format: the body ends too early (byte 20)",
		`{"instances":[[1,2]]}}`:           "Unrecognized request format: unexpected data after the JSON value (byte 21)",
		`{"instances":[[1 2]]}`:            "Unrecognized request format: expected a comma (byte 17)",
		`{"instances":[[1,]]}`:             "Unrecognized request format: unexpected comma (byte 17)",
		`{"instances":[[01]]}`:             "Unrecognized request format: expected a comma (byte 16)",
		`{"instances":[[+1]]}`:             "Unrecognized request format: expected a value (byte 15)",
		`{"instances":[[1.]]}`:             "Unrecognized request format: expected a digit (byte 17)",
		`{"instances":[[1e]]}`:             "Unrecognized request format: expected a digit (byte 17)",
		`{"instances":[[NaN]]}`:            `Unrecognized request format: NaN and Infinity are not JSON: send null, or "nan" or "inf" as a string (byte 15)`,
		`{"instances":[[nul]]}`:            "Unrecognized request format: expected null (byte 15)",
		`{instances:[]}`:                   "Unrecognized request format: expected a key (byte 1)",
		`{"instances" []}`:                 "Unrecognized request format: expected a colon (byte 13)",
		`{"a\x":1}`:                        "Unrecognized request format: malformed escape in a string (byte 4)",
		"{\"a\n\":1}":                      "Unrecognized request format: control character in a string (byte 3)",
		`{"x":` + deep:                     "Unrecognized request format: nested too deeply (byte 132)",
		`{"instances":` + deep:             "Unrecognized request format: nested too deeply (byte 140)",
		`{"instances":[["x"]],"y":}`:       "Unrecognized request format: expected a value (byte 25)",
		`{}`:                               "'instances'",
		`{"instances":{}}`:                 `Expected "instances" to be a list`,
		`{"inputs":"x","instances":[[1]]}`: `Expected "inputs" to be a list`,
		`{"instances":[]}`:                 "Expected 2D array, got 1D array instead: there are no instances",
		`{"instances":[1,2]}`:              "Expected 2D array, got 1D array instead: each instance must be a list of numbers",
		`{"instances":[[[1]]]}`:            "Found array with dim 3, but the model works on rows of numbers",
		`{"instances":[[1,2],[1]]}`:        "instance 1 has 1 features, but the first has 2",
		`{"instances":[[1],["x"]]}`:        "could not convert string to float: 'x'",
		`{"instances":[["` + strings.Repeat("é", 99) + `"]]}`: "could not convert string to float: '" + strings.Repeat("é", 40) + "...'",
		`{"instances":[[1e400]]}`:                             "Unrecognized request format: number is infinity when parsed as double (byte 15)",
		`{"x":[-1e400],"instances":[[1]]}`:                    "Unrecognized request format: number is infinity when parsed as double (byte 6)",
		"{\"instances\":[[1]],\"x\":\"\xff\"}":                "Unrecognized request format: the body is not valid UTF-8",
		`{"instances":[[1]],"x":"\ud800\u0041"}`:              "Unrecognized request format: half of a surrogate pair in a string (byte 35)",
		`{"instances":[[1]],"x":"\udc00"}`:                    "Unrecognized request format: half of a surrogate pair in a string (byte 29)",
		`{"instances":[[1]],"x":"\ud800\u00"}`:                "Unrecognized request format: malformed escape in a string (byte 34)",
		`[1e400]`:                                             "Unrecognized request format: number is infinity when parsed as double (byte 1)",
		`{"instances":[[1],[{}]]}`:                            "instance 1 has no features",
		`{"instances":[{}]}`:                                  "instance 0 has no features",
		`{"instances":[[1,{}]]}`:                              "instance 0 holds an object, but the model works on numbers",
		`{"instances":[{"a":1},{"b":1}]}`:                     `instance 1 has an unknown feature "b"`,
		`{"instances":[{"a":1,"b":2},{"b":1}]}`:               `instance 1 has no feature "a"`,
		`{"instances":[{"a":1,"b":2,"c":3}]}`:                 "instance 0 has more features than the 2 that the model works on",
		`{"instances":[{"a":[1,2],"b":[1]}]}`:                 "the features of instance 0 have different lengths",
		`{"instances":[{"a":[1],"b":{"0":1}}]}`:               "Mixing dicts with non-Series may lead to ambiguous ordering.",
		`{"instances":[{"a":{"0":1},"a":{"1":1},"b":1}]}`:     `instance 0 has the feature "a" twice`,
		`{"instances":[{"a":{"0":[1]},"b":1}]}`:               "Found array with dim 3, but the model works on rows of numbers",
		`{"instances":[{"a":{},"b":{}}]}`:                     "Expected 2D array, got 1D array instead: there are no instances",
		`{"instances":[{"a":[],"b":[]}]}`:                     "Expected 2D array, got 1D array instead: there are no instances",
		`{"instances":[[{"a":1,"b":2},[1,2]]]}`:               "instance 1 is not an object, as those before it",
		`{"instances":[[{"a":[1],"b":2}]]}`:                   "Found array with dim 3, but the model works on rows of numbers",
		`{"instances":[[{"a":{"0":1},"b":2}]]}`:               "instance 0 holds an object, but the model works on numbers",
	} {
		err := (&batch{schema: frame.Schema{Width: 2}}).parse([]byte(body))
		got := "no error"
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.60s (-want +got):\n%s", body, diff)
		}
	}
}

func TestReadingARequestNeedsNoMemoryOfItsOwn(t *testing.T) {
	b, body := &batch{}, []byte(irisBody)
	if n := testing.AllocsPerRun(100, func() {
		if err := b.parse(body); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("parse allocates %v times", n)
	}
}

// One column names all rows, and each other column only the last of them.
func TestRowsThatWereNotSentTakeNoMemory(t *testing.T) {
	const rows, columns = 100_000, 100
	var body strings.Builder
	body.WriteString(`{"instances":[{"all":{"0":1`)
	for i := range rows {
		fmt.Fprintf(&body, `,"%d":1`, i)
	}
	for i := range columns - 1 {
		fmt.Fprintf(&body, `},"%d":{"%d":1`, i, rows-1)
	}
	body.WriteString(`}}]}`)
	b := &batch{schema: frame.Schema{Width: columns}}
	if err := b.parse([]byte(body.String())); err == nil {
		t.Fatal("no error")
	}
	held := 0
	for _, c := range b.values {
		held += 8 * cap(c.values)
	}
	if most := 10 * body.Len(); held > most {
		t.Errorf("a body of %d bytes takes %d, want at most %d", body.Len(), held, most)
	}
}

// Names that stand where they are not expected, in each row elsewhere.
func TestManyColumnsInAnyOrderTakeLittleTime(t *testing.T) {
	const columns = 200_000
	var body strings.Builder
	body.WriteString(`{"instances":[{"c0":0`)
	for i := 1; i < columns; i++ {
		fmt.Fprintf(&body, `,"c%d":%d`, i, i)
	}
	body.WriteString(`},{"c1":1,"c0":0`)
	for i := columns - 1; i > 1; i-- {
		fmt.Fprintf(&body, `,"c%d":%d`, i, i)
	}
	body.WriteString(`}]}`)
	b := &batch{schema: frame.Schema{Width: columns}}
	hostile.Bounded(t, 1<<30, 20*time.Second, func() {
		if err := b.parse([]byte(body.String())); err != nil {
			t.Fatal(err)
		}
	})
	for i, v := range b.x.Data {
		if v != float64(i%columns) {
			t.Fatalf("value %d is %v", i, v)
		}
	}
}

// FuzzParse compares what the parser accepts with encoding/json.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		irisBody, `{"inputs":[[1,-2.5e-3,null,true]],"instances":"x"}`, `{"instances":[{"a":1,"b":[2,3]}]}`,
		`{"instances":[["6.8"," 1_0 "]]}`, `{"instances":[[{"a":1,"b":"2"},{"b":3,"a":4}]]}`,
		`{"instances":[{"a":{"0":1,"1":2},"b":{"1":3,"2":4},"c":5}]}`, `{"instances":[{"a":[1e400]}],"x":"\ud83d\ude00"}`,
		`{"specversion":"1.0","id":1,"source":"/","type":"t","time":"x","data":{"instances":[[1]]}}`,
		`{"a":"\u00e9\\","instances":[[0.1e+5]]}`, `[1]`, `{"instances":[[1]}`, `{"instances":[["a"]],"inputs":[[1]]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := &batch{schema: frame.Schema{Width: 3}}
		err := b.parse(body)
		if len(b.x.Data) != b.x.Rows*b.x.Cols && err == nil {
			t.Fatalf("%d values for %d rows of %d", len(b.x.Data), b.x.Rows, b.x.Cols)
		}
		if err == nil && !json.Valid(body) {
			t.Fatalf("accepted %q, which is no JSON", body)
		}
		var want struct {
			Instances, Inputs [][]float64
		}
		if err != nil || json.Unmarshal(body, &want) != nil {
			return
		}
		rows := want.Inputs
		if rows == nil {
			rows = want.Instances
		}
		compareRows(t, rows, b.x)
	})
}

// compareRows skips what encoding/json reads otherwise: keys in any case, and
// null as 0.
func compareRows(t *testing.T, want [][]float64, got frame.Frame) {
	t.Helper()
	if len(want) != got.Rows {
		return
	}
	for i, row := range want {
		if len(row) != got.Cols {
			return
		}
		for j, v := range row {
			if g := got.Data[i*got.Cols+j]; g != v && !math.IsNaN(g) {
				t.Errorf("row %d, column %d: %v, want %v", i, j, g, v)
			}
		}
	}
}
