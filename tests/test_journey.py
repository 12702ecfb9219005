"""The whole way of a system: raw files, Beam, fit, export, and the same numbers at the end, by the public commands."""

import json

import numpy as np
import pytest

from keras_seqgen.cli import main


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """The folder of a short journey: drawn lines, a tiny network, six updates."""
    folder = tmp_path_factory.mktemp("journey")
    data, run, model = (str(folder / name) for name in ("data", "run", "saved_models/handwriting"))
    sizes = ["units=16", "depth=2", "mixture_components=2", "window_components=2", "batch_size=4", "steps_per_epoch=3"]
    corpus = ["--format", "hershey", "--style", "demo", "--count", "60", "--hash-split", "60", "20", "20"]
    assert main(["prepare", "handwriting", *corpus, "--output", data]) == 0
    train = ["train", "handwriting-synthesis", "--data", data, "--run", run, "--steps", "6"]
    assert main([*train, *(word for size in sizes for word in ("--set", size))]) == 0
    assert main(["export", "--run", run, "--to", model]) == 0
    return folder


def printed(capsys, arguments):
    capsys.readouterr()
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_the_exported_model_has_the_numbers_of_the_run(journey, capsys):
    data = ["--data", str(journey / "data"), "--split", "valid", "--json"]
    run = printed(capsys, ["evaluate", "--run", str(journey / "run"), *data])
    exported = printed(capsys, ["evaluate", "--model", str(journey / "saved_models/handwriting"), *data])
    for name in ("nats_per_sequence", "nats_per_point", "nats_per_point_raw", "sequences", "points"):
        assert exported[name] == pytest.approx(run[name], rel=1e-4), name


def test_it_writes_the_same_line_twice_and_another_with_another_seed(journey, capsys):
    model = ["--model", str(journey / "saved_models/handwriting"), "--json"]
    lines = []
    for number, seed in enumerate((3, 3, 4)):
        file = journey / f"line-{number}.json"
        printed(capsys, ["write", "hello", *model, "--seed", str(seed), "-o", str(file)])
        lines.append(np.array(json.loads(file.read_text())["points"]))
    np.testing.assert_array_equal(lines[0], lines[1])
    assert lines[0].shape != lines[2].shape or np.abs(lines[0] - lines[2]).max() > 0


def test_a_gate_refuses_a_worse_model(journey, capsys):
    export = ["export", "--run", str(journey / "run"), "--to", str(journey / "saved_models/handwriting")]
    assert main([*export, "--require", "val_nats_per_sequence<-1e6"]) == 1
    assert [p.name for p in (journey / "saved_models/handwriting").iterdir() if p.name.isdecimal()] == ["1"]
    assert main([*export, "--require", "val_nats_per_sequence<1e6"]) == 0
    assert sorted(p.name for p in (journey / "saved_models/handwriting").iterdir() if p.name.isdecimal()) == ["1", "2"]


def test_a_character_that_the_model_does_not_know_is_named(journey, capsys):
    code = main(["write", "héllo", "--model", str(journey / "saved_models/handwriting"), "-o", str(journey / "x.svg")])
    assert code == 2
    message = capsys.readouterr().err
    assert "é" in message
    assert len(message.strip().splitlines()) == 1


def test_a_primer_in_pixels_is_brought_to_the_models_unit(journey, capsys):
    """The same ink in two units gives the same line; ink of nearly the model's unit is left alone."""
    model = ["--model", str(journey / "saved_models/handwriting")]
    stats = json.loads((journey / "data/stats.json").read_text())["offsets"]
    path = np.random.default_rng(0).normal(stats["mean"], stats["std"], (40, 2)).cumsum(axis=0)
    results = []
    for factor in (0.01, 100.0, 1.0):
        points = [[x * factor, y * factor, 0.0] for x, y in path]
        primer = journey / f"primer-{factor}.json"
        primer.write_text(json.dumps({"text": "ab", "points": points}))
        out = journey / f"primed-{factor}.json"
        capsys.readouterr()
        assert main(["write", "abc", *model, "--prime", str(primer), "-o", str(out)]) == 0
        assert ("is scaled by" in capsys.readouterr().err) == (factor != 1.0)
        results.append(np.array(json.loads(out.read_text())["points"]))
    assert results[0].shape == results[1].shape
    np.testing.assert_allclose(results[0], results[1], atol=1.0)
