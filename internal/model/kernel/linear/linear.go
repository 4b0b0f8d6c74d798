// SPDX-License-Identifier: Apache-2.0

// Package linear has the estimators that multiply a row with coefficients.
//
// What differs among them is how they are fitted, and what becomes of the products:
// a regressor answers them, or the inverse of its link function. A classifier decides
// for the class of the largest, or by the sign of the only one.
package linear

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
)

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.cross_decomposition.PLSRegression":                newPLS,
	"sklearn.discriminant_analysis.LinearDiscriminantAnalysis": newDiscriminant,

	"sklearn.linear_model.LogisticRegression":          newLogistic,
	"sklearn.linear_model.LogisticRegressionCV":        newLogistic,
	"sklearn.linear_model.PassiveAggressiveClassifier": newPlain,
	"sklearn.linear_model.Perceptron":                  newPlain,
	"sklearn.linear_model.RidgeClassifier":             newRidgeClassifier,
	"sklearn.linear_model.RidgeClassifierCV":           newRidgeClassifier,
	"sklearn.linear_model.SGDClassifier":               newSGD,
	"sklearn.linear_model.SGDOneClassSVM":              newOneClass,
	"sklearn.svm.LinearSVC":                            newPlain,

	"sklearn.linear_model.ARDRegression":               newRegressor,
	"sklearn.linear_model.BayesianRidge":               newRegressor,
	"sklearn.linear_model.ElasticNet":                  newRegressor,
	"sklearn.linear_model.ElasticNetCV":                newRegressor,
	"sklearn.linear_model.HuberRegressor":              newRegressor,
	"sklearn.linear_model.Lars":                        newRegressor,
	"sklearn.linear_model.LarsCV":                      newRegressor,
	"sklearn.linear_model.Lasso":                       newRegressor,
	"sklearn.linear_model.LassoCV":                     newRegressor,
	"sklearn.linear_model.LassoLars":                   newRegressor,
	"sklearn.linear_model.LassoLarsCV":                 newRegressor,
	"sklearn.linear_model.LassoLarsIC":                 newRegressor,
	"sklearn.linear_model.LinearRegression":            newRegressor,
	"sklearn.linear_model.MultiTaskElasticNet":         newRegressor,
	"sklearn.linear_model.MultiTaskElasticNetCV":       newRegressor,
	"sklearn.linear_model.MultiTaskLasso":              newRegressor,
	"sklearn.linear_model.MultiTaskLassoCV":            newRegressor,
	"sklearn.linear_model.OrthogonalMatchingPursuit":   newRegressor,
	"sklearn.linear_model.OrthogonalMatchingPursuitCV": newRegressor,
	"sklearn.linear_model.PassiveAggressiveRegressor":  newRegressor,
	"sklearn.linear_model.QuantileRegressor":           newRegressor,
	"sklearn.linear_model.RANSACRegressor":             newRANSAC,
	"sklearn.linear_model.Ridge":                       newRegressor,
	"sklearn.linear_model.RidgeCV":                     newRegressor,
	"sklearn.linear_model.SGDRegressor":                newRegressor,
	"sklearn.linear_model.TheilSenRegressor":           newRegressor,
	"sklearn.svm.LinearSVR":                            newRegressor,

	"sklearn.linear_model.GammaRegressor":   newLinked(math.Exp),
	"sklearn.linear_model.PoissonRegressor": newLinked(math.Exp),
	"sklearn.linear_model.TweedieRegressor": newTweedie,
}
