"""`TokenLoss` and `NatsPerToken` against a softmax in NumPy."""

import numpy as np
import pytest
from scipy.special import log_softmax

from keras_seqgen.losses import TokenLoss
from keras_seqgen.metrics import NatsPerToken

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(2, 4, 5)).astype("float32") * 3
IDS = np.array([[1, 5, 3, 0], [2, 2, 4, 1]])
NATS = -np.take_along_axis(log_softmax(LOGITS, -1), np.maximum(IDS - 1, 0)[..., None], -1)[..., 0] * (IDS > 0)


def test_each_token_costs_its_nats_and_padding_nothing():
    np.testing.assert_allclose(TokenLoss().call(IDS, LOGITS), NATS, rtol=1e-5)


def test_the_loss_is_a_weighted_sum():
    weight = RNG.uniform(size=IDS.shape).astype("float32")
    assert float(TokenLoss()(IDS, LOGITS, sample_weight=weight)) == pytest.approx((weight * NATS).sum(), rel=1e-5)


def test_the_metric_is_the_mean_over_what_has_weight():
    metric, weight = NatsPerToken(), (IDS > 0).astype("float32")
    metric.update_state(IDS[:1], LOGITS[:1], weight[:1])
    metric.update_state(IDS[1:], LOGITS[1:], weight[1:])
    assert float(metric.result()) == pytest.approx(NATS.sum() / 7, rel=1e-6)


def test_huge_logits_stay_finite():
    assert np.isfinite(TokenLoss().call(IDS, LOGITS * 1e4)).all()
