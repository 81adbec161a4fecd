"""What a report says first, in plain words: who is treated worse, by how much, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from greycard.reports.restoration.frames import (
    ACCURACY,
    RAW,
    Findings,
    chance_level,
    coverage,
    pairs_of,
    select,
    systems_of,
    tasks_of,
)
from greycard.reports.wording import number, points, share, spell, to
from greycard.schema import BPP_ESTIMATED, BPP_PAYLOAD, BPP_TOTAL

_KIND_WORDS = {BPP_ESTIMATED: "estimated", BPP_PAYLOAD: "coded bytes", BPP_TOTAL: "whole file"}


@dataclass(frozen=True, slots=True)
class Headline:
    """The first lines of a report.

    Attributes:
        sentences: the main finding.
        others: one line for each system.
        system: whose finding it is; "" where there is none.
        task: the phenotype it is about; the first task where there is no finding.
        comparisons: group differences that were looked at.
        group: the lowest group of the finding; "" where there is none.
        point: its operating point; NaN where there is none.
    """

    sentences: tuple[str, ...]
    others: tuple[str, ...]
    system: str
    task: str
    comparisons: int
    group: str = ""
    point: float = float("nan")


def headline(
    findings: Findings, attribute: str, reference: str = RAW, pairs: Sequence[tuple[str, str]] = ()
) -> Headline:
    """Find the largest group difference that a system adds to what the originals show, and word it.

    Counts only where the permutation test finds more than chance (p below what the intervals leave out) and, with
    originals in the audit, where the interval of what was added lies above zero.

    Args:
        findings: the frames.
        attribute: what groups are compared by.
        reference: the system that returns the original images.
        pairs: systems (unbalanced, balanced) whose training sets are compared; found by name where empty.
    """
    rows = select(findings.disparities, attribute=attribute)
    rows = rows[rows["measure"].str.startswith(ACCURACY) & rows["bias"].notna()]
    shown = rows[rows["system"] != reference]
    tasks = tasks_of(rows)
    others = tuple(
        line for system in systems_of(shown, reference) if (line := _line(select(shown, system=system), system))
    )
    if not len(shown):
        sentence = "This audit has no classifier and so no phenotype accuracies; see the distortion by group below."
        return Headline((sentence,), (), "", tasks[0] if tasks else "", 0)
    found = shown[counts_as_found(shown)]
    if not len(found):
        quiet = (
            f"None of the {len(shown)} comparisons shows a group difference that is more than chance and more than the "
            "originals already show.",
            "That is not proof of equal treatment: small groups can hide a difference. The noise floor says how small.",
        )
        return Headline(quiet, others, "", tasks[0], len(shown))
    top = found.loc[found["delta"].fillna(found["bias"]).idxmax()]
    sentences = [_main(findings, top), _chance(top, coverage(shown))]
    sentences += [_lighter(findings, top, reference), _balanced(shown, top, pairs)]
    words = tuple(filter(None, sentences))
    return Headline(words, others, top["system"], _task(top), len(shown), top["worst_group"], float(top["point"]))


def counts_as_found(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Return which differences are more than chance and, where originals are known, more than theirs."""
    return (rows["p_value"] < chance_level(rows)) & ~(rows["delta_low"] <= 0)


def rate_text(row: "pd.Series[object]") -> str:
    """Return the first rate that a row has, with its kind: ``0.023 bits per pixel (estimated)``."""
    for kind, words in _KIND_WORDS.items():
        if pd.notna(row[kind]):
            return f"{number(float(str(row[kind])), 2)} bits per pixel ({words})"
    return f"operating point {row['point']:g}"


def _task(row: "pd.Series[object]") -> str:
    return str(row["measure"]).removeprefix(ACCURACY)


def _people(row: "pd.Series[object]", group: object) -> str:
    return f"{spell(str(group))} {'faces' if str(row['attribute']).startswith('race') else 'images'}"


def _value(findings: Findings, row: "pd.Series[object]", group: object, measure: str, system: str = "") -> float:
    rows = select(
        findings.groups, system=system or row["system"], attribute=row["attribute"], group=group, measure=measure
    )
    rows = rows if system else select(rows, point=row["point"])
    return float(rows["value"].iloc[0]) if len(rows) else float("nan")


def _main(findings: Findings, row: "pd.Series[object]") -> str:
    worst, best, measure = row["worst_group"], row["best_group"], str(row["measure"])
    return (
        f"After {spell(str(row['system']))} at {rate_text(row)}, the {spell(_task(row))} of {_people(row, worst)} is "
        f"still read correctly in {share(_value(findings, row, worst, measure))} of images, and that of "
        f"{_people(row, best)} in {share(_value(findings, row, best, measure))}."
    )


def _chance(row: "pd.Series[object]", covered: str) -> str:
    text = (
        f"The group difference is {points(row['bias'])} percentage points ({covered} interval "
        f"{to(points(row['low']), points(row['high']))}); groups drawn at random would differ by about "
        f"{points(row['noise_floor'])}."
    )
    if pd.isna(row["delta"]):
        return text + " The originals were not audited, so what was there before is not known."
    return text + (
        f" On the originals it is {points(row['reference_bias'])}, so {points(row['delta'])} were added ({covered} "
        f"interval {to(points(row['delta_low']), points(row['delta_high']))})."
    )


def _lighter(findings: Findings, row: "pd.Series[object]", reference: str) -> str:
    measure = f"lighter/{_task(row)}"
    after = _value(findings, row, row["worst_group"], measure)
    if pd.isna(after):
        return ""
    before = _value(findings, row, row["worst_group"], measure, reference)
    originals = "" if pd.isna(before) else f", against {share(before)} on the originals"
    whose = _people(row, row["worst_group"])
    return f"{share(after)} of {whose} are read as a lighter skin type than their label{originals}."


def _balanced(shown: pd.DataFrame, row: "pd.Series[object]", pairs: Sequence[tuple[str, str]]) -> str:
    """Compare with the same codec trained on a balanced set, at the same operating point."""
    for unbalanced, balanced in pairs_of(systems_of(shown), pairs):
        twin = select(shown, system=balanced, measure=row["measure"], point=row["point"])
        if unbalanced == row["system"] and len(twin):
            found = twin.iloc[0]
            between = f"({coverage(shown)} interval {to(points(found['low']), points(found['high']))})"
            return (
                f"Trained on a balanced set, the same codec ({spell(balanced)}) shows {points(found['bias'])} points "
                f"{between} at {rate_text(found)}."
            )
    return ""


def _line(rows: pd.DataFrame, system: str) -> str:
    """Return one system's largest finding as a line."""
    found = rows[counts_as_found(rows)]
    if not len(found):
        return f"{spell(system)}: no group difference beyond chance and beyond the originals ({len(rows)} comparisons)"
    top = found.loc[found["bias"].idxmax()]
    return (
        f"{spell(system)}: largest {points(top['bias'])} points, in {spell(_task(top))} "
        f"({spell(str(top['worst_group']))} lowest, {spell(str(top['best_group']))} highest) at {rate_text(top)}; "
        f"beyond chance and the originals in {len(found)} of {len(rows)} comparisons"
    )
