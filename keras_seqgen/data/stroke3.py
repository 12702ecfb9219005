"""Sketches in stroke-3: rows (dx, dy, pen lifted after it), int16, in an .npz; as sketch-rnn published them, or flat.

sketch-rnn   train, valid, test: object arrays of (N, 3) arrays (a pickle: read by an unpickler that knows arrays only)
flat         train_strokes (M, 3) and train_offset (N+1,): drawing i is rows offset[i]:offset[i+1]; no pickle
"""

import codecs
import io
import itertools
import pickle
import zipfile
from collections.abc import Iterator

import numpy as np

from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError

SPLITS = ("train", "valid", "test")


def read_stroke3(data: bytes, name: str, limit: int = 1 << 30) -> Iterator[RawLine | BadRecord]:
    """The drawings of an .npz, each in the split that the file puts it into. They have no text.

    Args:
        data: The file.
        name: Names of drawings are `name/split/number`.
        limit: The most bytes that an array may take.

    Raises:
        UserError: where it is not such a file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            splits = [split for split in SPLITS if split in sizes or f"{split}_strokes" in sizes]
            if not splits:
                raise UserError(f"the archive has no train, valid or test; it has {', '.join(sorted(sizes)[:8])}")
            for split in splits:
                if split in sizes:
                    drawings = list(_read_array(archive, sizes[split], limit))
                else:
                    drawings = _cut(
                        *(_read_array(archive, sizes[f"{split}_{key}"], limit) for key in ("strokes", "offset"))
                    )
                for number, rows in enumerate(drawings):
                    yield _drawing(f"{name}/{split}/{number:06d}", split, rows)
    except UserError:
        raise
    except Exception as error:  # a damaged archive or pickle raises anything
        raise UserError(f"not an archive of drawings: {type(error).__name__}: {error}") from error


def _drawing(name: str, split: str, rows) -> RawLine | BadRecord:
    try:
        rows = np.asarray(rows, np.float64)
    except (ValueError, TypeError) as error:
        return BadRecord(name, "unreadable", str(error))
    if rows.ndim != 2 or rows.shape[1] != 3:
        return BadRecord(name, "unreadable", f"rows of shape {rows.shape}; stroke-3 has (N, 3)")
    pen = (rows[:, 2] > 0).astype(np.float64)
    pen[-1:] = 1
    return RawLine(name, name, "", "", Trace(np.cumsum(rows[:, :2], axis=0), pen), split)


def _cut(strokes: np.ndarray, offset: np.ndarray) -> list[np.ndarray]:
    if offset.ndim != 1 or offset.dtype.kind not in "iu" or np.any(np.diff(offset) < 0):
        raise UserError("the offsets of the drawings do not rise")
    if len(offset) and not 0 <= offset[0] <= offset[-1] <= len(strokes):
        raise UserError("the offsets of the drawings point outside of the strokes")
    return [strokes[a:b] for a, b in itertools.pairwise(offset)]


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> np.ndarray:
    """An .npy member; its header is believed only as far as the member's size bears it out."""
    if entry.file_size > limit:
        raise UserError(f"{entry.filename} takes {entry.file_size} bytes; the limit is {limit}")
    with archive.open(entry) as stream:
        content = stream.read(limit + 1)
    data = io.BytesIO(content)
    version = np.lib.format.read_magic(data)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(data)
    if dtype.hasobject:
        return _ArrayUnpickler(data, encoding="latin1").load()
    count = 1
    for size in shape:
        count *= int(size)
    if count * dtype.itemsize != len(content) - data.tell() or fortran:
        raise UserError(f"{entry.filename} does not hold the array {shape} that its header announces")
    return np.frombuffer(content, dtype, count, data.tell()).reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled NumPy arrays and nothing else: a pickle can otherwise run any program."""

    def find_class(self, module, name):
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty_array
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return _plain_dtype
        if (module, name) == ("_codecs", "encode"):
            return codecs.encode
        raise pickle.UnpicklingError(f"the archive asks for {module}.{name}, which is refused")


def _empty_array(kind, shape, code) -> np.ndarray:
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that does not begin empty")
    return np.ndarray((0,), np.dtype("b"))


def _plain_dtype(code, *_) -> np.dtype:
    if str(code).lstrip("<>|=") not in ("i1", "i2", "i4", "i8", "u1", "u2", "f2", "f4", "f8", "O8", "O", "b1"):
        raise pickle.UnpicklingError(f"an array of {code!r}")
    return np.dtype(str(code).replace("O8", "O"))
