"""The audit of codecs on shards, and its report: what they change in images, rate by rate, and how groups differ in it.

One MLflow run per job, one child run per system and operating point with its numbers and its reconstruction set.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from greycard.audits.job import Report
from greycard.audits.publishing import report_folder
from greycard.audits.restoration.configs import RestorationAudit
from greycard.audits.restoration.report import ReportConfig, ReportJob, choose_attribute, make
from greycard.audits.restoration.run import AuditResult, run
from greycard.audits.systems import SystemResult
from greycard.datasets.manifest import Manifest
from greycard.metrics.restoration.findings import Findings
from greycard.tracking import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditJob:
    """An audit and its report, in one MLflow run.

    Attributes:
        audit: what is audited, on which images.
        models: where the trained models are: a relative path of weights (``runs/paper000/codecs/models/...``) means one
            within this folder. A cluster's nodes need a shared folder or ``s3://bucket/prefix`` that holds the
            training's ``runs`` folder; "" is the working directory.
        report: how the report is made.
    """

    audit: RestorationAudit
    models: str = ""
    report: ReportConfig = field(default_factory=ReportConfig)

    run_prefix: ClassVar[str] = "audit"
    loose: ClassVar[tuple[str, ...]] = ("report",)
    loose_in_audit: ClassVar[tuple[str, ...]] = ()

    @property
    def images(self) -> tuple[str, str]:
        """The audited shards and split."""
        return self.audit.shards, self.audit.split

    def check(self, manifest: Manifest) -> None:
        """Check that the images have the attributes that the report compares groups by."""
        choose_attribute(self.report, manifest)

    def run(self, audit: RestorationAudit, on_system_done: Callable[[SystemResult], None]) -> AuditResult:
        """Run the audit, or what is left of it."""
        return run(audit, on_system_done)

    def make_report(self, result: AuditResult, manifest: Manifest, run: Run) -> Report[Findings]:
        """Make the findings of the result, and write the report."""
        job = ReportJob(
            audit=self.audit.directory,
            shards=self.audit.shards,
            output=str(report_folder(self.audit.directory)),
            study=self.audit.study,
            config=self.report,
            absent=result.absent,
        )
        return make(job, result.table(), manifest, run.run_id)
