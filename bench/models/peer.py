# SPDX-License-Identifier: Apache-2.0
"""The libraries that bench/models compares with.

peer.py train FOLDER NAME... writes, for each model, NAME.joblib, and NAME.json with rows
and what the library answers. What is there already stays.
peer.py ask FOLDER NAME reads lines "ROWS SECONDS" and answers each with the CPU seconds
of a call, as the mean of as many calls as take so long.
peer.py names lists all models.
"""

import json
import os
import sys
import time
import warnings

for name in ["OMP", "OPENBLAS", "MKL"]:
    os.environ[name + "_NUM_THREADS"] = "1"

import joblib
import numpy as np
import pandas as pd
from sklearn import cluster, discriminant_analysis, ensemble, linear_model, mixture, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, QuantileTransformer, StandardScaler

warnings.filterwarnings("ignore")
FIT, ASK = 3000, 10000


def classes(features=30, scale=1.0):
    X, y = make_classification(FIT + ASK, features, n_informative=features * 2 // 3, n_redundant=0, n_classes=3, random_state=0)
    return np.round(X * scale, 4), y


def numbers():
    X, y = make_regression(FIT + ASK, 30, noise=5, random_state=0)
    return np.round(X, 4), y


def people():
    r = np.random.default_rng(0)
    n = FIT + ASK
    X = pd.DataFrame({
        "age": r.integers(18, 90, n).astype(float),
        "income": np.round(r.lognormal(10, 1, n), 2),
        "city": r.choice(["city %d" % i for i in range(40)], n),
        "work": r.choice(["none", "part", "full", "own"], n),
        "size": r.choice(["s", "m", "l"], n),
    })
    X["income"] = X["income"].mask(r.random(n) < 0.1)
    return X, (X["age"] * 700 + X["income"].fillna(30000) + 9000 * (X["work"] == "full") > 70000).astype(int)


def texts():
    r = np.random.default_rng(0)
    words = np.array(["".join(r.choice(list("abcdefghijklmnoprstuvwy"), r.integers(3, 9))) for _ in range(5000)])
    y = r.integers(0, 3, FIT + ASK)
    return [" ".join(words[(np.minimum(r.zipf(1.3, 60), 4900) + 30 * c) % 5000]) for c in y], y


def columns():
    number = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer((number, ["age", "income"]), (OneHotEncoder(handle_unknown="ignore"), ["city", "work", "size"]))


def logistic():
    return linear_model.LogisticRegression(max_iter=300)


def small():
    return [("logistic", logistic()), ("tree", tree.DecisionTreeClassifier(max_depth=6, random_state=0)), ("bayes", naive_bayes.GaussianNB())]


def xgboost():
    from xgboost import XGBClassifier
    return XGBClassifier(n_estimators=500, nthread=1)


def lightgbm():
    from lightgbm import LGBMClassifier
    return LGBMClassifier(n_estimators=500, verbose=-1, num_threads=1)


# The models by name: what it is, and its data.
MODELS = {
    "logistic": (logistic, classes),
    "ridge": (linear_model.Ridge, numbers),
    "lda": (discriminant_analysis.LinearDiscriminantAnalysis, classes),
    "qda": (discriminant_analysis.QuadraticDiscriminantAnalysis, classes),
    "tree": (lambda: tree.DecisionTreeClassifier(random_state=0), classes),
    "forest-100": (lambda: ensemble.RandomForestClassifier(100, random_state=0), classes),
    "forest-500": (lambda: ensemble.RandomForestClassifier(500, random_state=0), classes),
    "forest-regressor-100": (lambda: ensemble.RandomForestRegressor(100, random_state=0, max_features=5), numbers),
    "extra-trees-100": (lambda: ensemble.ExtraTreesClassifier(100, random_state=0), classes),
    "gradient-boosting-100": (lambda: ensemble.GradientBoostingClassifier(n_estimators=100, subsample=0.5, max_features=5, random_state=0), classes),
    "hist-boosting-100": (lambda: ensemble.HistGradientBoostingClassifier(max_iter=100, random_state=0), classes),
    "adaboost-50": (lambda: ensemble.AdaBoostClassifier(tree.DecisionTreeClassifier(max_depth=3), n_estimators=50, random_state=0), classes),
    "isolation-forest-100": (lambda: ensemble.IsolationForest(n_estimators=100, random_state=0), classes),
    "xgboost-500": (xgboost, classes),
    "lightgbm-500": (lightgbm, classes),
    "svc-rbf": (svm.SVC, classes),
    "gaussian-bayes": (naive_bayes.GaussianNB, classes),
    "neighbours-brute": (neighbors.KNeighborsClassifier, classes),
    "neighbours-tree": (neighbors.KNeighborsClassifier, lambda: classes(8)),
    "mlp": (lambda: neural_network.MLPClassifier((100,), max_iter=60, random_state=0), classes),
    "kmeans": (lambda: cluster.KMeans(8, n_init=1, random_state=0), classes),
    "mixture": (lambda: mixture.GaussianMixture(5, random_state=0), classes),
    "scaler-logistic": (lambda: make_pipeline(StandardScaler(), logistic()), classes),
    "pca-logistic": (lambda: make_pipeline(PCA(10), logistic()), classes),
    "polynomial-ridge": (lambda: make_pipeline(PolynomialFeatures(2), linear_model.Ridge()), numbers),
    "quantile-logistic": (lambda: make_pipeline(QuantileTransformer(n_quantiles=100), logistic()), classes),
    "columns-logistic": (lambda: make_pipeline(columns(), logistic()), people),
    "columns-forest-100": (lambda: make_pipeline(columns(), ensemble.RandomForestClassifier(100, random_state=0)), people),
    "tfidf-logistic": (lambda: make_pipeline(TfidfVectorizer(), logistic()), texts),
    "tfidf-bayes": (lambda: make_pipeline(TfidfVectorizer(ngram_range=(1, 2), stop_words="english"), naive_bayes.MultinomialNB()), texts),
    "hashing-sgd": (lambda: make_pipeline(HashingVectorizer(), linear_model.SGDClassifier(random_state=0)), texts),
    "voting": (lambda: ensemble.VotingClassifier(small(), voting="soft"), classes),
    "stacking": (lambda: ensemble.StackingClassifier(small(), logistic()), classes),
    "calibrated": (lambda: CalibratedClassifierCV(svm.LinearSVC(), method="isotonic"), classes),
    "bagging-10": (lambda: ensemble.BaggingClassifier(random_state=0), classes),
}


def split(data):
    X, y = data()
    return X[:FIT], y[:FIT], X[FIT:]


def train(folder, names):
    for name in names or MODELS:
        if os.path.exists(os.path.join(folder, name + ".json")):
            continue
        make, data = MODELS[name]
        X, y, rows = split(data)
        model = make().fit(X, y)
        joblib.dump(model, os.path.join(folder, name + ".joblib"))
        with open(os.path.join(folder, name + ".part"), "w") as f:
            json.dump({
                "columns": list(rows.columns) if isinstance(rows, pd.DataFrame) else [],
                "rows": [[None if v != v else v for v in row] for row in rows.values.tolist()] if isinstance(rows, pd.DataFrame)
                else [[row] for row in rows] if isinstance(rows, list) else rows.tolist(),
                "answers": model.predict(rows).tolist(),
            }, f)
        os.rename(f.name, os.path.join(folder, name + ".json"))


def ask(folder, name):
    model, rows = joblib.load(os.path.join(folder, name + ".joblib")), split(MODELS[name][1])[2]
    for line in sys.stdin:
        count, seconds = line.split()
        part = rows[:int(count)]
        calls, used = 1, 0
        while True:
            begin = time.process_time()
            for _ in range(calls):
                model.predict(part)
            used = time.process_time() - begin
            if used >= float(seconds):
                break
            calls *= 2
        print(used / calls, flush=True)


if sys.argv[1] == "train":
    train(sys.argv[2], sys.argv[3:])
elif sys.argv[1] == "ask":
    ask(*sys.argv[2:])
else:
    print(*MODELS)
