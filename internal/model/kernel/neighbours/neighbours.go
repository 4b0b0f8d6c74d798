// SPDX-License-Identifier: Apache-2.0

// Package neighbours has the estimators that answer for a row as the rows near to it,
// which they have seen when they were fitted.
//
// Rows that are equally far decide by the order in which scikit-learn looks at them. So
// a search goes the way of scikit-learn's: through the tree that the file has, or
// through all rows, with the same heap. Without a tree and with more than 256 rows,
// scikit-learn's choice depends on the number of its threads: this is that of one.
package neighbours

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.neighbors.KNeighborsClassifier":      newClassifier,
	"sklearn.neighbors.KNeighborsRegressor":       newRegressor,
	"sklearn.neighbors.LocalOutlierFactor":        newOutliers,
	"sklearn.neighbors.NearestCentroid":           newCentroid,
	"sklearn.neighbors.RadiusNeighborsClassifier": newRadiusClassifier,
	"sklearn.neighbors.RadiusNeighborsRegressor":  newRadiusRegressor,
}
