"""Models as SavedModels: written, loaded, served. Loading one needs TensorFlow and no Keras."""

from importlib import import_module

_HOMES = {
    "SavedHandwriting": "load",
    "SavedText": "load_text",
    "export_handwriting": "saved_model",
    "export_text": "text_model",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
