"""Rows by chance, right and wrong, in batches by chance: each becomes what it becomes alone, for every signature."""

import functools
from itertools import product

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_seqgen.serving.warmup import signatures_of
from tests.segmentation_data import encoded
from tests.sounds import wav_file

LONGEST, RATE = 12, 16_000
SIGNATURES = [
    *(("handwriting", name) for name in ("generate", "generate_primed", "score", "step")),
    *(("text", name) for name in ("generate", "score", "step")),
    *(("segmentation", name) for name in ("segment", "segment_pixels")),
    *(product(("ink-recognition", "text-lines", "speech"), ("recognise", "logits", "recognise_frames"))),
    *(("script-detection", name) for name in ("detect", "label_frames")),
]  # fmt: skip


def some_text(rng):
    return "".join(rng.choice(list("abde" * 5 + "?"), rng.integers(0, 7))).encode()


def some_picture(rng):
    size = rng.integers(6, 30, 2)
    return encoded(rng.integers(0, 256, (*size, 3), np.uint8)) if rng.random() < 0.8 else b"no picture"


def some_sound(rng):
    rate = RATE if rng.random() < 0.8 else 8000
    return wav_file(rng.integers(-9000, 9000, rng.integers(200, 3000)), rate)


VALUES = {
    "text": some_text,
    "prime": some_text,
    "primer_text": some_text,
    "stop": lambda rng: rng.choice([b"", b"", b"a", b"de"]),
    "bias": lambda rng: rng.choice([rng.uniform(0, 3), rng.uniform(0, 3), np.nan]),
    "temperature": lambda rng: rng.choice([rng.uniform(0.2, 2), rng.uniform(0.2, 2), 0.0]),
    "top_k": lambda rng: rng.integers(-1, 5),
    "top_p": lambda rng: rng.choice([1.0, rng.uniform(0.1, 1)]),
    "seed": lambda rng: rng.integers(-(2**31), 2**31, 2),
    "image": some_picture,
    "wav": some_sound,
}


def some_value(name, info, rng, states):
    """What a row may hold as one input; of a sequence, as many steps as LONGEST."""
    inner = [size.size for size in info.tensor_shape.dim[1:]]
    if name == "state":
        return states[rng.integers(len(states))]
    if name.endswith("length"):
        return rng.choice([*range(LONGEST + 1), 1000])
    if len(inner) == 3:  # pixels: all pictures of a request have one size
        picture = rng.uniform(0, 255, (8, 10, 3))
        picture[0, 0, 0] = rng.choice([0, 0, np.inf])
        return picture
    if len(inner) == 2:
        steps = rng.normal(0, 5, (LONGEST, inner[1]))
        return np.where(np.arange(inner[1]) == 2, steps > 4, steps) if inner[1] == 3 else steps
    return VALUES[name](rng) if name in VALUES else rng.integers(0, 25)


def batch(signature, rows):
    """Rows -> the inputs of a request."""
    arrays = {}
    for name, info in signature.inputs.items():
        dtype = tf.dtypes.as_dtype(info.dtype).as_numpy_dtype
        if dtype is object:
            arrays[name] = np.empty(len(rows), object)
            arrays[name][:] = [bytes(row[name]) for row in rows]
        else:
            arrays[name] = np.stack([row[name] for row in rows]).astype(dtype)
    return arrays


def cut(outputs, row):
    """A row of the outputs without what stands behind its own end."""
    found = {}
    for name, value in outputs.items():
        one = value[row]
        if name in ("logits", "place"):
            one = one[: outputs["frames"][row]]
        elif isinstance(one, np.ndarray) and name != "state":
            for axis in range(one.ndim):
                used = np.flatnonzero(np.any(one.astype(bool), axis=tuple(k for k in range(one.ndim) if k != axis)))
                one = one.take(range(used[-1] + 1 if len(used) else 0), axis)
        found[name] = one
    return found


@pytest.fixture(scope="module")
def asked(channel, saved_models, readers, saved_readers):
    """(model, signature) -> its `SignatureDef`, and a function from inputs to outputs."""
    with grpc.insecure_channel(f"127.0.0.1:{readers.port}") as other:

        def of(model, name):
            ours = (saved_models / model).is_dir()
            version = (saved_models if ours else saved_readers) / model / "1"
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel if ours else other)

            def ask(inputs):
                request = predict_pb2.PredictRequest()
                request.model_spec.name, request.model_spec.signature_name = model, name
                for key, value in inputs.items():
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
                outputs = stub.Predict(request, timeout=120).outputs
                return {key: tf.make_ndarray(value) for key, value in outputs.items()}

            return signatures_of(version)[name], ask

        yield of


@pytest.mark.parametrize(("model", "name"), SIGNATURES)
def test_a_row_becomes_what_it_becomes_alone(asked, model, name):
    signature, ask = asked(model, name)
    states = [None]
    if "state" in signature.inputs:
        states = [np.zeros(signature.inputs["state"].tensor_shape.dim[1].size)]
        rng = np.random.default_rng(0)
        begun = [
            {k: some_value(k, info, rng, states) for k, info in sorted(signature.inputs.items())} for _ in range(4)
        ]
        states += list(ask(batch(signature, begun))["state"])

    def row(number):
        rng = np.random.default_rng(number)
        return {key: some_value(key, info, rng, states) for key, info in sorted(signature.inputs.items())}

    @functools.cache
    def alone(number):
        return cut(ask(batch(signature, [row(number)])), 0)

    @settings(max_examples=25, deadline=None)
    @given(numbers=st.lists(st.integers(0, 30), min_size=2, max_size=5))
    def together(numbers):
        outputs = ask(batch(signature, [row(number) for number in numbers]))
        for place, number in enumerate(numbers):
            found = cut(outputs, place)
            for key, value in alone(number).items():
                if np.asarray(value).dtype.kind in "SO":
                    assert np.array_equal(found[key], value), key
                else:
                    np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-4, err_msg=key)

    together()
