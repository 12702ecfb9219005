"""What a run that was stopped, killed or given other settings becomes when it goes on."""

import json
import shutil

import keras
import numpy as np
import pytest

from keras_seqgen.commands.training import recipe_of_run
from keras_seqgen.errors import UserError
from keras_seqgen.layers import WeightDrop, WeightNoise
from keras_seqgen.recipes import find_recipe, override, save_recipe
from keras_seqgen.training.callbacks import BestModel, Validation, read_log, save_aside
from keras_seqgen.training.fit import train

SMALL = ["units=4", "batch_size=3", "length=8", "steps_per_epoch=3", "updates=0", "learning_rate=0.01", "average=0.0"]


def small(*settings):
    return override(find_recipe("char-ptb"), [*SMALL, *settings])


def step_of(run):
    return int(keras.models.load_model(run / "last.keras").optimizer.iterations)


@pytest.mark.parametrize("callback", [Validation, BestModel])
def test_a_run_that_dies_behind_its_last_update_still_gets_its_row_and_its_best_model(
    callback, tiny_text, tmp_path, monkeypatch
):
    def die(self, epoch, logs=None):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(callback, "on_epoch_end", die)
        with pytest.raises(OSError, match="No space"):
            train(small(), tiny_text, tmp_path, steps=3, progress=False)
    train(small(), tiny_text, tmp_path, steps=3, progress=False)
    assert [row["step"] for row in read_log(tmp_path / "log.csv")] == ["3"]
    assert (tmp_path / "best.keras").exists()
    assert step_of(tmp_path) == 3


def test_stops_within_an_epoch_take_nothing_from_the_patience(tiny_text, tmp_path):
    recipe = small("learning_rate=0.0", "patience=1")
    for steps in (1, 2):
        train(recipe, tiny_text, tmp_path, steps=steps, progress=False)
    train(recipe, tiny_text, tmp_path, progress=False)
    log = read_log(tmp_path / "log.csv")
    assert [row["step"] for row in log] == ["1", "2", "3", "6"]
    assert step_of(tmp_path) == 6  # the end of a run is in its resume point too


def test_what_a_run_cannot_change_is_refused(tiny_text, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    train(small(), tiny_text, run, steps=1, progress=False)
    save_recipe(small(), "char-ptb", run)
    for setting in ("length=9", "clip_norm=1.0", "beta_2=0.9", "momentum=0.9", "weight_decay=0.1", "table_stddev=0.1"):
        with pytest.raises(UserError, match=f"has {setting.partition('=')[0]}=.*another run"):
            recipe_of_run("char-ptb", [setting], run)
    assert recipe_of_run("char-ptb", ["clip_norm=0.0", "learning_rate=0.5"], run) == small("learning_rate=0.5")
    with pytest.raises(UserError, match=r"average.*another run"):
        recipe_of_run("char-ptb", ["average=0.9"], run)
    with pytest.raises(UserError, match=r"average.*another run"):
        train(small("average=0.9"), tiny_text, run, steps=2, progress=False)

    shutil.copytree(tiny_text, other)
    vocabulary = json.loads((other / "vocabulary.json").read_text())
    (other / "vocabulary.json").write_text(json.dumps(vocabulary | {"tokens": vocabulary["tokens"][::-1]}))
    with pytest.raises(UserError, match=r"another vocabulary\.json than the run"):
        train(small(), other, run, steps=2, progress=False)
    assert (run / "vocabulary.json").read_bytes() == (tiny_text / "vocabulary.json").read_bytes()
    (run / "vocabulary.json").write_text('{"tok')  # a copy that was cut short
    train(small(), tiny_text, run, steps=2, progress=False)
    assert (run / "vocabulary.json").read_bytes() == (tiny_text / "vocabulary.json").read_bytes()


@pytest.mark.parametrize("kind", ["fixed", "relative"])
def test_a_run_goes_on_under_noise_of_another_size(kind, tiny_text, tmp_path):
    noisy = f"weight_noise={kind}"
    begun = small(noisy, "noise_stddev=0.6")
    model = train(begun, tiny_text, tmp_path / "run", steps=3, progress=False)
    save_recipe(begun, "char-ptb", tmp_path / "run")
    assert noise_of(model) == {0.6}
    moments = [variable.numpy() for variable in model.optimizer.variables]
    changed = recipe_of_run("char-ptb", ["noise_stddev=0.2"], tmp_path / "run")
    assert changed == small(noisy, "noise_stddev=0.2")
    gone_on = train(changed, tiny_text, tmp_path / "run", steps=3, progress=False)
    assert noise_of(gone_on) == {0.2}
    for before, after in zip(moments, gone_on.optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, after)
    assert noise_of(train(changed, tiny_text, tmp_path / "run", steps=4, progress=False)) == {0.2}
    assert noise_of(keras.models.load_model(tmp_path / "run/last.keras")) == {0.2}
    with pytest.raises(UserError, match="must not be negative"):
        train(small(noisy, "noise_stddev=-0.2"), tiny_text, tmp_path / "run", steps=5, progress=False)


def noise_of(model):
    layers = [*model.layers, *(layer.layer for layer in model.layers if hasattr(layer, "layer"))]
    return {round(layer.stddev, 6) for layer in layers if isinstance(layer, WeightNoise | WeightDrop)}


def test_noise_cannot_come_to_a_run_without_it_nor_another_size_to_a_learned_one(tiny_text, tmp_path):
    train(small("weight_noise=relative", "noise_stddev=0.0"), tiny_text, tmp_path, steps=1, progress=False)
    with pytest.raises(UserError, match=r"begun without noise.*another run"):
        train(small("weight_noise=relative", "noise_stddev=0.2"), tiny_text, tmp_path, steps=2, progress=False)
    save_recipe(small("weight_noise=adaptive"), "char-ptb", tmp_path)
    with pytest.raises(UserError, match=r"has noise_stddev=0\.075; another value needs another run"):
        recipe_of_run("char-ptb", ["noise_stddev=0.2"], tmp_path)


def test_a_run_keeps_the_unit_of_its_features(tiny_text, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    train(small(), tiny_text, run, steps=1, progress=False)
    shutil.copytree(tiny_text, other)
    stats = json.loads((other / "stats.json").read_text())
    for unit in ({"features": {"kind": "raw", "mean": [0.5]}}, {"offsets": {"mean": [1, 2], "std": [3, 4]}}):
        (other / "stats.json").write_text(json.dumps(stats | unit))
        (other / "schema.pbtxt").write_text("# another")
        with pytest.raises(UserError, match=r"has other features than the run .*another run"):
            train(small(), other, run, steps=2, progress=False)
    for name in ("stats.json", "schema.pbtxt"):
        assert (run / name).exists() == (tiny_text / name).exists()
        assert not (run / name).exists() or (run / name).read_bytes() == (tiny_text / name).read_bytes()
    (other / "stats.json").write_text(json.dumps(stats | {"documents": {}}))  # counts may change
    train(small(), other, run, steps=2, progress=False)


def test_a_run_that_never_began_takes_any_setting(tmp_path):
    save_recipe(small("optimizer=admm"), "char-ptb", tmp_path)
    assert recipe_of_run("char-ptb", ["optimizer=adam"], tmp_path) == small()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["units=0"], "`units` must be positive"),
        (["depth=0"], "`depth` must be positive"),
        (["embedding=-1"], "`dimension` must be a positive integer"),
        (["cell=rnn"], "`cell` must be one of"),
        (["steps_per_epoch=0"], "`steps_per_epoch` must be positive"),
        (["tied=true", "embedding=4", "depth=2", "weight_noise=fixed"], "a tied output has no weight noise"),
        (["weight_noise=fixed", "dropout_recurrent=0.2"], "have noise or dropout"),
        (["weight_noise=relative", "noise_stddev=-0.6"], "`noise_stddev` must not be negative"),
        (["weight_noise=adaptive", "scheduled_sampling=0.2"], "counts the divergence of adaptive noise twice"),
        (["average=99.0"], "`average` must be at least 0 and below 1"),
        (["dropout_input=0.2"], "`dropout_input` is of an embedding"),
        (["cell=lstm", "dropout_tokens=0.2"], "`dropout_tokens` is of an embedding"),
    ],
)
def test_settings_that_no_network_has_are_a_users_mistake(settings, message, tiny_text, tmp_path):
    with pytest.raises(UserError, match=message):
        train(small(*settings), tiny_text, tmp_path, steps=1, progress=False)


def test_a_save_that_fails_leaves_no_half_file(tmp_path):
    class Model:
        def save(self, path):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        save_aside(Model(), tmp_path / "last.keras")
    assert not list(tmp_path.iterdir())
