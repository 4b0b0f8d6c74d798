#!/usr/bin/env python3
"""Trains the fixtures with the scikit-learn that runs this script.

    python train.py fixtures    # writes sklearn-VERSION/ beside this script
    python train.py iris DIR    # writes DIR/iris-1 and DIR/iris-2

A fixture is a model file and, beside it, NAME.json with inputs and what
scikit-learn answers. Used with Python 3.13, scikit-learn 1.9.1, pandas and lz4.
internal/testkit/corpus has the other versions, and more of this one.
"""

import json
import os
import pickle
import sys
import warnings

import joblib
import numpy as np
import sklearn
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")

VERSION = tuple(int(n) for n in sklearn.__version__.split(".")[:2])
X, y = load_iris(return_X_y=True)
X = X[::2]
y = y[::2]
rng = np.random.RandomState(7)
# Samples the models know, samples between the classes, and samples far away.
INPUTS = np.round(np.vstack([X[::9], rng.uniform(X.min(0), X.max(0), (12, 4)), rng.normal(0, 20, (3, 4))]), 4)

INTS = y * 10 - 5
FLOATS = y * 1.0
BOOLS = y > 0
NAMES = np.array(["setosa", "versicolor", "virginica \u00e9\u2603"])[y]
OBJECTS = NAMES.astype(object)


def supports(estimator, **params):
    """Makes an estimator, or nothing where this version lacks the parameters."""
    try:
        return estimator(**params).fit(X, y)
    except (TypeError, ValueError):
        return None


def models():
    for kernel in ["linear", "poly", "rbf", "sigmoid"]:
        extra = {"coef0": 0.5} if kernel in ("poly", "sigmoid") else {}
        yield "svc-" + kernel, SVC(kernel=kernel, **extra).fit(X, y)
        yield "svc-%s-binary" % kernel, SVC(kernel=kernel, **extra).fit(X, BOOLS)
    yield "svc-proba", SVC(probability=True, random_state=0).fit(X, NAMES)
    yield "svc-proba-binary", SVC(probability=True, random_state=np.random.RandomState(0)).fit(X, INTS > 0)
    yield "svc-ovo", SVC(decision_function_shape="ovo", gamma="auto").fit(X, FLOATS)
    yield "svc-break-ties", SVC(break_ties=True, C=0.1).fit(X, INTS)
    five = np.arange(len(X)) % 5
    yield "svc-five-classes", SVC(probability=True, random_state=0).fit(X, five)

    yield "logistic", LogisticRegression(max_iter=1000).fit(X, NAMES)
    yield "logistic-binary", LogisticRegression(max_iter=1000).fit(X, BOOLS)
    yield "logistic-liblinear", LogisticRegression(solver="liblinear").fit(X, BOOLS)
    yield "logistic-objects", LogisticRegression(max_iter=1000).fit(X, OBJECTS)
    for multi in ["ovr", "multinomial"]:
        if supports(LogisticRegression, multi_class=multi) is not None:
            yield "logistic-" + multi, LogisticRegression(max_iter=1000, multi_class=multi).fit(X, INTS)
            yield "logistic-binary-" + multi, LogisticRegression(max_iter=1000, multi_class=multi).fit(X, BOOLS)

    yield "tree", DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, NAMES)
    yield "tree-weighted", DecisionTreeClassifier(max_depth=2, class_weight={0: 0.3, 1: 2, 2: 1}, random_state=0).fit(X, y)
    yield "tree-one-leaf", DecisionTreeClassifier(max_depth=1, min_samples_leaf=70).fit(X, INTS)
    yield "forest", RandomForestClassifier(7, max_depth=3, random_state=0).fit(X, INTS)
    yield "forest-binary", RandomForestClassifier(4, max_depth=2, random_state=np.random.RandomState(0)).fit(X, BOOLS)
    if VERSION >= (1, 4):
        holes = X.copy()
        holes[::3, 2] = np.nan
        yield "tree-missing", DecisionTreeClassifier(max_depth=4, random_state=0).fit(holes, y)
        yield "forest-missing", RandomForestClassifier(3, max_depth=3, random_state=0).fit(holes, y)

    yield "pipeline-svc", make_pipeline(StandardScaler(), SVC()).fit(X, INTS)
    yield "pipeline-no-mean", make_pipeline(StandardScaler(with_mean=False), LogisticRegression()).fit(X, y)
    yield "pipeline-no-std", make_pipeline(StandardScaler(with_std=False), LogisticRegression()).fit(X, y)
    nested = Pipeline([("in", make_pipeline(StandardScaler(), "passthrough")), ("off", "passthrough"), ("out", Pipeline([("tree", DecisionTreeClassifier(max_depth=3))]))])
    yield "pipeline-nested", nested.fit(X, y)


def expected(model, inputs):
    """What scikit-learn answers, and what a reader must know to ask the same."""
    labels = model.predict(inputs)
    out = {
        "class": type(model).__name__,
        "inputs": [[None if np.isnan(v) else v for v in row] for row in inputs.tolist()],
        "classes": model.classes_.tolist(),
        "labels": labels.tolist(),
    }
    if hasattr(model, "predict_proba"):
        out["probabilities"] = model.predict_proba(inputs).tolist()
    if hasattr(model, "decision_function"):
        out["decisions"] = np.asarray(model.decision_function(inputs)).tolist()
    return out


def save(folder, file, model, write, inputs=INPUTS):
    path = os.path.join(folder, file)
    write(path)
    name = os.path.splitext(path)[0] + ".json"
    with open(name, "w") as f:
        json.dump(expected(model, inputs), f, separators=(",", ":"))
        f.write("\n")


def fixtures(folder):
    os.makedirs(folder, exist_ok=True)
    for name, model in models():
        inputs = INPUTS
        if name.endswith("missing"):
            inputs = INPUTS.copy()
            inputs[::2, 2] = np.nan
        save(folder, name + ".joblib", model, lambda path: joblib.dump(model, path), inputs)

    # The same models in every form that pickle and joblib can write.
    scaled = make_pipeline(StandardScaler(), LogisticRegression(random_state=np.random.RandomState(0))).fit(X, OBJECTS)
    forest = RandomForestClassifier(2, max_depth=2, random_state=0).fit(X, NAMES)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for name, model in [("pipeline", scaled), ("forest", forest)]:
            for ext in ["pkl", "joblib"]:
                def write(path):
                    if ext == "joblib":
                        return joblib.dump(model, path, protocol=protocol)
                    with open(path, "wb") as f:
                        pickle.dump(model, f, protocol=protocol)
                save(folder, "protocol%d-%s-%s.%s" % (protocol, name, ext, ext), model, write)
    for method in ["zlib", "gzip", "bz2", "xz", "lzma", "lz4"]:
        save(folder, "compress-%s.joblib" % method, forest, lambda path: joblib.dump(forest, path, compress=(method, 3)))
    save(folder, "suffix.pickle", scaled, lambda path: joblib.dump(scaled, path))

    try:
        import pandas as pd
    except ImportError:
        pass
    else:
        frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
        framed = make_pipeline(StandardScaler(), SVC()).fit(frame, y)
        save(folder, "frame.joblib", framed, lambda path: joblib.dump(framed, path))

    # Files that must not load.
    refused = os.path.join(folder, "refused")
    os.makedirs(refused, exist_ok=True)
    for name, model in [
        ("scaler-alone", StandardScaler().fit(X)),
        ("svc-unfitted", SVC()),
        ("svc-precomputed", SVC(kernel="precomputed").fit(X @ X.T, y)),
        ("dict", {"model": 1}),
    ]:
        joblib.dump(model, os.path.join(refused, name + ".joblib"))


def iris(folder):
    X, y = load_iris(return_X_y=True)
    first = SVC(gamma="scale").fit(X, y)
    second = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    for name, model in [("iris-1", first), ("iris-2", second)]:
        assert model.predict([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]).tolist() == [1, 1]
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        joblib.dump(model, os.path.join(folder, name, "model.joblib"))


if __name__ == "__main__":
    if sys.argv[1:] == ["fixtures"]:
        fixtures(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sklearn-" + sklearn.__version__))
    elif len(sys.argv) == 3 and sys.argv[1] == "iris":
        iris(sys.argv[2])
    else:
        sys.exit(__doc__)
