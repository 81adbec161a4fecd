"""One audit, from its config to its page, in one MLflow run; a family says only what differs (``Job``).

``place outlives the job -> manifest -> run -> data set -> every system -> tables, child runs, page -> published``
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeVar

import pandas as pd

from greycard.audits.pinning import with_models
from greycard.audits.publishing import publish
from greycard.audits.systems import SystemResult
from greycard.config import digest
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.places import check_outlives
from greycard.tracking import Run, job_run

A = TypeVar("A")
R = TypeVar("R")
F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)

_SPREAD: Final = ("resources", "ray", "max_failed_share")
"""Fields of every audit that shape no row, so they may change from one start to the next."""


class DataSet(NamedTuple):
    """Rows that a system left, as the tracker wants a data set.

    Attributes:
        dataset: its name.
        digest: the digest of its content.
        context: what it is to the run.
        uri: where it is stored.
    """

    dataset: str
    digest: str
    context: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What is logged of one system, in a run of its own.

    Attributes:
        name: the run's name, by which it is found again.
        params: what the system is.
        numbers: its numbers under flat names, such as ``accuracy/smile``.
        tables: artifact -> its part of a frame.
        data: the rows that it left; None where they are not there.
        step: its operating point; None where it has none.
    """

    name: str
    params: Mapping[str, Any]
    numbers: Mapping[str, float]
    tables: Mapping[str, pd.DataFrame]
    data: DataSet | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Generic[F_co]):
    """What a family makes of an audit's result.

    Attributes:
        frames: all that the page says, as tidy frames.
        tables: what is logged, by name.
        children: one per system, or per system and operating point.
        page: ``index.html``, with its figures in ``figures`` beside it.
        sentences: the first ones of the page, for the run's description.
    """

    frames: F_co
    tables: Mapping[str, pd.DataFrame]
    children: tuple[Child, ...]
    page: Path
    sentences: tuple[str, ...]


class Audited(NamedTuple, Generic[R, F]):
    """What an audit leaves: its result, its frames, the place of its page, and the MLflow run."""

    result: R
    frames: F
    page: str
    run_id: str


class Job(Protocol[A, R, F_co]):
    """An audit of one family and its report, as ``run_audit`` runs it.

    Attributes:
        run_prefix: first word of the name of the run.
        loose: fields of the job that shape no row (besides those of the audit's resources), so they may change from one
            start to the next.
        loose_in_audit: the same for the fields of ``audit``.
    """

    run_prefix: ClassVar[str]
    loose: ClassVar[tuple[str, ...]]
    loose_in_audit: ClassVar[tuple[str, ...]]

    @property
    def audit(self) -> A:
        """Which systems on which images."""
        ...

    @property
    def models(self) -> str:
        """Where the trained models are."""
        ...

    @property
    def images(self) -> tuple[str, str]:
        """Folder of the shards that the run is named after, and the split that is audited."""
        ...

    def check(self, manifest: Manifest) -> None:
        """Check what the report needs of the images, before any work."""
        ...

    def run(self, audit: A, on_system_done: Callable[[SystemResult], None]) -> R:
        """Run the audit, or what is left of it; ``audit`` is the job's own with its weights in place."""
        ...

    def make_report(self, result: R, manifest: Manifest, run: Run) -> Report[F_co]:
        """Make frames and page of the result."""
        ...


def run_audit(job: Job[Any, R, F]) -> Audited[R, F]:
    """Run an audit of any family, or what is left of it, and make its report.

    Raises:
        ManifestError: no shards there, or a name that they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        AuditError: the directory holds another audit's results, rows are missing, or more failed than allowed.
        TrackingError: MLflow does not answer.
        DirectoryError: a submitted job's directory lies where Ray unpacked its code, and would not outlive it.
    """
    config = job.audit
    check_outlives(config.directory, "audit.directory")
    shards, split = job.images
    manifest = Manifest.load(shards)
    job.check(manifest)
    home = Folder.open(config.directory)
    name = f"{job.run_prefix} {manifest.dataset}"
    with job_run(study=config.study, name=name, directory=home.uri, config=_fixed(job), tags=_tags(job)) as run:
        run.log_params({"manifest": manifest.digest, "dataset": manifest.dataset})
        run.log_dataset(manifest, split, manifest.uri)
        result = job.run(with_models(job.models, config), lambda system: _tell(system, run))
        report = job.make_report(result, manifest, run)
        log_report(report, run)
        place = publish(report.page, Folder.open(home.uri_of("report")))
    print(f"report: {place}  (open it in a browser; MLflow run {run.run_id})")
    return Audited(result, report.frames, place, run.run_id)


def _fixed(job: Any) -> Any:
    """Return the job with empty values where what it says may change from one start to the next."""
    audit = _emptied(job.audit, (*_SPREAD, *job.loose_in_audit))
    return _emptied(replace(job, audit=audit), job.loose)


def _emptied(config: Any, names: Iterable[str]) -> Any:
    return replace(config, **{name: type(getattr(config, name))() for name in names})


def _tags(job: Any) -> dict[str, Any]:
    """Return what may change, as this start has it; configs by their digests."""
    loose = {name: getattr(job.audit, name) for name in job.loose_in_audit}
    loose |= {name: getattr(job, name) for name in job.loose}
    tags = {f"greycard.{name}": digest(value) for name, value in loose.items() if is_dataclass(value)}
    return tags | {"greycard.max_failed_share": job.audit.max_failed_share}


def _tell(system: SystemResult, run: Run) -> None:
    print(system.describe(), flush=True)
    numbers = {f"n_failed/{system.name}": float(system.n_failed)}
    if system.seconds:
        numbers[f"images_per_second/{system.name}"] = system.images / system.seconds
    run.log_metrics(numbers)


def log_report(report: Report[Any], run: Run) -> None:
    """Log a report to an open run: its tables, a child run per system, its page and first sentences."""
    log_tables(report.tables, report.children, run)
    log_page(report.page, run)
    run.describe(*report.sentences)


def log_tables(tables: Mapping[str, pd.DataFrame], children: Iterable[Child], run: Run) -> None:
    """Log tables, and a child run per system with its numbers, its part of them and its data set."""
    for name, frame in tables.items():
        run.log_table(frame, f"tables/{name}.json")
    for child in children:
        with run.child(child.name, name=child.name, params=child.params) as tracked:
            tracked.log_metrics(child.numbers, step=child.step)
            for name, frame in child.tables.items():
                tracked.log_table(frame, name)
            if child.data is not None:
                tracked.log_dataset(child.data, child.data.context, child.data.uri)


def log_page(page: Path, run: Run) -> None:
    """Log a page as ``report/index.html``, and the figures beside it."""
    run.log_artifact(page, "report")
    if (figures := page.parent / "figures").is_dir():
        run.log_artifact(figures, "report/figures")
