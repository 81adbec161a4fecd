"""The figures of a search: the front, accuracy against σ_IOU with λ as colour, and λ against both.

The second is Figures 2 and 3 of "Enhancing Fairness of Visual Attribute Predictors" (paper 002).

Every function takes the trials and returns a ``matplotlib.figure.Figure``. Colour runs from violet (small) to yellow
(large), as in the paper; the baseline is a blue star with blue lines, chosen trials are ringed.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from greycard.reports.panels import COLOURS, FAINT, INK, MARKERS, legend_below, say_absent, style
from greycard.reports.prediction.words import metric_word, parameter_label, value_label
from greycard.reports.tuning.frames import (
    FAILED,
    Goals,
    baseline_of,
    column,
    finished,
    front,
    is_logarithmic,
    is_numeric,
    kinds,
    seeds,
    values,
)

BASELINE: Final = COLOURS[1]
CHOSEN: Final = COLOURS[0]
_RINGS: Final = ((CHOSEN, "o", 13), (COLOURS[3], "s", 17), (COLOURS[5], "D", 20))
_KINDS: Final = (COLOURS[2], COLOURS[4], COLOURS[5], COLOURS[6], COLOURS[7])
_MAP: Final = "viridis"


def pareto(
    trials: pd.DataFrame, goals: Goals, *, color: str, baseline: Mapping[str, float], chosen: Mapping[str, int]
) -> Figure:
    """Draw the front, one panel per pair of goals: trials that no other beats are filled, the others hollow.

    With two goals a line joins the front. With more, a trial may be on the front because of a goal that its panel
    does not show, so there is no line.
    """
    pairs = list(itertools.combinations([metric for metric, _ in goals], 2))
    across = min(len(pairs), 2)
    down = math.ceil(len(pairs) / across)
    size = (6.4, 4.8) if len(pairs) == 1 else (4.3 * across + 1, 3.8 * down)
    figure = Figure(figsize=size, layout="constrained")
    panels = [figure.add_subplot(down, across, place) for place in range(1, len(pairs) + 1)]
    rows = finished(trials, [metric for metric, _ in goals])
    best = front(rows, goals) if len(rows) else np.zeros(0, bool)
    modes = dict(goals)
    for axes, (x, y) in zip(panels, pairs, strict=True):
        _axes(axes, rows, x, y, modes)
        if not len(rows):
            say_absent(axes, "no trial has finished with all goals measured")
            continue
        if len(goals) == 2:
            _staircase(axes, rows[best], x, y, modes)
        others = rows[~best]
        axes.plot(
            values(others, x), values(others, y), ls="none", marker="o", ms=6, mfc="white", mec=FAINT,
            label="beaten by another trial",
        )  # fmt: skip
        points = _scatter(axes, rows[best], x, y, color, trials, "not beaten (front)")
        _marks(axes, rows, x, y, baseline, chosen)
    if len(rows):
        _colour_bar(figure, points, panels, color, trials)
    legend_below(figure, *panels, columns=4)
    return figure


def trade(
    trials: pd.DataFrame,
    x: str,
    y: str,
    *,
    color: str,
    baseline: Mapping[str, float],
    chosen: Mapping[str, int],
    goals: Goals = (),
) -> Figure:
    """Draw Figures 2 and 3: one point per trial, ``y`` against ``x``, λ as colour, kinds of losses as markers.

    Shaded: better than the baseline in both. Thin crosses span the lowest and highest seed of a trial.
    """
    rows = finished(trials, [x, y])
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.subplots()
    modes = {x: _mode(x, goals), y: _mode(y, goals)}
    _axes(axes, rows, x, y, modes)
    if not len(rows):
        say_absent(axes, "no trial has finished with both measured")
        return figure
    _seed_spans(axes, rows, x, y)
    kind = kinds(trials)
    for index, name in enumerate(rows[kind].drop_duplicates() if kind else [""]):
        part = rows[rows[kind] == name] if kind else rows
        marker = MARKERS[index % 7]
        points = _scatter(axes, part, x, y, color, trials, value_label(name) if kind else "trial", marker)
    _marks(axes, rows, x, y, baseline, chosen)
    _shade_better(axes, x, y, baseline, modes)
    _colour_bar(figure, points, [axes], color, trials)
    legend_below(figure, axes, columns=3)
    return figure


def against(
    trials: pd.DataFrame,
    setting: str,
    metrics: Sequence[str],
    *,
    baseline: Mapping[str, float],
    chosen: Mapping[str, int],
) -> Figure:
    """Draw a setting (λ, on a logarithmic axis) against metrics, one panel per metric; × at the foot: failed trials."""
    figure = Figure(figsize=(6.4, 1.2 + 2.2 * len(metrics)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(metrics), 1, sharex=True))
    for axes, metric in zip(panels, metrics, strict=True):
        style(axes, _label(metric))
        axes.margins(0.06, 0.14)
        _shares(axes.yaxis, metric)
        rows = finished(trials, [metric])
        rows = rows[rows[setting].notna()]
        if not len(rows):
            say_absent(axes, "no trial has finished with this measured")
            continue
        _against(axes, rows, trials, setting, metric)
        _level(axes, baseline_of(baseline, metric))
        _rings(axes, rows, rows[setting].to_numpy(np.float64), values(rows, metric), chosen)
        failed = trials.loc[trials["status"] == FAILED, setting].dropna()
        if len(failed):
            foot = axes.get_xaxis_transform()
            axes.plot(failed, np.full(len(failed), 0.03), ls="none", marker="x", color="#B00020", ms=7, transform=foot,
                      label="failed trial (no number)", clip_on=False)  # fmt: skip
    _setting_axis(panels[-1], trials, setting)
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    legend_below(figure, *panels, columns=3)
    return figure


def progress(trials: pd.DataFrame, goal: tuple[str, str], *, baseline: Mapping[str, float]) -> Figure:
    """Draw a search with one goal: every trial's value and the best so far, in order of trials."""
    metric, mode = goal
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    style(axes, _label(metric, mode))
    _shares(axes.yaxis, metric)
    axes.set_xlabel("trial", fontsize=9, color=INK)
    rows = finished(trials, [metric]).sort_values("number")
    if not len(rows):
        say_absent(axes, "no trial has finished with this measured")
        return figure
    found = values(rows, metric)
    best = np.minimum.accumulate(found) if mode == "min" else np.maximum.accumulate(found)
    axes.plot(rows["number"], found, ls="none", marker="o", mfc="white", mec=INK, ms=5, label="trial")
    axes.plot(rows["number"], best, drawstyle="steps-post", color=CHOSEN, lw=1.8, label="best so far")
    _level(axes, baseline_of(baseline, metric))
    legend_below(figure, axes)
    return figure


def _axes(axes: Axes, rows: pd.DataFrame, x: str, y: str, modes: Mapping[str, str]) -> None:
    style(axes, _label(y, modes.get(y, "")))
    axes.grid(axis="x", color="#e6e6e6", lw=0.8)
    axes.set_xlabel(_label(x, modes.get(x, "")), fontsize=9, color=INK)
    axes.margins(0.1)
    _shares(axes.xaxis, x)
    _shares(axes.yaxis, y)
    if len(rows) and not metric_word(x).share and is_logarithmic(values(rows, x)):
        _logarithmic(axes)


def _label(metric: str, mode: str = "") -> str:
    word = metric_word(metric)
    end = {"min": " (lower is better)", "max": " (higher is better)"}.get(mode, "")
    return f"{word.label}{' [%]' if word.share else ''}{end}"


def _shares(axis: Axis, metric: str) -> None:
    """Write shares in per cent."""
    if metric_word(metric).share:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))


def _mode(metric: str, goals: Goals) -> str:
    asked = dict(goals)
    better = metric_word(metric).better
    return asked.get(metric, {"higher": "max", "lower": "min"}.get(better or "", ""))


def _scatter(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, color: str, trials: pd.DataFrame, label: str, marker: str = "o"
) -> Any:
    """Draw trials in the colour of their setting; plain where the setting is no number."""
    place: dict[str, Any] = {
        "x": values(rows, x),
        "y": values(rows, y),
        "marker": marker,
        "s": 52,
        "label": label,
        "zorder": 3,
    }
    if not is_numeric(trials, color):
        return axes.scatter(**place, color=COLOURS[2], edgecolors=INK, linewidths=0.6)
    return axes.scatter(
        **place, c=rows[color].to_numpy(np.float64), cmap=_MAP, norm=_norm(trials, color), edgecolors=INK,
        linewidths=0.6, plotnonfinite=False,
    )  # fmt: skip


def _norm(trials: pd.DataFrame, color: str) -> Normalize:
    found = pd.to_numeric(trials[color], errors="coerce").dropna()
    scale = LogNorm if is_logarithmic(found) else Normalize
    return scale(vmin=float(found.min()), vmax=float(found.max()))


def _colour_bar(figure: Figure, points: Any, panels: Any, color: str, trials: pd.DataFrame) -> None:
    if not is_numeric(trials, color):
        return
    bar = figure.colorbar(points, ax=list(panels), pad=0.02, aspect=28)
    bar.set_label(parameter_label(color), fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8.5, colors=INK)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())


def _staircase(axes: Axes, rows: pd.DataFrame, x: str, y: str, modes: Mapping[str, str]) -> None:
    order = np.argsort(values(rows, x), kind="stable")
    steps = "steps-post" if modes[x] == "min" else "steps-pre"
    axes.plot(
        values(rows, x)[order], values(rows, y)[order], drawstyle=steps, color=INK, lw=1.2, label="front", zorder=2
    )


def _seed_spans(axes: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    across, up = (rows[seeds(rows, column(rows, metric))] for metric in (x, y))
    if across.shape[1] < 2 or up.shape[1] < 2:
        return
    axes.hlines(values(rows, y), across.min(axis=1), across.max(axis=1), color=FAINT, lw=0.8, zorder=1)
    axes.vlines(
        values(rows, x), up.min(axis=1), up.max(axis=1), color=FAINT, lw=0.8, zorder=1, label="lowest to highest seed"
    )


def _marks(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, baseline: Mapping[str, float], chosen: Mapping[str, int]
) -> None:
    at = baseline_of(baseline, x), baseline_of(baseline, y)
    if not np.isnan(at[0]):
        axes.axvline(at[0], color=BASELINE, lw=1, ls=(0, (4, 3)), zorder=1)
    if not np.isnan(at[1]):
        axes.axhline(at[1], color=BASELINE, lw=1, ls=(0, (4, 3)), zorder=1)
    if not np.isnan(at).any():
        axes.plot(*at, ls="none", marker="*", ms=17, mfc=BASELINE, mec="white", label="baseline", zorder=5)
    _rings(axes, rows, values(rows, x), values(rows, y), chosen)


def _rings(axes: Axes, rows: pd.DataFrame, x: Any, y: Any, chosen: Mapping[str, int]) -> None:
    """Ring the chosen trials, each with a shape and a colour of its own, which the legend names."""
    numbers = rows["number"].tolist()
    for index, (name, trial) in enumerate(chosen.items()):
        if trial in numbers:
            place = numbers.index(trial)
            colour, shape, size = _RINGS[index % len(_RINGS)]
            look: dict[str, Any] = {"ls": "none", "marker": shape, "mfc": "none", "mec": colour, "mew": 2.2}
            axes.plot(x[place], y[place], ms=size, zorder=4, **look)
            axes.plot([], [], ms=8, label=f"{name} (trial {trial})", **look)


def _shade_better(axes: Axes, x: str, y: str, baseline: Mapping[str, float], modes: Mapping[str, str]) -> None:
    at = baseline_of(baseline, x), baseline_of(baseline, y)
    if np.isnan(at).any() or not all(modes.values()):
        return
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    across = (left, at[0]) if modes[x] == "min" else (at[0], right)
    up = (low, at[1]) if modes[y] == "min" else (at[1], high)
    axes.fill_between(
        across, *up, color=COLOURS[2], alpha=0.1, lw=0, zorder=0, label="better than the baseline in both"
    )
    axes.set(xlim=(left, right), ylim=(low, high))


def _against(axes: Axes, rows: pd.DataFrame, trials: pd.DataFrame, setting: str, metric: str) -> None:
    kind = kinds(trials)
    for index, name in enumerate(trials[kind].dropna().drop_duplicates() if kind else [""]):
        part = rows[rows[kind] == name] if kind else rows
        spread = part[seeds(part, column(part, metric))]
        colour = _KINDS[index % len(_KINDS)]
        if spread.shape[1] > 1:
            axes.vlines(part[setting], spread.min(axis=1), spread.max(axis=1), color=FAINT, lw=0.8, zorder=1)
        axes.plot(
            part[setting], values(part, metric), ls="none", marker=MARKERS[index % 7], ms=6.5, color=colour,
            mec=INK, mew=0.5, label=value_label(name) if kind else "trial",
        )  # fmt: skip


def _level(axes: Axes, value: float) -> None:
    if not np.isnan(value):
        axes.axhline(value, color=BASELINE, lw=1.4, ls=(0, (4, 3)), label="baseline", zorder=1)


def _setting_axis(axes: Axes, trials: pd.DataFrame, setting: str) -> None:
    axes.set_xlabel(parameter_label(setting), fontsize=9, color=INK)
    if is_logarithmic(pd.to_numeric(trials[setting], errors="coerce")):
        _logarithmic(axes)


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axes.get_xlim()
    if np.log10(high / low) < 1.5:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
