"""Trains models with splits by category, of XGBoost 3.0.5, and asks them: python3 train.py, in this folder."""

import json

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
types = ["c", "q", "c"]
n = 300
c, d, x = rng.integers(0, 40, n).astype(float), rng.integers(0, 5, n).astype(float), rng.normal(size=n)
effect = rng.normal(size=40)
y = effect[c.astype(int)] * 3 + np.where(d == 2, 2, 0) + x + 0.1 * rng.normal(size=n)
full = np.c_[c, x, d].astype(np.float32)
holes = full.copy()
holes[rng.random(full.shape) < 0.1] = np.nan
rows = np.c_[rng.integers(0, 60, 60), rng.normal(size=60), rng.integers(-1, 8, 60)].astype(np.float32)
rows[:6] = [[np.nan, 0, np.nan], [-1, 0, -0.5], [1e9, 0, 2.7], [39, np.nan, 4], [64, 1, 31], [32, 1, 32]]
rows = np.where(rng.random(rows.shape) < 0.05, np.nan, rows)
cases = {}


def numbers(a):
    return [float("%.9g" % v) for v in a.ravel()]


def one(file, params, y, rounds=3, X=holes):
    how = {"feature_types": types, "enable_categorical": True}
    booster = xgb.train(dict(params, nthread=1, max_depth=3), xgb.DMatrix(X, y, **how), rounds)
    booster.save_model(file)
    cases[file] = numbers(booster.predict(xgb.DMatrix(rows, **how)))


one("partition.ubj", {"max_cat_to_onehot": 1}, y)
one("onehot.json", {"max_cat_to_onehot": 100}, y)
one("onehot-full.json", {"max_cat_to_onehot": 100}, y, X=full)
one("soft.ubj", {"objective": "multi:softprob", "num_class": 3, "max_cat_to_onehot": 4}, np.digitize(y, [-1, 1]))
one("dart.json", {"booster": "dart", "rate_drop": 0.5, "max_cat_to_onehot": 4}, y, 6)

times = np.exp(y / 5)
train = xgb.DMatrix(full[:, 1:2])
train.set_float_info("label_lower_bound", times)
train.set_float_info("label_upper_bound", times)
booster = xgb.train({"objective": "survival:aft", "nthread": 1, "max_depth": 2}, train, 3)
booster.save_model("aft.json")
cases["aft.json"] = numbers(booster.predict(xgb.DMatrix(rows[:, 1:2])))

with open("answers.json", "w") as f:
    json.dump({"rows": [[None if np.isnan(v) else float("%.9g" % v) for v in row] for row in rows], "cases": cases}, f)
