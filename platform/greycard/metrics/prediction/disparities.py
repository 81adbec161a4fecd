"""Group values of a joint table and the measures of how they differ: σ_IOU, parity and odds gaps, the fairness losses.

Paper 002, section 3 (losses, eq. 3-12) and section 4 (σ_IOU). Tables are (..., K, K, S) sums [prediction, label,
group], soft or hard; whatever stands in front (batches, resamples) is kept. Every disparity is 0 when groups are alike,
lower is fairer, and NaN for a table without rows. Empty cells are left out, as ``greycard.losses`` does by "skip";
``published=True`` does as the paper's published code (whole loss 0, IoU of an absent class 0).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from greycard.metrics.by_group import Floats
from greycard.metrics.disparity import bias

Bools = NDArray[np.bool_]


def accuracy(tables: Floats) -> Floats:
    """Return the share recognised in each group: (..., S) in [0, 1], higher is better, NaN for an empty group."""
    return ratio(np.einsum("...aac->...c", tables), tables.sum(axis=(-3, -2)))


def balanced_accuracy(tables: Floats) -> Floats:
    """Return the mean recall over the labels a group has: (..., S) in [0, 1], higher is better, NaN where empty.

    Example:
        >>> balanced_accuracy(np.array([[[6.0], [1.0]], [[2.0], [3.0]]])).tolist()
        [0.75]
    """
    counts = tables.sum(axis=-3)
    return _mean(ratio(np.einsum("...aac->...ac", tables), counts), counts > 0)


def iou(tables: Floats, *, published: bool = False) -> Floats:
    """Return the IoU of each group, averaged over the classes it has: (..., S) in [0, 1], higher is better.

    A class without labelled rows in a group is left out of the group's mean; ``published`` counts it as 0.

    Example:
        >>> iou(np.array([[[6.0], [1.0]], [[2.0], [3.0]]])).round(4).tolist()  # (6 / 9 + 3 / 6) / 2
        [0.5833]
    """
    return _mean(_class_iou(tables), _counted(tables, published))


def sigma_iou(tables: Floats, *, published: bool = False) -> Floats:
    """Return σ_IOU, the standard deviation (Bessel) of the groups' IoUs: (...) in [0, 0.71], lower is fairer.

    The paper's search minimises it on *hard* tables. Empty groups are left out; NaN below two groups.

    Example:
        >>> J = np.array([[[6.0, 4.0], [1.0, 2.0]], [[2.0, 4.0], [3.0, 2.0]]])
        >>> sigma_iou(J).round(4).item()  # |0.5833 - 0.325| / sqrt(2)
        0.1827
    """
    values = iou(tables, published=published)
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    deviations = np.where(known, values - _mean(values, known, -1)[..., None], 0.0)
    return np.sqrt(ratio(np.square(deviations).sum(axis=-1), np.where(count > 1, count - 1.0, 0.0)))


def dp_difference(tables: Floats) -> Floats:
    """Return the demographic parity difference: (...) in [0, 1].

    The largest gap between groups of p(prediction = a | group), over classes a. Of hard tables of two classes it is
    fairlearn's ``demographic_parity_difference``.

    Example:
        >>> dp_difference(np.array([[[6.0, 4.0], [1.0, 2.0]], [[2.0, 4.0], [3.0, 2.0]]])).round(4).item()
        0.0833
    """
    rates = ratio(tables.sum(axis=-2), tables.sum(axis=(-3, -2))[..., None, :])
    return _worst(bias(rates.swapaxes(-1, -2)))


def eo_difference(tables: Floats) -> Floats:
    """Return the equalized odds difference: (...) in [0, 1].

    The largest gap between groups of p(prediction = a | label = b, group), over classes a and labels b. Of hard tables
    of two classes it is fairlearn's ``equalized_odds_difference`` where every cell has rows.

    Example:
        >>> eo_difference(np.array([[[6.0, 4.0], [1.0, 2.0]], [[2.0, 4.0], [3.0, 2.0]]])).item()
        0.25
    """
    rates = ratio(tables, tables.sum(axis=-3)[..., None, :, :])
    rates = rates.reshape(*rates.shape[:-3], rates.shape[-3] * rates.shape[-2], rates.shape[-1])
    return _worst(bias(rates.swapaxes(-1, -2)))


def dp_l2(tables: Floats, *, published: bool = False) -> Floats:
    """Return L_dp^l2 (eq. 3): ``sum over a, c of (q(a | c) - q(a))²``."""
    rows = tables.sum(axis=(-3, -2))
    overall = ratio(tables.sum(axis=(-2, -1)), rows.sum(axis=-1)[..., None])
    gaps = ratio(tables.sum(axis=-2), rows[..., None, :]) - overall[..., None]
    present = rows > 0
    value = np.square(np.where(present[..., None, :], gaps, 0.0)).sum(axis=(-2, -1))
    return _fill_absent(value, tables, published & ~present.all(axis=-1))


def dp_mi(tables: Floats, *, published: bool = False) -> Floats:
    """Return L_dp^mi (eq. 4), the mutual information of prediction and group in nats; alike if ``published``."""
    p = tables.sum(axis=-2)
    p = ratio(p, p.sum(axis=(-2, -1), keepdims=True))
    value = _entropy(p.sum(axis=-1), -1) + _entropy(p.sum(axis=-2), -1) - _entropy(p, (-2, -1))
    return _fill_absent(value, tables, np.zeros(value.shape, bool))


def eo_l2(tables: Floats, *, published: bool = False) -> Floats:
    """Return L_eo^l2 (eq. 6): ``sum over a, b, c of (q(a | b, c) - q(a | b))²``."""
    counts = tables.sum(axis=-3)
    given_label = ratio(tables.sum(axis=-1), counts.sum(axis=-1)[..., None, :])
    gaps = ratio(tables, counts[..., None, :, :]) - given_label[..., None]
    present = counts > 0
    value = np.square(np.where(present[..., None, :, :], gaps, 0.0)).sum(axis=(-3, -2, -1))
    return _fill_absent(value, tables, published & ~present.all(axis=(-2, -1)))


def eo_mi(tables: Floats, *, published: bool = False) -> Floats:
    """Return L_eo^mi (eq. 7): the mutual informations of prediction and group given each label, added up, in nats."""
    rows = tables.sum(axis=(-3, -1))
    p = np.nan_to_num(ratio(tables, rows[..., None, :, None]))
    each = _entropy(p.sum(axis=-1), -2) + _entropy(p.sum(axis=-3), -1) - _entropy(p, (-3, -1))
    return _fill_absent(each.sum(axis=-1), tables, published & (rows == 0).any(axis=-1))


def iou_sum(tables: Floats, *, published: bool = False) -> Floats:
    """Return L_iou as printed (eq. 12): ``sum over c of (IOU_c - IOU)²``.

    A group that lacks a class is compared with everyone over the classes it has.
    """
    counted = _counted(tables, published)
    overall = _class_iou(tables.sum(axis=-1, keepdims=True))
    gaps = _mean(_class_iou(tables) - overall, counted)
    value = np.square(np.nan_to_num(gaps)).sum(axis=-1)
    return _fill_absent(value, tables, published & (tables.sum(axis=(-3, -2)) == 0).any(axis=-1))


def iou_mean(tables: Floats, *, published: bool = False) -> Floats:
    """Return L_iou of the published code and of the paper's Tables 1-3: the mean over groups instead of the sum."""
    groups = (tables.sum(axis=(-3, -2)) > 0).sum(axis=-1).astype(np.float64)
    return ratio(iou_sum(tables, published=published), groups)


def iou_paired(tables: Floats, *, published: bool = False) -> Floats:
    """Return the mean over pairs of groups of (IOU_c - IOU_c')², over the classes that both have (published option)."""
    overlap, counted = _class_iou(tables), _counted(tables, published)
    first, second = np.triu_indices(tables.shape[-1], 1)
    gaps = _mean(overlap[..., first] - overlap[..., second], counted[..., first] & counted[..., second])
    known = ~np.isnan(gaps)
    pairs = known.sum(axis=-1)
    value = np.square(np.nan_to_num(gaps)).sum(axis=-1) / np.maximum(pairs, 1)
    return _fill_absent(value, tables, published & (tables.sum(axis=(-3, -2)) == 0).any(axis=-1))


FAIR_LOSSES: Final[dict[str, Callable[..., Floats]]] = {
    "iou": iou_sum,
    "iou_mean": iou_mean,
    "iou_paired": iou_paired,
    "eo_l2": eo_l2,
    "eo_mi": eo_mi,
    "dp_l2": dp_l2,
    "dp_mi": dp_mi,
}
DISPARITIES: Final[dict[str, Callable[..., Floats]]] = {
    "sigma_iou": sigma_iou,
    "dp_difference": dp_difference,
    "eo_difference": eo_difference,
    **FAIR_LOSSES,
}


def ratio(numerators: Floats, denominators: Floats) -> Floats:
    """Divide, NaN where the denominator is 0; shapes broadcast."""
    numerators, denominators = np.broadcast_arrays(numerators, denominators)
    return np.divide(numerators, denominators, out=np.full(numerators.shape, np.nan), where=denominators > 0)


def _mean(values: Floats, counted: Bools, axis: int = -2) -> Floats:
    """Average the values that count, over classes unless told otherwise; NaN where none does."""
    return ratio(np.where(counted, values, 0.0).sum(axis=axis), counted.sum(axis=axis).astype(np.float64))


def _class_iou(tables: Floats) -> Floats:
    """Return (..., K, S): 0 where a class has neither label nor prediction in a group."""
    both = np.einsum("...aac->...ac", tables)
    return np.nan_to_num(ratio(both, tables.sum(axis=-2) + tables.sum(axis=-3) - both))


def _counted(tables: Floats, published: bool) -> Bools:
    """Return (..., K, S), the IoUs that count: of the labels a group has, or of all labels in a group with rows."""
    present = tables.sum(axis=-3) > 0
    return np.broadcast_to(present.any(axis=-2, keepdims=True), present.shape) if published else present


def _fill_absent(value: Floats, tables: Floats, zeroed: Bools) -> Floats:
    """Put 0 where the published code returns it, and NaN where there are no rows."""
    return np.where(tables.sum(axis=(-3, -2, -1)) > 0, np.where(zeroed, 0.0, value), np.nan)


def _worst(gaps: Floats) -> Floats:
    """Return the largest of the last axis, NaN left out."""
    largest = np.where(np.isnan(gaps), -np.inf, gaps).max(axis=-1)
    return np.where(np.isneginf(largest), np.nan, largest)


def _entropy(p: Floats, axis: int | tuple[int, ...]) -> Floats:
    safe = np.where(p > 0, p, 1.0)  # NaN, of a table without rows, becomes 1: settled by the caller
    return np.asarray(-(safe * np.log(safe)).sum(axis=axis))
