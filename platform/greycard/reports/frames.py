"""The frames that a report is made of, and the few questions that figures and pages ask them."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import pandas as pd

from greycard.schema import BPP_ESTIMATED, BPP_PAYLOAD, BPP_TOTAL, unknown

RAW: Final = "raw"  # the system that returns the original images: what everything is compared with
ALL: Final = "all"  # the attribute, and its one group, that holds every image
SIGNIFICANT: Final = 0.05  # level of the permutation test: below it, a group difference is more than chance
ACCURACY: Final = "accuracy_merged/"
KINDS_OF_RATE: Final = {
    BPP_ESTIMATED: "bits per pixel, estimated from likelihoods",
    BPP_PAYLOAD: "bits per pixel, entropy-coded bytes",
    BPP_TOTAL: "bits per pixel, whole file",
}
MEASURES: Final = {
    "psnr_db": ("PSNR", "dB", "higher is closer to the original"),
    "ssim": ("SSIM", "0 to 1", "higher is closer to the original"),
    "lpips": ("LPIPS", "no unit", "lower is closer to the original"),
    "mse": ("mean squared error", "8-bit levels squared", "lower is closer to the original"),
}


class Findings(Protocol):
    """What ``greycard.metrics.findings.summarise`` returns: tidy frames, one row a number."""

    @property
    def groups(self) -> pd.DataFrame:
        """system, point, bpp_*, attribute, group, measure, value, low, high, count, identities, failed."""
        ...

    @property
    def disparities(self) -> pd.DataFrame:
        """system, point, bpp_*, attribute, measure, bias, low, high, noise_floor, p_value, best and worst group, ..."""
        ...

    @property
    def chance(self) -> pd.DataFrame:
        """task, attribute, group, merged, count, constant, merged_chance, group_constant, group_chance, ..."""
        ...

    @property
    def rates(self) -> pd.DataFrame:
        """system, reference, attribute, group, measure, value, low_bpp, high_bpp, reason."""
        ...

    @property
    def counts(self) -> pd.DataFrame:
        """system, point, n_in, n_ok, n_failed, reasons."""
        ...


def systems_of(frame: pd.DataFrame, *, with_raw: bool = False) -> list[str]:
    """Return the systems in order of appearance."""
    return [name for name in frame["system"].drop_duplicates().tolist() if with_raw or name != RAW]


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


def nice(name: str) -> str:
    """Return a column's or class's name as a person would write it: ``skin_type`` -> ``skin type``."""
    return name.replace("_", " ")


def plain_measure(measure: str) -> str:
    """Return a measure's name in words: ``accuracy_merged/skin_type`` -> ``skin type (accuracy, grouped)``."""
    kind, _, task = measure.partition("/")
    if task:
        words = {
            "accuracy_merged": "grouped accuracy",
            "accuracy": "accuracy",
            "macro_recall": "macro recall",
            "shift": "mean shift in classes",
            "lighter": "share read as lighter",
        }
        return f"{nice(task)}: {words.get(kind, nice(kind))}"
    name, unit, _ = MEASURES.get(measure, (nice(measure), "", ""))
    return f"{name} ({unit})" if unit == "dB" else name


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
