// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"testing"

	"github.com/serin-dev/serin/internal/model/pickle"
)

func TestBundlesAreRefusedWithTheEstimatorsInThem(t *testing.T) {
	saved := func(module, name string) any {
		return &pickle.Object{Class: &pickle.Global{Module: module, Name: name}, State: pickle.Dict{Entries: map[string]any{"_sklearn_version": "1.9.1"}}}
	}
	model, scaler := saved("sklearn.svm._classes", "SVC"), saved("sklearn.preprocessing._data", "StandardScaler")
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"a dict":               {&pickle.Dict{Entries: map[string]any{"scaler": scaler, "model": model, "x": "y"}}, `the file holds a dict, not an estimator: save one of its values by itself ("model", a sklearn.svm.SVC; "scaler", a sklearn.preprocessing.StandardScaler)`},
		"a tuple":              {pickle.Tuple{"names", model}, "the file holds a tuple, not an estimator: save one of its values by itself (number 2, a sklearn.svm.SVC)"},
		"a list":               {&pickle.List{Items: []any{model, model, model, model}}, "the file holds a list, not an estimator: save one of its values by itself (number 1, a sklearn.svm.SVC; number 2, a sklearn.svm.SVC; number 3, a sklearn.svm.SVC)"},
		"a list without any":   {&pickle.List{Items: []any{"x"}}, "the file holds a list, not an estimator"},
		"a dict in disguise":   {&pickle.Dict{Entries: map[string]any{"\x1b[31m": model}}, `the file holds a dict, not an estimator: save one of its values by itself ("?[31m", a sklearn.svm.SVC)`},
		"what is no container": {"x", "the file holds a str, not an estimator"},
	} {
		if _, err := Build(test.value, estimator(nil).builder.Budget, Classes{}); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
