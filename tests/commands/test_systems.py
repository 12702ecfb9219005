"""Which module serves a system, and which model is meant."""

import json
import os

import pytest

from keras_seqgen.commands import recognition, systems
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.systems import commands_of, default_model
from keras_seqgen.errors import UserError


def write_model(root, name, system):
    extra = root / "saved_models" / name / "1" / "assets.extra"
    extra.mkdir(parents=True)
    (extra.parent / "saved_model.pb").write_bytes(b"")
    (extra / "model.json").write_text(json.dumps({"system": system}))


@pytest.mark.parametrize("system", ["ink-recognition", "text-lines", "speech"])
def test_recognisers_share_their_commands(system):
    assert commands_of(system) is recognition


def test_a_model_of_print_is_not_taken_for_one_of_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, system in (("text-lines", "text-lines"), ("text-novels", "text"), ("speech-digits", "speech")):
        write_model(tmp_path, name, system)
    assert default_model("text").name == "text-novels"
    assert default_model("text-lines").name == "text-lines"
    assert default_model("speech").name == "speech-digits"
    with pytest.raises(UserError, match="no model for captions"):
        default_model("captions")


def test_what_makes_a_missing_model(tmp_path, monkeypatch):
    monkeypatch.setattr(systems, "__file__", str(tmp_path / "a/b/systems.py"))
    monkeypatch.chdir(tmp_path)
    for system, how in (("handwriting", "demo"), ("text-lines", "export --to saved_models/text-lines")):
        with pytest.raises(UserError, match=how):
            default_model(system)


def test_every_command_runs_an_exported_crf_as_fast_as_the_layer(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_SPMM", "0")
    import_tensorflow()
    assert os.environ["TF_ENABLE_ONEDNN_SPMM"] == "0"  # whoever has set it keeps it
    monkeypatch.delenv("TF_ENABLE_ONEDNN_SPMM")
    import_tensorflow()
    assert os.environ["TF_ENABLE_ONEDNN_SPMM"] == "1"
