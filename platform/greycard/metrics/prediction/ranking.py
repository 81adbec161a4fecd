"""Area under the ROC curve, of rows and of resampled rows.

AUC is the chance that a positive row scores above a negative one, a tie counting half (Hanley & McNeil 1982). Of
several classes it is the mean over classes of one against the rest, each class counting the same.
"""

import numpy as np
from numpy.typing import NDArray

from greycard.metrics.by_group import Floats, Ints
from greycard.metrics.prediction.disparities import ratio

_CHUNK = 1 << 22  # elements of weights that are in floating point at a time


def macro_auc(probabilities: Floats, labels: Ints, weights: Floats | NDArray[np.uint8] | None = None) -> Floats:
    """Return the AUC of rows: (...) in [0, 1], 0.5 = chance, higher is better.

    Classes that no row or every row has are left out; NaN if none is left.

    Args:
        probabilities: (N, K).
        labels: (N,) codes in [0, K).
        weights: (B, N), how often each row counts in each resample; None counts each once.

    Returns:
        () or (B,).

    Example:
        >>> rows = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
        >>> macro_auc(rows, np.array([0, 0, 1, 1])).item()
        0.75
    """
    classes = probabilities.shape[1]
    scored = range(1, 2) if classes == 2 else range(classes)  # of two classes both give the same area
    table = np.ones((1, len(labels))) if weights is None else weights
    areas = np.stack([_auc(probabilities[:, a], labels == a, table) for a in scored])
    known = ~np.isnan(areas)
    mean = ratio(np.where(known, areas, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
    return mean[0] if weights is None else mean


def _auc(scores: Floats, positive: NDArray[np.bool_], weights: Floats | NDArray[np.uint8]) -> Floats:
    """Return (B,) areas."""
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))  # ties stand together
    areas = np.empty(len(weights))
    step = max(1, _CHUNK // len(scores))
    for low in range(0, len(weights), step):
        drawn = weights[low : low + step, order].astype(np.float64)
        up = np.add.reduceat(drawn * positive[order], starts, axis=1)
        down = np.add.reduceat(drawn * ~positive[order], starts, axis=1)
        below = np.cumsum(down, axis=1) - down / 2
        areas[low : low + step] = ratio((up * below).sum(axis=1), up.sum(axis=1) * down.sum(axis=1))
    return areas
