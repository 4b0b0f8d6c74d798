"""Rare forms of files: one class, labels of every type for all kinds, lists for tuples, one object in two places."""

import numpy as np
from sklearn import discriminant_analysis as da
from sklearn import ensemble, linear_model as lm, naive_bayes as nb, neighbors, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

try:
    HistGradientBoostingClassifier = ensemble.HistGradientBoostingClassifier
except AttributeError:
    from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    from sklearn.ensemble import HistGradientBoostingClassifier


def cases(a, d):
    one_class(a, d)
    labels(a, d)
    lists(a, d)
    shared(a, d)


def stump(depth=2):
    return tree.DecisionTreeClassifier(max_depth=depth, random_state=0)


MAKERS = {
    "tree": stump,
    "extra-tree": lambda: tree.ExtraTreeClassifier(max_depth=2, random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(3, max_depth=2, random_state=0),
    "extra-trees": lambda: ensemble.ExtraTreesClassifier(3, max_depth=2, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=1, random_state=0),
    "hist-boosting": lambda: HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4),
    "adaboost": lambda: ensemble.AdaBoostClassifier(stump(1), n_estimators=3, random_state=0),
    "bagging": lambda: ensemble.BaggingClassifier(stump(1), n_estimators=3, random_state=0),
    "voting": lambda: ensemble.VotingClassifier([("a", stump(1)), ("b", nb.GaussianNB())], voting="soft"),
    "voting-hard": lambda: ensemble.VotingClassifier([("a", stump(1)), ("b", stump(2)), ("c", nb.GaussianNB())]),
    "stacking": lambda: ensemble.StackingClassifier([("a", stump(1)), ("b", nb.GaussianNB())], cv=2),
    "bayes": nb.GaussianNB,
    "multinomial": nb.MultinomialNB,
    "complement": nb.ComplementNB,
    "bernoulli": lambda: nb.BernoulliNB(binarize=2.0),
    "knn": lambda: neighbors.KNeighborsClassifier(3),
    "radius": lambda: neighbors.RadiusNeighborsClassifier(3.0, outlier_label="most_frequent"),
    "centroid": neighbors.NearestCentroid,
    "mlp": lambda: MLPClassifier((3,), max_iter=5, random_state=0),
    "logistic": lambda: lm.LogisticRegression(max_iter=100),
    "ridge": lm.RidgeClassifier,
    "sgd": lambda: lm.SGDClassifier(random_state=0),
    "linear-svc": lambda: svm.LinearSVC(random_state=0),
    "svc": lambda: svm.SVC(kernel="linear"),
    "lda": da.LinearDiscriminantAnalysis,
    "qda": lambda: da.QuadraticDiscriminantAnalysis(reg_param=0.1),
    "dummy": lambda: DummyClassifier(strategy="prior"),
    "calibrated": lambda: CalibratedClassifierCV(nb.GaussianNB(), cv=2),
    "one-vs-rest": lambda: OneVsRestClassifier(lm.LogisticRegression(max_iter=100)),
    "one-vs-one": lambda: OneVsOneClassifier(lm.LogisticRegression(max_iter=100)),
}
FEW = ["tree", "forest", "hist-boosting", "adaboost", "voting-hard", "stacking", "bayes", "knn", "mlp", "logistic", "svc", "dummy", "calibrated", "one-vs-rest"]


def one_class(a, d):
    for name, make in MAKERS.items():
        a.add("one-class-" + name, make, d.X[:20], np.full(20, "only"), d.few)


def labels(a, d):
    large = np.array([3, 2**63 + 7, 2**64 - 1], np.uint64)[d.y]
    types = {
        "uint64": large,
        "bools": d.bools,
        "floats": d.floats,
        "numpy-strings": np.array([np.str_(v) for v in d.names], dtype=object),
        "big-endian": d.ints.astype(">i2"),
        "big-endian-names": d.names.astype(d.names.dtype.newbyteorder(">")),
    }
    for label, y in types.items():
        for name in FEW:
            if label in ("uint64", "bools", "floats") or name in ("tree", "voting-hard", "knn"):
                a.add("labels-%s-%s" % (label, name), MAKERS[name], d.X, y, d.few, methods=["predict", "predict_proba"])
    a.add("labels-two-outputs", stump, d.X, np.c_[large, large[::-1]], d.few)
    a.add("labels-multi-output", lambda: MultiOutputClassifier(stump()), d.X, np.c_[large, large[::-1]], d.few)


def lists(a, d):
    def listed(model, name):
        setattr(model, name, [list(pair) for pair in getattr(model, name)])
        return model

    def scaled(end):
        return Pipeline([("scale", StandardScaler()), ("end", end)]).fit(d.X, d.y)

    a.record("lists-pipeline", listed(scaled(svm.SVC(kernel="linear")), "steps"), d.few)
    a.record("lists-pipeline-tuple", tupled(scaled(stump())), d.few)
    union = FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())])
    model = Pipeline([("union", union), ("end", stump())]).fit(d.X, d.y)
    listed(model.steps[0][1], "transformer_list")
    a.record("lists-union", model, d.few)
    for name in ["voting", "voting-hard", "stacking"]:
        a.record("lists-" + name, listed(MAKERS[name]().fit(d.X, d.names), "estimators"), d.few)


def tupled(model):
    model.steps = tuple(model.steps)
    return model


def shared(a, d):
    for name in ["forest", "extra-trees", "bagging", "adaboost"]:
        model = MAKERS[name]().fit(d.X, d.names)
        model.estimators_ = [model.estimators_[i] for i in [0, 1, 0]]
        a.record("shared-" + name, model, d.few)
    forest = MAKERS["forest"]().fit(d.X, d.y)
    model = ensemble.VotingClassifier([("a", stump()), ("b", stump()), ("c", stump())], voting="soft").fit(d.X, d.y)
    model.estimators_ = [forest, forest.estimators_[0], forest]
    a.record("shared-voting", model, d.few)
    scale = StandardScaler()
    a.add("shared-step", lambda: Pipeline([("a", MinMaxScaler()), ("b", FeatureUnion([("c", scale), ("d", scale)])), ("end", stump())]), d.X, d.names, d.few)
