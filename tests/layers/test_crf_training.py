"""A CRF at the end of a network learns, and lets the network below it learn."""

import keras
import numpy as np
import pytest

from keras_seqgen.models import small_backbone
from keras_seqgen.models.segmenter import CRF, segmenter
from tests.segmentation_data import LABELS, scene

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


def test_thirty_updates_end_to_end_lower_the_loss_and_move_every_layer(monkeypatch):
    monkeypatch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
    keras.utils.set_random_seed(0)
    model = segmenter(LABELS.count, iterations=3, theta_alpha=20.0, theta_beta=20.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=LABELS.ignore)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    pictures, labels = (np.stack(part) for part in zip(*map(scene, range(4)), strict=True))
    batch = {"image": pictures.astype("float32")}, labels
    before = {weight.path: weight.numpy() for weight in model.trainable_variables}
    losses = [float(model.train_on_batch(*batch)) for _ in range(30)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.6 * losses[0]
    assert {f"{CRF}/spatial_weights", f"{CRF}/bilateral_weights", f"{CRF}/compatibility"} <= before.keys()
    for weight in model.trainable_variables:
        assert np.abs(weight.numpy() - before[weight.path]).max() > 0, weight.path
