"""The features of ink: what they do not depend on, and each of them against a slow retelling."""

import itertools
import math

import numpy as np
import pytest

from keras_seqgen.data import ink_arrays as xp
from keras_seqgen.data.hands import embedded_line
from keras_seqgen.data.ink_descriptors import BESIDE, CELL, LONGEST, NAMES, describe
from keras_seqgen.data.ink_features import FEATURES, STEP, ink_features
from keras_seqgen.data.ink_frames import Frames, frames_of
from keras_seqgen.data.ink_normal_form import TRAVEL, Ink, core, normal_form, pen_path, slant

LINES = [embedded_line(index, seed=3, style="full").strokes.astype(float) for index in (1, 4, 8, 11)]


def moved(strokes, matrix):
    """Rows whose steps (dx, dy) are multiplied by a matrix."""
    return np.column_stack([strokes[:, :2] @ np.asarray(matrix).T, strokes[:, 2]])


def turn(radians):
    return [[math.cos(radians), -math.sin(radians)], [math.sin(radians), math.cos(radians)]]


def form(strokes):
    return normal_form(pen_path(strokes, xp), xp)


def ink_of(*strokes):
    """Ink of polylines, (n, 2) each, in core heights."""
    inked = np.concatenate([np.r_[0.0, np.ones(len(stroke) - 1)] for stroke in strokes])
    points = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    return Ink(points[:, 0], points[:, 1], inked)


@pytest.mark.parametrize("strokes", LINES, ids=len)
@pytest.mark.parametrize(
    ("matrix", "atol"),
    [
        ([[7.0, 0], [0, 7.0]], 1e-9),
        ([[0.01, 0], [0, 0.01]], 1e-9),
        (turn(0.25), 1e-4),
        (turn(-0.25), 1e-4),
        ([[1, 0.5], [0, 1]], 1e-4),
        ([[1, -0.4], [0, 1]], 1e-4),
        ([[1.2, 0], [0, 1]], 1e-4),
    ],
    ids=["larger", "smaller", "turned", "turned back", "slanted", "slanted back", "wider"],
)
def test_the_normal_form_undoes_what_a_hand_does(strokes, matrix, atol):
    wanted, found = form(strokes), form(moved(strokes, matrix))
    np.testing.assert_allclose(found.u, wanted.u, atol=atol)
    np.testing.assert_allclose(found.v, wanted.v, atol=atol)


@pytest.mark.parametrize("strokes", LINES, ids=len)
def test_features_do_not_depend_on_the_size_of_the_hand(strokes):
    np.testing.assert_allclose(
        ink_features(moved(strokes, [[4.0, 0], [0, 4.0]]), "preprocessed"),
        ink_features(strokes, "preprocessed"),
        atol=1e-6,
    )


def test_slant_is_what_the_ink_was_sheared_by():
    upright = ink_of(*[[(n, 1), (n, 0), (n + 0.5, 1)] for n in range(6)])
    assert slant(upright.u, upright.v, upright.inked, xp) == 0
    for shear in (-0.7, 0.2, 1.1):
        assert slant(upright.u + shear * upright.v, upright.v, upright.inked, xp) == pytest.approx(shear, abs=1e-12)


def test_base_line_and_core_height_in_spite_of_ascenders_descenders_and_a_bent_line():
    letters = []
    for x in range(40):
        top, bottom = (2.0 if x % 5 == 0 else 1.0), (-1.0 if x % 4 == 3 else 0.0)
        at = np.linspace(0, 3, 19)
        letters.append(np.column_stack([x + at / 5, np.interp(at, [0, 1, 2, 3], [top, bottom, 1, 0])]))
    ink = ink_of(*letters)
    bend = 0.2 * np.sin(ink.u / 25)
    base, height = core(100 * ink.u, 100 * (ink.v + bend), ink.inked, xp)
    assert height == pytest.approx(100, rel=0.06)
    np.testing.assert_allclose(base, 100 * bend, atol=7)


@pytest.mark.parametrize("strokes", LINES, ids=len)
def test_the_pen_travels_as_far_from_crossing_to_crossing_in_every_hand(strokes):
    ink = form(strokes)
    travel = np.sum(ink.inked[1:] * np.abs(np.diff(ink.u)))
    crossings = np.sum(ink.inked[1:] * ((ink.v[1:] > 0.5) != (ink.v[:-1] > 0.5)))
    assert travel / crossings == pytest.approx(TRAVEL)


def test_frames_are_even_steps_of_each_stroke():
    frames = frames_of(ink_of([(0, 0), (0.3, 0), (2, 0)], [(5, 1)], [(6, 0), (6, 0.3), (6, 1.1)]), 0.25, xp)
    lengths = [9, 1, 5]
    assert [np.sum(frames.first == first) for first in (0, 9, 10)] == lengths
    np.testing.assert_allclose(frames.u[:9], np.arange(9) * 0.25, atol=1e-12)
    np.testing.assert_allclose((frames.u[9], frames.v[9]), (5, 1), atol=1e-12)
    np.testing.assert_allclose(frames.v[10:], np.linspace(0, 1.1, 5), atol=1e-12)
    assert frames.point.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 6]
    np.testing.assert_allclose(frames.speed[[0, 8, 9, 10]], [0.3, 1.7, 0, 0.3], atol=1e-12)
    assert frames.last.tolist() == [8] * 9 + [9] + [14] * 5


def test_delayed_strokes_are_dots_and_crosses_over_what_is_written():
    stem, later = [(0, 1), (0, 0)], [(1, 1), (1, 0)]
    cases = {
        "dot at the end": ([stem, later, [(0.1, 1.5)]], [0, 0, 1]),
        "dot at once": ([stem, [(0.1, 1.5)], later], [0, 1, 0]),
        "cross": ([stem, later, [(-0.3, 1.2), (0.5, 1.2)]], [0, 0, 1]),
        "apostrophe": ([stem, [(0.6, 1.6), (0.5, 1.2)], later], [0, 0, 0]),
        "comma": ([stem, later, [(0.5, 0.1), (0.4, -0.3)]], [0, 0, 0]),
        "overline": ([stem, [(4, 1), (4, 0)], [(-0.5, 1.3), (4, 1.3)]], [0, 0, 0]),
    }
    for name, (strokes, wanted) in cases.items():
        frames = frames_of(ink_of(*strokes), 0.25, xp)
        order = np.unique(frames.first)
        assert [int(frames.delayed[first]) for first in order] == wanted, name
        described = describe(frames, xp)
        assert len(described) == np.sum(frames.delayed == 0), name
        assert described[:, NAMES.index("hat")].any() == any(wanted), name


def slowly(frames):
    """The retelling of `describe`: a frame at a time, from the definitions."""
    kept = [t for t in range(len(frames.u)) if not frames.delayed[t]]
    points = np.column_stack([frames.u, frames.v])
    around, far = round(1 / frames.step), 6 * round(1 / frames.step)
    rows = []
    for place, t in enumerate(kept):
        p, first, last = points[t], frames.first[t], frames.last[t]
        before, after = points[max(t - 1, first)], points[min(t + 1, last)]
        step = p - points[kept[max(place - 1, 0)]]
        drift = [points[s, 0] for s in kept[max(0, place - far) : place + far + 1]]
        a, b = p - before, after - p
        near = points[max(t - around, first) : min(t + around, last) + 1]
        wide, tall = np.ptp(near, axis=0)
        chord = near[-1] - near[0]
        unit = chord / math.hypot(*chord) if math.hypot(*chord) > 1e-9 else np.zeros(2)
        across = [((q - near[0])[1] * unit[0] - (q - near[0])[0] * unit[1]) ** 2 for q in near]
        path = sum(math.dist(q, r) for q, r in itertools.pairwise(near))
        turn_of = np.array([a @ b, a[0] * b[1] - a[1] * b[0]])
        way = after - before
        ink = {"asc": 0, "desc": 0, **{(r, c): 0 for r in range(3) for c in range(3)}}
        for q in points:
            if abs(q[0] - p[0]) < BESIDE:
                ink["asc"] += q[1] > 1
                ink["desc"] += q[1] < 0
            cell = math.floor((q[1] - p[1]) / CELL + 1.5), math.floor((q[0] - p[0]) / CELL + 1.5)
            if cell in ink:
                ink[cell] += 1
        over = [abs(q[0] - p[0]) <= max(frames.step, 0.2) for q in points[frames.delayed > 0]]
        rows.append(
            [
                *np.clip(step, -LONGEST, LONGEST),
                t == last,
                any(over),
                frames.speed[t],
                p[0] - np.mean(drift),
                p[1],
                *(way / math.hypot(*way) if math.hypot(*way) > 1e-9 else (0, 0)),
                *(turn_of / math.hypot(*turn_of) if math.hypot(*turn_of) > 1e-9 else (0, 0)),
                (tall - wide) / (tall + wide) if tall + wide > 1e-9 else 0,
                *unit,
                min(path / max(wide, tall), 6) if max(wide, tall) > 1e-9 else 0,
                np.mean(across),
                *(math.log1p(count * frames.step) for count in ink.values()),
            ]
        )
    return np.array(rows, float)


@pytest.mark.parametrize("strokes", LINES[:2], ids=len)
def test_every_description_equals_its_definition(strokes):
    frames = frames_of(form(strokes), STEP, xp)
    found, wanted = describe(frames, xp), slowly(frames)
    assert frames.delayed.any() or strokes is not LINES[0]
    for column, name in enumerate(NAMES):
        np.testing.assert_allclose(found[:, column], wanted[:, column], atol=1e-8, err_msg=name)


def test_where_everything_is_delayed_nothing_is():
    dots = Frames(*np.zeros((3, 2)), np.array([0, 1]), np.array([0, 1]), np.ones(2), 0.25, np.array([0, 1]))
    assert describe(dots, xp).shape == (2, 27)


def test_raw_features_are_the_pen_s_own():
    strokes = np.array([[3.0, 0, 0], [0, 4, 1], [2, -1, 0]])
    np.testing.assert_allclose(ink_features(strokes, "raw"), [[3, 0, -7 / 3, 0], [0, 4, 5 / 3, 1], [2, -1, 2 / 3, 0]])


@pytest.mark.parametrize(
    "rows",
    [
        [[0, 0, 1]],
        [[5, 0, 1]],
        [[0, 5, 1]],
        [[0, 0, 0], [0, 0, 1], [0, 0, 1]],
        [[1e7, -1e7, 0], [-1e7, 1e7, 1]],
        [[1e-9, 1e-9, 1], [1e-9, 0, 0]],
        [[1, 1, 1]] * 5,
        [[1e6, 0, 0], [1e-3, 1e-3, 0], [-1e-3, 1e-3, 1]],
    ],
)
def test_any_ink_has_finite_features(rows):
    for kind, names in FEATURES.items():
        found = ink_features(np.array(rows, np.float32), kind)
        assert np.isfinite(found).all()
        assert found.shape[1] == len(names)
        assert len(found) >= 1


def test_the_number_of_frames_has_a_bound():
    rng = np.random.default_rng(0)
    scribble = np.column_stack([rng.normal(0, 300, (3000, 2)), np.zeros(3000)])
    assert len(ink_features(scribble, "preprocessed")) <= 2002


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="raw, preprocessed"):
        ink_features(np.ones((2, 3)), "cooked")
