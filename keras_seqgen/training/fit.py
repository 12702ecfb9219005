"""The one path from a recipe and a prepared folder to trained weights: `model.fit`, resumable at any moment."""

import json
import math
import shutil
import time
from pathlib import Path

import keras
from keras.callbacks import SwapEMAWeights

import keras_seqgen.losses
import keras_seqgen.training.group_rates
import keras_seqgen.training.optimizers  # noqa: F401 (Keras finds only imported classes in a .keras file)
from keras_seqgen.data.folder_lock import locked
from keras_seqgen.errors import UserError
from keras_seqgen.layers import WeightDrop, WeightNoise
from keras_seqgen.training.callbacks import (
    BestModel,
    CoolDown,
    Patience,
    Progress,
    ResumePoint,
    StopOnNonFiniteLoss,
    TrainingLog,
    Validation,
    out_of_patience,
    read_log,
)
from keras_seqgen.training.update_seeds import SeedOfUpdate


def train(
    recipe,
    data,
    run,
    *,
    minutes=None,
    steps=None,
    start_from=None,
    accepted=None,
    checkpoint_minutes=5.0,
    progress=True,
):
    """Train, or go on training.

    The folder `run` receives

        last.keras      model, optimiser and step, saved every few minutes: where a killed run goes on
        best.keras      the (averaged) model with the best validation number
        log.csv         a row for each epoch
        ...             the files of `data` that describe it (vocabulary.json, stats.json, schema.pbtxt)

    The order of the data, and what noise and dropout draw, are functions of the seed and the step: a run that was
    killed and resumed sees and draws what it would have seen and drawn.

    Args:
        recipe: an object like `recipes.HandwritingRecipe` or `recipes.TextRecipe`.
        data: a folder written by `keras-seqgen prepare`.
        run: the folder of the run; made if it does not exist.
        minutes: stop after so many minutes, with a resume point; `None` for no limit.
        steps: stop after so many updates in all; `None` for the recipe's own number.
        start_from: another run; a new run begins with the best weights of that one, which has the same sizes with or
            without weight noise. A run that exists goes on from its own.
        accepted: a function that is called, with no arguments, when recipe, data and model have been found to fit,
            before the first update.
        checkpoint_minutes: the time between two resume points.
        progress: whether to report on standard error.

    Returns:
        The model.

    Raises:
        UserError: `data` holds no prepared files, or those of another alphabet or unit than the run's; `start_from`
            holds no model of these sizes and this alphabet; a setting is out of range, or one that a run cannot take;
            another process trains this run.
        NonFiniteLossError: the loss became NaN or infinite.
    """
    data, run = Path(data), Path(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{run} cannot be written: {error.strerror}") from error
    if not (data / "stats.json").exists():
        raise UserError(f"{data} holds no stats.json: write it with `keras-seqgen prepare {recipe.system}` first")
    for name in ("steps_per_epoch", "batch_size", "units"):
        if (value := getattr(recipe, name, 1)) < 1:
            raise UserError(f"`{name}` must be positive. Received: {name}={value}")
    if not 0 <= recipe.average < 1:
        raise UserError(f"`average` must be at least 0 and below 1. Received: average={recipe.average}")
    with locked(run, f"another process trains {run}: wait for its end, or name another run"):
        _check_description(data, run)
        model = _load_or_build(recipe, data, run, start_from)
        for name in _described(data):
            shutil.copyfile(data / name, run / name)
        if accepted is not None:
            accepted()
        return _fit(model, recipe, data, run, minutes, steps, checkpoint_minutes, progress)


def _fit(model, recipe, data, run, minutes, steps, checkpoint_minutes, progress):
    steps = recipe.updates or None if steps is None else steps
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    while True:
        step = int(model.optimizer.iterations)
        log = read_log(run / "log.csv", step)
        if (steps is not None and step >= steps) or out_of_patience(log, recipe):
            return model
        # A run resumed in the middle of an epoch finishes that one first, so that validations keep their places.
        done = step % recipe.steps_per_epoch
        epoch = step // recipe.steps_per_epoch
        model.fit(
            recipe.train_batches(data, start_step=step),
            initial_epoch=epoch,
            epochs=epoch + 1 if done else 10**9,
            steps_per_epoch=recipe.steps_per_epoch - done,
            callbacks=_callbacks(recipe, data, run, log, checkpoint_minutes, deadline, steps, progress),
            shuffle=False,  # the stream has its own order
            verbose=0,
        )
        if not done or model.stop_training:
            return model
        model = _load_or_build(recipe, data, run, None)


def _described(data):
    """The files of prepared data that describe it."""
    names = ("vocabulary.json", "labels.json", "stats.json", "schema.pbtxt")
    return [name for name in names if (data / name).exists()]


def _check_description(data, run):
    """A network's inputs and outputs keep their meaning: alphabet and unit."""
    if not (run / "last.keras").exists():
        return
    for name in _described(data):
        if name != "schema.pbtxt" and (old := _meaning(run / name)) is not None and old != _meaning(data / name):
            what = "other features" if name == "stats.json" else f"another {name}"
            raise UserError(f"{data} has {what} than the run {run}: train on it in another run")


def _meaning(path):
    """What a file says of a network's inputs or outputs; `None`: it is not there, or was cut short."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {key: content.get(key) for key in ("features", "offsets")} if path.name == "stats.json" else content


def _load_or_build(recipe, data, run, start_from):
    """The model where its run left it, or a new one."""
    if (run / "last.keras").exists():
        model = keras.models.load_model(run / "last.keras")
        model.optimizer.learning_rate = recipe.learning_rate
        if recipe.average and not model.optimizer.use_ema:
            raise UserError(f"the run {run} keeps no running average: `average` above 0 needs another run")
        if recipe.average:
            model.optimizer.ema_momentum = recipe.average
        _set_noise(model, recipe, run)
        return model
    try:
        model = recipe.build(data)
    except ValueError as error:  # a size that a layer refuses
        raise UserError(str(error)) from error
    if start_from is not None:
        _start_from(recipe, Path(start_from) / "best.keras", model, data)
    model.optimizer.build(model.trainable_variables)  # variables that come to be within the update have it traced twice
    return model


def _set_noise(model, recipe, run):
    """A run with noise of a set size goes on under that of its recipe now."""
    stddev = recipe.noise_stddev if getattr(recipe, "weight_noise", "none") in ("fixed", "relative") else 0.0
    layers = [*model.layers, *(layer.layer for layer in model.layers if hasattr(layer, "layer"))]
    noisy = [
        layer
        for layer in layers
        if isinstance(layer, WeightNoise) or (isinstance(layer, WeightDrop) and layer.gaussian)
    ]
    if stddev < 0:
        raise UserError(f"`noise_stddev` must not be negative. Received: noise_stddev={stddev}")
    if stddev and not noisy:
        raise UserError(f"the run {run} was begun without noise: `noise_stddev` above 0 needs another run")
    for layer in noisy:
        layer.stddev = stddev


def _callbacks(recipe, data, run, log, checkpoint_minutes, deadline, steps, progress):
    """The order matters: the resume point holds the plain weights, what follows sees their running average."""
    values = [float(row[recipe.monitor]) for row in log if row.get(recipe.monitor)]
    best = min((value for value in values if not math.isnan(value)), default=math.inf)
    return [
        SeedOfUpdate(recipe.seed),
        StopOnNonFiniteLoss(),
        *([CoolDown(recipe.learning_rate, recipe.updates)] if recipe.updates else []),
        ResumePoint(run / "last.keras", checkpoint_minutes, deadline, steps),
        *([SwapEMAWeights(swap_on_epoch=True)] if recipe.average else []),
        Validation(recipe.evaluation_model, recipe.metrics(), recipe.evaluation_batches(data)),
        TrainingLog(run / "log.csv", scale=recipe.loss_scale),
        BestModel(run / "best.keras", recipe.monitor, best),
        *([Patience(run / "log.csv", recipe)] if recipe.patience else []),
        *([Progress(recipe.loss_scale, steps, deadline)] if progress else []),
    ]


def _start_from(recipe, path, model, data):
    """Copy the weights of another run's model."""
    if not path.exists():
        raise UserError(f"{path.parent} has no best.keras to start from")
    for name in ("vocabulary.json", "labels.json"):
        if (old := _meaning(path.parent / name)) is not None and old != _meaning(data / name):
            raise UserError(
                f"{path.parent} has another {name} than {data}: give `prepare` its vocabulary or labels, or start anew"
            )
    try:
        recipe.copy_weights(keras.models.load_model(path, compile=False), model)
    except (ValueError, IndexError) as error:
        raise UserError(f"{path} is a network of other sizes: {error}") from error
