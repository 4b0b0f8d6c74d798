"""Naive Bayes, quadratic discriminants and dummies."""

import numpy as np
from sklearn import naive_bayes as nb
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor


def cases(a, d):
    for name, y in [("", d.names), ("-binary", d.bools), ("-five", d.five)]:
        a.add("gaussian" + name, nb.GaussianNB, d.X, y, d.flowers)
        a.add("qda" + name, lambda: QuadraticDiscriminantAnalysis(), d.X, y, d.flowers)
        a.add("qda-regularized" + name, lambda: QuadraticDiscriminantAnalysis(reg_param=0.1), d.X, y, d.flowers)
    a.add("gaussian-priors", lambda: nb.GaussianNB(priors=[0.2, 0.3, 0.5], var_smoothing=1e-3), d.X, d.ints, d.flowers)
    a.add("gaussian-frame", nb.GaussianNB, d.frame, d.ints, d.flower_frame)
    a.add("gaussian-one-row", nb.GaussianNB, d.X, d.ints, d.one)
    a.add("qda-eigen", lambda: QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1), d.X, d.ints, d.flowers)
    a.add("qda-priors", lambda: QuadraticDiscriminantAnalysis(priors=[0.2, 0.3, 0.5], store_covariance=True), d.X, d.ints, d.flowers)
    bits = (d.C > 1).astype(int)
    for name, y in [("", d.k), ("-binary", d.k > 0), ("-names", np.array(["a", "b", "c"])[d.k])]:
        a.add("multinomial" + name, nb.MultinomialNB, d.C, y, d.counts)
        a.add("complement" + name, nb.ComplementNB, d.C, y, d.counts)
        a.add("bernoulli" + name, nb.BernoulliNB, d.C, y, d.counts)
        a.add("categorical" + name, nb.CategoricalNB, np.minimum(d.C, 2), y, d.categories)
    a.add("multinomial-no-prior", lambda: nb.MultinomialNB(alpha=0.1, fit_prior=False), d.C, d.k, d.counts)
    a.add("multinomial-prior", lambda: nb.MultinomialNB(class_prior=[0.2, 0.3, 0.5]), d.C, d.k, d.counts)
    a.add("multinomial-one-class", nb.MultinomialNB, d.C, np.ones(60, int), d.counts)
    a.add("complement-norm", lambda: nb.ComplementNB(norm=True, alpha=0.5), d.C, d.k, d.counts)
    a.add("complement-one-class", nb.ComplementNB, d.C, np.ones(60, int), d.counts)
    a.add("bernoulli-threshold", lambda: nb.BernoulliNB(binarize=1.5), d.C, d.k, d.counts)
    a.add("bernoulli-none", lambda: nb.BernoulliNB(binarize=None), bits, d.k, d.categories)
    a.add("categorical-min", lambda: nb.CategoricalNB(min_categories=4, alpha=0.3), np.minimum(d.C, 2), d.k, d.categories)
    for strategy in ["prior", "most_frequent", "stratified", "uniform", "constant"]:
        how = {"constant": d.ints[0]} if strategy == "constant" else {}
        a.add("dummy-" + strategy, lambda: DummyClassifier(strategy=strategy, random_state=0, **how), d.X, d.ints, d.flowers)
    a.add("dummy-names", lambda: DummyClassifier(strategy="most_frequent"), d.X, d.names, d.flowers)
    a.add("dummy-two-outputs", lambda: DummyClassifier(strategy="prior"), d.X, d.outputs, d.flowers)
    for strategy in ["mean", "median", "quantile", "constant"]:
        how = {"quantile": 0.3} if strategy == "quantile" else {"constant": 4.5} if strategy == "constant" else {}
        a.add("dummy-regressor-" + strategy, lambda: DummyRegressor(strategy=strategy, **how), d.N, d.t, d.numbers)
    a.add("dummy-regressor-two-outputs", DummyRegressor, d.N, d.t2, d.numbers)
