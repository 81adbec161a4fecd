"""The frames that a report is made of, and the few questions that figures and pages ask them."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import pandas as pd

from greycard.metrics.descriptions import Description
from greycard.reports.wording import level
from greycard.schema import BPP_ESTIMATED, BPP_PAYLOAD, BPP_TOTAL, unknown

RAW: Final = "raw"  # what the system that returns the original images is called by default
ACCURACY: Final = "accuracy_merged/"
KINDS_OF_RATE: Final = {
    BPP_ESTIMATED: "bits per pixel, estimated from likelihoods",
    BPP_PAYLOAD: "bits per pixel, entropy-coded bytes",
    BPP_TOTAL: "bits per pixel, whole file",
}


class Findings(Protocol):
    """What ``greycard.metrics.restoration.findings.summarise`` returns: tidy frames, one row per number."""

    @property
    def groups(self) -> pd.DataFrame:
        """Numbers by group.

        Columns: system, point, bpp_*, attribute, group, measure, value, low, high, level, count, identities, failed.
        """
        ...

    @property
    def disparities(self) -> pd.DataFrame:
        """Differences between groups.

        Columns: system, point, bpp_*, attribute, measure, bias, low, high, level, noise_floor, p_value, best_group, ...
        """
        ...

    @property
    def chance(self) -> pd.DataFrame:
        """Columns: task, attribute, group, merged, count, constant, merged_chance, group_constant, group_chance, ..."""
        ...

    @property
    def rates(self) -> pd.DataFrame:
        """Columns: system, reference, attribute, group, measure, value, low_bpp, high_bpp, reason."""
        ...

    @property
    def counts(self) -> pd.DataFrame:
        """Columns: system, point, n_in, n_ok, n_failed, reasons."""
        ...


def systems_of(frame: pd.DataFrame, reference: str = RAW) -> list[str]:
    """Return the systems but for the originals, in order of appearance."""
    return [name for name in frame["system"].drop_duplicates().tolist() if name != reference]


def tasks_of(disparities: pd.DataFrame) -> list[str]:
    """Return the classification tasks in order of appearance."""
    measures = disparities["measure"].drop_duplicates().tolist()
    return [name.removeprefix(ACCURACY) for name in measures if name.startswith(ACCURACY)]


def groups_of(frame: pd.DataFrame, attribute: str) -> list[str]:
    """Return an attribute's groups in their fixed order; absent ones keep their place."""
    return list(frame.loc[frame["attribute"] == attribute, "group"].drop_duplicates())


def select(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows whose columns have the given values.

    Raises:
        ValueError: the frame has no such column.
    """
    for column, value in values.items():
        if column not in frame.columns:
            raise ValueError(unknown("column", column, list(map(str, frame.columns))))
        frame = frame[frame[column] == value]
    return frame


def common_rate(frame: pd.DataFrame, systems: Iterable[str]) -> str | None:
    """Return the kind of rate that every row of these systems has; None where they share none.

    Kinds are never mixed in one figure: a likelihood's estimate is not a file's size.
    """
    rows = frame[frame["system"].isin(list(systems))]
    for kind in KINDS_OF_RATE:
        if len(rows) and rows[kind].notna().all():
            return kind
    return None


def measures_of(groups: pd.DataFrame) -> list[str]:
    """Return the measures of images, those without a task, in order of appearance."""
    return [name for name in groups["measure"].drop_duplicates().tolist() if "/" not in name]


def direction_text(column: Description) -> str:
    """Return which values of a measure are closer to the original, higher or lower ones, in words."""
    return f"{'higher' if column.higher_is_better else 'lower'} is closer to the original"


def coverage(frame: pd.DataFrame) -> str:
    """Return what a frame's intervals cover, as people write it: ``95 %``."""
    return level(_level(frame))


def chance_level(frame: pd.DataFrame) -> float:
    """Return the level of the permutation test, what intervals leave out: below it, a difference is beyond chance."""
    return round(1 - _level(frame), 9)


def chance_text(frame: pd.DataFrame) -> str:
    """Return the level of the permutation test, as people write it: ``5 %``."""
    return level(chance_level(frame))


def _level(frame: pd.DataFrame) -> float:
    """Return the coverage; where there is no row, the default of ``FindingsConfig``."""
    return float(frame["level"].iloc[0]) if len(frame) else 0.95


def pairs_of(systems: Sequence[str], pairs: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """Return the (unbalanced, balanced) pairs that are among the systems; found by name where none are given."""
    return [pair for pair in pairs or training_pairs(systems) if set(pair) <= set(systems)]


def training_pairs(systems: Sequence[str], balanced: str = "balanced") -> list[tuple[str, str]]:
    """Return (unbalanced, balanced) pairs of systems whose names differ in the training set alone.

    ``hyperprior_celeba_like`` pairs with ``hyperprior_balanced``.
    """
    pairs = []
    for name in systems:
        if not name.endswith(balanced) or name.endswith("un" + balanced):
            continue
        stem = name.removesuffix(balanced)
        pairs += [(other, name) for other in systems if other != name and stem and other.startswith(stem)]
    return pairs
