"""Bootstrap by group against fairlearn's MetricFrame, on the same numbers in the same run.

Both resample rows with replacement and give the accuracy of every task in every group with percentile intervals.
fairlearn computes a MetricFrame a resample; it is timed on fewer resamples and scaled linearly, which its own loop
allows (one frame a resample), and the result says so. Set ``fairlearn_resamples=1000`` to measure it in full.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from greycard.metrics.by_group import Groups, clusters_of, frame_of, means, partition
from greycard.metrics.significance import Bootstrap, interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ByGroupConfig:
    """What is timed.

    Attributes:
        rows: images.
        tasks: accuracies computed at once.
        groups: groups of the attribute.
        images_per_identity: for the third figure, where identities instead of rows are resampled.
        resamples: bootstrap resamples that are compared.
        fairlearn_resamples: resamples that fairlearn really does; its time is scaled to ``resamples``.
        seed: of the data and of both bootstraps.
    """

    kind: Literal["by_group"] = "by_group"
    rows: int = 40_000
    tasks: int = 6
    groups: int = 4
    images_per_identity: int = 4
    resamples: int = 1000
    fairlearn_resamples: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.fairlearn_resamples <= self.resamples:
            raise ValueError(f"fairlearn_resamples must be 1..{self.resamples}, got {self.fairlearn_resamples}")


def run(config: ByGroupConfig) -> dict[str, Any]:
    """Time both and check that they agree; returns seconds, their ratio and the largest differences.

    Intervals are compared where both come from equally many resamples, that is where fairlearn's are not extrapolated.
    """
    random = np.random.default_rng(config.seed)
    codes = random.integers(0, config.groups, config.rows)
    right = (random.random((config.rows, config.tasks)) < 0.9 - 0.02 * codes[:, None]).astype(np.float64)
    groups = Groups("group", tuple(f"g{number}" for number in range(config.groups)), codes)
    seconds, values, low, high = _ours(config, right, groups, None)
    identities = np.arange(config.rows) // config.images_per_identity
    identities_seconds, *_ = _ours(config, right, Groups("group", groups.names, codes[identities]), identities)
    once, resampling, theirs, their_low, their_high = _fairlearn(config, right, groups)
    extrapolated = config.fairlearn_resamples < config.resamples
    apart = max(np.abs(low - their_low).max(), np.abs(high - their_high).max())
    scaled = once + resampling * config.resamples / config.fairlearn_resamples
    return {
        "rows": config.rows,
        "tasks": config.tasks,
        "groups": config.groups,
        "resamples": config.resamples,
        "greycard_seconds": seconds,
        "greycard_identities_seconds": identities_seconds,
        "fairlearn_seconds_measured": once + resampling,
        "fairlearn_resamples_measured": config.fairlearn_resamples,
        "fairlearn_seconds": scaled,
        "fairlearn_extrapolated": extrapolated,
        "ratio": scaled / seconds,
        "target_ratio": 20.0,
        "largest_difference_of_values": float(np.abs(values - theirs).max()),
        "largest_difference_of_intervals": None if extrapolated else float(apart),
    }


def _ours(config: ByGroupConfig, right: np.ndarray, groups: Groups, identities: np.ndarray | None) -> tuple[Any, ...]:
    start = time.perf_counter()
    terms = means({f"task{number}": right[:, number] for number in range(config.tasks)})
    units = partition(groups, clusters_of(identities, config.rows))
    sums = units.sums(terms)
    frame = frame_of(units, sums)
    replicates = Bootstrap.draw(units, config.resamples, config.seed).replicates(sums)
    low, high = interval(replicates, 0.95)
    return time.perf_counter() - start, frame.values, low, high


def _fairlearn(config: ByGroupConfig, right: np.ndarray, groups: Groups) -> tuple[Any, ...]:
    """Time fairlearn: the frame itself, and the seconds that its resamples add.

    ``y_pred`` is the row, from which each metric looks its task up: the fewest columns for it to carry, and one frame
    for all tasks, which is faster than a frame a task.
    """
    from fairlearn.metrics import MetricFrame

    def accuracy_of(task: int) -> Callable[[Any, Any], float]:
        return lambda _, rows: float(right[np.asarray(rows), task].mean())

    def timed(**bootstrap: Any) -> tuple[Any, float]:
        start = time.perf_counter()
        frame = MetricFrame(
            metrics={f"task{task}": accuracy_of(task) for task in range(config.tasks)},
            y_true=np.ones(config.rows, np.int64),
            y_pred=np.arange(config.rows),
            sensitive_features=pd.Series(groups.codes, name="group"),
            **bootstrap,
        )
        return frame, time.perf_counter() - start

    _, once = timed()
    frame, seconds = timed(n_boot=config.fairlearn_resamples, ci_quantiles=[0.025, 0.975], random_state=config.seed)
    low, high = (ends.sort_index().to_numpy(float) for ends in frame.by_group_ci)
    return once, seconds - once, frame.by_group.sort_index().to_numpy(float), low, high
