"""`keras-seqgen` for script detection: train, evaluate, export, detect."""

import json

import numpy as np
import pytest

from keras_seqgen.cli import main
from keras_seqgen.commands.script_detection import COSTS, ScoredLine, Scores, choose_costs, score, smoothed
from tests.script_data import labels_of_line, picture, write_prepared

SMALL = ["picture_filters=4", "filters=16", "stride=1", "units=12", "depth=1", "batch_size=8", "steps_per_epoch=15"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("scripts")
    (root / "data").mkdir()
    write_prepared(root / "data")
    flags = ["--data", str(root / "data"), "--run", str(root / "run"), "--steps", "60"]
    assert (
        main(["train", "script-detection", *flags, "--set", *SMALL, "updates=60", "average=0.8", "learning_rate=0.01"])
        == 0
    )
    return root


def ask(capsys, *words):
    capsys.readouterr()
    code = main([str(word) for word in words])
    output = capsys.readouterr()
    return code, json.loads(output.out) if output.out.startswith("{") else output.out, output.err


def test_a_run_is_measured_exported_and_asked(trained, tmp_path, capsys, monkeypatch):
    run, data = trained / "run", trained / "data"
    code, _, err = ask(capsys, "export", "--run", run, "--to", tmp_path / "saved_models" / "script-detection")
    assert code == 2
    assert "must first choose on `valid`" in err

    code, numbers, _ = ask(capsys, "evaluate", "--run", run, "--data", data, "--split", "test", "--json")
    assert code == 0
    assert numbers["frame_accuracy"] > 0.9
    assert numbers["segment_f1"] >= numbers["unsmoothed_segment_f1"]
    costs = json.loads((run / "smoothing.json").read_text())
    assert {name: numbers[name] for name in ("change_cost", "background_cost")} == costs
    assert {"arabic_print_accuracy", "garbage_flip_accuracy", "latin_render_accuracy"} <= numbers.keys()
    assert numbers["lines"] == 8
    (tmp_path / "other").mkdir()
    for path in data.iterdir():
        if not path.name.startswith("valid"):
            (tmp_path / "other" / path.name).write_bytes(path.read_bytes())
    code, again, _ = ask(capsys, "evaluate", "--run", run, "--data", tmp_path / "other", "--split", "test", "--json")
    assert (code, again) == (0, numbers), "costs once chosen need no validation lines"

    code, _, _ = ask(capsys, "export", "--run", run, "--to", tmp_path / "saved_models/script-detection", "--json")
    assert code == 0
    model = tmp_path / "saved_models" / "script-detection"
    code, again, _ = ask(capsys, "evaluate", "--model", model, "--data", data, "--split", "test", "--json")
    assert code == 0
    for name, value in again.items():
        assert value == (pytest.approx(numbers[name], abs=1e-6) if isinstance(value, float) else numbers[name])

    labels = np.concatenate([[0] * 8, [1] * 20, [0] * 12, [3] * 24, [0] * 8])
    (tmp_path / "line.png").write_bytes(picture(labels))
    monkeypatch.chdir(tmp_path)  # where saved_models/ is
    code, found, _ = ask(capsys, "detect", "line.png", "--json")
    assert code == 0
    segments = found["images"][0]["segments"]
    assert [segment["label"] for segment in segments] == ["arabic", "latin"]
    np.testing.assert_allclose([segment["begin"] for segment in segments], [16, 80], atol=9)
    np.testing.assert_allclose([segment["end"] for segment in segments], [56, 128], atol=9)
    code, text, _ = ask(capsys, "detect", "line.png")
    assert [row.split("\t")[3] for row in text.splitlines()] == ["arabic", "latin"]
    (tmp_path / "none.png").write_bytes(b"none")
    for file, part in (("none.png", "none.png: picture 1: `image` must be"), ("gone.png", "gone.png cannot be read")):
        code, _, err = ask(capsys, "detect", "line.png", file)
        assert code == 2
        assert part in err


def test_a_cost_that_was_chosen_for_other_weights_is_not_exported(trained, tmp_path, capsys):
    import os

    run = trained / "run"
    ask(capsys, "evaluate", "--run", run, "--data", trained / "data", "--json")
    later = (run / "smoothing.json").stat().st_mtime + 5
    os.utime(run / "best.keras", (later, later))
    code, _, err = ask(capsys, "export", "--run", run, "--to", tmp_path / "model")
    assert code == 2
    assert "must first choose on `valid`" in err


def lines_with_flicker(rng, count=6):
    """Lines whose every tenth frame or so looks like another class."""
    lines = []
    for _ in range(count):
        truth = labels_of_line(rng)
        seen = np.where(rng.random(len(truth)) < 0.1, rng.integers(0, 4, len(truth)), truth)
        log_prob = np.log(np.where(np.arange(4) == seen[:, None], 0.7, 0.1)).astype(np.float32)
        lines.append(ScoredLine(truth, np.where(truth > 0, "print", ""), log_prob))
    return lines


def test_the_chosen_cost_is_the_best_of_all_and_removes_flicker():
    lines = lines_with_flicker(np.random.default_rng(0))
    scores = {costs: score(lines, smoothed(lines, costs)) for costs in COSTS}
    merits = {costs: one.segments.f1 + one.frame_accuracy for costs, one in scores.items()}
    assert merits[choose_costs(lines)] == max(merits.values()) > merits[0.0, 0.0] + 0.1
    for line, path in zip(lines, smoothed(lines, (0.0, 0.0)), strict=True):
        np.testing.assert_array_equal(path, line.log_prob.argmax(axis=1))


def test_scores_by_class_and_by_source():
    truth = np.array([0, 0, 1, 1, 1, 1, 0, 3, 3, 3])
    found = np.array([0, 1, 1, 1, 1, 1, 0, 3, 2, 2])
    sources = np.array(["", "", *["print"] * 4, "", *["render"] * 3], object)
    scores = Scores()
    scores.add(ScoredLine(truth, sources, np.zeros((10, 4))), found)
    numbers = scores.report()
    assert numbers["frame_accuracy"] == pytest.approx(0.7)
    assert numbers["background_accuracy"] == pytest.approx(2 / 3)
    assert numbers["arabic_accuracy"] == 1.0
    assert numbers["latin_accuracy"] == pytest.approx(1 / 3)
    assert numbers["garbage_accuracy"] is None
    assert (numbers["segment_precision"], numbers["segment_recall"]) == (pytest.approx(1 / 3), 0.5)
    assert scores.sources == {(1, "print"): [4, 4], (3, "render"): [1, 3]}
