"""Means and deviations of pens and frames, in any unit and order."""

import numpy as np
import pytest

from keras_seqgen.data.recognition_schema import LabelledFrames
from keras_seqgen.data.schema import InkLine
from keras_seqgen.data.strokes import Repairs
from pipelines import recognition_summary, summary


def of_ink(rows):
    part = summary.SplitSummary()
    part.add(InkLine("", "", "", rows), Repairs())
    return part


def of_frames(rows):
    part = recognition_summary.SplitSummary()
    part.add(LabelledFrames("", "", "text", rows[:, :2]))
    return part


def told(part):
    return part.offsets() if isinstance(part, summary.SplitSummary) else part.unit()


@pytest.mark.parametrize("of", [of_ink, of_frames])
@pytest.mark.parametrize("unit", [1e-9, 2e-5, 1.0, 1e6])
def test_statistics_are_exact_in_every_unit_and_order(of, unit):
    rng = np.random.default_rng(0)
    rows = [(rng.normal(1, 2, (n, 3)) * unit * [1, 3, 0]).astype("f4") for n in (3, 50, 700)]
    found = []
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        total = of(rows[order[0]])
        for n in order[1:]:
            total.merge(of(rows[n]))
        found.append(told(total))
    assert found[0] == found[1] == found[2]
    together = np.concatenate(rows).astype(np.float64)
    np.testing.assert_allclose(found[0]["mean"], together[:, :2].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found[0]["std"], together[:, :2].std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("of", [of_ink, of_frames])
@pytest.mark.parametrize("step", [0.0, 0.1, 3e-7, 12345.678])
def test_a_deviation_that_is_nothing_but_rounding_is_none(of, step):
    total = of(np.full((2, 3), step, "f4"))
    for n in (90, 777):
        total.merge(of(np.full((n, 3), step, "f4")))
    assert told(total)["std"] == [1.0, 1.0]
