"""The recipe for script detection: what it sees, that it learns, that a stopped run goes on as if it had not."""

import dataclasses

import numpy as np
import pytest

from keras_seqgen.data.script_batches import script_batches
from keras_seqgen.data.script_classes import text_to_labels
from keras_seqgen.errors import UserError
from keras_seqgen.recipes.script_detection import ScriptRecipe, unit_of
from keras_seqgen.training.callbacks import read_log
from keras_seqgen.training.fit import train
from tests.script_data import HEIGHT, write_prepared

SMALL = ScriptRecipe(
    picture_filters=4,
    filters=16,
    stride=1,
    units=12,
    depth=1,
    batch_size=8,
    steps_per_epoch=15,
    learning_rate=0.01,
    dropout=0.0,
    updates=60,
    average=0.8,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("scripts"))


def test_batches_give_the_class_of_every_frame_that_the_network_labels(data):
    import tensorflow as tf

    from keras_seqgen.data.recognition_schema import from_example

    records = tf.data.TFRecordDataset([str(data / "test-00000-of-00001.tfrecord")]).as_numpy_iterator()
    wanted = [text_to_labels(from_example(record).text)[::3].tolist() for record in records]
    found = []
    for inputs, labels, weight in script_batches(data, "test", 4, stride=3):
        assert labels.shape == weight.shape == (len(inputs["length"]), -(-inputs["frames"].shape[1] // 3))
        for n, row, counts in zip(inputs["length"].numpy(), labels.numpy(), weight.numpy(), strict=True):
            kept = -(-n // 3)
            np.testing.assert_array_equal(counts, np.arange(len(counts)) < kept)
            assert not row[kept:].any()
            found.append(row[:kept].tolist())
    assert sorted(found) == sorted(wanted)


def test_it_learns_and_a_stopped_run_goes_on_as_if_it_had_not(data, tmp_path):
    train(SMALL, data, tmp_path / "whole", progress=False)
    log = read_log(tmp_path / "whole" / "log.csv")
    assert float(log[-1]["val_frame_error"]) < 0.1 < float(log[0]["val_frame_error"])
    train(SMALL, data, tmp_path / "cut", steps=22, progress=False)
    again = train(SMALL, data, tmp_path / "cut", progress=False)
    assert int(again.optimizer.iterations) == 60
    np.testing.assert_allclose(
        [float(row["loss"]) for row in read_log(tmp_path / "cut" / "log.csv")][-1], float(log[-1]["loss"]), rtol=1e-3
    )


def test_the_network_has_the_sizes_of_the_recipe(data):
    recipe = ScriptRecipe()
    model = recipe.build(data)
    assert recipe.time_stride == 4
    assert model.input["frames"].shape == (None, None, HEIGHT)
    assert model.output.shape[-1] == 4
    assert (dataclasses.replace(recipe, picture_filters=0).time_stride, SMALL.time_stride) == (2, 2)
    with pytest.raises(UserError, match="`cell` must be one of"):
        dataclasses.replace(recipe, cell="none").build(data)


def test_data_of_another_system_are_refused(data, tmp_path):
    other = write_prepared(tmp_path, train=1, letters=" abc")
    for use in (unit_of, ScriptRecipe().build, lambda folder: ScriptRecipe().evaluation_batches(data, run=folder)):
        with pytest.raises(UserError, match="prepare script-detection"):
            use(other)
