#!/usr/bin/env python3
"""Writes the models of TestSmallModels, and prints what they answer.

    python make.py    # those of the scikit-learn that runs this script: 1.9.1, or 1.2.2
"""

import pickle
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cluster import KMeans, MeanShift
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SequentialFeatureSelector, VarianceThreshold
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.multiclass import OutputCodeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor, RadiusNeighborsRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PowerTransformer, QuantileTransformer, StandardScaler

VERSION = tuple(int(n) for n in sklearn.__version__.split(".")[:2])
x = np.arange(8.0).reshape(-1, 1)


def write(name, model, rows):
    (Path(__file__).parent / (name + ".pkl")).write_bytes(pickle.dumps(model, 2))
    try:
        texts = name.startswith("texts")
        print(name, model.predict([row[0] for row in rows] if texts else np.array(rows, dtype=object if type(rows[0][0]) is str else float)).tolist())
    except ValueError as error:
        print(name, error)


if VERSION < (1, 5):
    constant = np.c_[x, np.full(8, 1e6)]
    write("power-constant", make_pipeline(PowerTransformer(), LinearRegression()).fit(constant, x[:, 0]), [[1, 1e6]])
else:
    ends = make_pipeline(StandardScaler(), KMeans(2, n_init=1, random_state=0))
    write("union-kmeans", make_pipeline(FeatureUnion([("k", ends)]), LinearRegression()).fit(x, x[:, 0] ** 2), [[0.5], [9]])
    words = np.array([["a"], ["a"], ["b"], ["b"], ["c"], ["d"], [np.nan], ["a"]], dtype=object)
    coder = OrdinalEncoder(min_frequency=2, encoded_missing_value=-2, handle_unknown="use_encoded_value", unknown_value=-1)
    write("ordinal-rare", make_pipeline(coder, LinearRegression()).fit(words, x[:, 0] ** 2), [["a"], ["b"], ["c"], [np.nan], ["?"]])
    write("mean-shift", MeanShift(bandwidth=1).fit([[5.0], [0.0], [-5.0]]), [[4], [-1], [1e20], [-1e20]])
    two = np.c_[x, np.ones(8)]
    write("variance", make_pipeline(VarianceThreshold(), LinearRegression()).fit(two, x[:, 0] * 2 + 1), [[3, np.inf], [3, np.nan]])
    write("target-radius", TransformedTargetRegressor(RadiusNeighborsRegressor(1.5)).fit(x, x[:, 0]), [[100]])
    write("codes-bayes", OutputCodeClassifier(GaussianNB(), random_state=0).fit(x, x[:, 0].astype(int) // 3), [[1e300]])
    for bounds in ["nan", "raise"]:
        write("isotonic-" + bounds, IsotonicRegression(out_of_bounds=bounds).fit(np.ones((8, 1)), x[:, 0]), [[0], [1], [2]])
    write("whiten-flat", make_pipeline(PCA(whiten=True), LinearRegression()).fit(np.c_[x, -x], x[:, 0]), [[1, -1]])
    two = np.array([["a", "x"], ["b", "y"], ["a", "y"], ["c", "x"], ["c", "y"], ["b", "x"]], dtype=object)
    coder = OneHotEncoder(handle_unknown="ignore")
    bag = BaggingRegressor(make_pipeline(coder, LinearRegression()), n_estimators=4, max_features=0.5, random_state=0)
    write("bagging-strings", bag.fit(two, [0.5, 1, 4, 2, 7, 3]), [["b", "x"], ["a", "y"], ["?", "y"]])
    quantiles = QuantileTransformer(n_quantiles=2, output_distribution="normal")
    write("quantiles-sparse", make_pipeline(coder, quantiles, LinearRegression()).fit(two, x[:6, 0]), [["a", "x"]])
    words = ["red green", "green blue blue", "red blue", "white red", "green", "white white blue"]
    near = make_pipeline(TfidfVectorizer(), KNeighborsRegressor(2, weights="distance"))
    write("texts-near", near.fit(words, x[:6, 0]), [["green blue green"], ["red"]])
    same = KNeighborsRegressor(2, weights="distance", algorithm="brute")
    write("rows-same", same.fit([[0.1, 0.7], [0.1, 0.7], [3.3, 1.1], [0.3, 2.2]], [1, 2, 3, 4]), [[0.1, 0.7], [3, 1.3]])
    boost = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1)
    gaps = np.c_[np.where(x == 3, np.nan, x), np.cos(x)]
    selector = SequentialFeatureSelector(boost, n_features_to_select=1, cv=2)
    write("select-gaps", make_pipeline(selector, boost).fit(gaps, x[:, 0] ** 2), [[1, np.nan], [np.nan, 1], [np.inf, 1]])
