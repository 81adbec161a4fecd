"""A report as one HTML file that needs nothing else: styles and images inside, no script, light and dark, in print."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from greycard.metrics.descriptions import COLUMNS, describe
from greycard.reports.pages import Picture, environment
from greycard.reports.restoration import tables
from greycard.reports.restoration.frames import (
    Findings,
    chance_text,
    coverage,
    direction_text,
    groups_of,
    measures_of,
    nice,
    select,
    tasks_of,
)
from greycard.reports.restoration.headline import headline

TEMPLATE: Final = "report.html.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The pictures of one system.

    Attributes:
        title: the system.
        sheet: its contact sheet, None without a reconstruction set.
        figures: in order.
    """

    title: str
    sheet: Picture | None
    figures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a page shows.

    Attributes:
        title: of the page.
        findings: the frames.
        attribute: what groups are compared by.
        sections: pictures, the most telling system first.
        comparisons: pictures that compare systems.
        dataset: the data set's name.
        drawn: True where the images are drawings, not people.
        absent: measure -> why it was not measured.
        provenance: what was run: name -> text.
        config: the resolved config as YAML.
    """

    title: str
    findings: Findings
    attribute: str
    sections: tuple[Section, ...]
    comparisons: tuple[Picture, ...] = ()
    dataset: str
    drawn: bool
    absent: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""


def render(report: Report) -> str:
    """Return the page."""
    findings = report.findings
    lines = headline(findings, report.attribute)
    tasks = tasks_of(findings.disparities)
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            report=report,
            lines=lines,
            nice=nice,
            attribute=nice(report.attribute),
            covered=coverage(findings.groups),
            chance=chance_text(findings.groups),
            measured=[describe(name) for name in measures_of(findings.groups)],
            direction_text=direction_text,
            images=int(findings.counts["n_in"].max()) if len(findings.counts) else 0,
            failed=int(findings.counts["n_failed"].sum()) if len(findings.counts) else 0,
            group_counts=_group_counts(findings, report.attribute),
            absent={_measure_name(name): reason for name, reason in _absent(report).items()},
            first_verdict=tables.verdicts(findings, report.attribute, lines.task) if lines.task else None,
            more_verdicts=[tables.verdicts(findings, report.attribute, task) for task in tasks if task != lines.task],
            by_group=tables.measures_by_task(findings, report.attribute),
            rates=tables.rates(findings),
            counts=tables.counts(findings),
        )
    )


def _group_counts(findings: Findings, attribute: str) -> list[tuple[str, int]]:
    """Return (group, images) with 0 for a group that has none."""
    rows = select(findings.groups, attribute=attribute)
    return [(nice(name), int(select(rows, group=name)["count"].max())) for name in groups_of(rows, attribute)]


def _absent(report: Report) -> dict[str, str]:
    """Return measure -> reason for the distortion measures without any number."""
    groups = report.findings.groups
    absent = dict(report.absent)
    for name in COLUMNS:
        if name not in absent and groups.loc[groups["measure"] == name, "value"].isna().all():
            absent[name] = "not measured in this audit"
    return absent


def _measure_name(name: str) -> str:
    return COLUMNS[name].label if name in COLUMNS else nice(name)
