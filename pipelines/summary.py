"""What is counted on the way: exact sums, so that the result does not depend on who added what first."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_seqgen.data.schema import InkLine
from keras_seqgen.data.strokes import Repairs
from pipelines.exact_moments import moments, whole


@dataclass
class SplitSummary:
    """Counts, sums and ranges over the lines of one split."""

    lines: int = 0
    points: int = 0
    strokes: int = 0
    sums: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # dx, dy, dx^2, dy^2
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    characters: Counter = field(default_factory=Counter)
    repairs: Counter = field(default_factory=Counter)
    with_writer: int = 0
    with_text: int = 0

    def add(self, line: InkLine, repairs: Repairs) -> None:
        """Counts one line."""
        rows = line.strokes.astype(np.float64)
        self.lines += 1
        self.points += len(rows)
        self.strokes += int(rows[:, 2].sum())
        new = whole([*rows[:, :2].sum(axis=0), *np.square(rows[:, :2]).sum(axis=0)])
        self.sums = [a + b for a, b in zip(self.sums, new, strict=True)]
        for name, value in line_measures(line).items():
            self._widen(name, value, value)
        self._widen("dx", float(rows[:, 0].min()), float(rows[:, 0].max()))
        self._widen("dy", float(rows[:, 1].min()), float(rows[:, 1].max()))
        self.characters.update(line.text)
        self.repairs.update({name: count for name, count in vars(repairs).items() if count})
        self.with_writer += bool(line.writer)
        self.with_text += bool(line.text)

    def _widen(self, name: str, low: float, high: float) -> None:
        a, b = self.ranges.get(name, (low, high))
        self.ranges[name] = (min(a, low), max(b, high))

    def merge(self, other: "SplitSummary") -> None:
        """Adds another summary to this one."""
        for name in ("lines", "points", "strokes", "with_writer", "with_text"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]
        for name, (low, high) in other.ranges.items():
            self._widen(name, low, high)
        self.characters.update(other.characters)
        self.repairs.update(other.repairs)

    def offsets(self) -> dict[str, list[float]]:
        """Mean and standard deviation of dx and dy; 1 in place of a deviation of 0."""
        return moments(self.sums[:2], self.sums[2:], self.points)


def line_measures(line: InkLine) -> dict[str, float]:
    """What is known of a line in numbers whose range a schema can bound."""
    rows = line.strokes.astype(np.float64)
    steps = np.hypot(rows[:, 0], rows[:, 1])
    measures = {
        "length": len(rows),
        "pen_rate": float(rows[:, 2].sum()) / len(rows),
        "mean_step": float(steps.mean()),
        "longest_step": float(steps.max()),
    }
    if line.text:
        measures |= {"text_length": len(line.text), "points_per_character": len(rows) / len(line.text)}
    return measures


@dataclass
class Summary:
    """Counts over a corpus or a part of it."""

    splits: dict[str, SplitSummary] = field(default_factory=dict)
    dead: Counter = field(default_factory=Counter)  # by kind of fault
    anomalies: Counter = field(default_factory=Counter)  # by kind; see validation.py

    def add(self, split: str, line: InkLine, repairs: Repairs) -> None:
        """Counts one line of a split."""
        self.splits.setdefault(split, SplitSummary()).add(line, repairs)

    def merge(self, other: "Summary") -> None:
        """Adds another summary to this one."""
        for name, split in other.splits.items():
            self.splits.setdefault(name, SplitSummary()).merge(split)
        self.dead.update(other.dead)
        self.anomalies.update(other.anomalies)

    @property
    def alphabet(self) -> list[str]:
        """Every character of every split, sorted."""
        return sorted(set().union(*(split.characters for split in self.splits.values())))

    @property
    def records(self) -> dict[str, int]:
        """How many came in, went out, became dead letters."""
        out = sum(split.lines for split in self.splits.values())
        dead = sum(self.dead.values())
        return {"in": out + dead, "out": out, "dead": dead}

    def to_stats(self) -> dict[str, Any]:
        """The content of `stats.json`. `offsets` is over the training split alone."""
        train = self.splits.get("train", SplitSummary())
        offsets = train.offsets()
        return {
            "offsets": offsets | {"largest_normalised": _largest_normalised(train, offsets)},
            "records": self.records,
            "dead_letters": dict(sorted(self.dead.items())),
            "splits": {name: _split_stats(split) for name, split in sorted(self.splits.items())},
        }


def _largest_normalised(train: SplitSummary, offsets: dict[str, list[float]]) -> float:
    extremes = [
        abs(value - offsets["mean"][i]) / offsets["std"][i]
        for i, name in enumerate(("dx", "dy"))
        for value in train.ranges.get(name, ())
    ]
    return max(extremes, default=0.0)


def _split_stats(split: SplitSummary) -> dict[str, Any]:
    return {
        "lines": split.lines,
        "points": split.points,
        "longest": int(split.ranges.get("length", (0, 0))[1]),
        "pen_rate": split.strokes / max(split.points, 1),
        "ranges": {name: list(bounds) for name, bounds in sorted(split.ranges.items())},
        "with_writer": split.with_writer,
        "with_text": split.with_text,
        "repairs": dict(sorted(split.repairs.items())),
        "characters": dict(sorted(split.characters.items())),
    }
