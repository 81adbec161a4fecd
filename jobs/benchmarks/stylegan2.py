"""Training a StyleGAN2: steps of ``greycard.training.stylegan2.loop`` against a plain loop over the same modules.

Both train the same networks on the same images with the same batch, losses, lazy R1, Adam and averaged weights, in
turns. The plain loop has no seeds a step, no means, no checks of numbers and no share loss. The least processor time of
all rounds is compared, which other programs disturb less than a mean or the clock; the clock's ratio is given too.
"""

import copy
import time
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from greycard.generators import StyleGan2Config
from greycard.training.batches import Examples
from greycard.training.session import Session
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.loop import train_adversarial
from greycard.training.stylegan2.terms import discriminator_loss, generator_loss, lazy_adam, r1_penalty

TARGET = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGan2BenchmarkConfig:
    """What is timed.

    Attributes:
        size: of the images in pixels.
        base: feature maps times side at each resolution, at most ``most``.
        most: largest number of feature maps.
        latent: features of z and w.
        batch: images a step.
        steps: timed a round, after as many that are not.
        rounds: turns of each loop.
    """

    kind: Literal["stylegan2"] = "stylegan2"
    size: int = 32
    base: int = 512
    most: int = 32
    latent: int = 64
    batch: int = 32
    steps: int = 16
    rounds: int = 12

    def __post_init__(self) -> None:
        if min(self.batch, self.steps, self.rounds) < 1:
            raise ValueError(
                f"batch, steps and rounds must be at least 1, got {self.batch}, {self.steps}, {self.rounds}"
            )
        if self.steps % self.training.gamma_every:
            raise ValueError(
                f"steps must be a multiple of {self.training.gamma_every}, so that every round has its share of R1 "
                f"steps, got {self.steps}"
            )

    @property
    def network(self) -> StyleGan2Config:
        """The networks."""
        return StyleGan2Config(
            size=self.size,
            latent=self.latent,
            styles=self.latent,
            base=self.base,
            most=self.most,
            architecture="orig",
        )

    @property
    def training(self) -> AdversarialConfig:
        """A round: the steps that are not timed, and those that are."""
        shown = self.batch * self.steps
        return AdversarialConfig.preset("small32", images=2 * shown, batch=self.batch, report_images=shown)


@dataclass(frozen=True, slots=True)
class _Times:
    """Of the timed steps of one round, in seconds."""

    clock: float
    processor: float


def run(config: StyleGan2BenchmarkConfig) -> dict[str, Any]:
    """Time both loops in turns; returns milliseconds a step, images a second and the ratios of the least."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images = torch.randint(
            0, 256, (512, 3, config.size, config.size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
        )
        loops = {"ours": _ours, "plain": _plain}
        times: dict[str, list[_Times]] = {name: [] for name in loops}
        for number in range(config.rounds):
            for name in sorted(loops, reverse=bool(number % 2)):  # neither is always first
                times[name].append(loops[name](config, images))
    finally:
        torch.set_num_threads(threads)
    found: dict[str, Any] = {"batch": config.batch, "steps": config.steps, "rounds": config.rounds}
    for name, taken in times.items():
        clock = min(item.clock for item in taken)
        processor = min(item.processor for item in taken)
        found[name] = {
            "step_ms": 1e3 * clock / config.steps,
            "step_cpu_ms": 1e3 * processor / config.steps,
            "images_per_second": config.batch * config.steps / clock,
        }
    return found | {
        "ratio_cpu": found["ours"]["step_cpu_ms"] / found["plain"]["step_cpu_ms"],
        "ratio_clock": found["ours"]["step_ms"] / found["plain"]["step_ms"],
        "target_ratio": TARGET,
    }


def _now() -> _Times:
    return _Times(time.perf_counter(), time.process_time())


def _since(start: _Times) -> _Times:
    now = _now()
    return _Times(now.clock - start.clock, now.processor - start.processor)


def _ours(config: StyleGan2BenchmarkConfig, images: Tensor) -> _Times:
    stamps: list[_Times] = []
    train_adversarial(
        config.network.network(),
        config.network.discriminator(),
        Examples(images, {}),
        config.training,
        Session(report=lambda *_: stamps.append(_now())),
        latent=config.latent,
    )
    first, last = stamps[0], stamps[-1]
    return _Times(last.clock - first.clock, last.processor - first.processor)


def _plain(config: StyleGan2BenchmarkConfig, images: Tensor) -> _Times:
    training = config.training
    layout = torch.channels_last if training.channels_last else torch.contiguous_format
    generator, discriminator = (
        network.to(memory_format=layout) for network in (config.network.network(), config.network.discriminator())
    )
    average = copy.deepcopy(generator).requires_grad_(False)
    g_optimizer = lazy_adam(list(generator.parameters()), training.learning_rate, 0)
    d_optimizer = lazy_adam(list(discriminator.parameters()), training.learning_rate, training.gamma_every)
    start = _now()
    for step in range(2 * config.steps):
        if step == config.steps:
            start = _now()
        real = images[torch.randint(len(images), (config.batch,))].float() / 127.5 - 1.0

        discriminator.requires_grad_(False)
        w = generator.mapping(torch.randn(config.batch, config.latent))
        generator.mapping.follow(w, training.style_decay)
        loss = generator_loss(discriminator(generator.synthesis(generator.broadcast(w)))).mean()
        _step(g_optimizer, loss)

        discriminator.requires_grad_(True)
        with torch.no_grad():
            made = generator(torch.randn(config.batch, config.latent))
        _step(d_optimizer, discriminator_loss(discriminator(real), discriminator(made)))
        if step % training.gamma_every == 0:
            real.requires_grad_()
            penalty = r1_penalty(discriminator(real), real)
            _step(d_optimizer, training.gamma / 2 * training.gamma_every * penalty.mean())
        _follow(average, generator, training.average_decay((step + 1) * config.batch))
    return _since(start)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1.0 - decay)
