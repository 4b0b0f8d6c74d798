"""The forms that pickle and joblib write."""

import io
import pickle

import joblib
import numpy as np
from corpus import dumped
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def cases(a, d):
    random = np.random.RandomState(0)
    models = {
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression(random_state=random, max_iter=300)).fit(d.frame, d.objects),
        "forest": RandomForestClassifier(2, max_depth=2, random_state=0).fit(d.frame, d.names),
        "knn": KNeighborsClassifier(3, algorithm="kd_tree").fit(d.frame[:20], d.names[20:40]),
    }
    for name, model in models.items():
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            a.record("pickle-%d-%s" % (protocol, name), model, d.flower_frame, dump=lambda m: pickle.dumps(m, protocol=protocol), ext="pkl")
            a.record("joblib-%d-%s" % (protocol, name), model, d.flower_frame, dump=lambda m: dumped(m, protocol=protocol))
    for method in ["zlib", "gzip", "bz2", "xz", "lzma", "lz4"]:
        a.record("compress-" + method, models["forest"], d.flower_frame, dump=lambda m: compressed(m, method))
    for level in [1, 9]:
        a.record("compress-level-%d" % level, models["pipeline"], d.flower_frame, dump=lambda m: dumped(m, compress=level), ext="pickle")
    a.record("framed-pickler", models["forest"], d.flower_frame, dump=python_pickler, ext="pkl")
    fortran = KNeighborsClassifier(3, algorithm="brute").fit(np.asfortranarray(d.X[:20]), d.names[20:40])
    a.record("fortran", fortran, d.flowers)


def skops_cases(a, d):
    """The files of skops, which hold no pickle."""
    import skops.io
    from sklearn import compose, ensemble, impute, linear_model, naive_bayes, neural_network, preprocessing, svm, tree
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import GridSearchCV

    version = "skops " + skops.__version__
    people = compose.ColumnTransformer([
        ("n", make_pipeline(impute.SimpleImputer(), StandardScaler()), ["age", "income"]),
        ("w", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["city", "job"]),
    ])
    small = {"max_depth": 3, "random_state": 0}
    for name, model, X, y, inputs in [
        ("logistic", LogisticRegression(max_iter=300), d.X, d.names, d.flowers),
        ("logistic-objects", LogisticRegression(max_iter=300), d.X, d.objects, d.flowers),
        ("logistic-frame", LogisticRegression(max_iter=300), d.frame, d.bools, d.flower_frame),
        ("ridge-two-outputs", linear_model.Ridge(), d.N, d.t2, d.numbers),
        ("sgd", linear_model.SGDClassifier(loss="log_loss", random_state=0), d.X, d.ints, d.flowers),
        ("svc", svm.SVC(), d.X, d.ints, d.flowers),
        ("tree", tree.DecisionTreeClassifier(**small), d.X, d.names, d.flowers),
        ("forest", ensemble.RandomForestClassifier(3, **small), d.X, d.names, d.flowers),
        ("forest-regressor", ensemble.RandomForestRegressor(3, **small), d.N, d.t, d.numbers),
        ("boosting", ensemble.GradientBoostingClassifier(n_estimators=3, **small), d.X, d.ints, d.flowers),
        ("hist-boosting", ensemble.HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=4), d.holes, d.ints, d.gaps),
        ("bayes", naive_bayes.GaussianNB(), d.X, d.names, d.flowers),
        ("knn", KNeighborsClassifier(3, algorithm="kd_tree"), d.X[::4], d.names[::4], d.flowers),
        ("mlp", neural_network.MLPClassifier((4,), random_state=0), d.X, d.names, d.flowers),
        ("pipeline", make_pipeline(StandardScaler(), LogisticRegression()), d.X, d.names, d.flowers),
        ("columns", make_pipeline(people, LogisticRegression(max_iter=500)), d.people, d.buys, d.strangers),
        ("text", make_pipeline(TfidfVectorizer(), naive_bayes.MultinomialNB()), d.documents, d.topics, d.texts),
        ("grid", GridSearchCV(svm.SVC(), {"C": [0.1, 1]}, cv=2), d.X, d.names, d.flowers),
        ("voting", ensemble.VotingClassifier([("l", LogisticRegression(max_iter=300)), ("t", tree.DecisionTreeClassifier(**small))]), d.X, d.ints, d.flowers),
    ]:
        model.fit(X, y)
        a.record(name, model, inputs, methods=["predict", "predict_proba", "decision_function"], ext="skops", dump=skops.io.dumps, library=version)
    a.record("compressed", model, d.flowers, ext="skops", dump=lambda m: skops.io.dumps(m, compression=8, compresslevel=9), library=version)


def compressed(model, method):
    out = io.BytesIO()
    joblib.dump(model, out, compress=(method, 3))
    return out.getvalue()


def python_pickler(model):
    """The pickler in Python writes other opcodes than the one in C."""
    out = io.BytesIO()
    pickle._Pickler(out, 4).dump(model)
    return out.getvalue()
