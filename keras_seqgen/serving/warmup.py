"""Warm-up requests: TensorFlow Serving runs them before a version answers, so that no client waits for a first run."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from keras_seqgen.data.vocabulary import Vocabulary

WARMUP = "assets.extra/tf_serving_warmup_requests"
_NUMBERS = {"bias": 1, "temperature": 1, "top_p": 1, "points": 8, "max_points": 8, "max_tokens": 8}
_TEXTS = ("text", "prime", "primer_text")
_STEPS, _SIDE = 16, 32  # of a sequence, of a picture


def signatures_of(version) -> dict[str, SignatureDef]:
    """The signatures of a SavedModel, read without loading it; the initialiser's own is left out."""
    saved = SavedModel.FromString((Path(version) / "saved_model.pb").read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    return {name: signatures[name] for name in sorted(signatures) if not name.startswith("__")}


def example_inputs(signature: SignatureDef, text: str, rows: int = 1, rate: int = 8000) -> dict[str, np.ndarray]:
    """Small inputs that a signature accepts, by the inputs' names and kinds.

    Args:
        signature: of a SavedModel of this project.
        text: what the model can read.
        rows: B.
        rate: samples a second that the model of a signature of sound accepts (`sound_rate`).

    Returns:
        dict name -> array (B, ...), bytes for strings.
    """
    strings = {"image": _picture(), "wav": _sound(rate), **dict.fromkeys(_TEXTS, text.encode())}
    return {name: _value(name, info, strings, rows) for name, info in signature.inputs.items()}


def _value(name: str, info: TensorInfo, strings: dict[str, bytes], rows: int) -> np.ndarray:
    inner = [size.size for size in info.tensor_shape.dim[1:]]
    unknown = _SIDE if len(inner) == 3 else _STEPS
    shape = [rows, *(unknown if size < 0 else size for size in inner)]
    dtype = tf.dtypes.as_dtype(info.dtype)
    if dtype == tf.string:
        texts = np.empty(shape, object)
        texts.fill(strings.get(name, b""))  # `np.full` drops the zeros at the end of bytes, of which silence is full
        return texts
    if len(inner) == 2 and inner[1] == 3:  # ink: a slanted line, the pen up at its end
        line = np.outer(np.arange(_STEPS), [5.0, 3.0, 0.0])
        line[-1, 2] = 1
        return np.broadcast_to(line, shape).astype(dtype.as_numpy_dtype)
    number = _STEPS if name == "length" or name.endswith("_length") else (_NUMBERS.get(name, 0) if not inner else 0)
    return np.full(shape, number, dtype.as_numpy_dtype)


def _picture() -> bytes:
    return tf.io.encode_png(tf.zeros((_SIDE, _SIDE, 3), tf.uint8)).numpy()


def _sound(rate: int) -> bytes:
    return tf.audio.encode_wav(tf.zeros((rate // 4, 1)), rate).numpy()


def sound_rate(version) -> int:
    """The samples a second that the model of a version accepts; 8000 where it hears nothing."""
    path = Path(version) / "assets.extra" / "model.json"
    return json.loads(path.read_text(encoding="utf-8")).get("rate", 8000) if path.exists() else 8000


def readable_text(version) -> str:
    """A token that the model of a version knows: a letter or a word, if it has any."""
    path = Path(version) / "assets.extra" / "vocabulary.json"
    if not path.exists():
        return "a"
    tokens = Vocabulary.load(path).tokens
    return next((token for token in tokens if token.isascii() and token.isalpha()), tokens[-1])


def write_warmup(version) -> Path:
    """Write a version's `assets.extra/tf_serving_warmup_requests`: one request of one row for each signature.

    The file is a TFRecord of `PredictionLog` protos. The requests name no model: one is served under any name.

    Args:
        version: the folder of a SavedModel; a whole one, or one that is still being made.

    Returns:
        The `Path` of the file.
    """
    path = Path(version) / WARMUP
    path.parent.mkdir(exist_ok=True)
    text, rate = readable_text(version), sound_rate(version)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, signature in signatures_of(version).items():
            log = PredictionLog()
            log.predict_log.request.model_spec.signature_name = name
            for key, value in example_inputs(signature, text, rate=rate).items():
                log.predict_log.request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString(deterministic=True))
    return path


def read_warmup(version) -> list[PredictionLog]:
    """The requests of a version, none where it has no file."""
    path = Path(version) / WARMUP
    if not path.exists():
        return []
    return [PredictionLog.FromString(record) for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
