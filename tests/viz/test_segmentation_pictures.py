import numpy as np
import pytest
from PIL import Image

from keras_seqgen.data.label_set import CAMVID, VOC, LabelSet
from keras_seqgen.errors import UserError
from keras_seqgen.viz.segmentation import label_colours, overlay, save_comparison, save_labels, save_picture

# The first colours of Pascal VOC's published palette, and its border's.
VOC_COLOURS = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]
VOC_COLOURS += [(128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0)]


def test_colours_without_any_of_their_own_are_those_of_voc():
    colours = label_colours(VOC)
    np.testing.assert_array_equal(colours[: len(VOC_COLOURS)], VOC_COLOURS)
    assert len(np.unique(label_colours(LabelSet(256, None)), axis=0)) == 256
    np.testing.assert_array_equal(label_colours(CAMVID)[:11], CAMVID.colours)
    np.testing.assert_array_equal(label_colours(CAMVID)[11], 0)


def test_the_real_palette(data):
    palette = Image.open(next((data / "voc_samples").glob("*.png"))).getpalette()
    np.testing.assert_array_equal(label_colours(VOC)[:21], np.reshape(palette, (-1, 3))[:21])


def test_a_label_png_holds_the_labels_and_shows_their_colours(tmp_path):
    found = np.random.default_rng(0).integers(0, 11, (5, 7))
    path = save_labels(tmp_path / "new" / "labels.png", found, CAMVID)
    picture = Image.open(path)
    np.testing.assert_array_equal(np.asarray(picture), found)
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), label_colours(CAMVID)[found])


def test_an_overlay_mixes():
    image = np.full((2, 2, 3), 100.0)
    colours = label_colours(LabelSet(2, None, (), ((0, 0, 0), (200, 100, 0))))
    found = np.array([[0, 1], [1, 0]])
    np.testing.assert_array_equal(overlay(image, found, colours, 0.0), image)
    np.testing.assert_array_equal(overlay(image, found, colours, 1.0), colours[found])
    np.testing.assert_array_equal(overlay(image, found, colours, 0.25)[0, 1], [125, 100, 75])


def test_a_comparison_shows_every_picture_in_its_place(tmp_path):
    rng = np.random.default_rng(0)
    rows = [[rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for _ in range(3)] for h, w in ((20, 30), (10, 40))]
    sheet = np.asarray(Image.open(save_comparison(tmp_path / "out.png", rows, ["image", "truth", "found"])))
    assert sheet.shape == (16 + 20 + 4 + 10, 3 * 40 + 2 * 4, 3)
    for top, row in zip((16, 40), rows, strict=True):
        for left, part in zip((0, 44, 88), row, strict=True):
            np.testing.assert_array_equal(sheet[top : top + part.shape[0], left : left + part.shape[1]], part)
    assert (sheet[:16] != 255).any()


def test_mistakes_are_named(tmp_path):
    with pytest.raises(UserError, match="which loses nothing"):
        save_labels(tmp_path / "labels.jpg", np.zeros((2, 2), int), VOC)
    with pytest.raises(UserError, match="Pictures are written as"):
        save_picture(tmp_path / "picture.xyz", np.zeros((2, 2, 3)))
    with pytest.raises(UserError, match="2 pictures in each"):
        save_comparison(tmp_path / "out.png", [[np.zeros((2, 2, 3))]], ["a", "b"])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save_picture(tmp_path / "file" / "picture.png", np.zeros((2, 2, 3)))
