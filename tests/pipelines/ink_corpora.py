"""Small corpora for the tests of the handwriting pipeline, and what to read its results with."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_seqgen.data.schema import InkLine, from_example
from pipelines.handwriting import main


def line_xml(rng: np.random.Generator, points: int = 40, scale: float = 12.0) -> str:
    """A lineStrokes file of a random walk to the right, in two strokes."""
    steps = np.rint(rng.normal((scale / 2, 0), scale, (points, 2))).astype(int)
    xy = np.cumsum(steps, axis=0) + 1000
    rows = [f'<Point x="{x}" y="{y}" time="{i * 0.015:.3f}"/>' for i, (x, y) in enumerate(xy)]
    half = points // 2
    strokes = "".join(f"<Stroke>{''.join(part)}</Stroke>" for part in (rows[:half], rows[half:]))
    return f"<WhiteboardCaptureSession><StrokeSet>{strokes}</StrokeSet></WhiteboardCaptureSession>"


def write_form(root: Path, form: str, texts: list[str], seed: int = 0, scale: float = 12.0) -> list[Path]:
    """A form of IAM-OnDB in its official layout; returns its stroke files."""
    rng = np.random.default_rng([seed, *form.encode()])
    paths = []
    for number, _ in enumerate(texts, start=1):
        path = root / "lineStrokes" / form[:3] / form[:7] / f"{form}-{number:02d}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line_xml(rng, int(rng.integers(30, 60)), scale))
        paths.append(path)
    path = root / "ascii" / form[:3] / form[:7] / f"{form}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("OCR:\n\nx\n\nCSR:\n\n" + "\n".join(texts) + "\n", encoding="utf-8")
    return paths


def write_corpus(root: Path, forms: int = 12, lists: bool = True) -> Path:
    """Forms of three lines; the first in testset_v, the others in trainset."""
    names = [f"a{i // 5:02d}-{i:03d}" for i in range(forms)]
    for i, name in enumerate(names):
        write_form(root, name, [f"line {k} of {i}" for k in range(3)], seed=i)
    if lists:
        (root / "splits").mkdir()
        for split, members in {"trainset": names[1:], "testset_t": [], "testset_f": [], "testset_v": names[:1]}.items():
            (root / "splits" / f"{split}.txt").write_text("\n".join(members) + "\n")
    return root


def prepare(*flags) -> int:
    """Runs the pipeline in this process; returns the exit code."""
    return main([str(flag) for flag in flags])


def stats(folder: Path) -> dict:
    return json.loads((folder / "stats.json").read_text())


def dead_letters(folder: Path) -> list[dict]:
    return [
        json.loads(line) for path in sorted(folder.glob("dead_letters-*")) for line in path.read_text().splitlines()
    ]


def lines(folder: Path, split: str) -> list[InkLine]:
    files = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    return [from_example(record) for record in tf.data.TFRecordDataset(files).as_numpy_iterator()]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
