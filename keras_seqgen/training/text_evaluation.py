"""A language model measured on a split: as it is, and while it goes on learning from what it reads."""

import dataclasses
import json
import math
import sys
from pathlib import Path

import keras

from keras_seqgen.errors import UserError
from keras_seqgen.losses import TokenLoss
from keras_seqgen.training.callbacks import NonFiniteLossError, StopOnNonFiniteLoss, compile_evaluator, counted
from keras_seqgen.training.optimizers import GradientSquares, ScaledStepWithReturn

RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
DECAYS = (0.0, 1e-3, 3e-3, 1e-2, 3e-2)
STATISTICS = 300  # updates' worth of training text that tell how much each weight matters


def evaluate_text(model, recipe, data, split, run, rows=10):
    """Measure a language model whose weights stay as they are ("static").

    Args:
        model: a model of the recipe.
        recipe: a `recipes.TextRecipe`.
        data: a prepared folder.
        split: "train", "valid" or "test".
        run: the model's run, whose vocabulary.json the data must have.
        rows: into so many rows the split is cut; each starts from a state of zero, so more rows are quicker and, by
            very little, worse.

    Returns:
        A dict: see `text_numbers`.

    Raises:
        UserError: there is no such split, or its vocabulary is another.

    Source: Graves 2013, section 3.1, table 1.
    """
    batches = counted(recipe.evaluation_batches(data, split, run, rows))
    twin = compile_evaluator(recipe.evaluation_model(model, rows), TokenLoss(), recipe.metrics())
    results = twin.evaluate(batches, verbose=0, return_dict=True)
    return text_numbers(results["nats_per_token"], data, split)


def evaluate_dynamically(model, recipe, data, split, run, rule="sgd", rate=None, decay=None, rows=1, verbose=0):
    """Measure a language model that is trained, once, on what it is measured on ("dynamic").

    Each stretch of `recipe.length` tokens is predicted first, and counted; then one step is made on it. The network has
    no noise and no dropout meanwhile. By the rule "sgd" the step is one of gradient descent,

        w <- w - r sum_t d nats_t / dw

    by the rule "rms" it is `optimizers.ScaledStepWithReturn`, which takes the weights' importance from `STATISTICS`
    stretches (of `rows` rows) of the training split.

    Args:
        model, recipe, data, split, run: as for `evaluate_text`. `model` itself is not changed.
        rule: "sgd" or "rms".
        rate: r, or `None`: of `RATES`, by the validation split.
        decay: of "rms", or `None`: of `DECAYS`, by the validation split.
        rows: into so many rows the split is cut; a step is made on the sum over them.
        verbose: of `keras.Model.fit`.

    Returns:
        A dict: see `text_numbers`, and `rate` (with "rms" `decay` too); where one was chosen also
        `valid_bits_per_token` of those tried (see `best_of_grid`).

    Raises:
        UserError: as `evaluate_text`; or `split` is "valid" and something is to be chosen on it.
        NonFiniteLossError: the rate is too high.

    Source: Graves 2013, section 3.1, "dynamic evaluation"; Mikolov 2010. The paper does not state its rate. "rms":
    Krause et al. 2018.
    """
    if split == "valid" and (rate is None or (rule == "rms" and decay is None)):
        names = "--rate" if rule == "sgd" else "--rate and --decay"
        raise UserError(f"what is not given is chosen on the validation split: to measure that one, give {names}")
    copy = plain_copy(model, recipe, run, rows)
    if rule == "sgd":
        optimizer = keras.optimizers.SGD(0.0)
    else:
        squares = _gradient_squares(copy, recipe, data, rows)
        optimizer = ScaledStepWithReturn(copy.trainable_variables, squares, 0.0)
    copy.compile(optimizer, TokenLoss(), weighted_metrics=recipe.metrics(), jit_compile=False)

    def nats_at(split, rate, decay=None):
        recipe.copy_weights(model, copy)
        optimizer.learning_rate = rate
        if decay is not None:
            optimizer.decay.assign(decay)
        batches = counted(recipe.evaluation_batches(data, split, run, rows))
        guard = StopOnNonFiniteLoss()
        try:
            return copy.fit(batches, shuffle=False, callbacks=[guard], verbose=verbose).history["nats_per_token"][0]
        except NonFiniteLossError as error:
            raise NonFiniteLossError(f"the loss is not finite at the rate {rate:g}: take a smaller --rate") from error

    grid: dict[str, tuple[float, ...]] = {"rate": RATES if rate is None else (rate,)}
    if rule == "rms":
        grid["decay"] = DECAYS if decay is None else (decay,)
    best, tried = [values[0] for values in grid.values()], {}
    if any(len(values) > 1 for values in grid.values()):
        best, tried = best_of_grid(lambda *place: nats_at("valid", *place) / math.log(2), *grid.values())
        tried = {"valid_bits_per_token": {", ".join(f"{x:g}" for x in place): bits for place, bits in tried.items()}}
    return {**text_numbers(nats_at(split, *best), data, split), **dict(zip(grid, best, strict=True)), **tried}


def best_of_grid(score, *axes):
    """A point of a grid with no better one beside it: from the corner of the lowest values on, to the best neighbour.

    Args:
        score: a function of one value of each axis, the lower the better. Where it raises `NonFiniteLossError` is no
            way on; at the corner itself the error stays.
        *axes: the values along each axis.

    Returns:
        The point, and the scores of all that were tried.
    """
    tried: dict = {}

    def score_at(place):
        point = tuple(axis[k] for axis, k in zip(axes, place, strict=True))
        if point not in tried:
            try:
                tried[point] = score(*point)
            except NonFiniteLossError:
                if not tried:
                    raise
                tried[point] = math.inf
        return tried[point]

    place = (0,) * len(axes)
    while True:
        near = [
            (*place[:n], place[n] + step, *place[n + 1 :])
            for n, axis in enumerate(axes)
            for step in (-1, 1)
            if 0 <= place[n] + step < len(axis)
        ]
        score_at(place)
        best = min(near, key=score_at)
        if score_at(best) >= score_at(place):
            finite = {point: value for point, value in tried.items() if value < math.inf}
            return [axis[k] for axis, k in zip(axes, place, strict=True)], finite
        place = best


def _gradient_squares(model, recipe, data, rows):
    """Sums of squared derivatives over `STATISTICS` batches of the training split, an array for each weight."""
    optimizer = GradientSquares()
    model.compile(optimizer, TokenLoss(), jit_compile=False)
    batches = dataclasses.replace(recipe, batch_size=rows).train_batches(data)
    model.fit(batches, steps_per_epoch=STATISTICS, shuffle=False, verbose=0)
    return [square.numpy() for square in optimizer.squares]


def text_numbers(nats, data, split):
    """What a mean of nats per token amounts to.

    Returns:
        A dict: `bits_per_token`; `perplexity`, exp(nats) per token, `None` where no float holds it;
        `bits_per_character`, of the text that the tokens stand for, line ends counted as one character; `tokens`.
    """
    counts = json.loads((Path(data) / "stats.json").read_text(encoding="utf-8"))["splits"][split]
    bits = nats / math.log(2)
    return {
        "bits_per_character": bits * counts["tokens"] / counts["characters"],
        "bits_per_token": bits,
        "perplexity": math.exp(nats) if nats < math.log(sys.float_info.max) else None,
        "tokens": counts["tokens"],
    }


def plain_copy(model, recipe, data, rows):
    """A trainable copy of the network in float32, without noise and dropout, for batches of `rows` rows."""
    quiet: dict = {f"dropout_{name}": 0.0 for name in ("tokens", "input", "hidden", "output", "recurrent")}
    quiet |= {"weight_noise": "none", "scheduled_sampling": 0.0, "average": 0.0}
    quiet |= {"product_dtype": "float32", "batch_size": rows}
    copy = dataclasses.replace(recipe, **quiet).build(data)
    recipe.copy_weights(model, copy)
    return copy
