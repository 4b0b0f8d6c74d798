"""What comes before an estimator: each transformer alone and before a linear model."""

import numpy as np
from sklearn import decomposition, feature_selection as fs, impute, preprocessing as pp
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

import derived


def log_of(x):
    return np.log1p(np.abs(x))


def cases(a, d):
    scalers(a, d)
    shapes(a, d)
    encoders(a, d)
    imputers(a, d)
    functions(a, d)
    selectors(a, d)
    decompositions(a, d)
    transformers(a, d)
    unions(a, d)


def before(a, name, make, X, y, inputs, end=None):
    end = end or (lambda: Ridge())
    a.add(name, lambda: make_pipeline(make(), end()), X, y, inputs, methods=["predict", "transform"])


def scalers(a, d):
    for name, make in [
        ("standard", pp.StandardScaler), ("standard-no-mean", lambda: pp.StandardScaler(with_mean=False)), ("standard-no-std", lambda: pp.StandardScaler(with_std=False)),
        ("standard-neither", lambda: pp.StandardScaler(with_mean=False, with_std=False)),
        ("min-max", pp.MinMaxScaler), ("min-max-range", lambda: pp.MinMaxScaler((-1, 3))), ("min-max-clip", lambda: pp.MinMaxScaler(clip=True)),
        ("max-abs", pp.MaxAbsScaler), ("max-abs-clip", lambda: pp.MaxAbsScaler(clip=True)),
        ("robust", pp.RobustScaler), ("robust-quantiles", lambda: pp.RobustScaler(quantile_range=(10, 80), unit_variance=True)),
        ("robust-no-centre", lambda: pp.RobustScaler(with_centering=False)), ("robust-no-scale", lambda: pp.RobustScaler(with_scaling=False)),
        ("normalizer-l1", lambda: pp.Normalizer("l1")), ("normalizer-l2", lambda: pp.Normalizer("l2")), ("normalizer-max", lambda: pp.Normalizer("max")),
        ("power", pp.PowerTransformer), ("power-raw", lambda: pp.PowerTransformer(standardize=False)),
        ("quantile", lambda: pp.QuantileTransformer(n_quantiles=20)), ("quantile-normal", lambda: pp.QuantileTransformer(n_quantiles=25, output_distribution="normal")),
        ("binarizer", lambda: pp.Binarizer(threshold=0.5)),
    ]:
        before(a, name, make, d.N, d.t, d.numbers)
    before(a, "box-cox", lambda: pp.PowerTransformer("box-cox"), d.P, d.t, d.positives)
    before(a, "box-cox-raw", lambda: pp.PowerTransformer("box-cox", standardize=False), d.P, d.t, d.positives)
    flat = np.c_[d.N, np.ones(60)]
    constant = derived.matrix("constant", np.c_[d.numbers.python(), np.arange(200) % 3])
    for name, make in [("standard", pp.StandardScaler), ("min-max", pp.MinMaxScaler), ("robust", pp.RobustScaler), ("max-abs", pp.MaxAbsScaler)]:
        before(a, name + "-constant", make, flat, d.t, constant)
        before(a, name + "-frame", make, d.frame, d.floats, d.flower_frame)
        # Scalers keep what is missing, so an imputer may follow.
        before(a, name + "-gaps", lambda: make_pipeline(make(), impute.SimpleImputer()), d.holes, d.floats, d.gaps)
    before(a, "quantile-ties", lambda: pp.QuantileTransformer(n_quantiles=30), d.C, d.k, d.counts)
    before(a, "quantile-gaps", lambda: make_pipeline(pp.QuantileTransformer(n_quantiles=20), impute.SimpleImputer()), d.holes, d.floats, d.gaps)
    before(a, "power-gaps", lambda: make_pipeline(pp.PowerTransformer(), impute.SimpleImputer()), d.holes, d.floats, d.gaps)
    before(a, "standard-float32", pp.StandardScaler, d.N.astype(np.float32), d.t, d.numbers)
    before(a, "kernel-centerer", lambda: make_pipeline(pp.StandardScaler(), pp.Normalizer()), d.N, d.t, d.numbers)


def shapes(a, d):
    for name, make in [
        ("polynomial-2", pp.PolynomialFeatures), ("polynomial-3", lambda: pp.PolynomialFeatures(3)), ("polynomial-interaction", lambda: pp.PolynomialFeatures(3, interaction_only=True)),
        ("polynomial-no-bias", lambda: pp.PolynomialFeatures(2, include_bias=False)), ("polynomial-2-3", lambda: pp.PolynomialFeatures((2, 3), include_bias=False)),
        ("polynomial-0", lambda: pp.PolynomialFeatures((0, 1), interaction_only=True)), ("polynomial-fortran", lambda: pp.PolynomialFeatures(2, order="F")),
        ("spline", lambda: pp.SplineTransformer(n_knots=3)), ("spline-linear", lambda: pp.SplineTransformer(n_knots=3, degree=1, extrapolation="linear", include_bias=False)),
        ("spline-periodic", lambda: pp.SplineTransformer(n_knots=4, extrapolation="periodic")),
    ]:
        before(a, name, make, d.N, d.t, d.numbers)
    for encode in ["onehot", "onehot-dense", "ordinal"]:
        for strategy in ["uniform", "quantile", "kmeans"]:
            before(a, "bins-%s-%s" % (encode, strategy), lambda: pp.KBinsDiscretizer(4, encode=encode, strategy=strategy), d.N, d.t, d.numbers)
    before(a, "bins-each", lambda: pp.KBinsDiscretizer([2, 3, 4, 5, 6], encode="ordinal"), d.N, d.t, d.numbers)
    before(a, "bins-edges", lambda: pp.KBinsDiscretizer(3, encode="ordinal", strategy="uniform"), d.C, d.k, d.counts)


def encoders(a, d):
    known, strange = d.word_rows, d.strange_rows
    dense = {"sparse_output": False} if a.version >= (1, 2) else {"sparse": False}
    many = {"handle_unknown": "infrequent_if_exist"}
    for name, how, inputs in [
        ("", {}, known), ("-refuses", {}, strange), ("-ignore", {"handle_unknown": "ignore"}, strange), ("-dense", dict(dense, handle_unknown="ignore"), strange),
        ("-warn", {"handle_unknown": "warn"}, strange),
        ("-drop-first", {"drop": "first"}, known), ("-drop-first-ignore", {"drop": "first", "handle_unknown": "ignore"}, strange), ("-drop-if-binary", {"drop": "if_binary"}, known),
        ("-drop-array", {"drop": ["Bern", "cook"]}, known), ("-categories", {"categories": [["Bern", "Lugano", "Basel", "Zürich", "Geneva"], ["nurse", "cook", "clerk"]]}, known),
        ("-categories-ignore", {"categories": [["Bern", "Basel"], ["nurse", "cook"]], "handle_unknown": "ignore"}, strange),
        ("-min-frequency", dict(many, min_frequency=10), strange), ("-min-share", dict(many, min_frequency=0.2), known), ("-max-categories", dict(many, max_categories=3), strange),
        ("-max-categories-drop", dict(many, max_categories=3, drop="first"), strange), ("-min-frequency-refuses", {"min_frequency": 10}, strange), ("-float32", {"dtype": np.float32}, known),
    ]:
        before(a, "one-hot" + name, lambda: OneHotEncoder(**how), d.words, d.spends, inputs)
    for name, how, inputs in [
        ("", {}, known), ("-refuses", {}, strange), ("-unknown", {"handle_unknown": "use_encoded_value", "unknown_value": -1}, strange),
        ("-min-frequency", {"handle_unknown": "use_encoded_value", "unknown_value": 99, "min_frequency": 10}, strange), ("-max-categories", {"max_categories": 2}, known),
        ("-categories", {"categories": [["Zürich", "Lugano", "Basel", "Bern", "Geneva"], ["nurse", "cook", "clerk"]]}, known),
    ]:
        before(a, "ordinal" + name, lambda: OrdinalEncoder(**how), d.words, d.spends, inputs)
    y = d.codes[:, 0] * 2 + d.codes[:, 1]
    before(a, "one-hot-numbers", OneHotEncoder, d.codes, y, d.code_rows)
    before(a, "one-hot-numbers-refuses", OneHotEncoder, d.codes, y, d.strange_codes)
    before(a, "one-hot-numbers-ignore", lambda: OneHotEncoder(handle_unknown="ignore"), d.codes, y, d.strange_codes)
    holes = d.codes.copy()
    holes[::5, 0] = np.nan
    gaps = derived.gaps(d.strange_codes)
    before(a, "one-hot-gaps", lambda: OneHotEncoder(handle_unknown="ignore"), holes, y, gaps)
    before(a, "ordinal-numbers", lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), d.codes, y, d.strange_codes)
    before(a, "ordinal-gaps", lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2), holes, y, gaps)
    before(a, "ordinal-gaps-kept", lambda: make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), impute.SimpleImputer()), holes, y, gaps)
    words = [["one-hot", lambda: OneHotEncoder(handle_unknown="ignore")], ["ordinal", lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)]]
    for name, make in words:
        before(a, name + "-none", lambda: make_column_transformer((make(), ["city", "job", "married"])), d.people_holes, d.spends, d.strangers)
    if a.version >= (1, 3):
        for kind in ["continuous", "binary", "multiclass"]:
            target = {"continuous": d.spends, "binary": d.buys, "multiclass": d.group}[kind]
            end = (lambda: Ridge()) if kind == "continuous" else (lambda: LogisticRegression())
            before(a, "target-" + kind, lambda: pp.TargetEncoder(random_state=0, smooth=2.0), d.words, target, strange, end)


def imputers(a, d):
    for name, how in [
        ("mean", {}), ("median", {"strategy": "median"}), ("most-frequent", {"strategy": "most_frequent"}), ("constant", {"strategy": "constant", "fill_value": -7.5}),
        ("indicator", {"add_indicator": True}), ("constant-indicator", {"strategy": "constant", "add_indicator": True}), ("keep-empty", {"keep_empty_features": True}),
    ]:
        before(a, "imputer-" + name, lambda: impute.SimpleImputer(**how), d.holes, d.floats, d.gaps)
    empty = np.c_[d.holes, np.full(75, np.nan)]
    rows = derived.matrix("gaps-5", np.c_[d.gaps.python(), np.full(200, 1.5)])
    before(a, "imputer-empty", impute.SimpleImputer, empty, d.floats, rows)
    before(a, "imputer-empty-keep", lambda: impute.SimpleImputer(keep_empty_features=True), empty, d.floats, rows)
    before(a, "imputer-zero", lambda: impute.SimpleImputer(missing_values=0), d.C, d.k, d.counts)
    before(a, "imputer-knn", lambda: impute.KNNImputer(n_neighbors=3), d.holes[::3], d.floats[::3], d.gaps)
    before(a, "imputer-knn-distance", lambda: impute.KNNImputer(n_neighbors=3, weights="distance", add_indicator=True), d.holes[::3], d.floats[::3], d.gaps)
    before(a, "imputer-iterative", lambda: impute.IterativeImputer(max_iter=2, random_state=0), d.holes[:, :3], d.floats, derived.matrix("gaps-3", d.gaps.python()[:, :3]))
    before(a, "indicator", lambda: impute.MissingIndicator(features="all"), d.holes, d.floats, d.gaps)
    fill = lambda strategy: make_pipeline(impute.SimpleImputer(missing_values=None, strategy=strategy, fill_value="none"), OneHotEncoder(handle_unknown="ignore"))  # noqa: E731
    for strategy in ["constant", "most_frequent"]:
        before(a, "imputer-words-" + strategy, lambda: make_column_transformer((fill(strategy), ["city"])), d.people_holes.astype({"city": object}), d.spends, d.strangers)


def functions(a, d):
    for name in ["log1p", "log", "sqrt", "exp", "expm1", "square", "abs", "sin", "cos", "tanh", "cbrt", "log2", "log10", "reciprocal", "sign", "rint", "floor", "ceil", "negative"]:
        before(a, "function-" + name, lambda: FunctionTransformer(getattr(np, name)), d.P / 20, d.t, d.positives)
    before(a, "function-none", FunctionTransformer, d.N, d.t, d.numbers)
    before(a, "function-validate", lambda: FunctionTransformer(np.square, validate=True), d.N, d.t, d.numbers)
    before(a, "function-inverse", lambda: FunctionTransformer(np.log1p, inverse_func=np.expm1, check_inverse=False), d.P, d.t, d.positives)
    before(a, "function-clip", lambda: FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}), d.N, d.t, d.numbers)
    before(a, "function-own", lambda: FunctionTransformer(log_of), d.N, d.t, d.numbers)  # must be refused


def selectors(a, d):
    def one(name, make, X=d.X, y=d.names, inputs=d.flowers):
        before(a, "select-" + name, make, X, y, inputs, lambda: LogisticRegression(max_iter=300))

    one("k-best", lambda: fs.SelectKBest(k=2))
    one("k-best-all", lambda: fs.SelectKBest(k="all"))
    one("k-best-chi2", lambda: fs.SelectKBest(fs.chi2, k=3), d.C, d.k, d.counts)
    one("k-best-mutual", lambda: fs.SelectKBest(fs.mutual_info_classif, k=2))
    one("percentile", lambda: fs.SelectPercentile(percentile=60))
    one("fpr", lambda: fs.SelectFpr(alpha=0.1), d.C, d.k, d.counts)
    one("fdr", lambda: fs.SelectFdr(alpha=0.1), d.C, d.k, d.counts)
    one("fwe", lambda: fs.SelectFwe(alpha=0.1), d.C, d.k, d.counts)
    one("generic", lambda: fs.GenericUnivariateSelect(mode="k_best", param=2))
    one("variance", lambda: fs.VarianceThreshold(0.3))
    one("variance-zero", fs.VarianceThreshold)
    one("from-model", lambda: fs.SelectFromModel(RandomForestClassifier(3, max_depth=2, random_state=0)))
    one("from-model-threshold", lambda: fs.SelectFromModel(LogisticRegression(max_iter=300), threshold="0.5*mean"))
    one("from-model-most", lambda: fs.SelectFromModel(LogisticRegression(max_iter=300), threshold=-np.inf, max_features=2))
    one("rfe", lambda: fs.RFE(LogisticRegression(max_iter=300), n_features_to_select=2))
    one("rfe-cv", lambda: fs.RFECV(LogisticRegression(max_iter=300), cv=2))
    one("sequential", lambda: fs.SequentialFeatureSelector(LogisticRegression(max_iter=300), n_features_to_select=2, cv=2))
    before(a, "select-regression", lambda: fs.SelectKBest(fs.f_regression, k=3), d.N, d.t, d.numbers)
    before(a, "select-frame", lambda: fs.SelectKBest(k=2), d.frame, d.names == "setosa", d.flower_frame, LogisticRegression)
    a.add("rfe-alone", lambda: fs.RFE(LogisticRegression(max_iter=300), n_features_to_select=2), d.X, d.names, d.flowers)


def decompositions(a, d):
    for name, make in [
        ("pca", decomposition.PCA), ("pca-2", lambda: decomposition.PCA(2)), ("pca-whiten", lambda: decomposition.PCA(3, whiten=True)), ("pca-share", lambda: decomposition.PCA(0.9, svd_solver="full")),
        ("pca-randomized", lambda: decomposition.PCA(2, svd_solver="randomized", random_state=0)), ("pca-arpack", lambda: decomposition.PCA(2, svd_solver="arpack", random_state=0)),
        ("incremental-pca", lambda: decomposition.IncrementalPCA(2, batch_size=20)), ("svd", lambda: decomposition.TruncatedSVD(3, random_state=0)),
        ("svd-arpack", lambda: decomposition.TruncatedSVD(2, algorithm="arpack", random_state=0)),
        ("factor-analysis", lambda: decomposition.FactorAnalysis(2, random_state=0)), ("fast-ica", lambda: decomposition.FastICA(2, random_state=0)),
        ("kernel-pca-rbf", lambda: decomposition.KernelPCA(2, kernel="rbf", gamma=0.1)),
    ]:
        before(a, name, make, d.N, d.t, d.numbers)
    before(a, "pca-frame", lambda: decomposition.PCA(2), d.frame, d.floats, d.flower_frame)
    before(a, "lda-transform", lambda: LinearDiscriminantAnalysis(n_components=2), d.X, d.names, d.flowers, lambda: LogisticRegression())
    before(a, "lda-transform-eigen", lambda: LinearDiscriminantAnalysis(solver="eigen"), d.X, d.ints, d.flowers, lambda: LogisticRegression())


def transformers(a, d):
    numbers, words = ["age", "income"], ["city", "job"]
    filled = lambda: make_pipeline(impute.SimpleImputer(strategy="median"), StandardScaler())  # noqa: E731
    hot = lambda: OneHotEncoder(handle_unknown="ignore")  # noqa: E731
    people = d.people[["age", "income", "kids", "city", "job", "married"]]  # not the order of the records

    def one(name, make, X=d.people, y=d.buys, inputs=d.strangers, end=lambda: LogisticRegression(max_iter=500)):
        a.add("columns-" + name, lambda: Pipeline([("prep", make()), ("end", end())]), X, y, inputs)

    one("names", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)]))
    one("names-regressor", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)]), y=d.spends, end=Ridge)
    one("names-forest", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)]), y=d.group, end=lambda: RandomForestClassifier(3, max_depth=3, random_state=0))
    one("remainder", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], remainder="passthrough"))
    one("remainder-order", lambda: ColumnTransformer([("w", hot(), words), ("n", filled(), numbers)], remainder="passthrough"), X=people)
    one("remainder-scaled", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], remainder=pp.MinMaxScaler()))
    one("drop", lambda: ColumnTransformer([("n", filled(), numbers), ("w", "drop", words), ("k", "passthrough", ["kids"])]))
    one("positions", lambda: ColumnTransformer([("n", filled(), [0, 1]), ("w", hot(), [2, -3])]))
    one("slice", lambda: ColumnTransformer([("n", filled(), slice(0, 2)), ("w", hot(), slice("city", "job"))]))
    one("mask", lambda: ColumnTransformer([("n", filled(), [True, True, False, False, False, False]), ("w", hot(), np.array([0, 0, 1, 1, 0, 0], bool))]))
    one("selector", lambda: ColumnTransformer([("n", filled(), make_column_selector(dtype_include="number")), ("w", hot(), make_column_selector("city|job"))]))
    one("weights", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], transformer_weights={"n": 0.5, "w": 2.0}))
    one("dense", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], sparse_threshold=0))
    one("sparse", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], sparse_threshold=1))
    one("long-names", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], verbose_feature_names_out=False))
    one("pandas", lambda: ColumnTransformer([("n", filled(), numbers), ("w", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), words)]).set_output(transform="pandas"))
    one("repeated", lambda: ColumnTransformer([("a", filled(), ["age"]), ("b", impute.SimpleImputer(strategy="constant", fill_value=0), ["age", "income"]), ("w", hot(), ["city"])]))
    one("nested", lambda: ColumnTransformer([("n", ColumnTransformer([("x", filled(), [0]), ("y", impute.SimpleImputer(), [1])]), numbers), ("w", hot(), words)]))
    one("ordinal", lambda: ColumnTransformer([("n", "passthrough", ["kids", "married"]), ("w", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), words)]),
        end=lambda: RandomForestClassifier(3, max_depth=3, random_state=0))
    one("none", lambda: ColumnTransformer([("n", filled(), numbers), ("w", make_pipeline(impute.SimpleImputer(strategy="most_frequent"), hot()), ["city"])]), X=d.people_holes)
    one("bins", lambda: make_column_transformer((make_pipeline(impute.SimpleImputer(), pp.KBinsDiscretizer(3)), numbers), (hot(), words)))
    one("refuses", lambda: ColumnTransformer([("n", filled(), numbers), ("w", OneHotEncoder(), words)]))
    one("known", lambda: ColumnTransformer([("n", filled(), numbers), ("w", OneHotEncoder(drop="first"), words)]), inputs=d.persons)
    one("array", lambda: ColumnTransformer([("s", StandardScaler(), [0, 3]), ("q", pp.MinMaxScaler(), [1])], remainder="passthrough"), d.X, d.names, d.flowers)
    one("array-drop", lambda: ColumnTransformer([("s", StandardScaler(), slice(1, 3))]), d.X, d.names, d.flowers)
    one("array-words", lambda: ColumnTransformer([("s", OneHotEncoder(), [1]), ("o", OrdinalEncoder(), [0])]), d.words, d.buys, d.word_rows)
    names = list(d.people.columns)
    for name, columns in [("shuffled", names[::-1]), ("missing", names[1:]), ("unused-missing", names[:-1]), ("more", [*names, "more"])]:
        one("inputs-" + name, lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)]), inputs=derived.columns(d.strangers, "strangers-" + name, columns))
        one("inputs-%s-remainder" % name, lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)], remainder="passthrough"), inputs=derived.columns(d.strangers, "strangers-" + name, columns))
    one("one-row", lambda: ColumnTransformer([("n", filled(), numbers), ("w", hot(), words)]), inputs=derived.first(d.strangers))


def unions(a, d):
    def one(name, make, end=lambda: LogisticRegression(max_iter=300)):
        before(a, "union-" + name, make, d.X, d.names, d.flowers, end)

    one("two", lambda: make_union(StandardScaler(), decomposition.PCA(2)))
    one("weights", lambda: FeatureUnion([("a", StandardScaler()), ("b", decomposition.PCA(2))], transformer_weights={"b": 3}))
    one("drop", lambda: FeatureUnion([("a", StandardScaler()), ("b", "drop")]))
    one("passthrough", lambda: FeatureUnion([("a", StandardScaler()), ("b", "passthrough")]))
    one("nested", lambda: make_union(make_pipeline(StandardScaler(), make_union(decomposition.PCA(1), fs.SelectKBest(k=1))), pp.PolynomialFeatures(2)))
    one("bins", lambda: make_union(pp.KBinsDiscretizer(3), pp.MinMaxScaler()))
    a.add("pipeline-passthrough", lambda: Pipeline([("off", "passthrough"), ("none", None) if a.version < (1, 0) else ("too", "passthrough"), ("end", LogisticRegression(max_iter=300))]), d.X, d.names, d.flowers)
    a.add("pipeline-nested", lambda: Pipeline([("in", make_pipeline(StandardScaler(), "passthrough")), ("out", Pipeline([("end", LogisticRegression())]))]), d.X, d.names, d.flowers)
    a.add("pipeline-pandas", lambda: make_pipeline(StandardScaler(), decomposition.PCA(2), LogisticRegression()).set_output(transform="pandas"), d.frame, d.names, d.flower_frame)
    a.add("pipeline-one", lambda: make_pipeline(LogisticRegression(max_iter=300)), d.X, d.names, d.flowers)
    a.add("pipeline-memory", lambda: Pipeline([("s", StandardScaler()), ("e", LogisticRegression())], memory=None, verbose=True), d.X, d.names, d.flowers)
