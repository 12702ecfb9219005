"""JSON to arrays and back, in the row and the column format of TensorFlow Serving's REST interface."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from itertools import chain

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from keras_seqgen.server.status import ServingError, invalid

_LONGEST = 60  # characters of a wrong value that an error shows
_DEEPEST = 32  # dimensions of a tensor; NumPy knows 64
_KINDS = {
    int: "Number",
    float: "Number",
    str: "String",
    bool: "Bool",
    type(None): "Null",
    dict: "Object",
    list: "Array",
}


def parse(body: bytes) -> dict:
    """The object that a request's body holds.

    Raises:
        ServingError: it is not JSON, or no object.
    """
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8; a number of 4,301 digits; lists in lists in lists
        raise invalid(f"JSON Parse error: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return document


def read_inputs(document: Mapping, signature: SignatureDef) -> dict[str, np.ndarray]:
    """The tensors of a request, of the types of its signature.

    Args:
        document: with `instances`, a list of rows, or `inputs`, a dict of columns. A string may be {"b64": ...}.
        signature: what is asked.

    Returns:
        dict name -> array, bytes objects for strings. Their shapes are for others to check.

    Raises:
        ServingError: a value is missing, unknown, or of another type, or a list is ragged.
    """
    if ("instances" in document) == ("inputs" in document):
        if "inputs" not in document:
            raise invalid("Missing 'inputs' or 'instances' key")
        raise invalid("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    types = {name: tf.dtypes.as_dtype(info.dtype) for name, info in sorted(signature.inputs.items())}
    if "inputs" in document:
        return _read_columns(document["inputs"], types)
    return _read_rows(document["instances"], types)


def _read_columns(columns, types):
    if not isinstance(columns, dict) or _is_b64(columns):
        if len(types) > 1:
            raise invalid("inputs is a plain value/list, but expecting an object as multiple inputs are required: "
                          + ",".join(types))  # fmt: skip
        columns = {next(iter(types)): columns}
    for name in types:
        if name not in columns:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    arrays = {}
    for name, dtype in types.items():
        try:
            arrays[name] = _array(columns[name], dtype)
        except ServingError as error:
            raise invalid(f"input {name}: {error.message}") from error
    return arrays


def _read_rows(rows, types):
    if not isinstance(rows, list):
        raise invalid("Expecting 'instances' to be an list/array")
    if not rows:
        raise invalid("No values in 'instances' array")
    if not isinstance(rows[0], dict) or _is_b64(rows[0]):
        if len(types) > 1:
            raise invalid("instances is a plain list, but expecting list of objects as multiple inputs are required: "
                          + ",".join(types))  # fmt: skip
        name = next(iter(types))
        if any(isinstance(row, dict) and not _is_b64(row) for row in rows):
            raise invalid("'instances' must be all objects or all values")
        rows = [{name: row} for row in rows]
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise invalid(f"Expecting object but got {_KINDS[type(row)]} at item {number} of input list")
        if row.keys() != types.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_keys(row)} "
                f"keys must be equal to: {','.join(types)}"
            )
    return {name: _stacked(name, [row[name] for row in rows], dtype) for name, dtype in types.items()}


def _stacked(name, values, dtype):
    try:
        return _array(values, dtype)
    except ServingError:
        shape = None
        for number, value in enumerate(values):  # which row is it?
            try:
                found = np.shape(_array(value, dtype))
                if shape not in (None, found):
                    raise invalid(f"Expecting shape {list(shape)} but got: {list(found)}")
                shape = found
            except ServingError as error:
                where = f"Failed to process element: {number} key: {name} of 'instances' list."
                raise invalid(f"{where} Error: {error.message}") from error
        raise


def _array(value, dtype: tf.DType) -> np.ndarray:
    """Nested lists of equal lengths -> array; level by level, since requests can hold many thousand numbers."""
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        size = len(level[0])
        for item in level:
            if not isinstance(item, list) or len(item) != size:
                got = f"of size {len(item)}" if isinstance(item, list) else f"JSON Value: {_shown(item)}"
                raise invalid(f"Encountered {got} at level: {len(shape)} expected a list of size: {size}")
        shape.append(size)
        if len(shape) > _DEEPEST:
            raise invalid(f"JSON Value: lists in lists, more than {_DEEPEST} levels deep")
        level = list(chain.from_iterable(level))
    if dtype == tf.string:
        flat = np.empty(len(level), object)
        flat[:] = [_bytes(item) for item in level]
        return flat.reshape(shape)
    _check_leaves(level, dtype)
    return np.array(level, dtype.as_numpy_dtype).reshape(shape)


def _check_leaves(leaves, dtype):
    types = {type(leaf) for leaf in leaves}
    allowed = {bool} if dtype == tf.bool else {int} if dtype.is_integer else {int, float}
    if not types <= allowed:
        wrong = next(leaf for leaf in leaves if type(leaf) not in allowed)
        raise invalid(f"JSON Value: {_shown(wrong)} Type: {_KINDS[type(wrong)]} is not of expected type: {dtype.name}")
    if int in types:
        exact = 2 ** (np.finfo(dtype.as_numpy_dtype).nmant + 1) if dtype.is_floating else None
        low, high = (1 - exact, exact - 1) if exact else (dtype.min, dtype.max)
        lost = next((leaf for leaf in leaves if type(leaf) is int and not low <= leaf <= high), None)
    else:
        lost = None
    if lost is None and float in types:
        most = float(dtype.max)
        lost = next((leaf for leaf in leaves if most < abs(leaf) < math.inf), None)
    if lost is not None:
        raise invalid(f"Cannot convert JSON value: {_shown(lost)} to {dtype.name} without loss of precision.")


def _bytes(value) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise invalid(f"JSON Value: {_shown(value)} is not a Unicode text") from error
    if _is_b64(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid("Unable to base64 decode") from error
    if isinstance(value, dict):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    raise invalid(f"JSON Value: {_shown(value)} Type: {_KINDS[type(value)]} is not of expected type: string")


def _is_b64(value) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def write_outputs(results: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The body of an answer: `predictions`, a list of rows, or `outputs`, columns; one output stands without its name.

    Strings are text, what is not UTF-8 in them U+FFFD; those of outputs named `..._bytes` are {"b64": ...}. A float32
    has as few digits as tell it from its neighbours; what is no number is NaN, Infinity or -Infinity.

    Raises:
        ServingError: rows are asked for and the outputs have different numbers of them.
    """
    if by_row and len({value.shape[:1] or None for value in results.values()}) > 1:
        raise invalid("the outputs have different numbers of rows: ask with 'inputs'")
    texts = {name: _row_texts(name, value) for name, value in results.items()}
    if by_row:
        rows = [_object(dict(zip(texts, row, strict=True))) for row in zip(*texts.values(), strict=True)]
        body = f'{{"predictions": [{", ".join(rows)}]}}'
    else:
        columns = {name: f"[{', '.join(rows)}]" if results[name].ndim else rows[0] for name, rows in texts.items()}
        body = f'{{"outputs": {_object(columns)}}}'
    return body.encode("utf-8", "replace")


def _object(texts: Mapping[str, str]) -> str:
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"


def _row_texts(name: str, value: np.ndarray) -> list[str]:
    """Each row's JSON. Joined here, level by level: `json` would write a float32 with the digits of a double."""
    texts = _leaf_texts(name, value.ravel())
    for axis in range(value.ndim - 1, 0, -1):
        size = value.shape[axis]
        count = math.prod(value.shape[:axis])
        texts = [f"[{', '.join(texts[n * size : (n + 1) * size])}]" for n in range(count)]
    return texts


def _leaf_texts(name, flat):
    if flat.dtype == object and name.endswith("_bytes"):
        return [json.dumps({"b64": base64.b64encode(item).decode()}) for item in flat]
    if flat.dtype == object:
        return [json.dumps(item.decode("utf-8", "replace"), ensure_ascii=False) for item in flat]
    if flat.dtype.kind != "f" or flat.itemsize < 4:
        return [json.dumps(item) for item in flat.tolist()]
    texts = flat.astype("U").tolist()
    for place in np.flatnonzero(~np.isfinite(flat)):
        texts[place] = json.dumps(float(flat[place]))
    return texts


def _keys(row) -> str:
    text = ",".join(json.dumps(key) for key in row)
    return "{" + (text if len(text) <= _LONGEST else text[:_LONGEST] + "...") + "}"


def _shown(value) -> str:
    if isinstance(value, list | dict):
        return f"{_KINDS[type(value)]} of {len(value)} items"
    text = json.dumps(value) if not isinstance(value, int) or abs(value) < 1e18 else "an integer of many digits"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
