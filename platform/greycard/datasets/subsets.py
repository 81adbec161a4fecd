"""Chosen rows of a data set: only some groups, and equal counts a class for a balanced test set."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from greycard.datasets.records import DataError
from greycard.datasets.splits import hash_places
from greycard.schema import IMAGE_ID, SPLIT, SPLITS, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetConfig:
    """Which rows are kept; what is left out is a choice of the config and is recorded in the manifest.

    Attributes:
        keep: attribute -> the classes to keep, in every split: ``{"race": ("African",)}``. Class sets do not change.
        attribute: balance this attribute: equal counts a class, chosen by hash. "" balances nothing.
        per_class: images a class and split; 0 takes as many as the rarest class (of those kept) has.
        splits: the splits to balance; the others stay whole.
        seed: another seed chooses other rows.
    """

    keep: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attribute: str = ""
    per_class: int = 0
    splits: tuple[str, ...] = ("test",)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_class < 0:
            raise ValueError(f"subset.per_class must be 0 (as many as there are) or more, got {self.per_class}")
        for name in self.splits:
            if name not in SPLITS:
                raise ValueError(f"subset.splits: {unknown('split', name, SPLITS)}")


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


def balance(index: pa.Table, attributes: dict[str, tuple[str, ...]], config: SubsetConfig) -> pa.Table:
    """Return the index with equal counts a class in the splits that the config names, in the order it came in.

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
