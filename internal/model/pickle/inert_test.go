// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
)

// What a file may hold beside an estimator, as Python's pickle writes it.
func TestUnknownNamesBecomeInertValues(t *testing.T) {
	none := None{}
	global := func(module, name string) *Global { return &Global{Module: module, Name: name} }
	for name, test := range map[string]struct {
		file string
		want any
	}{
		"a function":                {"cos\nsystem\n.", global("os", "system")},
		"a call":                    {"cos\nsystem\n(S'id'\ntR.", &Object{Class: global("os", "system"), Args: Tuple{"id"}}},
		"a call of its result":      {"cos\nsystem\n)R(S'x'\ntR.", &Object{Class: global("os", "system"), Args: Tuple{"x"}}},
		"an instance and its state": {"\x80\x02ca.b\nC\n)\x81}U\x01xK\x05sb.", &Object{Class: global("a.b", "C"), State: Dict{map[string]any{"x": int64(5)}}}},
		"slots":                     {"\x80\x02ca\nC\n)\x81N}U\x01xK\x05s\x86b.", &Object{Class: global("a", "C"), State: Dict{map[string]any{"x": int64(5)}}, Raw: Tuple{none, &Dict{map[string]any{"x": int64(5)}}}}},
		"a state of another kind":   {"\x80\x02cnumpy.ma.core\n_mareconstruct\n)R(K\x01K\x02K\x03tb.", &Object{Class: global("numpy.ma.core", "_mareconstruct"), Raw: Tuple{int64(1), int64(2), int64(3)}}},
		"keyword arguments":         {"\x80\x04ca\nC\n)}U\x01xK\x05s\x92.", &Object{Class: global("a", "C")}},
		"a subclass of dict":        {"\x80\x02csklearn.utils\nBunch\n)\x81U\x01xK\x05s.", &Object{Class: global("sklearn.utils", "Bunch"), Items: Dict{map[string]any{"x": int64(5)}}}},
		"a subclass of list":        {"\x80\x02ca\nL\n)\x81K\x05a.", &Object{Class: global("a", "L"), List: List{[]any{int64(5)}}}},
		"a subclass of an array":    {"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nmemmap\n(I0\ntS'b'\ntR.", &Object{Class: global("numpy", "a subclass of ndarray"), Args: Tuple{global("numpy", "memmap"), Tuple{int64(0)}, "b"}}},
		"an ordered dict":           {"\x80\x02ccollections\nOrderedDict\n)RU\x01xK\x05s.", &Dict{map[string]any{"x": int64(5)}}},
		"a set of protocol 2":       {"\x80\x02c__builtin__\nset\n]K\x05a\x85R.", &Set{[]any{int64(5)}}},
		"a set of protocol 4":       {"\x80\x04\x8f(K\x05\x90.", &Set{[]any{int64(5)}}},
		"a bytearray":               {"\x80\x03cbuiltins\nbytearray\nC\x02ab\x85R.", Bytes("ab")},
		"a date of numpy":           {"\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02M8\x89\x88\x87RC\x0812345678\x86R.", nil},
	} {
		b := budget.New(budget.DefaultLimits, int64(len(test.file)))
		got, err := unpickle(newSource(strings.NewReader(test.file), -1, b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if test.want == nil {
			if _, ok := got.(*Object); !ok {
				t.Errorf("%s: %s", name, Describe(got))
			}
			continue
		}
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b *Global) bool { return a.Module == b.Module && a.Name == b.Name }), cmp.Transformer("empty", func(t Tuple) []any { return append([]any{}, t...) })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNamesAreThoseOfTheDocumentation(t *testing.T) {
	for want, g := range map[string]*Global{
		"sklearn.svm.SVC": {Module: "sklearn.svm._classes", Name: "SVC"},
		"sklearn.ensemble.HistGradientBoostingClassifier": {Module: "sklearn.ensemble._hist_gradient_boosting.gradient_boosting", Name: "HistGradientBoostingClassifier"},
		"sklearn.feature_extraction.text.TfidfVectorizer": {Module: "sklearn.feature_extraction.text", Name: "TfidfVectorizer"},
		"xgboost.sklearn.XGBClassifier":                   {Module: "xgboost.sklearn", Name: "XGBClassifier"},
		"a._b.?[31m":                                      {Module: "a._b", Name: "\x1b[31m"},
		"a." + strings.Repeat("x", 98) + "...":            {Module: "a", Name: strings.Repeat("x", 400)},
	} {
		if got := g.Public(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
