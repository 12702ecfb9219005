"""Which way up a picture is shown: the orientation in its Exif data, which TensorFlow's decoders leave aside."""

from PIL import Image

_ORIENTATION = 0x0112  # the tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(picture: Image.Image) -> Image.Image:
    """A picture as its Exif data say that it is to be shown.

    Returns:
        `picture` itself where nothing is to be turned or the Exif data cannot be read; else a new one, whose `format`
        is None.

    Differs: `PIL.ImageOps.exif_transpose` writes the other Exif data anew, and raises where they are broken.
    """
    try:
        turn = _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken tag has an exception for each of its ways to be broken
        return picture
    return picture if turn is None else picture.transpose(turn)
