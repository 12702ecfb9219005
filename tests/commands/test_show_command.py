"""`keras-seqgen show curves` and `show lines`, and places that cannot be written."""

import re
import shutil

import pytest

from keras_seqgen.cli import main


@pytest.fixture
def runs(tmp_path):
    """Two runs that have the same name in different folders."""
    for number, folder in enumerate(("first/run", "second/run")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "log.csv").write_text(f"epoch,step,loss\n0,1,{number + 2}\n1,2,{number + 1}\n")
    return [str(tmp_path / "first/run"), str(tmp_path / "second/run")]


def test_runs_of_one_name_are_all_drawn(runs, tmp_path, monkeypatch):
    from keras_seqgen.viz import curves

    drawn = {}
    monkeypatch.setattr(curves, "save_curves", lambda path, logs, columns, against: drawn.update(logs))
    assert main(["show", "curves", *runs, "-o", str(tmp_path / "curves.png")]) == 0
    assert [str(log.parent) for log in drawn.values()] == runs
    drawn.clear()
    assert main(["show", "curves", runs[0], "-o", str(tmp_path / "curves.png")]) == 0
    assert list(drawn) == ["run"]


@pytest.mark.parametrize(
    "line",
    [
        "show curves {run} -o {file}/curves.png",
        "demo --folder {file}",
        "train handwriting-demo --data {run} --run {file}",
    ],
)
def test_a_file_in_place_of_a_folder_is_one_line_and_exit_code_2(line, runs, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(line.format(run=runs[0], file=tmp_path / "file").split()) == 2
    assert re.fullmatch(r"keras-seqgen \w+: \S*file\S* cannot be written: .*\n", capsys.readouterr().err)


def test_lines_of_another_system_are_told_with_the_remedy(tiny_text, tmp_path, capsys):
    assert main(["show", "lines", str(tiny_text), "-o", str(tmp_path / "lines.svg")]) == 2
    err = capsys.readouterr().err
    assert f"{tiny_text} holds no handwriting" in err
    assert "`keras-seqgen prepare handwriting`" in err
    assert err.count("\n") == 1


def test_an_empty_split_is_told(tiny_handwriting, tmp_path, capsys):
    folder = shutil.copytree(tiny_handwriting, tmp_path / "prepared")
    (folder / "test-00000-of-00001.tfrecord").write_bytes(b"")
    assert main(["show", "lines", str(folder), "--split", "test", "-o", str(tmp_path / "lines.svg")]) == 2
    assert f"the split 'test' of {folder} is empty" in capsys.readouterr().err
