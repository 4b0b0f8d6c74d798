"""Linear models, and labels of every type."""

import numpy as np
from sklearn import linear_model as lm
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import LinearSVC

import derived


def cases(a, d):
    regressors(a, d)
    logistic(a, d)
    classifiers(a, d)
    labels(a, d)
    names(a, d)


def regressors(a, d):
    N, t = d.N, d.t

    def one(name, make, y=t, X=N, inputs=d.numbers):
        a.add(name, make, X, y, inputs)

    one("ols", lm.LinearRegression)
    one("ols-integers", lm.LinearRegression, np.round(t).astype(int))
    one("ols-no-intercept", lambda: lm.LinearRegression(fit_intercept=False))
    one("ols-positive", lambda: lm.LinearRegression(positive=True))
    one("ols-two-outputs", lm.LinearRegression, d.t2)
    one("ols-one-column-y", lm.LinearRegression, t.reshape(-1, 1))
    one("ols-float32", lm.LinearRegression, t.astype(np.float32), N.astype(np.float32))
    one("ols-frame", lm.LinearRegression, d.ints, d.frame, d.flower_frame)
    one("ols-one-row", lm.LinearRegression, d.ints, d.X, d.one)
    for solver in ["svd", "cholesky", "lsqr", "sag", "saga"]:
        one("ridge-" + solver, lambda: lm.Ridge(solver=solver, random_state=0))
    one("ridge-two-outputs", lambda: lm.Ridge(0.5), d.t2)
    one("ridge-no-intercept", lambda: lm.Ridge(fit_intercept=False), d.t2)
    one("ridge-cv", lm.RidgeCV)
    one("ridge-cv-two-outputs", lambda: lm.RidgeCV(alphas=[0.1, 1]), d.t2)
    one("lasso", lambda: lm.Lasso(0.1))
    one("lasso-two-outputs", lambda: lm.Lasso(0.1), d.t2)
    one("lasso-cv", lambda: lm.LassoCV(cv=3, n_alphas=5) if not hasattr(lm.LassoCV(), "alphas") or lm.LassoCV().alphas is None else lm.LassoCV(cv=3, alphas=5))
    one("elastic-net", lambda: lm.ElasticNet(0.1, l1_ratio=0.3))
    one("elastic-net-cv", lambda: lm.ElasticNetCV(cv=3))
    one("multi-task-lasso", lambda: lm.MultiTaskLasso(0.1), d.t2)
    one("multi-task-lasso-cv", lambda: lm.MultiTaskLassoCV(cv=3), d.t2)
    one("multi-task-elastic-net", lambda: lm.MultiTaskElasticNet(0.1), d.t2)
    one("multi-task-elastic-net-cv", lambda: lm.MultiTaskElasticNetCV(cv=3), d.t2)
    one("lars", lambda: lm.Lars(n_nonzero_coefs=3))
    one("lars-cv", lambda: lm.LarsCV(cv=3))
    one("lasso-lars", lambda: lm.LassoLars(0.01))
    one("lasso-lars-cv", lambda: lm.LassoLarsCV(cv=3))
    one("lasso-lars-ic", lambda: lm.LassoLarsIC("bic"))
    one("omp", lambda: lm.OrthogonalMatchingPursuit(n_nonzero_coefs=2))
    one("omp-cv", lambda: lm.OrthogonalMatchingPursuitCV(cv=3))
    one("bayesian-ridge", lm.BayesianRidge)
    one("ard", lm.ARDRegression)
    one("huber", lambda: lm.HuberRegressor(max_iter=500))
    one("theil-sen", lambda: lm.TheilSenRegressor(random_state=0, max_subpopulation=50))
    one("ransac", lambda: lm.RANSACRegressor(random_state=0))
    one("quantile", lambda: lm.QuantileRegressor(quantile=0.7, alpha=0.01, solver="highs" if a.version >= (1, 4) else "interior-point"))
    one("sgd-regressor", lambda: lm.SGDRegressor(random_state=0, eta0=1e-4))
    one("sgd-regressor-average", lambda: lm.SGDRegressor(random_state=0, eta0=1e-4, average=True))
    one("sgd-regressor-epsilon", lambda: lm.SGDRegressor(loss="epsilon_insensitive", penalty="l1", random_state=0, eta0=1e-3))
    one("passive-aggressive-regressor", lambda: lm.PassiveAggressiveRegressor(random_state=0, C=0.01))
    one("poisson", lambda: lm.PoissonRegressor(alpha=0.1, max_iter=300), d.positive)
    one("gamma", lambda: lm.GammaRegressor(alpha=0.1, max_iter=300), d.positive)
    for power in [0, 1.5, 3]:
        one("tweedie-%g" % power, lambda: lm.TweedieRegressor(power=power, alpha=0.1, max_iter=300), d.positive)
    one("tweedie-identity", lambda: lm.TweedieRegressor(power=0, link="identity"))
    one("tweedie-log", lambda: lm.TweedieRegressor(power=0, link="log", max_iter=300), d.positive)
    one("pls", lambda: PLSRegression(2))
    one("pls-two-outputs", lambda: PLSRegression(2, scale=False), d.t2)


def logistic(a, d):
    def one(name, y, **how):
        X, inputs = (d.frame, d.flower_frame) if "frame" in name else (d.X, d.one if "one-row" in name else d.flowers)
        a.add("logistic" + name, lambda: lm.LogisticRegression(max_iter=how.pop("max_iter", 1000), **how), X, y, inputs)

    one("", d.names)
    one("-frame", d.names)
    one("-one-row", d.names)
    one("-one-row-binary", d.bools)
    one("-binary", d.bools)
    one("-binary-names", d.names == "setosa")
    one("-no-intercept", d.ints, fit_intercept=False)
    one("-weights", d.y, class_weight={0: 0.2, 1: 3, 2: 1})
    one("-balanced-five", d.five, class_weight="balanced", C=0.1)
    for solver in ["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]:
        for name, y in [("", d.ints), ("-binary", d.bools)]:
            one("-%s%s" % (solver, name), y, solver=solver, random_state=0, max_iter=200)
            for multi in ["ovr", "multinomial"]:
                one("-%s-%s%s" % (solver, multi, name), y, solver=solver, random_state=0, multi_class=multi, max_iter=200)
    one("-liblinear-binary", d.bools, solver="liblinear")
    one("-liblinear-l1", d.bools, solver="liblinear", penalty="l1", C=0.5)
    one("-liblinear-dual", d.objects != "setosa", solver="liblinear", dual=True, max_iter=5000)
    one("-liblinear-three", d.ints, solver="liblinear")
    one("-liblinear-ovr", d.names, solver="liblinear", multi_class="ovr")
    one("-saga-l1", d.ints, solver="saga", penalty="l1", C=0.5, random_state=0)
    one("-saga-elastic", d.ints, solver="saga", penalty="elasticnet", l1_ratio=0.5, random_state=0)
    one("-no-penalty", d.five, penalty="none" if a.version < (1, 2) else None, max_iter=300)
    a.add("logistic-float32", lm.LogisticRegression, d.X.astype(np.float32), d.ints, d.flowers)
    a.add("logistic-sparsified", lambda: lm.LogisticRegression(solver="saga", penalty="l1", C=0.2, random_state=0).fit(d.X, d.y).sparsify(), None, None, d.flowers, fitted=True)
    a.add("logistic-cv", lambda: lm.LogisticRegressionCV(Cs=2, cv=2, max_iter=1000), d.X, d.names, d.flowers)
    a.add("logistic-cv-binary", lambda: lm.LogisticRegressionCV(Cs=2, cv=2, max_iter=1000), d.X, d.bools, d.flowers)
    a.add("logistic-cv-ovr", lambda: lm.LogisticRegressionCV(Cs=2, cv=2, max_iter=1000, multi_class="ovr"), d.X, d.ints, d.flowers)
    a.add("logistic-cv-newton-cholesky", lambda: lm.LogisticRegressionCV(Cs=2, cv=2, solver="newton-cholesky"), d.X, d.ints, d.flowers)


def classifiers(a, d):
    def both(name, make, more=()):
        for suffix, y in [("", d.names), ("-binary", d.bools)] + list(more):
            a.add(name + suffix, make, d.X, y, d.flowers)

    multilabel = [("-multilabel", d.labels)]
    both("ridge-classifier", lambda: lm.RidgeClassifier(0.5), multilabel)
    both("ridge-classifier-cv", lambda: lm.RidgeClassifierCV([0.1, 1]), multilabel)
    logs = "log_loss" if a.version >= (1, 1) else "log"
    for loss in ["hinge", logs, "modified_huber", "squared_hinge", "perceptron", "huber"]:
        both("sgd-" + loss.replace("log_loss", "log").replace("_", "-"), lambda: lm.SGDClassifier(loss=loss, random_state=0, max_iter=2000))
    both("sgd-average", lambda: lm.SGDClassifier(loss=logs, random_state=0, average=True, penalty="elasticnet"))
    both("sgd-early-stopping", lambda: lm.SGDClassifier(loss=logs, random_state=0, early_stopping=True))
    both("perceptron", lambda: lm.Perceptron(random_state=0))
    both("passive-aggressive", lambda: lm.PassiveAggressiveClassifier(random_state=0))
    both("linear-svc", lambda: LinearSVC(random_state=0, max_iter=5000), [("-five", d.five)])
    both("linear-svc-crammer-singer", lambda: LinearSVC(multi_class="crammer_singer", random_state=0))
    both("linear-svc-l1", lambda: LinearSVC(penalty="l1", dual=False, random_state=0, fit_intercept=False))
    for solver in ["svd", "lsqr", "eigen"]:
        both("lda-" + solver, lambda: LinearDiscriminantAnalysis(solver=solver), [("-five", d.five)])
    both("lda-shrinkage", lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    both("lda-priors", lambda: LinearDiscriminantAnalysis(n_components=1, priors=None))
    a.add("sgd-one-class", lambda: lm.SGDOneClassSVM(random_state=0), d.X, inputs=d.flowers)


def labels(a, d):
    two = d.y > 1
    for name, y in [
        ("int8", d.y.astype(np.int8)), ("int16", d.y.astype(np.int16) * 300), ("int32", d.y.astype(np.int32) * 100000),
        ("int64", d.y * 2**40 - 2**41), ("uint8", d.y.astype(np.uint8) + 250), ("uint16", d.y.astype(np.uint16)), ("uint32", d.y.astype(np.uint32) + 2**31),
        ("uint64", d.y.astype(np.uint64) + np.uint64(2**63)), ("uint64-binary", two.astype(np.uint64) * np.uint64(2**64 - 1)),
        ("float32", d.y.astype(np.float32)), ("float64", d.floats), ("float16", d.y.astype(np.float16)), ("object-strings", d.objects),
        ("object-ints", d.ints.astype(object)), ("object-bools", two.astype(object)), ("bytes", np.array([b"a", b"bc", b"d"])[d.y]),
        ("strings-binary", np.array(["no", "yes"])[two.astype(int)]), ("big-endian", d.y.astype(">i4")), ("list", d.y.tolist()),
        ("minus-one", np.where(two, 1, -1)), ("gap", d.y * 7 - 3),
    ]:
        if name == "bytes":
            continue  # JSON has no bytes
        a.add("labels-" + name, lambda: lm.LogisticRegression(max_iter=300), d.X, y, d.flowers, methods=["predict", "predict_proba"])


def names(a, d):
    """Columns under other names than the model's."""
    frame = d.flower_frame
    one, two, three, four = frame.columns
    for name, X, inputs in [
        ("swapped", d.frame, derived.columns(frame, "flowers-swapped", [two, one, three, four])),
        ("missing", d.frame, derived.columns(frame, "flowers-missing", [one, two, three])),
        ("more", d.frame, derived.columns(frame, "flowers-more", [one, two, three, four, "more"])),
        ("other", d.frame, derived.columns(frame, "flowers-other", [one, two, three, "other"])),
        ("matrix", d.frame, d.flowers), ("fitted-on-array", d.X, frame),
        ("numbers", d.frame.set_axis([0, 1, 2, 3], axis=1), d.flowers),
    ]:
        a.add("names-" + name, lambda: lm.LogisticRegression(max_iter=300), X, d.names, inputs)
