"""Arabic text -> the glyphs that print shows, from left to right, for fonts that are drawn glyph by glyph."""

import functools
import re
import unicodedata

_FORMS = {"<isolated>": 0, "<final>": 1, "<initial>": 2, "<medial>": 3}
_RUNS = re.compile(r"[0-9٠-٩][0-9٠-٩.,/:٪٫٬]*[0-9٠-٩]|.", re.DOTALL)  # a number runs from left to right
_MIRROR = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_TATWEEL = "\u0640"


@functools.cache
def _forms() -> dict[str, dict[int, str]]:
    """Letter or ligature -> its forms, from Unicode's block of presentation forms B."""
    found: dict[str, dict[int, str]] = {}
    for code in range(0xFE80, 0xFEFD):
        kind, *letters = unicodedata.decomposition(chr(code)).split(" ")
        if kind in _FORMS:
            found.setdefault("".join(chr(int(letter, 16)) for letter in letters), {})[_FORMS[kind]] = chr(code)
    return found


def shape_arabic(text: str) -> str:
    """Text in logical order -> its glyphs in the order in which they stand on paper, as presentation forms.

    A letter takes its final form after a letter that joins to the left, its initial form before one that joins to the
    right, its medial form between two such; lam and alef become one glyph. Vowel marks are left out. Brackets are
    mirrored; numbers keep their order.

    Args:
        text: Arabic, perhaps with digits and signs among it. Other scripts come out reversed.

    Returns:
        As many characters or fewer.

    Example:

        >>> [hex(ord(glyph)) for glyph in shape_arabic("سنة")]
        ['0xfe94', '0xfee8', '0xfeb3']

    Source: The Unicode Standard 15, section 9.2, rules R1 to R7 for joining; ligatures L1.
    """
    forms = _forms()
    letters = [c for c in unicodedata.normalize("NFC", text) if not unicodedata.combining(c)]
    units: list[str] = []
    for letter in letters:
        pair = units[-1] + letter if units else ""
        if len(pair) == 2 and pair[0] == "\u0644" and pair in forms:
            units[-1] = pair
        else:
            units.append(letter)
    # Who has an initial form joins to what follows, who has a final one to what comes before.
    onward = [unit == _TATWEEL or 2 in forms.get(unit, {}) for unit in units]
    backward = [unit == _TATWEEL or 1 in forms.get(unit, {}) for unit in units]
    glyphs = []
    for n, unit in enumerate(units):
        before = n > 0 and onward[n - 1] and backward[n]
        after = n + 1 < len(units) and onward[n] and backward[n + 1]
        glyphs.append(forms.get(unit, {}).get(before + 2 * after, unit))
    return "".join(reversed(_RUNS.findall("".join(glyphs)))).translate(_MIRROR)
