"""The audit of systems that restore an image: codecs, and later upsamplers, against the original, image by image.

``manifest -> checks -> [a system: shards -> decode -> codec at every point -> measures, classifiers -> reconstruction
set -> every image accounted for -> audit table] -> result``

A system is one Ray Data pipeline with all its operating points, so an image is read once. What is finished is not done
again: a system by its ``_SUCCESS.json``, an image by the row checkpoint.
"""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from greycard.audits.checks import check_shards, check_sizes
from greycard.audits.configs import RestorationAudit, System
from greycard.audits.images import choose_images
from greycard.audits.systems import SystemAudit, SystemResult
from greycard.audits.tables import AuditError
from greycard.audits.weights import pin
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.streaming.pipeline import Resources
from greycard.streaming.session import SessionConfig, session

__all__ = [
    "AuditError",
    "AuditResult",
    "Resources",
    "RestorationAudit",
    "SessionConfig",
    "System",
    "SystemResult",
    "run",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What an audit found.

    Attributes:
        directory: where the results are.
        manifest: of the images.
        systems: in the config's order.
        absent: measure -> why it could not be had on this machine.
    """

    directory: str
    manifest: Manifest
    systems: tuple[SystemResult, ...]
    absent: dict[str, str]

    def table(self) -> pa.Table:
        """Return the audit tables of all systems, one after another."""
        return pa.concat_tables([system.read() for system in self.systems], promote_options="default")


def run(config: RestorationAudit, on_system_done: Callable[[SystemResult], Any] | None = None) -> AuditResult:
    """Audit every system, resuming what an earlier run left.

    Args:
        config: the audit.
        on_system_done: called in the driver with each system's result as it is ready, also with those that an
            earlier run finished.

    Raises:
        ManifestError: no shards there, files that are not those of the manifest, or an attribute, class or split that
            they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        PipelineError: a stage could not be built or kept dying.
        AuditError: images too small for a measure, a directory that holds another audit's results, missing rows, or
            more failed rows than allowed.
    """
    manifest = Manifest.load(config.shards)
    absent = {measure.name: reason for measure in config.measures if (reason := _missing(measure))}
    config = dataclasses.replace(
        config, measures=tuple(measure for measure in config.measures if measure.name not in absent)
    )
    check_sizes(config)
    check_shards(manifest, config.split)
    images = choose_images(config, manifest)
    shared = tuple(pin(part, local=config.ray.starts_ray) for part in (*config.measures, *config.classifiers))
    jobs = [SystemAudit.plan(config, system, manifest, images, shared) for system in config.systems]
    results: list[SystemResult] = []
    unfinished = [job for job in jobs if job.finished() is None]
    with session(config.ray) if unfinished else nullcontext():
        for job in jobs:
            result = job.finished() or job.compute()
            if on_system_done is not None:
                on_system_done(result)
            _check_budget(result, config)
            results.append(result)
    home = Folder.open(config.directory)
    return AuditResult(directory=home.uri, manifest=manifest, systems=tuple(results), absent=absent)


def _missing(measure: Any) -> str:
    """Return why a measure can not be had here, "" if it can."""
    return measure.missing() if hasattr(measure, "missing") else ""


def _check_budget(result: SystemResult, config: RestorationAudit) -> None:
    share = result.n_failed / result.rows
    if share > config.max_failed_share:
        raise AuditError(
            f"{result.name}: {result.n_failed} of {result.rows} rows failed ({share:.1%}), and audit.max_failed_share "
            f"is {config.max_failed_share:.1%}. The table is written: {result.table}. For example: "
            + "; ".join(result.examples)
        )
