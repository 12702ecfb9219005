"""The tables of error rates: which runs they need, what is done once and not again, what synthesis cuts."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import recognition
from keras_seqgen.recipes import find_recipe, override, save_recipe


@pytest.fixture
def fsdd(tmp_path):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name in ("0_ann_0", "7_ann_12", "3_bob_4"):
        (folder / f"{name}.wav").write_bytes(b"")
    return folder.parent


@pytest.fixture
def settings():
    """Run -> what it was trained with."""
    return {}


@pytest.fixture
def asked(monkeypatch, settings):
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
            settings[run.name] = words[words.index("--set") + 1 :] if "--set" in words else []
            recipe = override(find_recipe(words[0]), settings[run.name])
            save_recipe(recipe, words[0], run)
            (run / "log.csv").write_text(f"step,val_cer\n4,0.5\n{recipe.updates},0.4\n")
        else:
            (recognition.Path(words[words.index("--run") + 1]) / "language.json").write_text("{}")

    def evaluate(run, recipe, data, split, lexicon):
        found.append((run.name, data.name, split, lexicon and lexicon.read_text(encoding="utf-8").split()))
        return {"cer": {"plain": 0.04, "bare": 0.05}.get(run.name.rpartition("-")[2], 0.03), "lines": 9}

    monkeypatch.setattr(recognition, "command", command)
    monkeypatch.setattr(recognition, "evaluate_run", evaluate)
    monkeypatch.setattr(recognition, "register_classes", lambda: None)
    return found


def table(capsys, monkeypatch, root, *words):
    folders = ["--prepared", root / "prepared", "--runs", root / "runs"]
    monkeypatch.setattr(sys, "argv", ["recognition", *map(str, words), *map(str, folders)])
    recognition.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("given", "strings"), [(None, []), (9, ["--strings", "9", "500", "500"])])
def test_every_row_learns_from_as_many_strings(fsdd, tmp_path, given, strings):
    rows = recognition.speech_rows(SimpleNamespace(input=fsdd, strings=given, voices=[tmp_path]))
    asked = [prepare for row in rows.values() for prepare in row.folders.values()]
    assert len(asked) == 1 + 2 * 4
    for prepare in asked:
        assert prepare[5 : 5 + len(strings)] == strings
        assert ("--strings" in prepare) == bool(strings)


def test_what_is_done_is_not_done_again(fsdd, asked, settings, tmp_path, capsys, monkeypatch):
    words = ("speech", "--input", fsdd, "--only", "digits*ann*", "--set", "updates=7", "masks=1")
    assert table(capsys, monkeypatch, tmp_path, *words, "--measure") == {"rows": {}, "left out": {}}
    found = table(capsys, monkeypatch, tmp_path, *words)
    run, plain, bare = names = ["digits-no-ann", "digits-no-ann-plain", "digits-no-ann-bare"]
    assert list(found["rows"]) == names
    digits = list(recognition.DIGITS)
    assert asked == [
        *("prepare", "train", (run, run, "test", digits)),
        *("prepare", "train", (plain, plain, "test", digits)),
        *("train", (bare, plain, "test", digits)),
    ]
    said = ["updates=7", "masks=1"]
    assert settings == {run: said, plain: said, bare: ["noise=0", "masks=0", *said]}, "the user has the last word"
    of_one = {"speakers": 1, "cer, strings as recorded": 0.05}
    assert found["left out"] == {
        "noise and masks on frames": {**of_one, "cer": 0.04, "cut": pytest.approx(0.2)},
        "noise and masks on frames, and synthetic sound": {**of_one, "cer": 0.03, "cut": pytest.approx(0.4)},
    }
    asked.clear()
    assert table(capsys, monkeypatch, tmp_path, *words) == found
    assert table(capsys, monkeypatch, tmp_path, *words, "--measure") == found
    assert asked == []
    kept = tmp_path / "runs/digits-no-ann/test-digits-no-ann.json"
    for other in (["updates=8", "masks=1"], ["updates=7", "masks=1", "seed=2"]):
        with pytest.raises(SystemExit, match=r"digits-no-ann was begun with another (updates|seed).*another --runs"):
            table(capsys, monkeypatch, tmp_path, *words[:-2], *other)
    os.utime(kept, (0, 0))
    assert table(capsys, monkeypatch, tmp_path, *words) == found
    assert asked == [(run, run, "test", digits)]
    log = tmp_path / "runs/digits-no-ann/log.csv"
    log.write_text("step,val_cer\n4,0.5\n")
    assert list(table(capsys, monkeypatch, tmp_path, *words, "--measure")["rows"]) == [plain, bare]


def test_a_speaker_is_left_out_with_and_without_synthesis(fsdd):
    rows = recognition.speech_rows(SimpleNamespace(input=fsdd, strings=None, voices=[]))
    speakers = [f"digits-no-{name}{ending}" for name in ("ann", "bob") for ending in ("", "-plain", "-bare")]
    assert list(rows) == ["digits", *speakers]
    (flags,) = rows["digits-no-bob-plain"].folders.values()
    assert flags[-3:] == ["--leave-out", "bob", "--no-synthesis"]
    assert rows["digits-no-bob-bare"].folders == rows["digits-no-bob-plain"].folders
    (flags,) = rows["digits-no-bob"].folders.values()
    assert flags[-2:] == ["--leave-out", "bob"]
    rows = recognition.speech_rows(SimpleNamespace(input=fsdd, strings=None, voices=[Path("voices")]))
    assert list(rows)[:6] == ["digits", *speakers[:3], "digits-no-ann-voices", speakers[3]]
    (flags,) = rows["digits-no-bob-voices"].folders.values()
    assert flags[-5:] == ["--leave-out", "bob", "--no-synthesis", "--voices", "voices"]


def test_the_book_for_tests_is_not_trained_on(asked, tmp_path, capsys, monkeypatch):
    for name in ("b.Adab", "a.Kamil", "c.Buldan"):
        (tmp_path / f"{name}.zip").write_bytes(b"")
    arguments = SimpleNamespace(input=tmp_path, unseen="Adab")
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
        recognition.print_rows(SimpleNamespace(input=tmp_path, unseen="Hayawan"))


def test_ink_is_read_with_a_language_model(asked, tmp_path, capsys, monkeypatch):
    found = table(capsys, monkeypatch, tmp_path, "ink", "--input", tmp_path, "--only", "*paper*")
    assert list(found["rows"]) == ["ink-recognition-paper-raw", "ink-recognition-paper"]
    assert asked[:4] == ["prepare", "train", "tune", ("ink-recognition-paper-raw", "ink-raw", "test", None)]
    asked.clear()
    assert table(capsys, monkeypatch, tmp_path, "ink", "--input", tmp_path, "--only", "*paper*") == found
    assert asked == []
    with pytest.raises(SystemExit, match="of another --corpus: name another --runs"):
        table(capsys, monkeypatch, tmp_path, "ink", "--input", tmp_path, "--only", "*paper*", "--corpus", "novel.txt")


def test_errors_are_averaged_over_the_speakers_who_were_measured_with_and_without():
    rows = {"digits": {"cer": 0.9}, "digits-no-c": {"cer": 0.9}, "digits-no-c-plain": {"cer": 0.9}}
    for name, with_it, without in (("a", 0.03, 0.06), ("b", 0.02, 0.02)):
        rows |= {f"digits-no-{name}": {"cer": with_it}, f"digits-no-{name}-bare": {"cer": without}}
    (found,) = recognition.cut_by_synthesis(rows).values()
    assert found["speakers"] == 2
    assert found["cer"] == pytest.approx(0.025)
    assert found["cut"] == pytest.approx(0.375)
    assert recognition.cut_by_synthesis({"digits": {"cer": 0.9}}) == {}
