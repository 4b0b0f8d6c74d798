"""Multi-layer perceptrons."""

from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def cases(a, d):
    how = {"hidden_layer_sizes": (4,), "random_state": 0, "max_iter": 150}
    for activation in ["identity", "logistic", "tanh", "relu"]:
        for name, y in [("", d.names), ("-binary", d.bools), ("-multilabel", d.labels)]:
            a.add("classifier-%s%s" % (activation, name), lambda: MLPClassifier(activation=activation, solver="lbfgs", **how), d.X, y, d.flowers)
        a.add("regressor-" + activation, lambda: MLPRegressor(activation=activation, solver="lbfgs", **how), d.N, d.t, d.numbers)
    for solver in ["adam", "sgd"]:
        a.add("classifier-" + solver, lambda: MLPClassifier(solver=solver, **how), d.X, d.ints, d.flowers)
        a.add("regressor-" + solver, lambda: make_pipeline(StandardScaler(), MLPRegressor(solver=solver, **how)), d.N, d.t, d.numbers)
    deep = dict(how, hidden_layer_sizes=(5, 3, 4))
    a.add("classifier-deep", lambda: MLPClassifier(**deep), d.X, d.five, d.flowers)
    a.add("classifier-early-stopping", lambda: MLPClassifier(early_stopping=True, **how), d.X, d.ints, d.flowers)
    a.add("classifier-no-hidden", lambda: MLPClassifier(**dict(how, hidden_layer_sizes=())), d.X, d.ints, d.flowers)
    a.add("classifier-frame", lambda: MLPClassifier(**how), d.frame, d.names, d.flower_frame)
    a.add("classifier-one-row", lambda: MLPClassifier(**how), d.X, d.names, d.one)
    a.add("regressor-two-outputs", lambda: MLPRegressor(solver="lbfgs", **deep), d.N, d.t2, d.numbers)
    a.add("regressor-poisson", lambda: MLPRegressor(loss="poisson", solver="lbfgs", **how), d.N / 10, d.positive, d.numbers)
    a.add("classifier-float32", lambda: MLPClassifier(**how), d.X.astype("float32"), d.names, d.flowers)
