"""The figures of "Gone With the Bits" (paper 000) from findings: rate-distortion by group (2), accuracy and group
difference (3a), group difference by phenotype (3b), two training sets (7).

Every function takes frames and returns a ``matplotlib.figure.Figure``; no pyplot, no state. Colours are the eight of
Okabe and Ito (distinct to colour-blind readers) and every line also has a marker of its own.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from greycard.metrics.descriptions import COLUMNS
from greycard.reports.panels import COLOURS, INK, MARKERS, legend_below, say_absent, style, to_png
from greycard.reports.restoration.frames import (
    ACCURACY,
    KINDS_OF_RATE,
    RAW,
    chance_level,
    common_rate,
    coverage,
    direction_text,
    groups_of,
    measures_of,
    select,
    tasks_of,
)
from greycard.reports.wording import ALL, spell

__all__ = ["accuracy_and_bias", "bias_by_task", "distortion", "to_png", "training_sets"]

_TICKS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def distortion(groups: pd.DataFrame, system: str, attribute: str, absent: dict[str, str] | None = None) -> Figure:
    """Draw Figure 2: every measure of the images by group against the rate, one panel per measure.

    Args:
        groups: ``findings.groups``.
        system: the system whose curves are drawn.
        attribute: the attribute whose groups are the lines; the line of all images is black.
        absent: measure -> why it was not measured; its panel says so.
    """
    absent = absent or {}
    rows = select(groups, system=system)
    present = measures_of(rows)
    shown = [name for name in COLUMNS if name in present or name in absent]
    across = 2 if len(shown) == 4 else max(min(len(shown), 3), 1)
    down = max(math.ceil(len(shown) / across), 1)
    figure = Figure(figsize=(3.5 * across, 3.6 * down), layout="constrained")
    if not shown:
        say_absent(figure.subplots(), "no measure of images in this audit")
        return figure
    panels = [figure.add_subplot(down, across, place) for place in range(1, len(shown) + 1)]
    for axes, measure in zip(panels, shown, strict=True):
        _distortion_panel(axes, rows, measure, attribute, absent.get(measure, "not measured for this system"))
    legend_below(figure, *panels)
    return figure


def _distortion_panel(axes: Axes, rows: pd.DataFrame, measure: str, attribute: str, reason: str) -> None:
    column = COLUMNS[measure]
    axes.set_title(textwrap.fill(f"{column.label}: {direction_text(column)}", 44), fontsize=9, color=INK)
    style(axes, f"{column.label} [{column.unit}]")
    rate = common_rate(rows, rows["system"].unique())
    part = select(rows, measure=measure)
    if rate is None or part["value"].isna().all():
        say_absent(axes, reason)
        return
    for index, group in enumerate(groups_of(part, attribute)):
        curve = select(part, attribute=attribute, group=group).sort_values(rate)
        if curve["value"].notna().any():
            _line(axes, curve[rate], curve["value"], index, spell(group))
    overall = select(part, attribute=ALL).sort_values(rate)
    if len(overall):
        axes.plot(overall[rate], overall["value"], color="black", lw=1.2, ls=":", label="all images")
    _rate_axis(axes, part[rate], rate)


def accuracy_and_bias(
    groups: pd.DataFrame, disparities: pd.DataFrame, system: str, attribute: str, task: str, reference: str = RAW
) -> Figure:
    """Draw Figure 3a: accuracy by group above, the group difference (dash-dot) below, on one rate axis.

    Shaded: bootstrap intervals. Grey: the noise floor, the difference that groups drawn at random would show.
    "originals" on the right are the same classifiers on the images before compression.
    """
    measure = ACCURACY + task
    rows = select(groups, system=system, attribute=attribute, measure=measure)
    bias = select(disparities, system=system, attribute=attribute, measure=measure)
    raw = select(groups, system=reference, attribute=attribute, measure=measure)
    rate = common_rate(bias, [system])
    figure = Figure(figsize=(5.8, 5.9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    style(above, f"{spell(task)} read correctly\n[share of images]")
    style(below, "largest group difference\n[share of images]")
    if rate is None:
        say_absent(above, "this system has no rate")
        return figure
    edge = float(bias[rate].max()) * 1.8
    for index, group in enumerate(groups_of(groups, attribute)):
        curve = select(rows, group=group).sort_values(rate)
        if not curve["value"].notna().any():
            above.plot([], [], color=COLOURS[index % 8], marker=MARKERS[index % 8], label=f"{spell(group)}: no images")
            continue
        _line(above, curve[rate], curve["value"], index, spell(group))
        above.fill_between(curve[rate], curve["low"], curve["high"], color=COLOURS[index % 8], alpha=0.15, lw=0)
        for value in select(raw, group=group)["value"]:
            above.plot([edge], [value], color=COLOURS[index % 8], marker=MARKERS[index % 8], mfc="white", ls="none")
    _draw_bias(below, bias.sort_values(rate), rate)
    for value in select(disparities, system=reference, attribute=attribute, measure=measure)["bias"]:
        below.plot([edge], [value], color=INK, marker="o", mfc="white", ls="none")
    above.tick_params(labelbottom=False)
    if len(raw):
        above.axvline(edge / 1.3, color="#cccccc", lw=0.8)
    _rate_axis(below, bias[rate], rate, originals=edge if len(raw) else None)
    below.set_ylim(bottom=0)
    legend_below(figure, above, below, columns=3)
    return figure


def _draw_bias(axes: Axes, bias: pd.DataFrame, rate: str) -> None:
    axes.fill_between(
        bias[rate], 0, bias["noise_floor"], fc="#f3e2a9", ec="#a8891c", hatch="////", lw=0,
        label="noise floor: difference by chance alone",
    )  # fmt: skip
    axes.fill_between(
        bias[rate], bias["low"], bias["high"], color=INK, alpha=0.15, lw=0, label=f"{coverage(bias)} interval"
    )
    axes.plot(bias[rate], bias["bias"], color=INK, ls="-.", lw=1.8, marker="o", ms=5, label="largest group difference")


def bias_by_task(disparities: pd.DataFrame, system: str, attribute: str) -> Figure:
    """Draw Figure 3b: the group difference against the rate, one line per phenotype.

    A filled marker is more than chance would give (p below what intervals leave out), a hollow one is not.
    """
    rows = select(disparities, system=system, attribute=attribute)
    rate = common_rate(rows, [system])
    figure = Figure(figsize=(5.8, 4.2), layout="constrained")
    axes = figure.subplots()
    style(axes, "largest group difference in\ngrouped accuracy [share of images]")
    if rate is None:
        say_absent(axes, "this system has no rate")
        return figure
    for index, task in enumerate(tasks_of(rows)):
        _task_line(axes, select(rows, measure=ACCURACY + task).sort_values(rate), rate, index, spell(task))
    _rate_axis(axes, rows[rate], rate)
    axes.set_ylim(bottom=0)
    legend_below(figure, axes, columns=3)
    return figure


def training_sets(disparities: pd.DataFrame, pair: tuple[str, str], attribute: str, tasks: Sequence[str]) -> Figure:
    """Draw Figure 7: the group difference after training on an unbalanced set (solid) and a balanced one (dashed).

    Args:
        disparities: ``findings.disparities``.
        pair: the systems (unbalanced, balanced).
        attribute: the attribute whose groups are compared.
        tasks: the tasks; one panel per task.
    """
    rows = select(disparities, attribute=attribute)
    rate = common_rate(rows, pair)
    figure = Figure(figsize=(3.6 * max(len(tasks), 2), 3.7), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, max(len(tasks), 1), sharey=True))
    for index, (axes, task) in enumerate(zip(panels, tasks, strict=False)):
        style(axes, "largest group difference\n[share of images]" if index == 0 else "")
        axes.set_title(spell(task), fontsize=10, color=INK)
        if rate is None:
            say_absent(axes, "the two systems have no common kind of rate")
            continue
        for system, dash, face in zip(pair, ("-", (0, (5, 2))), (None, "white"), strict=True):
            curve = select(rows, system=system, measure=ACCURACY + task).sort_values(rate)
            axes.plot(
                curve[rate], curve["bias"], color=COLOURS[0 if face is None else 1], ls=dash, lw=1.8, marker="o",
                mfc=face, label=spell(system),
            )  # fmt: skip
            axes.fill_between(
                curve[rate], curve["low"], curve["high"], color=COLOURS[0 if face is None else 1], alpha=0.12, lw=0
            )
        _rate_axis(axes, rows.loc[rows["system"].isin(pair), rate], rate)
        axes.set_ylim(bottom=0)
    legend_below(figure, panels[0])
    return figure


def _line(axes: Axes, x: Any, y: Any, index: int, label: str) -> None:
    axes.plot(x, y, color=COLOURS[index % 8], marker=MARKERS[index % 8], ms=5, lw=1.8, label=label)


def _task_line(axes: Axes, curve: pd.DataFrame, rate: str, index: int, label: str) -> None:
    colour, marker = COLOURS[index % 8], MARKERS[index % 8]
    axes.plot(curve[rate], curve["bias"], color=colour, lw=1.8, marker=marker, mfc="white", ms=6, label=label)
    beyond = curve[curve["p_value"] < chance_level(curve)]
    axes.plot(beyond[rate], beyond["bias"], color=colour, ls="none", marker=marker, ms=6)


def _rate_axis(axes: Axes, rates: Any, kind: str, originals: float | None = None) -> None:
    """Put rates on a logarithmic axis with plain numbers, and the originals at its right end."""
    low, high = float(rates.min()), float(rates.max())
    axes.set_xscale("log")
    axes.set_xlim(low / 1.15, (originals or high) * 1.15)
    ticks = [tick for tick in _TICKS if low / 1.1 <= tick <= high * 1.1]
    if len(ticks) < 2:
        ticks = sorted({_round(low), _round(high)})
    labels = {tick: f"{tick:g}" for tick in ticks}
    if originals is not None:
        labels[originals] = "originals"
        axes.axvline(originals / 1.3, color="#cccccc", lw=0.8)
    axes.xaxis.set_major_locator(FixedLocator(list(labels)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _nearest(labels, value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(KINDS_OF_RATE[kind], fontsize=9, color=INK)


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def _nearest(labels: dict[float, str], value: float) -> str:
    return labels[min(labels, key=lambda tick: abs(math.log(tick / value)))]
