"""The frames of a picture in TensorFlow are those in NumPy."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from keras_seqgen.data import line_images
from keras_seqgen.data.line_images import LineForm
from keras_seqgen.serving import line_tensors


def page(seed, height=60, width=400, ink=0.0, paper=1.0):
    """A skewed, noisy line of strokes, (h, w)."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(picture)
    slope = rng.uniform(-0.03, 0.03)
    for x in range(5, width - 12, 9):
        y = height * 0.45 + slope * (x - width / 2)
        draw.line((x, y - height * 0.2 * (rng.random() < 0.3), x + int(rng.integers(0, 8)), y + height * 0.2), 0, 2)
    grey = np.asarray(picture) / 255 + rng.normal(0, 0.02, (height, width))
    return np.clip(ink + (paper - ink) * grey, 0, 1).astype(np.float32)


PICTURES = {
    "small": page(0),
    "large, so that it shrinks": page(1, 220, 1500),
    "tiny": page(2, 12, 90),
    "light on dark": page(3, ink=0.9, paper=0.1),
    "faint": page(4, ink=0.55, paper=0.7),
    "blank": np.full((40, 100), 0.8, np.float32),
    "one pixel": np.zeros((1, 1), np.float32),
    "one column": np.linspace(0, 1, 50, dtype=np.float32)[:, None],
    "one row": np.linspace(0, 1, 50, dtype=np.float32)[None],
    "a dot": np.pad(np.zeros((4, 4), np.float32), ((10, 30), (50, 20)), constant_values=1.0),
}


@pytest.mark.parametrize("form", [LineForm(), LineForm(32, right_to_left=True), LineForm(40, False)], ids=str)
def test_frames_are_numpys(form):
    spec = tf.TensorSpec((None, None), tf.float32)
    run = tf.function(lambda grey: line_tensors.line_frames(grey, form), input_signature=[spec])
    for name, grey in PICTURES.items():
        expected = line_images.line_frames(grey, form)
        np.testing.assert_allclose(run(grey).numpy(), expected, rtol=0, atol=1e-5, err_msg=name)


def saved(picture, ending="PNG"):
    stream = io.BytesIO()
    picture.save(stream, ending)
    return stream.getvalue()


def test_files_are_read_alike():
    levels = (page(5) * 255).astype(np.uint8)
    grey = Image.fromarray(levels)
    colour = Image.fromarray(np.stack([levels, 255 - levels, np.roll(levels, 9, 1)], axis=2))
    clear = colour.copy()
    clear.putalpha(Image.fromarray(np.roll(levels, 40, 1)))
    deep = Image.fromarray(levels.astype(np.uint16) * 257 + 5)
    decode = tf.function(line_tensors.decode_grey, input_signature=[tf.TensorSpec((), tf.string)])
    for picture in (grey, colour, grey.convert("1"), grey.convert("LA"), grey.convert("P")):
        encoded = saved(picture)
        np.testing.assert_allclose(decode(encoded), line_images.decode_grey(encoded), atol=1e-7, err_msg=picture.mode)
    for picture in (clear, deep):  # a step of 8 bits: Pillow's own arithmetic, and TensorFlow's 8 of 16 bits
        encoded = saved(picture)
        np.testing.assert_allclose(decode(encoded), line_images.decode_grey(encoded), atol=1.01 / 255)
    np.testing.assert_allclose(decode(saved(grey, "BMP")), line_images.decode_grey(saved(grey, "BMP")), atol=1e-7)
    jpeg = saved(grey, "JPEG")
    np.testing.assert_allclose(decode(jpeg), line_images.decode_grey(jpeg), atol=3 / 255)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(b"no picture")


def test_real_lines_give_the_frames_of_the_pipeline(data):
    run = tf.function(
        lambda encoded: line_tensors.line_frames(line_tensors.decode_grey(encoded), LineForm()),
        input_signature=[tf.TensorSpec((), tf.string)],
    )
    for path in sorted((data / "ocr_lines" / "uw3_calamari" / "train").glob("*.png"))[:10]:
        encoded = path.read_bytes()
        expected = line_images.line_frames(line_images.decode_grey(encoded))
        np.testing.assert_allclose(run(encoded).numpy(), expected, rtol=0, atol=1e-4, err_msg=path.name)
