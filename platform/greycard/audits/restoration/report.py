"""The report of a restoration audit: group numbers, figures, contact sheets, one HTML page, all of it logged to MLflow.

Reads the audit's tables and reconstruction sets; needs no model, so it can be made again with other settings.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import yaml

from greycard.audits.job import Child, DataSet, Report, log_report
from greycard.audits.systems import SUCCESS
from greycard.audits.tables import AuditError
from greycard.config import to_dict
from greycard.datasets.manifest import Manifest, check_attributes
from greycard.datasets.storage import Folder
from greycard.metrics.descriptions import COLUMNS
from greycard.metrics.restoration.findings import Findings, FindingsConfig, summarise
from greycard.reports.restoration import pictures
from greycard.reports.restoration.headline import headline
from greycard.reports.restoration.page import RestorationPage
from greycard.reports.restoration.page import write as write_page
from greycard.schema import RATES
from greycard.tracking import job_run
from greycard.tracking.provenance import git_commit

_VERSIONS = ("greycard", "torch", "compressai", "ray", "mlflow", "numpy", "pandas")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """How a report is made.

    Attributes:
        title: the title of the page.
        attribute: what the page compares groups by; all of ``findings.attributes`` are in the tables. "" takes the
            first of those that the data set has, or else its own first attribute.
        findings: what is computed.
        pairs: systems (unbalanced, balanced) whose training sets are compared; found by name where empty.
        images_per_group: rows per group on the contact sheets; 0 leaves them out.
    """

    title: str = "Group differences in compressed faces"
    attribute: str = ""
    findings: FindingsConfig = field(default_factory=FindingsConfig)
    pairs: tuple[tuple[str, str], ...] = ()
    images_per_group: int = 2

    def __post_init__(self) -> None:
        if self.images_per_group < 0:
            raise ValueError(f"images_per_group must be at least 0, got {self.images_per_group}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportJob:
    """A report of one audit.

    Attributes:
        audit: the audit's directory: ``audit/*.parquet`` and, where kept, ``reconstructions/<system>/``.
        shards: the shards that were audited; their manifest gives classes and counts.
        output: where the report goes; "" is ``<audit>/report``.
        study: the MLflow experiment.
        config: how it is made.
        absent: measure -> why it was not measured, as the page shows it.
    """

    audit: str = "runs/audit"
    shards: str = "runs/shards/test"
    output: str = ""
    study: str = "greycard"
    config: ReportConfig = field(default_factory=ReportConfig)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """Where the report goes."""
        return Path(self.output or f"{self.audit}/report")


class Reported(NamedTuple):
    """What a report of an old audit leaves: the page, the frames and the MLflow run."""

    page: Path
    findings: Findings
    run_id: str


def report(job: ReportJob) -> Reported:
    """Make a report and log it.

    Raises:
        AuditError: the directory holds no audit tables.
        ManifestError: there are no shards, or they lack an attribute.
        TrackingError: MLflow does not answer.
    """
    manifest = Manifest.load(job.shards)
    choose_attribute(job.config, manifest)
    table = read_audit(job.audit)
    with job_run(study=job.study, name=f"report {manifest.dataset}", directory=job.directory, config=job) as run:
        run.log_params({"manifest": manifest.digest, "dataset": manifest.dataset})
        run.log_dataset(manifest, "test", manifest.uri)
        made = make(job, table, manifest, run.run_id)
        log_report(made, run)
        return Reported(made.page, made.frames, run.run_id)


def choose_attribute(config: ReportConfig, manifest: Manifest) -> ReportConfig:
    """Return the config with the attribute to group by, chosen among a data set's own where it names none.

    Raises:
        AuditError: the data set has no attribute to group by.
        ManifestError: it lacks one that the config names; says near matches.
    """
    known, findings = manifest.attributes, config.findings
    if not known:
        raise AuditError(
            f"{manifest.uri} has no attributes, so there are no groups to compare: write shards with labels"
        )
    attribute = config.attribute
    if not attribute:
        there = [name for name in findings.attributes if all(part in known for part in name.split(" x "))]
        asked = findings.attributes != FindingsConfig().attributes
        attribute = there[0] if there else findings.attributes[0] if asked else next(iter(known))
    if attribute not in findings.attributes:
        findings = replace(findings, attributes=(attribute,))
    if findings.merge_by not in known:  # the grouping rule is about that attribute's groups
        findings = replace(findings, rules={}, merge_by=attribute)
    check_attributes(manifest, [part for name in findings.attributes for part in name.split(" x ")])
    return replace(config, attribute=attribute, findings=findings)


def make(job: ReportJob, table: pa.Table, manifest: Manifest, run_id: str) -> Report[Findings]:
    """Compute the findings of an audit's table and write the report.

    Args:
        job: where the audit is, where the report goes and how it is made.
        table: the rows of all systems, as the audit returned it or ``read_audit`` reads it.
        manifest: the manifest of the images.
        run_id: the id of the MLflow run, for the page.
    """
    job = replace(job, config=choose_attribute(job.config, manifest))
    findings = summarise(table, manifest.attributes, job.config.findings)
    lines = headline(findings, job.config.attribute, job.config.findings.reference, job.config.pairs)
    return Report(
        frames=findings,
        tables=findings._asdict(),
        children=tuple(_children(job, findings)),
        page=_write(job, manifest, findings, run_id),
        sentences=(*lines.sentences, *lines.others),
    )


def read_audit(uri: str) -> pa.Table:
    """Read an audit's tables, one per system, into one.

    Raises:
        AuditError: there are none.
    """
    folder = Folder.open(f"{uri}/audit")
    _table_names(folder)
    return pa.concat_tables(folder.tables(), promote_options="permissive")


def _table_names(folder: Folder) -> list[str]:
    names = folder.parquet_names()
    if not names:
        raise AuditError(
            f"no audit tables in {folder.uri}: run python -m jobs.audit first, or set audit to its directory"
        )
    return names


def _write(job: ReportJob, manifest: Manifest, findings: Findings, run_id: str) -> Path:
    """Write tables, pictures and the page."""
    out, config = job.directory, job.config
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for name, frame in findings._asdict().items():
        frame.to_parquet(out / "tables" / f"{name}.parquet", index=False)
        frame.to_csv(out / "tables" / f"{name}.csv", index=False)
    page = RestorationPage(
        title=config.title,
        findings=findings,
        attribute=config.attribute,
        reference=config.findings.reference,
        pairs=config.pairs,
        sections=pictures.sections(
            findings,
            config.attribute,
            manifest.attributes,
            reference=config.findings.reference,
            reconstructions=f"{job.audit}/reconstructions" if config.images_per_group else None,
            images_per_group=config.images_per_group,
            absent=job.absent,
        ),
        comparisons=pictures.comparisons(findings, config.attribute, config.pairs),
        dataset=f"“{manifest.dataset}”",
        drawn=manifest.drawn,
        absent=job.absent,
        provenance=_provenance(job, manifest, run_id),
        config=yaml.safe_dump(to_dict(job), sort_keys=False, allow_unicode=True),
    )
    return write_page(page, out)


def _provenance(job: ReportJob, manifest: Manifest, run_id: str) -> dict[str, str]:
    versions = []
    for package in _VERSIONS:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    rows = ", ".join(f"{split} {manifest.num_rows(split):,}" for split in manifest.splits)
    return {
        "audit": job.audit,
        "images": f"{manifest.dataset}, version {manifest.version}: {rows}",
        "manifest": manifest.digest,
        "source commit": git_commit(),
        "versions": ", ".join(versions),
        "MLflow": f"experiment {job.study}, run {run_id}",
        "intervals": f"{job.config.findings.resamples} bootstrap resamples of identities; noise floor from "
        f"{job.config.findings.permutations} permutations; seed {job.config.findings.seed}",
    }


def _children(job: ReportJob, findings: Findings) -> Iterator[Child]:
    """Yield what is logged of each system and point: few flat numbers, its tables, its reconstruction set."""
    for _, row in findings.counts.iterrows():
        system, point = str(row["system"]), float(row["point"])
        groups, disparities = (
            frame[(frame["system"] == system) & (frame["point"] == point)]
            for frame in (findings.groups, findings.disparities)
        )
        counted = {name: float(row[name]) for name in ("n_in", "n_ok", "n_failed")}
        yield Child(
            name=f"{system}@{point:g}",
            params={"system": system, "point": point},
            numbers=counted | _numbers(groups, disparities, job.config.attribute),
            tables={"groups.json": groups, "disparities.json": disparities},
            data=_reconstructions(job.audit, system),
            step=point,
        )


def _numbers(groups: pd.DataFrame, disparities: pd.DataFrame, attribute: str) -> dict[str, float]:
    """Return the numbers of one system and point under flat names: ``psnr_db``, ``bias/skin_type``, ..."""
    everyone = groups[groups["attribute"] == "all"].set_index("measure")["value"]
    numbers = {name: float(groups[name].iloc[0]) for name in RATES if len(groups)}
    numbers |= {name: float(everyone[name]) for name in COLUMNS if name in everyone}
    mine = disparities[disparities["attribute"] == attribute]
    for _, row in mine.iterrows():
        kind, _, task = str(row["measure"]).partition("/")
        if kind == "accuracy_merged":
            numbers |= {f"bias/{task}": row["bias"], f"added/{task}": row["delta"], f"p/{task}": row["p_value"]}
            numbers[f"accuracy/{task}"] = float(everyone[row["measure"]])
        elif kind in COLUMNS:
            numbers[f"bias/{kind}"] = row["bias"]
    return numbers


def _reconstructions(audit: str, system: str) -> DataSet | None:
    """Return a system's reconstruction set; None where it was not kept."""
    uri = f"{audit}/reconstructions/{system}"
    folder = Folder.open(uri)
    if SUCCESS not in folder.names():
        return None
    digest = str(json.loads(folder.read(SUCCESS))["digest"])
    return DataSet(f"reconstructions of {system}", digest, "reconstructions", uri)
