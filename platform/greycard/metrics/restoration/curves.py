"""The rates frame: BD-rates by group, and bias over the range of rates that systems share.

Systems are only compared on one kind of rate: the first of the preferred columns that all of them have at every point.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from greycard.metrics.restoration.rates import (
    Comparison,
    Curve,
    NotComparableError,
    area,
    bd_psnr,
    bd_rate,
    shared_interval,
)
from greycard.schema import SYSTEM, unknown

COLUMNS = {
    "system": "str",
    "reference": "str",
    "attribute": "str",
    "group": "str",
    "measure": "str",
    "of": "str",
    "value": "float64",
    "low_bpp": "float64",
    "high_bpp": "float64",
    "rate": "str",
    "reason": "str",
}


def compare(
    groups: pd.DataFrame,
    disparities: pd.DataFrame,
    *,
    qualities: Sequence[str],
    raw: str,
    reference: str,
    rate_columns: Sequence[str],
    min_overlap: float,
) -> pd.DataFrame:
    """Compare the systems' curves; columns as documented at ``findings.summarise``.

    Args:
        groups: the groups frame.
        disparities: the disparities frame.
        qualities: measures for BD-rates; those that the table lacks are passed over.
        raw: the system without a rate-distortion curve of its own, left out.
        reference: the system to compare with, "" = the first with at least two points.
        rate_columns: rates in order of preference.
        min_overlap: see ``rates``.

    Raises:
        ValueError: ``reference`` is not a system of the table.
    """
    systems = [name for name in groups[SYSTEM].unique() if name != raw]
    if reference and reference not in systems:
        raise ValueError(unknown("system for rate_reference", reference, systems))
    rows: list[dict[str, Any]] = []
    curves = _Curves(groups, disparities, tuple(rate_columns), systems)
    anchor = reference or next((name for name in systems if curves.points(name) > 1), "")
    for quality in (name for name in qualities if (groups["measure"] == name).any()):
        rows += _distortion(curves, quality, anchor, min_overlap)
    rows += _areas(curves, min_overlap)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


class _Curves:
    """Curves looked up in the frames."""

    def __init__(
        self, groups: pd.DataFrame, disparities: pd.DataFrame, rate_columns: tuple[str, ...], systems: list[str]
    ) -> None:
        self.systems = systems
        self.cells = {
            (system, attribute, group, measure): frame
            for (system, attribute, group, measure), frame in groups.groupby(
                [SYSTEM, "attribute", "group", "measure"], sort=False, observed=True
            )
        }
        self.biases = {
            (attribute, measure, system): frame
            for (attribute, measure, system), frame in disparities.groupby(
                ["attribute", "measure", SYSTEM], sort=False, observed=True
            )
        }
        self.kinds = {
            system: [name for name in rate_columns if _usable(frame[name])]
            for system, frame in groups.groupby(SYSTEM, sort=False, observed=True)
        }
        self.cell_names = list(dict.fromkeys((attribute, group) for _, attribute, group, _ in self.cells))

    def points(self, system: str) -> int:
        return int(next(len(frame) for (name, *_), frame in self.cells.items() if name == system))

    def shared_kind(self, *systems: str) -> str:
        for kind in self.kinds[systems[0]]:
            if all(kind in self.kinds[system] for system in systems):
                return kind
        raise NotComparableError("the systems have no kind of rate in common")

    def quality(self, system: str, attribute: str, group: str, measure: str, kind: str) -> Curve:
        frame = self.cells[system, attribute, group, measure]
        return Curve(frame[f"group_{kind}"].to_numpy(), frame["value"].to_numpy())


def _usable(rates: pd.Series) -> bool:
    values = rates.to_numpy()
    return bool(np.isfinite(values).all() and (values > 0).all())


def _distortion(curves: _Curves, quality: str, anchor: str, min_overlap: float) -> list[dict[str, Any]]:
    rows = []
    for system in curves.systems:
        for attribute, group in curves.cell_names:
            place = {"system": system, "attribute": attribute, "group": group, "of": quality}
            if system != anchor and anchor:
                for name, judge in (("bd_rate", bd_rate), ("bd_psnr", bd_psnr)):
                    rows.append(
                        {**place, "reference": anchor, "measure": name}
                        | _attempt(
                            curves, judge, (system, attribute, group), (anchor, attribute, group), quality, min_overlap
                        )
                    )
            if attribute != "all":
                rows.append(
                    {**place, "reference": system, "measure": "bd_rate_vs_all"}
                    | _attempt(
                        curves, bd_rate, (system, attribute, group), (system, "all", "all"), quality, min_overlap
                    )
                )
    return rows


def _attempt(
    curves: _Curves,
    judge: Callable[..., Comparison],
    cell: tuple[str, str, str],
    reference: tuple[str, str, str],
    quality: str,
    min_overlap: float,
) -> dict[str, Any]:
    """Compare two cells, or say why not."""
    kind = ""
    try:
        kind = curves.shared_kind(cell[0], reference[0])
        pair = [curves.quality(*item, quality, kind) for item in (cell, reference)]
        return {**judge(*pair, min_overlap=min_overlap)._asdict(), "rate": kind, "reason": ""}
    except NotComparableError as error:
        return _refused(kind, error)


def _refused(kind: str, error: NotComparableError) -> dict[str, Any]:
    return {"value": np.nan, "low_bpp": np.nan, "high_bpp": np.nan, "rate": kind, "reason": str(error)}


def _areas(curves: _Curves, min_overlap: float) -> list[dict[str, Any]]:
    """Return area and mean of bias, over the interval that the systems compared on one kind of rate share."""
    rows = []
    for kind, sharing in _sharing(curves).items():
        for (attribute, measure, system), frame in curves.biases.items():
            if system not in sharing:
                continue
            place = {"system": system, "reference": "", "attribute": attribute, "group": "", "of": measure}
            try:
                low, high = _interval(curves, kind, sharing, min_overlap)
                total = area(Curve(frame[kind].to_numpy(), frame["bias"].to_numpy()), low, high)
            except NotComparableError as error:
                rows += [{**place, "measure": name} | _refused(kind, error) for name in ("bias_area", "bias_mean")]
                continue
            found = {"low_bpp": low, "high_bpp": high, "rate": kind, "reason": ""}
            width = np.log10(high / low)
            rows.append({**place, "measure": "bias_area", "value": total} | found)
            rows.append({**place, "measure": "bias_mean", "value": total / width} | found)
    return rows


def _sharing(curves: _Curves) -> dict[str, list[str]]:
    """Return kind of rate -> the systems compared on it: all on one where they can be, otherwise each on its first."""
    systems = [name for name in curves.systems if curves.kinds[name] and curves.points(name) > 1]
    if not systems:
        return {}
    try:
        return {curves.shared_kind(*systems): systems}
    except NotComparableError:
        firsts = {name: curves.kinds[name][0] for name in systems}
        return {kind: [name for name in systems if firsts[name] == kind] for kind in dict.fromkeys(firsts.values())}


def _interval(curves: _Curves, kind: str, systems: list[str], min_overlap: float) -> tuple[float, float]:
    spans = [
        next(frame[kind].to_numpy() for (_, _, name), frame in curves.biases.items() if name == system)
        for system in systems
    ]
    return shared_interval(spans, min_overlap=min_overlap)
