"""Which module of commands serves a system, and which exported model is meant."""

import importlib
import json
from pathlib import Path

from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.errors import UserError

RECOGNISERS = ("ink-recognition", "text-lines", "speech")
_HOMES = dict.fromkeys(RECOGNISERS, "recognition")  # systems whose commands are in a module of another name


def commands_of(system: str):
    """The module with `evaluate_run`, `evaluate_model` and `export_run` of a system."""
    home = _HOMES.get(system, system.replace("-", "_"))
    return importlib.import_module(f"keras_seqgen.commands.{home}")


def system_of(model: str | Path) -> str:
    """The system that an exported model belongs to, by its assets.extra/model.json."""
    from keras_seqgen.serving.versions import newest_version

    version = newest_version(model)
    try:
        return json.loads((version / "assets.extra" / "model.json").read_text(encoding="utf-8"))["system"]
    except FileNotFoundError:
        return "handwriting"  # the first models had no such file
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{version} is not a model of keras-seqgen: {error}") from error


def default_model(system: str) -> Path:
    """The model of a system below saved_models/, here or beside the package: NAME, else the first NAME-something."""
    for root in (Path("saved_models"), Path(__file__).parents[2] / "saved_models"):
        for folder in (root / system, *sorted(root.glob(f"{system}-*"))):
            if not folder.is_dir() or not any(child.name.isdecimal() for child in folder.iterdir()):
                continue
            if folder.name == system or system_of(folder) == system:  # text-lines is no model of text
                return folder
    if system == "handwriting":
        how = "`keras-seqgen demo`"
    else:
        how = f"`keras-seqgen prepare {system}`, `train`, and `export --to saved_models/{system}`"
    raise UserError(f"saved_models/ holds no model for {system}: name one with --model, or make one: {how}")


def register_classes() -> None:
    """Imports the classes that a .keras file of a run may name; Keras finds only those that are imported."""
    import_tensorflow()
    import keras_seqgen.layers
    import keras_seqgen.losses
    import keras_seqgen.metrics
    import keras_seqgen.models
    import keras_seqgen.training.group_rates
    import keras_seqgen.training.optimizers  # noqa: F401
