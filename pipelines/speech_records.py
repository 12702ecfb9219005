"""An utterance -> its frames and its text, or the reason why it is of no use."""

import functools
import json
from dataclasses import dataclass

import numpy as np

from keras_seqgen.data.ink_records import BadRecord
from keras_seqgen.data.recognition_schema import LabelledFrames
from keras_seqgen.data.speech_features import SpeechForm, log_mel
from keras_seqgen.data.speech_synthesis import Synthesis, join_clips, synthesise
from pipelines.labelled_frames import no_room
from pipelines.speech_sources import FaultError, SpeechSource, load_sound, with_text


@dataclass(frozen=True)
class SpeechRules:
    """What is done to an utterance, and what it must be like.

    form: how sound becomes frames. stride: by how much a network may shorten it. synthesis: of training utterances.
    convert: whether a file with another sample rate is resampled; else it is a fault. max_seconds, max_bytes: what is
    longer or larger is refused.
    """

    form: SpeechForm
    stride: int
    synthesis: Synthesis
    convert: bool
    max_seconds: float
    max_bytes: int


def prepare_utterance(source: str, rules: SpeechRules) -> tuple[str, LabelledFrames] | BadRecord:
    """A `SpeechSource` as JSON -> its split and its record, or a fault."""
    utterance = SpeechSource(**json.loads(source))
    try:
        return _prepare(utterance, rules)
    except FaultError as fault:
        return BadRecord(utterance.name, *fault.args)


def _prepare(utterance: SpeechSource, rules: SpeechRules):
    if utterance.fault:
        raise FaultError(*utterance.fault)
    if not utterance.split:
        raise FaultError("in no split", f"no list names {utterance.name} or {utterance.group}")
    utterance = with_text(utterance)
    samples = sound_of(utterance, rules)
    seconds = len(samples) / rules.form.rate
    if seconds > rules.max_seconds:
        raise FaultError("too long", f"{seconds:.1f} seconds; the limit is {rules.max_seconds:g}")
    frames = log_mel(samples, rules.form)
    return no_room(utterance.name, utterance.text, len(frames), rules.stride) or (
        utterance.split,
        LabelledFrames(utterance.name, utterance.speaker, utterance.text, frames),
    )


def sound_of(utterance: SpeechSource, rules: SpeechRules) -> np.ndarray:
    """The samples of an utterance: read, joined and changed as its source says."""
    if utterance.parts:
        clips = [_clip(path, rules.form.rate, rules.convert, rules.max_bytes) for path in utterance.parts]
        samples = join_clips(clips, rules.form.rate, utterance.seed)
    else:
        samples = load_sound(utterance.path, rules.form.rate, rules.convert, rules.max_bytes)
    # Another seed than that of the joining: what is drawn for the one tells nothing about the other.
    return synthesise(samples, rules.synthesis, utterance.seed + 1) if utterance.synthetic else samples


@functools.lru_cache(maxsize=4096)
def _clip(path: str, rate: int, convert: bool, max_bytes: int) -> np.ndarray:
    """A clip of a word, which many strings hold."""
    return load_sound(path, rate, convert, max_bytes)
