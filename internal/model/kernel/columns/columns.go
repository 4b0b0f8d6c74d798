// SPDX-License-Identifier: Apache-2.0

// Package columns has the estimators that make other columns of a block.
package columns

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.preprocessing.StandardScaler": newScaler,
}
