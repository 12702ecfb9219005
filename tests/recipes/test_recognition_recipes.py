"""Recipes for recognisers of ink: what they build, that it learns, that a stopped run goes on as if it had not."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_seqgen.errors import UserError
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


def test_a_run_may_begin_with_another_ones_weights(data, run, tmp_path):
    model = train(small(), data, tmp_path, steps=0, progress=False, start_from=run)
    best = keras.models.load_model(run / "best.keras")
    for a, b in zip(model.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", RECOGNITION_RECIPES)
def test_every_recipe_builds_what_it_says(name, tmp_path):
    recipe = RECIPES[name]
    data = write_prepared(tmp_path, train=4, kind=recipe.features)
    model = recipe.build(data)
    recurrent = [layer for layer in model.layers if "recurrent" in layer.name]
    assert len(recurrent) == recipe.depth
    assert recurrent[0].forward_layer.units == recipe.units
    assert time_stride(model) == recipe.stride
    assert model.output.shape[-1] == 5
    assert recipe.updates > 0
    assert "Graves 2008" in recipe.goal
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
