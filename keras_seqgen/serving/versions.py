"""The folders `<name>/<integer version>/` of TensorFlow Serving."""

import re
from pathlib import Path

from keras_seqgen.errors import UserError


def versions(folder):
    """The version numbers in a model's folder, in order."""
    return sorted(_folders(folder))


def version_folder(folder, number):
    """The folder of a version that is there; zeros may stand before its number, as TensorFlow Serving has it."""
    return _folders(folder)[number]


def _folders(folder):
    paths = sorted(Path(folder).iterdir())
    return {int(path.name): path for path in paths if re.fullmatch("[0-9]+", path.name) and path.is_dir()}


def newest_version(folder):
    """The folder of the newest version; a folder that is a version itself is returned as it is.

    Raises:
        UserError: the folder does not exist or holds no version.
    """
    folder = Path(folder)
    if (folder / "saved_model.pb").exists():
        return folder
    there = _folders(folder) if folder.is_dir() else {}
    if not there:
        raise UserError(f"{folder} holds no SavedModel: export one with `keras-seqgen export --run RUN --to {folder}`")
    return there[max(there)]
