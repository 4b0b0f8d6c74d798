# SPDX-License-Identifier: Apache-2.0
"""Makes every call of KServe's Python client against a running Serin.

It prints a line for each: it works, or Serin refuses it with a sentence. Which of the
two is expected, so that a call that changes is found, also if it begins to work.
The environment has KUBECONFIG, INGRESS_HOST and INGRESS_PORT, as `serin up` prints them.
"""

import asyncio
import inspect
import logging
import os
import sys
import time

import kserve
import kserve.logging
from kubernetes import client as k8s

NAMESPACE = "sdk"
MODELS = "gs://kfserving-examples/models/sklearn/1.0/"
ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
THERE_IS_NONE, NO_CACHE = '"other" not found', "Serin has no LocalModel"
ROUTER = os.environ["INGRESS_HOST"] + ":" + os.environ["INGRESS_PORT"]

counted = {"works": 0, "refused": 0, "wrong": 0}


def call(name, of, gives=None, says=None, refused=None):
    """Makes one call, which must give what KServe gives.

    That may be an error that says something. A call may also be refused: by an
    error of Serin where KServe has none, or by what it gives, which has no place for
    a sentence.
    """
    expected = "refused" if refused else "works"
    says = says or (None if gives else refused)
    begun = time.monotonic()
    try:
        got = of()
        if inspect.isawaitable(got):
            got = LOOP.run_until_complete(asyncio.wait_for(got, 60))
        wrong = says and f"does not say: {says}" or gives and not gives(got) and f"gives {got!r}"
    except Exception as e:  # whatever a user of the client would see
        text = " ".join(str(e).replace("\\", "").split())
        wrong = not (says and says in text) and f"{type(e).__name__}: {text.split('HTTP response body:')[-1]}"
    result = "wrong" if wrong else expected
    counted[result] += 1
    said = wrong or refused or ""
    print(f"{sum(counted.values()):3} {result:7} {name:38} {time.monotonic() - begun:5.1f}s {said}".rstrip(), flush=True)


def service(name, model="model", **predictor):
    """An InferenceService of the walk-through, as users of the client write it."""
    predictor = predictor or {
        "model": kserve.V1beta1ModelSpec(model_format=kserve.V1beta1ModelFormat(name="sklearn"), storage_uri=MODELS + model)
    }
    return kserve.V1beta1InferenceService(
        api_version=kserve.constants.KSERVE_V1BETA1,
        kind=kserve.constants.KSERVE_KIND_INFERENCESERVICE,
        metadata=k8s.V1ObjectMeta(name=name, namespace=NAMESPACE),
        spec=kserve.V1beta1InferenceServiceSpec(predictor=kserve.V1beta1PredictorSpec(**predictor)),
    )


def canary(name, model, percent):
    of = service(name, model)
    of.spec.predictor.canary_traffic_percent = percent
    return of


def shares(isvc):
    return [t["percent"] for t in isvc["status"]["components"]["predictor"]["traffic"]]


def services(c):
    """Create, get, wait, patch, replace, watch and delete an InferenceService."""
    ready = {"namespace": NAMESPACE, "timeout_seconds": 60}
    poll = ready | {"polling_interval": 0.5}
    call("create", lambda: c.create(service("iris")), gives=lambda o: o["kind"] == "InferenceService")
    call("create: it exists", lambda: c.create(service("iris")), says='inferenceservices.serving.kserve.io "iris" already exists')
    call("create: a wrong field", lambda: c.create(canary("wrong", "model", 101)), says="canaryTrafficPercent")
    call("get, watch", lambda: c.get("iris", watch=True, **ready))
    call("wait_isvc_ready", lambda: c.wait_isvc_ready("iris", **poll))
    call("wait_isvc_ready, watch", lambda: c.wait_isvc_ready("iris", watch=True, **ready))
    call("wait_isvc_ready, generation", lambda: c.wait_isvc_ready("iris", expected_generation=1, **poll))
    call("is_isvc_ready", lambda: c.is_isvc_ready("iris", namespace=NAMESPACE), gives=lambda is_ready: is_ready is True)
    call(
        "is_isvc_ready: a later generation",
        lambda: c.is_isvc_ready("iris", namespace=NAMESPACE, expected_generation=9),
        gives=lambda is_ready: is_ready is False,
    )
    call("get", lambda: c.get("iris", namespace=NAMESPACE), gives=lambda o: o["status"]["url"] == f"http://iris.{NAMESPACE}.example.com")
    call("get: there is none", lambda: c.get("none", namespace=NAMESPACE), says='"none" not found')
    call("get, list", lambda: c.get(namespace=NAMESPACE), gives=lambda o: [i["metadata"]["name"] for i in o["items"]] == ["iris"])
    call("get, list, watch", lambda: c.get(watch=True, **ready))
    call(
        "create, watch",
        lambda: c.create(
            service("legacy", sklearn=kserve.V1beta1SKLearnSpec(storage_uri=MODELS + "model")),
            namespace=NAMESPACE,
            watch=True,
            timeout_seconds=60,
        ),
    )

    call("patch", lambda: c.patch("iris", canary("iris", "model-2", 10)), gives=lambda o: o["metadata"]["generation"] == 2)
    call("wait_isvc_ready, after patch", lambda: c.wait_isvc_ready("iris", expected_generation=2, **poll))
    call("get, after patch", lambda: c.get("iris", namespace=NAMESPACE), gives=lambda o: shares(o) == [10, 90])
    call("patch, watch", lambda: c.patch("iris", canary("iris", "model-2", 20), namespace=NAMESPACE, watch=True, timeout_seconds=60))
    call(
        "patch: a legacy form over a model",
        lambda: c.patch("iris", service("iris", sklearn=kserve.V1beta1SKLearnSpec(storage_uri=MODELS + "model"))),
        refused="name exactly one implementation",
    )
    call("patch: there is none", lambda: c.patch("none", service("none")), says='"none" not found')
    call("replace", lambda: c.replace("iris", canary("iris", "model-2", 30)), gives=lambda o: o["metadata"]["generation"] == 4)
    call("wait_isvc_ready, after replace", lambda: c.wait_isvc_ready("iris", expected_generation=4, **poll))
    stale = canary("iris", "model-2", 40)
    stale.metadata.resource_version = "1"
    call("replace: changed meanwhile", lambda: c.replace("iris", stale), says="the object has been modified")
    call("replace, watch", lambda: c.replace("iris", service("iris", "model-2"), namespace=NAMESPACE, watch=True, timeout_seconds=60))
    call("get, after replace", lambda: c.get("iris", namespace=NAMESPACE), gives=lambda o: shares(o) == [100])


def predictions(c):
    """Ask the service in V1, V2 and gRPC."""
    base, headers = f"http://{ROUTER}", {"Host": f"iris.{NAMESPACE}.example.com"}
    v1 = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v1"))
    v2 = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
    call(
        "REST v1: infer",
        lambda: v1.infer(base, {"instances": ROWS}, model_name="iris", headers=headers),
        gives=lambda o: o == {"predictions": [1, 1]},
    )
    call(
        "REST v1: infer, a wrong row",
        lambda: v1.infer(base, {"instances": [[1]]}, model_name="iris", headers=headers),
        says="400 Bad Request",
    )
    call(
        "REST v1: infer, another model",
        lambda: v1.infer(base, {"instances": ROWS}, model_name="none", headers=headers),
        says="Model with name none does not exist",
    )
    call(
        "REST v1: infer, by path",
        lambda: v1.infer(f"{base}/serving/{NAMESPACE}/iris", {"instances": ROWS}, model_name="iris"),
        gives=lambda o: o == {"predictions": [1, 1]},
    )
    call("REST v1: explain", lambda: v1.explain(base, "iris", {"instances": ROWS}, headers=headers), says="cannot explain")
    call("REST v1: is_server_live", lambda: v1.is_server_live(base, headers=headers), gives=bool)
    call("REST v1: is_server_ready", lambda: v1.is_server_ready(base, headers=headers), says="Unsupported protocol v1")
    call("REST v1: is_model_ready", lambda: v1.is_model_ready(base, "iris", headers=headers), gives=bool)
    tensor = kserve.InferInput("input-0", [2, 4], "FP32", data=sum(ROWS, []))
    request = kserve.InferRequest(model_name="iris", infer_inputs=[tensor])
    call(
        "REST v2: infer",
        lambda: v2.infer(base, request, model_name="iris", headers=dict(headers)),
        gives=lambda o: o.outputs[0].data == [1, 1],
    )
    call("REST v2: is_server_live", lambda: v2.is_server_live(base, headers=headers), gives=bool)
    call("REST v2: is_server_ready", lambda: v2.is_server_ready(base, headers=headers), gives=bool)
    call(
        "REST v2: is_model_ready",
        lambda: v2.is_model_ready(base, "iris", headers=headers),
        gives=bool,
    )
    call(
        "wait_model_ready",
        lambda: c.wait_model_ready("iris", "iris", isvc_namespace=NAMESPACE, cluster_ip=ROUTER, timeout_seconds=5, polling_interval=0.5),
    )
    call(
        "wait_model_ready, v2",
        lambda: c.wait_model_ready(
            "iris", "iris", isvc_namespace=NAMESPACE, cluster_ip=ROUTER, protocol_version="v2", timeout_seconds=5, polling_interval=0.5
        ),
    )

    grpc = kserve.InferenceGRPCClient(ROUTER, channel_args=[("grpc.ssl_target_name_override", headers["Host"])], retries=0)
    call("gRPC: infer", lambda: grpc.infer(request), gives=lambda o: o.outputs[0].data == [1, 1])
    call("gRPC: is_server_live", lambda: grpc.is_server_live(), gives=bool)
    call("gRPC: is_server_ready", lambda: grpc.is_server_ready(), gives=bool)
    call("gRPC: is_model_ready", lambda: grpc.is_model_ready("iris"), gives=bool)
    for each in v1, v2, grpc:
        LOOP.run_until_complete(each.close())


def others(c):
    """The client's other kinds, which Serin rejects, and credentials."""
    meta = k8s.V1ObjectMeta(name="other", namespace=NAMESPACE)
    alpha = kserve.constants.KSERVE_V1ALPHA1
    step = kserve.V1alpha1InferenceStep(service_name="iris")
    graph = kserve.V1alpha1InferenceGraph(
        api_version=alpha,
        kind="InferenceGraph",
        metadata=meta,
        spec=kserve.V1alpha1InferenceGraphSpec(nodes={"root": kserve.V1alpha1InferenceRouter(router_type="Sequence", steps=[step])}),
    )
    model = kserve.V1alpha1TrainedModel(
        api_version=alpha,
        kind="TrainedModel",
        metadata=meta,
        spec=kserve.V1alpha1TrainedModelSpec(
            inference_service="iris", model=kserve.V1alpha1ModelSpec(framework="sklearn", memory="1Gi", storage_uri=MODELS + "model")
        ),
    )
    call("create_inference_graph", lambda: c.create_inference_graph(graph), refused="Serin has no InferenceGraph yet")
    call("get_inference_graph", lambda: c.get_inference_graph("other", NAMESPACE), says=THERE_IS_NONE)
    call("delete_inference_graph", lambda: c.delete_inference_graph("other", NAMESPACE), says=THERE_IS_NONE)
    call("is_ig_ready", lambda: c.is_ig_ready("other", NAMESPACE), says=THERE_IS_NONE)
    call("wait_ig_ready", lambda: c.wait_ig_ready("other", NAMESPACE, polling_interval=0.5, timeout_seconds=1), says=THERE_IS_NONE)
    call("create_trained_model", lambda: c.create_trained_model(model, NAMESPACE), refused="Serin has no TrainedModel")
    call("delete_trained_model", lambda: c.delete_trained_model("other", NAMESPACE), says=THERE_IS_NONE)
    caches(c, meta)
    for storage, file in {"GCS": "gcs.json", "S3": "s3.ini", "Azure": "azure.json"}.items():
        call(
            f"set_credentials, {storage}",
            lambda: c.set_credentials(storage, namespace=NAMESPACE, credentials_file=file, service_account="models"),
        )


def caches(c, meta):
    """Models that are copied to the nodes before they are asked for."""
    alpha, sizes = kserve.constants.KSERVE_V1ALPHA1, {"source_model_uri": MODELS + "model", "model_size": "1Gi"}
    limits = {"persistent_volume_spec": {}, "persistent_volume_claim_spec": {}, "storage_limit": "1Gi"}
    group = kserve.models.V1alpha1LocalModelNodeGroup(
        alpha, "LocalModelNodeGroup", meta, kserve.models.V1alpha1LocalModelNodeGroupSpec(**limits)
    )
    cache = kserve.models.V1alpha1LocalModelCache(
        alpha, "LocalModelCache", meta, kserve.models.V1alpha1LocalModelCacheSpec(node_groups=["other"], **sizes)
    )
    own = kserve.models.V1alpha1LocalModelNamespaceCache(
        alpha, "LocalModelNamespaceCache", meta, kserve.models.V1alpha1LocalModelNamespaceCacheSpec(node_groups=["other"], **sizes)
    )
    call("create_local_model_node_group", lambda: c.create_local_model_node_group(group), refused=NO_CACHE)
    call("get_local_model_node_group", lambda: c.get_local_model_node_group("other"), says=THERE_IS_NONE)
    call("delete_local_model_node_group", lambda: c.delete_local_model_node_group("other"), says=THERE_IS_NONE)
    call("create_local_model_cache", lambda: c.create_local_model_cache(cache), refused=NO_CACHE)
    call("get_local_model_cache", lambda: c.get_local_model_cache("other"), says=THERE_IS_NONE)
    call("is_local_model_cache_ready", lambda: c.is_local_model_cache_ready("other", ["serin"]), says=THERE_IS_NONE)
    call(
        "wait_local_model_cache_ready",
        lambda: c.wait_local_model_cache_ready("other", ["serin"], timeout_seconds=1, polling_interval=0.5),
        says=THERE_IS_NONE,
    )
    call("delete_local_model_cache", lambda: c.delete_local_model_cache("other"), says=THERE_IS_NONE)
    call("create_local_model_namespace_cache", lambda: c.create_local_model_namespace_cache(own), refused=NO_CACHE)
    call("get_local_model_namespace_cache", lambda: c.get_local_model_namespace_cache("other", NAMESPACE), says=THERE_IS_NONE)
    call(
        "is_local_model_namespace_cache_ready",
        lambda: c.is_local_model_namespace_cache_ready("other", NAMESPACE, ["serin"]),
        says=THERE_IS_NONE,
    )
    call(
        "wait_local_model_namespace_cache_ready",
        lambda: c.wait_local_model_namespace_cache_ready("other", NAMESPACE, ["serin"], timeout_seconds=1, polling_interval=0.5),
        says=THERE_IS_NONE,
    )
    call("delete_local_model_namespace_cache", lambda: c.delete_local_model_namespace_cache("other", NAMESPACE), says=THERE_IS_NONE)


def main():
    kserve.logging.configure_logging()
    logging.disable(logging.CRITICAL)  # the client logs each error that it raises
    client = None

    def connect():
        nonlocal client
        client = kserve.KServeClient(config_file=os.environ["KUBECONFIG"])

    call("KServeClient", connect)
    client.core_api.create_namespace({"metadata": {"name": NAMESPACE}})
    services(client)
    predictions(client)
    others(client)
    call("delete", lambda: client.delete("iris", namespace=NAMESPACE), gives=lambda o: o["status"] == "Success")
    call("delete: there is none", lambda: client.delete("none", namespace=NAMESPACE), says='"none" not found')
    print("{works} of {all} calls work, Serin refuses {refused}, {wrong} are not as expected".format(all=sum(counted.values()), **counted))
    return counted["wrong"]


LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)
sys.exit(main() and 1)
