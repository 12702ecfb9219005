"""How well labels agree, in NumPy: intersection over union, near boundaries too, with intervals over the images."""

import numpy as np


def confusion(truth, found, classes, counts=None):
    """How many pixels of each label were found to be each label.

    Args:
        truth, found: integer arrays of one shape, values in 0..classes-1 wherever `counts` is true.
        classes: L.
        counts: boolean array of that shape, the pixels that play a part; `None` for all.

    Returns:
        (L, L) int64, rows by truth.

    Raises:
        ValueError: a label that plays a part is out of range.
    """
    counts = np.ones(np.shape(truth), bool) if counts is None else np.asarray(counts, bool)
    truth, found = (np.asarray(labels)[counts].astype(np.int64) for labels in (truth, found))
    if truth.size and not (min(truth.min(), found.min()) >= 0 and max(truth.max(), found.max()) < classes):
        raise ValueError(f"`truth` and `found` must lie in 0..{classes - 1} where they count")
    return np.bincount(truth * classes + found, minlength=classes * classes).reshape(classes, classes)


def intersection_over_union(confusions):
    """IU of each label.

        IU_l = n_ll / (sum_m n_lm + sum_m n_ml - n_ll)

    Args:
        confusions: (..., L, L), rows by truth.

    Returns:
        (..., L) float64; NaN for a label that is neither there nor found.
    """
    confusions = np.asarray(confusions, np.float64)
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    union = confusions.sum(-1) + confusions.sum(-2) - hits
    return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)


def mean_intersection_over_union(confusions):
    """Mean IU over the labels that are there or were found: (..., L, L) -> (...); NaN where there is none."""
    each = intersection_over_union(confusions)
    known = np.isfinite(each)
    number = known.sum(-1)
    return np.divide(np.where(known, each, 0).sum(-1), number, out=np.full(number.shape, np.nan), where=number > 0)


def trimap(truth, width, counts=None):
    """The pixels within `width` of a boundary.

    A boundary pixel has another label beside it (above, below, left or right). Where nothing is labelled is one more
    label. Distances are in steps to one of eight neighbours, so width 1 is the boundary pixels themselves.

    Args:
        truth: (h, w) integers.
        width: positive integer, in pixels.
        counts: (h, w) boolean, the pixels that have a label; `None` for all.

    Returns:
        (h, w) boolean; false where nothing is labelled.

    Raises:
        ValueError: `width` is not positive.

    Source: the measure of Kohli, Ladicky, Torr 2009 (IJCV 82) and of Krahenbuhl and Koltun 2011 (arXiv 1210.5644).
    """
    if width < 1:
        raise ValueError(f"`width` must be a positive integer. Received: width={width}")
    counts = np.ones(np.shape(truth), bool) if counts is None else np.asarray(counts, bool)
    labels = np.where(counts, np.asarray(truth, np.int64), -1)
    boundary = np.zeros(labels.shape, bool)
    across, along = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    boundary[1:] |= across
    boundary[:-1] |= across
    boundary[:, 1:] |= along
    boundary[:, :-1] |= along
    for axis in (0, 1):
        boundary = _any_within(boundary, width - 1, axis)
    return boundary & counts


def _any_within(marks, reach, axis):
    """Whether a mark lies within `reach` along an axis."""
    total = np.cumsum(np.moveaxis(marks, axis, 0), axis=0)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    at, length = np.arange(len(total) - 1), len(total) - 1
    high, low = np.minimum(at + reach + 1, length), np.maximum(at - reach, 0)
    return np.moveaxis(total[high] > total[low], 0, axis)


def interval_over_images(confusions, other=None, statistic=mean_intersection_over_union, draws=2000, seed=0):
    """A 95 % interval of a number that belongs to all images together, by drawing images with replacement.

    Args:
        confusions: (N, L, L), one for each image.
        other: of the same images in the same order: then the interval is that of the difference, `confusions` less
            `other`, image by image in pairs. `None`: of the number itself.
        statistic: (..., L, L) summed confusions -> (...).
        draws: how often N images are drawn.
        seed: of the draws.

    Returns:
        Three floats: the number (or the difference), the interval's lower and its upper end.

    Example:

        >>> value, low, high = interval_over_images(confusions)

    Source: Efron's percentile bootstrap. Neighbouring frames of a film are alike, so that the interval is rather too
    narrow for films.
    """
    parts = [np.asarray(part, np.float64) for part in (confusions, other) if part is not None]
    images = len(parts[0])
    times = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=draws)

    def number(weights):
        values = [statistic(np.tensordot(weights, part, 1)) for part in parts]
        return values[0] if other is None else values[0] - values[1]

    low, high = np.nanpercentile(number(times.astype(np.float64)), [2.5, 97.5])
    return float(number(np.ones(images))), float(low), float(high)
