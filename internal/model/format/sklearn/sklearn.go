// SPDX-License-Identifier: Apache-2.0

// Package sklearn loads models that scikit-learn saved, as .joblib, .pkl or .pickle
// files, and those of skops. It is a list of the kernels: package pickle or skops reads
// the file, and package fitted builds the estimators that the kernels have.
package sklearn

import (
	"io"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/format/lightgbm"
	"github.com/serin-dev/serin/internal/model/format/xgboost"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/kernel/bayes"
	"github.com/serin-dev/serin/internal/model/kernel/cluster"
	"github.com/serin-dev/serin/internal/model/kernel/columns"
	"github.com/serin-dev/serin/internal/model/kernel/linear"
	"github.com/serin-dev/serin/internal/model/kernel/meta"
	"github.com/serin-dev/serin/internal/model/kernel/mlp"
	"github.com/serin-dev/serin/internal/model/kernel/neighbours"
	"github.com/serin-dev/serin/internal/model/kernel/svm"
	"github.com/serin-dev/serin/internal/model/kernel/text"
	"github.com/serin-dev/serin/internal/model/kernel/trees"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/skops"
)

// Suffixes are those of the files.
var Suffixes = []string{".joblib", ".pkl", ".pickle"}

var classes = fitted.Table(bayes.Classes, cluster.Classes, columns.Classes, linear.Classes, meta.Classes, mlp.Classes, neighbours.Classes, svm.Classes, text.Classes, trees.Classes,
	lightgbm.Classes, xgboost.Classes)

// Load reads a model from a file of size bytes.
func Load(r io.Reader, size int64, limits budget.Limits) (frame.Model, error) {
	value, left, err := pickle.Read(r, size, limits)
	if err != nil {
		return nil, err
	}
	return fitted.Build(value, left, classes)
}

// LoadSkops reads a model from a file of skops.
func LoadSkops(r io.Reader, size int64, limits budget.Limits) (frame.Model, error) {
	value, left, err := skops.Read(r, size, limits)
	if err != nil {
		return nil, err
	}
	return fitted.Build(value, left, classes)
}
