"""Sampling speed: characters per second for one text and for 64 at a time, against the network's products alone.

python -m benchmarks.text_sampling [--rounds N]
"""

import argparse
import json
import statistics

import tensorflow as tf

from benchmarks.timing import measure_in_turn, ratio
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_writer import TextWriter
from keras_seqgen.models import char_lm

ALPHABET = [chr(33 + n) for n in range(50)]
LENGTH = {1: 512, 64: 128}


def products_alone(model, rows, length):
    """A function that multiplies a state by the recurrent and by the output kernel, step after step, and does no more.

    A one-hot character times its kernel is a row of the kernel: no product.
    """
    kernels = [model.get_layer("recurrent_1").cell.recurrent_kernel, model.get_layer("output").kernel]

    @tf.function(autograph=False)
    def run(h, length):
        read = [tf.convert_to_tensor(kernel.value) for kernel in kernels]

        def body(t, h):
            z, y = (tf.matmul(h, kernel) for kernel in read)
            return t + 1, h + 1e-9 * (z[:, :1] + y[:, :1])

        return tf.while_loop(lambda t, _: t < length, body, [0, h])[1]

    h = tf.random.normal((rows, kernels[0].shape[0]))
    return lambda: run(h, tf.constant(length)).numpy()


def texts(writer, rows, length):
    """A function that draws `rows` texts of `length` characters."""

    def run():
        assert sum(map(len, writer.sample(seed=range(rows), length=length))) == rows * length

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    model, vocabulary = char_lm(len(ALPHABET)), Vocabulary(ALPHABET)
    plain, compiled = (TextWriter(model, vocabulary, jit_compile=jit) for jit in (False, True))
    results = {}
    for rows, length in LENGTH.items():
        seconds = measure_in_turn(
            {
                "writer": texts(plain, rows, length),
                "writer, jit_compile": texts(compiled, rows, length),
                "products alone": products_alone(model, rows, length),
            },
            rounds,
        )
        speeds = {f"{name}, characters/s": round(rows * length / statistics.median(x)) for name, x in seconds.items()}
        times = {
            f"{name}, time over the products'": round(ratio(seconds, name, "products alone"), 3)
            for name in ("writer", "writer, jit_compile")
        }
        results[f"char_lm 1 x 1000, batch {rows}"] = {**speeds, **times}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
