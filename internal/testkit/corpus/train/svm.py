"""Support vector machines."""

import numpy as np
from sklearn import svm


def cases(a, d):
    for kernel in ["linear", "poly", "rbf", "sigmoid"]:
        how = {"kernel": kernel, "coef0": 0.5 if kernel in ("poly", "sigmoid") else 0.0}
        for name, y in [("", d.ints), ("-binary", d.bools)]:
            a.add("svc-%s%s" % (kernel, name), lambda: svm.SVC(**how), d.X, y, d.flowers)
            a.add("svc-%s-proba%s" % (kernel, name), lambda: svm.SVC(probability=True, random_state=0, **how), d.X, y, d.flowers)
            a.add("svc-%s-ovo%s" % (kernel, name), lambda: svm.SVC(decision_function_shape="ovo", **how), d.X, y, d.flowers)
            a.add("nu-svc-%s%s" % (kernel, name), lambda: svm.NuSVC(nu=0.2, **how), d.X, y, d.flowers)
        a.add("svr-" + kernel, lambda: svm.SVR(**how), d.N, d.t, d.numbers)
        a.add("nu-svr-" + kernel, lambda: svm.NuSVR(**how), d.N, d.t, d.numbers)
        a.add("one-class-" + kernel, lambda: svm.OneClassSVM(nu=0.3, **how), d.X, inputs=d.flowers)
    five = {"probability": True, "random_state": 0}
    a.add("svc-five", lambda: svm.SVC(C=0.2, **five), d.X, d.five, d.flowers)
    a.add("svc-five-ovo", lambda: svm.SVC(C=0.2, decision_function_shape="ovo"), d.X, d.five, d.flowers)
    a.add("nu-svc-proba", lambda: svm.NuSVC(nu=0.2, **five), d.X, d.names, d.flowers)
    a.add("nu-svc-proba-binary", lambda: svm.NuSVC(nu=0.2, **five), d.X, d.bools, d.flowers)
    a.add("nu-svc-five", lambda: svm.NuSVC(nu=0.3, **five), d.X, d.five, d.flowers)
    a.add("svc-break-ties", lambda: svm.SVC(break_ties=True, C=0.1), d.X, d.five, d.flowers)
    a.add("svc-weights", lambda: svm.SVC(class_weight={0: 3, 1: 0.5, 2: 1}, **five), d.X, d.y, d.flowers)
    a.add("svc-balanced-names", lambda: svm.SVC(class_weight="balanced"), d.X, d.names, d.flowers)
    a.add("svc-gamma-auto", lambda: svm.SVC(gamma="auto"), d.X, d.objects, d.flowers)
    a.add("svc-gamma-number", lambda: svm.SVC(gamma=2.5, C=10), d.X, d.floats, d.flowers)
    a.add("svc-degree-5", lambda: svm.SVC(kernel="poly", degree=5, coef0=1), d.X, d.y, d.flowers)
    a.add("svc-degree-0", lambda: svm.SVC(kernel="poly", degree=0, coef0=1), d.X, d.y, d.flowers)
    a.add("svc-frame", lambda: svm.SVC(**five), d.frame, d.names, d.flower_frame)
    a.add("svc-one-row", lambda: svm.SVC(**five), d.X, d.names, d.one)
    a.add("svr-frame", lambda: svm.SVR(C=5, epsilon=0.5), d.frame, d.floats, d.flower_frame)
    a.add("svr-weights", lambda: svm.SVR(C=2), d.N, d.t, d.numbers, sample_weight=np.arange(60) % 3 + 0.5)
    a.add("one-class-frame", lambda: svm.OneClassSVM(gamma=0.5), d.frame, inputs=d.flower_frame)
    a.add("linear-svr", lambda: svm.LinearSVR(random_state=0, max_iter=9999), d.N, d.t, d.numbers)
    a.add("linear-svr-squared", lambda: svm.LinearSVR(loss="squared_epsilon_insensitive", dual=False, fit_intercept=False), d.N, d.t, d.numbers)
    # No matrix of samples can be sent to these.
    a.add("svc-precomputed", lambda: svm.SVC(kernel="precomputed"), d.X[:4] @ d.X[:4].T, [0, 1, 0, 1], d.flowers)
