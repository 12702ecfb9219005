"""Training speed: a peephole layer against `keras.layers.LSTM` and a plain matrix product, and the synthesis network.

python -m benchmarks.training [--rounds N]
"""

import argparse
import json
import statistics

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import measure_in_turn, ratio
from keras_seqgen.layers import PeepholeLSTM
from keras_seqgen.losses import StrokeLoss
from keras_seqgen.models import handwriting_synthesis


def layer_step(layer, x):
    """A function that runs the layer forward and backward once."""
    layer(x)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    def run():
        step()[0].numpy()

    return run


def network_step(batch_size, length):
    """A function that trains the synthesis network on one batch."""
    rng = np.random.default_rng(0)
    model = handwriting_synthesis(81)
    model.compile(keras.optimizers.Adam(1e-4), StrokeLoss(), jit_compile=False)
    targets = rng.normal(size=(batch_size, length, 3)).astype("float32")
    targets[..., 2] = targets[..., 2] > 1.5
    x = {"strokes": targets, "text": rng.integers(1, 82, (batch_size, 28))}
    return lambda: model.train_on_batch(x, targets, np.ones((batch_size, length), "float32"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    H, T, N = 400, 256, 2048
    square = tf.random.normal((N, N))

    @tf.function
    def product():
        return tf.reduce_sum(square @ square)

    results = {}
    for B in (16, 64):
        x = tf.random.normal((B, T, H))
        seconds = measure_in_turn(
            {
                "peephole": layer_step(PeepholeLSTM(H, return_sequences=True, gradient_clip=10.0), x),
                "keras": layer_step(keras.layers.LSTM(H, return_sequences=True), x),
                "matmul": lambda: product().numpy(),
            },
            rounds,
        )
        flops = 3 * 2 * B * T * 2 * H * 4 * H
        share = [(flops / a) / (2 * N**3 / b) for a, b in zip(seconds["peephole"], seconds["matmul"], strict=True)]
        results[f"layer 400, batch {B}, {T} steps"] = {
            "peephole GFLOP/s": round(flops / statistics.median(seconds["peephole"]) / 1e9),
            "speed over keras.layers.LSTM": round(ratio(seconds, "keras", "peephole"), 3),
            "share of the matmul rate": round(statistics.median(share), 3),
        }
    for B in (16, 32, 64):
        seconds = measure_in_turn({"network": network_step(B, 640)}, rounds)["network"]
        results[f"synthesis network, batch {B}"] = {"points/s": round(B * 640 / statistics.median(seconds))}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
