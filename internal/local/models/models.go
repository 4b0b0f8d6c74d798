// SPDX-License-Identifier: Apache-2.0

// Package models holds two small iris models, trained with scikit-learn, for
// the demo, the tutorial and the tests. See internal/sklearn/testdata/train.py.
package models

import (
	_ "embed"
	"io/fs"
	"testing/fstest"
)

//go:embed iris-1/model.joblib
var first []byte

//go:embed iris-2/model.joblib
var second []byte

// Bucket is the tree bucket/object of a store that holds both models where the
// walk-through looks for them.
func Bucket() fs.FS {
	const prefix = "kfserving-examples/models/sklearn/1.0/"
	return fstest.MapFS{
		prefix + "model/model.joblib":   {Data: first},
		prefix + "model-2/model.joblib": {Data: second},
	}
}
