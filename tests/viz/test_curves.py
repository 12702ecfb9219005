import re

import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.viz.curves import read_log, save_curves


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_loss\n0,3.5,4\n1,2.5,\n2,2.0,3.0\n")
    return path


def test_read_log_gives_columns(log):
    table = read_log(log)
    assert table["loss"] == [3.5, 2.5, 2.0]
    assert table["val_loss"][1] != table["val_loss"][1]  # NaN: not measured in that epoch


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_save_curves(tmp_path, log, suffix, magic):
    path = save_curves(tmp_path / f"curve{suffix}", {"one": log, "two": log}, ["loss", "val_loss"])
    assert path.read_bytes().startswith(magic)


def test_mistakes_are_named(tmp_path, log):
    with pytest.raises(UserError, match=re.escape("There are: epoch, loss, val_loss")):
        save_curves(tmp_path / "curve.png", {"": log}, ["accuracy"])
    with pytest.raises(UserError, match=re.escape(".png, .svg, .pdf")):
        save_curves(tmp_path / "curve.txt", {"": log}, ["loss"])
    with pytest.raises(UserError, match="cannot be read"):
        save_curves(tmp_path / "curve.png", {"": tmp_path / "none.csv"}, ["loss"])
    with pytest.raises(UserError, match="cannot be written"):
        save_curves(log / "curve.png", {"": log}, ["loss"])
    (tmp_path / "empty.csv").write_text("epoch,loss\n")
    with pytest.raises(UserError, match="no rows"):
        read_log(tmp_path / "empty.csv")
