# SPDX-License-Identifier: Apache-2.0
"""Asks a service of iris in V1, and in V2 over HTTP and gRPC, with KServe's or Triton's clients.

Run it as protocols.py kserve|triton HTTP-ADDRESS GRPC-ADDRESS MODEL [HOST]. All ways
give the same answer, and a wrong request is refused with a sentence in each. One process
cannot have both clients: they define the same messages.
"""

import asyncio
import importlib.metadata
import sys

import numpy as np

CLIENT, HTTP, GRPC, MODEL = sys.argv[1:5]
HOST = sys.argv[5] if len(sys.argv) > 5 else None
HEADERS = {"Host": HOST} if HOST else {}
AUTHORITY = [("grpc.default_authority", HOST)] if HOST else []
ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]])
WANT = [1, 0, 2]
TYPES = {"FP64": "f8", "FP32": "f4", "FP16": "f2", "BYTES": "O"}
TYPES |= {f"{sign}INT{8 * size}": f"{sign.lower()}i{size}".replace("ui", "u") for sign in ("", "U") for size in (1, 2, 4, 8)}
COUNTED = {"all": 0, "wrong": 0}


def check(name, got, want):
    COUNTED["all"] += 1
    if got != want:
        COUNTED["wrong"] += 1
        print(f"{name}: {got}, want {want}")


def refused(name, call, says):
    try:
        got = repr(call())
    except Exception as error:
        got = says if says in str(error) else repr(error)
    check(name, got, says)


def rows(datatype):
    """The rows as numpy has them, in a datatype of the protocol."""
    if datatype == "BYTES":
        return np.array([[str(v) for v in row] for row in ROWS], dtype=np.object_)
    return (ROWS.round() if "INT" in datatype else ROWS).astype(TYPES[datatype])


def with_triton(name, module, client, options):
    """Infers with each datatype, in binary and, where the client can, in JSON. It changes the headers that it gets."""
    over_http = name == "HTTP"
    check(f"{name}: live", client.is_server_live(**options()), True)
    check(f"{name}: ready", client.is_server_ready(**options()), True)
    check(f"{name}: model ready", client.is_model_ready(MODEL, **options()), True)
    as_dict = {} if over_http else {"as_json": True}
    check(f"{name}: server", client.get_server_metadata(**as_dict, **options())["name"], "serin-modelserver")
    metadata = client.get_model_metadata(MODEL, **as_dict, **options())
    check(f"{name}: input", [int(d) for d in metadata["inputs"][0]["shape"]], [-1, 4])
    for datatype in TYPES:
        for binary in [{"binary_data": True}, {"binary_data": False}] if over_http else [{}]:
            if datatype == "FP16" and binary == {"binary_data": False}:
                continue  # JSON has none
            tensor = module.InferInput("input-0", [3, 4], datatype)
            tensor.set_data_from_numpy(rows(datatype), **binary)
            output = module.InferRequestedOutput("output-0", **binary)
            answer = client.infer(MODEL, [tensor], outputs=[output], request_id="7", **options())
            check(f"{name}: {datatype} {binary}", answer.as_numpy("output-0").tolist(), WANT)
    short = module.InferInput("input-0", [1, 3], "FP64")
    short.set_data_from_numpy(np.zeros((1, 3)))
    refused(f"{name}: a short row", lambda: client.infer(MODEL, [short], **options()), "X has 3 features, but")
    refused(f"{name}: another model", lambda: client.infer("none", [short], **options()), "Model with name none does not exist")
    refused(f"{name}: a version", lambda: client.infer(MODEL, [short], model_version="x", **options()), "has no version x")
    client.close()


def triton():
    import tritonclient.grpc
    import tritonclient.http

    with_triton("HTTP", tritonclient.http, tritonclient.http.InferenceServerClient(HTTP), lambda: {"headers": dict(HEADERS)})
    with_triton("gRPC", tritonclient.grpc, tritonclient.grpc.InferenceServerClient(GRPC, channel_args=AUTHORITY or None), dict)


async def with_kserve(kserve):
    http = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
    grpc = kserve.InferenceGRPCClient(GRPC, channel_args=AUTHORITY, retries=0)
    base = f"http://{HTTP}"

    async def infer(name, make, want):
        answer = await http.infer(base, make(), model_name=MODEL, headers=dict(HEADERS))
        check(f"HTTP: {name}", (answer.id, answer.outputs[0].as_numpy().tolist()), want)
        answer = await grpc.infer(make())
        check(f"gRPC: {name}", (answer.id, answer.outputs[0].as_numpy().tolist()), want)

    check("HTTP: live", await http.is_server_live(base, headers=dict(HEADERS)), True)
    check("HTTP: ready", await http.is_server_ready(base, headers=dict(HEADERS)), True)
    check("HTTP: model ready", await http.is_model_ready(base, MODEL, headers=dict(HEADERS)), True)
    check("gRPC: live", await grpc.is_server_live(), True)
    check("gRPC: ready", await grpc.is_server_ready(), True)
    check("gRPC: model ready", await grpc.is_model_ready(MODEL), True)
    for datatype in TYPES:
        for binary in (True, False):
            if datatype == "FP16" and not binary:
                continue  # JSON has none

            def make():
                tensor = kserve.InferInput("input-0", [3, 4], datatype)
                tensor.set_data_from_numpy(rows(datatype), binary_data=binary)
                return kserve.InferRequest(model_name=MODEL, infer_inputs=[tensor], request_id="7")

            await infer(f"{datatype}, binary {binary}", make, ("7", WANT))

    def dataframe():
        columns = [kserve.InferInput(n, [3], "FP64", data=ROWS[:, i].tolist()) for i, n in enumerate("abcd")]
        return kserve.InferRequest(model_name=MODEL, infer_inputs=columns, request_id="8", parameters={"content_type": "pd"})

    await infer("a DataFrame", dataframe, ("8", WANT))
    await with_v1(kserve, base)
    try:
        await grpc.infer(kserve.InferRequest(model_name="none", infer_inputs=[], request_id="9"))
        check("gRPC: another model", "an answer", "an error")
    except Exception as error:
        check("gRPC: another model", "Model with name none does not exist" in str(error), True)
    await http.close()
    await grpc.close()


async def with_v1(kserve, base):
    client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v1"))
    check("V1: live", await client.is_server_live(base, headers=dict(HEADERS)), True)
    check("V1: model ready", await client.is_model_ready(base, MODEL, headers=dict(HEADERS)), True)
    for key in ("instances", "inputs"):
        answer = await client.infer(base, {key: ROWS.tolist()}, model_name=MODEL, headers=dict(HEADERS))
        check(f"V1: {key}", answer, {"predictions": WANT})
    try:
        await client.infer(base, {"instances": [[1, 2, 3]]}, model_name=MODEL, headers=dict(HEADERS))
        check("V1: a short row", "an answer", "an error")
    except Exception as error:
        check("V1: a short row", "400" in str(error) or "X has 3 features" in str(error), True)
    await client.close()


def main():
    if CLIENT == "triton":
        triton()
    else:
        import kserve

        asyncio.run(with_kserve(kserve))
    print(CLIENT, importlib.metadata.version("tritonclient" if CLIENT == "triton" else CLIENT))
    print("{all} answers, {wrong} are not as expected".format(**COUNTED))
    sys.exit(COUNTED["wrong"] > 0)


main()
