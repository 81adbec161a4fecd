"""What a search over codecs found, in a sentence or two."""

from collections.abc import Sequence

import pandas as pd

from greycard.metrics.restoration.seeds import GAP, LEVEL
from greycard.reports.prediction.verdict import AcceptedCost


def verdict_of(frame: pd.DataFrame, min_reduction: float, costs: Sequence[AcceptedCost]) -> str:
    """Say in a sentence or two what the comparison shows of the gap, and what it costs."""
    rows = frame.set_index("measure")
    gap = rows.loc[GAP]
    shown = gap["reduction_low"] > 0
    spent = []
    for cost in costs:
        row = rows.loc[cost.metric]
        worse = row["difference"] if cost.mode == "min" else -row["difference"]
        room = cost.most * abs(row["baseline"]) if cost.relative else cost.most
        spent.append((worse <= room, f"{cost.metric} {row['baseline']:.3f} -> {row['fair']:.3f}"))
    reached = gap["reduction"] >= min_reduction and all(within for within, _ in spent)
    return (
        f"The PSNR gap between the best and the worst restored group is {gap['baseline']:.3f} dB before and "
        f"{gap['fair']:.3f} dB after on the test split, {gap['reduction']:.0%} lower "
        f"({LEVEL:.0%} interval {gap['reduction_low']:.0%} to {gap['reduction_high']:.0%}), "
        f"{'which is more than chance' if shown else 'which chance can explain'}; "
        f"{', '.join(text for _, text in spent)}. "
        f"The aim of {min_reduction:.0%} within the costs is {'met' if reached else 'not met'}."
    )
