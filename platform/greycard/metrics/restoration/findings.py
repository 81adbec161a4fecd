"""From an audit table to everything that the report says by group: a pure function, no model, no pixels.

``audit table -> images x systems -> terms of measures -> by_group -> bias, intervals, noise floor, rates``
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from greycard import schema
from greycard.metrics.by_group import CROSS, Floats, Groups, Ints, clusters_of, cross, everyone
from greycard.metrics.descriptions import COLUMNS
from greycard.metrics.restoration import curves as comparisons
from greycard.metrics.restoration import phenotypes
from greycard.metrics.restoration import rows as audit_rows
from greycard.metrics.restoration.frames import (
    DISPARITY_COLUMNS,
    GROUP_COLUMNS,
    Grouping,
    Result,
    disparity_rows,
    group_rows,
    seed_values,
)
from greycard.metrics.restoration.measures import AuditMeasures
from greycard.metrics.restoration.merging import Merging, merge
from greycard.metrics.restoration.rows import AuditRows, PointRows


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsConfig:
    """What to compute from an audit table.

    Attributes:
        attributes: what to group by; "race x gender" crosses attributes. Every image together ("all") always comes.
        resamples: bootstrap resamples; 0 leaves intervals out (NaN).
        permutations: for the noise floor and p-value; 0 leaves them out (NaN).
        level: coverage of the intervals; reports call more than chance what has a p-value below 1 - level.
        seed: of both.
        reference: the system that changed nothing, for Δbias and drops; absent from the table = NaN.
        rules: grouping rule per task; tasks without one are not merged.
        merge_by: the attribute whose groups the rules are about.
        reference_counts: task -> group -> labels per class, for ``top_k`` and ``min_share``; groups or tasks that are
            missing here use the labels of the audited images.
        ordered_task: the task whose codes are ordered, for the signed shift and the share below the label.
        qualities: measures that BD-rates are computed for.
        rate_reference: the system that BD-rates compare with; "" = the first one with two points or more.
        rate_columns: rates in order of preference; two systems are compared by the first that both have.
        min_overlap: least common share of two curves.
    """

    attributes: tuple[str, ...] = ("race",)
    resamples: int = 1000
    permutations: int = 1000
    level: float = 0.95
    seed: int = 0
    reference: str = "raw"
    rules: dict[str, phenotypes.Rule] = field(default_factory=phenotypes.default_rules)
    merge_by: str = "race"
    reference_counts: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    ordered_task: str = "skin_type"
    qualities: tuple[str, ...] = ("psnr_db",)
    rate_reference: str = ""
    rate_columns: tuple[str, ...] = schema.RATES
    min_overlap: float = 0.5

    def __post_init__(self) -> None:
        if self.resamples < 0 or self.permutations < 0:
            raise ValueError(
                f"resamples and permutations must be 0 or more, got {self.resamples} and {self.permutations}"
            )
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {self.level}")
        if not 0 <= self.min_overlap <= 1:
            raise ValueError(f"min_overlap must lie in [0, 1], got {self.min_overlap}")
        for name in self.rate_columns:
            if name not in schema.RATES:
                raise ValueError(schema.unknown("rate column", name, schema.RATES))


class Findings(NamedTuple):
    """Tidy frames, documented at ``summarise``."""

    groups: pd.DataFrame
    disparities: pd.DataFrame
    chance: pd.DataFrame
    rates: pd.DataFrame
    counts: pd.DataFrame


def summarise(table: pa.Table, attributes: Mapping[str, tuple[str, ...]], config: FindingsConfig) -> Findings:
    """Compute every number by group from an audit table.

    Measures: those of ``descriptions.COLUMNS`` that the table has, "psnr_db_of_mean_mse" where it has "mse"; per task t
    "accuracy_merged/t", "accuracy/t", "macro_recall/t"; "shift/skin_type" (mean of predicted - label code, negative =
    lighter) and "lighter/skin_type" (share predicted lighter). Accuracies average over classifier seeds.

    Frames, one row each:
        groups: system, point, bpp_estimated, bpp_payload, bpp_total (means over the OK images of system and point),
            attribute, group, measure, value, low, high (bootstrap), level (coverage of the row's intervals), count,
            identities, failed (rows), reference (the untouched images' value), drop (reference - value), drop_low,
            drop_high (paired bootstrap), group_bpp_estimated, group_bpp_payload, group_bpp_total (means over the
            group). Attribute "all" has one group, "all".
        disparities: system, point, bpp_*, attribute, measure, bias (max - min over groups, seed-averaged first), low,
            high, level, bias_seed_mean (mean of each seed's bias), noise_floor (mean bias of permuted groups), p_value,
            best_group, worst_group, reference_bias, delta (bias - reference_bias), delta_low, delta_high (paired),
            count_min (of the smallest group, 0 if one is empty), empty_groups (their names, "|" between). Noise floor
            and p-value are about images' results not depending on the group at all: macro recall can differ from its
            floor because groups have other classes.
        chance: task, attribute, group, merged (classes merged, "|" between), count, constant (the class that scores
            best predicted everywhere), merged_chance (its merged accuracy in the group), group_constant, group_chance
            (the group's own best), constant_bias, group_constant_bias (max - min over groups of the two).
        rates: system, reference, attribute, group, measure, of, value, low_bpp, high_bpp, rate (the column used),
            reason ("" or why there is no value). Measures: "bd_rate" (percent of bits at equal ``of``, system vs
            reference in this group), "bd_psnr" (difference of ``of`` at equal rate), "bd_rate_vs_all" (this group vs
            all images, same system), "bias_area" (of the bias of ``of`` over log10 bpp, on the interval that all
            systems with a rate and two points span, by the first kind of rate that all of them have; where there is
            none, systems share an interval with those whose first kind is theirs) and "bias_mean" (that area / its
            width).
        counts: system, point, n_in, n_ok, n_failed, reasons ("reason (n); ...", the five most frequent).

    Args:
        table: audit table, columns as in ``greycard.schema``: one row per image, system and operating point.
        attributes: class sets in fixed order (from the data's manifest).
        config: what to compute.

    Raises:
        ValueError: the table or config names something that is not there, with near matches.
    """
    rows = audit_rows.read(table, attributes, tuple(COLUMNS))
    phenotypes.check_rules(config.rules, attributes)
    merging = _merging(rows, attributes, config)
    clusters = clusters_of(rows.identities, rows.num_images)
    groupings = [
        Grouping.draw(groups, clusters, config.resamples, config.permutations, config.seed)
        for groups in (everyone(rows.num_images), *(_groups(name, rows, attributes) for name in config.attributes))
    ]
    groups, disparities = _frames(rows, AuditMeasures(rows, merging, config.ordered_task), groupings, config)
    rates = comparisons.compare(
        groups,
        disparities,
        qualities=config.qualities,
        raw=config.reference,
        reference=config.rate_reference,
        rate_columns=config.rate_columns,
        min_overlap=config.min_overlap,
    )
    return Findings(groups, disparities, merging.chance(), rates, _counts(rows))


def _merging(rows: AuditRows, attributes: Mapping[str, tuple[str, ...]], config: FindingsConfig) -> Merging:
    if config.merge_by in rows.labels:
        groups = _groups(config.merge_by, rows, attributes)
        return merge(rows, groups, attributes, config.rules, config.reference_counts)
    return merge(rows, everyone(rows.num_images), attributes, {}, {})


def _groups(name: str, rows: AuditRows, attributes: Mapping[str, tuple[str, ...]]) -> Groups:
    parts = []
    for part in name.split(CROSS):
        if part not in rows.labels:
            raise ValueError(schema.unknown("attribute", part, tuple(rows.labels)))
        parts.append(Groups(part, tuple(attributes[part]), rows.labels[part]))
    return cross(parts)


def _frames(
    rows: AuditRows, measured: AuditMeasures, groupings: list[Grouping], config: FindingsConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Go through systems and points, the reference first; only its replicates are kept for the others."""
    groups: dict[int, list[pd.DataFrame]] = {}
    disparities: dict[int, list[pd.DataFrame]] = {}
    references: list[Result] = []
    for number in sorted(range(len(rows.points)), key=lambda item: rows.points[item].system != config.reference):
        point = rows.points[number]
        terms, seeds = measured.terms(point), measured.seed_terms(point)
        results = [Result.of(grouping, terms) for grouping in groupings]
        if point.system == config.reference and not references:
            references = results
        groups[number], disparities[number] = [], []
        for grouping, result, reference in zip(
            groupings, results, references or [result.unknown() for result in results], strict=True
        ):
            place = _place(rows, point, grouping.groups.name)
            failed = _failed(rows, point, grouping.groups)
            groups[number].append(group_rows(result, reference, place, failed, config.level))
            if len(grouping.groups.names) > 1:
                permutation = grouping.permutation
                permuted = permutation.replicates(permutation.units.sums(terms))
                by_seed = seed_values(grouping.units, seeds)
                disparities[number].append(disparity_rows(result, reference, permuted, by_seed, place, config.level))
    return _join(groups, GROUP_COLUMNS), _join(disparities, DISPARITY_COLUMNS)


def _join(frames: Mapping[int, list[pd.DataFrame]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Put frames together in the order of the points; without any, an empty frame with the columns."""
    ordered = [frame for number in sorted(frames) for frame in frames[number]]
    return pd.concat(ordered, ignore_index=True) if ordered else pd.DataFrame(columns=list(columns)).astype(columns)


def _failed(rows: AuditRows, point: PointRows, groups: Groups) -> Ints:
    failed = rows.failed[point.rows] & (point.rows >= 0) & (groups.codes >= 0)
    return np.bincount(groups.codes[failed], minlength=len(groups.names)).astype(np.int64)


def _place(rows: AuditRows, point: PointRows, attribute: str) -> dict[str, object]:
    """Return what every row of a system, point and attribute repeats."""
    rates = {name: _mean(rows.values(name, point)) if name in rows.columns else np.nan for name in schema.RATES}
    return {schema.SYSTEM: point.system, schema.POINT: point.point, **rates, "attribute": attribute}


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _counts(rows: AuditRows) -> pd.DataFrame:
    frame = []
    for point in rows.points:
        present = point.rows[point.rows >= 0]
        failed = present[rows.failed[present]]
        reasons = pd.Series(rows.errors.take(pa.array(failed)).to_pylist(), dtype=object).value_counts().head(5)
        frame.append(
            {
                "system": point.system,
                "point": point.point,
                "n_in": len(present),
                "n_ok": len(present) - len(failed),
                "n_failed": len(failed),
                "reasons": "; ".join(f"{reason} ({count})" for reason, count in reasons.items()),
            }
        )
    return pd.DataFrame(frame, columns=["system", "point", "n_in", "n_ok", "n_failed", "reasons"])
