"""The rows of the groups and disparities frames: one system at one operating point, one way of grouping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greycard import schema
from greycard.metrics.by_group import Floats, Frame, Groups, Ints, Partition, Terms, frame_of, partition
from greycard.metrics.descriptions import describe
from greycard.metrics.disparity import bias, extremes, mean_seed_bias
from greycard.metrics.significance import Bootstrap, Permutation, interval, p_value

_PLACE: Final = {"system": "str", "point": "float64", **dict.fromkeys(schema.RATES, "float64"), "attribute": "str"}
GROUP_COLUMNS: Final = {
    **_PLACE,
    "group": "str",
    "measure": "str",
    **dict.fromkeys(("value", "low", "high", "level"), "float64"),
    **dict.fromkeys(("count", "identities", "failed"), "int64"),
    **dict.fromkeys(("reference", "drop", "drop_low", "drop_high"), "float64"),
    **{f"group_{name}": "float64" for name in schema.RATES},
}
DISPARITY_COLUMNS: Final = {
    **_PLACE,
    "measure": "str",
    **dict.fromkeys(("bias", "low", "high", "level", "bias_seed_mean", "noise_floor", "p_value"), "float64"),
    **dict.fromkeys(("best_group", "worst_group"), "str"),
    **dict.fromkeys(("reference_bias", "delta", "delta_low", "delta_high"), "float64"),
    "count_min": "int64",
    "empty_groups": "str",
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way of grouping the images, with its resamples and permutations drawn once for all systems."""

    groups: Groups
    units: Partition
    bootstrap: Bootstrap
    permutation: Permutation

    @classmethod
    def draw(cls, groups: Groups, clusters: Ints, resamples: int, permutations: int, seed: int) -> "Grouping":
        """Draw from ``seed``; a single group is not permuted."""
        units = partition(groups, clusters)
        permutations = permutations if len(groups.names) > 1 else 0
        return cls(
            groups,
            units,
            Bootstrap.draw(units, resamples, seed),
            Permutation.draw(groups, clusters, permutations, seed),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A system at a point under one grouping, K measures (the rates last).

    Attributes:
        frame: values by group.
        replicates: (B, G, K) of the bootstrap.
    """

    frame: Frame
    replicates: Floats

    @classmethod
    def of(cls, grouping: Grouping, terms: Terms) -> "Result":
        """Compute values and replicates."""
        sums = grouping.units.sums(terms)
        return cls(frame_of(grouping.units, sums), grouping.bootstrap.replicates(sums))

    def unknown(self) -> "Result":
        """Return the same shape filled with NaN: what stands for a reference that is not there."""
        frame = self.frame
        values = np.full_like(frame.values, np.nan)
        return Result(
            Frame(frame.groups, frame.measures, values, frame.counts, frame.identities),
            np.full_like(self.replicates, np.nan),
        )


def group_rows(
    result: Result, reference: Result, place: Mapping[str, object], failed: Ints, level: float
) -> pd.DataFrame:
    """Return rows of the groups frame.

    Args:
        result: the system at the point.
        reference: the untouched images under the same grouping.
        place: system, point, rates and attribute, repeated in every row.
        failed: (G,) failed rows.
        level: coverage of the intervals.
    """
    frame = result.frame
    measures = len(frame.measures) - len(schema.RATES)
    shown = slice(0, measures)
    low, high = interval(result.replicates[..., shown], level)
    drop_low, drop_high = interval((reference.replicates - result.replicates)[..., shown], level)

    def flat(by_group: NDArray[Any]) -> NDArray[Any]:
        return by_group[:, shown].ravel()

    return pd.DataFrame(
        {
            **place,
            "group": np.repeat(np.array(frame.groups, object), measures),
            "measure": np.tile(np.array(frame.measures[shown], object), len(frame.groups)),
            "value": flat(frame.values),
            "low": low.ravel(),
            "high": high.ravel(),
            "level": level,
            "count": flat(frame.counts),
            "identities": flat(frame.identities),
            "failed": np.repeat(failed, measures),
            "reference": flat(reference.frame.values),
            "drop": flat(reference.frame.values - frame.values),
            "drop_low": drop_low.ravel(),
            "drop_high": drop_high.ravel(),
            **{
                f"group_{name}": np.repeat(frame.values[:, measures + index], measures)
                for index, name in enumerate(schema.RATES)
            },
        }
    ).astype(GROUP_COLUMNS)


def disparity_rows(
    result: Result, reference: Result, permuted: Floats, by_seed: Floats, place: Mapping[str, object], level: float
) -> pd.DataFrame:
    """Return rows of the disparities frame, one per measure.

    Args:
        result: the system at the point.
        reference: the untouched images under the same grouping.
        permuted: (B, G, K) values of permuted groups.
        by_seed: (S, G, K) values of each classifier seed.
        place: system, point, rates and attribute.
        level: coverage of the intervals.
    """
    frame = result.frame
    shown = slice(0, len(frame.measures) - len(schema.RATES))
    names = np.array([*frame.groups, ""], object)  # code -1 is ""
    observed, noise = bias(frame.values)[shown], bias(permuted)[:, shown]
    replicates, base_replicates = bias(result.replicates)[:, shown], bias(reference.replicates)[:, shown]
    base = bias(reference.frame.values)[shown]
    ends = extremes(frame.values[:, shown], tuple(describe(name).better for name in frame.measures[shown]))
    low, high = interval(replicates, level)
    delta_low, delta_high = interval(replicates - base_replicates, level)
    counts = frame.counts[:, shown]
    return pd.DataFrame(
        {
            **place,
            "measure": frame.measures[shown],
            "bias": observed,
            "low": low,
            "high": high,
            "level": level,
            "bias_seed_mean": mean_seed_bias(by_seed)[shown],
            "noise_floor": noise.mean(axis=0) if len(noise) else np.full_like(observed, np.nan),
            "p_value": p_value(observed, noise),
            "best_group": names[ends.best],
            "worst_group": names[ends.worst],
            "reference_bias": base,
            "delta": observed - base,
            "delta_low": delta_low,
            "delta_high": delta_high,
            "count_min": counts.min(axis=0),
            "empty_groups": ["|".join(names[:-1][column == 0]) for column in counts.T],
        }
    ).astype(DISPARITY_COLUMNS)


def seed_values(units: Partition, seeds: list[Terms]) -> Floats:
    """Return each classifier seed's values, (S, G, K)."""
    return np.stack([frame_of(units, units.sums(terms)).values for terms in seeds])
