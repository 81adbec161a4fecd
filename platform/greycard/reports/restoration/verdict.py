"""What a search over codecs found, in a sentence or two."""

import pandas as pd

from greycard.metrics.restoration.seeds import GAP, LEVEL
from greycard.reports.prediction.verdict import Aim
from greycard.reports.wording import decimal, level, share, to


def verdict_of(frame: pd.DataFrame, aim: Aim) -> str:
    """Say in a sentence or two what the comparison shows of the gap, and what it costs."""
    rows = frame.set_index("measure")
    gap = rows.loc[GAP]
    spent = []
    for cost in aim.costs:
        row = rows.loc[cost.metric]
        worse = row["difference"] if cost.mode == "min" else -row["difference"]
        spent.append((worse <= cost.room(row["baseline"]), f"{cost.metric} {_changed(row)}"))
    reached = gap["reduction"] >= aim.min_reduction and all(within for within, _ in spent)
    low, high = (share(gap[name], 0) for name in ("reduction_low", "reduction_high"))
    return (
        f"The PSNR gap between the best and the worst restored group changes from {_changed(gap)} dB on the test "
        f"split, {share(gap['reduction'], 0)} lower ({level(LEVEL)} interval {to(low, high)}), "
        f"{'which is more than chance' if gap['reduction_low'] > 0 else 'which chance can explain'}; "
        f"{', '.join(text for _, text in spent)}. "
        f"The aim of {level(aim.min_reduction)} within the costs is {'met' if reached else 'not met'}."
    )


def _changed(row: "pd.Series[float]") -> str:
    return to(decimal(row["baseline"], 3), decimal(row["fair"], 3))
