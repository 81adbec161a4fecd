"""One plain training loop: early stopping, averaged weights, mixed precision, checkpoints and exact resume.

``for each epoch: shuffle -> batches -> objective -> step; validate; keep the best; checkpoint; report``

On a CPU, a run that was killed and resumed ends with the same weights, bit for bit, as one that was not.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from greycard.config import digest
from greycard.layers.batch_norm import spread_batch_norm
from greycard.layers.devices import find_device
from greycard.layers.memory_format import memory_format
from greycard.progress import Meter
from greycard.training.batches import ImageSet, batches_an_epoch, ordered_batches, to_device, training_batches
from greycard.training.ema import MovingAverage
from greycard.training.objectives.contract import Loss, Objective
from greycard.training.optimizers import (
    AdamConfig,
    ConstantConfig,
    OptimizerConfig,
    ScheduleConfig,
    gradient_norm,
    split_parameters,
)
from greycard.training.seeds import stream_seed
from greycard.training.session import UNKEPT, DivergedError, Session
from greycard.training.state import Sums, TrainingState
from greycard.training.workers import ALONE, Workers

_RANK = 65_537  # what the seeds of neighbouring ranks differ by
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How to train.

    Attributes:
        epochs: at most so many passes over the training images.
        batch_size: images per step.
        patience: stop after so many epochs without a lower validation loss; 0 never stops early.
        clip_norm: largest Euclidean norm of the gradient; 0 leaves it.
        ema: decay of the averaged weights, which are then the ones validated and kept; 0 keeps the last ones.
        ema_warmup: forget the initial weights faster at the beginning.
        mirror: mirror training images left to right with probability 1/2.
        soften: probability with which a training image is averaged over squares of 2, 4 or 8 pixels. A classifier
            trained so does not take coarse images, as low-rate codecs give them, for something else.
        jitter: how far training images are turned, shifted, scaled and sheared at random: 1 is up to 10 degrees, a 16th
            of the side, 10 % and 0.1; 0 leaves them. A classifier of few images then reads new ones better.
        stratify: labels whose combinations take their share of every batch, such as a target and a sensitive
            attribute. Of rows drawn at random, a cell of 0.1 % is missing from 77 % of batches of 256, and a fairness
            loss then says nothing of it.
        keep: ``best`` returns the weights of the lowest validation loss, ``last`` those of the last epoch.
        checkpoint_steps: write a checkpoint every so many steps, besides one after every epoch; 0 for epochs only.
        device: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for CUDA where there is one.
        channels_last: lay tensors out channel by channel at each position, which is faster for narrow networks.
        precision: ``float32``, or autocast to ``bfloat16`` or ``float16`` (CUDA only, with a gradient scaler).
        seed: of the order, the mirroring and the noise in training.
    """

    epochs: int
    batch_size: int
    patience: int = 0
    optimizer: OptimizerConfig = field(default_factory=AdamConfig)
    schedule: ScheduleConfig = field(default_factory=ConstantConfig)
    clip_norm: float = 0.0
    ema: float = 0.0
    ema_warmup: bool = True
    mirror: bool = False
    soften: float = 0.0
    jitter: float = 0.0
    stratify: tuple[str, ...] = ()
    keep: Literal["best", "last"] = "best"
    checkpoint_steps: int = 0
    device: str = "cpu"
    channels_last: bool = False
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, got {self.epochs} and {self.batch_size}")
        if self.patience < 0 or self.checkpoint_steps < 0 or self.clip_norm < 0:
            raise ValueError("patience, checkpoint_steps and clip_norm must be at least 0")
        if not 0 <= self.soften <= 1:
            raise ValueError(f"soften must be in [0, 1], got {self.soften}")
        if self.jitter < 0:
            raise ValueError(f"jitter must be at least 0, got {self.jitter}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), got {self.ema}")
        if self.precision == "float16" and self.device.startswith("cpu"):
            raise ValueError("precision float16 needs a CUDA device; on a CPU use bfloat16 or float32")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")


class FitResult(NamedTuple):
    """What a run came to.

    Attributes:
        history: one mapping per epoch: train/<part>, val/<part>, learning_rate.
        best_epoch: 0-based epoch whose weights the network now has.
        best_loss: its validation loss.
        steps: optimiser steps done.
        stopped: ``epochs`` or ``patience``.
        concerns: warnings about the kept epoch.
    """

    history: tuple[dict[str, float], ...]
    best_epoch: int
    best_loss: float
    steps: int
    stopped: str
    concerns: tuple[str, ...]


def fit(
    network: nn.Module,
    objective: Objective,
    train: ImageSet,
    val: ImageSet,
    config: LoopConfig,
    session: Session = UNKEPT,
    *,
    workers: Workers = ALONE,
) -> FitResult:
    """Train a network in place; it ends on the CPU, in evaluation mode, with the kept weights.

    Args:
        network: the network, with its initial weights (a warm start is a network with other initial weights).
        objective: what it minimises, from a batch of 8-bit images and their labels.
        train: training images, at least one.
        val: validation images, at least one.
        config: how to train.
        session: where the checkpoint is kept, and who is notified of each epoch.
        workers: the processes that train together, each of which calls this with the same arguments; all end with the
            same weights, and the first one writes the checkpoints.

    Raises:
        DivergedError: the loss or gradient became NaN or infinite.
        CheckpointError: the directory holds a damaged checkpoint, or that of another run.
    """
    if not len(train.images) or not len(val.images):
        raise ValueError(
            f"training needs images, got {len(train.images)} to train on and {len(val.images)} to validate"
        )
    run = _Run(network, objective, train, val, config, session, workers)
    with torch.random.fork_rng(devices=[run.device] if run.device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        run.resume()
        if not workers.first:  # noise of their own; it is the same again when a run resumes from here
            torch.manual_seed(stream_seed(config.seed + workers.rank * _RANK, run.state.step))
        session.tell(run.state.history)
        with session.meter(config.epochs * run.batches, run.state.step, "step") as shown:
            while not run.state.finished:
                run.epoch(shown)
                session.tell(run.state.history, first=len(run.state.history))
    return run.result()


class _Run:
    """A run in progress: the configs, the data and the state that moves."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        train: ImageSet,
        val: ImageSet,
        config: LoopConfig,
        session: Session,
        workers: Workers,
    ) -> None:
        self.objective, self.train, self.val, self.config = objective, train, val, config
        self.session, self.workers = session, workers
        self.device = find_device(config.device)
        self.batches = batches_an_epoch(len(train.images), config.batch_size)
        self.layout = memory_format(network, channels_last=config.channels_last)
        network.to(self.device)
        network.to(memory_format=self.layout)
        if workers.size > 1:
            spread_batch_norm(network)
        auxiliary = objective.auxiliary_optimizer(network)
        if auxiliary and workers.size > 1:
            raise ValueError(
                "several processes train predictors and classifiers; a model with noise and an auxiliary loss trains "
                "on one: set workers.processes to 1"
            )
        apart = [parameter for group in auxiliary.param_groups for parameter in group["params"]] if auxiliary else []
        self.parameters = split_parameters(network, apart)
        optimizer = config.optimizer.build(self.parameters)
        self.state = TrainingState(
            network=network,
            optimizer=optimizer,
            auxiliary=auxiliary,
            schedule=config.schedule.build(optimizer, config.epochs * self.batches),
            scaler=GradScaler(self.device.type, enabled=config.precision == "float16"),
            average=MovingAverage(network, config.ema, warmup=config.ema_warmup) if config.ema else None,
        )

    @property
    def identity(self) -> dict[str, str | int]:
        """What a checkpoint must agree with to be resumed."""
        return {
            "config": digest(self.config),
            "objective": f"{self.objective!r}",
            "train_images": len(self.train.images),
            "val_images": len(self.val.images),
        }

    def resume(self) -> None:
        """Go on from the checkpoint; where there is none yet, write the first one, with the initial weights.

        The first process decides, so that the others never see a file that it is about to write.
        """
        if not self.workers.first:
            self.workers.wait()
        saved = self.session.load(self.identity)
        if saved is None:
            self.save()
        else:
            self.state.load(saved["state"])
        if self.workers.first:
            self.workers.wait()

    def save(self) -> None:
        """Write the checkpoint; of several processes the first one does."""
        if self.workers.first and self.session.path:
            self.session.save(self.identity, {"state": self.state.to_dict()})

    def epoch(self, shown: Meter) -> None:
        """Finish the epoch under way and validate it."""
        state, config = self.state, self.config
        state.network.train()
        for batch in training_batches(
            self.train,
            batch_size=config.batch_size,
            seed=config.seed,
            epoch=state.epoch,
            first=state.batch,
            mirror=config.mirror,
            soften=config.soften,
            jitter=config.jitter,
            stratify=config.stratify,
        ):
            on_device = to_device(batch, self.device)
            state.sums.add(self.take_step(on_device.images, on_device.labels).parts)
            state.batch += 1
            shown.reach(state.step)
            if config.checkpoint_steps and state.step % config.checkpoint_steps == 0:
                self.save()
        self.finish_epoch()
        losses = {name: state.history[-1][name] for name in ("train/loss", "val/loss")}
        shown.reach(state.step, ", ".join(f"{name} {value:.4g}" for name, value in losses.items()))
        self.save()

    def take_step(self, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Take one optimiser step."""
        state = self.state
        state.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(state.network, images, labels)
        self.check(loss.total, "loss")
        state.scaler.scale(loss.total).backward()  # type: ignore[no-untyped-call]
        self.workers.sum_gradients(self.parameters)
        state.scaler.unscale_(state.optimizer)
        norm = gradient_norm(self.parameters, self.config.clip_norm)
        if not state.scaler.is_enabled():  # the scaler itself skips steps that overflow float16
            self.check(norm, "gradient")
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.auxiliary is not None and loss.auxiliary is not None:
            state.auxiliary.zero_grad(set_to_none=True)
            loss.auxiliary.backward()  # type: ignore[no-untyped-call]
            state.auxiliary.step()
        state.step += 1
        state.schedule.on_step()
        if state.average is not None:
            state.average.update(state.network, state.step)
        return loss

    def loss(self, network: nn.Module, images: Tensor, labels: Mapping[str, Tensor]) -> Loss:
        """Return the objective, in the precision asked for."""
        images = images.contiguous(memory_format=self.layout)
        network = self.workers.spread(network)
        if self.config.precision == "float32":
            return self.objective(network, images, labels)
        dtype = torch.bfloat16 if self.config.precision == "bfloat16" else torch.float16
        with torch.autocast(self.device.type, dtype=dtype):
            return self.objective(network, images, labels)

    def check(self, value: Tensor, what: str) -> None:
        """Stop at a number that is not finite."""
        when = f"at step {self.state.step} (epoch {self.state.epoch + 1})"
        advice = "Lower the learning rate or set clip_norm; check the images and labels"
        self.session.check_finite(value, what, when, advice)

    def finish_epoch(self) -> None:
        """Validate, remember the best, decide whether to go on."""
        state, config = self.state, self.config
        means = self.validate(state.evaluated)
        rate = state.optimizer.param_groups[0]["lr"]
        trained = {f"train/{name}": value for name, value in state.sums.means().items()}
        validated = {f"val/{name}": value for name, value in means.items()}
        state.history.append(trained | validated | {"learning_rate": rate})
        for concern in self.objective.concerns(means) if self.workers.first else ():
            _log.warning("epoch %d: %s", state.epoch + 1, concern)
        if config.keep == "last" or means["loss"] < state.best.loss:
            state.keep_best(means["loss"])
        state.schedule.on_epoch(means["loss"])
        waited = state.epoch - self.lowest_epoch()
        state.epoch, state.batch, state.sums = state.epoch + 1, 0, Sums()
        if config.patience and waited >= config.patience:
            state.finished = "patience"
        elif state.epoch >= config.epochs:
            state.finished = "epochs"

    def lowest_epoch(self) -> int:
        """Return the 0-based epoch of the lowest validation loss; 0 where none is finite."""
        losses = [metrics["val/loss"] for metrics in self.state.history]
        return min(range(len(losses)), key=lambda epoch: math.inf if math.isnan(losses[epoch]) else losses[epoch])

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return the means over the validation images, and what follows from all of them together."""
        network.eval()
        sums, tally = Sums(), None
        for batch in ordered_batches(self.val, self.config.batch_size):
            on_device = to_device(batch, self.device)
            loss = self.loss(network, on_device.images, on_device.labels)
            sums.add(loss.parts)
            tally = loss.tally if tally is None or loss.tally is None else tally.merge(loss.tally)
        return sums.means() | (tally.finish() if tally else {})

    def result(self) -> FitResult:
        """Give the network the kept weights and say what came of the run."""
        state = self.state
        if not state.best.weights or not math.isfinite(state.best.loss):
            raise DivergedError(f"no epoch had a finite validation loss: {[m['val/loss'] for m in state.history]}")
        state.network.load_state_dict(state.best.weights)
        state.network.cpu().eval().to(memory_format=torch.contiguous_format)
        kept = {
            name.removeprefix("val/"): value
            for name, value in state.history[state.best.epoch].items()
            if name.startswith("val/")
        }
        return FitResult(
            history=tuple(state.history),
            best_epoch=state.best.epoch,
            best_loss=state.best.loss,
            steps=state.step,
            stopped=state.finished,
            concerns=tuple(self.objective.concerns(kept)),
        )
