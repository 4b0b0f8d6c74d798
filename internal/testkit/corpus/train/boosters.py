"""XGBoost and LightGBM: their own files, and their wrappers as scikit-learn's users save them."""

import os
import pickle
import tempfile

import numpy as np
import pandas as pd
from corpus import dumped, output
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import derived


def bytes_of(save, ext):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model." + ext)
        save(path)
        with open(path, "rb") as f:
            return f.read()


def answers_of(**asks):
    """Asks the booster, or keeps the error."""

    def answers(x):
        outputs = {}
        for name, ask in asks.items():
            try:
                outputs[name] = output(ask(x))
            except Exception as error:  # noqa: BLE001
                outputs[name] = {"error": str(error).splitlines()[0]}
        return outputs

    return answers


def people(d):
    """Numbers and one categorical column, as codes for the boosters' own files."""
    cities = sorted(d.people["city"].unique())
    columns = ["age", "income", "kids"]
    frame = d.people[columns].astype(float).assign(city=pd.Categorical(d.people["city"], cities))
    rows = d.strangers.python()
    codes = pd.Categorical(rows["city"], cities).codes.astype(float)
    codes[codes < 0] = np.nan
    x = np.c_[rows[columns].astype(float).values, codes]
    return frame, derived.matrix("people-codes", x)


def xgboost_cases(a, d):
    import xgboost as xgb

    version = "xgboost " + xgb.__version__
    major = tuple(int(n) for n in xgb.__version__.split(".")[:2])
    exts = ["json"] + (["ubj"] if major >= (1, 6) else []) + (["model", "bst"] if major < (3, 1) else [])
    base = {"max_depth": 2, "eta": 0.5, "nthread": 1, "seed": 0, "verbosity": 0}

    def native(name, params, X, y, inputs, rounds=4, some=("json",), group=None, margin=None, categorical=False, **iteration):
        try:
            how = {"enable_categorical": True} if categorical else {}
            train = xgb.DMatrix(X, y, base_margin=margin, **how)
            if group:
                train.set_group(group)
            booster = xgb.train(dict(base, **params), train, rounds)
        except Exception as error:  # noqa: BLE001
            return a.skip(name, error)

        types = {"feature_types": ["q"] * 3 + ["c"]} if categorical else {}
        names = {"feature_names": booster.feature_names} if booster.feature_names else {}

        def ask(**more):
            return lambda x: booster.predict(xgb.DMatrix(x, **how, **types, **names), **more)

        answers = answers_of(predict=ask(), margin=ask(output_margin=True))
        for ext in some:
            if ext in exts:
                a.record(name + "-" + ext, booster, inputs, ext=ext, dump=lambda m: bytes_of(m.save_model, ext), answers=answers, library=version)

    squared = {"objective": "reg:squarederror"}
    soft = {"num_class": 3}
    every = ["json", "ubj", "model", "bst"]
    N, t, numbers, X, flowers = d.N, d.t, d.numbers, d.X, d.flowers
    native("regression", squared, N, t, numbers, some=every)
    native("binary", {"objective": "binary:logistic"}, X, d.bools, flowers, some=every)
    native("soft", dict(soft, objective="multi:softprob"), X, d.y, flowers, some=every)
    native("softmax", dict(soft, objective="multi:softmax"), X, d.y, flowers, some=["json", "ubj"])
    native("gaps", squared, d.holes, d.floats, d.gaps, some=every)
    native("gaps-unseen", {"objective": "binary:logistic"}, X, d.bools, d.gaps)
    for objective, y in [("reg:logistic", d.positive / 100), ("reg:squaredlogerror", d.positive), ("reg:pseudohubererror", t), ("reg:absoluteerror", t), ("reg:gamma", d.positive),
                         ("reg:tweedie", d.positive), ("count:poisson", np.round(d.positive)), ("reg:linear", t)]:
        native(objective.replace(":", "-"), {"objective": objective}, N, np.clip(y, 0, 1) if objective == "reg:logistic" else y, numbers)
    native("quantile", {"objective": "reg:quantileerror", "quantile_alpha": 0.7}, N, t, numbers)
    native("quantiles", {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]}, N, t, numbers)
    for objective in ["binary:logitraw", "binary:hinge"]:
        native(objective.replace(":", "-"), {"objective": objective}, X, d.bools, flowers)
    for objective in ["rank:pairwise", "rank:ndcg", "rank:map"]:
        y = d.k if objective != "rank:map" else d.k > 1
        native(objective.replace(":", "-"), {"objective": objective}, d.C, y, d.counts, group=[20, 20, 20])
    native("cox", {"objective": "survival:cox"}, N, d.positive, numbers)
    native("base-score", dict(squared, base_score=7.5), N, t, numbers, some=every)
    native("base-score-binary", {"objective": "binary:logistic", "base_score": 0.2}, X, d.bools, flowers, some=["json", "model"])
    native("base-score-poisson", {"objective": "count:poisson", "base_score": 3}, N, np.round(d.positive), numbers)
    native("exact", dict(squared, tree_method="exact"), N, t, numbers)
    native("lossguide", dict(squared, tree_method="hist", grow_policy="lossguide", max_leaves=5, max_depth=0), N, t, numbers)
    native("forest", dict(squared, num_parallel_tree=3, subsample=0.7, colsample_bynode=0.5, eta=1), N, t, numbers, 2, some=every)
    native("forest-soft", dict(soft, objective="multi:softprob", num_parallel_tree=2, subsample=0.7), X, d.y, flowers, 2)
    native("pruned", dict(squared, gamma=50, max_depth=4), N, t, numbers, some=every)
    native("no-trees", squared, N, t, numbers, 0)
    native("one-row", {"objective": "binary:logistic"}, X, d.bools, d.one)
    for name, params in [("dart", {}), ("dart-forest", {"normalize_type": "forest", "one_drop": 1})]:
        native(name, dict(squared, booster="dart", rate_drop=0.5, **params), N, t, numbers, 6, some=every)
    native("dart-soft", dict(soft, objective="multi:softprob", booster="dart", rate_drop=0.5), X, d.y, flowers)
    native("linear", dict(squared, booster="gblinear"), N, t, numbers, some=every)
    native("linear-soft", dict(soft, objective="multi:softprob", booster="gblinear"), X, d.y, flowers)
    native("two-outputs", squared, N, d.t2, numbers, some=["json", "ubj"])
    native("two-outputs-vector-leaf", dict(squared, multi_strategy="multi_output_tree", tree_method="hist"), N, d.t2, numbers, some=["json", "ubj"])
    native("multilabel", {"objective": "binary:logistic"}, X, d.labels, flowers)
    native("monotonic", dict(squared, monotone_constraints="(1,0,-1,0,1)"), N, t, numbers)
    native("frame", {"objective": "binary:logistic"}, d.frame.rename(columns={"c d": "c"}), d.bools, d.flowers)
    frame, codes = people(d)
    for name, onehot in [("categorical-onehot", 100), ("categorical-partition", 1)]:
        native(name, dict(squared, tree_method="hist", max_cat_to_onehot=onehot), frame, d.spends, codes, some=["json", "ubj"], categorical=True)
    stopped(a, d, xgb, version)
    wrappers(a, d, xgb, version)


def stopped(a, d, xgb, version):
    try:
        train, check = xgb.DMatrix(d.N[:40], d.t[:40]), xgb.DMatrix(d.N[40:], d.t[40:])
        booster = xgb.train({"eta": 1.0, "max_depth": 4, "seed": 0}, train, 20, evals=[(check, "c")], early_stopping_rounds=2, verbose_eval=False)
        answers = answers_of(predict=lambda x: booster.predict(xgb.DMatrix(x)))
        a.record("early-stopping-json", booster, d.numbers, ext="json", dump=lambda m: bytes_of(m.save_model, "json"), answers=answers, library=version)
    except Exception as error:  # noqa: BLE001
        a.skip("early-stopping", error)


def wrappers(a, d, xgb, version):
    how = {"n_estimators": 4, "max_depth": 2, "n_jobs": 1, "random_state": 0, "learning_rate": 0.5}

    def one(name, make, X, y, inputs, fit=None, pick=("joblib",)):
        try:
            model = make().fit(X, y, **(fit or {}))
            for ext in pick:
                dump = dumped if ext == "joblib" else lambda m: pickle.dumps(m)
                a.record("wrapper-%s%s" % (name, "" if ext == "joblib" else "-" + ext), model, inputs, methods=["predict", "predict_proba"], ext=ext, dump=dump, library=version)
        except Exception as error:  # noqa: BLE001
            a.skip("wrapper-" + name, error)

    one("classifier", lambda: xgb.XGBClassifier(**how), d.X, d.y, d.flowers, pick=("joblib", "pkl"))
    one("classifier-binary", lambda: xgb.XGBClassifier(**how), d.X, d.bools.astype(int), d.flowers, pick=("joblib", "pkl"))
    one("classifier-names", lambda: xgb.XGBClassifier(**how), d.X, d.names, d.flowers)  # up to 1.5
    one("classifier-gaps", lambda: xgb.XGBClassifier(**how), d.holes, d.y, d.gaps)
    one("classifier-missing", lambda: xgb.XGBClassifier(missing=0, **how), d.C, d.k, d.counts)
    one("classifier-dart", lambda: xgb.XGBClassifier(booster="dart", rate_drop=0.5, **how), d.X, d.y, d.flowers)
    one("classifier-multilabel", lambda: xgb.XGBClassifier(**how), d.X, d.labels, d.flowers)
    one("classifier-frame", lambda: xgb.XGBClassifier(**how), d.frame, d.y, d.flower_frame)
    one("regressor", lambda: xgb.XGBRegressor(**how), d.N, d.t, d.numbers, pick=("joblib", "pkl"))
    one("regressor-linear", lambda: xgb.XGBRegressor(booster="gblinear", n_estimators=4, n_jobs=1), d.N, d.t, d.numbers)
    one("regressor-poisson", lambda: xgb.XGBRegressor(objective="count:poisson", **how), d.N, np.round(d.positive), d.numbers)
    one("regressor-two-outputs", lambda: xgb.XGBRegressor(**how), d.N, d.t2, d.numbers)
    one("regressor-each-output", lambda: MultiOutputRegressor(xgb.XGBRegressor(**how)), d.N, d.t2, d.numbers)
    one("forest-classifier", lambda: xgb.XGBRFClassifier(n_estimators=4, max_depth=2, n_jobs=1, random_state=0), d.X, d.y, d.flowers)
    one("forest-regressor", lambda: xgb.XGBRFRegressor(n_estimators=4, max_depth=2, n_jobs=1, random_state=0), d.N, d.t, d.numbers)
    one("ranker", lambda: xgb.XGBRanker(objective="rank:pairwise", **how), d.C, d.k, d.counts, fit={"group": [20, 20, 20]})
    one("pipeline", lambda: make_pipeline(StandardScaler(), xgb.XGBClassifier(**how)), d.X, d.y, d.flowers)


def lightgbm_cases(a, d):
    import lightgbm as lgb

    version = "lightgbm " + lgb.__version__
    base = {"num_leaves": 4, "min_data_in_leaf": 3, "min_data_in_bin": 1, "learning_rate": 0.3, "verbose": -1, "num_threads": 1, "seed": 0, "deterministic": True}

    def native(name, params, X, y, inputs, rounds=4, group=None, categorical=None, best=None):
        try:
            more = {} if categorical is None else {"categorical_feature": categorical}
            booster = lgb.train(dict(base, **params), lgb.Dataset(X, y, group=group, free_raw_data=False, **more), rounds)
            if best:
                booster.best_iteration = best
            ask = lambda **how: (lambda x: booster.predict(x, **how))  # noqa: E731
            a.record(name, booster, inputs, ext="txt", dump=lambda m: m.model_to_string().encode(), answers=answers_of(predict=ask(), margin=ask(raw_score=True)), library=version)
        except Exception as error:  # noqa: BLE001
            a.skip(name, error)

    N, t, numbers, X, flowers = d.N, d.t, d.numbers, d.X, d.flowers
    for objective in ["regression", "regression_l1", "huber", "fair", "quantile", "mape"]:
        native(objective.replace("_", "-"), {"objective": objective}, N, t, numbers)
    for objective in ["poisson", "gamma", "tweedie"]:
        native(objective, {"objective": objective}, N, d.positive, numbers)
    native("regression-sqrt", {"objective": "regression", "reg_sqrt": True}, N, t, numbers)
    native("cross-entropy", {"objective": "cross_entropy"}, N, np.clip(d.positive / 100, 0, 1), numbers)
    native("cross-entropy-lambda", {"objective": "cross_entropy_lambda"}, N, np.clip(d.positive / 100, 0, 1), numbers)
    for boost in ["gbdt", "dart", "goss", "rf"]:
        more = {"boosting": boost, **({"bagging_freq": 1, "bagging_fraction": 0.7} if boost == "rf" else {})}
        native("binary-" + boost, dict(more, objective="binary"), X, d.bools, flowers)
        native("multiclass-" + boost, dict(more, objective="multiclass", num_class=3), X, d.y, flowers)
        native("regression-" + boost, dict(more, objective="regression"), N, t, numbers)
    native("multiclass-ova", {"objective": "multiclassova", "num_class": 3, "sigmoid": 1.7}, X, d.y, flowers)
    native("binary-sigmoid", {"objective": "binary", "sigmoid": 0.5, "is_unbalance": True}, X, d.bools, flowers)
    native("binary-no-average", {"objective": "binary", "boost_from_average": False}, X, d.bools, flowers)
    native("gaps", {"objective": "regression"}, d.holes, d.floats, d.gaps)
    native("gaps-unseen", {"objective": "regression"}, X, d.floats, d.gaps)
    native("gaps-off", {"objective": "regression", "use_missing": False}, d.holes, d.floats, d.gaps)
    native("zero-as-missing", {"objective": "regression", "zero_as_missing": True}, d.C.astype(float), d.k, d.counts)
    for objective in ["lambdarank", "rank_xendcg"]:
        native(objective.replace("_", "-"), {"objective": objective}, d.C.astype(float), d.k, d.counts, group=[20, 20, 20])
    native("linear-tree", {"objective": "regression", "linear_tree": True}, N, t, numbers)
    native("linear-tree-gaps", {"objective": "regression", "linear_tree": True}, d.holes, d.floats, d.gaps)
    native("monotonic", {"objective": "regression", "monotone_constraints": [1, 0, -1, 0, 1]}, N, t, numbers)
    native("one-leaf", {"objective": "regression", "min_data_in_leaf": 60}, N, t, numbers)
    native("one-leaf-multiclass", {"objective": "multiclass", "num_class": 3, "min_data_in_leaf": 75}, X, d.y, flowers)
    native("one-row", {"objective": "binary"}, X, d.bools, d.one)
    native("best-iteration", {"objective": "regression"}, N, t, numbers, 6, best=3)
    native("frame", {"objective": "binary"}, d.frame.rename(columns={"c d": "c"}), d.bools, d.flowers)
    _, codes = people(d)
    frame = d.people[["age", "income", "kids"]].astype(float).assign(city=np.unique(d.people["city"], return_inverse=True)[1])
    for name, params in [("categorical", {"min_data_per_group": 1, "cat_smooth": 1}), ("categorical-onehot", {"max_cat_to_onehot": 20, "min_data_per_group": 1})]:
        native(name, dict(params, objective="regression"), frame, d.spends, codes, categorical=["city"])
        native(name + "-codes", dict(params, objective="regression"), d.codes, d.codes[:, 0] * 3 % 5, d.strange_codes, categorical=[0, 2])
    native("null", {"objective": "none" if a.version < (1, 3) else "regression"}, N, t, numbers)
    light_wrappers(a, d, lgb, version)


def light_wrappers(a, d, lgb, version):
    how = {"n_estimators": 4, "num_leaves": 4, "min_child_samples": 3, "n_jobs": 1, "random_state": 0, "verbose": -1}

    def one(name, make, X, y, inputs, fit=None, ext="joblib"):
        try:
            model = make().fit(X, y, **(fit or {}))
            dump = dumped if ext == "joblib" else lambda m: pickle.dumps(m)
            a.record("wrapper-" + name, model, inputs, methods=["predict", "predict_proba"], ext=ext, dump=dump, library=version)
        except Exception as error:  # noqa: BLE001
            a.skip("wrapper-" + name, error)

    one("classifier", lambda: lgb.LGBMClassifier(**how), d.X, d.names, d.flowers)
    one("classifier-pickle", lambda: lgb.LGBMClassifier(**how), d.X, d.ints, d.flowers, ext="pkl")
    one("classifier-binary", lambda: lgb.LGBMClassifier(**how), d.X, d.bools, d.flowers)
    one("classifier-binary-names", lambda: lgb.LGBMClassifier(**how), d.X, d.names == "setosa", d.flowers)
    one("classifier-gaps", lambda: lgb.LGBMClassifier(boosting_type="dart", **how), d.holes, d.ints, d.gaps)
    one("classifier-balanced", lambda: lgb.LGBMClassifier(class_weight="balanced", **how), d.X, d.five, d.flowers)
    one("classifier-frame", lambda: lgb.LGBMClassifier(**how), d.frame.rename(columns={"c d": "c"}), d.names, d.flowers)
    one("regressor", lambda: lgb.LGBMRegressor(**how), d.N, d.t, d.numbers)
    one("regressor-pickle", lambda: lgb.LGBMRegressor(objective="poisson", **how), d.N, d.positive, d.numbers, ext="pkl")
    one("ranker", lambda: lgb.LGBMRanker(**how), d.C.astype(float), d.k, d.counts, fit={"group": [20, 20, 20]})
    one("pipeline", lambda: make_pipeline(StandardScaler(), lgb.LGBMClassifier(**how)), d.X, d.names, d.flowers)
