// SPDX-License-Identifier: Apache-2.0

// Package xgboost reads models that XGBoost saved, as .json, .ubj or, in the binary
// format of before 2.1, as .model and .bst files, and its estimators in the pickles of
// scikit-learn's users.
//
// A file's answers are those of Booster.predict, which is what KServe's server calls:
// probabilities for binary:logistic and multi:softprob, the class for multi:softmax.
// An estimator's are those of its own predict.
//
// The formats are described at
// https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html, and by the
// schema of the JSON files there.
package xgboost

import (
	"io"
	"math"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

var nan = float32(math.NaN())

// Load reads a model from a file of size bytes.
func Load(r io.Reader, size int64, limits budget.Limits) (frame.Model, error) {
	data, b, err := budget.Read(r, size, limits)
	if err != nil {
		return nil, err
	}
	m, err := parse(data, b)
	if err != nil {
		return nil, err
	}
	root, err := m.build(b, len(m.trees))
	if err != nil {
		return nil, err
	}
	root.missing = nan
	return graph.New(root, "Booster", root.margins, m.remarks()...), nil
}
