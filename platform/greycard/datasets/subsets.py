"""Chosen rows of a data set: only some groups, a cell thinned, equal counts per class in a test set, or a long tail."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from greycard.config import to_dict
from greycard.datasets.records import DataError
from greycard.datasets.splits import hash_places
from greycard.schema import IMAGE_ID, SPLIT, SPLITS, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTailConfig:
    """Counts that fall from class to class: class i of K keeps ``int(head * beta ** (i / (K - 1)))`` rows.

    With 5,000 per class and beta 0.1 that is the 20,431 images of CIFAR-10 LT in paper 004 (section 5.2).

    Attributes:
        attribute: whose classes, the first being the head.
        beta: the last class's count as a share of the head's, in (0, 1]; 1 gives equal counts.
        head: rows of the first class; 0 takes as many as it has in the split.
        splits: the splits that get the tail; the others stay whole.
        order: ``file`` keeps the first rows of a class in the data set's order, as published; ``hash`` chooses them by
            the subset's seed.
        one_more: as the published builder does by mistake, one row more of each class that has one more (20,440).
    """

    attribute: str
    beta: float = 0.1
    head: int = 0
    splits: tuple[str, ...] = ("train",)
    order: Literal["file", "hash"] = "file"
    one_more: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.beta <= 1:
            raise ValueError(f"subset.longtail.beta must be above 0 and at most 1, got {self.beta}")
        if self.head < 0:
            raise ValueError(f"subset.longtail.head must be 0 (as many as there are) or more, got {self.head}")
        _known_splits(self.splits, "subset.longtail.splits")

    def counts(self, head: int, num_classes: int) -> tuple[int, ...]:
        """Return the rows of each class.

        >>> LongTailConfig(attribute="digit").counts(500, 10)
        (500, 387, 299, 232, 179, 139, 107, 83, 64, 50)
        """
        steps = max(num_classes - 1, 1)
        return tuple(int(head * self.beta ** (place / steps) + 1e-9) for place in range(num_classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinConfig:
    """A cell that keeps a share of its rows, in some splits only: a bias planted in the training set alone.

    Attributes:
        where: attribute -> classes; the rows that have one of the classes of every attribute are the cell.
        share: of the cell's rows that is kept, in [0, 1), each row by its hash.
        splits: the splits in which the cell is thinned.
    """

    where: dict[str, tuple[str, ...]]
    share: float
    splits: tuple[str, ...] = ("train",)

    def __post_init__(self) -> None:
        if not self.where:
            raise ValueError("subset.thin.where must name at least one attribute with its classes")
        if not 0 <= self.share < 1:
            raise ValueError(f"subset.thin.share must be 0 or above and below 1, got {self.share}")
        _known_splits(self.splits, "subset.thin.splits")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetConfig:
    """Which rows are kept; what is left out is a choice of the config and is recorded in the manifest.

    Attributes:
        keep: attribute -> the classes to keep, in every split: ``{"race": ("African",)}``. Class sets do not change.
        attribute: balance this attribute: equal counts per class, chosen by hash. "" balances nothing.
        per_class: images per class and split; 0 takes as many as the rarest class (of those kept) has.
        splits: the splits to balance; the others stay whole.
        seed: another seed chooses other rows.
        longtail: give one attribute's classes falling counts; None does not.
        thin: cells of attributes of which a share is kept, before anything is balanced.
    """

    keep: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attribute: str = ""
    per_class: int = 0
    splits: tuple[str, ...] = ("test",)
    seed: int = 0
    longtail: LongTailConfig | None = None
    thin: tuple[ThinConfig, ...] = ()

    def stated(self) -> dict[str, Any]:
        """Return the config as plain values, as manifests state it and name shards by it.

        An unset long tail and thinning are left out, so that shards from before there were any keep their names.
        """
        values = to_dict(self)
        return {name: value for name, value in values.items() if name not in ("longtail", "thin") or value}

    def __post_init__(self) -> None:
        if self.per_class < 0:
            raise ValueError(f"subset.per_class must be 0 (as many as there are) or more, got {self.per_class}")
        _known_splits(self.splits, "subset.splits")
        both = set(self.splits) & set(self.longtail.splits) if self.longtail and self.attribute else ()
        if both:
            raise ValueError(
                f"subset: {', '.join(sorted(both))} cannot be balanced and get a long tail: let subset.splits and "
                f"subset.longtail.splits differ"
            )


def keep_classes(index: pa.Table, attributes: dict[str, tuple[str, ...]], keep: dict[str, tuple[str, ...]]) -> pa.Table:
    """Return the rows whose labels are among the kept classes.

    Raises:
        DataError: an attribute or class is not known, or a class to keep has no rows.
    """
    for name, kept in keep.items():
        _known_attribute(name, attributes)
        for label in kept:
            if label not in attributes[name]:
                raise DataError(f"subset.keep.{name}: {unknown('label', label, attributes[name])}")
        _refuse_empty(index[name].to_pylist(), name, kept, "the data set")
        index = index.filter(pc.is_in(index[name], pa.array(kept, pa.string())))
    return index


def thin(index: pa.Table, attributes: dict[str, tuple[str, ...]], config: SubsetConfig) -> pa.Table:
    """Return the index with only a share of the cells' rows in the splits that the config names.

    Args:
        index: a checked index with its final ``split`` column.
        attributes: attribute -> classes.
        config: which cells; a row's place depends on the seed and its id alone.

    Raises:
        DataError: an attribute or class is not known, or a cell has no rows.
    """
    splits = np.asarray(index[SPLIT].to_pylist(), dtype=object)
    kept = np.ones(index.num_rows, bool)
    for item in config.thin:
        cell = np.isin(splits, item.splits)
        for name, classes in item.where.items():
            _known_attribute(name, attributes)
            for label in classes:
                if label not in attributes[name]:
                    raise DataError(f"subset.thin.where.{name}: {unknown('label', label, attributes[name])}")
            cell &= np.isin(np.asarray(index[name].to_pylist(), dtype=object), classes)
        if not cell.any():
            raise DataError(f"subset.thin: no row of {', '.join(item.splits)} has {item.where}")
        places = hash_places([f"thin {key}" for key in index[IMAGE_ID].to_pylist()], config.seed)
        kept &= ~cell | (places < item.share)
    return index.filter(pa.array(kept))


def balance(index: pa.Table, attributes: dict[str, tuple[str, ...]], config: SubsetConfig) -> pa.Table:
    """Return the index with equal counts per class in the splits that the config names, in the order it came in.

    Args:
        index: a checked index with its final ``split`` column.
        attributes: attribute -> classes.
        config: what to balance; unlabelled rows of a balanced split are left out.

    Raises:
        DataError: the attribute is not known, or a class has too few rows.
    """
    if not config.attribute:
        return index
    _known_attribute(config.attribute, attributes)
    kept = config.keep.get(config.attribute, attributes[config.attribute])
    splits = np.asarray(index[SPLIT].to_pylist(), dtype=object)
    labels = np.asarray(index[config.attribute].to_pylist(), dtype=object)
    places = hash_places([f"subset {key}" for key in index[IMAGE_ID].to_pylist()], config.seed)
    chosen = ~np.isin(splits, config.splits)
    for split in config.splits:
        _refuse_empty(labels[splits == split].tolist(), config.attribute, kept, f"split {split!r}")
        groups = [np.flatnonzero((splits == split) & (labels == label)) for label in kept]
        size = config.per_class or min(len(group) for group in groups)
        for label, group in zip(kept, groups, strict=True):
            if len(group) < size:
                raise DataError(
                    f"subset.per_class is {size}, but {config.attribute}={label!r} has {len(group)} rows in {split!r}"
                )
            chosen[group[np.argsort(places[group], kind="stable")[:size]]] = True
    return index.filter(pa.array(chosen))


def long_tail(index: pa.Table, attributes: dict[str, tuple[str, ...]], config: SubsetConfig) -> pa.Table:
    """Return the index with falling counts per class in the splits that the config names, in the order it came in.

    Args:
        index: a checked index with its final ``split`` column.
        attributes: attribute -> classes.
        config: which counts; unlabelled rows of such a split are left out.

    Raises:
        DataError: the attribute is not known, or a class has too few rows for its count.
    """
    tail = config.longtail
    if tail is None:
        return index
    _known_attribute(tail.attribute, attributes)
    kept = config.keep.get(tail.attribute, attributes[tail.attribute])
    splits = np.asarray(index[SPLIT].to_pylist(), dtype=object)
    labels = np.asarray(index[tail.attribute].to_pylist(), dtype=object)
    places = np.arange(index.num_rows, dtype=np.float64)
    if tail.order == "hash":
        places = hash_places([f"long tail {key}" for key in index[IMAGE_ID].to_pylist()], config.seed)
    chosen = ~np.isin(splits, tail.splits)
    for split in tail.splits:
        groups = [np.flatnonzero((splits == split) & (labels == label)) for label in kept]
        counts = tail.counts(tail.head or len(groups[0]), len(kept))
        for label, group, count in zip(kept, groups, counts, strict=True):
            if not 0 < count <= len(group):
                raise DataError(
                    f"subset.longtail: {tail.attribute}={label!r} should keep {count} rows in {split!r} and has "
                    f"{len(group)}; choose a smaller head or a larger beta"
                )
            order = group[np.argsort(places[group], kind="stable")]
            chosen[order[: count + tail.one_more]] = True
    return index.filter(pa.array(chosen))


def _known_splits(names: Sequence[str], field_name: str) -> None:
    for name in names:
        if name not in SPLITS:
            raise ValueError(f"{field_name}: {unknown('split', name, SPLITS)}")


def _known_attribute(name: str, attributes: dict[str, tuple[str, ...]]) -> None:
    if name not in attributes:
        raise DataError(f"subset: {unknown('attribute', name, tuple(attributes))}")


def _refuse_empty(labels: Sequence[str | None], name: str, kept: Sequence[str], where: str) -> None:
    present = set(labels)
    for label in kept:
        if label not in present:
            raise DataError(f"empty group: {name}={label!r} has no rows in {where}; present: {_listed(present)}")


def _listed(labels: set[str | None]) -> str:
    return ", ".join(sorted(label for label in labels if label is not None)) or "none"
