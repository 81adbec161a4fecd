"""Benchmarks: each compares two sides of one run and prints a line per comparison, with both and their ratio.

    python -m jobs.bench streaming
    python -m jobs.bench memory --set config.large=20000

All numbers go to MLflow and into a JSON file. They belong to the machine and its load: read the ratios.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from greycard.config import BY_KIND
from greycard.tracking import job_run
from jobs import command
from jobs.benchmarks.by_group import ByGroupConfig
from jobs.benchmarks.faces import FacesBenchmarkConfig
from jobs.benchmarks.joint import JointBenchmarkConfig
from jobs.benchmarks.memory import MemoryConfig
from jobs.benchmarks.search import SearchBenchmarkConfig
from jobs.benchmarks.streaming import StreamingConfig
from jobs.benchmarks.stylegan2 import StyleGan2BenchmarkConfig
from jobs.benchmarks.tune import TuneConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchJob:
    """A benchmark.

    Attributes:
        config: what is measured; its kind is fixed by the recipe.
        directory: of the runs' records; each start is a run of its own.
        study: the MLflow experiment.
    """

    config: Annotated[
        StreamingConfig
        | MemoryConfig
        | JointBenchmarkConfig
        | ByGroupConfig
        | FacesBenchmarkConfig
        | TuneConfig
        | StyleGan2BenchmarkConfig
        | SearchBenchmarkConfig,
        BY_KIND,
    ]
    directory: str = "runs/bench"
    study: str = "bench"


def bench(job: BenchJob) -> dict[str, Any]:
    """Measure, print and log; returns the record."""
    name = job.config.kind
    started = time.strftime("%Y-%m-%dT%H%M%S")
    home = Path(job.directory) / f"{name}-{started}"
    with job_run(study=job.study, name=name, directory=home, config=job) as tracked:
        found = job.config.measure()
        record = {"benchmark": name, "date": started, "machine": _machine(), **found.record}
        file = home / "result.json"
        file.write_text(json.dumps(record, indent=2))
        tracked.log_metrics(numbers_of(record))
        tracked.log_artifact(file)
    for comparison in found.comparisons:
        print(f"{name}: {comparison.line}")
    print(f"all numbers: {file}")
    return record


def numbers_of(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return a record's numbers; one that is nested is named by its path, ``large/peak_mib``."""
    found: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= numbers_of(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
    return found


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}"


def streaming() -> BenchJob:
    """A streamed audit (full-width Hyperprior, 8,192 images) against a bare loop that does the same work."""
    return BenchJob(config=StreamingConfig())


def memory() -> BenchJob:
    """Peak memory of a streamed audit at 100,000 images against 10,000."""
    return BenchJob(config=MemoryConfig())


def joint() -> BenchJob:
    """Batched reconstruction of Joint against CompressAI's own compress and decompress, same pixels."""
    return BenchJob(config=JointBenchmarkConfig())


def by_group() -> BenchJob:
    """1,000 bootstrap resamples of group means against fairlearn's MetricFrame on the same numbers."""
    return BenchJob(config=ByGroupConfig())


def faces() -> BenchJob:
    """Faces drawn per second at 64 pixels, on two threads, with PNG encoding against without."""
    return BenchJob(config=FacesBenchmarkConfig())


def tune() -> BenchJob:
    """24 short trials through the search (Ray Tune, study, MLflow) against a plain Optuna loop over a process pool."""
    return BenchJob(config=TuneConfig())


def stylegan2() -> BenchJob:
    """Training steps of a StyleGAN2 of 32 pixels against a plain loop over the same modules, in turns."""
    return BenchJob(config=StyleGan2BenchmarkConfig())


def search() -> BenchJob:
    """Accepted latents per second of the batched search on two actors against Algorithm 2 one latent at a time."""
    return BenchJob(config=SearchBenchmarkConfig())


RECIPES = {
    "streaming": streaming,
    "memory": memory,
    "joint": joint,
    "by_group": by_group,
    "faces": faces,
    "tune": tune,
    "stylegan2": stylegan2,
    "search": search,
}

if __name__ == "__main__":
    sys.exit(command.main("bench", RECIPES, bench, __doc__))
