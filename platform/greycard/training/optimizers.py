"""Optimisers and learning-rate schedules as configs.

A schedule acts after every step (`on_step`) or after every epoch's validation (`on_epoch`).
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from greycard.config import BY_KIND


def _check_rate(learning_rate: float, weight_decay: float) -> None:
    if not learning_rate > 0:
        raise ValueError(f"optimizer.learning_rate must be above 0, got {learning_rate}")
    if weight_decay < 0:
        raise ValueError(f"optimizer.weight_decay must be at least 0, got {weight_decay}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamConfig:
    """Adam; a ``weight_decay`` above 0 is decoupled from the gradient (AdamW)."""

    kind: Literal["adam"] = "adam"
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_rate(self.learning_rate, self.weight_decay)

    def build(self, parameters: list[nn.Parameter]) -> Optimizer:
        """Return the optimiser of these parameters."""
        return AdamW(parameters, lr=self.learning_rate, betas=self.betas, weight_decay=self.weight_decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class SgdConfig:
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_rate(self.learning_rate, self.weight_decay)

    def build(self, parameters: list[nn.Parameter]) -> Optimizer:
        """Return the optimiser of these parameters."""
        return SGD(parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)


OptimizerConfig = Annotated[AdamConfig | SgdConfig, BY_KIND]


class Schedule:
    """A learning rate that stays as it is; the base of those that don't."""

    def on_step(self) -> None:
        """Move on by one optimiser step."""

    def on_epoch(self, loss: float) -> None:
        """Take note of an epoch's validation loss."""

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to go on."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


class _StepSchedule(Schedule):
    def __init__(self, scheduler: LambdaLR) -> None:
        self._scheduler = scheduler

    def on_step(self) -> None:
        self._scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.load_state_dict(state)


class _PlateauSchedule(Schedule):
    def __init__(self, scheduler: ReduceLROnPlateau) -> None:
        self._scheduler = scheduler

    def on_epoch(self, loss: float) -> None:
        self._scheduler.step(loss)

    def state_dict(self) -> dict[str, Any]:
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._scheduler.load_state_dict(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantConfig:
    """A constant learning rate."""

    kind: Literal["constant"] = "constant"

    def build(self, optimizer: Optimizer, total_steps: int) -> Schedule:
        """Return the schedule of an optimiser."""
        return Schedule()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauConfig:
    """Multiply the rate by ``factor`` after more than ``patience`` epochs without a lower validation loss."""

    kind: Literal["plateau"] = "plateau"
    factor: float = 0.1
    patience: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1 or self.patience < 0:
            raise ValueError(f"plateau needs 0 < factor < 1 and patience >= 0, got {self.factor}, {self.patience}")

    def build(self, optimizer: Optimizer, total_steps: int) -> Schedule:
        """Return the schedule of an optimiser."""
        return _PlateauSchedule(ReduceLROnPlateau(optimizer, "min", factor=self.factor, patience=self.patience))


@dataclass(frozen=True, slots=True, kw_only=True)
class CosineConfig:
    """Rise linearly over the first ``warmup`` share of all steps, then fall along half a cosine to ``final``.

    Attributes:
        warmup: share of all steps, in [0, 1).
        final: the last rate as a share of the optimiser's, in [0, 1].
    """

    kind: Literal["cosine"] = "cosine"
    warmup: float = 0.05
    final: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1 or not 0 <= self.final <= 1:
            raise ValueError(f"cosine needs 0 <= warmup < 1 and 0 <= final <= 1, got {self.warmup}, {self.final}")

    def factor(self, step: int, total_steps: int) -> float:
        """Return the share of the optimiser's rate at a step, 0-based."""
        rise = max(1, round(self.warmup * total_steps))
        if step < rise and self.warmup > 0:
            return (step + 1) / rise
        progress = min(1.0, (step - rise) / max(1, total_steps - rise)) if self.warmup > 0 else step / total_steps
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def build(self, optimizer: Optimizer, total_steps: int) -> Schedule:
        """Return the schedule of an optimiser over a known number of steps."""
        return _StepSchedule(LambdaLR(optimizer, lambda step: self.factor(step, total_steps)))


ScheduleConfig = Annotated[ConstantConfig | PlateauConfig | CosineConfig, BY_KIND]


def split_parameters(network: nn.Module, apart: list[nn.Parameter]) -> list[nn.Parameter]:
    """Return the trainable parameters that are not in ``apart``, in the network's order."""
    excluded = {id(parameter) for parameter in apart}
    return [
        parameter for parameter in network.parameters() if parameter.requires_grad and id(parameter) not in excluded
    ]


def gradient_norm(parameters: list[nn.Parameter], clip_norm: float) -> torch.Tensor:
    """Return the gradients' Euclidean norm and, where ``clip_norm`` is above 0, scale them down to it."""
    if clip_norm > 0:
        return torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
    return torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
