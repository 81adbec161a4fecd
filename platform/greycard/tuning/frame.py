"""The trials of a study as a frame, one row each."""

import math

import pandas as pd

from greycard.metrics.trials import FINISHED, METRIC, PARAM
from greycard.tuning.study import Entry, Study


def trials_frame(study: Study, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Return the trials whose runs have all ended, as ``SearchResult.trials`` describes them."""
    ended = [entry for entry in study.entries if all(seed in entry.runs for seed in seeds)]
    columns = ["number", "status", "error", "attempts", "seconds", *(PARAM + name for name in study.space)]
    goals = [METRIC + goal.metric for goal in study.goals]
    rows = [_row(entry, study, seeds) for entry in ended]
    names = dict.fromkeys([*columns, *goals, *(name for row in rows for name in row)])
    return pd.DataFrame(rows, columns=list(names))


def _row(entry: Entry, study: Study, seeds: tuple[int, ...]) -> dict[str, object]:
    finished = entry.status() == FINISHED
    row: dict[str, object] = {
        "number": entry.number,
        "status": entry.status(),
        "error": entry.error(),
        "attempts": sum(run.attempts for run in entry.runs.values()),
        "seconds": sum(run.seconds for run in entry.runs.values()),
    }
    row |= {PARAM + name: entry.settings[name] for name in study.space}
    row |= {METRIC + name: value if finished else math.nan for name, value in entry.means().items()}
    if len(seeds) > 1:
        for seed in seeds:
            row |= {f"{METRIC}{name}/seed{seed}": value for name, value in entry.runs[seed].metrics.items()}
    return row
