import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_seqgen.cli import main
from keras_seqgen.commands.serving import meets
from keras_seqgen.errors import UserError

ROOT = Path(__file__).parents[1]
COMMANDS = ["prepare", "train", "evaluate", "export", "serve", "write", "sample", "score", "ngram", "segment"]
COMMANDS += ["recognise", "detect", "tune", "show", "demo"]


def test_help_answers_in_under_a_second():
    def seconds():
        started = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "-m", "keras_seqgen.cli", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert all(command in result.stdout for command in COMMANDS)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 1.0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"examples:\n  keras-seqgen {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("", "COMMAND"),
        ("scribble", "scribble"),
        ("train --nonsense 1", "--nonsense"),
        ("train", "RECIPE"),
        ("train handwriting-demo --run {tmp}/run", "--data"),
        ("train no-such --data {tmp} --run {tmp}/run", "handwriting-demo"),
        ("train handwriting-demo --data {tmp} --run {tmp}/run --set depht=2", "depth"),
        ("train handwriting-demo --data {tmp} --run {tmp}/run --set depth=two", "int"),
        ("train handwriting-demo --data {tmp} --run {tmp}/run --minutes 0", "--minutes"),
        ("evaluate --data {tmp}", "--run"),
        ("evaluate --run {tmp} --data {tmp}", "recipe.json"),
        ("prepare scribbles", "handwriting"),
        ("prepare handwriting --format hershey", "--output"),
        ("show curves {tmp} -o {tmp}/curves.png", "log.csv"),
        ("show lines {tmp} -o {tmp}/lines.png", "prepare"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line, word, tmp_path, capsys):
    try:
        code = main(line.format(tmp=tmp_path).split())
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert word in err


def test_recipes_are_listed(capsys):
    assert main(["train", "--list"]) == 0
    assert "-1096.9" in capsys.readouterr().out
    assert main(["train", "--list", "--json"]) == 0
    assert "handwriting-demo" in json.loads(capsys.readouterr().out)


def test_every_command_from_raw_files_to_a_written_line(tmp_path, capsys):
    data, run = str(tmp_path / "data"), str(tmp_path / "run")
    prepare = "prepare handwriting --format hershey --style demo --count 60 --hands 20 --hash-split 60 20 20 --output"
    assert main([*prepare.split(), data]) == 0
    small = ["--set", "units=8", "depth=1", "steps_per_epoch=2", "--set", "batch_size=4"]
    train = ["train", "handwriting-demo", "--data", data, "--run", run, "--json"]
    capsys.readouterr()

    assert main([*train, *small, "--steps", "2"]) == 0
    out, err = capsys.readouterr()
    first = json.loads(out)
    assert first["last"]["step"] == 2
    assert "epoch 1" in err

    again = [sys.executable, "-m", "keras_seqgen.cli", *train, "--steps", "4"]  # goes on, with the run's own settings
    assert json.loads(subprocess.run(again, cwd=ROOT, capture_output=True, check=True).stdout)["last"]["step"] == 4
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["units"] == 8
    assert main([*train, "--set", "units=9"]) == 2
    assert "units=8" in capsys.readouterr().err

    assert main(["evaluate", "--run", run, "--data", data, "--split", "valid", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["split"] == "valid"
    assert {"nats_per_sequence", "nats_per_point_raw", "stroke_error"} <= set(numbers)

    assert main(["show", "curves", run, "-o", str(tmp_path / "curves.svg")]) == 0
    assert main(["show", "lines", data, "--split", "train", "--count", "3", "-o", str(tmp_path / "lines.svg")]) == 0
    assert (tmp_path / "curves.svg").stat().st_size > 1000
    assert (tmp_path / "lines.svg").read_text().count("<path") == 3

    model = str(tmp_path / "saved_models" / "handwriting")
    export = ["export", "--run", run, "--to", model, "--json"]
    assert main([*export, "--require", "val_nats_per_sequence<-1e9"]) == 1
    assert main([*export, "--require", "accuracy>1"]) == 2
    (tmp_path / "card.md").write_text("# Free of terms\n")
    capsys.readouterr()
    assert main([*export, "--card", str(tmp_path / "card.md")]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == f"{model}/1"
    card = (tmp_path / "saved_models" / "handwriting" / "1" / "README.md").read_text()
    assert card.startswith("# Free of terms")
    assert "val_nats_per_sequence" in card

    assert main(["evaluate", "--model", model, "--data", data, "--split", "valid", "--json"]) == 0
    served = json.loads(capsys.readouterr().out)
    for name in ("nats_per_sequence", "nats_per_point_raw"):
        assert served[name] == pytest.approx(numbers[name], rel=1e-4)

    write = ["write", "--model", model, "--json", "-o"]
    assert main([*write, str(tmp_path / "line.json"), "ab"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"] == ["ab"]
    assert main([*write, str(tmp_path / "page.svg"), "ab", "c", "--prime", str(tmp_path / "line.json")]) == 0
    assert (tmp_path / "page.svg").read_text().count("<path") == 2
    capsys.readouterr()
    for words, message in (
        ([str(tmp_path / "line.svg"), "caf\u00e9"], "\u00e9"),
        ([str(tmp_path / "line.gif"), "a"], ".svg"),
        ([str(tmp_path / "line.svg"), "a", "--prime-text", "b"], "--prime"),
        ([str(tmp_path / "line.svg"), "a", "--prime", str(tmp_path / "none.json")], "none.json"),
    ):
        assert main([*write, *words]) == 2
        out, err = capsys.readouterr()
        assert message in err
        assert (out, err.count("\n")) == ("", 1)
    assert not (tmp_path / "line.svg").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("two.json", '{"lines": [{"points": [[0, 0, 0], [1, 1, 1]]}, {"points": [[0, 0, 0], [2, 2, 1]]}]}', "2 lines"),
        ("three.ndjson", '{"drawing": [[[0, 3], [1, 5]]]}\n' * 3, "3 lines"),
        ("nan.json", '{"points": [[0, 0, 0], [NaN, 1, 1]]}', "not finite"),
        ("nan.inkml", "<ink><trace>0 0, nan 1</trace></ink>", "not finite"),
        ("one.inkml", "<ink><trace>0 0</trace></ink>", "fewer than 2 points"),
        ("none.json", '{"lines": []}', "no line of ink"),
        ("none.ndjson", "\n", "no line of ink"),
        ("bad.inkml", "<ink><trace>1 2 3</trace></ink>", "not 2 values"),
        ("flat.json", '{"points": [1, 2]}', "no points"),
    ],
)
def test_primers_that_cannot_be_used_are_told(name, content, message, tmp_path, capsys):
    path = tmp_path / name
    path.write_text(content)
    words = ["write", "a", "--prime", str(path), "--prime-text", "b", "--server", "localhost:1", "-o", "line.svg"]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert str(path) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("requirement", "met"), [("x<2", True), ("x < 1.5", False), ("x<=1.5", True), ("x>-1e3", True), ("x >= 1.6", False)]
)
def test_requirements(requirement, met):
    assert meets(requirement, {"x": 1.5}) is met


@pytest.mark.parametrize("requirement", ["x", "x=1", "x<", "x<one", "y<1", "<1", "x<1-2"])
def test_requirements_that_cannot_be_read(requirement):
    with pytest.raises(UserError, match="--require"):
        meets(requirement, {"x": 1.5})


def test_demo_runs_what_is_not_done_yet_and_stops_at_a_failure(tmp_path, monkeypatch, capsys):
    asked, codes = [], {}

    def run(command, check):
        asked.append(command[3])
        return subprocess.CompletedProcess(command, codes.get(command[3], 0))

    monkeypatch.setattr(subprocess, "run", run)
    folder = tmp_path / "demo"
    assert main(["demo", "--folder", str(folder)]) == 0
    assert asked == ["prepare", "train", "export", "write", "write"]
    assert f"keras-seqgen train handwriting-demo --data {folder}/data" in capsys.readouterr().err

    (folder / "data").mkdir(parents=True)
    (folder / "data" / "stats.json").write_text("{}")
    asked.clear()
    codes["train"] = 7
    assert main(["demo", "--folder", str(folder)]) == 7
    assert asked == ["train"]
