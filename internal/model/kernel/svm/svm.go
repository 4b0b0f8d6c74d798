// SPDX-License-Identifier: Apache-2.0

// Package svm has the estimators of libsvm.
package svm

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.svm.NuSVC":       newSVC,
	"sklearn.svm.NuSVR":       newRegressor,
	"sklearn.svm.OneClassSVM": newOneClass,
	"sklearn.svm.SVC":         newSVC,
	"sklearn.svm.SVR":         newRegressor,
}
