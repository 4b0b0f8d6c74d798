// SPDX-License-Identifier: Apache-2.0

// Package lightgbm reads models that LightGBM saved as text, in .txt and .bst files, and
// its estimators in the pickles of scikit-learn's users.
//
// A file's answers are those of Booster.predict, which is what KServe's server calls:
// probabilities for a classifier. An estimator's are those of its own predict.
//
// The format has no description. Its names are those of LightGBM's parameters and of
// the tables that Booster.trees_to_dataframe makes.
package lightgbm

import (
	"fmt"
	"io"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// Load reads a model from a file of size bytes.
func Load(r io.Reader, size int64, limits budget.Limits) (frame.Model, error) {
	b := budget.New(limits, size)
	if err := b.Alloc(int(size)); err != nil {
		return nil, err
	}
	var text strings.Builder
	text.Grow(int(size))
	if _, err := io.Copy(&text, io.LimitReader(r, size)); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	root, err := parse(text.String(), b, 0)
	if err != nil {
		return nil, err
	}
	return graph.New(root, "Booster", max(root.input.Width, root.outputs)), nil
}
