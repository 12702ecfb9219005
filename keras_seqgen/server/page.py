"""The page at the server's root: two files as they are, and what the page must know of the models."""

import json
import math
from pathlib import Path

from aiohttp import web

from keras_seqgen.server.model_store import ModelStore
from keras_seqgen.server.servable import Servable

_FILES = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:",
    "Cache-Control": "no-cache",
}


def add_page(app: web.Application, store: ModelStore) -> None:
    """Answer `/`, `/page.js` and `/page/models.json`, which is what `describe` says of the models of `store`."""
    for path, (name, kind) in _FILES.items():
        text = (Path(__file__).parent / name).read_text(encoding="utf-8")

        async def answer(_request, text=text, kind=kind):
            return web.Response(text=text, content_type=kind, headers=_HEADERS)

        app.router.add_get(path, answer)

    async def models(_request):
        return web.json_response(describe(store), headers=_HEADERS)

    app.router.add_get("/page/models.json", models)


def describe(store: ModelStore) -> dict:
    """What the page must know of each model.

    Returns:
        dict name -> {"signatures": name -> input -> shape, -1 for any size; "unit": length of a pen's step, or None;
        "labels": the names of a picture's labels, as far as they are known}.
    """
    newest = {name: versions[max(versions)] for name, versions in sorted(store.models.items())}
    return {
        name: {
            "signatures": {
                key: {alias: [size.size for size in info.tensor_shape.dim] for alias, info in signature.inputs.items()}
                for key, signature in servable.signatures.items()
            },
            "unit": _unit(servable),
            "labels": _labels(servable),
        }
        for name, servable in newest.items()
    }


def _unit(servable: Servable) -> float | None:
    """The root mean square of a pen's step in the data of a handwriting model: a sample is drawn in pixels."""
    try:
        stats = json.loads((servable.folder / "assets.extra" / "stats.json").read_text(encoding="utf-8"))
        return math.sqrt(sum(number**2 for name in ("mean", "std") for number in stats["offsets"][name]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _labels(servable: Servable) -> list[str]:
    """The names of the labels of a model of pictures, as far as they are known."""
    try:
        return json.loads((servable.folder / "assets.extra" / "labels.json").read_text(encoding="utf-8"))["names"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
