"""The pipeline for speech from files to files."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.recognition_batches import FrameUnit, recognition_batches
from keras_seqgen.data.recognition_schema import from_example
from keras_seqgen.data.speech_features import SpeechForm, decode_wav, log_mel
from keras_seqgen.data.speech_synthesis import Synthesis, join_clips, synthesise
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines.__main__ import main as pipelines_main
from pipelines.speech import main
from pipelines.speech_sources import list_recordings
from pipelines.speech_strings import WORDS, list_strings, split_of
from pipelines.splits import HashSplit, PublishedSplit, stable_hash

SPLITS = ("train", "valid", "test")


def prepare(*flags):
    return main([str(flag) for flag in flags])


def lines(folder, split):
    files = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    return {line.name: line for line in map(from_example, tf.data.TFRecordDataset(files).as_numpy_iterator())}


def everything(folder):
    return {name: line for split in SPLITS for name, line in lines(folder, split).items()}


def stats(folder):
    return json.loads((folder / "stats.json").read_text())


def dead_letters(folder):
    return [json.loads(row) for path in sorted(folder.glob("dead_*")) for row in path.read_text().splitlines()]


def write_wav(path, number=0, count=4000, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    samples = 3000 * np.sin(2 * np.pi * (200 + 40 * number) * np.arange(count) / rate) + 30 * rng.normal(size=count)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def write_pairs(root, texts):
    for number, text in enumerate(texts):
        write_wav(root / f"{number:03d}.wav", number)
        (root / f"{number:03d}.txt").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """FSDD's layout: three speakers, four digits, takes 0 to 11."""
    root = tmp_path_factory.mktemp("fsdd")
    for s, speaker in enumerate(("ann", "bob", "cy")):
        for digit in (0, 3, 7, 9):
            for take in range(12):
                place = root / "recordings" / f"{digit}_{speaker}_{take}.wav"
                write_wav(place, 100 * s + 10 * digit + take, 1600 + 80 * take)
    return root


FSDD = ("--format", "fsdd", "--strings", 40, 12, 12, "--shards", 3)


@pytest.fixture(scope="module")
def prepared(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    assert prepare(*FSDD, "--input", digits, "--output", out) == 0
    return out


def test_strings_of_digits_and_their_counts(prepared):
    assert stats(prepared)["records"] == {"in": 64, "out": 64, "dead": 0}
    assert [len(lines(prepared, split)) for split in SPLITS] == [40, 12, 12]
    found = everything(prepared)
    lengths = [len(line.text.split()) for line in found.values()]
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert {word for line in found.values() for word in line.text.split()} == {"zero", "three", "seven", "nine"}
    assert {line.writer for line in found.values()} == {"ann", "bob", "cy"}


@pytest.mark.parametrize("left_out", ["", "bob"])
def test_no_clip_is_heard_in_two_splits(digits, left_out):
    counts = dict.fromkeys(SPLITS, 200)
    heard = {split: set() for split in SPLITS}
    for string in list_strings(str(digits), counts, left_out, True, True, 8000, False, 1 << 20):
        heard[string.split] |= set(string.parts)
        assert {part.split("_")[1] for part in string.parts} == {string.speaker}
        assert [WORDS[int(part.rsplit("/", 1)[1][0])] for part in string.parts] == string.text.split()
        assert string.synthetic == (string.split == "train")
    takes = {split: {int(part.split("_")[2][:-4]) for part in parts} for split, parts in heard.items()}
    speakers = {split: {part.split("_")[1] for part in parts} for split, parts in heard.items()}
    assert not heard["train"] & heard["test"]
    assert not heard["train"] & heard["valid"]
    assert not heard["valid"] & heard["test"]
    if left_out:
        assert (speakers["train"], speakers["valid"], speakers["test"]) == ({"ann", "cy"}, {"ann", "cy"}, {"bob"})
    else:
        assert (takes["test"], takes["valid"], takes["train"]) == (set(range(5)), set(range(5, 10)), {10, 11})


def test_the_splits_of_takes_and_speakers():
    assert [split_of("ann", take, "") for take in (0, 4, 5, 9, 10, 49)] == ["test"] * 2 + ["valid"] * 2 + ["train"] * 2
    assert [split_of("ann", take, "bob") for take in (0, 9, 10)] == ["valid", "valid", "train"]
    assert {split_of("bob", take, "bob") for take in range(50)} == {"test"}


def test_a_longer_list_begins_as_a_shorter_one_does(digits):
    def listed(count):
        counts = dict(zip(SPLITS, (count, 0, 0), strict=True))
        return list(list_strings(str(digits), counts, "", True, False, 8000, False, 1 << 20))

    assert listed(30)[:10] == listed(10)
    assert len({(tuple(string.parts), string.seed) for string in listed(30)}) == 30


def test_frames_are_the_functions_of_the_data_floor(digits, prepared, tmp_path):
    assert prepare(*FSDD, "--input", digits, "--output", tmp_path, "--no-synthesis") == 0
    plain, changed = everything(tmp_path), everything(prepared)
    counts = dict(zip(SPLITS, (40, 12, 12), strict=True))
    for string in list_strings(str(digits), counts, "", True, True, 8000, False, 1 << 20):
        clips = [decode_wav(Path(part).read_bytes())[0] for part in string.parts]
        sound = join_clips(clips, 8000, string.seed)
        np.testing.assert_array_equal(plain[string.name].frames, log_mel(sound, SpeechForm()))
        if string.split == "train":
            sound = synthesise(sound, Synthesis(), string.seed + 1)
        np.testing.assert_array_equal(changed[string.name].frames, log_mel(sound, SpeechForm()))


def test_the_recognisers_batches_read_the_folder(prepared):
    unit = FrameUnit.load(prepared / "stats.json")
    assert SpeechForm.from_kind(unit.kind, len(unit.names)) == SpeechForm()
    rows = np.concatenate([line.frames for line in lines(prepared, "train").values()]).astype(np.float64)
    np.testing.assert_allclose(unit.mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(unit.std, rows.std(axis=0), rtol=1e-4)
    vocabulary = Vocabulary.load(prepared / "vocabulary.json")
    texts = sorted(line.text for line in lines(prepared, "valid").values())
    read = []
    for inputs, labels in recognition_batches(prepared, "valid", 5).as_numpy_iterator():
        assert inputs["frames"].shape[2] == 40
        read += [vocabulary.decode(row) for row in labels]
    assert sorted(read) == texts


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_whatever_the_number_of_workers(digits, prepared, tmp_path, workers):
    parallel = ("--direct_num_workers", workers, "--direct_running_mode", "multi_threading")
    assert prepare(*FSDD, "--input", digits, "--output", tmp_path, *parallel) == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in prepared.iterdir()}


def test_a_broken_clip_costs_one_dead_letter_and_no_string(digits, tmp_path):
    root = tmp_path / "fsdd"
    for path in sorted((digits / "recordings").glob("3_*.wav")):
        (root / path.name).parent.mkdir(exist_ok=True)
        (root / path.name).write_bytes(path.read_bytes())
    (root / "3_ann_10.wav").write_bytes(b"RIFF")
    write_wav(root / "3_bob_0.wav", rate=44100)
    assert prepare(*FSDD, "--input", root, "--output", tmp_path / "out", "--figures") == 0
    letters = dead_letters(tmp_path / "out")
    assert {letter["name"]: letter["reason"] for letter in letters} == {
        "3_ann_10.wav": "unreadable sound",
        "3_bob_0.wav": "wrong sample rate",
    }
    assert stats(tmp_path / "out")["records"] == {"in": 66, "out": 64, "dead": 2}
    assert {line.text for line in everything(tmp_path / "out").values()} <= {"3", "33", "333", "3333", "33333"}


def test_each_fault_of_a_recording_costs_one_dead_letter(tmp_path):
    root = write_pairs(
        tmp_path / "mine", ["good", "", "cut short", "x" * 90, "another rate", "silent", "latin", "long"]
    )
    (root / "002.wav").write_bytes((root / "002.wav").read_bytes()[:3000])
    write_wav(root / "004.wav", rate=11025)
    (root / "005.wav").write_bytes((root / "005.wav").read_bytes()[:44] + bytes(8000))
    (root / "006.txt").write_bytes("é".encode("latin-1"))
    write_wav(root / "007.wav", count=50_000)
    write_wav(root / "008.wav")
    (root / "009.flac").write_bytes(b"fLaC")
    book = root / "84" / "121"
    write_wav(book / "84-121-0000.wav", 1, 6000)
    write_wav(book / "84-121-0002.wav", 1, 6000)
    (book / "84-121.trans.txt").write_text("84-121-0000 GO ON\n84-121-0001 GONE\n\n84-121-0002\n84-121-0000 TWICE\n")
    flags = ("--rate", 8000, "--hash-split", 100, 0, 0, "--max-seconds", 5, "--output", tmp_path / "out")
    assert prepare("--input", root, *flags) == 0
    letters = dead_letters(tmp_path / "out")
    assert {letter["name"]: letter["reason"] for letter in letters} == {
        "mine/001": "no text",
        "mine/002": "unreadable sound",
        "mine/003": "label longer than its input",
        "mine/004": "wrong sample rate",
        "mine/005": "silent",
        "mine/006": "unreadable text",
        "mine/007": "too long",
        "mine/008": "no text",
        "mine/009": "no sound",
        "mine/84/121/84-121-0001": "no sound",
        "mine/84/121/84-121-0002": "no text",
        "mine/84/121/84-121-0000#4": "named twice",
    }
    assert all(letter["path"] and letter["detail"] for letter in letters)
    counts = stats(tmp_path / "out")["records"]
    assert counts == {"in": 14, "out": 2, "dead": 12}
    found = everything(tmp_path / "out")
    assert {name: (line.text, line.writer) for name, line in found.items()} == {
        "mine/000": ("good", ""),
        "mine/84/121/84-121-0000": ("GO ON", "84"),
    }
    np.testing.assert_array_equal(
        found["mine/000"].frames, log_mel(decode_wav((root / "000.wav").read_bytes())[0], SpeechForm())
    )


def test_another_rate_is_converted_where_that_is_asked_for(tmp_path):
    root = tmp_path / "in"
    write_wav(root / "a.wav", rate=16000, count=16000)
    (root / "a.txt").write_text("one second")
    flags = ("--input", root, "--rate", 8000, "--hash-split", 100, 0, 0, "--output", tmp_path / "out")
    assert prepare(*flags) == 1
    assert prepare(*flags, "--resample") == 0
    (line,) = everything(tmp_path / "out").values()
    write_wav(root / "b.wav", rate=8000, count=8000)
    direct = log_mel(decode_wav((root / "b.wav").read_bytes())[0], SpeechForm())
    assert line.frames.shape == direct.shape
    assert np.abs(line.frames[5:-5].argmax(axis=1) - direct[5:-5].argmax(axis=1)).max() == 0


def test_copies_are_of_the_training_split_alone_and_differ(tmp_path):
    root = write_pairs(tmp_path / "in", ["one two"] * 12)
    flags = ("--input", root, "--rate", 8000, "--hash-split", 60, 20, 20, "--copies", 2)
    assert prepare(*flags, "--output", tmp_path / "out") == 0
    train = lines(tmp_path / "out", "train")
    originals = {name for name in train if "#" not in name}
    assert train.keys() == {name + copy for name in originals for copy in ("", "#1", "#2")}
    assert len(originals) + sum(len(lines(tmp_path / "out", split)) for split in ("valid", "test")) == 12
    name = min(originals)
    assert len({train[name + copy].frames.tobytes() for copy in ("", "#1", "#2")}) == 3
    sound = decode_wav((root / f"{name[-3:]}.wav").read_bytes())[0]
    expected = synthesise(sound, Synthesis(), stable_hash(f"{name}#1") + 1)
    np.testing.assert_array_equal(train[name + "#1"].frames, log_mel(expected, SpeechForm()))


def test_folders_name_splits_and_speakers(tmp_path):
    for number, folder in enumerate(("train-clean-100/anna", "dev-other/bert", "test-clean/carl")):
        write_pairs(tmp_path / "libri" / folder, ["some text"] * (number + 1))
    found = list(list_recordings(str(tmp_path / "libri"), "speaker", PublishedSplit(), 0))
    assert [source.split for source in found] == ["valid"] * 2 + ["test"] * 3 + ["train"]
    assert {source.speaker for source in found} == {"anna", "bert", "carl"}
    by_speaker = list(list_recordings(str(tmp_path / "libri"), "speaker", HashSplit((50, 25, 25)), 0))
    assert len({(source.speaker, source.split) for source in by_speaker}) == 3


@pytest.mark.parametrize(
    ("name", "split"),
    [("training", "train"), ("Train_clean", "train"), ("validation", "valid"), ("testing2", "test"), ("trainer", None)],
)
def test_what_a_folder_that_names_a_split_may_be_called(tmp_path, name, split):
    write_pairs(tmp_path / "in" / name, ["some text"])
    (source,) = list_recordings(str(tmp_path / "in"), "recording", lambda source: source.split or None, 0)
    assert (source.split or None) == split


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output", "out"], "--input is missing"),
        (["--input", "{root}"], "--output is missing"),
        (["--input", "nowhere", "--output", "out"], "no file was found below nowhere"),
        (["--input", "{root}", "--output", "out", "--rate", "10"], "`rate` must be at least 1000"),
        (["--input", "{root}", "--output", "out", "--speed", "2"], "`speed` must be in"),
        (["--input", "{root}", "--output", "out", "--stride", "0"], "--stride must be positive"),
        (["--input", "{root}", "--output", "out", "--copies", "-1"], "must not be negative"),
        (["--input", "{root}", "--output", "out", "--leave-out", "ann"], "is for --format fsdd"),
        (["--input", "{root}", "--output", "out", "--format", "fsdd"], "holds no digit_speaker_take.wav"),
        (["--input", "{fsdd}", "--output", "out", "--format", "fsdd", "--leave-out", "eve"], "ann, bob, cy"),
        (["--input", "{root}", "{fsdd}", "--output", "out", "--format", "fsdd"], "reads one folder"),
        (["--input", "{root}", "--output", "out", "--hash-split", "1", "2", "3"], "add up to 100"),
        (["--input", "{empty}", "--output", "out"], "no record was found"),
    ],
)
def test_a_users_mistake_is_told_with_exit_code_2(digits, tmp_path, monkeypatch, capsys, flags, message):
    write_pairs(tmp_path / "mine", ["text"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    places = {"root": tmp_path / "mine", "fsdd": digits, "empty": tmp_path / "empty"}
    assert pipelines_main(["speech", *(flag.format(**places) for flag in flags)]) == 2
    assert message in capsys.readouterr().err


def test_real_digits_through_the_command(data, tmp_path):
    from keras_seqgen.cli import main as cli

    stored = np.load(data / "fsdd" / "fsdd_8khz.npz")
    audio, offset = stored["audio"], stored["offset"]
    for i in range(0, len(offset) - 1, 7):
        name = f"{stored['digit'][i]}_{stored['speaker'][i]}_{stored['index'][i]}.wav"
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(audio[offset[i] : offset[i + 1]].astype("<i2").tobytes())
    flags = ["--format", "fsdd", "--strings", "40", "10", "10", "--leave-out", "lucas", "--output"]
    assert cli(["prepare", "speech", "--input", str(tmp_path), *flags, str(tmp_path / "out")]) == 0
    assert stats(tmp_path / "out")["records"] == {"in": 60, "out": 60, "dead": 0}
    assert {line.writer for line in lines(tmp_path / "out", "test").values()} == {"lucas"}
