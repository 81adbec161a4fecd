"""The audit of systems that restore an image: codecs, and later upsamplers, against the original, image by image.

``manifest -> checks -> [per system: shards -> decode -> codec at every point -> measures, classifiers -> reconstruction
set -> every image accounted for -> audit table] -> result``

A system is one Ray Data pipeline with all its operating points, so an image is read once. What is finished is not done
again: a system by its ``_SUCCESS.json``, an image by the row checkpoint.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from greycard.audits.images import class_sets
from greycard.audits.pinning import Pinned, pin
from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.tables import build_table
from greycard.audits.systems import (
    AuditPlan,
    Layout,
    Source,
    SystemAudit,
    SystemResult,
    identity_of,
    part_of,
    plan_system,
    read_shards,
)
from greycard.audits.tables import AuditError
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.streaming.restoring import RestorationStage

__all__ = [
    "AuditError",
    "AuditPlan",
    "AuditResult",
    "Resources",
    "RestorationAudit",
    "SessionConfig",
    "System",
    "SystemResult",
    "plan",
    "run",
]

FORMAT: Final = 1  # of the reconstruction set and the audit table; another number makes finished systems unfinished
LAYOUT: Final = Layout("reconstructions", "audit", build_table)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What an audit found.

    Attributes:
        directory: where the results are.
        manifest: the manifest of the images.
        systems: the systems' results, in the config's order.
        absent: measure -> why it could not be had on this machine.
    """

    directory: str
    manifest: Manifest
    systems: tuple[SystemResult, ...]
    absent: dict[str, str]

    def table(self) -> pa.Table:
        """Return the audit tables of all systems in the order of their files, as ``read_audit`` finds them later."""
        systems = sorted(self.systems, key=lambda system: system.table)
        return pa.concat_tables([system.read() for system in systems], promote_options="permissive")


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
    return plan(config).run(on_system_done)


def plan(config: RestorationAudit) -> AuditPlan[AuditResult]:
    """Check an audit and say what it does; writes no results and needs no Ray. Raises as ``run`` does."""
    manifest = Manifest.load(config.shards)
    absent = {measure.name: reason for measure in config.measures if (reason := _missing(measure))}
    config = dataclasses.replace(
        config, measures=tuple(measure for measure in config.measures if measure.name not in absent)
    )
    check_sizes(config)
    source = read_shards(config, manifest, _attributes(config, manifest))
    shared = tuple(pin(part, local=config.ray.starts_ray) for part in (*config.measures, *config.classifiers))
    home = Folder.open(config.directory)
    return AuditPlan(
        config=config,
        systems=tuple(_plan_system(config, system, manifest, source, shared) for system in config.systems),
        conclude=lambda systems: AuditResult(directory=home.uri, manifest=manifest, systems=systems, absent=absent),
    )


def check_sizes(config: RestorationAudit) -> None:
    """Check that the images of an audit are large enough for each of its measures.

    Raises:
        AuditError: a measure needs larger images.
    """
    for measure in config.measures:
        least = getattr(measure, "min_size", 1)
        if config.size < least:
            raise AuditError(
                f"measure {measure.name!r} needs images of at least {least} x {least} pixels, and audit.size is "
                f"{config.size}: raise audit.size, or leave {measure.name!r} out of audit.measures"
            )


def _missing(measure: Any) -> str:
    """Return why a measure can not be had here, "" if it can."""
    return measure.missing() if hasattr(measure, "missing") else ""


def _plan_system(
    config: RestorationAudit, system: System, manifest: Manifest, source: Source, shared: tuple[Pinned, ...]
) -> SystemAudit:
    """Name a system's results by all that shapes a row, and check the folder for others.

    Args:
        config: the audit's config.
        system: one of its systems.
        manifest: the manifest of the images.
        source: where the images that take part are read from.
        shared: the pinned measures, then the pinned classifiers.

    Raises:
        AuditError: the directory holds results of this name that were computed otherwise.
    """
    model = pin(system.model, local=config.ray.starts_ray)
    identity = _identity(config, system, manifest, model, shared)
    stage = _stage(config, system, model, shared)
    return plan_system(system.name, identity, config=config, source=source, stage=stage, layout=LAYOUT)


def _attributes(config: RestorationAudit, manifest: Manifest) -> set[str]:
    tasks = {task for item in config.classifiers for task in class_sets(item)}
    return {*(config.attributes or manifest.attributes), *tasks, *config.subset}


def _stage(config: RestorationAudit, system: System, model: Pinned, shared: tuple[Pinned, ...]) -> RestorationStage:
    models = [part.config for part in shared]
    return RestorationStage(
        model=model.config,
        measures=tuple(models[: len(config.measures)]),
        classifiers=tuple(models[len(config.measures) :]),
        size=config.size,
        seed=config.seed,
        samples=system.samples,
        threads=config.resources.threads,
        gpu=config.resources.num_gpus > 0,
    )


def _identity(
    config: RestorationAudit, system: System, manifest: Manifest, model: Pinned, shared: tuple[Pinned, ...]
) -> dict[str, Any]:
    models = (*config.measures, *config.classifiers)
    parts = [part_of(pinned, model) for model, pinned in zip(models, shared, strict=True)]
    identity = identity_of(
        config,
        manifest,
        {
            "format": FORMAT,
            "system": system.name,
            "codec": part_of(model, system.model),  # of whichever family: the name that finished folders know
            "measures": parts[: len(config.measures)],
            "classifiers": parts[len(config.measures) :],
        },
    )
    identity["images"]["attributes"] = list(config.attributes)
    if system.draws:
        identity["draws"] = {"seed": config.seed, "samples": system.samples}
    return identity
