"""A folder that one process at a time works on."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from keras_seqgen.errors import UserError


@contextlib.contextmanager
def locked(folder: str | Path, taken: str = "") -> Iterator[None]:
    """Lock a local folder until the block or the process ends, whichever is first.

    Where the system or a network's filesystem has no locks, nothing is locked.

    Args:
        folder: It exists.
        taken: The error where another process has it; "" waits for that process.

    Raises:
        UserError: Another process has the folder, and `taken` is given.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # not on this system
        yield
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
        except BlockingIOError as error:
            raise UserError(taken) from error
        except OSError:  # a network's filesystem without locks
            pass
        yield
    finally:
        os.close(number)
