"""Pictures of lines: the same writing gives the same frames, however it was scanned."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from keras_seqgen.data.line_images import (
    SPAN,
    LineForm,
    decode_grey,
    find_line,
    gaussian_filter,
    ink_darkness,
    line_frames,
)


def writing(scale=1.0, above=20.0, below=20.0, slope=0.0, bow=0.0, letters=60, seed=0):
    """A synthetic line, 0 paper to 1 ink: letters of a height of 12 pixels, some with a stem above or a tail below.

    slope: rows that the line falls by per column. bow: rows that its middle is lower than its ends.
    """
    rng = np.random.default_rng(seed)
    length, height = letters * 11.0, above + 12 + below
    bend = abs(slope) * length + abs(bow)
    h, w = round((height + bend) * scale), round(length * scale)
    y, x = np.meshgrid((np.arange(h) + 0.5) / scale, (np.arange(w) + 0.5) / scale, indexing="ij")
    fall = slope * (x if slope > 0 else x - length) + bow * (1 - np.square(2 * x / length - 1)) + max(-bow, 0)
    y = y - above - fall  # 0 at the x-height, 12 at the baseline
    ink = np.zeros((h, w))
    for place in 3 + 11 * np.arange(letters):
        top, bottom = (-9, 12) if rng.random() < 0.3 else (0, 19) if rng.random() < 0.15 else (0, 12)
        stem = 1 / (1 + np.exp(np.clip(3 * (np.abs(x - place) - 1.2), -30, 30)))
        stem *= 1 / (1 + np.exp(np.clip(3 * (np.abs(y - (top + bottom) / 2) - (bottom - top) / 2), -30, 30)))
        bar = 1 / (1 + np.exp(np.clip(3 * (np.abs(y - rng.choice([1.5, 6, 10.5])) - 1.2), -30, 30)))
        bar *= 1 / (1 + np.exp(np.clip(3 * (np.abs(x - place - 3) - 3), -30, 30)))
        ink = np.maximum(ink, np.maximum(stem, bar))
    return ink


def difference(one, other):
    """The mean difference of two pictures' frames, as many of them, over the mean darkness."""
    places = (np.arange(len(one)) + 0.5) * len(other) / len(one) - 0.5
    resampled = ndimage.map_coordinates(other, np.stack(np.meshgrid(places, np.arange(48), indexing="ij")), order=1)
    return np.abs(one - resampled).mean() / one.mean()


STRAIGHT = line_frames(1 - writing())


def test_a_line_fills_the_middle_of_its_frames():
    frames = line_frames(1 - writing())
    assert frames.dtype == np.float32
    assert frames.shape[1] == 48
    assert frames.min() >= 0
    assert frames.max() <= 1
    rows = frames.sum(axis=0)
    assert rows[12:36].sum() > 0.75 * rows.sum()
    assert rows[:3].sum() + rows[-3:].sum() < 0.01 * rows.sum()


@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        ({"slope": 0.03}, 0.10),  # about 20 rows over the line
        ({"slope": -0.05}, 0.15),
        ({"bow": 12.0}, 0.20),  # the centre line is smoothed over some letters and cuts the bow's ends short
        ({"bow": -12.0}, 0.20),
        ({"scale": 1.6}, 0.10),  # another sampling of the same letters
        ({"scale": 2.5}, 0.10),
        ({"above": 45.0}, 1e-6),
        ({"below": 31.0}, 1e-6),
        ({"scale": 1.7, "slope": 0.04, "bow": 10.0, "above": 33.0}, 0.20),
    ],
    ids=str,
)
def test_the_same_writing_gives_the_same_frames(change, tolerance):
    grey = 1 - writing(**change)
    assert difference(STRAIGHT, line_frames(grey)) < tolerance
    # The measure can tell: other writing is this far away, and so is the same when it is not normalised.
    assert difference(STRAIGHT, line_frames(1 - writing(seed=1))) > 0.4
    assert difference(STRAIGHT, line_frames(grey, LineForm(normalise=False))) > 0.4


def test_the_feet_of_the_line_above_do_not_move_the_centre_line():
    ink = writing(above=30.0)
    center, spread = find_line(ink)
    ink[:4, np.arange(ink.shape[1]) % 66 < 3] = 1.0
    moved, larger = find_line(ink)
    assert np.abs(moved - center).max() < 0.25 * spread
    assert larger < 1.35 * spread


def test_a_centre_line_follows_a_known_curve():
    ink = writing(bow=10.0, letters=120)
    center, _ = find_line(ink)
    w = ink.shape[1]
    x = (np.arange(w) + 0.5) / w
    expected = 10 * (1 - np.square(2 * x - 1))
    middle = slice(w // 10, -w // 10)
    error = center[middle] - expected[middle]
    assert np.abs(error - error.mean()).max() < 1.2


@pytest.mark.parametrize("alter", [lambda g: 1 - g, lambda g: 0.3 * g + 0.5, lambda g: 0.2 - 0.15 * g], ids="rcf")
def test_tone_contrast_and_which_is_darker_change_nothing(alter):
    grey = 1 - writing()
    np.testing.assert_allclose(line_frames(alter(grey)), line_frames(grey), atol=1e-5)


def test_noise_and_a_faulty_pixel_change_little():
    grey = 0.9 - 0.5 * writing()
    noisy = grey + np.random.default_rng(1).normal(0, 0.02, grey.shape)
    noisy[3, 5], noisy[1, 100] = 0.0, 1.0
    assert difference(line_frames(grey), line_frames(noisy)) < 0.2


def test_right_to_left_runs_with_the_reading():
    grey = 1 - writing()
    form = LineForm(right_to_left=True)
    np.testing.assert_array_equal(line_frames(grey, form)[::-1], line_frames(grey))
    np.testing.assert_allclose(line_frames(grey[:, ::-1], form), line_frames(grey), atol=1e-5)


@pytest.mark.parametrize("cut", [0, 20])  # letters at the picture's edge end there
def test_frames_are_the_pictures_values_at_the_places_that_the_equations_name(cut):
    grey = 1 - writing(slope=0.02, scale=0.7)[cut:]
    darkness = ink_darkness(grey)
    center, spread = find_line(darkness)
    scale = 48 / (2 * SPAN * spread)
    assert scale > 1  # no smoothing
    T = round(grey.shape[1] * scale)
    x = np.clip((np.arange(T) + 0.5) * grey.shape[1] / T - 0.5, 0, grey.shape[1] - 1)
    y = np.interp(x, np.arange(len(center)), center)[:, None] + (np.arange(48) + 0.5 - 24) / scale
    places = np.stack([y, np.broadcast_to(x[:, None], y.shape)])
    expected = ndimage.map_coordinates(darkness.astype(np.float64), places, order=1, mode="grid-constant")
    np.testing.assert_allclose(line_frames(grey), expected, atol=1e-5)


def test_not_normalised_is_the_picture_at_another_size():
    grey = 1 - writing(slope=0.03)
    frames = line_frames(grey, LineForm(grey.shape[0], normalise=False))
    np.testing.assert_allclose(frames, ink_darkness(grey).T, atol=1e-6)
    half = line_frames(grey, LineForm(grey.shape[0] // 2, normalise=False))
    assert abs(half.mean() / frames.mean() - 1) < 0.02


def test_what_shrinks_is_smoothed_first():
    grey = np.random.default_rng(0).random((96, 960))
    frames = line_frames(grey, LineForm(12, normalise=False))
    assert frames.std() < 0.25 * ink_darkness(grey).std()


def test_the_ink_of_few_columns_has_no_slope_that_reaches_beyond_them():
    ink = np.zeros((40, 100))
    ink[10:15, 50] = ink[25:30, 51] = 1
    center, _ = find_line(ink)
    assert np.ptp(center) < 5


def test_a_gaussian_is_scipys():
    values = np.random.default_rng(0).random((5, 300))
    for axis, sigma in ((1, 7.3), (0, 1.1), (1, 60.0)):
        expected = ndimage.gaussian_filter1d(values, sigma, axis, mode="constant", radius=int(np.ceil(3 * sigma)))
        np.testing.assert_allclose(gaussian_filter(values, sigma, axis), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (60, 900)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("normalise", [True, False])
def test_a_blank_picture_has_blank_frames(shape, value, normalise):
    frames = line_frames(np.full(shape, value, np.float32), LineForm(normalise=normalise))
    assert frames.shape == (max(round(shape[1] * 48 / shape[0]), 1), 48)
    assert not frames.any()


@pytest.mark.parametrize("place", [(0, 0), (20, 30), (39, 99)])
def test_a_picture_with_a_single_dot_is_not_enlarged_without_end(place):
    grey = np.ones((40, 100))
    grey[max(place[0] - 3, 0) : place[0] + 3, max(place[1] - 3, 0) : place[1] + 3] = 0
    frames = line_frames(grey)
    assert np.isfinite(frames).all()
    assert len(frames) <= 100 / 40 * 48 / (2 * SPAN * 0.03) + 1


def saved(picture, ending="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, ending, **options)
    return stream.getvalue()


def test_every_kind_of_picture_gives_the_same_grey():
    levels = np.rint(255 * (1 - writing())).astype(np.uint8)
    expected = levels.astype(np.float32) / 255
    grey = Image.fromarray(levels)
    clear = Image.merge("RGBA", [Image.new("L", grey.size, 0)] * 3 + [Image.fromarray(255 - levels)])
    deep = Image.fromarray(levels.astype(np.uint16) * 257)
    pictures = [grey, grey.convert("RGB"), grey.convert("RGBA"), grey.convert("LA"), grey.convert("P"), clear, deep]
    for picture in pictures:
        np.testing.assert_allclose(decode_grey(saved(picture)), expected, atol=2e-3, err_msg=picture.mode)
    for ending in ("TIFF", "BMP", "PPM"):
        np.testing.assert_array_equal(decode_grey(saved(grey, ending)), expected)
    assert np.abs(decode_grey(saved(grey, "JPEG", quality=95)) - expected).mean() < 0.02
    two = decode_grey(saved(Image.fromarray(levels < 128).convert("1")))
    np.testing.assert_array_equal(two, levels < 128)
    assert deep.mode == "I;16"


def test_sixteen_bits_keep_their_steps():
    deep = np.arange(600, dtype=np.uint16).reshape(20, 30) + 30_000
    assert len(np.unique(decode_grey(saved(Image.fromarray(deep))))) == 600


@pytest.mark.parametrize("broken", [b"", b"no picture", saved(Image.new("L", (50, 50)))[:60]])
def test_a_broken_picture_raises(broken):
    with pytest.raises((OSError, ValueError, SyntaxError)):
        decode_grey(broken)


def test_a_form_and_its_kind():
    forms = [LineForm(40, normalise, rtl) for normalise in (True, False) for rtl in (True, False)]
    assert [form.kind for form in forms] == ["line-rtl", "line", "plain-line-rtl", "plain-line"]
    assert [LineForm.from_kind(form.kind, 40) for form in forms] == forms
    assert len(LineForm(40).names) == len(set(LineForm(40).names)) == 40
    for wrong in ("raw", "line-ltr", "plain-", ""):
        with pytest.raises(ValueError, match="`kind` must be of a line's picture"):
            LineForm.from_kind(wrong, 40)
    with pytest.raises(ValueError, match="`height` must be a positive integer"):
        LineForm(0)
    with pytest.raises(ValueError, match="`grey` must be a picture"):
        line_frames(np.ones((3, 0)))


def test_real_lines_keep_their_ink(data):
    pictures = sorted((data / "ocr_lines" / "uw3_calamari" / "train").glob("*.png"))
    for path in pictures[:20]:
        grey = decode_grey(path.read_bytes())
        darkness = ink_darkness(grey)
        center, spread = find_line(darkness)
        outside = np.abs(np.arange(len(grey))[:, None] - center) > SPAN * spread
        assert (darkness * outside).sum() < 0.02 * darkness.sum(), path.name
