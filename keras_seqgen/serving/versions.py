"""The folders `<name>/<integer version>/` of TensorFlow Serving."""

from pathlib import Path

from keras_seqgen.errors import UserError


def versions(folder):
    """The version numbers in a model's folder, in order."""
    return sorted(int(path.name) for path in Path(folder).iterdir() if path.is_dir() and path.name.isdecimal())


def newest_version(folder):
    """The folder of the newest version; a folder that is a version itself is returned as it is.

    Raises:
        UserError: the folder does not exist or holds no version.
    """
    folder = Path(folder)
    if (folder / "saved_model.pb").exists():
        return folder
    numbers = versions(folder) if folder.is_dir() else []
    if not numbers:
        raise UserError(f"{folder} holds no SavedModel: export one with `keras-seqgen export --run RUN --to {folder}`")
    return folder / str(numbers[-1])
