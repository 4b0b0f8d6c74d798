// SPDX-License-Identifier: Apache-2.0

package pickle_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/format/sklearn"
	"github.com/serin-dev/serin/internal/model/frame"
)

// models is the folder with the fixtures of the newest scikit-learn.
const models = "../format/sklearn/testdata/sklearn-1.9.1"

// fixtures lists its model files.
func fixtures(tb testing.TB) []string {
	tb.Helper()
	var files []string
	for _, ext := range []string{"joblib", "pkl", "pickle"} {
		found, err := filepath.Glob(models + "/*." + ext)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		tb.Fatal("no fixtures in " + models)
	}
	return files
}

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// parse loads a model, and does not recover from a panic.
func parse(data []byte, limits budget.Limits) (frame.Model, error) {
	return sklearn.Load(bytes.NewReader(data), int64(len(data)), limits)
}

func message(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
