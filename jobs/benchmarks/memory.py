"""Peak memory of an audit, of all its processes together, at two sizes of the data: it should hardly grow.

Each audit runs in a process of its own (the shards are there before), which is sampled with everything that it starts:
the driver, Ray's head and every worker. Memory is the sum of proportional set sizes, in which a page that n processes
share counts 1/n in each, so the object store counts once.
"""

import multiprocessing
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import psutil
import torch

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import run
from greycard.codecs import HyperpriorConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.layers.weights import save_weights
from greycard.metrics.full_reference.distortion import Mse, Psnr
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from jobs.benchmarks.timing import Comparison, Measured, workplace

CODEC: Final = HyperpriorConfig(width="tiny", lambdas=(0.0018,), bitstreams=False)
SAMPLE_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig:
    """What is measured.

    Attributes:
        small: images of the first run.
        large: images of the second.
        size: height and width of an image.
        actors: that hold the codec.
        rows_per_block: images per block.
        object_store_mb: Ray's shared memory, in MiB.
        directory: where files go; "" is a temporary folder that is deleted.
    """

    kind: Literal["memory"] = "memory"
    small: int = 10_000
    large: int = 100_000
    size: int = 64
    actors: int = 2
    rows_per_block: int = 256
    object_store_mb: int = 256
    directory: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.small < self.large:
            raise ValueError(f"memory.small must be at least 1 and below memory.large, got {self.small}, {self.large}")

    def measure(self) -> Measured:
        """Run both audits; the ratio is of the large one's peak to the small one's."""
        with workplace(self.directory) as home:
            small, large = (_measure(self, images, home / str(images)) for images in (self.small, self.large))
        peaks = {"large": large["peak_mib"], "small": small["peak_mib"]}
        runs = {"run of small": small, "run of large": large}
        return Measured((Comparison.of("peak memory", "MiB", peaks, at_most=1.15),), runs)


def _measure(config: MemoryConfig, images: int, home: Path) -> dict[str, Any]:
    _write(config, images, home)
    audit = multiprocessing.get_context("spawn").Process(target=_audit, args=(config, home))
    start = time.perf_counter()
    audit.start()
    peak, processes = 0, 0
    while audit.is_alive():
        memory, count = _sample(psutil.Process(audit.pid))
        peak, processes = max(peak, memory), max(processes, count)
        audit.join(SAMPLE_SECONDS)
    if audit.exitcode != 0:
        raise RuntimeError(f"the audit ended with exit code {audit.exitcode}")
    return {
        "images": images,
        "peak_mib": round(peak / 2**20, 1),
        "processes": processes,
        "seconds": round(time.perf_counter() - start, 1),
    }


def _sample(root: psutil.Process) -> tuple[int, int]:
    """Return the memory of a process and all below it in bytes, and how many they are."""
    total, count = 0, 0
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        count += 1
    return total, count


def _write(config: MemoryConfig, images: int, home: Path) -> None:
    split = SplitConfig(train=0.0, val=0.0, test=1.0)
    write_shards(FacesConfig(count=images, size=config.size), home / "shards", split=split)
    torch.manual_seed(0)
    save_weights(home / "weights", CODEC.export(CODEC.network()), CODEC.description())


def _audit(config: MemoryConfig, home: Path) -> None:
    run(
        RestorationAudit(
            shards=str(home / "shards"),
            directory=str(home / "audit"),
            systems=(System(name="tiny", codec=replace(CODEC, weights=(str(home / "weights"),))),),
            measures=(Mse(), Psnr()),
            size=config.size,
            resources=Resources(actors=config.actors, rows_per_block=config.rows_per_block),
            ray=SessionConfig(address="local", object_store_mb=config.object_store_mb),
        )
    )
