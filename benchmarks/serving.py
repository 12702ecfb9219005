"""The local server against the bare SavedModel: overhead of a request, and many rows at once.

python -m benchmarks.serving [--models saved_models]

All on this machine's loopback. The server runs in a process of its own, as `keras-seqgen serve` starts it.

- overhead: `step` of 8 points and `score` of a short line, by REST and by gRPC, and called in this process, in turn;
  the median of the differences.
- rows: points/s of `step` with 64 rows in one request and with single rows.

`benchmarks.serving_load` asks all models at once.
"""

import argparse
import base64
import http.client
import json
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.timing import measure_in_turn
from keras_seqgen.serving.versions import newest_version
from keras_seqgen.serving.warmup import example_inputs, readable_text, signatures_of, sound_rate

WORKERS = 4  # requests that run at a time


def serve(models, clients=64):
    """A server of a folder: its process, and what it tells of itself."""
    command = [
        sys.executable,
        "-m",
        "keras_seqgen.cli",
        "serve",
        str(models),
        "--port",
        "0",
        "--rest-port",
        "0",
        "--json",
    ]
    process = subprocess.Popen(
        [*command, "--max-requests", str(4 * clients), "--workers", str(WORKERS)], stdout=subprocess.PIPE, text=True
    )
    return process, json.loads(process.stdout.readline())


def requests_of(models):
    """(model, signature) -> small inputs of one row, for every signature of every model."""
    found = {}
    for folder in sorted(path for path in Path(models).iterdir() if path.is_dir()):
        version = newest_version(folder)
        for name, signature in signatures_of(version).items():
            if name != "serving_default":
                inputs = example_inputs(signature, readable_text(version), rate=sound_rate(version))
                found[folder.name, name] = inputs
    return found


def rest_body(signature, inputs):
    """The body of a REST request, in columns."""
    columns = {
        name: [{"b64": base64.b64encode(item).decode()} for item in value] if value.dtype == object else value.tolist()
        for name, value in inputs.items()
    }
    return json.dumps({"signature_name": signature, "inputs": columns})


class Rest:
    """One client's connection, kept open."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, model, body):
        self._connection.request("POST", f"/v1/models/{model}:predict", body)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def grpc_request(model, signature, inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def bare_signatures(models, requests):
    """Model -> its signatures, loaded in this process."""
    names = {model for model, _ in requests}
    return {model: tf.saved_model.load(str(newest_version(Path(models) / model))).signatures for model in names}


def bare_call(signatures, inputs):
    """A call of a signature in this process, its results as arrays."""

    def call():
        return {k: v.numpy() for k, v in signatures(**{k: tf.constant(v) for k, v in inputs.items()}).items()}

    return call


def overhead(where, bare, requests, rounds):
    """Milliseconds of a request beyond the bare call, for each signature."""
    rest, told = Rest(where["rest_port"]), {}
    with grpc.insecure_channel(f"127.0.0.1:{where['port']}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for (model, signature), inputs in requests.items():
            body, message = rest_body(signature, inputs), grpc_request(model, signature, inputs)
            seconds = measure_in_turn(
                {
                    "bare": bare_call(bare[model][signature], inputs),
                    "rest": lambda m=model, b=body: rest.ask(m, b),
                    "grpc": lambda m=message: stub.Predict(m),
                },
                rounds,
            )
            told[f"{model} {signature}"] = {
                "bare, ms": round(1000 * statistics.median(seconds["bare"]), 2),
                **{
                    f"{name} overhead, ms": round(
                        1000 * statistics.median(a - b for a, b in zip(seconds[name], seconds["bare"], strict=True)), 2
                    )
                    for name in ("rest", "grpc")
                },
            }
    return told


def rows_at_once(where, requests, points, rounds):
    """Points per second of `step` by gRPC, 64 rows in one request and one row in each."""
    model, signature = next(key for key in requests if key[1] == "step" and "points" in requests[key])
    one = {**requests[model, signature], "points": np.array([points], np.int32)}
    many = {name: np.repeat(value, 64, axis=0) for name, value in one.items()}
    many["seed"] = np.stack([np.arange(64), np.zeros(64)], axis=1).astype(np.int32)
    with grpc.insecure_channel(f"127.0.0.1:{where['port']}", [("grpc.max_receive_message_length", -1)]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        single, batch = (grpc_request(model, signature, inputs) for inputs in (one, many))
        drawn = {name: int(tf.make_ndarray(stub.Predict(request).outputs["length"]).sum())
                 for name, request in (("1 row", single), ("64 rows", batch))}  # fmt: skip
        seconds = measure_in_turn(
            {"1 row": lambda: stub.Predict(single), "64 rows": lambda: stub.Predict(batch)}, rounds
        )
    speed = {name: drawn[name] / statistics.median(seconds[name]) for name in drawn}
    return {
        **{f"{name} in a request, points/s": round(value) for name, value in speed.items()},
        "64 rows over single rows": round(speed["64 rows"] / speed["1 row"], 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="saved_models", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=40, help="of the comparisons")
    arguments = parser.parse_args()
    requests = requests_of(arguments.models)
    bare = bare_signatures(arguments.models, requests)
    process, where = serve(arguments.models)
    try:
        quick = {key: value for key, value in requests.items() if key[1] in ("step", "score")}
        results = {
            "overhead": overhead(where, bare, quick, arguments.rounds),
            "rows": rows_at_once(where, requests, 64, max(3, arguments.rounds // 10)),
        }
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
