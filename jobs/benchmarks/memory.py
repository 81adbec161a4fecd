"""Peak memory of an audit, of all its processes together, at two sizes of the data: it should hardly grow.

Each size runs in a process of its own (shards are written by another one before), which is sampled with everything
that it starts: the driver, Ray's head and every worker. Memory is the sum of proportional set sizes, in which a page
that n processes share counts 1/n in each, so the object store counts once.
"""

import multiprocessing
import tempfile
import time
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import psutil

SAMPLE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig:
    """What is measured.

    Attributes:
        small: images of the first run.
        large: images of the second.
        size: height and width of an image.
        actors: that hold the codec.
        rows_per_block: images a block.
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


def run(config: MemoryConfig) -> dict[str, Any]:
    """Measure both; ``ratio`` is the large run's peak over the small one's, ``target_ratio`` what it may reach."""
    if not config.directory:
        with tempfile.TemporaryDirectory(prefix="greycard-bench-") as folder:
            return run(replace(config, directory=folder))
    small, large = (_measure(config, images) for images in (config.small, config.large))
    return {
        "small": small,
        "large": large,
        "ratio": large["peak_mib"] / small["peak_mib"],
        "target_ratio_at_most": 1.15,
    }


def _measure(config: MemoryConfig, images: int) -> dict[str, Any]:
    spawn = multiprocessing.get_context("spawn")
    home = Path(config.directory) / str(images)
    writer = spawn.Process(target=_write, args=(config, images, home))
    writer.start()
    _finish(writer, "writing shards")
    audit = spawn.Process(target=_audit, args=(config, home))
    start = time.perf_counter()
    audit.start()
    peak, processes = 0, 0
    while audit.is_alive():
        memory, count = _sample(psutil.Process(audit.pid))
        peak, processes = max(peak, memory), max(processes, count)
        audit.join(SAMPLE_SECONDS)
    _finish(audit, "the audit")
    return {
        "images": images,
        "peak_mib": round(peak / 2**20, 1),
        "processes": processes,
        "seconds": round(time.perf_counter() - start, 1),
    }


def _finish(process: BaseProcess, what: str) -> None:
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{what} ended with exit code {process.exitcode}")


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
    import torch

    from greycard.codecs import HyperpriorConfig
    from greycard.datasets.faces import FacesConfig
    from greycard.datasets.shards import write_shards
    from greycard.datasets.splits import SplitConfig
    from greycard.layers.weights import save_weights

    split = SplitConfig(train=0.0, val=0.0, test=1.0)
    write_shards(FacesConfig(count=images, size=config.size), home / "shards", split=split)
    codec = HyperpriorConfig(width="tiny", lambdas=(0.0018,))
    torch.manual_seed(0)
    save_weights(home / "weights", codec.export(codec.network()), codec.description())


def _audit(config: MemoryConfig, home: Path) -> None:
    from greycard.audits.restoration.configs import RestorationAudit, System
    from greycard.audits.restoration.run import run
    from greycard.codecs import HyperpriorConfig
    from greycard.metrics.full_reference.distortion import Mse, Psnr
    from greycard.streaming.cluster import SessionConfig
    from greycard.streaming.pipeline import Resources

    codec = HyperpriorConfig(width="tiny", lambdas=(0.0018,), weights=(str(home / "weights"),), bitstreams=False)
    run(
        RestorationAudit(
            shards=str(home / "shards"),
            directory=str(home / "audit"),
            systems=(System(name="tiny", codec=codec),),
            measures=(Mse(), Psnr()),
            size=config.size,
            resources=Resources(actors=config.actors, rows_per_block=config.rows_per_block),
            ray=SessionConfig(address="local", object_store_mb=config.object_store_mb),
        )
    )
