"""Decoding: from a trained network to strokes, text and labels.

Nothing is imported before it is asked for: a SavedModel writes without Keras.
"""

from importlib import import_module

_HOMES = {
    "HandwritingWriter": "handwriting_writer",
    "LineWriter": "line_writer",
    "Lines": "line_writer",
    "TextScorer": "text_score",
    "TextWriter": "text_writer",
    "default_limit": "line_writer",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
