// SPDX-License-Identifier: Apache-2.0

// Package linear has the estimators that multiply a row with coefficients.
package linear

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.linear_model.LogisticRegression": newLogistic,
}
