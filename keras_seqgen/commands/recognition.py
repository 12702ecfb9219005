"""`keras-seqgen recognise` and `tune`, and what `evaluate` and `export` do for recognisers of ink, print and speech."""

import hashlib
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.recognition_files import at_rate, read_lexicon, read_lines, system_of_file
from keras_seqgen.commands.sentences import read_sentences
from keras_seqgen.commands.systems import RECOGNISERS, default_model, register_classes, system_of
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.beam import beam_search
from keras_seqgen.decoding.ctc_alignment import align
from keras_seqgen.decoding.ctc_language import KINDS, CTCLanguage
from keras_seqgen.decoding.scorers import BeamScorer, ScorerSum
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import load_recipe

BEAM = 25
UNREADABLE = "\ufffd"  # stands in a reference for a character that the run's alphabet does not have


def evaluate_run(run, recipe, data, split, lexicon=None) -> dict:
    """Error rates of a run's best weights: of the best path, and with each language model that `tune` left in the run.

    Args:
        lexicon: a file with a word per line; the beam search then also reads with these words alone.

    Returns:
        A dict: `cer`, `wer` and `exact` of the best path, `lines`, and with a language model `KIND_cer` and so on, with
        a lexicon `lexicon_cer` and so on.
    """
    vocabulary = Vocabulary.load(Path(run) / "vocabulary.json")
    language = CTCLanguage.load(run) if CTCLanguage.is_in(run) else None
    scorers = {kind: language.scorer(kind, vocabulary.tokens) for kind in language.weights} if language else {}
    if lexicon is not None:
        scorers["lexicon"] = read_lexicon(lexicon, vocabulary.tokens)
    texts: list[str] = []
    readings: dict[str, list[str]] = {name: [] for name in ("best_path", *scorers)}
    for text, logits in read_split(run, recipe, data, split, vocabulary):
        texts.append(text)
        readings["best_path"].append(vocabulary.decode(greedy(logits)))
        for kind, scorer in scorers.items():
            readings[kind].append(vocabulary.decode(beam_search(logits, BEAM, scorer)[0].ids))
        if scorers and len(texts) % 200 == 0:
            print(f"{len(texts)} lines read", file=sys.stderr)
    return {**error_rates(texts, readings), "lines": len(texts)}


def error_rates(texts, readings) -> dict[str, float]:
    """`cer`, `wer` and `exact`, the part of the lines without a mistake, of the best path; `KIND_cer` and so on of the
    others."""
    from keras_seqgen.metrics.edit_distance import character_error_rate, word_error_rate

    rates = {}
    for name, read in readings.items():
        before = "" if name == "best_path" else f"{name}_"
        rates[f"{before}cer"] = character_error_rate(texts, read)
        rates[f"{before}wer"] = word_error_rate(texts, read)
        rates[f"{before}exact"] = sum(map(str.__eq__, texts, read)) / max(len(texts), 1)
    return rates


def greedy(logits) -> list[int]:
    """The ids of the best path of one line's logits (T, C + 1)."""
    path = logits.argmax(axis=1)
    return path[(path > 0) & np.r_[True, path[1:] != path[:-1]]].tolist()


def read_split(run, recipe, data, split, vocabulary):
    """Pairs of a text and the logits (T, C + 1) of a run's best weights for it, over a split."""
    tf = import_tensorflow()
    register_classes()
    import keras

    from keras_seqgen.models.ctc_recogniser import time_stride

    model = keras.models.load_model(Path(run) / "best.keras", compile=False)
    stride = time_stride(model)
    predict = tf.function(lambda inputs: model(inputs, training=False), autograph=False, reduce_retracing=True)
    tokens = ["", *vocabulary.tokens, UNREADABLE]
    for inputs, labels in recipe.evaluation_batches(data, split, run):
        logits, lengths = predict(inputs).numpy(), -(-inputs["length"].numpy() // stride)
        for row, length, ids in zip(logits, lengths, labels.numpy(), strict=True):
            yield "".join(tokens[number] for number in ids), row[:length].copy()


def tune(arguments) -> int:
    """Estimates a recogniser's language models and chooses their weights, for the lowest word error rate.

    What has been tried is kept in the run until it is done: a search that was stopped goes on.
    """
    for name in ("character_order", "word_order", "lines", "beam"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(arguments, name)}")
    import_tensorflow()
    from keras_seqgen.decoding.tuning import Tried, tune_weights
    from keras_seqgen.metrics.edit_distance import word_error_rate

    run = Path(arguments.folder)
    _, recipe = load_recipe(run)
    if not hasattr(recipe, "features"):
        raise UserError(f"{run} is a run of {recipe.system}, not of a recogniser")
    if not (run / "best.keras").exists():
        raise UserError(f"{run} has no best.keras yet: train for at least one epoch")
    vocabulary = Vocabulary.load(run / "vocabulary.json")
    train, valid = (list(read_texts(arguments.data, split)) for split in ("train", "valid"))
    corpora = [["".join(line) for line in read_sentences(path, "character")] for path in arguments.corpus]
    orders = {"character": arguments.character_order, "word": arguments.word_order}
    language = CTCLanguage.estimate(train, corpora, valid, orders)

    taken = set(np.linspace(0, len(valid) - 1, min(arguments.lines, len(valid))).round().astype(int).tolist())
    pairs = [pair for n, pair in enumerate(read_split(run, recipe, arguments.data, "valid", vocabulary)) if n in taken]
    texts, logits = [text for text, _ in pairs], [row for _, row in pairs]
    about = {"network": _digest((run / "best.keras").read_bytes()), "orders": orders, "beam": arguments.beam}
    about |= {"texts": _digest(json.dumps([train, corpora, texts]).encode())}
    tried = Tried(run / "tuning.json", about)
    language.tuned = {"lines": len(texts), "best_path_wer": word_error_rate(texts, _decode(vocabulary, logits))}
    for kind in KINDS:
        found = tune_weights(
            logits,
            texts,
            partial(_weighted, language, kind, vocabulary.tokens),
            vocabulary.decode,
            alphas=(0.25, 0.5, 0.75, 1.0) if kind == "character" else (0.0, 0.25, 0.5, 1.0),
            betas=(0.0, 1.0, 2.0),
            refinements=1,
            progress=partial(_tell, tried, kind),
            known=tried.of(kind),
            beam=arguments.beam,
        )
        language.weights[kind] = (found.alpha, found.beta)
        language.tuned[f"{kind}_wer"] = found.error
    language.save(run)
    tried.forget()
    report = {"run": str(run), "weights": language.weights, **language.tuned}
    if arguments.json:
        print_json(report)
    else:
        print(json.dumps(report, indent=1))
    return 0


def _decode(vocabulary, logits):
    return [vocabulary.decode(greedy(row)) for row in logits]


def _weighted(language, kind, tokens, alpha, beta):
    return language.scorer(kind, tokens, (alpha, beta))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tell(tried, kind, alpha, beta, error):
    tried.add(kind, alpha, beta, error)
    print(f"{kind}: alpha {alpha:g} beta {beta:g}  WER {error:.4f}", file=sys.stderr)


def read_texts(data, split):
    """The texts of a prepared split."""
    tf = import_tensorflow()
    files = sorted(str(path) for path in Path(data).glob(f"{split}-*-of-*.tfrecord"))
    if not files:
        raise UserError(f"{data} has no split {split!r}: write it with `keras-seqgen prepare` first")
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        yield tf.train.Example.FromString(record).features.feature["text"].bytes_list.value[0].decode("utf-8")


def evaluate_model(folder, data, split) -> dict:
    """The error rates of a SavedModel's best path, by its signature `recognise_frames`."""
    tf = import_tensorflow()
    from keras_seqgen.data.recognition_batches import FrameUnit
    from keras_seqgen.data.recognition_schema import from_example
    from keras_seqgen.serving.recognition_load import SavedRecogniser

    model = SavedRecogniser(folder)
    unit = FrameUnit.load(Path(data) / "stats.json")
    width = model.signatures["recognise_frames"].structured_input_signature[1]["frames"].shape[-1]
    if (unit.kind, len(unit.names)) != (model.features, width):
        reads = f"{model.features} features, {width} in a frame"
        raise UserError(f"{data} holds {unit.form}; {model.folder} reads {reads}: prepare the data anew")
    files = sorted(str(path) for path in Path(data).glob(f"{split}-*-of-*.tfrecord"))
    lines = [from_example(record) for record in tf.data.TFRecordDataset(files).as_numpy_iterator()]
    if not lines:
        raise UserError(f"{data} has no split {split!r}: write it with `keras-seqgen prepare` first")
    lines.sort(key=lambda line: len(line.frames))
    read = []
    for start in range(0, len(lines), 32):
        batch = [line.frames for line in lines[start : start + 32]]
        length = np.array([len(frames) for frames in batch], np.int32)
        frames = np.stack([np.pad(frames, ((0, length.max() - len(frames)), (0, 0))) for frames in batch])
        found = model.signatures["recognise_frames"](frames=tf.constant(frames), length=tf.constant(length))
        read += [text.decode() for text in found["text"].numpy()]
    return {**error_rates([line.text for line in lines], {"best_path": read}), "lines": len(lines)}


def export_run(run, recipe, to, card) -> Path:
    """Writes the next version of a SavedModel; its folder."""
    import keras

    from keras_seqgen.data.recognition_batches import FrameUnit
    from keras_seqgen.serving.recognition import export_recogniser

    model = keras.models.load_model(Path(run) / "best.keras", compile=False)
    vocabulary = Vocabulary.load(Path(run) / "vocabulary.json")
    return export_recogniser(model, vocabulary, FrameUnit.load(Path(run) / "stats.json"), to, card)


def recognise(arguments) -> int:
    """Prints what lines of ink or print, or utterances, say."""
    if arguments.language_model and not arguments.language:
        raise UserError("--language-model needs --language RUN, where `tune` left the models")
    if arguments.beam is not None and not (arguments.language or arguments.lexicon):
        raise UserError("--beam needs --language or --lexicon: without them the best path is read")
    beam = BEAM if arguments.beam is None else arguments.beam
    if beam < 1:
        raise UserError(f"--beam must be positive. Received: {beam}")
    system = system_of(arguments.model) if arguments.model else system_of_file(arguments.file[0])
    if system not in RECOGNISERS:
        raise UserError(f"{arguments.model} is a model for {system}, not for reading ink, print or speech")
    lines = [line for path in arguments.file for line in read_lines(system, path)]
    language = CTCLanguage.load(arguments.language) if arguments.language else None
    import_tensorflow()
    from keras_seqgen.serving.recognition_load import ReadLine, SavedRecogniser

    model = SavedRecogniser(arguments.model or default_model(system))
    tokens = model.vocabulary.tokens
    scorers: list[BeamScorer] = [read_lexicon(arguments.lexicon, tokens)] if arguments.lexicon else []
    if language:
        scorers.append(language.scorer(arguments.language_model or "both", tokens))
    scorer = ScorerSum(scorers)
    report = []
    for name, line in lines:
        try:
            given = at_rate(line, model.rate) if isinstance(line, bytes) and model.rate else line
            if not scorers:
                read = model.recognise([given])[0]
            else:
                read = ReadLine(*_by_beam(model.logits([given])[0], scorer, beam, model.vocabulary))
        except UserError as error:
            raise UserError(f"{name}: {str(error).removeprefix('line 1: ')}") from error
        report.append({"line": name, **vars(read)})
        if not arguments.json:
            print(read.text if len(lines) == 1 else f"{name}\t{read.text}", flush=True)
    if arguments.json:
        print_json({"model": str(model.folder), "lines": report})
    return 0


def _by_beam(found, scorer, beam, vocabulary):
    """The text with the highest score, its confidence, and where each character begins."""
    logits, places = found
    best = beam_search(logits, beam, scorer)[0]
    frames, probabilities = align(logits, best.ids)
    sure = float(np.exp(np.mean(np.log(probabilities)))) if len(probabilities) else 0.0
    return vocabulary.decode(best.ids), sure, places[frames].tolist(), probabilities.tolist()
