"""How a search stands: trials done, failed and stopped, and the best so far."""

from collections import Counter

import numpy as np

from greycard.metrics.trials import FAILED, FINISHED, STOPPED, best, knee, pareto
from greycard.progress import Meter
from greycard.tuning.frame import trials_frame
from greycard.tuning.study import Study


class ProgressLine:
    """Tells a meter how many trials have ended, and what they found."""

    def __init__(self, study: Study, seeds: tuple[int, ...], meter: Meter) -> None:
        self._study, self._seeds, self._meter = study, seeds, meter

    def show(self) -> None:
        """Tell it as things stand."""
        self._meter.reach(len(trials_frame(self._study, self._seeds)), self.text())

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
