"""The data, and the writer of the cases."""

import io
import json
import os
import warnings

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.datasets import load_iris

warnings.filterwarnings("ignore")

VERSION = tuple(int(n) for n in sklearn.__version__.split(".")[:2])
METHODS = ["predict", "predict_proba", "decision_function", "transform"]
ROWS = 200  # of each input
FULL = 4  # rows with all digits; the others have seven, for size
SOME = 40  # rows of the second view of one thing


class Input:
    """Rows as a client sends them: matrix, objects (lists), records (dicts), texts."""

    def __init__(self, name, form, rows, columns=None, types=None):
        self.name, self.form, self.columns, self.types = name, form, columns, types
        self.rows = rows

    def python(self):
        """What scikit-learn gets."""
        if self.form == "matrix":
            return np.array([[np.nan if v is None else v for v in row] for row in self.rows], dtype=float)
        if self.form == "objects":
            return np.array(self.rows, dtype=object)
        if self.form == "records":
            frame = pd.DataFrame(self.rows, columns=self.columns)
            return frame.astype(self.types) if self.types else frame
        return self.rows

    def json(self):
        out = {"form": self.form, "rows": self.rows}
        if self.columns:
            out["columns"] = self.columns
        return out


def matrix(name, x):
    return Input(name, "matrix", [[None if np.isnan(v) else short(v) for v in row] for row in np.asarray(x).tolist()])


def short(v):
    return int(v) if v == int(v) and abs(v) < 1e6 else v


class Data:
    """What estimators are fitted on, the same for all versions of scikit-learn."""

    def __init__(self):
        self.flower_data()
        self.number_data()
        self.count_data()
        self.people_data()
        self.text_data()

    def flower_data(self):
        rng = np.random.RandomState(7)
        X, y = load_iris(return_X_y=True)
        self.X, self.y = X[::2], y[::2]
        self.ints = self.y * 10 - 5
        self.floats = self.y * 2.0 - 1
        self.bools = self.y > 0
        self.names = np.array(["setosa", "versicolor", "virginica é☃"])[self.y]
        self.objects = self.names.astype(object)
        self.five = np.arange(len(self.y)) % 5
        self.labels = np.c_[self.y > 0, self.X[:, 1] > 3, self.X[:, 3] > 1.5].astype(int)
        self.outputs = np.c_[self.y, self.five]
        low, high = self.X.min(0), self.X.max(0)
        middle = (self.X[rng.randint(75, size=(40, 4)), range(4)] + self.X[rng.randint(75, size=(40, 4)), range(4)]) / 2
        rows = [self.X[::3], X[1::6], rng.uniform(low, high, (85, 4)), middle, rng.normal(0, 20, (15, 4)), np.zeros((1, 4))]
        rows = np.round(np.vstack(rows), 3)
        rows = np.vstack([rows, np.round(rng.uniform(low, high, (ROWS - len(rows), 4)), 1)])
        self.flowers = matrix("flowers", rows[rng.permutation(ROWS)])
        self.one = matrix("one", rows[:1])
        self.few = matrix("few", np.abs(rows[:40]))
        self.frame = pd.DataFrame(self.X, columns=["a", "b", "c d", "é"])
        named = [dict(zip(self.frame.columns, row)) for row in self.flowers.rows]
        self.flower_frame = Input("flower-frame", "records", named, list(self.frame.columns))

        self.holes = self.X.copy()
        self.holes[::3, 2] = np.nan
        self.holes[1::7, 0] = np.nan
        self.holes[5::20] = np.nan
        gaps = self.flowers.python()
        gaps[rng.uniform(size=gaps.shape) < 0.25] = np.nan
        self.gaps = matrix("gaps", gaps)

    def number_data(self):
        rng = np.random.RandomState(8)
        self.N = np.round(rng.normal(0, 1, (60, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 3], 2)
        n = self.N
        self.t = np.round(n[:, 0] * 2 + np.sin(n[:, 1]) * 3 + n[:, 3] ** 2 + n[:, 4] * n[:, 0] + 10, 2)
        self.t2 = np.c_[self.t, np.round(n[:, 4] - n[:, 2] * 7, 2)]
        self.positive = np.abs(self.t) + 0.5
        rows = np.round(rng.normal(0, 1.4, (ROWS, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 3], 2)
        rows[:20] = self.N[:20]
        rows[20:26] *= 50
        self.numbers = matrix("numbers", rows)
        self.P = np.abs(self.N) + 0.01
        self.positives = matrix("positives", np.round(np.abs(rows) + 0.01, 3))

    def count_data(self):
        rng = np.random.RandomState(9)
        rates = np.array([[1, 3, 0.2, 5, 1, 0], [2, 0.5, 3, 1, 1, 4], [4, 1, 1, 0.3, 2, 1]])
        self.k = rng.randint(3, size=60)
        self.C = rng.poisson(rates[self.k])
        self.counts = matrix("counts", rng.poisson(rates[rng.randint(3, size=ROWS)]))
        self.categories = matrix("categories", np.minimum(rng.poisson(rates[rng.randint(3, size=ROWS)]), 2))

    def people_data(self):
        rng = np.random.RandomState(10)
        cities = ["Bern", "Zürich", "Basel", "Geneva", "Lugano"]

        def people(n, extra):
            rows = []
            for i in range(n):
                rows.append({
                    "age": None if rng.uniform() < 0.1 else int(rng.randint(18, 90)),
                    "income": None if rng.uniform() < 0.1 else float(np.round(rng.lognormal(10, 0.5), 2)),
                    "city": None if extra and rng.uniform() < 0.1 else str(rng.choice(cities[:3 if i % 3 else 5] + extra)),
                    "job": str(rng.choice(["nurse", "cook", "clerk"] + extra)),
                    "kids": int(rng.randint(5)),
                    "married": bool(rng.randint(2)),
                })
            return rows

        columns = ["age", "income", "city", "job", "kids", "married"]
        types = {"age": float, "income": float}
        self.people = Input("people", "records", people(80, []), columns, types).python()
        self.people_holes = self.people.copy()
        self.people_holes.loc[::9, "city"] = None
        income = self.people["income"].fillna(20000)
        self.buys = np.where(income * (1 + self.people["married"]) > 40000, "yes", "no")
        self.spends = np.round(income.values / 100 + self.people["kids"].values * 10, 2)
        self.group = np.array(["a", "b", "c"])[(income.values / 100).astype(int) % 3]
        self.persons = Input("persons", "records", people(ROWS, []), columns, types)
        self.strangers = Input("strangers", "records", people(ROWS, ["☃", ""]), columns, types)
        # The columns of strings alone, as lists.
        self.words = self.people[["city", "job"]].values.astype(object)
        self.word_rows = Input("words", "objects", [[p["city"], p["job"]] for p in self.persons.rows])
        self.strange_rows = Input("strange-words", "objects", [[p["city"] or "", p["job"]] for p in self.strangers.rows])
        # Small whole numbers, as categories.
        self.codes = rng.randint(4, size=(80, 3)).astype(float)
        self.code_rows = matrix("codes", rng.randint(4, size=(ROWS, 3)))
        self.strange_codes = matrix("strange-codes", rng.randint(6, size=(ROWS, 3)))

    def text_data(self):
        rng = np.random.RandomState(11)
        topics = [
            "the cat sat on mat dog's tail purrs whiskers fur naïve café paws and it's a vet".split(),
            "market stock price U.S. shares 3.5 % 2024 rose the fell bank in a_b e-mail quarter profits".split(),
            "goal match league the team Straße ÉCOLE won 3-0 coach of 東京 İstanbul penalty keeper season".split(),
        ]

        def document(topic):
            words = rng.choice(topics[topic], rng.randint(3, 9)).tolist() + rng.choice(sum(topics, []), 2).tolist()
            text = " ".join(str(w) for w in words)
            return text.capitalize() + str(rng.choice([".", "!", "?  ", "\n", " ..."]))

        self.topic = np.arange(45) % 3
        self.topics = np.array(["pets", "money", "sport"])[self.topic]
        self.documents = [document(t) for t in self.topic]
        rows = [document(i % 3) for i in range(ROWS - 8)]
        rows += ["", " ", "unknown words only", "THE CAT", "cat\tcat\x00cat", "e\u0301cole ÉCOLE école", "ſtraße \U0001d41c\U0001d41a\U0001d42d", "a I 1 22 _ __"]
        self.texts = Input("texts", "texts", rows)


class Cases:
    """Collects the cases of one kind."""

    def __init__(self, kind):
        self.kind, self.version, self.files, self.names, self.skipped = kind, VERSION, {}, [], []

    def skip(self, name, error):
        self.skipped.append("%s/%s: %s: %s" % (self.kind, name, type(error).__name__, " ".join(str(error).split())[:150]))

    def add(self, name, make, X, y=None, inputs=None, methods=METHODS, dump=None, ext="joblib", fitted=False, **fit):
        """Fits, unless this version of scikit-learn has no such estimator."""
        try:
            model = make()
            if not fitted:
                model = model.fit(X, y, **fit) if y is not None else model.fit(X, **fit)
        except Exception as error:  # noqa: BLE001
            return self.skip(name, error)
        self.record(name, model, inputs, methods, dump, ext)

    def record(self, name, model, inputs, methods=METHODS, dump=None, ext="joblib", answers=None, library=None):
        if name in self.names:
            raise KeyError(name)
        case = {"class": class_of(model, self.kind), "file": "%s.%s" % (name, ext), "inputs": inputs.name}
        if library:
            case["library"] = library
        if hasattr(model, "classes_"):
            case["classes"] = labels(model.classes_)
        case["outputs"] = answers(inputs.python()) if answers else answer(model, inputs.python(), methods)
        self.names.append(name)
        self.files.setdefault("inputs/%s.json" % inputs.name, inputs.json())
        self.files["%s.case.json" % name] = case
        self.files[case["file"]] = dump(model) if dump else dumped(model)

    def save(self, folder):
        size = 0
        for name, data in self.files.items():
            if not isinstance(data, bytes):
                data = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
            path = os.path.join(folder, self.kind, "" if name.startswith("inputs/") else sklearn.__version__, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if name.startswith("inputs/") and os.path.exists(path):
                with open(path, "rb") as f:
                    assert f.read() == data, "%s differs between versions" % path
            with open(path, "wb") as f:
                f.write(data)
            size += len(data)
        print("%-12s %3d cases %8d bytes" % (self.kind, len(self.names), size))
        for line in self.skipped:
            print("  skipped", line)


def class_of(model, kind):
    """The class that the case is about: of a pipeline, what prepares or what predicts."""
    while type(model).__name__ == "Pipeline":
        model = model.steps[0 if kind in ("columns", "text") else -1][1]
    return type(model).__name__ if not isinstance(model, str) else "Pipeline"


def dumped(model, **how):
    out = io.BytesIO()
    joblib.dump(model, out, **how)
    return out.getvalue()


def answer(model, x, methods):
    outputs = {}
    for method in methods:
        if method == "transform" and type(model).__name__ == "Pipeline" and hasattr(model.steps[-1][1], "predict"):
            ask = model[:-1].transform if len(model.steps) > 1 else None
        else:
            ask = getattr(model, method, None)
        if ask is None:
            continue
        try:
            got = ask(x)
        except (AttributeError, NotImplementedError):
            continue
        except Exception as error:  # noqa: BLE001
            outputs[method] = {"error": str(error)}
            continue
        # The decisions behind probabilities, and what the last estimator is given, need not be as long.
        second = (method == "decision_function" and "predict_proba" in outputs) or (method == "transform" and "predict" in outputs)
        outputs[method] = output(got[:SOME] if second else got)
    return outputs


def output(got):
    if hasattr(got, "toarray"):
        got = got.toarray()
    if isinstance(got, list):  # probabilities of several outputs
        return {"parts": [output(part) for part in got]}
    got = np.asarray(got)
    return {"type": got.dtype.name if got.dtype.kind not in "OUS" else "bytes", "shape": list(got.shape), "data": digits(got)}


def digits(got):
    flat = got.ravel().tolist()
    if got.dtype.kind != "f":
        return [number(v, True) if isinstance(v, float) else v for v in flat]
    full = FULL * (got.size // max(len(got), 1))
    return [number(v, i < full) for i, v in enumerate(flat)]


def number(v, full):
    """JSON has no NaN and no infinity: they are null and a string."""
    if v != v:
        return None
    if v in (float("inf"), float("-inf")):
        return str(v)
    return short(v if full else round(float("%.7g" % v), 7))


def labels(classes):
    if isinstance(classes, list):
        return [np.asarray(c).tolist() for c in classes]
    return np.asarray(classes).tolist()
