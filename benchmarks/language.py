"""Training speed of a language model: a peephole layer against `keras.layers.LSTM` and, where it is installed, PyTorch.

python -m benchmarks.language [--rounds N] [--cases characters words noise]

Every rival embeds 1000 wide, runs one layer of 1000 cells and a full softmax, carries its state from batch to batch and
takes the same optimiser: updates of 64 rows of 100 characters, and of 20 rows of 50 words. The Keras
model is compiled as `compile` does when it is not told otherwise, and without XLA too. Ours runs a second time with
`product_dtype="bfloat16"`, which needs a processor that multiplies such numbers. PyTorch is no dependency of the
project: `pip install torch` first, or its rows are left out. `noise` has the sizes of the recipe
`char-ptb-noise`, 16 rows of 50 one-hot characters, in such products: ours, with noise from `keras.random.normal`, and
without noise.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys

import keras
import numpy as np

from benchmarks.timing import measure_in_turn, ratio
from keras_seqgen.layers import WeightDrop
from keras_seqgen.losses import TokenLoss
from keras_seqgen.models.language import language_model

H = 1000
CASES = {
    "characters": {"vocabulary": 50, "batch_size": 64, "length": 100, "optimizer": "Adam", "rate": 1e-3},
    "words": {"vocabulary": 10_000, "batch_size": 20, "length": 50, "optimizer": "SGD", "rate": 0.05},
}


NOISY = {"vocabulary": 50, "batch_size": 16, "length": 50, "optimizer": "Adam", "rate": 2e-3}
RATE = 0.36 / 1.36  # noise of 0.6 of each weight


class _KerasNoise(WeightDrop):
    """Noise as Keras draws it."""

    def _normal(self, weight):
        return keras.random.normal(weight.shape, seed=self.seed_generator)


def own_step(case, tokens, product_dtype=None, embedding=H, noise=None):
    """A function that makes one update of this project's model; `noise` wraps its recurrent layer."""
    V, B, T = case["vocabulary"], case["batch_size"], case["length"]

    def wrap(layer):
        return noise(layer, RATE, gaussian=True) if noise and "recurrent" in layer.name else layer

    model = language_model(V, H, 1, embedding=embedding, batch_size=B, product_dtype=product_dtype, wrap=wrap)
    model.compile(_optimizer(case), TokenLoss(), jit_compile=False)
    inputs = {"tokens": tokens[:, :-1], "fresh": np.zeros(B, bool)}
    return lambda: model.train_on_batch(inputs, tokens[:, 1:], np.ones((B, T), "float32"))


def keras_step(case, tokens, **compile_options):
    """A function that makes one update of a stock Keras model."""
    V, B = case["vocabulary"], case["batch_size"]
    inputs = keras.Input(batch_shape=(B, None), dtype="int32")
    x = keras.layers.Embedding(V + 1, H)(inputs)
    x = keras.layers.LSTM(H, return_sequences=True, stateful=True)(x)
    model = keras.Model(inputs, keras.layers.Dense(V + 1)(x))
    model.compile(_optimizer(case), keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compile_options)
    return lambda: model.train_on_batch(tokens[:, :-1], tokens[:, 1:])


def torch_step(case):
    """A function that makes one update of a PyTorch model, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.torch_language"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    worker.stdin.write(json.dumps({**case, "units": H}) + "\n")

    def run():
        worker.stdin.write("\n")
        return float(worker.stdout.readline())

    return run


def random_tokens(case):
    """A batch and the token after it."""
    shape = (case["batch_size"], case["length"] + 1)
    return np.random.default_rng(0).integers(1, case["vocabulary"] + 1, shape).astype("int32")


def compare(case, rivals, rounds):
    """The speeds of `rivals`, and of the first over the others."""
    seconds = measure_in_turn(rivals, rounds)
    tokens = case["batch_size"] * case["length"]
    first = next(iter(rivals))
    return {
        "tokens/s": {rival: round(tokens / statistics.median(times)) for rival, times in seconds.items()},
        f"speed of {first} over": {rival: round(ratio(seconds, rival, first), 3) for rival in list(seconds)[1:]},
    }


def _optimizer(case):
    return getattr(keras.optimizers, case["optimizer"])(case["rate"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="+", default=[*CASES, "noise"], choices=[*CASES, "noise"])
    given = parser.parse_args()
    results = {}
    for name, case in ((name, CASES[name]) for name in CASES if name in given.cases):
        tokens = random_tokens(case)
        rivals = {
            "keras_seqgen": own_step(case, tokens),
            "keras_seqgen, product_dtype=bfloat16": own_step(case, tokens, "bfloat16"),
            "keras": keras_step(case, tokens),
            "keras, jit_compile=False": keras_step(case, tokens, jit_compile=False),
        }
        if importlib.util.find_spec("torch"):
            rivals["torch"] = torch_step(case)
        results[name] = compare(case, rivals, given.rounds)
    if "noise" in given.cases:
        noises = {"keras_seqgen": WeightDrop, "keras.random.normal": _KerasNoise, "none": None}
        tokens = random_tokens(NOISY)
        rivals = {name: own_step(NOISY, tokens, "bfloat16", None, noise) for name, noise in noises.items()}
        results["noise"] = compare(NOISY, rivals, given.rounds)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
