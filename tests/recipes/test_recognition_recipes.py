"""Recipes for recognisers: what they build, that it learns, that a stopped run goes on as if it had not."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_seqgen.cli import main
from keras_seqgen.errors import UserError
from keras_seqgen.layers.clipped_relu import clipped_relu
from keras_seqgen.models.ctc_recogniser import time_stride
from keras_seqgen.recipes import RECIPES, find_recipe, override
from keras_seqgen.recipes.recognition import RECOGNITION_RECIPES
from keras_seqgen.training.callbacks import read_log
from keras_seqgen.training.fit import train
from tests.recognition_data import write_prepared

SMALL = ["units=12", "batch_size=8", "steps_per_epoch=20", "learning_rate=0.02", "average=0.8", "updates=0"]


def small(*settings):
    return override(find_recipe("ink-recognition-paper-raw"), [*SMALL, *settings])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(small(), data, folder, steps=80, progress=False)
    return folder


def test_it_learns_to_read(run):
    log = read_log(run / "log.csv")
    assert float(log[-1]["val_cer"]) < 0.2 < float(log[0]["val_cer"])
    assert float(log[-1]["val_wer"]) <= 1
    assert float(log[-1]["loss"]) < float(log[0]["loss"]) / 3
    assert (run / "best.keras").exists()


def test_a_stopped_run_goes_on_as_if_it_had_not(data, run, tmp_path):
    train(small(), data, tmp_path, steps=30, progress=False)
    train(small(), data, tmp_path, steps=40, progress=False)
    whole, parts = ({row["step"]: row for row in read_log(folder / "log.csv")} for folder in (run, tmp_path))
    assert list(parts) == ["20", "30", "40"]
    for step in ("20", "40"):
        np.testing.assert_allclose(float(parts[step]["val_cer"]), float(whole[step]["val_cer"]), atol=0.02)
    np.testing.assert_allclose(float(parts["20"]["loss"]), float(whole["20"]["loss"]), rtol=1e-3)


def test_texts_that_a_stride_leaves_no_room_for_are_named_with_the_remedy(data, tmp_path, capsys):
    settings = ["--set", *SMALL, "filters=2", "stride=30"]
    assert main(["train", "ink-recognition-paper-raw", "--data", str(data), "--run", str(tmp_path), *settings]) == 2
    assert "prepare ink-recognition --stride 30`" in capsys.readouterr().err


def test_a_run_may_begin_with_another_ones_weights(data, run, tmp_path):
    model = train(small(), data, tmp_path, steps=0, progress=False, start_from=run)
    best = keras.models.load_model(run / "best.keras")
    for a, b in zip(model.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", RECOGNITION_RECIPES)
def test_every_recipe_builds_what_it_says(name, tmp_path):
    recipe = RECIPES[name]
    kind = {"text-lines": "line-rtl", "speech": "log-mel-8000"}.get(recipe.system, recipe.features)
    data = write_prepared(tmp_path, train=4, kind=kind)
    model = recipe.build(data)
    recurrent = [layer for layer in model.layers if "recurrent" in layer.name]
    assert len(recurrent) == recipe.depth
    assert recurrent[0].forward_layer.units == recipe.units
    assert time_stride(model) == recipe.time_stride
    assert model.output.shape[-1] == 5
    assert recipe.updates > 0
    assert ("Graves 2008" if recipe.system == "ink-recognition" else "CER") in recipe.goal
    if "paper" in name:
        assert (recipe.units, recipe.depth, recipe.filters, recipe.cell) == (100, 1, 0, "peephole_lstm")
    inputs, labels = next(iter(recipe.train_batches(data)))
    assert np.isfinite(float(model.loss(labels[:, :1], model(inputs, training=True))))


def test_features_of_another_kind_are_refused(data):
    with pytest.raises(UserError, match="prepare ink-recognition --features preprocessed"):
        find_recipe("ink-recognition-paper").build(data)


def test_an_unknown_cell_is_refused(data):
    with pytest.raises(UserError, match="`cell` must be one of"):
        dataclasses.replace(small(), cell="brain").build(data)


def test_print_is_shortened_by_no_more_than_the_pipeline_left_room_for(tmp_path):
    recipe = find_recipe("text-lines")
    assert recipe.time_stride <= 4
    model = recipe.build(write_prepared(tmp_path, train=4, kind="plain-line"))
    first, second = model.get_layer("convolution_1"), model.get_layer("convolution_2")
    assert (first.kernel_size, first.strides, first.filters) == ((3, 3), (2, 2), 16)
    assert second.kernel.shape[1] == 2 * 16, "4 rows, of which every second one is left"


def test_speech_is_read_as_deep_speech_reads(tmp_path):
    recipe = find_recipe("speech-digits")
    assert (recipe.depth, recipe.time_stride) == (1, 2)
    model = recipe.build(write_prepared(tmp_path, train=4, kind="log-mel-8000"))
    order = [name for layer in model.layers if (name := layer.name).startswith(("convolution", "recurrent", "hidden"))]
    assert order == ["convolution_1", "recurrent_1", "hidden_1"]
    assert model.get_layer("convolution_1").activation is model.get_layer("hidden_1").activation is clipped_relu
    best = tmp_path / "best.keras"
    model.save(best)
    again = keras.models.load_model(best, compile=False)
    assert again.get_layer("hidden_1").activation(np.float32(30.0)) == 20


def test_the_colour_of_a_microphone_changes_nothing_in_speech(tmp_path):
    model = find_recipe("speech-digits").build(write_prepared(tmp_path, train=4, kind="log-mel-8000"))
    rng = np.random.default_rng(0)
    width = model.input["frames"].shape[-1]
    frames, colour = rng.normal(size=(2, 9, width)).astype("float32"), rng.normal(size=width).astype("float32")
    plain, coloured = (model({"frames": x, "length": np.array([9, 5])}) for x in (frames, frames + colour))
    np.testing.assert_allclose(plain[0], coloured[0], atol=1e-4)
    np.testing.assert_allclose(plain[1, :3], coloured[1, :3], atol=1e-4)


def test_an_unknown_activation_is_refused(data):
    with pytest.raises(UserError, match="must be relu or clipped_relu"):
        dataclasses.replace(small(), activation="sine").build(data)


@pytest.mark.parametrize(("name", "kind"), [("text-lines", "log-mel-8000"), ("speech-digits", "line")])
def test_features_of_another_system_are_refused(name, kind, tmp_path):
    recipe = find_recipe(name)
    with pytest.raises(UserError, match=f"holds {kind} features; .* prepare {recipe.system}"):
        recipe.build(write_prepared(tmp_path, train=4, kind=kind))


def test_a_run_is_not_evaluated_on_features_of_another_kind(tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    for folder, kind in ((data, "line"), (run, "plain-line")):
        folder.mkdir()
        write_prepared(folder, train=4, kind=kind)
    recipe = find_recipe("text-lines")
    assert recipe.evaluation_batches(data, run=data)
    with pytest.raises(UserError, match=r"holds line features; .* was trained on plain-line ones"):
        recipe.evaluation_batches(data, run=run)
    found = json.loads((data / "stats.json").read_text())["features"]["kind"]
    assert dataclasses.replace(recipe, features=found).evaluation_batches(data)
    with pytest.raises(UserError, match=r"this recipe reads line-rtl ones$"):
        dataclasses.replace(recipe, features="line-rtl").evaluation_batches(data)
