"""Clips of digits in synthetic voices, and strings out of them."""

import shutil
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import pipelines.voices
from keras_seqgen.data.speech_flite import PITCHES
from keras_seqgen.data.speech_voices import ACCENTS
from pipelines.__main__ import main
from pipelines.speech_strings import find_clips, list_strings
from pipelines.splits import SPLITS
from pipelines.voices import SPELLED


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    assert main(["voices", "--output", str(folder), "--voices", "2", "--takes", "3"]) == 0
    return folder


def test_each_voice_says_each_digit_so_often(voices):
    clips = find_clips(str(voices))
    assert len(clips) == 2 * 10 * 3
    names = {speaker for _, _, speaker, _ in clips}
    assert names == {"en-us+m1", "de+f1"}
    assert {clip[1:] for clip in clips} == {(d, name, take) for d in range(10) for name in names for take in range(3)}
    for path, *_ in clips:
        with wave.open(path) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            assert 0.1 < file.getnframes() / 8000 < 2


def test_a_voice_of_another_language_reads_its_own_spelling(tmp_path, monkeypatch):
    assert set(SPELLED) == {accent for accent in ACCENTS if not accent.startswith("en")}
    assert all(len(words.split()) == 10 for words in SPELLED.values())
    read = {}

    def say(text, voice, *_):
        read.setdefault(voice, []).append(text)
        return np.zeros(9, np.float32)

    monkeypatch.setattr(pipelines.voices, "say", say)
    assert main(["voices", "--output", str(tmp_path), "--voices", "4", "--takes", "1"]) == 0
    assert read["en-us+m1"].pop(0) == "zero"  # whether there is an eSpeak NG
    assert {voice: words[3] for voice, words in read.items()} == {
        "en-us+m1": "three",
        "de+f1": "sri",
        "en+m2": "three",
        "fr+Andy": "sri",
    }
    assert read["de+f1"] == SPELLED["de"].split()


def test_flite_speaks_with_all_of_its_voices(tmp_path, monkeypatch):
    said = []

    def say(text, voice, *how):
        said.append((text, voice, *how[:3]))
        return np.ones(9, np.float32)

    monkeypatch.setattr(pipelines.voices, "say_flite", say)
    assert main(["voices", "--engine", "flite", "--output", str(tmp_path), "--takes", "2"]) == 0
    assert {speaker for _, _, speaker, _ in find_clips(str(tmp_path))} == {f"flite+{name}" for name in PITCHES}
    said = said[1:]  # the first is whether there is a Flite
    assert [(text, voice) for text, voice, *_ in said[:4]] == [("zero", "awb")] * 2 + [("one", "awb")] * 2
    assert len(said) == len(set(said)) == 4 * 10 * 2  # each take in a way of its own
    assert main(["voices", "--output", str(tmp_path), "--takes", "1", "--voices", "1"]) == 0
    assert {speaker for _, _, speaker, _ in find_clips(str(tmp_path))} == {"en-us+m1"}


def test_without_an_engine_the_earlier_clips_stay(voices, tmp_path, monkeypatch, capsys):
    kept = tmp_path / "clips" / "1_de+f1_0.wav"
    kept.parent.mkdir()
    shutil.copy(voices / kept.name, kept)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["voices", "--engine", "flite", "--output", str(kept.parent)]) == 2
    assert "apt install flite" in capsys.readouterr().err
    assert kept.exists()


def test_each_folder_of_voices_speaks_as_often_as_the_people(voices, tmp_path):
    others = tmp_path / "others"
    others.mkdir()
    for path, digit, speaker, take in find_clips(str(voices)):
        if speaker == "de+f1":
            shutil.copy(path, others / f"{digit}_one-more_{take}.wav")
    people = tmp_path / "people"
    people.mkdir()
    for path, digit, _, take in find_clips(str(voices)):
        shutil.copy(path, people / f"{digit}_ann_{take + 10}.wav")
    counts = {"train": 300, "valid": 0, "test": 0}
    strings = list_strings(str(people), counts, "", True, True, 8000, False, 1 << 20, [str(voices), str(others)])
    heard = Counter(string.speaker for string in strings)
    assert set(heard) == {"ann", "one-more", "en-us+m1", "de+f1"}
    for count in (heard["ann"], heard["one-more"], heard["en-us+m1"] + heard["de+f1"]):
        assert count == pytest.approx(100, abs=25)


def test_another_run_replaces_them(voices, tmp_path):
    command = ["voices", "--output", str(tmp_path), "--takes", "1"]
    assert main([*command, "--voices", "2"]) == 0
    (tmp_path / "1_or_two.wav").write_text("mine")
    assert main([*command, "--voices", "1"]) == 0
    assert len(find_clips(str(tmp_path))) == 10
    assert (tmp_path / "1_or_two.wav").read_text() == "mine"


@pytest.mark.parametrize("left_out", ["", "ann"])
def test_they_are_heard_in_training_alone(voices, tmp_path, left_out):
    people = tmp_path / "people"
    people.mkdir()
    for path, digit, _, take in find_clips(str(voices)):
        for speaker in ("ann", "bob"):
            (people / f"{digit}_{speaker}_{take + 9}.wav").write_bytes(Path(path).read_bytes())
    counts = dict.fromkeys(SPLITS, 60)
    heard: dict[str, Counter] = {split: Counter() for split in SPLITS}
    for string in list_strings(str(people), counts, left_out, True, True, 8000, False, 1 << 20, [str(voices)]):
        heard[string.split][string.speaker] += 1
        assert all(f"_{string.speaker}_" in part for part in string.parts)
    people_heard = {"bob"} if left_out else {"ann", "bob"}
    assert set(heard["train"]) == people_heard | {"en-us+m1", "de+f1"}
    assert set(heard["valid"]) == people_heard
    assert set(heard["test"]) == ({"ann"} if left_out else set())
    assert sum(heard["train"][speaker] for speaker in people_heard) == pytest.approx(
        30, abs=10
    )  # half of them, by chance


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("voices", "--output is missing"),
        ("voices --output {tmp} --voices 595", "--voices: there are 1..594 voices"),
        ("voices --output {tmp} --takes 0", "--takes must be positive"),
        ("voices --output {tmp} --tempo 300 80", "--tempo must be"),
        ("speech --format fsdd --input {voices} --output {tmp} --voices {tmp}", "holds no digit_speaker_take.wav"),
        ("speech --format fsdd --input {voices} --output {tmp} --voices {voices}", "the input itself"),
        ("speech --format fsdd --input {voices} --output {tmp} --voices {again} {again}", "or twice the same"),
        ("voices --engine flite --voices 3 --output {tmp}", "--voices is for --engine espeak"),
        ("speech --format fsdd --input {voices} --output {tmp} --voices {again}", "de+f1 would be heard in training"),
        ("voices --output {again}", "holds clips of ann: name another --output"),
        ("speech --input {voices} --output {tmp} --voices {voices}", "--voices is for --format fsdd"),
    ],
)
def test_mistakes_are_one_line(words, message, voices, tmp_path, capsys):
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(voices / "1_de+f1_0.wav", again / "1_ann_0.wav")
    shutil.copy(voices / "1_de+f1_0.wav", again)
    assert main(words.format(tmp=tmp_path / "out", voices=voices, again=again).split()) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
