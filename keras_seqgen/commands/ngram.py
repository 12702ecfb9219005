"""`keras-seqgen ngram`, and the n-gram model that `evaluate` prints beside a network."""

import math
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.sentences import line_end, read_sentences, stream_sentences
from keras_seqgen.data.text_stream import TokenStream
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.ngram import EOS, NGramModel, estimate, read_arpa, write_arpa

_ORDERS = {"word": 5, "character": 8, "byte": 8}


def ngram(arguments) -> int:
    """Estimates a model from texts, or scores texts with one."""
    (_estimate if arguments.what == "estimate" else _score)(arguments)
    return 0


def _estimate(arguments) -> None:
    if not arguments.output:
        raise UserError("-o is missing: the ARPA file to write")
    kind = arguments.tokens or _kind(arguments.texts) or "word"
    order = arguments.order if arguments.order is not None else _ORDERS[kind]
    if order < 1:
        raise UserError(f"--order must be positive. Received: {order}")
    prune = tuple(arguments.prune or (0,))
    if prune[0] != 0 or list(prune) != sorted(prune) or len(prune) > order:
        raise UserError(f"--prune must begin with 0, not fall, and have at most {order} numbers. Received: {prune}")
    vocabulary = _read_vocabulary(arguments.vocabulary, kind) if arguments.vocabulary else None
    started = time.monotonic()
    sentences = (sentence for path in arguments.texts for sentence in read_sentences(path, kind, arguments.split))
    model = estimate(sentences, order, vocabulary=vocabulary, prune=prune)
    write_arpa(model, arguments.output)
    discounts = model.discounts or ()
    report: dict[str, Any] = {
        "output": arguments.output,
        "tokens": kind,
        "ngrams": list(model.counts),
        "discounts": [list(each.amounts) for each in discounts],
        "fallback_orders": [number for number, each in enumerate(discounts, start=1) if each.fallback],
        "seconds": round(time.monotonic() - started, 2),
    }
    if report["fallback_orders"]:
        print(f"orders whose counts give no discounts, so 0.5, 1, 1.5: {report['fallback_orders']}", file=sys.stderr)
    if arguments.json:
        print_json(report)
    else:
        print(f"{arguments.output}: {' + '.join(map(str, model.counts))} n-grams of {kind}s", file=sys.stderr)


def _score(arguments) -> None:
    if not arguments.model:
        raise UserError("--model is missing: the ARPA file to score with")
    model = read_arpa(arguments.model)
    kind = arguments.tokens or _kind(arguments.texts) or ("character" if _is_of_characters(model) else "word")
    sentences = [tokens for path in arguments.texts for tokens in read_sentences(path, kind, arguments.split)]
    if not sentences:
        raise UserError(f"{', '.join(arguments.texts)}: there is no sentence to score")
    rows = [_scored(model, tokens, arguments.verbose) for tokens in sentences]
    if not arguments.json:
        for tokens, row in zip(sentences, rows, strict=True):
            print(f"{row['log10']:.6f}\t{row['oov']}\t{(' ' if kind == 'word' else '').join(tokens)}")
            for one in row.get("scores", ()):
                print(f"\t{one['log10']:.6f}\t{one['length']}\t{one['token']}" + "\tunknown" * one["oov"])
    numbers = model.perplexity(sentences)
    if arguments.json:
        print_json({"sentences": rows, **numbers})
    else:
        print(
            f"{numbers['tokens']} tokens, {numbers['oov']} unknown; {numbers['bits_per_token']:.4f} bits a token; "
            f"perplexity {numbers['perplexity']:.2f}, {numbers['perplexity_without_oov']:.2f} without the unknown",
            file=sys.stderr,
        )


def _scored(model: NGramModel, tokens: list[str], verbose: bool) -> dict[str, Any]:
    """The log10 probability of a sentence and the number of its unknown tokens; if wanted, what each token adds."""
    scores = model.full_scores(tokens)
    row: dict[str, Any] = {
        "log10": math.fsum(log10 for log10, _, _ in scores),
        "oov": sum(unknown for _, _, unknown in scores),
        "tokens": len(scores),
    }
    if verbose:
        row["scores"] = [
            {"token": token, "log10": log10, "length": length, "oov": unknown}
            for token, (log10, length, unknown) in zip([*tokens, EOS], scores, strict=True)
        ]
    return row


def baseline(
    train: Iterable[Sequence[str]],
    test: Iterable[Sequence[str]],
    order: int,
    vocabulary: Iterable[str] | None = None,
) -> dict[str, float]:
    """What an n-gram model reaches on the sentences that a network is measured on.

    Args:
        train: Sentences to estimate it from.
        test: Sentences to predict, each with its end, which counts as a token.
        order: The length of the longest n-grams.
        vocabulary: See `estimate`.

    Returns:
        A dict: `perplexity`, `bits_per_token`, `tokens` (of the test), `oov`, `order`, `ngrams`, `seconds`.
    """
    started = time.monotonic()
    model = estimate(train, order, vocabulary=vocabulary)
    numbers = model.perplexity(test)
    return {
        **{name: numbers[name] for name in ("perplexity", "bits_per_token", "tokens", "oov")},
        "order": order,
        "ngrams": sum(model.counts),
        "seconds": round(time.monotonic() - started, 2),
    }


def folder_baseline(folder: str | Path, split: str, order: int | None = None, most: int = 10_000_000) -> dict:
    """`baseline` for a prepared text: its `train` against one of its splits, with its own vocabulary.

    A line is a sentence, and the end of a line the token `</s>`; a text without line ends is one sentence.

    Args:
        folder: What `keras-seqgen prepare text` wrote.
        split: "valid" or "test".
        order: `None`: 5 for words, 8 for characters and bytes.
        most: Tokens at the beginning of `train` to estimate from, so that memory has a bound (about 2 GB).

    Returns:
        As `baseline`, and `train_tokens`, the number of those used.
    """
    stream = TokenStream(folder, "train")
    vocabulary = stream.vocabulary
    order = _ORDERS[vocabulary.kind] if order is None else order
    known = _known_tokens(vocabulary)
    numbers = baseline(stream_sentences(stream, most), stream_sentences(TokenStream(folder, split)), order, known)
    return {**numbers, "train_tokens": min(len(stream), most)}


def _read_vocabulary(path: str, kind: str) -> list[str]:
    """The tokens of a vocabulary.json, or those of a text."""
    if not path.endswith(".json"):
        return [token for sentence in read_sentences(path, kind) for token in sentence]
    vocabulary = Vocabulary.load(path)
    if vocabulary.kind != kind:
        raise UserError(f"{path} is a vocabulary of {vocabulary.kind}s: --tokens {kind} does not fit it")
    return _known_tokens(vocabulary)


def _known_tokens(vocabulary: Vocabulary) -> list[str]:
    """The tokens that occur within sentences: all but the end of a line."""
    return [token for token in vocabulary.tokens if token != line_end(vocabulary)]


def _kind(texts: Sequence[str]) -> str | None:
    """What the tokens of a prepared folder among the texts are."""
    folders = [path for path in texts if Path(path).is_dir()]
    return Vocabulary.load(Path(folders[0]) / "vocabulary.json").kind if folders else None


def _is_of_characters(model: NGramModel) -> bool:
    return all(len(token) == 1 for token in model.tokens[3:])
