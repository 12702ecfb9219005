"""Pictures that Exif data turn, against Pillow's own."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_seqgen.data.exif_orientation import upright


def reread(orientation, kind="PNG"):
    exif, stream = Image.Exif(), io.BytesIO()
    if orientation:
        exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(stream, kind, exif=exif)
    return Image.open(stream)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_each_orientation_is_that_of_pillow(orientation, kind):
    picture = reread(orientation, kind)
    np.testing.assert_array_equal(upright(picture), ImageOps.exif_transpose(picture))


@pytest.mark.parametrize("orientation", [None, 1, 0, 9])
def test_others_stay_the_same_object(orientation):
    picture = reread(orientation)
    assert upright(picture) is picture


def test_broken_exif_data_turn_nothing():
    stream = io.BytesIO()
    Image.new("RGB", (3, 2)).save(stream, "JPEG", exif=b"Exif\0\0nonsense")
    picture = Image.open(stream)
    assert upright(picture) is picture
