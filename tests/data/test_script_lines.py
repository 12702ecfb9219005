"""Arabic glyphs, pieces of lines, and what is spliced of them."""

import unicodedata

import numpy as np
import pytest
from PIL import features

from keras_seqgen.data.line_images import LineForm, line_frames
from keras_seqgen.data.script_classes import (
    ARABIC,
    GARBAGE,
    LATIN,
    LETTERS,
    VOCABULARY,
    Segment,
    labels_to_text,
    segments_of,
    text_to_labels,
)
from keras_seqgen.data.script_pieces import (
    FLIPPED,
    INK,
    LONGEST,
    ROWS,
    SHORTEST,
    Piece,
    bent,
    cut_words,
    figure,
    flip,
    noise,
    normalised,
    text_piece,
    trimmed,
)
from keras_seqgen.data.script_render import ARABIC_FACES, LATIN_FACES, render_text
from keras_seqgen.data.script_shaping import shape_arabic
from keras_seqgen.data.script_splice import WIDE, frames_and_owners, splice, wear

SENTENCE = "«إنهم قاتلوك». فقال: لا (أحب) سنة ١٢٣٤ ورجا"


def rng(seed=0):
    return np.random.default_rng(seed)


def test_letters_of_classes_are_their_own_inverse():
    labels = np.array([0, 1, 1, 3, 2, 0])
    assert labels_to_text(labels) == " aalg "
    np.testing.assert_array_equal(text_to_labels(labels_to_text(labels)), labels)
    assert [VOCABULARY.ids[letter] - 1 for letter in LETTERS] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="substring not found"):
        text_to_labels("x")


def test_segments_are_the_runs_without_the_background():
    assert segments_of([1, 1, 0, 0, 2, 3, 3]) == [Segment(0, 2, 1), Segment(4, 5, 2), Segment(5, 7, 3)]
    assert segments_of([0, 0]) == segments_of([]) == []
    assert segments_of([3]) == [(0, 1, 3)]


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow has no text shaping to compare with")
@pytest.mark.parametrize("word", ["سنة", "قاتلوك", "فقال", "لا", "إلى الأرض", "سلام", "(بسم)", "بيت ١٢٣٤ ذهب", "شيء"])
def test_shaping_draws_what_the_shaping_library_draws(word):
    from pathlib import Path

    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    face = "DejaVuSans"
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{face}.ttf")), 40)
    page = Image.new("L", (600, 90), 255)
    try:
        ImageDraw.Draw(page).text((20, 20), word, 0, font, direction="rtl", language="ar")
    except (OSError, ValueError, KeyError) as error:
        pytest.skip(f"the shaping library does not work here: {error}")
    theirs = np.asarray(page) < 128
    ours = render_text(shape_arabic(word), face, 40) < 0.5
    theirs, ours = (ink[ink.any(axis=1)][:, ink.any(axis=0)] for ink in (theirs, ours))
    assert abs(theirs.shape[1] - ours.shape[1]) <= 3
    w = min(theirs.shape[1], ours.shape[1])
    overlap = max(
        (theirs[:, :w] & np.roll(ours[:, :w], shift, axis=1)).sum() / (theirs[:, :w] | ours[:, :w]).sum()
        for shift in range(-2, 3)
    )
    assert overlap > 0.6


def test_a_letter_alone_a_ligature_and_what_is_not_arabic():
    assert shape_arabic("ب") == "\ufe8f"
    assert shape_arabic("لا") == "\ufefb"
    assert shape_arabic("بلا") == "\ufefc\ufe91"
    assert shape_arabic("سـ") == "\u0640\ufeb3"  # the stretch joins
    assert shape_arabic("سَنة") == shape_arabic("سنة")  # vowel marks are left out
    assert shape_arabic("١٢.٥ (ب)") == "(\ufe8f) ١٢.٥"
    assert shape_arabic("") == ""
    glyphs = shape_arabic(SENTENCE)
    assert sorted(unicodedata.normalize("NFKC", glyphs).replace(" ", "")) == sorted(SENTENCE.replace(" ", ""))


def test_no_face_belongs_to_two_splits():
    for faces in (LATIN_FACES, ARABIC_FACES):
        every = [face for split in faces.values() for face in split]
        assert len(every) == len(set(every))
        for face in every:
            assert (render_text("ab", face, 30) < 0.5).sum() > 20
    for split, faces in ARABIC_FACES.items():
        for face in faces:
            missing = render_text("\U0010fffe", face, 40)
            for glyph in shape_arabic("كتاب"):
                drawn = render_text(glyph, face, 40)
                assert drawn.shape != missing.shape or (drawn != missing).any(), (split, face, glyph)


@pytest.fixture(scope="module")
def line():
    return normalised(render_text("some words of a line that is read by a network", "DejaVuSerif", 37))


def test_a_line_has_one_size_whatever_its_own(line):
    other = normalised(render_text("some words of a line that is read by a network", "DejaVuSerif", 60))
    assert len(line) == len(other) == ROWS
    assert abs(line.shape[1] - other.shape[1]) < 0.05 * line.shape[1]


def test_words_are_cut_at_spaces(line):
    ink = line.max(axis=0) > INK
    for seed in range(40):
        piece = cut_words(line, rng(seed))
        w = piece.shape[1]
        assert 0 < w <= LONGEST * ROWS
        places = [x for x in range(line.shape[1] - w + 1) if (line[:, x : x + w] == piece).all()]
        assert places
        x = places[0]
        assert w > 0.8 * SHORTEST * ROWS or not ink[x + w :].any(), "only the line's end cuts it shorter"
        assert not ink[max(x - 4, 0) : x].any(), "a word begins here"
        if w < LONGEST * ROWS - 8:  # longer words are cut through
            assert not ink[x + w : x + w + 4].any(), "and one ends here"


def _lean(darkness):
    """Columns a row by which the lower half has to move to lie under the upper one as well as it can."""
    upper, lower = darkness[8:24].sum(axis=0), darkness[24:40].sum(axis=0)
    return np.arange(-12, 13)[np.argmax([(upper * np.roll(lower, shift)).sum() for shift in range(-12, 13)])] / 16


def test_bent_words_are_wider_narrower_heavier_and_leaning(line):
    several = [bent(line, rng(seed)) for seed in range(60)]
    np.testing.assert_array_equal(several[7], bent(line, rng(7)))
    widths = np.array([darkness.shape[1] for darkness in several]) / line.shape[1]
    assert 0.7 < widths.min() < 0.8
    assert 1.25 < widths.max() < 1.43
    weights = np.array([darkness.mean() for darkness in several]) / line.mean()
    assert 0.4 < weights.min() < 0.8
    assert 1.3 < weights.max() < 2.5
    assert all(darkness.dtype == np.float32 and 0 <= darkness.min() < darkness.max() <= 1 for darkness in several)


def test_bars_lean_by_what_is_drawn():
    bars = np.zeros((ROWS, 200), np.float32)
    bars[4:-4, 20:180:40] = bars[4:-4, 21:181:40] = bars[4:-4, 22:182:40] = 1
    leans = [_lean(bent(bars, rng(seed))) for seed in range(60)]
    assert 0.25 < max(leans) < 0.45, "as italics"
    assert -0.25 < min(leans) < -0.05, "and a little backwards"


def test_pieces_without_ink_are_empty():
    assert bent(np.zeros((ROWS, 0), np.float32), rng()).shape == (ROWS, 0)
    assert cut_words(np.zeros((ROWS, 50), np.float32), rng()).shape == (ROWS, 0)
    assert trimmed(np.zeros((ROWS, 0), np.float32)).shape == (ROWS, 0)


def test_garbage_of_each_kind(line):
    words = text_piece(LATIN, "print", line, rng(), FLIPPED)
    kinds = set()
    for seed in range(12):
        turned = flip(words, rng(seed))
        assert (turned.label, turned.source) == (GARBAGE, "flip")
        assert not np.array_equal(turned.darkness, words.darkness)
        found = [
            (down, across)
            for down in (1, -1)
            for across in (1, -1)
            if np.array_equal(turned.darkness[::down, ::across], words.darkness)
        ]
        assert len(found) == 1
        kinds.update(found)
    assert kinds == {(-1, 1), (1, -1), (-1, -1)}
    for make, source in ((noise, "noise"), (figure, "figure")):
        for seed in range(20):
            piece = make(rng(seed))
            assert (piece.label, piece.source) == (GARBAGE, source)
            assert piece.darkness.shape[0] == ROWS
            assert 0 <= piece.darkness.min() <= piece.darkness.max() <= 1
    with pytest.raises(ValueError, match="`label` must be a script"):
        text_piece(GARBAGE, "print", line, rng())


def blocks(*widths):
    """Pieces of solid ink."""
    box = np.zeros((ROWS, 1), np.float32)
    box[16:32] = 1
    return [Piece(1 + n % 3, "print", np.repeat(box, w, axis=1)) for n, w in enumerate(widths)]


@pytest.mark.parametrize("seed", range(6))
def test_columns_belong_to_the_pieces_whose_ink_they_have(seed):
    pieces = blocks(100, 150, 90)
    darkness, owners = splice(pieces, rng(seed))
    assert darkness.shape[1] == len(owners)
    middle = darkness[len(darkness) // 2] > 0.5
    np.testing.assert_array_equal(middle, owners > 0)
    assert [label for _, _, label in segments_of(owners)] == [1, 2, 3]
    for (begin, end, _), piece in zip(segments_of(owners), pieces, strict=True):
        assert 0.6 < (end - begin) / piece.darkness.shape[1] < 1.6


def test_a_wide_stretch_without_ink_is_background():
    piece = blocks(300)[0].darkness
    piece[:, 60:240] = 0
    _, owners = splice([Piece(ARABIC, "print", piece)], rng())
    parts = segments_of(owners)
    assert len(parts) == 2
    assert parts[1].begin - parts[0].end > WIDE
    piece[16:32, 140:160] = 1  # now both stretches are narrow enough, or not, by their size
    _, owners = splice([Piece(ARABIC, "print", piece)], rng())
    assert len(segments_of(owners)) in (1, 2, 3)


def test_wear_is_a_function_of_the_seed_and_keeps_the_ink():
    darkness, owners = splice(blocks(200, 200), rng(1))
    for seed in range(8):
        worn = wear(darkness, rng(seed))
        np.testing.assert_array_equal(worn, wear(darkness, rng(seed)))
        assert worn.dtype == np.float32
        assert 0 <= worn.min() <= worn.max() <= 1
        middle = worn[len(worn) // 2 - 3 : len(worn) // 2 + 3].mean(axis=0)
        assert middle[owners > 0].mean() > 0.9
        assert middle[owners == 0].mean() < 0.1
    assert not np.array_equal(wear(darkness, rng(1)), wear(darkness, rng(2)))


def test_frames_are_those_of_serving_and_their_owners_those_of_their_columns():
    darkness, owners = splice(blocks(200, 120), rng(3))
    worn = wear(darkness, rng(3))
    frames, found = frames_and_owners(worn, owners, LineForm(32))
    grey = np.round(255 * (1 - worn)).astype(np.float32) / 255
    np.testing.assert_array_equal(frames, line_frames(grey, LineForm(32)))
    assert len(found) == len(frames)
    inked = frames[:, 12:20].mean(axis=1) > 0.5
    assert (inked == (found > 0)).mean() > 0.97
    turned, backward = frames_and_owners(worn, owners, LineForm(32, right_to_left=True))
    np.testing.assert_array_equal(turned[::-1], frames)
    np.testing.assert_array_equal(backward[::-1], found)
