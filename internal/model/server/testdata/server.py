# SPDX-License-Identifier: Apache-2.0
"""Serves models with KServe's Python server: server.py HTTP-PORT GRPC-PORT FILE...

Each model has the name of its file. KServe's sklearnserver is no package of its own, so
the class below asks the model as it does.
"""

import os
import pathlib
import sys

import joblib
from kserve import Model, ModelServer
from kserve.errors import InferenceError
from kserve.utils.utils import get_predict_input, get_predict_response


class Estimator(Model):
    def __init__(self, file):
        super().__init__(pathlib.Path(file).stem)
        self.estimator = joblib.load(file)
        proba = os.environ.get("PREDICT_PROBA", "").lower() == "true"
        self.answer = self.estimator.predict_proba if proba else self.estimator.predict
        self.ready = True

    def predict(self, payload, headers=None):
        try:
            return get_predict_response(payload, self.answer(get_predict_input(payload)), self.name)
        except Exception as error:
            raise InferenceError(str(error))


http, grpc, *files = sys.argv[1:]
ModelServer(http_port=int(http), grpc_port=int(grpc)).start([Estimator(file) for file in files])
