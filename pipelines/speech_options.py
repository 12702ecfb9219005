"""The options of the pipeline for speech, and what they amount to."""

import argparse
import functools
from collections.abc import Callable, Iterator

from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data.speech_features import MELS, SpeechForm
from keras_seqgen.data.speech_synthesis import Synthesis
from keras_seqgen.errors import UserError
from pipelines.files import check_apart, distinct, files_below
from pipelines.labelled_frames import FramePreparation, source_text
from pipelines.speech_records import SpeechRules, prepare_utterance
from pipelines.speech_sources import list_recordings
from pipelines.speech_strings import find_clips, list_strings
from pipelines.splits import SPLITS, HashSplit, ListSplit, PublishedSplit, read_lists

EXAMPLES = """examples:
  FSDD's digits, strings of 1 to 5 out of them; takes 0 to 4 are heard in the test alone
    python -m pipelines speech --format fsdd --input fsdd --output prepared/digits
  the same with a speaker who is heard in the test alone, with and without synthesis
    python -m pipelines speech --format fsdd --input fsdd --output prepared/no-george --leave-out george
    python -m pipelines speech --format fsdd --input fsdd --output prepared/plain --leave-out george --no-synthesis
  the same with voices of eSpeak NG among the speakers of the training (`python -m pipelines voices --output voices`)
    python -m pipelines speech --format fsdd --input fsdd --voices voices --output prepared/voices --leave-out george
  name.wav beside name.txt, or LibriSpeech's layout in WAV; each training recording twice more, changed
    python -m pipelines speech --input recordings/ --output prepared/speech --rate 16000 --copies 2

Folders called train, dev (valid) and test, or train-clean, dev_other, test2 ..., are the splits.
Beam's own options (--runner, --temp_location, ...) may follow. The runner is FnApiRunner (local) unless one is given.
"""
_RATE_HELP = "samples a second (default: 16000, for fsdd 8000); files of another rate are dead letters"
_HASH_HELP = "folders: split by a hash, in per cent (default: by the folders' names, else 90 5 5)"
_LIST_HELP = "folders: lists that name the groups (--split-by) or recordings of the split {}, one per line"
_STRIDE_HELP = "networks may shorten sound by this factor: a text that then has no room is a dead letter (default: 2)"
_STRINGS_HELP = "fsdd: how many strings (default: 6000 500 500)"
_VOICES_HELP = (
    "fsdd: clips of more speakers, heard in training alone; each folder as often as the people (see `voices`)"
)
_SNR_HELP = "synthesis: ratio of speech to noise in dB, drawn evenly (default: 20 45)"


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    add("--format", default="folders", choices=("folders", "fsdd"), help="what the input is (default: folders)")
    add("--input", nargs="+", default=[], metavar="FOLDER", help="folders to read, searched through")
    add("--output", metavar="FOLDER", help="where to write; earlier results there are replaced")
    add("--rate", type=int, metavar="HZ", help=_RATE_HELP)
    add("--resample", action="store_true", help="convert files of another rate")
    add("--mels", type=int, default=MELS, help=f"bands of a frame (default: {MELS})")
    add("--stride", type=int, default=2, help=_STRIDE_HELP)
    add("--copies", type=int, default=0, help="folders: changed copies of each training recording (default: 0)")
    add(
        "--strings", nargs=3, type=int, default=[6000, 500, 500], metavar=("TRAIN", "VALID", "TEST"), help=_STRINGS_HELP
    )
    add("--figures", action="store_true", help="fsdd: the text of a string is 314, not three one four")
    add("--leave-out", default="", metavar="SPEAKER", help="fsdd: heard in the test alone")
    add("--voices", nargs="+", default=[], metavar="FOLDER", help=_VOICES_HELP)
    add("--no-synthesis", action="store_true", help="fsdd: training strings as they were recorded")
    add("--speed", type=float, default=0.2, help="synthesis: faster or slower by up to this part (default: 0.2)")
    add("--gain", type=float, default=6.0, help="synthesis: louder or softer by up to so many dB (default: 6)")
    add("--snr", nargs=2, type=float, default=[20.0, 45.0], metavar=("LOW", "HIGH"), help=_SNR_HELP)
    for split in SPLITS:
        add(f"--{split}-files", nargs="+", default=[], metavar="LIST", help=_LIST_HELP.format(split))
    add("--hash-split", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help=_HASH_HELP)
    add("--split-by", default="recording", choices=("recording", "speaker"), help="(default: recording)")
    add("--shards", type=int, default=8, help="files per split, and the most that runs in parallel (default: 8)")
    add("--max-seconds", type=float, default=60.0, help="a longer utterance is a dead letter (default: 60)")
    add("--max-megabytes", type=int, default=64, help="a larger file is a dead letter (default: 64)")


def list_sources(root: str, listing) -> Iterator[str]:
    """The utterances of an input, as text."""
    return map(source_text, listing(root))


def plan(options: argparse.Namespace) -> tuple[list[str], Callable[[str], Iterator[str]], FramePreparation]:
    """The inputs, what lists the utterances of one of them, and what is to be done with these.

    Raises:
        UserError: where an option is wrong or a folder that it names is missing.
    """
    if not options.output:
        raise UserError("--output is missing")
    for name in ("mels", "stride", "shards", "max_seconds", "max_megabytes"):
        if not getattr(options, name) > 0:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(options, name)}")
    if min(options.copies, *options.strings) < 0:
        raise UserError("--copies and --strings must not be negative")
    if not options.input:
        raise UserError("--input is missing")
    inputs = distinct([path.rstrip("/\\") or path for path in options.input])
    check_apart(inputs)
    for root in inputs:
        if not files_below(root, 1):
            raise UserError(f"no file was found below {root}")
    fsdd = options.format == "fsdd"
    try:
        form = SpeechForm(options.rate or (8000 if fsdd else 16000), options.mels)
        synthesis = Synthesis(options.speed, options.gain, tuple(options.snr))
    except ValueError as error:
        raise UserError(str(error)) from error
    max_bytes = options.max_megabytes << 20
    rules = SpeechRules(form, options.stride, synthesis, options.resample, options.max_seconds, max_bytes)
    listing = _strings(options, inputs, rules) if fsdd else _recordings(options, inputs)
    preparation = FramePreparation(
        system="speech",
        output=options.output,
        shards=options.shards,
        features={"kind": form.kind, "names": form.names},
        prepare=functools.partial(prepare_utterance, rules=rules),
    )
    return inputs, functools.partial(list_sources, listing=listing), preparation


def _strings(options, inputs, rules: SpeechRules):
    if len(inputs) > 1:
        raise UserError("--format fsdd reads one folder")
    speakers = sorted({speaker for _, _, speaker, _ in find_clips(inputs[0])})
    if not speakers:
        raise UserError(f"{inputs[0]} holds no digit_speaker_take.wav")
    if options.leave_out and (options.leave_out not in speakers or len(speakers) < 2):
        raise UserError(f"--leave-out: there is no other speaker than {', '.join(speakers)}, or nobody would be left")
    if len(distinct([*inputs, *options.voices])) < 1 + len(options.voices):
        raise UserError(
            f"--voices: {', '.join(options.voices)}: the input itself, whose clips have their places, or twice the same"
        )
    check_apart([*inputs, *options.voices])
    for folder in options.voices:
        voices = {speaker for _, _, speaker, _ in find_clips(folder)}
        if not voices:
            raise UserError(f"--voices: {folder} holds no digit_speaker_take.wav: `voices` makes them")
        if both := sorted(voices.intersection(speakers)):
            raise UserError(f"--voices: {', '.join(both)} would be heard in training: {options.input[0]} has them too")
    return functools.partial(
        list_strings,
        counts=dict(zip(SPLITS, options.strings, strict=True)),
        left_out=options.leave_out,
        words=not options.figures,
        synthetic=not options.no_synthesis,
        rate=rules.form.rate,
        convert=rules.convert,
        max_bytes=rules.max_bytes,
        voices=options.voices,
    )


def _recordings(options, inputs):
    if options.voices:
        raise UserError("--voices is for --format fsdd")
    if options.leave_out:
        raise UserError("--leave-out is for --format fsdd; with folders use --split-by speaker and lists")
    names = [FileSystems.split(root)[1] for root in inputs]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two inputs are called {name}; their recordings could not be told apart: rename one")
    return functools.partial(
        list_recordings, split_by=options.split_by, split=_split(options, inputs), copies=options.copies
    )


def _split(options, inputs) -> HashSplit | ListSplit | PublishedSplit:
    given = {split: getattr(options, f"{split}_files") for split in SPLITS}
    if any(given.values()) and options.hash_split:
        raise UserError("--hash-split and lists of names exclude each other")
    if any(given.values()):
        return read_lists(given, inputs)
    return HashSplit(tuple(options.hash_split)) if options.hash_split else PublishedSplit()
