"""CRFRNN against pydensecrf2 (C++, one core): time in turn, extra memory, and growth with the number of pixels.

500 x 500 pixels, 21 labels, clean and with noise of 8 levels; ten steps to infer, five forward and back to train.
Without `pip install pydensecrf2` CRFRNN alone is timed. The picture is drawn, or a photograph: it makes the lattice and
so the time of both.

python -m benchmarks.crf [--image FILE] [--rounds N] [--noise SIGMA...] [--parts speed memory growth]
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.timing import measure_in_turn, ratio
from keras_seqgen.layers import CRFRNN

SIDE, LABELS, STEPS, TRAINING_STEPS, NOISE = 500, 21, 10, 5, 8.0
SIDES = (128, 256, 512, 1024)
MEGABYTE = 2**20


def picture(file, side, noise):
    """(side, side, 3) uint8: a photograph, or a slope of colours with two hundred discs; and noise."""
    rng = np.random.default_rng(0)
    if file:
        clean = np.asarray(Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BICUBIC), float)
    else:
        y, x = np.mgrid[:side, :side] / side
        clean = np.stack([200 * x, 120 + 0 * x, 220 * y], axis=-1)
        for _ in range(200):
            centre, radius, colour = rng.random(2), rng.uniform(0.02, 0.12), rng.uniform(0, 255, 3)
            disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
            clean[disc] = 0.8 * colour + 0.2 * clean[disc]
    return np.clip(clean + rng.normal(0, noise, clean.shape), 0, 255).round().astype("uint8")


def rough_logits(image):
    """(side, side, LABELS) float32: a label for each colour, told every 16 pixels and interpolated."""
    rng = np.random.default_rng(1)
    seen = image[::16, ::16] / 128 - 1
    scores = 4 * np.tanh(2 * seen @ rng.normal(size=(3, LABELS))) + rng.normal(size=(*seen.shape[:2], LABELS))
    return tf.image.resize(scores, image.shape[:2]).numpy()


def pydensecrf(logits, image):
    """Labels (side, side) of pydensecrf2."""
    from pydensecrf import densecrf

    kinds = {"kernel": densecrf.DIAG_KERNEL, "normalization": densecrf.NORMALIZE_AFTER}
    field = densecrf.DenseCRF2D(*image.shape[1::-1], LABELS)
    field.setUnaryEnergy(np.ascontiguousarray(-logits.reshape(-1, LABELS).T))
    field.addPairwiseGaussian(sxy=3, compat=3.0, **kinds)
    field.addPairwiseBilateral(sxy=160, srgb=3, rgbim=image, compat=5.0, **kinds)
    return np.reshape(field.inference(STEPS), (LABELS, *image.shape[:2])).argmax(axis=0)


def functions():
    """Two graphs of logits (1, h, w, LABELS) and image (1, h, w, 3): labels; the gradients of weights and logits."""
    crf = CRFRNN(STEPS)
    crf.build([(None, None, None, LABELS), (None, None, None, 3)])
    signature = [tf.TensorSpec((1, None, None, LABELS)), tf.TensorSpec((1, None, None, 3), tf.uint8)]

    @tf.function(input_signature=signature, autograph=False)
    def infer(logits, image):
        return tf.argmax(crf([logits, image]), axis=-1)

    @tf.function(input_signature=signature, autograph=False)
    def train(logits, image):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = tf.reduce_mean(crf([logits, image], iterations=TRAINING_STEPS) ** 2)
        return tape.gradient(loss, [*(weight.value for weight in crf.trainable_variables), logits])

    return {"infer": infer, "train": train}


def inputs(file, side, noise):
    image = picture(file, side, noise)
    return rough_logits(image), image


def tensors(logits, image):
    return tf.constant(logits[None]), tf.constant(image[None])


def with_processor_time(call, seconds):
    """`call`, which also appends to a list the processor seconds that it took."""

    def run():
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)

    return run


def speed(file, noise, rounds):
    """One row of the report: both rivals on one picture, in turn."""
    ours, arrays = functions(), inputs(file, SIDE, noise)
    fed = tensors(*arrays)
    calls = {
        "CRFRNN": lambda: ours["infer"](*fed).numpy(),
        "training step": lambda: [gradient.numpy() for gradient in ours["train"](*fed)],
    }
    peer = importlib.util.find_spec("pydensecrf") is not None
    if peer:
        calls["pydensecrf2"] = lambda: pydensecrf(*arrays)
    spent = {name: [] for name in calls}
    seconds = measure_in_turn({name: with_processor_time(call, spent[name]) for name, call in calls.items()}, rounds)
    found = {f"{name}, ms": round(1e3 * statistics.median(values)) for name, values in seconds.items()}
    if not peer:
        return found
    work = {name: statistics.median(values[-rounds:]) for name, values in spent.items()}
    return {
        **found,
        "time over pydensecrf2's": round(ratio(seconds, "CRFRNN", "pydensecrf2"), 2),
        "training step over pydensecrf2's inference": round(ratio(seconds, "training step", "pydensecrf2"), 2),
        "processor time over pydensecrf2's": round(work["CRFRNN"] / work["pydensecrf2"], 2),
        "share of equal labels": round(float((calls["CRFRNN"]()[0] == calls["pydensecrf2"]()).mean()), 5),
    }


def resident():
    """Bytes of this process in memory now."""
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()


def extra_memory(file, noise, name):
    """Megabytes that a first call takes at its peak beyond what the process and its inputs hold."""
    call, fed = functions()[name], tensors(*inputs(file, SIDE, noise))
    call(*(tensor[:, :8, :8] for tensor in fed))
    before = resident()
    call(*fed)
    return round((1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / MEGABYTE)


def in_a_child(file, noise, name):
    """`extra_memory` of a process of its own."""
    code = f"from benchmarks.crf import extra_memory; print(extra_memory({file!r}, {noise!r}, {name!r}))"
    child = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(child.stdout)


def growth(file, rounds):
    """Microseconds per pixel, by the side of the picture."""
    infer = functions()["infer"]
    fed = {side: tensors(*inputs(file, side, NOISE)) for side in SIDES}
    calls = {side: lambda side=side: infer(*fed[side]).numpy() for side in SIDES}
    seconds = measure_in_turn(calls, rounds)
    return {f"{side} x {side}": round(1e6 * statistics.median(seconds[side]) / side**2, 2) for side in SIDES}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", help="a photograph, resized")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, NOISE])
    parser.add_argument("--parts", nargs="+", default=["speed", "memory", "growth"])
    given = parser.parse_args()
    results = {}
    for noise in given.noise if "speed" in given.parts else []:
        results[f"noise {noise:g}, {SIDE} x {SIDE}, {LABELS} labels"] = speed(given.image, noise, given.rounds)
    for noise in given.noise if "memory" in given.parts else []:
        sizes = {name: in_a_child(given.image, noise, name) for name in ("infer", "train")}
        results[f"extra memory, noise {noise:g}, MB"] = sizes
    if "growth" in given.parts:
        results["microseconds per pixel"] = growth(given.image, given.rounds)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
