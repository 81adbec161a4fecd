"""Joint: batched reconstruction against CompressAI's own compress and decompress, image by image, same pixels.

The network is untrained (speed does not depend on what it learned) and scaled so that its latents spread over several
integers, as trained ones do. The serial side runs on the first images only where all would take too long; both sides
are given in images per second of the clock and of processor time, which other programs disturb less.
"""

import tempfile
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from greycard.codecs import JointConfig
from greycard.layers.weights import save_weights
from greycard.protocols import Codec
from jobs.benchmarks.timing import Comparison, Measured, Seconds, timed, torch_threads

POINT = 0.0018


@dataclass(frozen=True, slots=True, kw_only=True)
class JointBenchmarkConfig:
    """What is measured.

    Attributes:
        width: the network.
        num_images: images of 64 pixels to reconstruct.
        num_serial: how many of them the serial side takes too; pixels are compared on these.
        compute_batch: images at once.
        bitstreams: the batched side writes real bitstreams too, as the serial side cannot but do.
        threads: of torch, on both sides; 0 takes torch's default.
        spread: standard deviation of the latents.
    """

    kind: Literal["joint"] = "joint"
    width: Literal["tiny", "small", "full"] = "full"
    num_images: int = 256
    num_serial: int = 256
    compute_batch: int = 64
    bitstreams: bool = True
    threads: int = 0
    spread: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.num_serial <= self.num_images:
            raise ValueError(f"num_serial must be 1..{self.num_images} (num_images), got {self.num_serial}")

    def measure(self) -> Measured:
        """Time both sides on the same images, and compare their pixels and payload bits."""
        with torch_threads(self.threads), tempfile.TemporaryDirectory() as directory:
            return _measure(self, directory)


@dataclass(slots=True)
class _Totals:
    """Of both sides, over the images so far."""

    batched: Seconds = field(default_factory=Seconds)
    serial: Seconds = field(default_factory=Seconds)
    bits: float = 0.0
    same_pixels: bool = True
    same_bits: bool = True


def _measure(config: JointBenchmarkConfig, directory: str) -> Measured:
    images = _images(config.num_images)
    plain = JointConfig(width=config.width, lambdas=(POINT,))
    network: Any = _network(plain, images[:16], config.spread)
    save_weights(directory, plain.export(network), plain.description())
    codec = replace(
        plain, weights=(directory,), compute_batch=config.compute_batch, bitstreams=config.bitstreams
    ).build()
    network.eval().update(force=True, update_quantiles=True)
    _, warm_up = timed(lambda: codec.reconstruct(images[: 2 * config.compute_batch], POINT))
    totals = _totals(config, codec, network, images)
    counts = {"batched": (config.num_images, totals.batched), "serial": (config.num_serial, totals.serial)}
    clock = {name: count / seconds.clock for name, (count, seconds) in counts.items()}
    processor = {name: count / seconds.processor for name, (count, seconds) in counts.items()}
    return Measured(
        (
            Comparison.of("restored", "images/s", clock),
            Comparison.of("restored per processor time", "images/s", processor),
        ),
        {
            "same_pixels": totals.same_pixels,
            "same_payload_bits": totals.same_bits,
            "mean_bits_per_pixel": totals.bits / config.num_images / 64**2,
            "warm_up_seconds": warm_up.clock,
            "torch_threads": torch.get_num_threads(),
        },
    )


def _totals(config: JointBenchmarkConfig, codec: Codec, network: Any, images: Tensor) -> _Totals:
    """Restore batch by batch, each right before its first images one by one, so that both see the same machine."""
    totals = _Totals()
    share = config.num_serial / config.num_images
    for start in range(0, config.num_images, config.compute_batch):
        block = images[start : start + config.compute_batch]
        restored, seconds = timed(partial(codec.reconstruct, block, POINT))
        totals.batched = totals.batched.plus(seconds)
        totals.bits += float(restored.bits_estimated.sum())
        for row in range(round(share * (start + len(block))) - round(share * start)):
            one = block[row : row + 1]
            (pixels, payload), seconds = timed(partial(_serial, network, one))
            totals.serial = totals.serial.plus(seconds)
            totals.same_pixels &= torch.equal(pixels, restored.images[row])
            totals.same_bits &= not config.bitstreams or payload == int(restored.bits_payload[row])
    return totals


@torch.no_grad()
def _serial(network: Any, image: Tensor) -> tuple[Tensor, int]:
    """Compress and decompress one image: (1, 3, 64, 64) uint8 -> (3, 64, 64) uint8 and its payload bits."""
    coded = network.compress(image.float() / 255)
    x_hat = network.decompress(coded["strings"], coded["shape"])["x_hat"]
    return (x_hat[0] * 255).round().to(torch.uint8), 8 * sum(len(strings[0]) for strings in coded["strings"])


def _images(count: int) -> Tensor:
    """Return smooth random pictures: (count, 3, 64, 64) uint8."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((count, 3, 9, 9), generator=generator)
    fine = torch.rand((count, 3, 64, 64), generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic", align_corners=True)
    return ((0.95 * smooth + 0.05 * fine).clamp(0, 1) * 255).round().to(torch.uint8)


@torch.no_grad()
def _network(config: JointConfig, images: Tensor, spread: float) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = config.network()
    last = network.g_a[-1]
    gain = spread / network.g_a(images.float() / 255).std()
    last.weight *= gain
    last.bias *= gain
    network.entropy_parameters[-1].bias[: network.M] += spread  # the scales, so that the rates are those of a fit
    built: nn.Module = network
    return built
