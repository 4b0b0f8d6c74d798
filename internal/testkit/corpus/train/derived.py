"""Inputs made of others."""

import numpy as np
from corpus import Input, matrix  # noqa: F401


def gaps(inputs):
    x = inputs.python()
    x[::4, 0] = np.nan
    return matrix(inputs.name + "-gaps", x)


def first(inputs):
    return Input(inputs.name + "-first", inputs.form, inputs.rows[:1], inputs.columns, inputs.types)


def columns(inputs, name, names, value=1.5):
    """The same records with these columns, in this order."""
    rows = [{c: row.get(c, value) for c in names} for row in inputs.rows]
    return Input(name, "records", rows, names, {c: t for c, t in (inputs.types or {}).items() if c in names})
