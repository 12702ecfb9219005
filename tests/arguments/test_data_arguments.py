"""What `keras-seqgen prepare --help` shows."""

import pytest

from keras_seqgen.arguments.data import SYSTEMS
from keras_seqgen.cli import main
from pipelines.__main__ import PIPELINES


def test_each_system_has_a_line(capsys):
    assert set(SYSTEMS) == set(PIPELINES)
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    first = lines.index("systems:") + 1
    shown = dict(line.split(maxsplit=1) for line in lines[first : first + len(SYSTEMS)])
    assert shown == SYSTEMS
    assert max(map(len, lines[:first] + lines[first : first + len(SYSTEMS)])) <= 110
    assert lines.index("examples:") == first + len(SYSTEMS) + 1
