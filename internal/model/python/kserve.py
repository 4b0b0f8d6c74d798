# SPDX-License-Identifier: Apache-2.0
"""Runs a model.py that is a server of KServe's package: python -c THIS FLAGS.

It runs as its author would run it, as a program. If it defines a kserve.Model and starts no
server, the server is started here.
"""

import os
import sys

sys.argv[0] = os.path.join(os.environ["MODEL_DIR"], "model.py")
sys.path.insert(0, os.environ["MODEL_DIR"])
with open(sys.argv[0], encoding="utf-8") as f:
    exec(compile(f.read(), sys.argv[0], "exec"))

import kserve  # noqa: E402 its flags are read when it is imported
from kserve.model_server import args  # noqa: E402

models = [c for c in list(globals().values()) if isinstance(c, type) and issubclass(c, kserve.Model) and c.__module__ == "__main__"]
if len(models) != 1:
    sys.exit(f"model.py starts no kserve.ModelServer, and defines {len(models)} classes of kserve.Model: define one")
model = models[0](args.model_name)
model.load()
kserve.ModelServer().start([model])
