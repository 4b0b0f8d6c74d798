// SPDX-License-Identifier: Apache-2.0

// Package models holds two small iris models, trained with scikit-learn, for
// the demo, the tutorial and the tests. See internal/model/format/sklearn/testdata/train.py.
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

// First and Second name the models within Bucket.
const (
	First  = "kfserving-examples/models/sklearn/1.0/model/model.joblib"
	Second = "kfserving-examples/models/sklearn/1.0/model-2/model.joblib"
)

// Bucket returns the tree bucket/object of a storage server with both models under
// the URIs of KServe's walk-through.
func Bucket() fs.FS {
	return fstest.MapFS{First: {Data: first}, Second: {Data: second}}
}
