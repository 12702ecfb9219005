"""`keras-seqgen train` and `evaluate`."""

import sys
import time
from pathlib import Path

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.systems import RECOGNISERS, commands_of, default_model, register_classes, system_of
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import RECIPES, find_recipe, load_recipe, override, save_recipe


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
    import tensorflow as tf

    from keras_seqgen.losses.ctc import ADVICE
    from keras_seqgen.training.callbacks import NonFiniteLossError, read_log
    from keras_seqgen.training.fit import train as fit

    started = time.monotonic()
    try:
        fit(
            recipe,
            arguments.data,
            arguments.folder,
            minutes=arguments.minutes,
            steps=arguments.steps,
            start_from=arguments.start_from,
            accepted=lambda: save_recipe(recipe, arguments.recipe, arguments.folder),
        )
    except NonFiniteLossError as error:
        print(f"keras-seqgen train: {error}", file=sys.stderr)
        return 3
    except tf.errors.InvalidArgumentError as error:
        if ADVICE not in str(error):
            raise
        raise UserError(
            f"{arguments.data} has texts that need more frames than a network of stride {recipe.time_stride} leaves: "
            f"`keras-seqgen prepare {recipe.system} --stride {recipe.time_stride}` leaves them out"
        ) from error
    except OSError as error:  # a full disk
        raise UserError(f"{error}. The run keeps its last resume point: train again to go on from it") from error
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
    begun = (Path(folder) / "last.keras").exists()  # before that there is nothing that could not be another
    if begun_as != name:
        if not begun:
            return override(find_recipe(name), settings)
        raise UserError(f"the run {folder} was begun with the recipe `{begun_as}`, not `{name}`")
    changed = override(recipe, settings)
    for field in sorted(recipe.settled & {setting.partition("=")[0] for setting in settings}):
        if begun and getattr(changed, field) != getattr(recipe, field):
            raise UserError(f"the run {folder} has {field}={getattr(recipe, field)}; another value needs another run")
    if begun and changed.average and not recipe.average:
        raise UserError(f"the run {folder} keeps no running average: `average` above 0 needs another run")
    return changed


def evaluate(arguments) -> int:
    """Measures a run's best weights or an exported model."""
    system = _system(arguments)
    learning = ("rate", "decay", "rows")
    if arguments.legibility:
        _refuse(arguments, ("crf", "lexicon", "dynamic", *learning), "not for --legibility")
        if system != "handwriting":
            raise UserError(f"--legibility is for handwriting; {arguments.folder or arguments.model} is of {system}")
        register_classes()
        from keras_seqgen.commands.legibility import evaluate_legibility

        return evaluate_legibility(arguments)
    _refuse(arguments, ("reader", "lines", "bias", "seed"), "for --legibility")
    if arguments.lexicon and (arguments.model or system not in RECOGNISERS):
        raise UserError("--lexicon is for a recogniser's --run; an exported model takes one in `recognise`")
    if arguments.model and arguments.dynamic:
        raise UserError("--dynamic is for a --run: an exported model does not learn")
    if arguments.model and arguments.crf:
        raise UserError("--crf is for a --run; an exported model has its CRF, or none")
    if not arguments.dynamic:
        _refuse(arguments, learning, "for --dynamic")
    if arguments.model:
        numbers = commands_of(system).evaluate_model(arguments.model, arguments.data, arguments.split)
    else:
        numbers = _evaluate_run(arguments)
    if arguments.json:
        print_json({"split": arguments.split, **numbers})
    else:
        for name, value in numbers.items():
            print(f"{name:24} {value:.4f}" if isinstance(value, float) else f"{name:24} {value}")
    return 0


def _refuse(arguments, names, why) -> None:
    """No option is ignored in silence."""
    for name in names:
        if getattr(arguments, name) not in (None, []):
            raise UserError(f"--{name} is {why}")


def _system(arguments) -> str:
    """What is measured. Where neither a run nor a model is named, it is SYSTEM's model below saved_models/."""
    if not (arguments.folder or arguments.model):
        if not arguments.system:
            raise UserError("--run or --model is missing, or a SYSTEM whose model saved_models/ holds")
        arguments.model = str(default_model(arguments.system))
    found = system_of(arguments.model) if arguments.model else load_recipe(arguments.folder)[1].system
    if arguments.system not in (None, found):
        raise UserError(f"{arguments.folder or arguments.model} is of {found}, not of {arguments.system}")
    return found


def _evaluate_run(arguments) -> dict:
    _, recipe = load_recipe(arguments.folder)
    best = Path(arguments.folder) / "best.keras"
    if not best.exists():
        raise UserError(f"{arguments.folder} has no best.keras yet: train for at least one epoch")
    register_classes()
    options = {}
    if arguments.dynamic:
        if recipe.system != "text":
            raise UserError(f"--dynamic is for language models; {arguments.folder} is a run of {recipe.system}")
        options["dynamic"] = _dynamic_settings(arguments)
    if arguments.lexicon:
        options["lexicon"] = arguments.lexicon
    if arguments.crf:
        if recipe.system != "segmentation":
            raise UserError(f"--crf is for segmentation; {arguments.folder} is a run of {recipe.system}")
        options["crf"] = commands_of("segmentation").crf_settings(arguments.crf)
    from keras_seqgen.training.callbacks import NonFiniteLossError

    try:
        return commands_of(recipe.system).evaluate_run(
            Path(arguments.folder), recipe, arguments.data, arguments.split, **options
        )
    except NonFiniteLossError as error:
        raise UserError(str(error)) from error


def _dynamic_settings(arguments) -> dict:
    """What `--dynamic` and its companions say."""
    rows = 1 if arguments.rows is None else arguments.rows
    if rows < 1 or (arguments.rate is not None and not arguments.rate > 0):
        raise UserError(f"--rows and --rate must be positive. Received: {rows} and {arguments.rate}")
    if arguments.decay is not None:
        if arguments.dynamic != "rms":
            raise UserError("--decay is for --dynamic rms")
        if not 0 <= arguments.decay <= 1:
            raise UserError(f"--decay must be from 0 to 1. Received: {arguments.decay}")
    return {"rule": arguments.dynamic, "rate": arguments.rate, "decay": arguments.decay, "rows": rows}


def _list(arguments) -> int:
    if arguments.json:
        print_json({name: recipe.goal for name, recipe in RECIPES.items()})
    else:
        for name, recipe in RECIPES.items():
            print(f"{name:30} {recipe.goal}")
    return 0
