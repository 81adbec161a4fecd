"""TensorBoard event files, one folder per run of a search: ``tensorboard --logdir <directory>/tensorboard``."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greycard.tuning.space import Value


class EventFiles:
    """Writes each run's numbers into ``<root>/<run>/``; a run that resumes after a kill adds a file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writers: dict[str, Any] = {}
        self._steps: dict[str, int] = {}

    def write(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        """Add numbers at a step; what an earlier start wrote from that step on is marked as void."""
        if run in self._writers and step <= self._steps.get(run, step - 1):  # started again: what it wrote is void
            self._writers.pop(run).close()
        writer = self._writers.get(run) or self._open(run, step)
        self._steps[run] = step
        for name, value in metrics.items():
            if not math.isnan(value):
                writer.add_scalar(name, value, step)

    def close(self, run: str, settings: Mapping[str, Value], metrics: Mapping[str, float]) -> None:
        """End a run's file with its settings and results, as the HPARAMS tab shows them."""
        writer = self._writers.pop(run, None) or self._open(run, None)
        shown = {name: value for name, value in metrics.items() if not math.isnan(value)}
        if shown:
            from tensorboardX.summary import hparams  # type: ignore[import-untyped]

            plain = {
                name: value if isinstance(value, bool | int | float | str) else str(value)
                for name, value in settings.items()
            }
            for summary in hparams(plain, shown):
                writer.file_writer.add_summary(summary)
            for name, value in shown.items():
                writer.add_scalar(name, value)
        writer.add_text("settings", f"`{json.dumps(dict(settings))}`")
        writer.close()

    def close_all(self) -> None:
        """Close what is open, without a result."""
        while self._writers:
            self._writers.popitem()[1].close()

    def _open(self, run: str, step: int | None) -> Any:
        from tensorboardX import SummaryWriter  # type: ignore[import-untyped]

        folder = self._root / run
        again = step is not None and folder.exists()
        self._writers[run] = SummaryWriter(str(folder), purge_step=step if again else None, flush_secs=10)
        return self._writers[run]
