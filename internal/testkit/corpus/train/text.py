"""Texts."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import derived

STOP = ["the", "and", "of", "in"]


def shout(text):
    return text.upper()


def cases(a, d):
    def before(name, make, end=MultinomialNB):
        a.add(name, lambda: make_pipeline(make(), end()), d.documents, d.topics, d.texts, methods=["predict", "predict_proba"])

    small = {"max_features": 40}
    for name, how in [
        ("", {}), ("-binary", {"binary": True}), ("-bigrams", {"ngram_range": (1, 2), **small}), ("-only-bigrams", {"ngram_range": (2, 2), **small}), ("-stop-english", {"stop_words": "english"}),
        ("-stop-list", {"stop_words": STOP}), ("-stop-bigrams", {"stop_words": STOP, "ngram_range": (1, 3), **small}), ("-case", {"lowercase": False}),
        ("-accents-unicode", {"strip_accents": "unicode"}), ("-accents-ascii", {"strip_accents": "ascii"}), ("-min-df", {"min_df": 3, "max_df": 0.5}), ("-max-features", {"max_features": 10}),
        ("-vocabulary", {"vocabulary": ["cat", "market", "goal", "the", "été"]}), ("-vocabulary-dict", {"vocabulary": {"cat": 0, "market": 1, "goal": 2}}),
        ("-char", {"analyzer": "char", "ngram_range": (1, 2), **small}), ("-char-wb", {"analyzer": "char_wb", "ngram_range": (2, 4), **small}),
        ("-char-accents", {"analyzer": "char", "strip_accents": "unicode", **small}),
        ("-pattern-letter", {"token_pattern": r"(?u)\b\w+\b"}), ("-pattern-letters", {"token_pattern": r"[a-zA-Z]{3,}"}), ("-pattern-group", {"token_pattern": r"\b(\w)\w+\b"}),
        ("-pattern-space", {"token_pattern": r"\S+"}), ("-pattern-look", {"token_pattern": r"(?<=t)\w+"}), ("-preprocessor", {"preprocessor": shout}), ("-tokenizer", {"tokenizer": str.split}),
        ("-float32", {"dtype": np.float32}),
    ]:
        before("count" + name, lambda: CountVectorizer(**how))
    for name, how in [
        ("", {}), ("-l1", {"norm": "l1"}), ("-no-norm", {"norm": None}), ("-sublinear", {"sublinear_tf": True}), ("-no-idf", {"use_idf": False}), ("-no-smooth", {"smooth_idf": False}),
        ("-binary", {"binary": True}), ("-bigrams", {"ngram_range": (1, 2), "stop_words": "english", **small}), ("-char-wb", {"analyzer": "char_wb", "ngram_range": (1, 3), **small}),
        ("-float32", {"dtype": np.float32}), ("-accents", {"strip_accents": "unicode", "lowercase": True, "token_pattern": r"(?u)\b\w+\b"}),
    ]:
        before("tfidf" + name, lambda: TfidfVectorizer(**how))
        before("tfidf%s-logistic" % name, lambda: TfidfVectorizer(**how), lambda: LogisticRegression(C=10))
    for name, how in [
        ("", {"n_features": 32}), ("-no-signs", {"n_features": 64, "alternate_sign": False}), ("-l1", {"n_features": 32, "norm": "l1"}), ("-no-norm", {"n_features": 32, "norm": None}),
        ("-bigrams", {"n_features": 64, "ngram_range": (1, 2)}), ("-char", {"n_features": 64, "analyzer": "char_wb", "ngram_range": (2, 3)}), ("-binary", {"n_features": 32, "binary": True}),
        ("-stop", {"n_features": 32, "stop_words": "english", "strip_accents": "unicode"}),
    ]:
        before("hashing" + name, lambda: HashingVectorizer(**how), LogisticRegression)
    before("hashing-large", lambda: HashingVectorizer(n_features=2**10), lambda: SGDClassifier(random_state=0))
    before("hashing-tfidf", lambda: make_pipeline(HashingVectorizer(n_features=32, alternate_sign=False), TfidfTransformer()))
    before("transformer", lambda: make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True)))
    before("transformer-l1", lambda: make_pipeline(CountVectorizer(), TfidfTransformer(norm="l1", use_idf=False)))
    for name, end in [
        ("complement", ComplementNB), ("linear-svc", lambda: LinearSVC(random_state=0)), ("sgd", lambda: SGDClassifier(loss="modified_huber", random_state=0)), ("svc", lambda: SVC(probability=True, random_state=0)),
        ("forest", lambda: RandomForestClassifier(4, max_depth=4, random_state=0)), ("select", lambda: make_pipeline(SelectKBest(chi2, k=10), LogisticRegression())),
        ("svd", lambda: make_pipeline(TruncatedSVD(4, random_state=0), LogisticRegression())), ("svd-normalized", lambda: make_pipeline(TruncatedSVD(3, random_state=0), Normalizer(), LinearSVC(random_state=0))),
        ("scaled", lambda: make_pipeline(MaxAbsScaler(), LogisticRegression())), ("standard", lambda: make_pipeline(StandardScaler(with_mean=False), LogisticRegression())),
    ]:
        before("tfidf-" + name, TfidfVectorizer, end)
    union = lambda: FeatureUnion([("w", TfidfVectorizer(max_features=30)), ("c", CountVectorizer(analyzer="char", max_features=20))], transformer_weights={"c": 0.1})  # noqa: E731
    before("union", union)
    before("function", lambda: make_pipeline(TfidfVectorizer(), FunctionTransformer(accept_sparse=True)))
    a.add("one-row", lambda: make_pipeline(TfidfVectorizer(), MultinomialNB()), d.documents, d.topics, derived.first(d.texts))
    frame, inputs = mixed(d)
    a.add("columns", lambda: make_pipeline(ColumnTransformer([("t", TfidfVectorizer(), "text"), ("n", StandardScaler(), ["length"])]), LogisticRegression()), frame, d.topics, inputs)


def mixed(d):
    import pandas as pd

    frame = pd.DataFrame({"text": d.documents, "length": [float(len(t)) for t in d.documents]})
    rows = [{"text": t, "length": len(t)} for t in d.texts.rows]
    return frame, derived.Input("texts-and-lengths", "records", rows, ["text", "length"], {"length": float})
