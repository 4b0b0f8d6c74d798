# SPDX-License-Identifier: Apache-2.0
"""Records in kserve.json what KServe's Python server answers to its requests.

pip install 'kserve==0.21.*' scikit-learn==1.9.1 pandas, then run this file in this folder.
"""

import http.client
import json
import os
import pathlib
import threading
import time

import joblib
from kserve import Model, ModelServer
from kserve.errors import InferenceError
from kserve.utils.utils import get_predict_input, get_predict_response

MODELS = pathlib.Path("../../format/sklearn/testdata/sklearn-1.9.1")
PORT = 18079


class Estimator(Model):
    """Predicts as KServe's sklearnserver does, which is no package of its own."""

    def __init__(self, name):
        super().__init__(name)
        self.estimator = joblib.load(MODELS / f"{name}.joblib")
        self.ready = True

    def predict(self, payload, headers=None):
        try:
            return get_predict_response(payload, self.estimator.predict(get_predict_input(payload)), self.name)
        except Exception as error:
            raise InferenceError(str(error))


def ask(request):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    path = request.get("path", "/v1/models/M:predict").replace("M", request["model"])
    body = request["body"].encode() if "body" in request else None
    headers = {key: str(len(body)) if value == "JSON" else value for key, value in request.get("headers", {}).items()}
    if "tail" in request:  # binary tensors, after the JSON
        body += bytes.fromhex(request["tail"])
    connection.request(request.get("method", "POST"), path, body, headers)
    response = connection.getresponse()
    body = response.read()
    size = int(response.headers.get("Inference-Header-Content-Length", len(body)))
    answer = {"status": response.status, "type": response.headers.get("Content-Type", ""), "body": body[:size].decode()}
    if size < len(body):
        answer["tail"] = body[size:].hex()
    if "Ce-Source" in response.headers:
        answer["source"] = response.headers["Ce-Source"]
    return answer


def record():
    for _ in range(100):
        time.sleep(0.3)
        try:
            http.client.HTTPConnection("127.0.0.1", PORT).request("GET", "/")
            break
        except OSError:
            continue
    requests = json.loads(pathlib.Path("kserve.json").read_text())
    for request in requests:
        request["kserve"] = ask(request)
    lines = ",\n".join(json.dumps(request, ensure_ascii=False) for request in requests)
    pathlib.Path("kserve.json").write_text(f"[\n{lines}\n]\n")
    os._exit(0)


threading.Thread(target=record).start()
names = {request["model"] for request in json.loads(pathlib.Path("kserve.json").read_text())}
ModelServer(http_port=PORT, enable_grpc=False).start([Estimator(name) for name in sorted(names)])
