"""Everything that a training run must remember to go on exactly where it was killed."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from greycard.training.ema import MovingAverage
from greycard.training.optimizers import Schedule


@dataclass(slots=True)
class Best:
    """The best epoch so far: its validation loss (infinite before the first) and its weights."""

    loss: float = float("inf")
    epoch: int = -1
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class Sums:
    """Sums and counts of an epoch's loss parts, from which its means come."""

    totals: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, parts: Mapping[str, Tensor]) -> None:
        """Add a batch: name -> (K,) values."""
        for name, values in parts.items():
            total = values.double().sum()
            self.totals[name] = self.totals[name] + total if name in self.totals else total
            self.counts[name] = self.counts.get(name, 0) + len(values)

    def means(self) -> dict[str, float]:
        """Return the means; NaN where nothing was counted."""
        return {
            name: total.item() / self.counts[name] if self.counts[name] else float("nan")
            for name, total in self.totals.items()
        }


@dataclass(slots=True)
class TrainingState:
    """The state of a run: what moves while it trains.

    Attributes:
        epoch: 0-based epoch under way.
        batch: batches of that epoch already done.
        step: optimiser steps done.
        sums: the training means of that epoch, so far.
        history: one mapping per epoch done.
        finished: why the run ended (``epochs`` or ``patience``), "" while it has not.
    """

    network: nn.Module
    optimizer: Optimizer
    auxiliary: Optimizer | None
    schedule: Schedule
    scaler: GradScaler
    average: MovingAverage | None
    best: Best = field(default_factory=Best)
    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    history: list[dict[str, float]] = field(default_factory=list)
    finished: str = ""

    @property
    def evaluated(self) -> nn.Module:
        """The network to validate and keep: the average where there is one."""
        return self.network if self.average is None else self.average.network

    def keep_best(self, loss: float) -> None:
        """Remember the weights of the epoch under way as the best."""
        weights = {name: value.detach().cpu().clone() for name, value in self.evaluated.state_dict().items()}
        self.best = Best(loss, self.epoch, weights)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as tensors and plain values, random states included."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "auxiliary": self.auxiliary.state_dict() if self.auxiliary else None,
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.network.state_dict() if self.average else None,
            "best": {"loss": self.best.loss, "epoch": self.best.epoch, "weights": self.best.weights},
            "progress": {"epoch": self.epoch, "batch": self.batch, "step": self.step, "finished": self.finished},
            "sums": {"totals": self.sums.totals, "counts": self.sums.counts},
            "history": self.history,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over a state that ``to_dict`` returned."""
        state = copy.copy(state)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.auxiliary:
            self.auxiliary.load_state_dict(state["auxiliary"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.network.load_state_dict(state["average"])
        self.best = Best(**state["best"])
        progress = state["progress"]
        self.epoch, self.batch, self.step = progress["epoch"], progress["batch"], progress["step"]
        self.finished = progress["finished"]
        device = next(self.network.parameters()).device
        totals = {name: total.to(device) for name, total in state["sums"]["totals"].items()}
        self.sums = Sums(totals, state["sums"]["counts"])
        self.history = state["history"]
        torch.set_rng_state(state["random"])
        if state["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["random_cuda"])
