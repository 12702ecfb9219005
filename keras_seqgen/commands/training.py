"""`keras-seqgen train` and `evaluate`."""

import sys
import time
from pathlib import Path

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import RECIPES, find_recipe, load_recipe, override, save_recipe

# What a run that exists can no longer change: the network that its weights belong to, and its optimiser's state.
_SETTLED = frozenset(
    (
        "text",
        "units",
        "depth",
        "mixture_components",
        "window_components",
        "weight_noise",
        "noise_stddev",
        "optimizer",
    )
)


def train(arguments) -> int:
    """Trains a recipe, or goes on with a run; 3 where the loss stopped being finite."""
    if arguments.list:
        return _list(arguments)
    for name, value in (("RECIPE", arguments.recipe), ("--data", arguments.data), ("--run", arguments.folder)):
        if not value:
            raise UserError(f"{name} is missing; `keras-seqgen train --help` shows examples")
    for name in ("minutes", "steps"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise UserError(f"--{name} must be positive. Received: {value}")
    recipe = recipe_of_run(arguments.recipe, arguments.set, arguments.folder)
    register_classes()
    from keras_seqgen.training.callbacks import NonFiniteLossError, read_log
    from keras_seqgen.training.fit import train as fit

    started = time.monotonic()
    save_recipe(recipe, arguments.recipe, arguments.folder)
    try:
        limits = {"minutes": arguments.minutes, "steps": arguments.steps}
        fit(recipe, arguments.data, arguments.folder, start_from=arguments.start_from, **limits)
    except NonFiniteLossError as error:
        print(f"keras-seqgen train: {error}", file=sys.stderr)
        return 3
    if arguments.json:
        log = read_log(Path(arguments.folder) / "log.csv")
        last = {name: float(value) for name, value in log[-1].items() if value} if log else {}
        seconds = round(time.monotonic() - started, 1)
        print_json({"run": arguments.folder, "recipe": arguments.recipe, "seconds_now": seconds, "last": last})
    return 0


def recipe_of_run(name: str, settings: list[str], folder: str):
    """The recipe to train: the run's own, where it exists, with the new settings on top.

    Raises:
        UserError: the run was begun with another recipe, or with other sizes of the network.
    """
    if not (Path(folder) / "recipe.json").exists():
        return override(find_recipe(name), settings)
    begun_as, recipe = load_recipe(folder)
    if begun_as != name:
        raise UserError(f"the run {folder} was begun with the recipe `{begun_as}`, not `{name}`")
    changed = override(recipe, settings)
    for field in sorted(_SETTLED & {setting.partition("=")[0] for setting in settings}):
        if getattr(changed, field) != getattr(recipe, field):
            raise UserError(f"the run {folder} has {field}={getattr(recipe, field)}; another value needs another run")
    return changed


def evaluate(arguments) -> int:
    """Measures a run's best weights or an exported model."""
    if arguments.model:
        from keras_seqgen.commands.serving import evaluate_exported

        numbers = evaluate_exported(arguments.model, arguments.data, arguments.split)
    else:
        numbers = _evaluate_run(arguments)
    if arguments.json:
        print_json({"split": arguments.split, **numbers})
    else:
        for name, value in numbers.items():
            print(f"{name:24} {value:.4f}" if isinstance(value, float) else f"{name:24} {value}")
    return 0


def _evaluate_run(arguments) -> dict:
    _, recipe = load_recipe(arguments.folder)
    best = Path(arguments.folder) / "best.keras"
    if not best.exists():
        raise UserError(f"{arguments.folder} has no best.keras yet: train for at least one epoch")
    register_classes()
    import keras

    from keras_seqgen.training.evaluation import evaluate_handwriting

    model = keras.models.load_model(best)
    return evaluate_handwriting(model, recipe, arguments.data, arguments.split, arguments.folder)


def register_classes() -> None:
    """Imports the classes that a .keras file of a run may name; Keras finds only those that are imported."""
    import_tensorflow()
    import keras_seqgen.layers
    import keras_seqgen.losses
    import keras_seqgen.metrics
    import keras_seqgen.training.optimizers  # noqa: F401


def _list(arguments) -> int:
    if arguments.json:
        print_json({name: recipe.goal for name, recipe in RECIPES.items()})
    else:
        for name, recipe in RECIPES.items():
            print(f"{name:30} {recipe.goal}")
    return 0
