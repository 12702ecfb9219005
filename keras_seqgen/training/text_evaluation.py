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

RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


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


def evaluate_dynamically(model, recipe, data, split, run, rate=None, rows=1, verbose=0):
    """Measure a language model that is trained, once, on what it is measured on ("dynamic").

    Each stretch of `recipe.length` tokens is predicted first, and counted; then one step of gradient descent is made on
    it. The network has no noise and no dropout meanwhile.

        w <- w - r sum_t d nats_t / dw

    Args:
        model, recipe, data, split, run: as for `evaluate_text`. `model` itself is not changed.
        rate: r, or `None`: the best of `RATES` on the validation split.
        rows: into so many rows the split is cut; a step is made on the sum over them.
        verbose: of `keras.Model.fit`.

    Returns:
        A dict: see `text_numbers`, and `rate`; with `rate=None` also `valid_bits_per_token`, rate by rate.

    Raises:
        UserError: as `evaluate_text`.
        NonFiniteLossError: the rate is too high.

    Source: Graves 2013, section 3.1, "dynamic evaluation"; Mikolov 2010. The paper does not state its rate.
    """
    copy = plain_copy(model, recipe, run, rows)
    copy.compile(keras.optimizers.SGD(0.0), TokenLoss(), weighted_metrics=recipe.metrics(), jit_compile=False)

    def nats_at(rate, split):
        recipe.copy_weights(model, copy)
        copy.optimizer.learning_rate = rate
        batches = counted(recipe.evaluation_batches(data, split, run, rows))
        guard = StopOnNonFiniteLoss()
        try:
            return copy.fit(batches, shuffle=False, callbacks=[guard], verbose=verbose).history["nats_per_token"][0]
        except NonFiniteLossError as error:
            raise NonFiniteLossError(f"the loss is not finite at the rate {rate:g}: take a smaller --rate") from error

    tried = {}
    if rate is None:
        if split == "valid":
            raise UserError("the rate is chosen on the validation split: to measure that one, give --rate")
        for candidate in RATES:
            try:
                tried[candidate] = nats_at(candidate, "valid") / math.log(2)
            except NonFiniteLossError:
                if not tried:
                    raise
                break  # as good as risen
            if tried[candidate] > min(tried.values()):
                break  # they rise: past the best
        rate = min(tried, key=lambda candidate: tried[candidate])
    numbers = text_numbers(nats_at(rate, split), data, split)
    chosen = {"valid_bits_per_token": {f"{r:g}": bits for r, bits in tried.items()}} if tried else {}
    return {**numbers, "rate": rate, **chosen}


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
    """A trainable copy of the network without noise and dropout, for batches of `rows` rows."""
    quiet: dict = {f"dropout_{name}": 0.0 for name in ("tokens", "input", "hidden", "output", "recurrent")}
    quiet |= {"weight_noise": "none", "scheduled_sampling": 0.0, "average": 0.0, "batch_size": rows}
    copy = dataclasses.replace(recipe, **quiet).build(data)
    recipe.copy_weights(model, copy)
    return copy
