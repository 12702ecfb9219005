"""A segmentation measured image by image, so that intervals and comparisons in pairs can be had."""

import dataclasses

import numpy as np

from keras_seqgen.metrics.label_overlap import (
    confusion,
    intersection_over_union,
    interval_over_images,
    mean_intersection_over_union,
    trimap,
)

TRIMAPS = (2, 5, 10)  # widths, in pixels


@dataclasses.dataclass(frozen=True)
class Scores:
    """Confusion matrices of N images in the order of the data.

    whole: (N, L, L) over all labelled pixels. near: width -> (N, L, L) over those within a trimap of that width.
    """

    whole: np.ndarray
    near: dict[int, np.ndarray]

    def report(self, labels):
        """The numbers as a flat dict of plain values.

        Args:
            labels: a `data.label_set.LabelSet`.

        Returns:
            mean_iu, and mean_iu_low and mean_iu_high, its 95 % interval over the images; the same for each
            trimap_W_mean_iu, W the width in pixels (`None` where no pixel counts); pixel_accuracy; iu_NAME of each
            label (`None` where it is neither there nor found); images.
        """
        numbers: dict = {}
        for name, part in {"mean_iu": self.whole, **{f"trimap_{w}_mean_iu": n for w, n in self.near.items()}}.items():
            numbers[name], numbers[f"{name}_low"], numbers[f"{name}_high"] = _interval(part)
        total = self.whole.sum(0)
        numbers["pixel_accuracy"] = float(np.trace(total) / max(total.sum(), 1))
        for label, value in enumerate(intersection_over_union(total)):
            numbers[f"iu_{labels.key(label)}"] = float(value) if np.isfinite(value) else None
        return {**numbers, "images": len(self.whole)}

    def differences(self, other):
        """`self` less `other` of the same images: name -> [difference, lower and upper end of its 95 % interval].

        `None` three times where no pixel counts.
        """
        pairs = {"mean_iu": (self.whole, other.whole)}
        pairs |= {f"trimap_{width}_mean_iu": (near, other.near[width]) for width, near in self.near.items()}
        return {name: list(_interval(mine, theirs)) for name, (mine, theirs) in pairs.items()}

    @property
    def mean_iu(self):
        """Mean IU of all images together."""
        return float(mean_intersection_over_union(self.whole.sum(0)))


def _interval(mine, theirs=None):
    """`interval_over_images`, or `None` three times where no pixel counts, as near the boundaries of plain pictures."""
    return interval_over_images(mine, theirs) if mine.any() else (None, None, None)


def score(predict, batches, classes, widths=TRIMAPS):
    """Measure what a function makes of pictures.

    Args:
        predict: pictures (B, h, w, 3), a tensor or array -> labels (B, h, w), integers.
        batches: of `data.segmentation.segmentation_batches`.
        classes: L.
        widths: of the trimaps, in pixels.

    Returns:
        `Scores`.
    """
    whole: list = []
    near: dict[int, list] = {width: [] for width in widths}
    for inputs, truths, weights in batches:
        found = np.asarray(predict(inputs["image"]))
        for labels, truth, counts in zip(found, np.asarray(truths), np.asarray(weights) > 0, strict=True):
            whole.append(confusion(truth, labels, classes, counts))
            for width, rows in near.items():
                rows.append(confusion(truth, labels, classes, trimap(truth, width, counts)))
    return Scores(np.stack(whole), {width: np.stack(rows) for width, rows in near.items()})
