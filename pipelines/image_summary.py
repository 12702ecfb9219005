"""What is counted of labelled pictures: whole numbers, so that the result does not depend on who added what first."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_seqgen.data.label_set import LabelSet
from pipelines.image_pairs import PreparedPair


@dataclass
class ImageSplit:
    """Counts and sums over the pictures of one split. labels: value -> pixels."""

    images: int = 0
    pixels: int = 0
    labels: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)  # (height, width)
    sums: list[int] = field(default_factory=lambda: [0] * 6)  # red, green, blue and their squares

    def add(self, pair: PreparedPair) -> None:
        """Counts one picture."""
        self.images += 1
        self.pixels += pair.label.size
        self.labels.update({int(v): int(n) for v, n in zip(*np.unique(pair.label, return_counts=True), strict=True)})
        self.sizes[pair.label.shape] += 1
        counts = [np.bincount(pair.pixels[..., channel].ravel(), minlength=256) for channel in range(3)]
        values = np.arange(256)
        more = [int(count @ values) for count in counts] + [int(count @ values**2) for count in counts]
        self.sums = [a + b for a, b in zip(self.sums, more, strict=True)]

    def merge(self, other: "ImageSplit") -> None:
        """Adds another split to this one."""
        self.images += other.images
        self.pixels += other.pixels
        self.labels.update(other.labels)
        self.sizes.update(other.sizes)
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]

    def to_stats(self, labels: LabelSet) -> dict[str, Any]:
        """This split's part of `stats.json`."""
        mean = [total / self.pixels for total in self.sums[:3]]
        square = [total / self.pixels for total in self.sums[3:]]
        return {
            "images": self.images,
            "pixels": self.pixels,
            "class_pixels": [self.labels[label] for label in range(labels.count)],
            "ignored_pixels": sum(n for label, n in self.labels.items() if label == labels.ignore),
            "sizes": {f"{width}x{height}": count for (height, width), count in sorted(self.sizes.items())},
            "channel_mean": mean,
            "channel_std": [max(s - m * m, 0.0) ** 0.5 for s, m in zip(square, mean, strict=True)],
        }


@dataclass
class ImageSummary:
    """Counts over a corpus or a part of it."""

    splits: dict[str, ImageSplit] = field(default_factory=dict)
    dead: Counter = field(default_factory=Counter)  # by kind of fault

    def add(self, pair: PreparedPair) -> None:
        """Counts one picture of a split."""
        self.splits.setdefault(pair.split, ImageSplit()).add(pair)

    def merge(self, other: "ImageSummary") -> None:
        """Adds another summary to this one."""
        for name, split in other.splits.items():
            self.splits.setdefault(name, ImageSplit()).merge(split)
        self.dead.update(other.dead)

    @property
    def records(self) -> dict[str, int]:
        """How many came in, went out, became dead letters."""
        out = sum(split.images for split in self.splits.values())
        dead = sum(self.dead.values())
        return {"in": out + dead, "out": out, "dead": dead}

    def to_stats(self, labels: LabelSet) -> dict[str, Any]:
        """The content of `stats.json`."""
        return {
            "records": self.records,
            "dead_letters": dict(sorted(self.dead.items())),
            "splits": {name: split.to_stats(labels) for name, split in sorted(self.splits.items())},
        }
