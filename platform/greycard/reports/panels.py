"""What the panels of all figures have in common: colours, markers, axes, legends, and how a figure becomes bytes.

Colours are the eight of Okabe and Ito (distinct to colour-blind readers).
"""

import io
import textwrap
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOURS: Final = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C00", "#5B5B5B")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
INK: Final = "#222222"
FAINT: Final = "#8a8a8a"


def to_png(figure: Figure, *, dots_per_inch: int = 130) -> bytes:
    """Return a figure as PNG bytes, the same for the same figure."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return buffer.getvalue()


def style(axes: Axes, label: str) -> None:
    """Give a panel its vertical label and the look of all panels."""
    axes.set_ylabel(label, fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK)
    axes.grid(axis="y", color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def rows_down(axes: Axes, labels: Sequence[str]) -> None:
    """Name a panel's rows from the top down."""
    style(axes, "")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#e6e6e6", lw=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def legend_below(figure: Figure, *panels: Axes, columns: int = 6) -> None:
    """Put one legend under the panels, where it covers no line."""
    handles, labels = [], []
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=min(len(labels), columns), fontsize=8.5, frameon=False
        )


def say_absent(axes: Axes, reason: str) -> None:
    """Empty a panel and say why."""
    text = textwrap.fill(f"absent: {reason}", 36)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylabel("")
    for spine in axes.spines.values():
        spine.set_visible(False)
