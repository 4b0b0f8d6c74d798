"""Trees and their ensembles."""

import numpy as np
import pandas as pd
from sklearn import ensemble, tree
from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401 (up to 0.24)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

import derived

SMALL = {"max_depth": 3, "random_state": 0}


def cases(a, d):
    single(a, d)
    forests(a, d)
    boosting(a, d)
    histogram(a, d)
    isolation(a, d)


def single(a, d):
    squared = "squared_error" if a.version >= (1, 0) else "mse"
    absolute = "absolute_error" if a.version >= (1, 0) else "mae"
    for kind, classifier, regressor in [("tree", tree.DecisionTreeClassifier, tree.DecisionTreeRegressor), ("extra-tree", tree.ExtraTreeClassifier, tree.ExtraTreeRegressor)]:
        for name, y in [("", d.names), ("-binary", d.bools), ("-five", d.five), ("-floats", d.floats), ("-two-outputs", d.outputs), ("-multilabel", d.labels),
                        ("-three-names", np.c_[d.objects, np.array(["x", "y"])[d.labels[:, 1]]])]:
            a.add("%s-classifier%s" % (kind, name), lambda: classifier(max_depth=4, random_state=0), d.X, y, d.flowers)
        a.add(kind + "-classifier-entropy", lambda: classifier(criterion="entropy", **SMALL), d.X, d.ints, d.flowers)
        a.add(kind + "-classifier-full", lambda: classifier(random_state=0), d.X, d.five, d.flowers)
        a.add(kind + "-classifier-one-leaf", lambda: classifier(max_depth=1, min_samples_leaf=70), d.X, d.ints, d.flowers)
        a.add(kind + "-classifier-weights", lambda: classifier(class_weight={0: 0.3, 1: 2, 2: 1}, **SMALL), d.X, d.y, d.flowers)
        a.add(kind + "-classifier-pruned", lambda: classifier(max_leaf_nodes=4, ccp_alpha=0.01, random_state=0), d.X, d.y, d.flowers)
        a.add(kind + "-classifier-gaps", lambda: classifier(**SMALL), d.holes, d.names, d.gaps)
        a.add(kind + "-classifier-refuses-gaps", lambda: classifier(**SMALL), d.X, d.names, d.gaps)
        a.add(kind + "-regressor", lambda: regressor(criterion=squared, **SMALL), d.N, d.t, d.numbers)
        a.add(kind + "-regressor-full", lambda: regressor(random_state=0), d.N, d.t, d.numbers)
        a.add(kind + "-regressor-absolute", lambda: regressor(criterion=absolute, **SMALL), d.N, d.t, d.numbers)
        a.add(kind + "-regressor-poisson", lambda: regressor(criterion="poisson", **SMALL), d.N, d.positive, d.numbers)
        a.add(kind + "-regressor-two-outputs", lambda: regressor(**SMALL), d.N, d.t2, d.numbers)
        a.add(kind + "-regressor-gaps", lambda: regressor(**SMALL), d.holes, d.floats, d.gaps)
        a.add(kind + "-regressor-monotonic", lambda: regressor(monotonic_cst=[1, 0, -1, 0, 1], **SMALL), d.N, d.t, d.numbers)
        a.add(kind + "-classifier-monotonic", lambda: classifier(monotonic_cst=[1, 0, -1, 0], **SMALL), d.X, d.bools, d.flowers)
        a.add(kind + "-classifier-monotonic-refuses-gaps", lambda: classifier(monotonic_cst=[1, 0, -1, 0], **SMALL), d.X, d.bools, d.gaps)
    a.add("tree-classifier-random-split", lambda: tree.DecisionTreeClassifier(splitter="random", **SMALL), d.X, d.names, d.flowers)
    a.add("tree-classifier-random-split-refuses-gaps", lambda: tree.DecisionTreeClassifier(splitter="random", **SMALL), d.X, d.names, d.gaps)
    a.add("tree-classifier-frame", lambda: tree.DecisionTreeClassifier(**SMALL), d.frame, d.names, d.flower_frame)
    a.add("tree-classifier-one-row", lambda: tree.DecisionTreeClassifier(**SMALL), d.X, d.names, d.one)
    # Thresholds between neighbouring whole numbers, met exactly by rows with halves.
    a.add("tree-classifier-counts", lambda: tree.DecisionTreeClassifier(**SMALL), d.C, d.k, d.counts)
    a.add("tree-regressor-thresholds", lambda: tree.DecisionTreeRegressor(max_depth=5), np.arange(16).reshape(-1, 1), np.arange(16) % 5, halves())


def halves():
    x = np.arange(-1, 17, 0.5)
    near = np.r_[np.nextafter(x, 99), np.nextafter(x, -99), x + 1e-8, x - 1e-8, x + 1e-6]
    return derived.matrix("halves", np.r_[x, near].reshape(-1, 1))


def forests(a, d):
    for kind, classifier, regressor in [("forest", ensemble.RandomForestClassifier, ensemble.RandomForestRegressor), ("extra-trees", ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor)]:
        for name, y in [("", d.names), ("-binary", d.bools), ("-two-outputs", d.outputs), ("-multilabel", d.labels)]:
            a.add("%s-classifier%s" % (kind, name), lambda: classifier(4, **SMALL), d.X, y, d.flowers)
        a.add(kind + "-classifier-one-tree", lambda: classifier(1, **SMALL), d.X, d.ints, d.flowers)
        a.add(kind + "-classifier-balanced", lambda: classifier(3, class_weight="balanced", max_samples=None, **SMALL), d.X, d.five, d.flowers)
        a.add(kind + "-classifier-oob", lambda: classifier(5, oob_score=True, bootstrap=True, n_jobs=1, **SMALL), d.X, d.ints, d.flowers)
        a.add(kind + "-classifier-frame", lambda: classifier(3, **SMALL), d.frame, d.names, d.flower_frame)
        a.add(kind + "-classifier-gaps", lambda: classifier(3, **SMALL), d.holes, d.names, d.gaps)
        a.add(kind + "-classifier-refuses-gaps", lambda: classifier(3, **SMALL), d.X, d.names, d.gaps)
        a.add(kind + "-regressor", lambda: regressor(4, **SMALL), d.N, d.t, d.numbers)
        a.add(kind + "-regressor-two-outputs", lambda: regressor(3, **SMALL), d.N, d.t2, d.numbers)
        a.add(kind + "-regressor-gaps", lambda: regressor(3, **SMALL), d.holes, d.floats, d.gaps)
        a.add(kind + "-regressor-monotonic", lambda: regressor(3, monotonic_cst=[1, 0, -1, 0, 1], **SMALL), d.N, d.t, d.numbers)
    a.add("forest-regressor-poisson", lambda: ensemble.RandomForestRegressor(3, criterion="poisson", **SMALL), d.N, d.positive, d.numbers)
    a.add("embedding-logistic", lambda: make_pipeline(ensemble.RandomTreesEmbedding(3, max_depth=2, random_state=0), LogisticRegression()), d.X, d.ints, d.flowers)


def boosting(a, d):
    logs = "log_loss" if a.version >= (1, 1) else "deviance"
    small = {"n_estimators": 4, "max_depth": 2, "random_state": 0}

    def classifier(name, y, X=d.X, inputs=d.flowers, **how):
        a.add("boosting-classifier" + name, lambda: ensemble.GradientBoostingClassifier(**dict(small, **how)), X, y, inputs)

    def regressor(name, y=d.t, X=d.N, inputs=d.numbers, **how):
        a.add("boosting-regressor" + name, lambda: ensemble.GradientBoostingRegressor(**dict(small, **how)), X, y, inputs)

    classifier("", d.names, loss=logs)
    classifier("-binary", d.bools, loss=logs)
    classifier("-five", d.five, loss=logs)
    classifier("-exponential", d.bools, loss="exponential")
    classifier("-zero", d.ints, init="zero")
    classifier("-zero-binary", d.bools, init="zero")
    classifier("-init", d.ints, init=LogisticRegression(C=0.1))
    classifier("-init-binary", d.bools, init=LogisticRegression(C=0.1))
    classifier("-subsample", d.ints, subsample=0.6, max_features=2, learning_rate=0.5)
    classifier("-stopped", d.ints, n_iter_no_change=2, validation_fraction=0.2)
    classifier("-frame", d.names, d.frame, d.flower_frame)
    classifier("-refuses-gaps", d.names, inputs=d.gaps)
    for loss in ["squared_error" if a.version >= (1, 0) else "ls", "absolute_error" if a.version >= (1, 0) else "lad", "huber", "quantile"]:
        regressor("-" + {"ls": "squared_error", "lad": "absolute_error"}.get(loss, loss).replace("_", "-"), loss=loss)
    regressor("-zero", init="zero")
    regressor("-init", init=LinearRegression())
    regressor("-integers", np.round(d.t).astype(int))
    regressor("-leaves", max_leaf_nodes=4, max_depth=None, criterion="friedman_mse")


def histogram(a, d):
    small = {"max_iter": 4, "max_leaf_nodes": 5, "min_samples_leaf": 5, "random_state": 0}

    def classifier(name, y, X=d.X, inputs=d.flowers, **how):
        a.add("hist-classifier" + name, lambda: ensemble.HistGradientBoostingClassifier(**dict(small, **how)), X, y, inputs)

    def regressor(name, y=d.t, X=d.N, inputs=d.numbers, **how):
        a.add("hist-regressor" + name, lambda: ensemble.HistGradientBoostingRegressor(**dict(small, **how)), X, y, inputs)

    classifier("", d.names)
    classifier("-binary", d.bools)
    classifier("-gaps", d.ints, d.holes, d.gaps)
    classifier("-gaps-unseen", d.ints, inputs=d.gaps)
    classifier("-frame", d.names, d.frame, d.flower_frame)
    classifier("-bins", d.five, max_bins=5)
    classifier("-stopped", d.ints, early_stopping=True, n_iter_no_change=2, validation_fraction=0.3)
    classifier("-monotonic", d.bools, monotonic_cst=[1, 0, -1, 0])
    classifier("-interaction", d.ints, interaction_cst=[[0, 1], [2, 3]])
    classifier("-balanced", d.ints, class_weight="balanced")
    group = np.unique(d.group, return_inverse=True)[1]
    for inputs in [d.code_rows, d.strange_codes]:
        classifier("-categorical-" + inputs.name, d.group, d.codes, inputs, categorical_features=[0, 2])
        regressor("-categorical-" + inputs.name, d.codes[:, 0] * 3 % 5 + group, d.codes, inputs, categorical_features=[True, True, False])
    holes = d.codes.copy()
    holes[::5, 0] = np.nan
    regressor("-categorical-gaps", d.codes[:, 0] * 3 % 5 + group, holes, derived.gaps(d.strange_codes), categorical_features=[0, 1])
    frame = d.people[["age", "income", "kids"]].assign(city=pd.Categorical(d.people["city"]))
    inputs = d.persons.python()[["age", "income", "kids", "city"]]
    people = categories(inputs, frame)
    classifier("-categorical-dtype", d.buys, frame, people, categorical_features="from_dtype")
    regressor("-categorical-dtype", d.spends, frame, people, categorical_features="from_dtype")
    regressor("-categorical-names", d.spends, frame, people, categorical_features=["city"])
    for loss in ["squared_error" if a.version >= (1, 0) else "least_squares", "absolute_error" if a.version >= (1, 0) else "least_absolute_deviation", "poisson", "gamma"]:
        name = {"least_squares": "squared_error", "least_absolute_deviation": "absolute_error"}.get(loss, loss)
        regressor("-" + name.replace("_", "-"), d.positive, loss=loss)
    regressor("-quantile", loss="quantile", quantile=0.8)
    regressor("-gaps", d.floats, d.holes, d.gaps)
    regressor("-one-row", d.floats, d.X, d.one)
    regressor("-no-split", d.floats, min_samples_leaf=60, X=d.X, inputs=d.flowers)


def categories(frame, like):
    """Records whose strings become the categories of the frame that was fitted."""
    rows = [{k: None if v != v else v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in frame.to_dict("records")]
    types = {"age": float, "income": float, "city": like["city"].dtype}
    return derived.Input("people-categories", "records", rows, list(frame.columns), types)


def isolation(a, d):
    small = {"n_estimators": 5, "max_samples": 16, "random_state": 0}
    for name, how in [("", {}), ("-contamination", {"contamination": 0.1}), ("-features", {"max_features": 0.5}), ("-bootstrap", {"bootstrap": True})]:
        a.add("isolation" + name, lambda: ensemble.IsolationForest(**dict(small, **how)), d.X, inputs=d.flowers)
    a.add("isolation-frame", lambda: ensemble.IsolationForest(contamination=0.2, **small), d.frame, inputs=d.flower_frame)
