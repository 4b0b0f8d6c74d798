"""Nearest neighbours."""

import numpy as np
from sklearn import neighbors as nn

import derived


def cases(a, d):
    X, N = d.X[::2], d.N[::2]
    names, t = d.names[::2], d.t[::2]
    for algorithm in ["kd_tree", "ball_tree", "brute"]:
        for metric in ["euclidean", "manhattan", "chebyshev", "minkowski"]:
            how = {"algorithm": algorithm, "metric": metric, "leaf_size": 4, "p": 3}
            if metric != "minkowski":
                del how["p"]
            a.add("classifier-%s-%s" % (algorithm, metric), lambda: nn.KNeighborsClassifier(3, **how), X, d.ints[::2], d.flowers)
            a.add("regressor-%s-%s" % (algorithm, metric), lambda: nn.KNeighborsRegressor(3, weights="distance", **how), N, t, d.numbers)
    for metric in ["cosine", "canberra", "braycurtis", "hamming", "correlation", "sqeuclidean", "l1", "l2", "cityblock", "nan_euclidean"]:
        a.add("classifier-" + metric, lambda: nn.KNeighborsClassifier(4, metric=metric), X, d.ints[::2], d.flowers)
    a.add("classifier-seuclidean", lambda: nn.KNeighborsClassifier(3, metric="seuclidean", metric_params={"V": np.array([1, 2, 0.5, 0.1])}), X, names, d.flowers)
    a.add("classifier-mahalanobis", lambda: nn.KNeighborsClassifier(3, algorithm="brute", metric="mahalanobis", metric_params={"VI": np.linalg.inv(np.cov(X.T))}), X, names, d.flowers)
    a.add("classifier-nan-euclidean-gaps", lambda: nn.KNeighborsClassifier(3, metric="nan_euclidean"), d.holes[::2][:9], d.y[::2][:9], d.gaps)
    a.add("classifier", nn.KNeighborsClassifier, X, names, d.flowers)
    a.add("classifier-frame", nn.KNeighborsClassifier, d.frame[::2], names, d.flower_frame)
    a.add("classifier-one-row", nn.KNeighborsClassifier, X, names, d.one)
    a.add("classifier-one-neighbour", lambda: nn.KNeighborsClassifier(1), X, d.bools[::2], d.flowers)
    a.add("classifier-p1", lambda: nn.KNeighborsClassifier(4, p=1), X, d.bools[::2], d.flowers)
    a.add("classifier-distance", lambda: nn.KNeighborsClassifier(4, weights="distance"), X, d.ints[::2], d.flowers)
    a.add("classifier-distance-brute", lambda: nn.KNeighborsClassifier(4, weights="distance", algorithm="brute"), X, d.ints[::2], d.flowers)
    a.add("classifier-even-ties", lambda: nn.KNeighborsClassifier(2), X, d.five[::2], d.flowers)
    a.add("classifier-two-outputs", lambda: nn.KNeighborsClassifier(3), X, d.outputs[::2], d.flowers)
    a.add("classifier-multilabel", lambda: nn.KNeighborsClassifier(3, weights="distance"), X, d.labels[::2], d.flowers)
    a.add("classifier-wide", lambda: nn.KNeighborsClassifier(3), np.c_[N, N * 2, N + 1, N - 1][:12, :20], d.k[:12], wide(d))
    a.add("regressor", nn.KNeighborsRegressor, N, t, d.numbers)
    a.add("regressor-integers", nn.KNeighborsRegressor, N, np.round(t).astype(int), d.numbers)
    a.add("regressor-two-outputs", lambda: nn.KNeighborsRegressor(3, algorithm="brute"), N, d.t2[::2], d.numbers)
    a.add("regressor-two-outputs-distance", lambda: nn.KNeighborsRegressor(3, weights="distance"), N, d.t2[::2], d.numbers)
    a.add("radius-classifier", lambda: nn.RadiusNeighborsClassifier(1.0, outlier_label=-5), X, d.ints[::2], d.flowers)
    a.add("radius-classifier-distance", lambda: nn.RadiusNeighborsClassifier(2.0, weights="distance", outlier_label="most_frequent"), X, names, d.flowers)
    a.add("radius-regressor", lambda: nn.RadiusNeighborsRegressor(200.0), N, t, d.numbers)
    a.add("radius-regressor-distance", lambda: nn.RadiusNeighborsRegressor(500.0, weights="distance"), N, t, d.numbers)
    a.add("centroid", nn.NearestCentroid, X, names, d.flowers)
    a.add("centroid-manhattan", lambda: nn.NearestCentroid(metric="manhattan"), X, d.ints[::2], d.flowers)
    a.add("centroid-shrink", lambda: nn.NearestCentroid(shrink_threshold=0.2), X, names, d.flowers)
    a.add("local-outlier-factor", lambda: nn.LocalOutlierFactor(5, novelty=True), X, inputs=d.flowers, methods=["predict", "decision_function"])


def wide(d):
    n = d.numbers.python()
    return derived.matrix("wide", np.round(np.c_[n, n * 2, n + 1, n - 1], 3)[:60])
