"""The figures of a generation audit: class shares (paper 004, Figure 2), discrepancy over its sampling floor, training.

Every function takes frames and returns a ``matplotlib.figure.Figure``. Colours stand for classes in the figure of
shares (from the ninth class on hatched as well) and for systems elsewhere.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from greycard.metrics.significance import wilson
from greycard.reports.generation.words import COVERED
from greycard.reports.panels import COLOURS, FAINT, INK, MARKERS, legend_below, rows_down, say_absent, style
from greycard.reports.wording import share, spell

_FLOOR: Final[dict[str, Any]] = {"fc": "#f3e2a9", "ec": "#a8891c", "hatch": "////", "lw": 0, "zorder": 0}
_LEAST: Final = 0.05  # shares below have no room for a name in a pie
CURVES: Final = (
    ("losses", {"generator": "-", "discriminator": ":"}),
    ("discriminator's scores", {"score/real": "-", "score/generated": ":"}),
    ("share term", {"shares": "-"}),
    ("R1 penalty", {"r1": "-"}),
    ("path length", {"path/length": "-"}),
)
"""Panels of training curves: metric of a tick -> dash."""


def shares_figure(shares: pd.DataFrame, systems: Mapping[str, str], classes: Sequence[str]) -> Figure:
    """Draw Figure 2: one pie and one row of bars per system; the bars have 95 % intervals, the even share is dashed.

    Args:
        shares: system, label, hard, corrected, count.
        systems: system -> what it is called; one column per system.
        classes: the classes in order; one that a system never shows keeps its place.
    """
    shown = list(systems)
    names = max((len(spell(name)) for name in classes), default=1)
    width = 0.6 + 0.07 * names + (2.7 + 0.05 * names) * max(len(shown), 1)
    figure = Figure(figsize=(width, 2.7 + 1.3 + 0.27 * len(classes)), layout="constrained")
    if not shown:
        say_absent(figure.subplots(), "nothing was audited")
        return figure
    panels = figure.subplots(2, len(shown), squeeze=False, height_ratios=(2.7, 1.0 + 0.27 * len(classes)))
    for place, system in enumerate(shown):
        rows = shares[shares["system"] == system].set_index("label").reindex(list(classes))
        panels[0, place].set_title(spell(systems[system]), fontsize=9.5, color=INK, wrap=True)
        _pie(panels[0, place], rows)
        _bars(panels[1, place], rows, named=place == 0)
    most = max(axes.get_xlim()[1] for axes in panels[1])
    for axes in panels[1]:
        axes.set_xlim(0, most)
    legend_below(figure, panels[1, 0], columns=3)
    return figure


def discrepancy_figure(rows: pd.DataFrame) -> Figure:
    """Draw the discrepancy of each system: mean ± deviation over splits, above the hatched sampling floor.

    Args:
        rows: label, value, sd, floor, corrected, paper, reference (whether it is the held-out images).
    """
    figure = Figure(figsize=(6.6, 1.5 + 0.42 * max(len(rows), 2)), layout="constrained")
    axes = figure.subplots()
    if not rows["value"].notna().any():
        say_absent(axes, "no shares in this audit")
        return figure
    rows_down(axes, list(rows["label"]))
    for place, row in enumerate(rows.to_dict("records")):
        first = place == 0
        colour = FAINT if row["reference"] else COLOURS[1]
        if not math.isnan(row["floor"]):
            axes.barh(
                place, row["floor"], height=0.9, label="sampling floor: an even generator" if first else None, **_FLOOR
            )
        axes.plot(row["paper"], place, ls="none", marker="o", ms=7, mfc="none", mec=INK, zorder=4)
        if math.isnan(row["value"]):
            axes.text(0, place, "  not measured", va="center", fontsize=8.5, color=FAINT)
            continue
        axes.barh(place, row["value"], height=0.5, color=colour, alpha=0.75, zorder=1)
        if not math.isnan(row["sd"]):
            axes.errorbar(
                row["value"], place, xerr=row["sd"], color=INK, lw=1.5, capsize=3, zorder=3,
                label="± standard deviation over splits" if first else None,
            )  # fmt: skip
        axes.plot(
            row["corrected"], place, ls="none", marker="D", ms=5.5, color=COLOURS[0], mec="white", mew=0.6, zorder=4,
            label="corrected for confusions" if first else None,
        )  # fmt: skip
    if rows["paper"].notna().any():
        axes.plot([], [], ls="none", marker="o", ms=7, mfc="none", mec=INK, label="the paper's value")
    axes.set_xlim(left=0)
    axes.set_xlabel("discrepancy of class shares from even", fontsize=9, color=INK)
    legend_below(figure, axes, columns=2)
    return figure


def training_figure(histories: Mapping[str, Sequence[Mapping[str, Any]]], labels: Mapping[str, str]) -> Figure:
    """Draw the metrics of ticks against the images shown, one line per system; panels without a metric are left out."""
    frames = {name: pd.DataFrame(list(ticks)) for name, ticks in histories.items() if len(ticks)}
    there = {column for frame in frames.values() for column in frame}
    shown = [(title, lines) for title, lines in CURVES if there & set(lines)]
    across = min(max(len(shown), 1), 2)
    down = math.ceil(max(len(shown), 1) / across)
    figure = Figure(figsize=(4.3 * across, 0.7 + 2.4 * down), layout="constrained")
    if not shown:
        say_absent(figure.subplots(), "no metrics of training")
        return figure
    panels = [figure.add_subplot(down, across, place + 1) for place in range(len(shown))]
    for axes, (title, lines) in zip(panels, shown, strict=True):
        style(axes, title)
        for index, (name, frame) in enumerate(frames.items()):
            for metric, dash in lines.items():
                if metric in frame:
                    _curve(axes, frame, metric, dash, index, labels.get(name, spell(name)) if dash == "-" else "")
        axes.set_xlabel("images shown [thousands]", fontsize=9, color=INK)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}"))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        _explain(axes, lines)
    legend_below(figure, *panels, columns=2)
    return figure


def _pie(axes: Axes, rows: pd.DataFrame) -> None:
    values = rows["hard"].fillna(0.0).to_numpy(np.float64)
    if not values.sum() > 0:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no images", transform=axes.transAxes, ha="center", va="center", color=FAINT, fontsize=9)
        return
    named = [
        f"{spell(str(name))}\n{share(value, 0)}" if value >= _LEAST else ""
        for name, value in zip(rows.index, values, strict=True)
    ]
    wedges = axes.pie(
        values, labels=named, startangle=90, counterclock=False, radius=1.0, labeldistance=1.12,
        colors=[_class_colour(index) for index in range(len(values))],
        wedgeprops={"ec": "white", "lw": 0.8}, textprops={"fontsize": 7.5, "color": INK},
    )[0]  # fmt: skip
    for index, wedge in enumerate(wedges):
        wedge.set_hatch(_hatch(index))


def _bars(axes: Axes, rows: pd.DataFrame, *, named: bool) -> None:
    total = rows["count"].fillna(0).sum()
    labels = [spell(str(name)) for name in rows.index]
    rows_down(axes, labels if named else [""] * len(labels))
    axes.axvline(1 / max(len(rows), 1), color=INK, lw=1, ls=(0, (4, 3)), label="even share", zorder=2)
    for place, row in enumerate(rows.to_dict("records")):
        count = 0 if math.isnan(row["count"]) else row["count"]
        if not total or math.isnan(row["hard"]):
            axes.text(0, place, " absent", va="center", fontsize=8, color=FAINT)
            continue
        low, high = wilson(count, total)
        axes.barh(place, row["hard"], height=0.7, color=_class_colour(place), hatch=_hatch(place), ec="white", lw=0.5)
        axes.hlines(place, low, high, color=INK, lw=1.6, label=f"{COVERED} interval" if place == 0 else "", zorder=3)
        axes.plot(
            row["corrected"], place, ls="none", marker="D", ms=4.2, color="white", mec=INK, mew=1, zorder=4,
            label="corrected for confusions" if place == 0 else None,
        )  # fmt: skip
        axes.annotate(
            f"{int(count):,}", (max(high, row["hard"], row["corrected"]), place), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=7.5, color=INK, clip_on=False,
            bbox={"fc": "white", "ec": "none", "pad": 0.6},
        )  # fmt: skip
    longest = rows[["hard", "corrected"]].fillna(0).to_numpy(float).max(initial=1 / max(len(rows), 1))
    axes.set_xlim(0, 1.28 * longest)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    axes.set_xlabel(f"share of {int(total):,} images [%]", fontsize=9, color=INK)


def _curve(axes: Axes, frame: pd.DataFrame, metric: str, dash: str, index: int, label: str) -> None:
    there = frame[frame[metric].notna()]
    axes.plot(
        there["images"], there[metric], color=COLOURS[index % 8], ls=dash, lw=1.6, marker=MARKERS[index % 8],
        ms=3.5 if len(there) < 40 else 0, label=label or None,
    )  # fmt: skip


def _explain(axes: Axes, lines: Mapping[str, str]) -> None:
    """Say what solid and dotted are, where a panel has both."""
    if len(lines) == 2:
        solid, dotted = (name.rpartition("/")[2] for name in lines)
        axes.set_title(f"solid: {solid}, dotted: {dotted}", fontsize=8.5, color=INK)


def _class_colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _hatch(index: int) -> str:
    return ("", "...", "xx", "//")[index // len(COLOURS) % 4]
