"""Training a StyleGAN2: steps of ``greycard.training.stylegan2.loop`` against a plain loop over the same modules.

Both train the same networks on the same images with the same batch, losses, lazy R1, Adam and averaged weights, in
turns. The plain loop has no seeds per step, no means, no checks of numbers and no share loss. The least processor time
of all rounds is compared, which other programs disturb less than a mean or the clock; the clock's ratio is given too.
"""

import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from greycard.generators import StyleGan2Config
from greycard.layers.memory_format import memory_format
from greycard.training.batches import Examples
from greycard.training.session import Session
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.loop import train_adversarial
from greycard.training.stylegan2.terms import discriminator_loss, generator_loss, lazy_adam, r1_penalty
from jobs.benchmarks.timing import Comparison, Measured, Seconds, in_turns, now, torch_threads

TARGET = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGan2BenchmarkConfig:
    """What is timed.

    Attributes:
        size: of the images in pixels.
        base: feature maps times side at each resolution, at most ``most``.
        most: largest number of feature maps.
        latent: features of z and w.
        batch: images per step.
        steps: timed per round, after as many that are not.
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
        """The networks that both sides train."""
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

    def measure(self) -> Measured:
        """Time both loops in turns; each side is its least time of all rounds."""
        shape, seed = (512, 3, self.size, self.size), torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, shape, generator=seed, dtype=torch.uint8)
        turns = {"greycard": lambda _: _ours(self, images), "plain loop": lambda _: _plain(self, images)}
        with torch_threads(1):
            sides = in_turns(turns, self.rounds)
        clock = {name: 1e3 * min(item.clock for item in sides[name]) / self.steps for name in turns}
        processor = {name: 1e3 * min(item.processor for item in sides[name]) / self.steps for name in turns}
        return Measured(
            (
                Comparison.of("processor time per step", "ms", processor, at_most=TARGET),
                Comparison.of("time per step", "ms", clock),
            ),
            {f"images_per_second_{name}": 1e3 * self.batch / clock[name] for name in turns},
        )


def _ours(config: StyleGan2BenchmarkConfig, images: Tensor) -> Seconds:
    stamps: list[Seconds] = []
    train_adversarial(
        config.network.network(),
        config.network.discriminator(),
        Examples(images, {}),
        config.training,
        Session(report=lambda *_: stamps.append(now())),
        latent=config.latent,
    )
    first, last = stamps[0], stamps[-1]
    return last.since(first)


def _plain(config: StyleGan2BenchmarkConfig, images: Tensor) -> Seconds:
    training = config.training
    networks: tuple[Any, Any] = config.network.network(), config.network.discriminator()
    layout = memory_format(*networks, channels_last=training.channels_last)
    generator, discriminator = (network.to(memory_format=layout) for network in networks)
    average = copy.deepcopy(generator).requires_grad_(False)
    g_optimizer = lazy_adam(list(generator.parameters()), training.learning_rate, 0)
    d_optimizer = lazy_adam(list(discriminator.parameters()), training.learning_rate, training.gamma_every)
    start = now()
    for step in range(2 * config.steps):
        if step == config.steps:
            start = now()
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
    return now().since(start)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1.0 - decay)
