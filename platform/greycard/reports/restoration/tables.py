"""The tables of a report, as text that a template only has to place. Absent numbers are dashes, never zeros."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from greycard.metrics.descriptions import describe
from greycard.reports.restoration.frames import (
    ACCURACY,
    RAW,
    Findings,
    chance_level,
    coverage,
    direction_text,
    groups_of,
    measures_of,
    select,
    systems_of,
    tasks_of,
)
from greycard.reports.restoration.headline import counts_as_found, rate_text
from greycard.reports.table import Table
from greycard.reports.wording import DASH, bracket, decimal, number, p_value, points, share, spell, to
from greycard.schema import RATES


def verdicts(findings: Findings, task: str, attribute: str, reference: str = RAW) -> Table:
    """Return every system and point with the group difference of a task, its interval and its noise floor."""
    rows = select(findings.disparities, attribute=attribute, measure=ACCURACY + task)
    rows = rows[rows["system"] != reference]
    found, chance, covered = counts_as_found(rows), chance_level(rows), coverage(rows)
    cells = []
    for (_, row), is_found in zip(rows.iterrows(), found, strict=True):
        cells.append(
            (
                spell(row["system"]),
                _short_rate(row),
                f"{spell(row['worst_group'])} → {spell(row['best_group'])}" if row["worst_group"] else DASH,
                f"{points(row['bias'])} {bracket(points(row['low']), points(row['high']))}",
                points(row["noise_floor"]),
                points(row["reference_bias"]),
                _added(row),
                _verdict(row, bool(is_found), chance),
                str(row["count_min"]),
            )
        )
    return Table(
        f"Group difference in {spell(task)}, in percentage points of grouped accuracy.",
        (
            "system", "rate", "lowest → highest group", f"difference [{covered} interval]", "noise floor", "originals",
            f"added [{covered} interval]", "more than chance?", "smallest group",
        ),
        tuple(cells),
        tuple(map(bool, found)),
    )  # fmt: skip


def _added(row: "pd.Series[float]") -> str:
    return (
        DASH
        if pd.isna(row["delta"])
        else f"{points(row['delta'])} {bracket(*map(points, row[['delta_low', 'delta_high']]))}"
    )


def _verdict(row: "pd.Series[object]", found: bool, chance: float) -> str:
    if pd.isna(row["p_value"]):
        return DASH
    p = p_value(float(str(row["p_value"])))
    if found:
        return f"yes ({p})"
    return f"no ({p})" if float(str(row["p_value"])) >= chance else f"yes, but not more than the originals ({p})"


def by_group(findings: Findings, measure: str, attribute: str, reference: str = RAW) -> Table:
    """Return a measure by group (rows) and by system and point (columns), with the images per group."""
    rows = select(findings.groups, attribute=attribute, measure=measure)
    places = rows[["system", "point", *RATES]].drop_duplicates()
    found = {(row["system"], row["point"], row["group"]): row for row in rows.to_dict("records")}
    most = rows.groupby("group")["count"].max()
    keys = list(zip(places["system"], places["point"], strict=True))
    cells = [
        (
            spell(group),
            str(int(most.get(group, 0))),
            *(_cell(found.get((system, point, group)), measure) for system, point in keys),
        )
        for group in groups_of(findings.groups, attribute)
    ]
    heads = [
        "originals" if row["system"] == reference else f"{spell(row['system'])}, {_short_rate(row)}"
        for _, row in places.iterrows()
    ]
    return Table(measure_caption(measure, coverage(rows)), ("group", "images", *heads), tuple(cells))


def _short_rate(row: "pd.Series[object]") -> str:
    return rate_text(row).replace("bits per pixel", "bpp")


def _cell(row: Mapping[Any, Any] | None, measure: str) -> str:
    if row is None or pd.isna(row["value"]):
        return DASH
    if "/" in measure and not measure.startswith("shift"):
        return f"{share(row['value'])} {bracket(points(row['low']), points(row['high']))}"
    digits = 2 if "/" in measure else describe(measure).digits
    return number(row["value"]) if digits is None else decimal(row["value"], digits)


def measure_caption(measure: str, covered: str) -> str:
    """Say in a sentence what a measure is; ``covered`` is what its intervals cover."""
    kind, _, task = measure.partition("/")
    sentences = {
        "accuracy_merged": f"Grouped accuracy, {spell(task)}: share of images read correctly once each group's usual "
        f"classes count as one (with {covered} interval)",
        "accuracy": f"Accuracy without grouping, {spell(task)}: share of images read exactly as labelled",
        "macro_recall": f"Macro recall, {spell(task)}: mean over classes of the share read correctly",
        "shift": f"Mean shift, {spell(task)}: classes that a reading lies above its label; negative is lighter",
        "lighter": f"Share of images read as lighter than labelled, {spell(task)}",
    }
    if task:
        return sentences.get(kind, spell(measure))
    column = describe(measure)
    return f"{column.label} ({column.unit}); {direction_text(column)}"


def chance(findings: Findings, task: str) -> Table:
    """Return what a reader that always says the same class would score, group by group."""
    rows = select(findings.chance, task=task)
    cells = tuple(
        (
            spell(row["group"]),
            str(row["count"]),
            row["merged"].replace("|", ", ") or DASH,
            share(row["merged_chance"]),
            f"{share(row['group_chance'])} ({row['group_constant'] or DASH})",
        )
        for _, row in rows.iterrows()
    )
    constant = rows["constant"].iloc[0] if len(rows) else DASH
    return Table(
        f"Merged chance, {spell(task)}: what always answering “{constant}” scores, and the best one answer per group.",
        ("group", "images", "classes that count as one", "same answer everywhere", "best answer for this group"),
        cells,
    )


def rates(findings: Findings) -> Table:
    """Return BD-rates and areas of the group difference, or why there are none."""
    cells = tuple(
        (
            spell(row["system"]),
            spell(row["reference"]) or DASH,
            spell(row["group"]),
            _rate_measure(row),
            f"absent: {row['reason']}" if pd.isna(row["value"]) else number(row["value"]),
            DASH
            if pd.isna(row["low_bpp"])
            else f"{to(number(row['low_bpp'], 2), number(row['high_bpp'], 2))} ({spell(row['rate'])})",
        )
        for _, row in findings.rates.iterrows()
    )
    return Table(
        "Rates at equal quality and group differences over a shared range of rates.",
        ("system", "compared with", "group", "measure", "value", "bits per pixel"),
        cells,
    )


def _rate_measure(row: "pd.Series[object]") -> str:
    of = spell(str(row.get("of", ""))).replace("accuracy merged/", "grouped accuracy, ")
    words = {
        "bd_rate": f"BD-rate at equal {of}, % of bits",
        "bd_psnr": f"difference of {of} at equal rate",
        "bd_rate_vs_all": f"BD-rate at equal {of} against all images, % of bits",
        "bias_area": f"area of the group difference, {of}",
        "bias_mean": f"mean group difference, {of}",
    }
    return words.get(str(row["measure"]), spell(str(row["measure"])))


def counts(findings: Findings) -> Table:
    """Return images in, done and failed for every system and point, with the reasons."""
    cells = tuple(
        (
            spell(row["system"]),
            f"{row['point']:g}",
            str(row["n_in"]),
            str(row["n_ok"]),
            str(row["n_failed"]),
            row["reasons"] or DASH,
        )
        for _, row in findings.counts.iterrows()
    )
    marks = tuple(bool(number) for number in findings.counts["n_failed"])
    return Table(
        "Images that went in, came out and failed. Failed images are in no other number of this report.",
        ("system", "operating point", "in", "done", "failed", "reasons"),
        cells,
        marks,
    )


def measures_by_task(findings: Findings, attribute: str, reference: str = RAW) -> dict[str, tuple[Table, ...]]:
    """Return the tables by group: heading -> tables."""
    present = set(findings.groups["measure"])

    def made(names: Iterable[str]) -> tuple[Table, ...]:
        return tuple(by_group(findings, name, attribute, reference) for name in names)

    sections = {"distortion": made(measures_of(findings.groups))}
    for task in tasks_of(findings.disparities):
        kinds = ("accuracy_merged", "accuracy", "macro_recall", "shift", "lighter")
        names = [f"{kind}/{task}" for kind in kinds if f"{kind}/{task}" in present]
        sections[spell(task)] = (chance(findings, task), *made(names))
    return {
        heading: tables for heading, tables in sections.items() if tables and systems_of(findings.groups, reference)
    }
