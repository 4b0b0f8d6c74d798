# SPDX-License-Identifier: Apache-2.0
"""Runs a model in the user's Python, for serin-modelserver: python -c THIS KIND FOLDER FILE.

Descriptor 3 is a socket to the server. A message is the lengths of its two parts (four and
eight bytes, little endian), a JSON object, and values. The server sends rows and gets an
answer, or an error, for each. wire.go has the other side. The socket's end is the worker's.
"""

import json
import math
import os
import signal
import socket
import struct
import sys
import traceback

KIND, FOLDER, FILE = sys.argv[1:4]
NONE, TEXT = 0x7FF8_5E71_0000_0001, 0x7FF8_5E71_0000_0002  # frame.None and frame.Text
EXACT = 1 << 53


class Refused(Exception):
    """A sentence for the owner of the model."""


def receive(sock, size):
    data = bytearray(size)
    view = memoryview(data)
    while size:
        n = sock.recv_into(view[len(data) - size :], size)
        if n == 0:
            raise EOFError
        size -= n
    return data


def packed(head, body=b""):
    text = json.dumps(head).encode()
    return struct.pack("<IQ", len(text), len(body)) + text + body


def load():
    path = os.path.join(FOLDER, FILE)
    if KIND == "mlflow":
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(FOLDER)
    if KIND == "module":
        import model

        if not callable(getattr(model, "load", None)):
            raise Refused("model.py has no function load(folder), which returns an object with predict(rows)")
        return model.load(FOLDER)
    if KIND == "skops":
        import skops.io

        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    try:
        import joblib
    except ImportError:
        import pickle

        with open(path, "rb") as f:
            return pickle.load(f)
    return joblib.load(path)


def why(error):
    """Why a model does not load, and what to do about it."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, ModuleNotFoundError):
        top = (error.name or "").partition(".")[0]
        return f"{said}: put its package into requirements.txt, or {top}.py beside the model"
    if isinstance(error, AttributeError) and ("__main__" in str(error) or "<string>" in str(error)):
        return f"{said}: it was defined in a script or notebook; put it into a file, import it from there, save the model again, and lay the file beside it"
    return said


def table(head, body):
    """The rows of a request: a DataFrame if its columns have names, an array, or a list of single values."""
    import numpy as np

    rows, cols, count = head["rows"], head["cols"], head["texts"]
    values = np.frombuffer(body, "<f8", rows * cols).reshape(rows, cols)
    text = none = None
    if count:
        bits = values.view("<u8")
        text, none = bits == TEXT, bits == NONE
        mixed = values.astype(object)
        mixed[none] = None
        strings = np.empty(count, object)
        at = values.nbytes
        for i in range(count):
            (n,) = struct.unpack_from("<I", body, at)
            strings[i] = body[at + 4 : at + 4 + n].decode()
            at += 4 + n
        mixed[text] = strings
    if head["flat"]:
        return (mixed if count else values)[:, 0].tolist()
    if not head["names"]:
        return mixed if count else values.copy()
    import pandas as pd

    objects = (text.any(0) | none.all(0)) if count else np.zeros(cols, bool)
    columns = [mixed[:, i].tolist() if objects[i] else values[:, i] for i in range(cols)]
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = head["names"]
    return frame


def fitted(model, x):
    """The columns in the order in which the model was fitted, if they are all there."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None and hasattr(x, "columns") and list(names) != list(x.columns) and set(names) <= set(x.columns):
        return x[[*names, *(c for c in x.columns if c not in set(names))]]
    return x


def typed(schema, x):
    """Rows for MLflow, which wants the names and types of the model's signature."""
    import numpy as np
    import pandas as pd

    if schema is not None and schema.is_tensor_spec():
        return np.asarray(x).astype(schema.inputs[0].type)
    if not hasattr(x, "columns"):
        x = pd.DataFrame(x)
        if schema is not None and schema.has_input_names() and len(schema.inputs) == x.shape[1]:
            x.columns = schema.input_names()
    for spec in schema.inputs if schema is not None else []:
        name = spec.name if spec.name is not None else 0
        kind = getattr(getattr(spec.type, "to_numpy", lambda: None)(), "kind", "O")
        if name not in x.columns:
            continue
        if x[name].isna().all():  # only the signature knows of what
            x[name] = np.full(len(x), np.nan) if kind in "biuf" else np.full(len(x), None)
        if kind in "biuf" and x[name].dtype.kind == "f":
            cast = x[name].to_numpy().astype(spec.type.to_numpy()) if kind == "f" or np.isfinite(x[name]).all() else x[name]
            if kind == "f" or (cast == x[name]).all():
                x[name] = cast
    return x


def label(v):
    """A label as JSON has it."""
    if hasattr(v, "item"):
        v = v.item()
    if v is None or isinstance(v, float) and not math.isfinite(v):
        return None
    if isinstance(v, (dict, list, tuple, set)):
        raise TypeError(f"predict answers a {type(v).__name__} for a row, and not one value or one list of values for each row")
    return v if isinstance(v, (bool, int, float, str)) else v.decode() if isinstance(v, bytes) else str(v)


def labelled(head, values):
    """An answer of labels: its values are indexes into their list."""
    import numpy as np

    index, codes = {}, np.empty(len(values))
    for i, v in enumerate(values):
        v = label(v)
        codes[i] = index.setdefault((type(v), v), len(index))
    head["labels"] = [v for _, v in index]
    kinds = {t for t, _ in index}
    if kinds == {int}:
        head["type"] = "uint64" if max(head["labels"]) >= 1 << 63 else "int64"
        if not -(1 << 63) <= min(head["labels"]) <= max(head["labels"]) < 1 << 64:
            head["type"], head["labels"] = "bytes", [str(v) for v in head["labels"]]
    elif kinds <= {float, int, type(None)}:
        head["type"] = "float64"
    else:
        head["type"] = "bool" if kinds == {bool} else "bytes"
    return head, codes.tobytes()


def answer(result):
    """A result of a model as a message."""
    import numpy as np

    parts = []
    if isinstance(result, list) and result and all(isinstance(p, np.ndarray) and p.ndim == 2 for p in result):
        parts = [p.shape[1] for p in result]  # probabilities of several outputs
        result = np.concatenate(result, axis=1)
    for to in ("toarray", "to_numpy"):  # sparse, a DataFrame
        result = getattr(result, to)() if hasattr(result, to) else result
    if isinstance(result, dict) or np.ndim(result) not in (1, 2):
        raise TypeError(f"predict answers a {type(result).__name__}, and not one value or one list of values for each row")
    a = np.asarray(result)
    a = a.astype(str) if a.dtype.kind in "mM" else a  # times
    head = {"type": a.dtype.name, "rows": a.shape[0], "width": a.shape[1] if a.ndim == 2 else 1, "flat": a.ndim == 1, "parts": parts}
    if a.dtype.kind == "f":
        head["type"] = "float32" if a.dtype.itemsize < 8 else "float64"
    elif a.dtype.kind not in "biu" or a.dtype.kind in "iu" and a.size and (a.max() > EXACT or a.min() < -EXACT):
        return labelled(head, a.ravel().tolist())
    return head, np.ascontiguousarray(a, "<f8").tobytes()


def blame(error):
    """Whether the request is to blame for an error: scikit-learn says ValueError to rows that do not fit."""
    if getattr(error, "error_code", "") in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE"):  # MLflow
        return True
    return isinstance(error, ValueError) and type(error).__name__ != "NotFittedError"


def serve(sock, model):
    schema = None
    if KIND == "mlflow" and model.metadata is not None:
        schema = model.metadata.get_input_schema()
    while True:
        try:
            head_size, body_size = struct.unpack("<IQ", receive(sock, 12))
        except EOFError:
            return
        head, body = json.loads(receive(sock, head_size)), receive(sock, body_size)
        x, result, answered = None, None, False
        try:
            x = table(head, body)
            x = typed(schema, x) if KIND == "mlflow" else fitted(model, x)
            result, answered = getattr(model, head["method"], model)(x), True
            reply = packed(*answer(result))
        except Exception as error:
            if not answered and blame(error):
                reply = packed({"error": " ".join(str(error).split()), "input": True})
            else:
                traceback.print_exc()
                reply = packed({"error": " ".join(f"{type(error).__name__} : {error}".split())})
        try:
            sock.sendall(reply)
        except OSError:
            return
        del body, x, result, reply


def main():
    for sent in (signal.SIGINT, signal.SIGTERM):  # to all of a group: the server ends it
        signal.signal(sent, signal.SIG_IGN)
    sock = socket.socket(fileno=3)
    sock.set_inheritable(False)
    sys.path.insert(0, FOLDER)
    try:
        model = load()
        if not hasattr(model, "predict") and not callable(model):
            raise Refused(f"the model is a {type(model).__name__}, which has no predict")
    except Refused as error:
        sock.sendall(packed({"error": str(error)}))
        return
    except BaseException as error:
        traceback.print_exc()
        sock.sendall(packed({"error": why(error)}))
        return
    width = getattr(model, "n_features_in_", 0)
    width = width if isinstance(width, int) else 0
    sock.sendall(packed({"class": type(model).__name__, "proba": hasattr(model, "predict_proba"), "width": width}))
    serve(sock, model)


main()
