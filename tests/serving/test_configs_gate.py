"""`keras-seqgen export`: the gate, and what it leaves in models.config."""

from argparse import Namespace
from types import SimpleNamespace

import keras
import pytest

from keras_seqgen.commands import serving
from keras_seqgen.errors import UserError
from keras_seqgen.serving.models_config import label_versions, read_models_config


@pytest.fixture
def export(tmp_path, monkeypatch):
    """Exports a run whose best epoch has val_loss 2.5, as a folder with nothing in it."""
    run, to = tmp_path / "run", tmp_path / "saved_models" / "toy"
    run.mkdir()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.iterations.assign(10)
    model.save(run / "best.keras")
    (run / "log.csv").write_text("step,epoch,val_loss,val_errors\n5,1,3.0,0.4\n10,2,2.5,nan\n15,3,2.75,0.1\n")
    recipe = SimpleNamespace(monitor="val_loss", system="toy", goal="none")

    def export_run(run, recipe, to, card):
        version = tmp_path / "saved_models" / "toy" / str(1 + len(list(to.glob("*"))) if to.exists() else 1)
        version.mkdir(parents=True)
        (version / "README.md").write_text(card)
        return version

    monkeypatch.setattr(serving, "load_recipe", lambda run: ("toy", recipe))
    monkeypatch.setattr(serving, "register_classes", lambda: None)
    monkeypatch.setattr(serving, "commands_of", lambda system: SimpleNamespace(export_run=export_run))
    return lambda require=None: serving.export(
        Namespace(folder=str(run), to=to, card=None, require=require, json=False, command="export")
    )


def labels(tmp_path):
    config = read_models_config(tmp_path / "saved_models").model_config_list.config
    return label_versions(config[0]) if config else {}


def test_the_gate_says_why_and_pushes_nothing(export, tmp_path, capsys):
    for require in ("val_loss<2.5", "val_loss > 3", "val_errors<=1"):
        assert export(require) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"does not meet --require '{require}': step 10, epoch 2, val_loss 2.5, val_errors nan" in said
    assert not (tmp_path / "saved_models").exists()


def test_numbers_of_other_weights_are_not_these(export, tmp_path):
    """A full disk: the log has a better epoch, and best.keras could not be written."""
    with (tmp_path / "run" / "log.csv").open("a") as log:
        log.write("20,4,1.0,0.0\n")
    assert export("val_loss<2") == 1
    (tmp_path / "run" / "log.csv").write_text("step,epoch,val_loss,val_errors\n5,1,3.0,0.4\n")
    with pytest.raises(UserError, match=r"best.keras is of update 10, of which log.csv has no val_loss"):
        export("val_loss<4")


def test_what_passes_the_gate_is_stable(export, tmp_path):
    assert export() == 0
    assert labels(tmp_path) == {"latest": 1, "stable": 1}
    assert export() == 0
    assert labels(tmp_path) == {"latest": 2, "stable": 1}
    assert export("val_loss<=2.5") == 0
    assert labels(tmp_path) == {"latest": 3, "stable": 3}
    assert "| val_loss | 2.5 |" in (tmp_path / "saved_models" / "toy" / "3" / "README.md").read_text()
