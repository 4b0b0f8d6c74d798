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

	"sklearn.dummy.DummyClassifier": newDummyClassifier,
	"sklearn.dummy.DummyRegressor":  newDummyRegressor,

	"sklearn.frozen.FrozenEstimator":                     newInner("estimator"),
	"sklearn.model_selection.FixedThresholdClassifier":   newFixedThreshold,
	"sklearn.model_selection.GridSearchCV":               newSearch,
	"sklearn.model_selection.HalvingGridSearchCV":        newSearch,
	"sklearn.model_selection.HalvingRandomSearchCV":      newSearch,
	"sklearn.model_selection.RandomizedSearchCV":         newSearch,
	"sklearn.model_selection.TunedThresholdClassifierCV": newTunedThreshold,
	"sklearn.semi_supervised.SelfTrainingClassifier":     newSelfTraining,

	"sklearn.calibration.CalibratedClassifierCV": newCalibrated,
	"sklearn.isotonic.IsotonicRegression":        newIsotonic,

	"sklearn.ensemble.AdaBoostClassifier": newAdaBoostClassifier,
	"sklearn.ensemble.AdaBoostRegressor":  newAdaBoostRegressor,
	"sklearn.ensemble.BaggingClassifier":  newBaggingClassifier,
	"sklearn.ensemble.BaggingRegressor":   newBaggingRegressor,
	"sklearn.ensemble.StackingClassifier": newStackingClassifier,
	"sklearn.ensemble.StackingRegressor":  newStackingRegressor,
	"sklearn.ensemble.VotingClassifier":   newVotingClassifier,
	"sklearn.ensemble.VotingRegressor":    newVotingRegressor,

	"sklearn.compose.TransformedTargetRegressor": newTarget,
	"sklearn.multiclass.OneVsOneClassifier":      newOneVsOne,
	"sklearn.multiclass.OneVsRestClassifier":     newOneVsRest,
	"sklearn.multiclass.OutputCodeClassifier":    newOutputCode,
	"sklearn.multioutput.ClassifierChain":        newClassifierChain,
	"sklearn.multioutput.MultiOutputClassifier":  newMultiOutputClassifier,
	"sklearn.multioutput.MultiOutputRegressor":   newMultiOutputRegressor,
	"sklearn.multioutput.RegressorChain":         newRegressorChain,
}
