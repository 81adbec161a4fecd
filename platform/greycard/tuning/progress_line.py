"""The line that shows how a search stands: trials done, failed and stopped, and the best so far."""

from collections import Counter
from types import TracebackType
from typing import Any, Self

import numpy as np
from tqdm import tqdm

from greycard.metrics.trials import FAILED, FINISHED, STOPPED, best, knee, pareto
from greycard.tuning.frame import trials_frame
from greycard.tuning.study import Study


class ProgressLine:
    """A tqdm line over the trials of a search, drawn by the driver."""

    def __init__(self, study: Study, name: str, total: int, seeds: tuple[int, ...], *, show: bool) -> None:
        self._study, self._seeds = study, seeds
        self._bar: Any = tqdm(total=max(total, len(study.entries)), desc=name, unit="trial", disable=not show)

    def __enter__(self) -> Self:
        self.show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def show(self) -> None:
        """Draw it as things stand."""
        if self._bar.disable:
            return
        ended = [entry for entry in self._study.entries if all(seed in entry.runs for seed in self._seeds)]
        self._bar.set_postfix_str(self.text(), refresh=False)
        self._bar.n = len(ended)
        self._bar.refresh()

    def text(self) -> str:
        """Return what stands beside the bar: ``1 failed, best sigma_iou 0.0123 (trial 7)``."""
        frame = trials_frame(self._study, self._seeds)
        counts = Counter(frame["status"])
        parts = [f"{counts[status]} {status}" for status in (FAILED, STOPPED) if counts[status]]
        goals = self._study.goals
        if counts[FINISHED] and len(goals) == 1:
            number = best(frame, goals)
            value = frame.loc[frame["number"] == number, f"metric/{goals[0].metric}"].item()
            parts.append(f"best {goals[0].metric} {value:.4g} (trial {number})")
        elif counts[FINISHED]:
            number = knee(frame, goals)
            row = frame[frame["number"] == number]
            values = ", ".join(f"{goal.metric} {row[f'metric/{goal.metric}'].item():.4g}" for goal in goals)
            parts.append(f"front {np.count_nonzero(pareto(frame, goals))}, knee {values} (trial {number})")
        return ", ".join(parts)
