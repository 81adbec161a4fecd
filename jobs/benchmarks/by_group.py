"""Bootstrap by group against fairlearn's MetricFrame, on the same numbers in the same run.

Both resample rows with replacement and give the accuracy of every task in every group with percentile intervals.
fairlearn computes one MetricFrame per resample; it is timed on fewer resamples and scaled linearly, which its own loop
allows (one frame per resample), and the result says so. Set ``fairlearn_resamples=1000`` to measure it in full.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from greycard.metrics.by_group import Groups, clusters_of, frame_of, means, partition
from greycard.metrics.significance import Bootstrap, interval
from jobs.benchmarks.timing import Comparison, Measured, timed

Floats = npt.NDArray[np.float64]


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

    def measure(self) -> Measured:
        """Time both and check that they agree.

        Intervals are compared where both come from equally many resamples, that is where fairlearn's are not scaled.
        """
        import fairlearn.metrics  # noqa: F401  before any clock starts

        right, groups = _data(self)
        (values, low, high), seconds = timed(lambda: _ours(self, right, groups, None))
        people = np.arange(self.rows) // self.images_per_identity
        of_people = Groups("group", groups.names, groups.codes[people])
        _, of_identities = timed(lambda: _ours(self, right, of_people, people))
        (theirs,), once = timed(lambda: _fairlearn(self, right, groups, 0))
        (_, *ends), whole = timed(lambda: _fairlearn(self, right, groups, self.fairlearn_resamples))
        scaled = once.clock + (whole.clock - once.clock) * self.resamples / self.fairlearn_resamples
        rates = {"greycard": self.resamples / seconds.clock, "fairlearn": self.resamples / scaled}
        extrapolated = self.fairlearn_resamples < self.resamples
        return Measured(
            (Comparison.of("bootstrap", "resamples/s", rates, at_least=20.0),),
            {
                "greycard_seconds": seconds.clock,
                "greycard_identities_seconds": of_identities.clock,
                "fairlearn_seconds_measured": whole.clock,
                "fairlearn_resamples_measured": self.fairlearn_resamples,
                "fairlearn_extrapolated": extrapolated,
                "largest_difference_of_values": float(np.abs(values - theirs).max()),
                "largest_difference_of_intervals": None if extrapolated else _apart((low, high), ends),
            },
        )


def _data(config: ByGroupConfig) -> tuple[Floats, Groups]:
    """Return random right (1) and wrong (0) answers, (rows, tasks), and the rows' groups."""
    random = np.random.default_rng(config.seed)
    codes = random.integers(0, config.groups, config.rows)
    right = (random.random((config.rows, config.tasks)) < 0.9 - 0.02 * codes[:, None]).astype(np.float64)
    return right, Groups("group", tuple(f"g{number}" for number in range(config.groups)), codes)


def _apart(ours: Sequence[Floats], theirs: Sequence[Floats]) -> float:
    """Return the largest difference of interval ends."""
    return max(float(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))


def _ours(config: ByGroupConfig, right: Floats, groups: Groups, identities: Any) -> tuple[Floats, Floats, Floats]:
    """Return the means by group (groups, tasks) and the ends of their intervals."""
    terms = means({f"task{number}": right[:, number] for number in range(config.tasks)})
    units = partition(groups, clusters_of(identities, config.rows))
    sums = units.sums(terms)
    replicates = Bootstrap.draw(units, config.resamples, config.seed).replicates(sums)
    low, high = interval(replicates, 0.95)
    return frame_of(units, sums).values, low, high


def _fairlearn(config: ByGroupConfig, right: Floats, groups: Groups, resamples: int) -> tuple[Floats, ...]:
    """Return the same of fairlearn; without resamples, the means alone.

    ``y_pred`` is the row, from which each metric looks its task up: the fewest columns for it to carry, and one frame
    for all tasks, which is faster than one frame per task.
    """
    from fairlearn.metrics import MetricFrame

    def accuracy_of(task: int) -> Callable[[Any, Any], float]:
        return lambda _, rows: float(right[np.asarray(rows), task].mean())

    bootstrap = {"n_boot": resamples, "ci_quantiles": [0.025, 0.975], "random_state": config.seed}
    frame = MetricFrame(
        metrics={f"task{task}": accuracy_of(task) for task in range(config.tasks)},
        y_true=np.ones(config.rows, np.int64),
        y_pred=np.arange(config.rows),
        sensitive_features=pd.Series(groups.codes, name="group"),
        **(bootstrap if resamples else {}),
    )
    ends = frame.by_group_ci if resamples else []
    return tuple(part.sort_index().to_numpy(float) for part in (frame.by_group, *ends))
