"""The files that `keras-seqgen recognise` reads: lines of ink, pictures of lines, utterances, lists of words."""

import io
import json
import wave
from pathlib import Path

import numpy as np

from keras_seqgen.commands.sentences import read_sentences
from keras_seqgen.decoding.scorers import Lexicon
from keras_seqgen.errors import UserError

_PICTURES = (".png", ".jpg", ".jpeg")  # as a model takes them
_OTHER_PICTURES = (".tif", ".tiff", ".bmp", ".webp", ".ppm", ".gif")
_READ = {"ink-recognition": "files of ink", "text-lines": "pictures such as .png or .jpg", "speech": "sound, .wav"}


def system_of_file(path) -> str:
    """The system that reads such a file, by the ending of its name."""
    ending = Path(path).suffix.lower()
    if ending == ".wav":
        return "speech"
    return "text-lines" if ending in (*_PICTURES, *_OTHER_PICTURES) else "ink-recognition"


def read_lines(system: str, path) -> list[tuple[str, np.ndarray | bytes]]:
    """The names of the lines of a file, and what a `SavedRecogniser` of a system takes of them.

    Raises:
        UserError: the file cannot be read, or it is for another system.
    """
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder: name the files in it")
    if system_of_file(path) != system:
        raise UserError(f"{path}: a model of {system} reads {_READ[system]}")
    if system == "ink-recognition":
        return [*read_points(path)]
    try:
        encoded = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if Path(path).suffix.lower() in _OTHER_PICTURES:
        encoded = _as_png(path, encoded)
    return [(Path(path).stem, encoded)]


def _as_png(path, encoded: bytes) -> bytes:
    """A picture in a format that no model reads, in one that each does."""
    from PIL import Image

    out = io.BytesIO()
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            transparent = "A" in picture.getbands() or "transparency" in picture.info
            picture.convert("RGBA" if transparent else "RGB").save(out, "PNG")
    except Exception as error:  # Pillow raises what each of its formats raises
        raise UserError(f"{path} is no picture that can be read: {error}") from error
    return out.getvalue()


def at_rate(encoded: bytes, rate: int) -> bytes:
    """A WAV file of whole numbers -> one of 16-bit PCM, `rate` samples a second; one that is so already stays as it is.

    Raises:
        UserError: it is no such file, or it breaks off.
    """
    from keras_seqgen.data.speech_features import decode_wav
    from keras_seqgen.data.speech_synthesis import resample

    samples, own = decode_wav(encoded)
    if own == rate and encoded[8:16] == b"WAVEfmt " and (encoded[20:22], encoded[34:36]) == (b"\1\0", b"\x10\0"):
        return encoded
    if own != rate:
        samples = resample(samples, own / rate)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1 - 2**-15) * 2**15).round().astype("<i2").tobytes())
    return out.getvalue()


def read_points(path) -> list[tuple[str, np.ndarray]]:
    """The lines of a file of ink: names, and rows x, y, pen (N, 3); IAM-OnDB's are repaired as `prepare` does."""
    from keras_seqgen.data.ink_formats import read_ink
    from keras_seqgen.data.ink_records import BadRecord, check_trace
    from keras_seqgen.data.strokes import clean, offsets_to_points

    if str(path).endswith(".json"):
        return _read_json(path)
    lines = []
    for record in read_ink(path):
        if isinstance(record, BadRecord):
            raise UserError(f"{path}: {record.name} cannot be used: {record.detail}")
        try:
            trace = check_trace(record.trace)
        except UserError as error:
            raise UserError(f"{path}: {record.name}: {error}") from error
        points, pen = trace.points, trace.pen
        if str(path).lower().endswith(".xml"):
            points, pen = offsets_to_points(clean(trace)[0])
        lines.append((record.name, np.column_stack([points, pen])))
    if not lines:
        raise UserError(f"{path} holds no line of ink")
    return lines


def _read_json(path) -> list[tuple[str, np.ndarray]]:
    """The lines of what `keras-seqgen write -o line.json` writes."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        records = content.get("lines", [content])
        name = Path(path).stem
        return [(f"{name}#{n}", np.array(record["points"], float)[:, :3]) for n, record in enumerate(records)]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no points as `write -o line.json` writes them: {error}") from error


def read_lexicon(path, tokens) -> Lexicon:
    """The words of a text file, a word per line, as what a beam search may read.

    Args:
        path: UTF-8, plain or gz, xz or bz2; brought to NFC, as the texts of the pipelines are.
        tokens: the characters of the ids 1..C.

    Raises:
        UserError: the file cannot be read, has no words, or one with a character that is not among the tokens.
    """
    words = [word for line in read_sentences(path, "word") for word in line]
    try:
        return Lexicon(words, tokens)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
