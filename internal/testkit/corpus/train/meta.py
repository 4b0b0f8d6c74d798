"""Estimators of estimators."""

import numpy as np
from sklearn import ensemble, multiclass, multioutput
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import derived

TREE = {"max_depth": 2, "random_state": 0}


def logistic(**how):
    return LogisticRegression(max_iter=300, **how)


def stump(**how):
    return DecisionTreeClassifier(**dict(TREE, **how))


def cases(a, d):
    searches(a, d)
    calibrated(a, d)
    votes(a, d)
    bags(a, d)
    boosts(a, d)
    several(a, d)
    targets(a, d)
    thresholds(a, d)


def searches(a, d):
    def one(name, make, X=d.X, y=d.names, inputs=d.flowers):
        a.add(name, make, X, y, inputs)

    one("grid-svc", lambda: GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=2))
    one("grid-svc-proba", lambda: GridSearchCV(SVC(probability=True, random_state=0), {"kernel": ["rbf", "linear"]}, cv=2))
    one("grid-pipeline", lambda: GridSearchCV(make_pipeline(StandardScaler(), logistic()), {"logisticregression__C": [0.1, 1]}, cv=KFold(3, shuffle=True, random_state=0), scoring="accuracy"))
    one("grid-metrics", lambda: GridSearchCV(stump(), {"max_depth": [1, 2]}, cv=2, scoring={"a": "accuracy", "f": "f1_macro"}, refit="a", return_train_score=True))
    one("grid-not-refitted", lambda: GridSearchCV(stump(), {"max_depth": [1, 2]}, cv=2, refit=False))
    one("grid-regressor", lambda: GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2), d.N, d.t, d.numbers)
    one("grid-in-pipeline", lambda: make_pipeline(StandardScaler(), GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=2)))
    one("grid-frame", lambda: GridSearchCV(logistic(), {"C": [0.1, 1]}, cv=2), d.frame, d.names, d.flower_frame)
    one("random-forest", lambda: RandomizedSearchCV(ensemble.RandomForestClassifier(random_state=0, n_estimators=3), {"max_depth": [1, 2, 3]}, n_iter=2, cv=2, random_state=0))
    prep = ColumnTransformer([("w", OneHotEncoder(handle_unknown="ignore"), ["city", "job"])], remainder="drop")
    one("random-columns", lambda: RandomizedSearchCV(Pipeline([("p", prep), ("m", logistic())]), {"m__C": [0.1, 1]}, n_iter=2, cv=2, random_state=0), d.people, d.buys, d.strangers)

    def scipy_search():
        from scipy.stats import loguniform
        return RandomizedSearchCV(logistic(), {"C": loguniform(0.1, 10)}, n_iter=2, cv=2, random_state=0)

    one("random-scipy", scipy_search)

    def halving():
        from sklearn.experimental import enable_halving_search_cv  # noqa: F401
        from sklearn.model_selection import HalvingGridSearchCV
        return HalvingGridSearchCV(stump(), {"max_depth": [1, 2]}, cv=2, random_state=0)

    one("halving", halving)


def calibrated(a, d):
    for method in ["sigmoid", "isotonic", "temperature"]:
        for name, y in [("", d.names), ("-binary", d.bools), ("-five", d.five)]:
            for base, make in [("svc", lambda: LinearSVC(random_state=0)), ("bayes", GaussianNB)]:
                a.add("calibrated-%s-%s%s" % (method, base, name), lambda: CalibratedClassifierCV(make(), method=method, cv=2), d.X, y, d.flowers)
        a.add("calibrated-%s-alone" % method, lambda: CalibratedClassifierCV(stump(), method=method, cv=2, ensemble=False), d.X, d.names, d.flowers)
    a.add("calibrated-svc", lambda: CalibratedClassifierCV(SVC(), cv=2), d.X, d.names, d.flowers)
    a.add("calibrated-pipeline", lambda: CalibratedClassifierCV(make_pipeline(StandardScaler(), RidgeClassifier()), cv=2), d.X, d.names, d.flowers)
    a.add("calibrated-prefit", lambda: CalibratedClassifierCV(stump().fit(d.X, d.names), cv="prefit"), d.X, d.names, d.flowers)
    a.add("calibrated-default", lambda: CalibratedClassifierCV(cv=2), d.X, d.bools, d.flowers)
    a.add("calibrated-frame", lambda: CalibratedClassifierCV(logistic(), cv=2), d.frame, d.names, d.flower_frame)

    def frozen():
        from sklearn.frozen import FrozenEstimator
        return CalibratedClassifierCV(FrozenEstimator(stump().fit(d.X, d.names)))

    a.add("calibrated-frozen", frozen, d.X, d.names, d.flowers)


def votes(a, d):
    three = lambda: [("l", logistic()), ("t", stump()), ("b", GaussianNB())]  # noqa: E731
    for voting in ["hard", "soft"]:
        for name, y in [("", d.names), ("-binary", d.bools), ("-five", d.five)]:
            a.add("voting-%s%s" % (voting, name), lambda: ensemble.VotingClassifier(three(), voting=voting), d.X, y, d.flowers)
        a.add("voting-%s-weights" % voting, lambda: ensemble.VotingClassifier(three(), voting=voting, weights=[1, 2.5, 1]), d.X, d.ints, d.flowers)
        a.add("voting-%s-drop" % voting, lambda: ensemble.VotingClassifier([*three(), ("d", "drop")], voting=voting), d.X, d.ints, d.flowers)
    a.add("voting-pipelines", lambda: ensemble.VotingClassifier([("s", make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))), ("t", stump())], voting="soft"), d.frame, d.names, d.flower_frame)
    two = lambda: [("l", LinearRegression()), ("t", DecisionTreeRegressor(**TREE))]  # noqa: E731
    a.add("voting-regressor", lambda: ensemble.VotingRegressor(two()), d.N, d.t, d.numbers)
    a.add("voting-regressor-weights", lambda: ensemble.VotingRegressor(two(), weights=[1, 3]), d.N, d.t, d.numbers)
    for name, y in [("", d.names), ("-binary", d.bools)]:
        for method in ["auto", "predict_proba", "predict"]:
            a.add("stacking-%s%s" % (method.replace("_", "-"), name), lambda: ensemble.StackingClassifier(three(), logistic(), stack_method=method, cv=2), d.X, y, d.flowers)
        a.add("stacking-decision" + name, lambda: ensemble.StackingClassifier([("s", LinearSVC(random_state=0)), ("r", RidgeClassifier()), ("t", stump())], logistic(), cv=2), d.X, y, d.flowers)
    a.add("stacking-passthrough", lambda: ensemble.StackingClassifier(three(), stump(max_depth=4), passthrough=True, cv=2), d.X, d.names, d.flowers)
    a.add("stacking-drop", lambda: ensemble.StackingClassifier([*three(), ("d", "drop")], cv=2), d.X, d.names, d.flowers)
    a.add("stacking-prefit", lambda: ensemble.StackingClassifier([(n, e.fit(d.X, d.names)) for n, e in three()], cv="prefit"), d.X, d.names, d.flowers)
    a.add("stacking-frame", lambda: ensemble.StackingClassifier(three(), cv=2, passthrough=True), d.frame, d.names, d.flower_frame)
    a.add("stacking-regressor", lambda: ensemble.StackingRegressor(two(), cv=2), d.N, d.t, d.numbers)
    a.add("stacking-regressor-passthrough", lambda: ensemble.StackingRegressor(two(), DecisionTreeRegressor(max_depth=4, random_state=0), cv=2, passthrough=True), d.N, d.t, d.numbers)


def bags(a, d):
    how = {"n_estimators": 3, "random_state": 0}
    for name, make in [("default", lambda: None), ("logistic", logistic), ("linear-svc", lambda: LinearSVC(random_state=0)), ("knn", lambda: KNeighborsClassifier(3)), ("ridge", RidgeClassifier), ("svc", SVC)]:
        a.add("bagging-" + name, lambda: ensemble.BaggingClassifier(make(), max_samples=0.5, **how), d.X, d.names, d.flowers)
    a.add("bagging-binary", lambda: ensemble.BaggingClassifier(logistic(), **how), d.X, d.bools, d.flowers)
    a.add("bagging-features", lambda: ensemble.BaggingClassifier(stump(), max_features=2, bootstrap_features=True, **how), d.X, d.names, d.flowers)
    a.add("bagging-classes-missing", lambda: ensemble.BaggingClassifier(logistic(), max_samples=5, **how), d.X, d.five, d.flowers)
    a.add("bagging-gaps", lambda: ensemble.BaggingClassifier(ensemble.HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4), **how), d.holes, d.names, d.gaps)
    a.add("bagging-frame", lambda: ensemble.BaggingClassifier(stump(), **how), d.frame, d.names, d.flower_frame)
    a.add("bagging-regressor", lambda: ensemble.BaggingRegressor(DecisionTreeRegressor(**TREE), **how), d.N, d.t, d.numbers)
    a.add("bagging-regressor-features", lambda: ensemble.BaggingRegressor(SVR(), max_features=3, max_samples=0.4, **how), d.N, d.t, d.numbers)
    a.add("bagging-regressor-two-outputs", lambda: ensemble.BaggingRegressor(LinearRegression(), **how), d.N, d.t2, d.numbers)


def boosts(a, d):
    how = {"n_estimators": 4, "random_state": 0}
    for algorithm in ["SAMME", "SAMME.R", None]:
        more = {} if algorithm is None else {"algorithm": algorithm}
        name = "default" if algorithm is None else algorithm.lower().replace(".", "-")
        for suffix, y in [("", d.names), ("-binary", d.bools), ("-five", d.five)]:
            a.add("adaboost-%s%s" % (name, suffix), lambda: ensemble.AdaBoostClassifier(**how, **more), d.X, y, d.flowers)
        a.add("adaboost-%s-logistic" % name, lambda: ensemble.AdaBoostClassifier(logistic(), **how, **more), d.X, d.ints, d.flowers)
        a.add("adaboost-%s-rate" % name, lambda: ensemble.AdaBoostClassifier(stump(), learning_rate=0.3, **how, **more), d.X, d.ints, d.flowers)
    a.add("adaboost-svc", lambda: ensemble.AdaBoostClassifier(SVC(), algorithm="SAMME", **how), d.X, d.ints, d.flowers)
    a.add("adaboost-frame", lambda: ensemble.AdaBoostClassifier(**how), d.frame, d.ints, d.flower_frame)
    for loss in ["linear", "square", "exponential"]:
        a.add("adaboost-regressor-" + loss, lambda: ensemble.AdaBoostRegressor(DecisionTreeRegressor(**TREE), loss=loss, **how), d.N, d.t, d.numbers)
    a.add("adaboost-regressor-linear-model", lambda: ensemble.AdaBoostRegressor(LinearRegression(), **how), d.N, d.t, d.numbers)


def several(a, d):
    def one(name, make, y=d.names):
        a.add(name, make, d.X, y, d.flowers)

    for name, make in [("logistic", logistic), ("svc", lambda: LinearSVC(random_state=0)), ("bayes", GaussianNB), ("kernel", lambda: SVC(probability=True, random_state=0))]:
        for suffix, y in [("", d.names), ("-binary", d.bools), ("-five", d.five), ("-multilabel", d.labels)]:
            one("one-vs-rest-%s%s" % (name, suffix), lambda: multiclass.OneVsRestClassifier(make()), y)
            if suffix != "-multilabel":
                one("one-vs-one-%s%s" % (name, suffix), lambda: multiclass.OneVsOneClassifier(make()), y)
    one("one-vs-rest-constant", lambda: multiclass.OneVsRestClassifier(logistic()), np.c_[d.labels, np.ones(75, int), np.zeros(75, int)])
    one("output-code", lambda: multiclass.OutputCodeClassifier(logistic(), code_size=2, random_state=0))
    one("output-code-svc", lambda: multiclass.OutputCodeClassifier(LinearSVC(random_state=0), code_size=1.5, random_state=0), d.five)
    for name, make in [("logistic", logistic), ("tree", stump), ("svc", lambda: LinearSVC(random_state=0))]:
        one("multi-output-" + name, lambda: multioutput.MultiOutputClassifier(make()), d.outputs)
        one("chain-" + name, lambda: multioutput.ClassifierChain(make(), order=[2, 0, 1]), d.labels)
    one("multi-output-names", lambda: multioutput.MultiOutputClassifier(stump()), np.c_[d.objects, np.array(["x", "y"])[d.labels[:, 1]]])
    one("chain-default", lambda: multioutput.ClassifierChain(logistic(), random_state=0, cv=2), d.labels)
    a.add("multi-output-regressor", lambda: multioutput.MultiOutputRegressor(SVR()), d.N, d.t2, d.numbers)
    a.add("multi-output-regressor-boosting", lambda: multioutput.MultiOutputRegressor(ensemble.GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=0)), d.N, d.t2, d.numbers)
    a.add("chain-regressor", lambda: multioutput.RegressorChain(Ridge(), order=[1, 0]), d.N, d.t2, d.numbers)
    some = np.where(np.arange(75) % 4 == 0, -1, d.y)
    one("self-training", lambda: SelfTrainingClassifier(logistic()), some)


def targets(a, d):
    def one(name, make, y=d.t, X=d.N, inputs=d.numbers):
        a.add("target-" + name, make, X, y, inputs)

    one("log", lambda: TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), d.positive)
    one("exp", lambda: TransformedTargetRegressor(DecisionTreeRegressor(**TREE), func=np.log, inverse_func=np.exp), d.positive)
    one("sqrt", lambda: TransformedTargetRegressor(Ridge(), func=np.sqrt, inverse_func=np.square), d.positive)
    one("standard", lambda: TransformedTargetRegressor(SVR(), transformer=StandardScaler()))
    one("min-max", lambda: TransformedTargetRegressor(Ridge(), transformer=MinMaxScaler()))
    one("two-outputs", lambda: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), d.t2)
    one("default", TransformedTargetRegressor)
    one("pipeline", lambda: make_pipeline(StandardScaler(), TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)), d.positive)

    def power(**how):
        from sklearn.preprocessing import PowerTransformer, QuantileTransformer
        return TransformedTargetRegressor(Ridge(), transformer=QuantileTransformer(n_quantiles=20, **how) if how else PowerTransformer())

    one("power", power)
    one("quantile", lambda: power(output_distribution="normal"))
    for name, how in [("", {}), ("-clip", {"out_of_bounds": "clip"}), ("-decreasing", {"increasing": False, "y_min": 2})]:
        a.add("isotonic" + name, lambda: IsotonicRegression(**how), d.N[:, :1], d.t, derived.matrix("first", d.numbers.python()[:, :1]))


def thresholds(a, d):
    def choose(name, **how):
        from sklearn import model_selection
        return getattr(model_selection, name)(logistic(), **how)

    a.add("threshold-fixed", lambda: choose("FixedThresholdClassifier", threshold=0.3), d.X, d.bools, d.flowers)
    a.add("threshold-decision", lambda: choose("FixedThresholdClassifier", threshold=0.3, response_method="decision_function", pos_label="no"), d.X, np.where(d.bools, "yes", "no"), d.flowers)
    a.add("threshold-tuned", lambda: choose("TunedThresholdClassifierCV", cv=2, random_state=0), d.X, d.bools, d.flowers)
