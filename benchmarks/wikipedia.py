"""What a full run of the Wikipedia recipes costs: some updates of each on bytes of text, and the hours of four epochs.

python -m benchmarks.wikipedia [--updates N] [--recipe wikipedia]

The text is the source of the running Python's standard library, its bytes folded into the paper's 205 symbols: the rate
does not depend on what is read. Graves 2013, section 3.2, trained four epochs of 96 MB.
"""

import argparse
import json
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_seqgen.models import char_lm
from keras_seqgen.recipes import RECIPES

SYMBOLS, EPOCHS, TRAINING_BYTES = 205, 4, 96_000_000


def rows_of_source(rows, columns):
    """(rows, columns + 1) ids 1..205 of contiguous source text."""
    text, wanted = b"", rows * (columns + 1)
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text += path.read_bytes()
        if len(text) >= wanted:
            break
    return (np.frombuffer(text[:wanted], np.uint8) % SYMBOLS + 1).astype(np.int32).reshape(rows, columns + 1)


def run(name, updates):
    """Losses and speed of a recipe's first updates."""
    recipe = RECIPES[name]
    B, T = recipe.batch_size, recipe.length
    model = char_lm(SYMBOLS, recipe.units, recipe.depth, cell=recipe.cell, batch_size=B)
    recipe.compile(model)
    ids = rows_of_source(B, updates * T)

    def batch(n):
        inputs = {"tokens": ids[:, n * T : (n + 1) * T], "fresh": np.full(B, n % recipe.reset_every == 0)}
        return inputs, ids[:, n * T + 1 : (n + 1) * T + 1]

    losses, started = [], 0.0
    for n in range(updates):
        if n == 2:  # traced and warm
            started = time.perf_counter()
        losses.append(float(model.train_on_batch(*batch(n))) / (B * T) / np.log(2))
        if n % 10 == 0:
            print(f"{name}: update {n} of {updates}, {losses[-1]:.3f} bits per byte", file=sys.stderr)
    speed = (updates - 2) * B * T / (time.perf_counter() - started)
    return {
        "weights": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
        "updates": updates,
        "bits per byte, first and last tenth": [
            round(float(np.mean(part)), 3) for part in (losses[: updates // 10], losses[-(updates // 10) :])
        ],
        "bytes/s": round(speed),
        f"hours for {EPOCHS} epochs of {TRAINING_BYTES // 10**6} MB": round(EPOCHS * TRAINING_BYTES / speed / 3600, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--recipe", choices=("wikipedia", "wikipedia-5"), action="append")
    arguments = parser.parse_args()
    tf.random.set_seed(1)
    names = arguments.recipe or ["wikipedia", "wikipedia-5"]
    print(json.dumps({name: run(name, arguments.updates) for name in names}, indent=2))


if __name__ == "__main__":
    main()
