"""Predictions of one attribute, and their joint tables J[prediction, label, group]: whole, in batches, resampled.

Probabilities give the soft table, one-hot decisions the hard one; every measure of ``prediction_disparity`` is a
function of either (paper 002, section 3). ``greycard.losses`` holds the same table as a torch state, for training.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from greycard.metrics.by_group import Floats, Groups, Ints, Partition, clusters_of, partition
from greycard.metrics.significance import Bootstrap, Permutation

_CHUNK = 1 << 22  # elements of the weight matrix that are in floating point at a time


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a predictor says of N rows, and what is true.

    Attributes:
        probabilities: (N, K) float64 in [0, 1], rows sum to 1.
        labels: (N,) int64 codes in [-1, K), -1 = unknown.
        groups: the N rows' groups (crossed by ``by_group.cross`` where several attributes are meant).
        identities: (N,) int64 identity (person, patient) codes, -1 = none; None where the data have none.
    """

    probabilities: Floats
    labels: Ints
    groups: Groups
    identities: Ints | None = None

    def __post_init__(self) -> None:
        rows, classes = self.probabilities.shape if self.probabilities.ndim == 2 else (0, 0)
        if classes < 2:
            raise ValueError(f"probabilities must be (N, K) with K >= 2, got {self.probabilities.shape}")
        columns = {"labels": self.labels, "groups": self.groups.codes, "identities": self.identities}
        for name, column in columns.items():
            if column is not None and column.shape != (rows,):
                raise ValueError(f"{name} must be ({rows},), got {column.shape}")
        if rows and not -1 <= self.labels.min() <= self.labels.max() < classes:
            raise ValueError(f"labels must be -1..{classes - 1}, got {self.labels.min()}..{self.labels.max()}")
        off = np.abs(self.probabilities.sum(axis=1) - 1)
        wrong = ~(off < 1e-3) | (self.probabilities < 0).any(axis=1)  # NaN is wrong too
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{wrong.sum()} of {rows} rows are no probabilities (0 or above, sum 1); the first is row {first}: "
                f"{self.probabilities[first].tolist()}. Apply softmax to logits first"
            )

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.probabilities.shape[1]

    @property
    def decisions(self) -> Ints:
        """(N,) the most probable class, of ties the first."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    def known(self) -> "Predictions":
        """Return the rows whose label and group are known: those that count."""
        keep = (self.labels >= 0) & (self.groups.codes >= 0)
        groups = Groups(self.groups.name, self.groups.names, self.groups.codes[keep])
        identities = None if self.identities is None else self.identities[keep]
        return Predictions(self.probabilities[keep], self.labels[keep], groups, identities)

    def hard(self) -> "Predictions":
        """Return the decisions, as probabilities of 0 and 1."""
        return replace(self, probabilities=np.eye(self.classes)[self.decisions])

    def units(self) -> Partition:
        """Gather the rows that count into units of one group and identity, for ``Bootstrap`` and counts."""
        codes = np.where(self.labels < 0, -1, self.groups.codes)
        groups = Groups(self.groups.name, self.groups.names, codes)
        return partition(groups, clusters_of(self.identities, len(codes)))


def joint(predictions: Predictions) -> Floats:
    """Sum the rows that count into (K, K, S) [prediction, label, group]; divided by its sum it is J.

    Example:
        >>> groups = Groups("gender", ("female", "male"), np.array([0, 0, 1, -1]))
        >>> rows = np.array([[0.75, 0.25], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
        >>> joint(Predictions(rows, np.array([0, 0, 1, 1]), groups)).tolist()
        [[[1.25, 0.0], [0.0, 0.0]], [[0.75, 0.0], [0.0, 1.0]]]
    """
    return np.asarray(batches(predictions, np.zeros(len(predictions.labels), np.int64), 1)[0])


def batches(predictions: Predictions, batch: Ints, count: int) -> Floats:
    """Sum the rows of each batch: (count, K, K, S).

    Args:
        predictions: N rows.
        batch: (N,) the batch of each row, in [0, count).
        count: number of batches.
    """
    classes, size = predictions.classes, len(predictions.groups.names)
    labels, groups = predictions.labels, predictions.groups.codes
    keep = (labels >= 0) & (groups >= 0)
    cell = ((batch * classes + labels) * size + groups)[keep]
    cells = count * classes * size
    sums = [np.bincount(cell, column[keep], cells) for column in predictions.probabilities.T]
    table = np.stack(sums).astype(np.float64).reshape(classes, count, classes, size)
    return table.swapaxes(0, 1)


def resampled_joint(draws: Bootstrap | Permutation, predictions: Predictions) -> Floats:
    """Return the tables of B resamples or permutations: (B, K, K, S).

    Args:
        draws: drawn from ``predictions.units()``.
        predictions: N rows, the same as those drawn from (of any predictor).
    """
    classes, rows = predictions.classes, len(predictions.labels)
    table = np.zeros((rows, classes, classes))
    known = np.flatnonzero(predictions.labels >= 0)
    table[known, :, predictions.labels[known]] = predictions.probabilities[known]
    sums = resampled_sums(draws, table.reshape(rows, classes * classes))
    return sums.reshape(*sums.shape[:2], classes, classes).transpose(0, 2, 3, 1)


def resampled_sums(draws: Bootstrap | Permutation, values: Floats) -> Floats:
    """Sum columns over the rows of each draw and group: (N, C) -> (B, S, C)."""
    units = draws.units
    of_unit = np.zeros((0, values.shape[1]))
    if len(units.starts):
        of_unit = np.add.reduceat(values[units.order], units.starts, axis=0)
    resamples = len(draws.weights if isinstance(draws, Bootstrap) else draws.groups)
    totals = np.zeros((resamples, len(units.groups), values.shape[1]))
    step = max(1, _CHUNK // max(len(units.starts), 1))
    for start in range(0, resamples, step):
        rows = slice(start, start + step)
        for group, (low, high) in enumerate(pairwise(units.bounds)):
            if isinstance(draws, Bootstrap):
                totals[rows, group] = draws.weights[rows, low:high].astype(np.float64) @ of_unit[low:high]
            else:
                totals[rows, group] = (draws.groups[rows] == group).astype(np.float64) @ of_unit
    return totals


def row_weights(bootstrap: Bootstrap, rows: Ints) -> NDArray[np.uint8]:
    """Return how often each of the given rows is drawn: (B, len(rows)); all must be in a unit."""
    units = bootstrap.units
    sizes = np.diff(np.append(units.starts, len(units.order)))
    unit = np.full(int(units.order.max(initial=-1)) + 1, -1)
    unit[units.order] = np.repeat(np.arange(len(units.starts)), sizes)
    return bootstrap.weights[:, unit[rows]]
