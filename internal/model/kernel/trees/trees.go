// SPDX-License-Identifier: Apache-2.0

// Package trees has the estimators that are decision trees, or sums of them.
//
// A tree is read into nodes of 12 or 16 bytes. A block of rows passes through one
// tree after the other, several rows at a time: so the nodes of a tree are loaded
// into the cache once for a block, and a core follows several paths at once. The sums
// over trees are those of one row at a time, bit for bit.
package trees

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.tree.DecisionTreeClassifier":             newTreeClassifier,
	"sklearn.tree.DecisionTreeRegressor":              newTreeRegressor,
	"sklearn.tree.ExtraTreeClassifier":                newTreeClassifier,
	"sklearn.tree.ExtraTreeRegressor":                 newTreeRegressor,
	"sklearn.ensemble.RandomForestClassifier":         newForestClassifier,
	"sklearn.ensemble.RandomForestRegressor":          newForestRegressor,
	"sklearn.ensemble.ExtraTreesClassifier":           newForestClassifier,
	"sklearn.ensemble.ExtraTreesRegressor":            newForestRegressor,
	"sklearn.ensemble.RandomTreesEmbedding":           newEmbedding,
	"sklearn.ensemble.GradientBoostingClassifier":     newBoostingClassifier,
	"sklearn.ensemble.GradientBoostingRegressor":      newBoostingRegressor,
	"sklearn.ensemble.HistGradientBoostingClassifier": newHistogramClassifier,
	"sklearn.ensemble.HistGradientBoostingRegressor":  newHistogramRegressor,
	"sklearn.ensemble.IsolationForest":                newIsolation,
}
