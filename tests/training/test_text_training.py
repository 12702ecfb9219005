"""Language models through `train`: the carried state over a resume, patience, and the two ways to evaluate."""

import dataclasses
import json
import math
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from keras_seqgen.data.text_stream import TokenStream
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.losses import TokenLoss
from keras_seqgen.models.language import with_batch_size
from keras_seqgen.recipes import find_recipe, override
from keras_seqgen.training import text_evaluation
from keras_seqgen.training.callbacks import CoolDown, NonFiniteLossError, out_of_patience, read_log
from keras_seqgen.training.fit import train
from keras_seqgen.training.text_evaluation import (
    RATES,
    best_of_grid,
    evaluate_dynamically,
    evaluate_text,
    plain_copy,
    text_numbers,
)

SMALL = ["units=12", "batch_size=3", "length=8", "steps_per_epoch=6", "updates=0", "learning_rate=0.01", "average=0.0"]


def small(*settings):
    return override(find_recipe("char-ptb"), [*SMALL, *settings])


@pytest.fixture(scope="module")
def whole(tiny_text, tmp_path_factory):
    """A run of 24 updates without interruption."""
    run = tmp_path_factory.mktemp("whole_text")
    return train(small(), tiny_text, run, steps=24, progress=False), run


def text_of(folder, split):
    stream = TokenStream(folder, split)
    return stream[0 : len(stream)]


def nats_by_hand(model, ids):
    """-log P of each token, the whole split in one row from a state of zero."""
    logits = with_batch_size(model, None)({"tokens": np.concatenate([[0], ids[:-1]])[None]})[0]
    return -log_softmax(logits, axis=-1)[np.arange(len(ids)), ids - 1]


def test_it_learns(whole):
    _, run = whole
    values = [float(row["val_nats_per_token"]) for row in read_log(run / "log.csv")]
    assert len(values) == 4
    assert values[-1] < values[0] < math.log(5)


def test_resuming_in_the_middle_of_an_epoch_keeps_the_carried_state(whole, tiny_text, tmp_path):
    model, _ = whole
    train(small(), tiny_text, tmp_path, steps=10, progress=False)
    again = train(small(), tiny_text, tmp_path, steps=24, progress=False)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        ["weight_noise=fixed", "noise_stddev=0.3"],
        ["embedding=6", "cell=lstm", "dropout_output=0.4", "dropout_hidden=0.4", "dropout_recurrent=0.4"],
    ],
)
def test_a_resumed_run_draws_what_an_uninterrupted_one_draws(settings, tiny_text, tmp_path):
    recipe, steps = small(*settings, "average=0.5"), {"whole": [8], "parts": [3, 8]}
    runs = {
        name: [train(recipe, tiny_text, tmp_path / name, steps=step, progress=False) for step in ends][-1].get_weights()
        for name, ends in steps.items()
    }
    other = train(dataclasses.replace(recipe, seed=2), tiny_text, tmp_path / "whole", steps=16, progress=False)
    same = train(recipe, tiny_text, tmp_path / "parts", steps=16, progress=False)
    for a, b in zip(runs["whole"], runs["parts"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    differences = [np.abs(a - b).max() for a, b in zip(other.get_weights(), same.get_weights(), strict=True)]
    assert max(differences) > 1e-3  # so much does the seed of eight updates


def test_a_run_of_known_length_cools_down_and_ends(tiny_text, tmp_path):
    rates = [CoolDown(0.5, 20).rate_of(k) for k in range(20)]
    np.testing.assert_allclose(rates, [0.5] * 10 + [0.05 * k for k in range(10, 0, -1)])
    assert CoolDown(1.0, 1000).rate_of(999) == 0.01
    recipe = small("updates=12")
    for steps in (3, 8, None):  # stopped within epochs of 6
        model = train(recipe, tiny_text, tmp_path, steps=steps, progress=False)
    assert int(model.optimizer.iterations) == 12
    log = read_log(tmp_path / "log.csv")
    last = {row["step"]: float(row["learning_rate"]) / recipe.learning_rate for row in log}
    assert last == pytest.approx({"3": 1, "6": 1, "8": 5 / 6, "12": 1 / 6}, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "patience", "ends"),
    [
        ([3, 2, 1], 1, False),
        ([3, 2, 2.5], 1, True),
        ([3, 2, 2.5], 2, False),
        ([3, 2, 2.5, 2.2], 2, True),
        ([3, 2, 2.5, 1.9], 2, False),
        ([3, 4, 5, 6], 0, False),
        (["nan", 3, 4], 1, True),
        (["nan", "nan", 3], 1, False),
        ([], 1, False),
    ],
)
def test_patience(values, patience, ends):
    recipe = small(f"patience={patience}")
    log = [{"step": str(n * recipe.steps_per_epoch), recipe.monitor: str(value)} for n, value in enumerate(values, 1)]
    assert out_of_patience(log, recipe) is ends


def test_a_run_without_patience_left_ends_and_does_not_begin_again(tiny_text, tmp_path):
    recipe = small("learning_rate=0.0", "patience=2")
    steps = [int(train(recipe, tiny_text, tmp_path, progress=False).optimizer.iterations) for _ in range(2)]
    assert len(read_log(tmp_path / "log.csv")) == 3
    assert max(steps) <= 18


def test_static_numbers_are_those_of_one_pass_by_hand(whole, tiny_text):
    model, run = whole
    numbers = evaluate_text(model, small(), tiny_text, "test", run, rows=1)
    nats = nats_by_hand(model, text_of(tiny_text, "test"))
    assert numbers["bits_per_token"] == pytest.approx(nats.mean() / math.log(2), rel=1e-5)
    assert numbers["bits_per_character"] == pytest.approx(numbers["bits_per_token"])
    assert numbers["perplexity"] == pytest.approx(math.exp(nats.mean()), rel=1e-5)
    assert numbers["tokens"] == len(nats)


def test_dynamic_evaluation_predicts_first_and_then_makes_a_step(whole, tiny_text):
    model, run = whole
    rate, recipe, ids = 0.02, small(), text_of(tiny_text, "test")
    numbers = evaluate_dynamically(model, recipe, tiny_text, "test", run, rate=rate)
    copy, total = plain_copy(model, recipe, run, 1), 0.0
    for start in range(0, len(ids), recipe.length):
        targets = ids[None, start : start + recipe.length]
        before = np.concatenate([[0], ids])[None, start : start + targets.shape[1]]
        inputs = {"tokens": before, "fresh": np.array([start == 0])}
        with tf.GradientTape() as tape:
            nats = TokenLoss()(targets, copy(inputs))
        weights = [variable.value for variable in copy.trainable_variables]
        for weight, gradient in zip(weights, tape.gradient(nats, weights), strict=True):
            weight.assign_sub(rate * tf.convert_to_tensor(gradient))
        total += float(nats)
    assert numbers["bits_per_token"] == pytest.approx(total / len(ids) / math.log(2), rel=1e-4)


def test_dynamic_evaluation_is_in_float32_whatever_the_training_was_in(whole, tiny_text):
    model, run = whole
    exact, coarse = (
        evaluate_dynamically(model, small(f"product_dtype={dtype}"), tiny_text, "test", run, rate=0.02)
        for dtype in ("float32", "bfloat16")
    )
    assert coarse["bits_per_token"] == pytest.approx(exact["bits_per_token"], rel=1e-6)


def test_dynamic_evaluation_helps_where_the_text_is_another_and_leaves_the_model_alone(whole, tiny_text):
    model, run = whole
    before = [w.copy() for w in model.get_weights()]
    static = evaluate_text(model, small(), tiny_text, "test", run, rows=1)
    dynamic = evaluate_dynamically(model, small("weight_noise=none"), tiny_text, "test", run)
    assert dynamic["bits_per_token"] < 0.8 * static["bits_per_token"]
    tried = dynamic["valid_bits_per_token"]
    assert min(tried, key=tried.get) == f"{dynamic['rate']:g}"
    assert [*tried] == [f"{rate:g}" for rate in RATES[: len(tried)]]
    assert len(tried) == len(RATES) or [*tried.values()][-1] > min(tried.values())
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_scaled_steps_help_too_and_are_plain_ones_where_all_weights_matter_alike(whole, tiny_text, monkeypatch):
    model, run = whole
    plain = evaluate_dynamically(model, small(), tiny_text, "test", run, rate=0.02)
    monkeypatch.setattr(text_evaluation, "STATISTICS", 20)
    scaled = evaluate_dynamically(model, small(), tiny_text, "test", run, rule="rms")
    assert scaled["bits_per_token"] < plain["bits_per_token"]
    tried = scaled["valid_bits_per_token"]
    assert min(tried, key=tried.get) == f"{scaled['rate']:g}, {scaled['decay']:g}"
    alike = [np.ones(w.shape) for w in plain_copy(model, small(), run, 1).trainable_weights]
    monkeypatch.setattr(text_evaluation, "_gradient_squares", lambda *_: alike)
    step = evaluate_dynamically(model, small(), tiny_text, "test", run, rule="rms", rate=0.04, decay=0.0)
    assert step["bits_per_token"] == pytest.approx(plain["bits_per_token"], rel=1e-5)  # 0.04 / (1 + epsilon)
    back = evaluate_dynamically(model, small(), tiny_text, "test", run, rule="rms", rate=0.04, decay=1.0)
    assert plain["bits_per_token"] < back["bits_per_token"]  # each step is forgotten by the next


def test_best_of_grid_goes_to_the_best_neighbour_and_around_what_is_not_finite():
    asked = []

    def score(x, y):
        asked.append((x, y))
        if x == 3 and y == 1:
            raise NonFiniteLossError("too high")
        return (x - 3) ** 2 + (y - 2) ** 2

    best, tried = best_of_grid(score, (1, 2, 3, 4), (1, 2, 3))
    assert best == [3, 2]
    assert len(asked) == len(set(asked))
    assert set(asked) - set(tried) == {(3, 1)}
    assert min(tried, key=tried.get) == (3, 2)
    with pytest.raises(NonFiniteLossError):
        best_of_grid(score, (3, 4), (1, 2))  # at the corner


def test_a_rate_at_which_the_loss_is_not_finite_is_one_too_high(whole, tiny_text, monkeypatch):
    model, run = whole
    monkeypatch.setattr("keras_seqgen.training.text_evaluation.RATES", (1e-4, 1e-3, 1e38))
    numbers = evaluate_dynamically(model, small(), tiny_text, "test", run)
    assert (numbers["rate"], [*numbers["valid_bits_per_token"]]) == (1e-3, ["0.0001", "0.001"])
    with pytest.raises(NonFiniteLossError, match=r"1e\+38: take a smaller --rate"):
        evaluate_dynamically(model, small(), tiny_text, "test", run, rate=1e38)


def test_a_perplexity_that_no_float_holds_is_none(tiny_text):
    assert text_numbers(709.0, tiny_text, "test")["perplexity"] == pytest.approx(math.exp(709))
    assert text_numbers(1e30, tiny_text, "test")["perplexity"] is None


def test_the_rate_is_not_chosen_on_what_is_measured(whole, tiny_text):
    model, run = whole
    with pytest.raises(UserError, match="--rate"):
        evaluate_dynamically(model, small(), tiny_text, "valid", run)


def test_another_vocabulary_is_refused(whole, tiny_text, tmp_path):
    model, run = whole
    for path in [*run.glob("*.json"), *tiny_text.glob("*")]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Vocabulary(["\n", " ", "a", "b", "d"], kind="character").save(tmp_path / "vocabulary.json")
    with pytest.raises(UserError, match="vocabulary"):
        evaluate_text(model, small(), tmp_path, "test", run)


@pytest.mark.parametrize(
    "settings",
    [
        ["cell=lstm", "embedding=4", "tied=true", "depth=2", "dropout_recurrent=0.2", "dropout_input=0.1"],
        ["weight_noise=fixed", "optimizer=sgd", "momentum=0.9", "clip_norm=1.0", "average=0.9", "learning_rate=1e-3"],
        ["weight_noise=adaptive"],
        ["weight_noise=relative", "noise_stddev=0.6", "embedding=4", "tied=true"],
        ["weight_noise=relative", "noise_stddev=0.6", "product_dtype=bfloat16"],
        ["cell=gru"],
        ["cell=simple_rnn", "reset_every=2"],
    ],
)
def test_every_kind_of_network_trains_and_is_measured(settings, tiny_text, tmp_path):
    recipe = small(*settings)
    train(recipe, tiny_text, tmp_path, steps=6, progress=False)
    model = keras.models.load_model(tmp_path / "best.keras")
    for evaluate in (evaluate_text, evaluate_dynamically):
        options = {"rate": 1e-3} if evaluate is evaluate_dynamically else {}
        numbers = evaluate(model, recipe, tiny_text, "valid", tmp_path, **options)
        assert 0 < numbers["bits_per_token"] < 4


def test_a_noisy_run_can_begin_from_a_plain_one(whole, tiny_text, tmp_path):
    model, run = whole
    started = train(small("weight_noise=adaptive"), tiny_text, tmp_path, steps=1, start_from=run, progress=False)
    best = keras.models.load_model(run / "best.keras").get_layer("tokens_1").embeddings
    assert np.abs(best - started.get_layer("tokens_1").layer.embeddings).max() < 0.05  # one update away
    assert json.loads((tmp_path / "stats.json").read_text())["splits"]["train"]["tokens"] > 0
    assert model is not started
    shutil.copytree(tiny_text, tmp_path / "other")
    Vocabulary(["\n", "b", "a", " ", "c"]).save(tmp_path / "other/vocabulary.json")
    with pytest.raises(UserError, match=r"has another vocabulary\.json than"):
        train(small(), tmp_path / "other", tmp_path / "new", steps=1, start_from=run, progress=False)
