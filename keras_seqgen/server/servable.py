"""One version of a model, loaded: checks what it is asked and runs it."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from keras_seqgen.server.limits import Limits
from keras_seqgen.server.status import ServingError, invalid
from keras_seqgen.serving.warmup import read_warmup, signatures_of

DEFAULT_SIGNATURE = "serving_default"
_ASKED_POINTS = ("points", "max_points", "max_tokens")
_CODES = {number: name.upper() for name, number in tf.errors.__dict__.items() if isinstance(number, int)}


class Servable:
    """A version of a model, warmed up.

    Args:
        name: of the model.
        folder: of the version; its name is the version's number.
        limits: of a request.

    Attributes:
        name, version, folder: of the model. signatures: dict name -> `SignatureDef`.
    """

    def __init__(self, name: str, folder: Path, limits: Limits):
        self.name, self.version, self._limits = name, int(folder.name), limits
        self.folder = folder
        self.signatures = signatures_of(folder)
        self._model = tf.saved_model.load(str(folder))
        for log in read_warmup(folder):
            request = log.predict_log.request
            self.predict(
                request.model_spec.signature_name,
                {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()},
            )

    def signature(self, name: str) -> SignatureDef:
        """A signature by its name, "" for the default.

        Raises:
            ServingError: there is none.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def check_kinds(self, signature: SignatureDef, kinds: Mapping[str, tuple[int, tuple[int, ...]]]) -> None:
        """Whether inputs of these types and shapes, not yet made, fit a signature.

        Args:
            signature: of this version.
            kinds: name -> (a `DataType`, shape).

        Raises:
            ServingError: an input is missing, unknown, of another type or shape, too large, or of other rows than the
                others.
        """
        missing, extra = set(signature.inputs) - set(kinds), set(kinds) - set(signature.inputs)
        if missing or extra:
            raise invalid(
                f"input size does not match signature: {len(kinds)}!={len(signature.inputs)} "
                f"len({_braces(kinds)}) != len({_braces(signature.inputs)}). "
                f"Sent extra: {_braces(extra)}. Missing but required: {_braces(missing)}."
            )
        rows = {}
        for name in sorted(kinds):
            dtype, shape = kinds[name]
            self._check_kind(name, signature.inputs[name], dtype, shape)
            rows[name] = shape[0]
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{name} {count}" for name, count in rows.items())
            raise invalid(f"inputs must have the same number of rows. Received: {counts}")
        name, count = next(iter(rows.items()))
        if not 1 <= count <= self._limits.rows:
            raise invalid(f"input {name} must have 1 to {self._limits.rows} rows. Received: {count}")

    def _check_kind(self, name: str, info: TensorInfo, dtype: int, shape: tuple[int, ...]) -> None:
        expected = tf.dtypes.as_dtype(info.dtype)
        if dtype != info.dtype:
            raise invalid(f"input {name} must be {expected.name}. Received: {_type_name(dtype)}")
        sizes = [size.size for size in info.tensor_shape.dim]
        fits = len(shape) == len(sizes) and all(b in (-1, a) and a >= 0 for a, b in zip(shape, sizes, strict=True))
        if not fits:
            raise invalid(f"input {name} must have the shape {_shape(sizes)}. Received: {_shape(shape)}")
        if math.prod(shape) * (expected.size or 1) > self._limits.request_bytes:
            raise invalid(
                f"input {name} must have at most {self._limits.request_bytes} bytes. Received: {_shape(shape)}"
            )
        if len(shape) == 3 and sizes[1] < 0 and shape[1] > self._limits.points:
            raise invalid(f"input {name} must have at most {self._limits.points} steps. Received: {shape[1]}")

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Collection[str] = ()):
        """Run a signature.

        Args:
            signature: its name, "" for the default.
            inputs: name -> array; strings are arrays of bytes objects.
            outputs: names; all, if there are none.

        Returns:
            dict name -> array.

        Raises:
            ServingError: there is no such signature, an input does not fit, or TensorFlow fails.
        """
        definition = self.signature(signature)
        kinds = {
            name: (tf.dtypes.as_dtype(value.dtype).as_datatype_enum, value.shape) for name, value in inputs.items()
        }
        self.check_kinds(definition, kinds)
        for name in _ASKED_POINTS:
            if name in inputs and kinds[name][1][1:] == () and (most := inputs[name].max()) > self._limits.points:
                raise invalid(f"input {name} must be at most {self._limits.points}. Received: {most}")
        unknown = sorted(set(outputs) - set(definition.outputs))
        if unknown:
            raise invalid(
                f"output tensor alias not found in signature: {unknown[0]} "
                f"Outputs expected to be in the set {_braces(definition.outputs)}."
            )
        run = self._model.signatures[signature or DEFAULT_SIGNATURE]
        try:
            results = run(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.OpError as error:
            raise ServingError(_CODES.get(error.error_code, "UNKNOWN"), _told(error)) from error
        return {name: results[name].numpy() for name in sorted(outputs or definition.outputs)}


def _braces(names) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _shape(sizes) -> str:
    return "[" + ",".join("?" if size < 0 else str(size) for size in sizes) + "]"


def _type_name(dtype: int) -> str:
    try:
        return tf.dtypes.as_dtype(dtype).name
    except TypeError:
        return f"type {dtype}"


def _told(error: tf.errors.OpError) -> str:
    """What the operation says, without the places in a graph that the client never saw."""
    lines = [line.strip() for line in error.message.split("[[", maxsplit=1)[0].splitlines()]
    said = [line for line in lines if line and not line.startswith(("Graph execution", "Detected at", "<stack"))]
    return " ".join(said) or "the model failed"
