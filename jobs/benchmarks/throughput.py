"""Images per second of each model, CPU against GPU, in bfloat16 too where greycard offers it, and peak GPU memory.

    python -m jobs.benchmarks.throughput --seconds 5        # `make gpu-check` ends with it

What is timed is what audits and jobs call: built classifiers and generators, whose images come from and go back to the
CPU, and the training loops. Weights are random, precision is PyTorch's default. It needs torch, numpy, PyYAML and tqdm
and none of greycard's other packages, so a machine with a GPU needs no cluster's software. Without a GPU, the CPU alone
is timed.
"""

import argparse
import contextlib
import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

import torch
from torch import Tensor

from greycard.classifiers import (
    AnyClassifier,
    AttributeClassifier,
    EfficientNetB1Config,
    ResNet32Config,
    ResNetConfig,
    SlimCnnConfig,
)
from greycard.generators import StyleGan2, StyleGan2Config
from greycard.metrics.full_reference.distortion import Ssim
from greycard.training.batches import Examples
from greycard.training.loop import LoopConfig, fit
from greycard.training.objectives.cross_entropy import CrossEntropy
from greycard.training.session import Session
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.loop import train_adversarial

Precision = Literal["float32", "bfloat16"]
Lap = Callable[..., None]
Work = Callable[[Lap], Any]

ENDLESS: Final = 10**9
TASK: Final = "skin_type"
STEPS: Final = 4  # of training in a lap
MIB: Final = 2**20
HEADINGS: Final = ("images per second", "px", "batch", "CPU", "GPU", "GPU / CPU", "GPU bf16", "peak MiB", "bf16 MiB")


class Enough(Exception):  # noqa: N818  (the way out of work without an end, not an error)
    """The work has been timed for long enough."""


class Stopwatch:
    """Times laps: the first one warms up and starts the clock; the first that ends after ``seconds`` ends the work."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.stamps: list[float] = []

    def lap(self, *report: Any) -> None:
        """End a lap.

        Raises:
            Enough: the time is over.
        """
        self.stamps.append(time.perf_counter())
        if len(self.stamps) > 1 and self.stamps[-1] - self.stamps[0] >= self.seconds:
            raise Enough

    @property
    def laps_per_second(self) -> float:
        """Laps per second, without the first."""
        return (len(self.stamps) - 1) / (self.stamps[-1] - self.stamps[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is timed.

    Attributes:
        name: of the row.
        size: of the images in pixels.
        batch: images per forward pass.
        images: per lap.
        work: of a device and a precision: what calls ``lap`` again and again, without an end.
        half: whether greycard offers bfloat16.
    """

    name: str
    size: int
    batch: int
    images: int
    work: Callable[[str, Precision], Work]
    half: bool = False


class Speed(NamedTuple):
    """Images per second, and the most GPU memory in MiB; NaN where it was not measured."""

    images_per_second: float
    peak_mib: float = float("nan")


UNKNOWN: Final = Speed(float("nan"))


class Row(NamedTuple):
    """A model's speeds."""

    model: Model
    cpu: Speed
    gpu: Speed = UNKNOWN
    half: Speed = UNKNOWN

    @property
    def cells(self) -> tuple[str, ...]:
        """The row in words, in the order of ``HEADINGS``; "" where nothing was measured."""
        rates = [each.images_per_second for each in (self.cpu, self.gpu, self.half)]
        numbers = [rates[0], rates[1], rates[1] / rates[0], rates[2], self.gpu.peak_mib, self.half.peak_mib]
        return (self.model.name, str(self.model.size), str(self.model.batch), *map(in_words, numbers))


def in_words(number: float) -> str:
    """Return three digits of a number, or all of one above 1,000; "" for NaN."""
    if math.isnan(number):
        return ""
    return f"{number:.3g}" if number < 999.5 else f"{number:,.0f}"


def pixels(count: int, size: int) -> Tensor:
    """Return noise: (N, 3, size, size) uint8."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def repeat(call: Callable[[], Any]) -> Work:
    """Return work that is one call per lap."""

    def work(lap: Lap) -> None:
        while True:
            call()
            lap()

    return work


def predicting(config: AnyClassifier, size: int, batch: int) -> Model:
    """A built classifier: 8-bit images on the CPU to probabilities on the CPU."""

    def work(device: str, _: Precision) -> Work:
        built = AttributeClassifier(config.tasks, config.network(), compute_batch=batch, device=device)
        images = pixels(batch, size)
        return repeat(lambda: built.predict(images))

    return Model(name=f"{config.kind}, predict", size=size, batch=batch, images=batch, work=work)


def learning(config: AnyClassifier, size: int, batch: int) -> Model:
    """The training loop of predictors."""
    images = pixels(STEPS * batch, size)
    labels = torch.arange(len(images)) % config.heads[TASK]

    def work(device: str, precision: Precision) -> Work:
        loop = LoopConfig(epochs=ENDLESS, batch_size=batch, keep="last", device=device, precision=precision)
        train, val = Examples(images, {TASK: labels}), Examples(images[:1], {TASK: labels[:1]})
        return lambda lap: fit(config.network(), CrossEntropy(), train, val, loop, Session(report=lap))

    return Model(name=f"{config.kind}, train", size=size, batch=batch, images=len(images), work=work, half=True)


def drawing(name: str, config: StyleGan2Config, batch: int) -> Model:
    """A built generator: latents on the CPU to 8-bit images on the CPU."""

    def work(device: str, _: Precision) -> Work:
        built = StyleGan2(config.network(), replace(config, compute_batch=batch, device=device))
        z = built.latents(torch.arange(batch))
        return repeat(lambda: built.generate(z))

    return Model(name=f"StyleGAN2 {name}, generate", size=config.size, batch=batch, images=batch, work=work)


def competing(name: str, config: StyleGan2Config, batch: int) -> Model:
    """Return a StyleGAN2 whose adversarial training is timed."""
    lap_images = STEPS * batch
    data = Examples(pixels(lap_images, config.size), {})

    def work(device: str, _: Precision) -> Work:
        training = AdversarialConfig.preset(name, images=ENDLESS, batch=batch, report_images=lap_images, device=device)
        networks = config.network(), config.discriminator()
        return lambda lap: train_adversarial(*networks, data, training, Session(report=lap), latent=config.latent)

    return Model(name=f"StyleGAN2 {name}, train", size=config.size, batch=batch, images=lap_images, work=work)


def measuring(size: int, batch: int) -> Model:
    """SSIM of images that are on the device already."""

    def work(device: str, _: Precision) -> Work:
        reference = pixels(batch, size).to(device)
        restored = reference.flip(0)
        return repeat(lambda: Ssim()(reference, restored))

    return Model(name="SSIM", size=size, batch=batch, images=batch, work=work)


def models(batch: int) -> tuple[Model, ...]:
    """Return what the table shows; large images come in smaller batches."""
    few = max(1, batch // 8)
    small, large = StyleGan2Config.preset("small32"), StyleGan2Config.preset("paper256")
    efficient = [predicting(EfficientNetB1Config(tasks=(TASK,)), 240, few)] if has_torchvision() else []
    return (
        predicting(ResNet32Config(tasks=(TASK,)), 32, batch),
        predicting(ResNetConfig(tasks=(TASK,)), 64, batch),
        predicting(SlimCnnConfig(tasks=(TASK,)), 178, few),
        *efficient,
        learning(ResNet32Config(tasks=(TASK,)), 32, batch),
        learning(ResNetConfig(tasks=(TASK,)), 64, batch),
        drawing("small32", small, batch),
        drawing("paper256", large, few),
        competing("small32", small, batch),
        measuring(256, few),
    )


def has_torchvision() -> bool:
    """Whether EfficientNet-B1 can be made."""
    return importlib.util.find_spec("torchvision") is not None


def measure(model: Model, seconds: float, device: str, precision: Precision = "float32") -> Speed:
    """Time a model on a device."""
    watch, on_gpu = Stopwatch(seconds), device != "cpu"
    if on_gpu:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(Enough):
        model.work(device, precision)(watch.lap)
    peak = torch.cuda.max_memory_allocated() / MIB if on_gpu else float("nan")
    return Speed(model.images * watch.laps_per_second, peak)


def compare(model: Model, seconds: float) -> Row:
    """Time a model on the CPU and, where there is one, on the GPU."""
    row = Row(model, measure(model, seconds, "cpu"))
    if not torch.cuda.is_available():
        return row
    row = row._replace(gpu=measure(model, seconds, "cuda"))
    return row._replace(half=measure(model, seconds, "cuda", "bfloat16")) if model.half else row


def machine() -> str:
    """Say what the numbers belong to."""
    cpu = f"torch {torch.__version__}, {torch.get_num_threads()} CPU threads"
    if not torch.cuda.is_available():
        return f"{cpu}, no GPU: torch.cuda.is_available() is False"
    tf32 = "TF32 in convolutions" if torch.backends.cudnn.allow_tf32 else "no TF32"
    return f"{cpu}, {torch.cuda.get_device_name()} ({tf32})"


def line(cells: Sequence[str]) -> str:
    """Return a row of the table: its name to the left, numbers to the right."""
    return "".join([f"{cells[0]:<29}", f"{cells[1]:>4}", *(f"{cell:>10}" for cell in cells[2:])]).rstrip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m jobs.benchmarks.throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="least time per number (default 2)")
    parser.add_argument("--batch", type=int, default=64, help="images per batch; an eighth of it for large images")
    options = parser.parse_args(arguments)
    print(machine())
    print(line(HEADINGS))
    for model in models(options.batch):
        print(line(compare(model, options.seconds).cells), flush=True)
    if not has_torchvision():
        print("EfficientNet-B1 is left out: it is torchvision's network, which is not installed")


if __name__ == "__main__":
    main()
