"""The figures of a prediction audit: groups with intervals, disparities over their noise floor, seeds, squeezing.

Every function takes frames and returns a ``matplotlib.figure.Figure``. Rows run downwards, so that long names of groups
have room. A baseline is blue; small marks are single seeds with their intervals, the large one is their mean.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from greycard.reports.panels import COLOURS, FAINT, INK, MARKERS, legend_below, rows_down, say_absent
from greycard.reports.prediction.arms import Arm, fell, mean, rows_of
from greycard.reports.prediction.verdict import AcceptedCost, Aim
from greycard.reports.prediction.words import DISPARITY_WORDS, GROUP_WORDS, HARD_MEASURES, VIEW_WORDS, measure_word
from greycard.reports.wording import ALL, Word, group_name, level

BASELINE: Final = COLOURS[1]
GOOD: Final = COLOURS[2]
_ARMS: Final = (COLOURS[0], COLOURS[2], COLOURS[3], COLOURS[4], COLOURS[5], COLOURS[6])
_VIEWS: Final = dict(zip(VIEW_WORDS, (COLOURS[4], INK, COLOURS[5], COLOURS[3], COLOURS[2], COLOURS[6]), strict=True))


def groups_figure(groups: pd.DataFrame, arms: Sequence[Arm], measures: Sequence[str] = ("accuracy", "iou")) -> Figure:
    """Draw measures by group, one panel each: one row per group, one mark per arm, with intervals.

    Args:
        groups: the rows of one target and one attribute.
        arms: what stands beside each other.
        measures: names in ``GROUP_WORDS``.
    """
    names = list(groups["group"].drop_duplicates())
    height = 1.3 + len(names) * (0.24 + 0.16 * len(arms))
    figure = Figure(figsize=(4.6 * len(measures), max(height, 2.6)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(measures), sharey=True))
    for axes, measure in zip(panels, measures, strict=True):
        rows_down(axes, [_counted(groups, name) for name in names])
        _across(axes, GROUP_WORDS[measure])
        part = groups[groups["measure"] == measure]
        for place, name in enumerate(names):
            _group(axes, part[part["group"] == name], arms, place)
        if ALL in names:
            axes.axhline(names.index(ALL) + 0.5, color="#bbbbbb", lw=0.8)
    _legend(figure, panels[0], arms)
    return figure


def disparities_figure(disparities: pd.DataFrame, arms: Sequence[Arm]) -> Figure:
    """Draw the disparities of hard decisions, one panel per measure, one row per arm, over its hatched noise floor."""
    rows = disparities[(disparities["decisions"] == "hard") & (disparities["estimate"] == "full_split")]
    shown = [name for name in HARD_MEASURES if name in set(rows["measure"])]
    figure = Figure(figsize=(2.6 * max(len(shown), 1) + 1.8, 1.7 + 0.45 * len(arms)), layout="constrained")
    if not shown:
        say_absent(figure.subplots(), "no disparity of decisions in this audit")
        return figure
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    for axes, measure in zip(panels, shown, strict=True):
        rows_down(axes, [arm.label for arm in arms])
        _across(axes, DISPARITY_WORDS[measure])
        for place, arm in enumerate(arms):
            part = rows_of(rows[rows["measure"] == measure], arm)
            _floor(axes, mean(part, "noise_floor"), place)
            _marks(axes, part, place, _colour(arms, arm), width=0.5)
        axes.set_xlim(left=0)
    legend_below(figure, panels[0])
    return figure


def seeds_figure(comparison: pd.DataFrame, aim: Aim | None = None) -> Figure:
    """Draw the comparison of seeds: how much every disparity fell, and what it cost, with the aim shaded.

    Args:
        comparison: from ``compare_seeds``.
        aim: what was to fall, by how much, at which costs; None shades nothing.
    """
    costs = aim.costs if aim else ()
    gaps = lowered(comparison)
    named = comparison["measure"].isin([cost.metric for cost in costs]) & ~comparison["measure"].isin(gaps["measure"])
    scored = comparison["measure"].isin(("accuracy", "balanced_accuracy", "auc"))
    paid = comparison[scored | named] if scored.any() else _relative(comparison.drop(gaps.index))
    height = 1.6 + 0.34 * max(len(gaps), len(paid), 3)
    figure = Figure(figsize=(9.4, height), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _forest(left, gaps, ("reduction", "reduction_low", "reduction_high"), 100)
    left.set_xlim(max(left.get_xlim()[0], -150), 105)
    if aim:
        _shade(left, gaps, aim.goal, (100 * aim.min_reduction, 105), f"aim: at least {level(aim.min_reduction)}")
    left.set_xlabel("group difference: how much it fell [%]", fontsize=9, color=INK)
    _forest(right, paid, ("difference", "low", "high"), 100)
    right.set_xlabel(f"change against the baseline [{'points' if scored.any() else '%'}]", fontsize=9, color=INK)
    _cost_aims(right, paid, comparison, costs, shares=not scored.any())
    legend_below(figure, left, right, columns=4)
    return figure


def lowered(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return a comparison's disparities, those of decisions first; L_iou once (its sum falls as its mean does)."""
    differs = comparison["measure"].isin(DISPARITY_WORDS) | comparison["reduction"].notna()
    rows = comparison[differs & (comparison["measure"] != "iou")]
    return rows.sort_values("decisions", key=lambda column: column == "soft", kind="stable")


def _relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose differences are shares of the baseline's value."""
    size = rows["baseline"].abs().where(rows["baseline"] != 0)
    return rows.assign(**{name: rows[name] / size for name in ("difference", "low", "high")})


def _cost_aims(
    axes: Axes, rows: pd.DataFrame, comparison: pd.DataFrame, costs: Sequence[AcceptedCost], *, shares: bool
) -> None:
    """Shade what each cost accepts, in its own row.

    Args:
        axes: the panel of costs.
        rows: what it shows, from the top down.
        comparison: gives the baselines' values.
        costs: what may become worse.
        shares: the panel shows changes as shares of the baseline's value.
    """
    levels = comparison.set_index("measure")["baseline"]
    limits = {}
    for cost in costs:
        if cost.metric in set(rows["measure"]):
            size = abs(float(levels[cost.metric])) if shares else 1.0
            limits[cost] = 100 * cost.room(float(levels[cost.metric])) / (size or 1.0)
    widest = 2.5 * max(limits.values(), default=0.0)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -widest), max(high, widest))
    for place, (cost, limit) in enumerate(limits.items()):
        inside = (axes.get_xlim()[0], limit) if cost.mode == "min" else (-limit, axes.get_xlim()[1])
        _shade(axes, rows, cost.metric, inside, "aim: lost at most what is shaded" if place == 0 else "")


def _shade(axes: Axes, rows: pd.DataFrame, measure: str, ends: tuple[float, float], label: str) -> None:
    """Shade an aim from one end to the other in the row of its measure, where there is one."""
    for place, name in enumerate(rows["measure"]):
        if name == measure:
            axes.barh(
                place, ends[1] - ends[0], left=ends[0], height=1.0, color=GOOD, alpha=0.12, lw=0, zorder=0,
                label=label or None,
            )  # fmt: skip


def squeezing_figure(squeezing: pd.DataFrame, arms: Sequence[Arm]) -> Figure:
    """Draw how much of each difference fell, seen in probabilities, decisions and refitted probabilities.

    Args:
        squeezing: the rows of one target and one attribute.
        arms: those with a baseline; one panel each, at most three.
    """
    shown = [arm for arm in arms if len(rows_of(squeezing, arm))][:3]
    measures = [name for name in DISPARITY_WORDS if name in set(squeezing["measure"]) and name != "iou"]
    width = 6.4 if len(shown) < 2 else 1.6 + 3.2 * len(shown)
    figure = Figure(figsize=(width, 1.9 + 0.42 * max(len(measures), 1)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, max(len(shown), 1), sharey=True))
    if not shown:
        say_absent(panels[0], "no pair of a baseline and a system trained from it")
        return figure
    for axes, arm in zip(panels, shown, strict=True):
        axes.set_title(arm.label, fontsize=10, color=INK)
        rows_down(axes, [DISPARITY_WORDS[name].label for name in measures])
        axes.set_xlabel("how much it fell [%]", fontsize=9, color=INK)
        axes.axvline(0, color=INK, lw=0.8)
        part = rows_of(squeezing, arm)
        for index, view in enumerate(VIEW_WORDS):
            _view(axes, part[part["view"] == view], measures, view, index)
        axes.set_xlim(-105, 105)
    legend_below(figure, *panels, columns=2 if len(shown) < 2 else 3)
    return figure


def _view(axes: Axes, rows: pd.DataFrame, measures: Sequence[str], view: str, index: int) -> None:
    if not len(rows):
        return
    for place, measure in enumerate(measures):
        part = rows[rows["measure"] == measure]
        height = place + 0.1 * (index - 2.5)
        value = 100 * fell(part)
        ends = 100 * part[["low", "high"]].to_numpy(np.float64).ravel()
        if view in ("soft", "hard") and len(part) == 1 and not np.isnan(ends).any():
            axes.hlines(height, *ends.clip(-105, 105), color=_VIEWS[view], lw=1.4)
        beyond = value < -100
        axes.plot(
            np.clip(value, -100, 100), height, ls="none", marker="<" if beyond else MARKERS[index],
            ms=6.5 if view in ("soft", "hard") else 5, color=_VIEWS[view], mec="white", mew=0.5,
            label=VIEW_WORDS[view] if place == 0 else None,
        )  # fmt: skip


def _forest(axes: Axes, rows: pd.DataFrame, columns: tuple[str, str, str], scale: float) -> None:
    rows_down(axes, [measure_word(str(name)).label for name in rows["measure"]])
    axes.axvline(0, color=INK, lw=0.8)
    for place, row in enumerate(rows.to_dict("records")):
        value, low, high = (scale * float(row[name]) for name in columns)
        hard = row["decisions"] != "soft"
        if np.isnan(value):
            axes.text(0, place, " absent", va="center", fontsize=8.5, color=FAINT)
            continue
        if not np.isnan([low, high]).any():
            axes.hlines(place, low, high, color=INK if hard else FAINT, lw=1.8)
        axes.plot(value, place, ls="none", marker="o", ms=7, color=INK if hard else FAINT, mfc=INK if hard else "white")
    for decisions, colour, face in (("hard", INK, INK), ("soft", FAINT, "white")):
        if (rows["decisions"] == decisions).any():
            axes.plot([], [], ls="none", marker="o", ms=7, color=colour, mfc=face, label=VIEW_WORDS[decisions])


def _group(axes: Axes, rows: pd.DataFrame, arms: Sequence[Arm], place: int) -> None:
    step = 0.8 / max(len(arms), 1)
    for index, arm in enumerate(arms):
        height = place + step * (index - (len(arms) - 1) / 2)
        _marks(axes, rows_of(rows, arm), height, _colour(arms, arm), MARKERS[index % 7], width=step * 0.6)
    if not rows["value"].notna().any():
        axes.text(
            0.02, place, "not measured", transform=axes.get_yaxis_transform(), va="center", color=FAINT, fontsize=8.5
        )


def _marks(
    axes: Axes, rows: pd.DataFrame, height: float, colour: str, marker: str = "o", *, width: float = 0.4
) -> None:
    """Draw an arm's seeds with their intervals, and their mean."""
    rows = rows[rows["value"].notna()]
    if not len(rows):
        return
    many = len(rows) > 1
    heights = height + (np.linspace(-0.5, 0.5, len(rows)) if many else np.zeros(1)) * width
    axes.hlines(heights, rows["low"], rows["high"], color=colour, lw=0.9 if many else 1.8, alpha=0.55 if many else 1)
    if many:
        axes.plot(rows["value"], heights, ls="none", marker=marker, ms=2.6, color=colour, alpha=0.7)
    axes.plot(
        mean(rows, "value"), height, ls="none", marker=marker, ms=7.5, color=colour, mec="white", mew=0.7, zorder=4
    )


def _floor(axes: Axes, floor: float, place: int) -> None:
    if not np.isnan(floor):
        axes.barh(
            place, floor, height=0.8, fc="#f3e2a9", ec="#a8891c", hatch="////", lw=0, zorder=0,
            label="noise floor: difference by chance alone" if place == 0 else None,
        )  # fmt: skip


def _colour(arms: Sequence[Arm], arm: Arm) -> str:
    if arm.baseline:
        return BASELINE
    return _ARMS[[other.name for other in arms if not other.baseline].index(arm.name) % len(_ARMS)]


def _counted(groups: pd.DataFrame, name: str) -> str:
    count = int(groups.loc[groups["group"] == name, "count"].max())
    return f"{group_name(name)}\n{f'n = {count:,}' if count else 'no images'}"


def _across(axes: Axes, word: Word) -> None:
    axes.set_xlabel(word.label + (" [%]" if word.share else ""), fontsize=9, color=INK)
    if word.share:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}"))


def _legend(figure: Figure, axes: Axes, arms: Sequence[Arm]) -> None:
    for index, arm in enumerate(arms):
        axes.plot([], [], ls="-", marker=MARKERS[index % 7], color=_colour(arms, arm), label=arm.label)
    legend_below(figure, axes, columns=3)
