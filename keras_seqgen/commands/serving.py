"""`keras-seqgen export`, for every system."""

import math
import operator
import re
import sys
from pathlib import Path

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.systems import commands_of, register_classes
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import load_recipe


def export(arguments) -> int:
    """Writes the next version of a SavedModel and names it in models.config; 1 where the run does not meet `--require`.

    A version that met `--require` takes the label `stable`.
    """
    run = Path(arguments.folder)
    name, recipe = load_recipe(run)
    if not (run / "best.keras").exists():
        raise UserError(f"{run} has no best.keras yet: train for at least one epoch")
    card = _read_card(arguments.card) if arguments.card else None
    register_classes()
    from keras_seqgen.serving.models_config import record_version

    best = _kept_epoch(run, recipe.monitor)
    if arguments.require and not meets(arguments.require, best):
        have = ", ".join(f"{name} {value:g}" for name, value in best.items())
        why = f"the best epoch of {run} does not meet --require '{arguments.require}': {have}"
        print(f"keras-seqgen export: not exported: {why}", file=sys.stderr)
        return 1
    text = (card or _default_card(run, arguments.to, name, recipe)) + _numbers(best)
    version = commands_of(recipe.system).export_run(run, recipe, arguments.to, text)
    record_version(version, stable=bool(arguments.require))
    print(version, file=sys.stderr)
    if arguments.json:
        print_json({"model": str(version), "recipe": name, "best": best})
    return 0


def meets(requirement: str, numbers: dict[str, float]) -> bool:
    """Whether numbers hold to "METRIC<VALUE" (or ">", "<=", ">=").

    >>> meets("val_nats_per_sequence < -900", {"val_nats_per_sequence": -950.0})
    True
    """
    parts = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*", requirement)
    compare = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
    try:
        assert parts is not None
        limit = float(parts[3])
    except (AssertionError, ValueError) as error:
        raise UserError(f"--require must read like 'val_nats_per_sequence<-900'. Received: {requirement}") from error
    if parts[1] not in numbers:
        raise UserError(f"--require: the run has no number `{parts[1]}`; it has {', '.join(numbers) or 'none yet'}")
    return compare[parts[2]](numbers[parts[1]], limit)


def _kept_epoch(run: Path, monitor: str) -> dict[str, float]:
    """The row of the log that tells of best.keras: the one of its update, for a save may have been cut off."""
    import keras

    from keras_seqgen.training.callbacks import read_log

    step = int(keras.models.load_model(run / "best.keras").optimizer.iterations)
    rows = [{name: float(value) for name, value in row.items() if value} for row in read_log(run / "log.csv")]
    kept = next((row for row in rows if row["step"] == step), {})
    if math.isnan(kept.get(monitor, math.nan)):
        raise UserError(
            f"{run}/best.keras is of update {step}, of which log.csv has no {monitor}: the run was cut off while it "
            "saved. `keras-seqgen train` goes on with it, and measures again"
        )
    return kept


def _read_card(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _default_card(run: Path, to: str, name: str, recipe) -> str:
    return (
        f"# {Path(to).name}\n\nRecipe `{name}` of keras-seqgen; its goal: {recipe.goal}. Run: `{run.name}`.\n\n"
        "The terms of the training data hold for this model too. The program that wrote this card does not know them: "
        "`keras-seqgen export --card FILE` takes a card that names them.\n"
    )


def _numbers(best: dict[str, float]) -> str:
    rows = "\n".join(f"| {name} | {value:g} |" for name, value in best.items())
    return f"\n## Best epoch\n\n| number | value |\n|---|---|\n{rows}\n" if best else ""
