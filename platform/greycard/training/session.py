"""What every training loop does besides training: keep its state, resume from it, report, stop at what is no number."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from greycard.progress import Meter, meter
from greycard.training.checkpoints import CheckpointError, load_checkpoint, save_checkpoint

CHECKPOINT: Final = "checkpoint.pt"
Report = Callable[[Mapping[str, float], int], None]


class DivergedError(RuntimeError):
    """The loss or its gradient is not a finite number; the last checkpoint is from before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Where a run keeps its state, and who follows it.

    Attributes:
        directory: where the checkpoint is kept and looked for; None keeps none.
        key: what else decides the result, such as digests of the images and of the initial weights; a checkpoint with
            another key is refused.
        report: called with the metrics of a round (an epoch, or a generator's tick) and its 1-based number, after its
            checkpoint; a resumed run first reports the rounds already done, so that none is missed.
        progress: show how far the run is.
        title: what the run is called there.
    """

    directory: Path | None = None
    key: Mapping[str, str] = field(default_factory=dict)
    report: Report | None = None
    progress: bool = False
    title: str = "training"

    @property
    def path(self) -> Path | None:
        """The checkpoint's file; None where none is kept."""
        return self.directory / CHECKPOINT if self.directory else None

    def load(self, identity: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the checkpoint of a run, None where there is none yet.

        Raises:
            CheckpointError: it is damaged, or that of a run with another identity or key.
        """
        if self.path is None or not self.path.exists():
            return None
        saved = load_checkpoint(self.path)
        found, wanted = saved.get("identity", {}), {**identity, **self.key}
        different = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        if different:
            raise CheckpointError(
                f"{self.path} belongs to another run: its {', '.join(different)} differ; "
                "choose another directory or remove it"
            )
        return saved

    def save(self, identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Write the checkpoint of a run, if one is kept."""
        if self.path is not None:
            save_checkpoint(self.path, {"identity": {**identity, **self.key}, **state})

    def tell(self, history: Sequence[Mapping[str, float]], first: int = 1) -> None:
        """Report the rounds of a history from a 1-based number on."""
        if self.report is not None:
            for number in range(first, len(history) + 1):
                self.report(history[number - 1], number)

    def meter(self, total: int, done: int, unit: str) -> AbstractContextManager[Meter]:
        """Return what shows how far the run is, nothing unless asked for."""
        return meter(self.title, total, unit, done=done, show=self.progress)

    def check_finite(self, value: Tensor, what: str, when: str, advice: str) -> None:
        """Stop at a number that is not finite.

        Raises:
            DivergedError: says which number, when, and what to try.
        """
        if not bool(torch.isfinite(value)):
            kept = f"the checkpoint in {self.path} is from before that" if self.path else "no checkpoint was kept"
            raise DivergedError(f"the {what} is {value.item()} {when}; {kept}. {advice}")


UNKEPT: Final = Session()
"""Keeps nothing and tells nobody."""
