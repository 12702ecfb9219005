"""The token ids of a prepared split, any stretch of them, without reading the others."""

from pathlib import Path

import numpy as np

from keras_seqgen.data import text_schema
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError


class TokenStream:
    """Random access to the ids of a split, in the order of the text.

    The record files are mapped into memory, and an index tells where each record's ids lie: opening a split reads
    about 100 bytes per 65,536 tokens, a slice reads what it asks for.

    Args:
        folder: What `keras-seqgen prepare text` wrote.
        split: "train", "valid" or "test".

    Attributes:
        vocabulary: The folder's.

    Raises:
        UserError: where the folder has no such split, or a file is cut short, missing or something else.

    Example:
        >>> stream = TokenStream("prepared/ptb-word", "valid")
        >>> len(stream), stream.vocabulary.decode(stream[0:4])
        (73760, 'consumers may want to')
    """

    def __init__(self, folder: str | Path, split: str):
        folder = Path(folder)
        files = sorted(folder.glob(f"{split}-*-of-*.tfrecord"))
        if not files:
            raise UserError(f"{folder} has no split {split!r}: no file {split}-*.tfrecord. Prepare it first.")
        if len(files) != int(files[-1].stem.rpartition("-")[2]):
            raise UserError(f"{folder} has {len(files)} of the files {files[-1].name}: prepare it again")
        self.vocabulary = Vocabulary.load(folder / "vocabulary.json")
        self._dtype = text_schema.id_type(len(self.vocabulary))
        self._maps: list[np.ndarray] = []
        index: list[tuple[int, int, int]] = []  # of each record: its file, the offset of its ids there, their number
        count = 0
        for path in files:
            content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
            for first, offset, size in _records(path, content):
                if first != count or size % self._dtype.itemsize:
                    raise UserError(f"{path} does not go on where the tokens before it end: prepare {folder} again")
                index.append((len(self._maps), offset, size // self._dtype.itemsize))
                count += index[-1][2]
            self._maps.append(content)
        self._index = index
        self._starts = np.cumsum([0, *(size for _, _, size in index)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, part: slice) -> np.ndarray:
        """The ids of a stretch as int32; bounds are those of a Python sequence, the step is 1."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise ValueError(f"a slice must have the step 1. Received: {part}")
        out = np.empty(max(stop - start, 0), np.int32)
        done = 0
        record = int(np.searchsorted(self._starts, start, "right")) - 1
        while done < len(out):
            file, offset, size = self._index[record]
            skip = start + done - int(self._starts[record])
            take = min(size - skip, len(out) - done)
            begin = offset + skip * self._dtype.itemsize
            raw = self._maps[file][begin : begin + take * self._dtype.itemsize]
            out[done : done + take] = raw.view(self._dtype)
            done += take
            record += 1
        return out


def _records(path: Path, content: np.ndarray):
    """(first, offset of the ids in the file, their size in bytes) of each record of a file."""
    at = 0
    while at < len(content):
        try:
            begin = at + text_schema.FRAME_HEAD
            length = text_schema.frame_length(content[at:begin].tobytes())
            at = begin + length + text_schema.FRAME_TAIL
            if at > len(content):
                raise ValueError("it is cut short")
            head = content[begin : begin + min(text_schema.HEAD, length)].tobytes()
            first, offset, size = text_schema.locate(head, length)
        except Exception as error:  # struct.error among them
            raise UserError(f"{path} cannot be read at byte {begin}: {error}. Prepare the data again.") from error
        yield first, begin + offset, size
