import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.errors import UserError
from keras_seqgen.models import fcn8s, small_backbone
from keras_seqgen.models.segmenter import CRF, has_crf
from keras_seqgen.recipes.segmentation import SEGMENTATION_RECIPES, class_weights
from keras_seqgen.training.callbacks import read_log
from keras_seqgen.training.fit import train
from tests.segmentation_data import LABELS, SIZE, write_prepared

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
SMALL = {"batch_size": 2, "steps_per_epoch": 4, "updates": 0, "average": 0.0, "weight_decay": 0.0}
FCN = dataclasses.replace(
    SEGMENTATION_RECIPES["segmentation-fcn"], **SMALL, crop_height=24, crop_width=32, zoom=1.2, learning_rate=3e-3
)
CRF_RNN = dataclasses.replace(
    SEGMENTATION_RECIPES["segmentation-crf-rnn"], **SMALL, theta_alpha=20.0, iterations=2, test_iterations=3
)


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """A network of the same shape with fewer channels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory, narrow):
    return write_prepared(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def fcn_run(data, tmp_path_factory):
    """A run of 12 updates without interruption."""
    run = tmp_path_factory.mktemp("fcn")
    train(FCN, data, run, steps=12, progress=False)
    return run


@pytest.mark.parametrize("name", SEGMENTATION_RECIPES)
def test_every_recipe_is_one_of_its_kind(name):
    recipe = SEGMENTATION_RECIPES[name]
    assert recipe.system == "segmentation"
    assert recipe.goal
    assert {field.name for field in dataclasses.fields(recipe)} >= recipe.settled


def test_the_published_rates_are_those_of_a_mean_over_pixels():
    recipe = SEGMENTATION_RECIPES["segmentation-voc-crf-rnn"]
    assert recipe.learning_rate == 2.5e-8
    assert recipe.learning_rate * recipe.filter_factor == pytest.approx(2.5e-4)
    assert recipe.learning_rate * recipe.compatibility_factor == pytest.approx(2.5e-5)
    assert (recipe.momentum, recipe.iterations, recipe.test_iterations) == (0.99, 5, 10)


def test_it_learns_and_keeps_the_best(fcn_run):
    log = read_log(fcn_run / "log.csv")
    assert [int(row["step"]) for row in log] == [4, 8, 12]
    values = [float(row["val_one_minus_mean_iu"]) for row in log]
    assert float(log[-1]["loss"]) < float(log[0]["loss"])
    assert float(log[-1]["val_mean_iu"]) == pytest.approx(1 - values[-1])
    assert keras.models.load_model(fcn_run / "best.keras").output.shape[-1] == LABELS.count
    assert min(values) < 0.75


@pytest.mark.slow
def test_resuming_continues_the_same_curve(data, fcn_run, tmp_path):
    train(FCN, data, tmp_path, steps=5, progress=False)
    train(FCN, data, tmp_path, steps=12, progress=False)
    whole, parts = (
        {int(row["step"]): float(row["val_mean_iu"]) for row in read_log(run / "log.csv")}
        for run in (fcn_run, tmp_path)
    )
    assert parts.keys() == whole.keys() | {5}
    for step, value in whole.items():
        assert parts[step] == pytest.approx(value, abs=2e-3)


@pytest.mark.slow
def test_end_to_end_begins_with_the_networks_weights(data, fcn_run, tmp_path):
    model = train(CRF_RNN, data, tmp_path, steps=1, start_from=fcn_run, progress=False)
    begun = keras.models.load_model(fcn_run / "best.keras")
    assert has_crf(model)
    score, first = model.get_layer("score"), begun.get_layer("score")
    moved = np.abs(score.kernel - first.kernel).max()
    assert 0 < moved < 10 * CRF_RNN.learning_rate
    start = CRF_RNN.build(data).get_layer(CRF).get_weights()
    for weight, before in zip(model.get_layer(CRF).get_weights(), start, strict=True):
        assert np.abs(weight - before).max() > 0


def test_validation_steps_the_crf_as_often_as_a_test(data):
    model = CRF_RNN.build(data)
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, *SIZE, 3)), tf.float32)
    twin = CRF_RNN.evaluation_model(model)
    more = dataclasses.replace(CRF_RNN, iterations=3).build(data)
    np.testing.assert_allclose(twin({"image": image}), more({"image": image}), atol=1e-4)
    assert np.abs(twin({"image": image}) - model({"image": image})).max() > 1e-4
    assert {id(v) for v in twin.weights} == {id(v) for v in model.weights}


def test_each_part_learns_at_its_own_rate(data, tmp_path):
    """Plain SGD: a step is the rate times the derivative."""
    recipe = dataclasses.replace(
        CRF_RNN, optimizer="sgd", momentum=0.0, learning_rate=1e-3, filter_factor=20.0, compatibility_factor=5.0
    )
    model = recipe.build(data)
    (inputs, labels, weight), *_ = recipe.train_batches(data).take(1)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(inputs, labels, model(inputs, training=True), weight)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    before = [np.array(variable) for variable in model.trainable_variables]
    model.optimizer.apply(gradients, model.trainable_variables)
    rates = {}
    for variable, old, gradient in zip(model.trainable_variables, before, gradients, strict=True):
        if np.abs(gradient).max() > 1e-3:
            place = np.unravel_index(np.argmax(np.abs(gradient)), gradient.shape)
            rates[variable.path] = float((old - np.array(variable))[place] / gradient[place])
    assert rates["crf/compatibility"] == pytest.approx(5e-3, rel=0.05)
    assert rates["crf/spatial_weights"] == pytest.approx(2e-2, rel=0.05)
    assert rates["score/kernel"] == pytest.approx(1e-3, rel=0.05)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").optimizer.factors == model.optimizer.factors


def test_balanced_labels_weigh_alike(data):
    weights = np.array(class_weights(data, 1.0))
    totals = np.zeros(3)
    plain, balanced = (
        list(dataclasses.replace(FCN, balance=b, zoom=1.0, flip=False, light=0.0).train_batches(data).take(6))
        for b in (0.0, 1.0)
    )
    for (_, labels, ones), (_, same, weight) in zip(plain, balanced, strict=True):
        np.testing.assert_array_equal(labels, same)
        np.testing.assert_allclose(weight, ones * weights[labels], rtol=1e-6)
        totals += [weight.numpy()[(labels.numpy() == label)].sum() for label in range(3)]
    np.testing.assert_allclose(totals, totals.mean(), rtol=1e-4)
    assert totals.sum() == pytest.approx(sum(ones.numpy().sum() for _, _, ones in plain), rel=1e-4)
    assert class_weights(data, 0.0) == [1.0] * 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"crop_height": 0, "crop_width": 320}, "`crop_height` and `crop_width` must both be positive, or both 0"),
        ({"crop_height": 256, "crop_width": 0}, "Received: crop_height=256, crop_width=0"),
        ({"crop_height": -1, "crop_width": -1}, "Received: crop_height=-1"),
        ({"zoom": 0.5}, "`zoom` must be 1 or more"),
        ({"zoom": float("nan")}, "`zoom` must be 1 or more"),
        ({"light": -0.2}, "`light` must be 0 or more"),
        ({"iterations": -1}, "`iterations` must be 0 or more"),
        ({"test_iterations": -1}, "`test_iterations` must be 0 or more"),
    ],
)
def test_no_value_is_dropped_in_silence(data, values, message):
    recipe = dataclasses.replace(FCN, **values)
    for begin in (recipe.build, recipe.train_batches):
        with pytest.raises(UserError, match=message):
            begin(data)


def test_mistakes_are_named(data, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="`optimizer` must be adam or sgd"):
        dataclasses.replace(FCN, optimizer="lion").build(data)
    with pytest.raises(UserError, match="`backbone` must be one of"):
        dataclasses.replace(FCN, backbone="large").build(data)
    with pytest.raises(UserError, match="`theta_beta` must be a positive number"):
        dataclasses.replace(CRF_RNN, theta_beta=0.0).build(data)
    monkeypatch.setattr(fcn8s, "_UNITS", 16)  # not 4096, which is 0.5 GB of weights
    with pytest.raises(UserError, match="must be a file of VGG16's weights"):
        dataclasses.replace(SEGMENTATION_RECIPES["segmentation-voc-fcn"], weights="nowhere.h5").build(data)
    dataclasses.replace(LABELS, count=2, names=(), colours=()).save(tmp_path / "labels.json")
    with pytest.raises(UserError, match="knows 2 labels"):
        FCN.evaluation_batches(data, "valid", tmp_path)
