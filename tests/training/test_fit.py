import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_seqgen.data.batches import handwriting_batches
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import find_recipe, override
from keras_seqgen.training.callbacks import NonFiniteLossError, Progress, Validation, read_log
from keras_seqgen.training.evaluation import evaluate_handwriting
from keras_seqgen.training.fit import train

SMALL = ["units=12", "depth=2", "mixture_components=2", "window_components=2", "batch_size=4", "steps_per_epoch=6"]


def small(*settings):
    return override(find_recipe("handwriting-synthesis"), [*SMALL, *settings])


def numbers(run):
    return [
        (int(row["step"]), float(row["loss"]), float(row["val_nats_per_sequence"])) for row in read_log(run / "log.csv")
    ]


@pytest.fixture(scope="module")
def whole(tiny_handwriting, tmp_path_factory):
    """A run of 24 updates without interruption."""
    run = tmp_path_factory.mktemp("whole")
    return train(small(), tiny_handwriting, run, steps=24, progress=False), run


def test_a_run_leaves_its_log_its_models_and_what_describes_its_data(whole):
    _, run = whole
    assert {p.name for p in run.iterdir()} == {"last.keras", "best.keras", "log.csv", "vocabulary.json", "stats.json"}
    steps, losses, _ = zip(*numbers(run), strict=True)
    assert steps == (6, 12, 18, 24)
    assert losses[-1] < losses[0]
    best = keras.models.load_model(run / "best.keras")
    assert best.count_params() > 0


def test_resuming_continues_the_same_curve(whole, tiny_handwriting, tmp_path):
    _, run = whole
    train(small(), tiny_handwriting, tmp_path, steps=10, progress=False)
    train(small(), tiny_handwriting, tmp_path, steps=24, progress=False)
    model = keras.models.load_model(tmp_path / "last.keras")
    other = keras.models.load_model(run / "last.keras")
    assert int(model.optimizer.iterations) == int(other.optimizer.iterations) == 24
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    train(small(), tiny_handwriting, tmp_path, steps=24, progress=False)  # nothing is left to do
    assert int(keras.models.load_model(tmp_path / "last.keras").optimizer.iterations) == 24


def test_a_killed_run_goes_on_where_it_was(whole, tiny_handwriting, tmp_path):
    """kill -9 while it trains, resume: the numbers of the uninterrupted run."""
    _, run = whole
    code = (
        "import sys, time, keras\n"
        "from keras_seqgen.recipes import find_recipe, override\n"
        "from keras_seqgen.training.fit import train\n"
        "data, run, *settings = sys.argv[1:]\n"
        "train(override(find_recipe('handwriting-synthesis'), settings), data, run, checkpoint_minutes=0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tiny_handwriting, tmp_path, *SMALL], env={**os.environ})
    deadline = time.monotonic() + 240
    while len(read_log(tmp_path / "log.csv")) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed_at = int(keras.models.load_model(tmp_path / "last.keras").optimizer.iterations)
    assert 11 <= killed_at < 10_000  # a resume point counts once the next loss is finite
    end = 6 * (killed_at // 6 + 2)
    train(small(), tiny_handwriting, tmp_path, steps=end, progress=False)
    again = tmp_path / "again"
    train(small(), tiny_handwriting, again, steps=end, progress=False)
    for ours, theirs in zip(
        keras.models.load_model(tmp_path / "last.keras").get_weights(),
        keras.models.load_model(again / "last.keras").get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    ours, theirs = np.array(numbers(tmp_path)[:2]), np.array(numbers(run)[:2])
    np.testing.assert_allclose(ours[:, [0, 2]], theirs[:, [0, 2]], rtol=1e-4)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-4)  # of an epoch that was cut, the loss is of what was left


def test_a_non_finite_loss_stops_and_keeps_the_last_good_state(tiny_handwriting, tmp_path):
    train(small(), tiny_handwriting, tmp_path, steps=6, progress=False)
    good = keras.models.load_model(tmp_path / "last.keras").get_weights()
    with pytest.raises(NonFiniteLossError, match="last good state is kept"):
        train(small("learning_rate=1e30"), tiny_handwriting, tmp_path, steps=60, progress=False)
    for a, b in zip(good, keras.models.load_model(tmp_path / "last.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    train(small(), tiny_handwriting, tmp_path, steps=12, progress=False)
    assert [row[0] for row in numbers(tmp_path)] == [6, 12]


@pytest.mark.parametrize(("minutes", "epoch"), [(0.0, 6), (5.0, 1)])  # saved after each update; at the epoch's end
def test_weights_that_an_update_ruined_are_no_resume_point(minutes, epoch, tiny_handwriting, tmp_path, monkeypatch):
    train(small(), tiny_handwriting, tmp_path, steps=6, progress=False)
    good = keras.models.load_model(tmp_path / "last.keras").get_weights()
    monkeypatch.setattr(Validation, "on_epoch_end", lambda self, epoch, logs: logs.update({small().monitor: 0.0}))
    ruin = small("learning_rate=1e30", f"steps_per_epoch={epoch}")  # the loss of update 7 is of the good weights
    with pytest.raises(NonFiniteLossError, match="at update 8"):
        train(ruin, tiny_handwriting, tmp_path, progress=False, checkpoint_minutes=minutes)
    for a, b in zip(good, keras.models.load_model(tmp_path / "last.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_process_trains_a_run(tiny_handwriting, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    number = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_EX)
    with pytest.raises(UserError, match=f"another process trains {tmp_path}"):
        train(small(), tiny_handwriting, tmp_path, steps=1, progress=False)
    os.close(number)
    train(small(), tiny_handwriting, tmp_path, steps=1, progress=False)


def test_a_validation_that_is_not_a_number_is_no_best_one(tiny_handwriting, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Validation, "on_epoch_end", lambda self, epoch, logs: logs.update({small().monitor: math.nan}))
        train(small(), tiny_handwriting, tmp_path, steps=6, progress=False)
    assert not (tmp_path / "best.keras").exists()
    train(small(), tiny_handwriting, tmp_path, steps=12, progress=False)
    assert (tmp_path / "best.keras").exists()


def test_the_log_has_no_second_branch(tiny_handwriting, tmp_path):
    train(small(), tiny_handwriting, tmp_path, steps=6, progress=False)
    with (tmp_path / "log.csv").open("a", newline="") as file:
        csv.writer(file).writerow([12, 2, 1.0, 5.0, 5.0, 5.0, 5.0])
    train(small(), tiny_handwriting, tmp_path, steps=12, progress=False)
    assert [row[0] for row in numbers(tmp_path)] == [6, 12]
    assert numbers(tmp_path)[1][1] != 5.0


def test_training_stops_when_time_is_up(tiny_handwriting, tmp_path):
    train(small(), tiny_handwriting, tmp_path, minutes=0, progress=False)
    assert int(keras.models.load_model(tmp_path / "last.keras").optimizer.iterations) == 1


def test_an_update_is_traced_once(tiny_handwriting, tmp_path, monkeypatch):
    """TensorFlow traces a function again that made variables, as an optimiser does that is not built before."""
    traced, step = [], keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda self, *inputs: traced.append(self) or step(self, *inputs))
    train(small(), tiny_handwriting, tmp_path, steps=3, progress=False)
    assert len(traced) == 1


def test_the_papers_optimiser_and_the_prediction_network_learn(tiny_handwriting, tmp_path):
    recipe = override(find_recipe("handwriting-prediction-paper"), [*SMALL[:3], *SMALL[4:], "learning_rate=1e-3"])
    train(recipe, tiny_handwriting, tmp_path, steps=30, progress=False)
    losses = [row[1] for row in numbers(tmp_path)]
    assert losses[-1] < losses[0]


def test_settings_that_no_handwriting_network_has(tiny_handwriting, tmp_path):
    for setting, message in (
        ("mixture_components=0", "`mixture_components` must be positive"),
        ("window_components=0", "`window_components` must be positive"),
        ("max_points=1", "has no line of at most 1 points"),
    ):
        with pytest.raises(UserError, match=message):
            train(small(setting), tiny_handwriting, tmp_path, steps=1, progress=False)


def test_characters_that_a_run_does_not_know_are_named(whole, tiny_handwriting, tmp_path):
    _, run = whole
    shutil.copytree(tiny_handwriting, tmp_path, dirs_exist_ok=True)
    stats = json.loads((tmp_path / "stats.json").read_text())
    stats["splits"]["valid"]["characters"] = {"ß": 3}
    (tmp_path / "stats.json").write_text(json.dumps(stats))
    small().evaluation_batches(tmp_path, "train", run)
    with pytest.raises(UserError, match=f"network of {run} does not know 'ß', which texts of {tmp_path} have"):
        small().evaluation_batches(tmp_path, "valid", run)


def test_divergence_counts_the_lines_that_are_read(tiny_handwriting):
    lengths = [int(weight.numpy().sum()) for _, _, weight in handwriting_batches(tiny_handwriting, "train", 1)]
    middle = int(np.median(lengths))
    recipe = small("weight_noise=adaptive", f"max_points={middle}")
    layer = recipe.noise(tiny_handwriting)(keras.layers.Dense(2))
    assert layer.kl_weight == pytest.approx(1 / sum(length <= middle for length in lengths))


@pytest.mark.slow
def test_adaptive_noise_starts_from_a_plain_run(whole, tiny_handwriting, tmp_path):
    """At inference the network is the plain one; then both the weights and their variances move."""
    _, run = whole
    recipe = override(find_recipe("handwriting-synthesis-adaptive"), [*SMALL, "noise_stddev=0.01"])
    train(recipe, tiny_handwriting, tmp_path, steps=1, start_from=run, progress=False)
    best = evaluate_handwriting(keras.models.load_model(run / "best.keras"), small(), tiny_handwriting, "valid", run)
    noisy = evaluate_handwriting(
        keras.models.load_model(tmp_path / "best.keras"), recipe, tiny_handwriting, "valid", run
    )
    assert noisy["nats_per_sequence"] == pytest.approx(best["nats_per_sequence"], abs=0.5)
    model = train(recipe, tiny_handwriting, tmp_path, steps=12, progress=False)
    spread = model.get_layer("recurrent_1").log_variances[0].numpy()
    assert spread.std() > 1e-4
    with pytest.raises(UserError, match="other sizes"):
        train(override(recipe, ["units=6"]), tiny_handwriting, tmp_path / "other", steps=1, start_from=run)
    with pytest.raises(UserError, match=r"no best\.keras"):
        train(recipe, tiny_handwriting, tmp_path / "third", steps=1, start_from=tmp_path / "nothing")


def test_evaluation_reports_both_units(whole, tiny_handwriting):
    model, run = whole
    results = evaluate_handwriting(model, small(), tiny_handwriting, "test", run)
    assert results["sequences"] == 8
    assert results["nats_per_sequence"] * 8 == pytest.approx(results["nats_per_point"] * results["points"], rel=1e-4)
    assert results["nats_per_point_raw"] - results["nats_per_point"] == pytest.approx(np.log(2.0 * 2.0), rel=1e-6)


def test_progress_is_reported_on_the_stream(tiny_handwriting, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Progress, "every", 0.0)
    train(small(), tiny_handwriting, tmp_path, steps=6)
    out, err = capsys.readouterr()
    assert out == ""
    assert "update 6 [########################]" in err
    assert "val_nats_per_sequence" in err


def test_a_folder_that_is_not_prepared_is_named(tmp_path):
    with pytest.raises(UserError, match="keras-seqgen prepare handwriting"):
        train(small(), tmp_path, tmp_path / "run")
