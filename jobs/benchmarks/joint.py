"""Joint: batched reconstruction against CompressAI's own compress and decompress, image by image, same pixels.

The network is untrained (speed does not depend on what it learned) and scaled so that its latents spread over several
integers, as trained ones do. The serial side runs on the first images only where all would take too long; both sides
are given in milliseconds an image, by the clock and by processor time, which other programs disturb less.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from greycard.codecs import JointConfig
from greycard.layers.weights import save_weights

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
        """Check values."""
        if not 1 <= self.num_serial <= self.num_images:
            raise ValueError(f"num_serial must be 1..{self.num_images} (num_images), got {self.num_serial}")


def run(config: JointBenchmarkConfig) -> dict[str, Any]:
    """Measure both sides.

    Returns:
        Milliseconds an image of both sides, their ratio, whether pixels and payload bits are equal, and the sizes.
    """
    before = torch.get_num_threads()
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        with tempfile.TemporaryDirectory() as directory:
            return _measure(config, directory)
    finally:
        torch.set_num_threads(before)


def _measure(config: JointBenchmarkConfig, directory: str) -> dict[str, Any]:
    images = _images(config.num_images)
    plain = JointConfig(width=config.width, lambdas=(POINT,))
    network: Any = _network(plain, images[:16], config.spread)
    save_weights(directory, plain.export(network), plain.description())
    codec = JointConfig(
        width=config.width,
        lambdas=(POINT,),
        weights=(directory,),
        compute_batch=config.compute_batch,
        bitstreams=config.bitstreams,
    ).build()
    network.eval().update(force=True, update_quantiles=True)
    _, warm_up, _ = _clock(lambda: codec.reconstruct(images[: 2 * config.compute_batch], POINT))
    batched_clock = batched_cpu = serial_clock = serial_cpu = bits = 0.0
    same_pixels = same_bits = True
    share = config.num_serial / config.num_images
    for start in range(0, config.num_images, config.compute_batch):  # in turn, so that both sides see the same machine
        block = images[start : start + config.compute_batch]
        restored, clock, cpu = _clock(lambda block=block: codec.reconstruct(block, POINT))
        batched_clock, batched_cpu = batched_clock + clock, batched_cpu + cpu
        bits += float(restored.bits_estimated.sum())
        for row in range(round(share * (start + len(block))) - round(share * start)):
            one = block[row : row + 1]
            (pixels, payload), clock, cpu = _clock(lambda one=one: _serial(network, one))
            serial_clock, serial_cpu = serial_clock + clock, serial_cpu + cpu
            same_pixels &= torch.equal(pixels, restored.images[row])
            same_bits &= not config.bitstreams or payload == int(restored.bits_payload[row])
    serial, batched = 1e3 * serial_clock / config.num_serial, 1e3 * batched_clock / config.num_images
    return {
        "batched_ms_per_image": batched,
        "serial_ms_per_image": serial,
        "ratio": serial / batched,
        "batched_cpu_ms_per_image": 1e3 * batched_cpu / config.num_images,
        "serial_cpu_ms_per_image": 1e3 * serial_cpu / config.num_serial,
        "cpu_ratio": (serial_cpu / config.num_serial) / (batched_cpu / config.num_images),
        "same_pixels": same_pixels,
        "same_payload_bits": same_bits,
        "mean_bits_per_pixel": bits / config.num_images / 64**2,
        "warm_up_seconds": warm_up,
        "width": config.width,
        "num_images": config.num_images,
        "num_serial": config.num_serial,
        "threads": torch.get_num_threads(),
    }


@torch.no_grad()
def _serial(network: Any, image: Tensor) -> tuple[Tensor, int]:
    """Compress and decompress one image: (1, 3, 64, 64) uint8 -> (3, 64, 64) uint8 and its payload bits."""
    coded = network.compress(image.float() / 255)
    x_hat = network.decompress(coded["strings"], coded["shape"])["x_hat"]
    return (x_hat[0] * 255).round().to(torch.uint8), 8 * sum(len(strings[0]) for strings in coded["strings"])


def _clock(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return a result, and the seconds it took by the clock and of the processor."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - clock, time.process_time() - cpu


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
