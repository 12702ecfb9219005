"""The n-gram model against kenlm (where it is installed): seconds, bytes, and whether both give the same numbers.

python -m benchmarks.ngram [--train FILE --test FILE] [--order N] [--rounds N]

Words of the files, one sentence per line. Without files: the lines of Python's own standard library, every tenth of
them for testing.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import sysconfig
import tempfile
import time
from pathlib import Path

from benchmarks.timing import measure_in_turn
from keras_seqgen.commands.sentences import read_sentences
from keras_seqgen.ngram import estimate, read_arpa, write_arpa


def standard_library(count=40_000):
    """The first lines of the standard library's modules."""
    lines = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        lines += [line.split() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    lines = lines[:count]
    return [line for number, line in enumerate(lines) if number % 10], lines[::10]


def clock(call):
    """What a call returns, and its seconds of processor time, which other work on the machine does not lengthen."""
    start = time.process_time()
    result = call()
    return result, round(time.process_time() - start, 3)


def follow(model, sentences):
    """log10 probability of some sentences, token by token as a decoder asks."""
    total = 0.0
    for tokens in sentences:
        state = model.start()
        for token in (*tokens, "</s>"):
            log_prob, state = model.advance(state, token)
            total += log_prob
    return total


def follow_kenlm(kenlm, model, sentences):
    """The same through kenlm's Python module."""
    total = 0.0
    for tokens in sentences:
        state = kenlm.State()
        model.BeginSentenceWrite(state)
        for token in (*tokens, "</s>"):
            after = kenlm.State()
            total += model.BaseScore(state, token, after)
            state = after
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", metavar="FILE")
    parser.add_argument("--test", metavar="FILE")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.train:
        train, test = (list(read_sentences(path, "word")) for path in (arguments.train, arguments.test))
    else:
        train, test = standard_library()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model, estimating = clock(lambda: estimate(train, arguments.order))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    numbers, scoring = clock(lambda: model.perplexity(test))
    results = {
        "order": arguments.order,
        "train tokens": sum(len(line) + 1 for line in train),
        "ngrams": sum(model.counts),
        **numbers,
        "estimate, cpu s": estimating,
        "estimate, extra MB": round(peak / 1024),
        "score, cpu s": scoring,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in ("model.arpa", "model.arpa.gz"):
            path = os.path.join(folder, name)
            _, results[f"write {name}, cpu s"] = clock(lambda path=path: write_arpa(model, path))
            _, results[f"read {name}, cpu s"] = clock(lambda path=path: read_arpa(path))
            results[f"{name}, MB"] = round(os.path.getsize(path) / 1e6, 1)
        rivals = {"ours": lambda: follow(model, test)}
        try:
            kenlm = importlib.import_module("kenlm")
            peer = kenlm.Model(os.path.join(folder, "model.arpa"))
            rivals["kenlm"] = lambda: follow_kenlm(kenlm, peer, test)
            results["largest difference from kenlm in a sentence"] = max(
                abs(model.score(tokens).sum() - peer.score(" ".join(tokens))) for tokens in test
            )
        except ImportError:
            results["kenlm"] = "not installed: pip install kenlm==0.3.0"
        seconds = measure_in_turn(rivals, arguments.rounds)
        for name, each in seconds.items():
            results[f"advance, {name}, us a token"] = round(1e6 * statistics.median(each) / numbers["tokens"], 3)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
