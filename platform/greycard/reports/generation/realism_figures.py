"""Fréchet distances between groups (paper 004, Figure 3), and how they depend on the shares of both sets."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from greycard.metrics.generation.references import AS_DRAWN, BALANCED, UNBALANCED
from greycard.reports.panels import COLOURS, FAINT, INK, legend_below, rows_down, say_absent
from greycard.reports.wording import number, spell

SETS: Final = {AS_DRAWN: "as drawn", BALANCED: "made even", UNBALANCED: "made uneven"}
_REFERENCES: Final = {BALANCED: COLOURS[1], UNBALANCED: COLOURS[4]}
_ROUNDING: Final = 1e-9
_MANY: Final = 14  # groups up to which numbers fit


def heat_map(rows: pd.DataFrame, classes: Sequence[str], across: str, down: str, most: float = math.nan) -> Figure:
    """Draw Figure 3: the distance of each group (row) to each group of the reference (column), with its number.

    Args:
        rows: group, reference_group, value, of one system and one measure.
        classes: the classes in order; a group without images has empty cells.
        across: what the columns are.
        down: what the rows are.
        most: the end of the colour scale, to be the same in several maps; NaN takes the largest distance.
    """
    names = list(classes)
    values = rows.pivot_table(index="group", columns="reference_group", values="value", dropna=False)
    matrix = values.reindex(index=names, columns=names).to_numpy(np.float64)
    side = max(2.8, 0.44 * len(names))
    figure = Figure(figsize=(side + 1.9, side + 1.2), layout="constrained")
    axes = figure.subplots()
    known = matrix[np.isfinite(matrix)]
    if not known.size:
        say_absent(axes, "no group has two images")
        return figure
    norm = Normalize(0.0, known.max() if math.isnan(most) else most)
    image = axes.imshow(matrix, cmap="YlGnBu", norm=norm, aspect="equal")
    axes.set_facecolor("#eeeeee")
    labels = [spell(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=45 if max(map(len, labels)) > 3 else 0, ha="right"
                    if max(map(len, labels)) > 3 else "center", fontsize=8.5)  # fmt: skip
    axes.set_yticks(range(len(names)), labels, fontsize=8.5)
    axes.set_xlabel(across, fontsize=9, color=INK)
    axes.set_ylabel(down, fontsize=9, color=INK)
    axes.tick_params(length=0, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(names) <= _MANY:
        _numbers(axes, matrix, norm)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, pad=0.02)
    bar.ax.tick_params(labelsize=8)
    return figure


def references_figure(rows: pd.DataFrame, systems: Mapping[str, str]) -> Figure:
    """Draw the distance of each set, as drawn and mixed even and uneven, to an even and an uneven reference.

    Args:
        rows: system, generated, reference, value, of one measure.
        systems: system -> what it is called; one panel per system.
    """
    shown = [name for name in systems if name in set(rows["system"])]
    figure = Figure(figsize=(1.4 + 2.9 * max(len(shown), 1), 2.9), layout="constrained")
    if not shown:
        say_absent(figure.subplots(), "the experiment was not made")
        return figure
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, system in zip(panels, shown, strict=True):
        axes.set_title(spell(systems[system]), fontsize=9.5, color=INK, wrap=True)
        rows_down(axes, list(SETS.values()) if axes is panels[0] else [""] * len(SETS))
        _pairs(axes, rows[rows["system"] == system])
        axes.set_xlabel("distance", fontsize=9, color=INK)
    most = max(axes.get_xlim()[1] for axes in panels)
    for axes in panels:
        axes.set_xlim(0, most * 1.04)
    legend_below(figure, panels[0], columns=2)
    return figure


def _pairs(axes: Axes, rows: pd.DataFrame) -> None:
    for index, (reference, colour) in enumerate(_REFERENCES.items()):
        for place, made in enumerate(SETS):
            found = rows[(rows["generated"] == made) & (rows["reference"] == reference)]
            value = float(found["value"].iloc[0]) if len(found) else math.nan
            height = place + 0.36 * (index - 0.5)
            label = f"against {'an even' if reference == BALANCED else 'an uneven'} reference" if place == 0 else None
            if math.isnan(value):
                axes.text(0, height, " absent", va="center", fontsize=8, color=FAINT)
                continue
            axes.barh(height, max(value, 0.0), height=0.34, color=colour, alpha=0.85, label=label)
            axes.annotate(
                _short(value), (max(value, 0.0), height), xytext=(3, 0), textcoords="offset points", va="center",
                fontsize=8, color=INK,
            )  # fmt: skip
    axes.set_xlim(0, 1.22 * max(axes.get_xlim()[1], 1e-9) / 1.05)


def _numbers(axes: Axes, matrix: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", norm: Normalize) -> None:
    for (row, column), value in np.ndenumerate(matrix):
        if not math.isfinite(value):
            axes.text(column, row, "—", ha="center", va="center", fontsize=8, color=FAINT)
            continue
        red, green, blue, _ = colormaps["YlGnBu"](norm(float(value)))
        ink = INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.55 else "white"
        axes.text(column, row, _short(float(value)), ha="center", va="center", fontsize=7.5, color=ink)


def _short(value: float) -> str:
    """Return a distance with two digits; a rounding error that remains of a zero becomes 0."""
    return "0" if abs(value) < _ROUNDING else number(value, 2)
