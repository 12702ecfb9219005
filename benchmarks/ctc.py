"""CTC: TensorFlow's sparse and dense kernels forward and backward, and beam search on one core.

pyctcdecode, the usual peer of the search, cannot be installed beside this package: it needs numpy < 2.

python -m benchmarks.ctc [--rounds N]
"""

import argparse
import json
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import measure_in_turn, ratio
from keras_seqgen.decoding.beam import beam_search
from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.decoding.ctc_alignment import align
from keras_seqgen.decoding.scorers import CharacterScorer, Lexicon, ScorerSum, WordScorer
from keras_seqgen.distributions.ctc import sparse_nats
from keras_seqgen.losses.ctc import CTCLoss
from keras_seqgen.ngram import estimate

B, T, C, U = 32, 500, 80, 60
BEAM = 25


def batch(rng):
    """Labels, logits, label lengths and frame lengths of padded rows."""
    used, lengths = rng.integers(20, U, B).astype("int32"), rng.integers(300, T + 1, B).astype("int32")
    labels = rng.integers(1, C + 1, (B, U)) * (np.arange(U) < used[:, None])
    return labels.astype("int32"), rng.normal(size=(B, T, C + 1)).astype("float32"), used, lengths


def step(nats, logits, jit_compile=False):
    """A function that runs a loss forward and backward once."""
    logits = tf.constant(logits)

    @tf.function(jit_compile=jit_compile)
    def run(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = tf.reduce_sum(nats(logits))
        return tape.gradient(total, logits)

    return lambda: run(logits).numpy()


def like_a_trained_network(rng, labels):
    """Logits (T, C + 1): blanks, and every sixth frame a label and a rival."""
    logits = rng.normal(size=(T, C + 1))
    logits[:, 0] += 6
    for t, label in zip(range(4, T - 2, 6), labels, strict=False):
        logits[t : t + 2, label] += 8
        logits[t : t + 2, rng.integers(1, C + 1)] += 7
    return logits


def words_of(rng, count):
    """Words of 2 to 8 of the characters 1..C-1, more of the first ones."""
    share = 1 / np.arange(1, C)
    return [
        "".join(chr(64 + k) for k in rng.choice(C - 1, rng.integers(2, 9), p=share / share.sum()) + 1)
        for _ in range(count)
    ]


def searches(rng):
    """name -> a search of one utterance, with and without models of a language of 2,000 words."""
    tokens = [*(chr(64 + k) for k in range(1, C)), " "]
    vocabulary = words_of(rng, 2000)
    sentences = [[vocabulary[n] for n in rng.zipf(1.3, 8) % 2000] for _ in range(20_000)]
    ids = {token: number for number, token in enumerate(tokens, start=1)}
    logits = like_a_trained_network(rng, [ids[c] for c in " ".join(" ".join(words) for words in sentences[:5])])
    lexicon, words = Lexicon(vocabulary, tokens), WordScorer(estimate(sentences, order=3), tokens, 0.5, 1.0)
    characters = CharacterScorer(estimate([list(" ".join(words)) for words in sentences[:5000]], order=5), tokens, 0.5)
    scorers = {
        "no scorer": None,
        "character 5-gram": characters,
        "word 3-gram": words,
        "lexicon": lexicon,
        "lexicon and word 3-gram": ScorerSum([lexicon, words]),
    }
    found = {name: lambda scorer=scorer: beam_search(logits, BEAM, scorer) for name, scorer in scorers.items()}
    found["no scorer, logits without any structure"] = lambda: beam_search(rng.normal(size=(T, C + 1)), BEAM)
    best = beam_search(logits, BEAM)[0].ids
    found["forced alignment of the best"] = lambda: align(logits, best)
    return found


def seconds_on_one_core(call, rounds):
    """The median of the processor seconds of this process."""
    call()
    found = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return statistics.median(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    labels, logits, used, lengths = batch(rng)
    loss, read = CTCLoss("filter", reduction=None), tf.function(best_path)

    def read_batch():
        return read(logits, lengths).ids.numpy()

    seconds = measure_in_turn(
        {
            "sparse": step(lambda x: sparse_nats(tf.constant(labels), x, used, lengths), logits),
            "dense": step(lambda x: keras.ops.ctc_loss(labels, x, used, lengths), logits),
            "dense, jit_compile": step(lambda x: keras.ops.ctc_loss(labels, x, used, lengths), logits, True),
            "CTCLoss": step(lambda x: loss(labels, {"logits": x, "lengths": lengths}), logits),
            "best path": read_batch,
        },
        rounds,
    )
    results = {
        f"batch {B}, {T} frames, {C} labels": {
            **{f"{name}, ms": round(1e3 * statistics.median(x), 1) for name, x in seconds.items()},
            "speed of sparse over dense": round(ratio(seconds, "dense", "sparse"), 1),
            "speed of sparse over dense, jit_compile": round(ratio(seconds, "dense, jit_compile", "sparse"), 1),
            "time of CTCLoss over sparse": round(ratio(seconds, "CTCLoss", "sparse"), 2),
        },
        f"one utterance, {T} frames, {C} labels, beam {BEAM}, ms on one core": {
            name: round(1e3 * seconds_on_one_core(call, rounds), 1) for name, call in searches(rng).items()
        },
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
