// SPDX-License-Identifier: Apache-2.0

// Package columns has the estimators that make other columns of a block.
//
// Their formulas are those of the chapters "Preprocessing data", "Imputation of
// missing values", "Feature selection" and "Decomposing signals in components" of
// scikit-learn's user guide. Estimators that keep zeros take sparse blocks too.
package columns

import "github.com/serin-dev/serin/internal/model/fitted"

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.compose.ColumnTransformer":    newTransformer,
	"sklearn.decomposition.FactorAnalysis": newFactors,
	"sklearn.decomposition.FastICA":        newICA,
	"sklearn.decomposition.IncrementalPCA": newPCA,
	"sklearn.decomposition.PCA":            newPCA,
	"sklearn.decomposition.TruncatedSVD":   newSVD,

	"sklearn.feature_selection.GenericUnivariateSelect":   newUnivariate,
	"sklearn.feature_selection.RFE":                       newElimination,
	"sklearn.feature_selection.RFECV":                     newElimination,
	"sklearn.feature_selection.SelectFdr":                 newUnivariate,
	"sklearn.feature_selection.SelectFpr":                 newUnivariate,
	"sklearn.feature_selection.SelectFwe":                 newUnivariate,
	"sklearn.feature_selection.SelectFromModel":           newFromModel,
	"sklearn.feature_selection.SelectKBest":               newUnivariate,
	"sklearn.feature_selection.SelectPercentile":          newUnivariate,
	"sklearn.feature_selection.SequentialFeatureSelector": newSupport,
	"sklearn.feature_selection.VarianceThreshold":         newVariance,

	"sklearn.impute.MissingIndicator": newIndicator,
	"sklearn.impute.SimpleImputer":    newImputer,

	"sklearn.pipeline.FeatureUnion": newUnion,

	"sklearn.preprocessing.Binarizer":           newBinarizer,
	"sklearn.preprocessing.FunctionTransformer": newFunction,
	"sklearn.preprocessing.KBinsDiscretizer":    newBins,
	"sklearn.preprocessing.MaxAbsScaler":        newMaxAbs,
	"sklearn.preprocessing.MinMaxScaler":        newMinMax,
	"sklearn.preprocessing.Normalizer":          newNormalizer,
	"sklearn.preprocessing.OneHotEncoder":       newOneHot,
	"sklearn.preprocessing.OrdinalEncoder":      newOrdinal,
	"sklearn.preprocessing.PolynomialFeatures":  newPolynomial,
	"sklearn.preprocessing.PowerTransformer":    newPower,
	"sklearn.preprocessing.QuantileTransformer": newQuantile,
	"sklearn.preprocessing.RobustScaler":        newRobust,
	"sklearn.preprocessing.StandardScaler":      newStandard,
	"sklearn.preprocessing.TargetEncoder":       newTarget,
}
