"""Writing speed: points per second for one line and for 64 at a time, against the three LSTM products alone.

python -m benchmarks.sampling [--rounds N]
"""

import argparse
import json
import statistics

import numpy as np
import tensorflow as tf

from benchmarks.timing import measure_in_turn, ratio
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding import HandwritingWriter
from keras_seqgen.models import handwriting_synthesis

ALPHABET = [chr(33 + n) for n in range(81)]
POINTS = {1: 500, 64: 200}


def products_alone(rows, points, units=400):
    """A function that multiplies what enters the gates of each layer, point after point, and does nothing else."""
    first = 3 + len(ALPHABET) + units
    sizes = (first, first + units, first + units)
    kernels = [tf.Variable(tf.random.normal((size, 4 * units), stddev=0.02)) for size in sizes]

    @tf.function(autograph=False)
    def run(inputs, points):
        def body(t, inputs):
            return t + 1, [x + 1e-9 * tf.matmul(x, w)[:, :1] for x, w in zip(inputs, kernels, strict=True)]

        return tf.while_loop(lambda t, _: t < points, body, [0, inputs])[1][0]

    inputs = [tf.random.normal((rows, size)) for size in sizes]
    return lambda: run(inputs, tf.constant(points)).numpy()


def lines(writer, rows, points):
    """A function that writes `rows` lines of `points` points, too long a text for any of them to stop."""
    texts = ["".join(np.random.default_rng(row).choice(ALPHABET, 64)) for row in range(rows)]

    def run():
        written = writer.write(texts, seed=range(rows), max_points=points)
        assert sum(map(len, written)) == rows * points

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    model = handwriting_synthesis(len(ALPHABET))
    unit = np.zeros(2), np.ones(2)
    plain, compiled = (HandwritingWriter(model, Vocabulary(ALPHABET), *unit, jit_compile=jit) for jit in (False, True))
    results = {}
    for rows, points in POINTS.items():
        seconds = measure_in_turn(
            {
                "writer": lines(plain, rows, points),
                "writer, jit_compile": lines(compiled, rows, points),
                "three LSTM products alone": products_alone(rows, points),
            },
            rounds,
        )
        speeds = {f"{name}, points/s": round(rows * points / statistics.median(x)) for name, x in seconds.items()}
        shares = {
            f"{name}, share of the products' speed": round(ratio(seconds, "three LSTM products alone", name), 3)
            for name in ("writer", "writer, jit_compile")
        }
        results[f"batch {rows}"] = {**speeds, **shares}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
