"""The tables of error rates: which runs they need, what is done once and not again, what synthesis cuts."""

import json
import os
import sys

import pytest

from benchmarks import recognition


@pytest.fixture
def fsdd(tmp_path):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name in ("0_ann_0", "7_ann_12", "3_bob_4"):
        (folder / f"{name}.wav").write_bytes(b"")
    return folder.parent


@pytest.fixture
def asked(monkeypatch):
    """The commands and the measurements that were asked for; a run is made as they would leave it."""
    found = []

    def command(name, *words):
        found.append(name)
        words = [str(word) for word in words]
        if name == "prepare":
            folder = recognition.Path(words[words.index("--output") + 1])
            folder.mkdir(parents=True)
            (folder / "stats.json").write_text("{}")
        elif name == "train":
            run = recognition.Path(words[words.index("--run") + 1])
            run.mkdir(parents=True)
            (run / "best.keras").write_text("")
            (run / "log.csv").write_text("step,val_cer\n4,0.5\n7,0.4\n")
            (run / "recipe.json").write_text(json.dumps({"recipe": words[0], "updates": 7}))
        else:
            (recognition.Path(words[words.index("--run") + 1]) / "language.json").write_text("{}")

    def evaluate(run, recipe, data, split, lexicon):
        found.append((run.name, data.name, split, lexicon and lexicon.read_text(encoding="utf-8").split()))
        return {"cer": 0.04 if run.name.endswith("-plain") else 0.03, "lines": 9}

    monkeypatch.setattr(recognition, "command", command)
    monkeypatch.setattr(recognition, "evaluate_run", evaluate)
    monkeypatch.setattr(recognition, "register_classes", lambda: None)
    return found


def table(capsys, monkeypatch, root, *words):
    folders = ["--prepared", root / "prepared", "--runs", root / "runs"]
    monkeypatch.setattr(sys, "argv", ["recognition", *map(str, words), *map(str, folders)])
    recognition.main()
    return json.loads(capsys.readouterr().out)


def test_what_is_done_is_not_done_again(fsdd, asked, tmp_path, capsys, monkeypatch):
    words = ("speech", "--input", fsdd, "--only", "digits*ann*")
    assert table(capsys, monkeypatch, tmp_path, *words, "--measure") == {"rows": {}, "left out": {}}
    found = table(capsys, monkeypatch, tmp_path, *words)
    names = ["digits-no-ann", "digits-no-ann-plain"]
    assert list(found["rows"]) == names
    digits = list(recognition.DIGITS)
    assert asked == [x for name in names for x in ("prepare", "train", (name, name, "test", digits))]
    assert found["left out"] == {
        "speakers": 1,
        "cer, synthetic strings": 0.03,
        "cer, strings as recorded": 0.04,
        "cut of the mean": pytest.approx(0.25),
        "mean of the cuts": pytest.approx(0.25),
    }
    asked.clear()
    assert table(capsys, monkeypatch, tmp_path, *words) == found
    assert table(capsys, monkeypatch, tmp_path, *words, "--measure") == found
    assert asked == []
    kept = tmp_path / "runs/digits-no-ann/test-digits-no-ann.json"
    os.utime(kept, (0, 0))
    assert table(capsys, monkeypatch, tmp_path, *words) == found
    assert asked == [("digits-no-ann", "digits-no-ann", "test", digits)]
    log = tmp_path / "runs/digits-no-ann/log.csv"
    log.write_text("step,val_cer\n4,0.5\n")
    assert list(table(capsys, monkeypatch, tmp_path, *words, "--measure")["rows"]) == ["digits-no-ann-plain"]


def test_a_speaker_is_left_out_with_and_without_synthesis(fsdd):
    rows = recognition.speech_rows(recognition.argparse.Namespace(input=fsdd))
    assert list(rows) == ["digits", *(f"digits-no-{name}" for name in ("ann", "ann-plain", "bob", "bob-plain"))]
    (flags,) = rows["digits-no-bob-plain"].folders.values()
    assert flags[-3:] == ["--leave-out", "bob", "--no-synthesis"]
    (flags,) = rows["digits-no-bob"].folders.values()
    assert flags[-2:] == ["--leave-out", "bob"]


def test_the_book_for_tests_is_not_trained_on(asked, tmp_path, capsys, monkeypatch):
    for name in ("b.Adab", "a.Kamil", "c.Buldan"):
        (tmp_path / f"{name}.zip").write_bytes(b"")
    arguments = recognition.argparse.Namespace(input=tmp_path, unseen="Adab")
    rows = recognition.print_rows(arguments)
    for ending in ("", "-plain"):
        folders = rows[f"arabic{ending}"].folders
        assert not any("Adab" in word for word in folders[f"arabic{ending}"])
        assert sum("Adab" in word for word in folders[f"arabic-adab{ending}"]) == 1
        assert ("--no-normalise" in folders[f"arabic-adab{ending}"]) == bool(ending)
    found = table(capsys, monkeypatch, tmp_path, "print", "--input", tmp_path, "--only", "arabic")
    rates = {"cer": 0.03, "lines": 9, "arabic-adab cer": 0.03, "arabic-adab lines": 9}
    assert found == {"rows": {"arabic": rates}}
    with pytest.raises(SystemExit, match="must hold archives"):
        recognition.print_rows(recognition.argparse.Namespace(input=tmp_path, unseen="Hayawan"))


def test_ink_is_read_with_a_language_model(asked, tmp_path, capsys, monkeypatch):
    found = table(capsys, monkeypatch, tmp_path, "ink", "--input", tmp_path, "--only", "*paper*")
    assert list(found["rows"]) == ["ink-recognition-paper-raw", "ink-recognition-paper"]
    assert asked[:4] == ["prepare", "train", "tune", ("ink-recognition-paper-raw", "ink", "test", None)]
    asked.clear()
    assert table(capsys, monkeypatch, tmp_path, "ink", "--input", tmp_path, "--only", "*paper*") == found
    assert asked == []


def test_cuts_are_averaged_over_speakers():
    rows = {"digits": {"cer": 0.9}}
    for name, with_it, without in (("a", 0.03, 0.06), ("b", 0.02, 0.02)):
        rows |= {f"digits-no-{name}": {"cer": with_it}, f"digits-no-{name}-plain": {"cer": without}}
    found = recognition.cut_by_synthesis(rows)
    assert found["speakers"] == 2
    assert found["cut of the mean"] == pytest.approx(0.375)
    assert found["mean of the cuts"] == pytest.approx(0.25)
    assert recognition.cut_by_synthesis({"digits": {"cer": 0.9}}) == {}
