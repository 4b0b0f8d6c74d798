// SPDX-License-Identifier: Apache-2.0

// Package meta has the estimators that hold other estimators.
//
// Their constructors build all inner estimators before they check anything, so that
// an error can list all that are not supported.
package meta

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.pipeline.Pipeline": newPipeline,
}
