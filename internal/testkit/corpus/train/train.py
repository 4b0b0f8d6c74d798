#!/usr/bin/env python3
"""Writes the cases of the scikit-learn that runs this script.

    python train.py FOLDER [KIND ...]    # FOLDER/KIND/VERSION
"""

import importlib
import sys

from corpus import Cases, Data

KINDS = {kind: kind for kind in ["linear", "svm", "trees", "bayes", "neighbours", "mlp", "cluster", "columns", "text", "meta", "odd", "files"]}
KINDS.update(xgboost="boosters", lightgbm="boosters", skops="files")


def main(folder, kinds):
    for kind in kinds or KINDS:
        cases = Cases(kind)
        module = importlib.import_module(KINDS[kind])
        try:
            (getattr(module, kind + "_cases", None) or module.cases)(cases, Data())
        except ImportError as error:
            print("%-12s skipped: %s" % (kind, error))
            continue
        cases.save(folder)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
