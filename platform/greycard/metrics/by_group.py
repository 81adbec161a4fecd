"""One frame for every number by group: means, accuracies, recalls, of single and of crossed attributes.

Every measure is a *mean of ratios of sums*. An image adds a numerator and a denominator to each of a measure's
components; a group's value is the mean of the components' ratios. A plain mean has one component (value, 1); macro
recall has one per class (right and of this class, of this class). Sums over groups, over resampled identities and over
permuted groups are then the same few matrix products for every measure (``greycard.metrics.significance``).

Values by group have no bounds or direction of their own; a group without a counted row is NaN with count 0, is never
dropped, and every group keeps its place in the class set.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Link = Callable[[Floats], Floats]

CROSS = " x "


@dataclass(frozen=True, slots=True)
class Groups:
    """Which group each row is in.

    Attributes:
        name: the attribute, or several joined by " x ".
        names: the G groups in fixed order; the order is the code.
        codes: (N,) int64 in [-1, G); -1 is a row whose group is not known, which no group counts.
    """

    name: str
    names: tuple[str, ...]
    codes: Ints

    def __post_init__(self) -> None:
        if len(self.codes) and not -1 <= self.codes.min() <= self.codes.max() < len(self.names):
            raise ValueError(
                f"codes of {self.name!r} must be -1..{len(self.names) - 1}, got {self.codes.min()}..{self.codes.max()}"
            )


def everyone(rows: int) -> Groups:
    """Return one group, "all", that holds every row."""
    return Groups("all", ("all",), np.zeros(rows, np.int64))


def cross(parts: Sequence[Groups]) -> Groups:
    """Cross attributes: every combination is a group, the first attribute varying slowest.

    Example:
        >>> race = Groups("race", ("African", "Asian"), np.array([0, 1, 1]))
        >>> gender = Groups("gender", ("female", "male"), np.array([1, 0, -1]))
        >>> both = cross([race, gender])
        >>> both.name, both.names[1], both.codes.tolist()
        ('race x gender', 'African x male', [1, 2, -1])
    """
    name, names, codes = parts[0].name, parts[0].names, parts[0].codes
    for part in parts[1:]:
        unknown = (codes < 0) | (part.codes < 0)
        codes = np.where(unknown, -1, codes * len(part.names) + part.codes)
        names = tuple(f"{a}{CROSS}{b}" for a in names for b in part.names)
        name = f"{name}{CROSS}{part.name}"
    return Groups(name, names, codes)


@dataclass(frozen=True, slots=True)
class Layout:
    """How J components make K measures.

    Attributes:
        names: the K measures.
        sizes: components of each measure; they stand side by side.
        links: applied to each finished mean (PSNR of the mean MSE); None leaves it as it is.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    links: tuple[Link | None, ...]

    def starts(self) -> Ints:
        """Return the first component of each measure, (K,) int64."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)

    def finish(self, numerators: Floats, denominators: Floats) -> Floats:
        """Turn sums (..., J) into values (..., K); NaN where no component has a positive denominator."""
        filled = denominators > 0
        ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=filled)
        if len(self.names) < ratios.shape[-1]:
            ratios = np.add.reduceat(ratios, self.starts(), axis=-1)
            parts = np.add.reduceat(filled, self.starts(), axis=-1, dtype=np.float64)
            ratios = np.divide(ratios, parts, out=ratios, where=parts > 0)
            filled = parts > 0
        ratios[~filled] = np.nan
        for index, link in enumerate(self.links):
            if link is not None:
                ratios[..., index] = link(ratios[..., index])
        return ratios


@dataclass(frozen=True, slots=True)
class Terms:
    """What each of N rows adds to K measures: to the numerators and denominators of their J components.

    Attributes:
        layout: the measures' names and components.
        numerators: (N, J) float64, 0 where the row does not count.
        denominators: (N, J) float64, >= 0, 0 where the row does not count.
    """

    layout: Layout
    numerators: Floats
    denominators: Floats


def means(values: Mapping[str, Floats], links: Mapping[str, Link] | None = None) -> Terms:
    """Make plain means of columns: name -> (N,) float64, NaN = missing.

    Args:
        values: the columns, all of one length.
        links: functions applied to the finished means, by name.
    """
    links = links or {}
    table = np.stack([np.asarray(column, np.float64) for column in values.values()], axis=1)
    counted = ~np.isnan(table)
    layout = Layout(tuple(values), (1,) * len(values), tuple(links.get(name) for name in values))
    return Terms(layout, np.where(counted, table, 0.0), counted.astype(np.float64))


def mean_of_ratios(name: str, numerators: Floats, denominators: Floats) -> Terms:
    """Make one measure of several components, (N, J) each: the mean over components of sum / sum."""
    return Terms(Layout((name,), (numerators.shape[1],), (None,)), numerators, denominators)


def stack(parts: Sequence[Terms]) -> Terms:
    """Put measures of the same rows side by side."""
    layout = Layout(
        tuple(name for part in parts for name in part.layout.names),
        tuple(size for part in parts for size in part.layout.sizes),
        tuple(link for part in parts for link in part.layout.links),
    )
    numerators = np.concatenate([part.numerators for part in parts], axis=1)
    return Terms(layout, numerators, np.concatenate([part.denominators for part in parts], axis=1))


class Sums:
    """Sums of each unit of a partition: numerators and denominators, (U, J) float64, and rows counted, (U, K)."""

    __slots__ = ("counts", "denominators", "layout", "numerators")

    def __init__(self, layout: Layout, numerators: Floats, denominators: Floats, counts: Floats) -> None:
        self.layout, self.numerators, self.denominators, self.counts = layout, numerators, denominators, counts


@dataclass(frozen=True, slots=True)
class Partition:
    """Rows gathered into units that have one group each, ordered by group: the identities, as far as groups allow.

    Attributes:
        groups: the groups' names.
        order: rows sorted by unit; rows in no group are left out.
        starts: (U,) where each unit begins in ``order``.
        group: (U,) the units' groups, ascending.
        cluster: (U,) the identity a unit belongs to; an identity with images in two groups has two units.
    """

    groups: tuple[str, ...]
    order: Ints
    starts: Ints
    group: Ints
    cluster: Ints

    @property
    def bounds(self) -> Ints:
        """(G + 1,) where each group's units begin, and the end of the last."""
        return np.searchsorted(self.group, np.arange(len(self.groups) + 1)).astype(np.int64)

    def sums(self, terms: Terms) -> Sums:
        """Sum N rows within units."""
        counted = terms.denominators > 0
        if len(terms.layout.names) < counted.shape[1]:
            counted = np.logical_or.reduceat(counted, terms.layout.starts(), axis=1)
        return Sums(
            terms.layout,
            self._reduce(terms.numerators),
            self._reduce(terms.denominators),
            self._reduce(counted),
        )

    def _reduce(self, table: NDArray[Any]) -> Floats:
        if not len(self.order):
            return np.zeros((0, table.shape[1]))
        rows = table[self.order].astype(np.float64, copy=False)
        return rows if len(self.starts) == len(rows) else np.add.reduceat(rows, self.starts, axis=0)


def clusters_of(identities: Ints | None, rows: int) -> Ints:
    """Number the clusters: rows of one identity share one; a row without identity (-1) is its own."""
    if identities is None:
        return np.arange(rows, dtype=np.int64)
    alone = identities < 0
    clusters = identities.astype(np.int64, copy=True)
    clusters[alone] = identities.max(initial=-1) + 1 + np.arange(alone.sum())
    return clusters


def partition(groups: Groups, clusters: Ints) -> Partition:
    """Gather rows into (group, identity) units.

    Args:
        groups: N rows' groups.
        clusters: (N,) int64 from ``clusters_of``.
    """
    rows = np.flatnonzero(groups.codes >= 0)
    order = rows[np.lexsort((clusters[rows], groups.codes[rows]))]
    codes, owners = groups.codes[order], clusters[order]
    first = np.ones(len(order), bool)
    first[1:] = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
    starts = np.flatnonzero(first)
    return Partition(groups.names, order, starts, codes[starts], owners[starts])


@dataclass(frozen=True, slots=True)
class Frame:
    """Values by group.

    Attributes:
        groups: the G groups in fixed order.
        measures: the K measures.
        values: (G, K) float64, NaN for an empty group.
        counts: (G, K) int64 rows behind each value.
        identities: (G, K) int64 identities behind each value (rows without identity count one each).
    """

    groups: tuple[str, ...]
    measures: tuple[str, ...]
    values: Floats
    counts: Ints
    identities: Ints


def by_group(terms: Terms, groups: Groups, identities: Ints | None = None) -> Frame:
    """Compute every measure in every group.

    Args:
        terms: K measures of N rows.
        groups: the N rows' groups.
        identities: (N,) int64 identity codes, -1 = none; None where the data have no identities.

    Example:
        >>> groups = Groups("race", ("African", "Asian", "Indian"), np.array([0, 0, 2, -1]))
        >>> frame = by_group(means({"psnr_db": np.array([30.0, 34.0, 31.0, 10.0])}), groups)
        >>> frame.values[:, 0].tolist(), frame.counts[:, 0].tolist()
        ([32.0, nan, 31.0], [2, 0, 1])
    """
    units = partition(groups, clusters_of(identities, len(groups.codes)))
    return frame_of(units, units.sums(terms))


def frame_of(units: Partition, sums: Sums) -> Frame:
    """Finish the frame from the units' sums."""
    bounds = units.bounds

    def total(table: Floats) -> Floats:
        return np.stack([table[low:high].sum(axis=0) for low, high in pairwise(bounds)])

    return Frame(
        units.groups,
        sums.layout.names,
        sums.layout.finish(total(sums.numerators), total(sums.denominators)),
        total(sums.counts).astype(np.int64),
        total((sums.counts > 0).astype(np.float64)).astype(np.int64),
    )
