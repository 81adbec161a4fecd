"""The audit of systems that restore an image: codecs, and later upsamplers, against the original, image by image.

``manifest -> checks -> [a system: shards -> decode -> codec at every point -> measures, classifiers -> reconstruction
set -> every image accounted for -> audit table] -> result``

A system is one Ray Data pipeline with all its operating points, so an image is read once. What is finished is not done
again: a system by its ``_SUCCESS.json``, an image by the row checkpoint.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from greycard.audits.checks import check_shards
from greycard.audits.images import Images, choose_images, class_sets
from greycard.audits.pinning import Pinned, pin
from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.sizes import check_sizes
from greycard.audits.restoration.tables import build_table
from greycard.audits.systems import (
    SystemAudit,
    SystemResult,
    carried_columns,
    compute_all,
    digest_of,
    identity_of,
    part_of,
)
from greycard.audits.tables import AuditError
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.decode import Decode
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """What an audit is about to do, checked, with the weights of its models at hand.

    Its systems are plain values. To time or count what workers do, run a plan whose systems have another ``decode`` or
    ``stage`` around their own: neither is part of what names the results.

    Attributes:
        config: the audit, without the measures that are absent.
        manifest: of the images.
        systems: in the config's order.
        absent: measure -> why it cannot be had on this machine.
    """

    config: RestorationAudit
    manifest: Manifest
    systems: tuple[SystemAudit, ...]
    absent: dict[str, str]

    def run(self, on_system_done: Callable[[SystemResult], Any] | None = None) -> AuditResult:
        """Audit every system, resuming what an earlier run left; see ``run``."""
        results: list[SystemResult] = []
        for result in compute_all(self.systems, self.config):
            if on_system_done is not None:
                on_system_done(result)
            results.append(result)
        home = Folder.open(self.config.directory)
        return AuditResult(directory=home.uri, manifest=self.manifest, systems=tuple(results), absent=self.absent)


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


def plan(config: RestorationAudit) -> AuditPlan:
    """Check an audit and say what it does; writes no results and needs no Ray. Raises as ``run`` does."""
    manifest = Manifest.load(config.shards)
    absent = {measure.name: reason for measure in config.measures if (reason := _missing(measure))}
    config = dataclasses.replace(
        config, measures=tuple(measure for measure in config.measures if measure.name not in absent)
    )
    check_sizes(config)
    check_shards(manifest, config.split)
    images = choose_images(config, manifest)
    shared = tuple(pin(part, local=config.ray.starts_ray) for part in (*config.measures, *config.classifiers))
    systems = tuple(_plan_system(config, system, manifest, images, shared) for system in config.systems)
    return AuditPlan(config=config, manifest=manifest, systems=systems, absent=absent)


def _missing(measure: Any) -> str:
    """Return why a measure can not be had here, "" if it can."""
    return measure.missing() if hasattr(measure, "missing") else ""


def _plan_system(
    config: RestorationAudit, system: System, manifest: Manifest, images: Images, shared: tuple[Pinned, ...]
) -> SystemAudit:
    """Name a system's results by all that shapes a row, and check the folder for others.

    Args:
        config: of the audit.
        system: one of its systems.
        manifest: of the images.
        images: those that take part.
        shared: measures, then classifiers.

    Raises:
        AuditError: the directory holds results of this name that were computed otherwise.
    """
    model = pin(system.model, local=config.ray.starts_ray)
    identity = _identity(config, system, manifest, model, shared)
    home = Folder.open(config.directory)
    job = SystemAudit(
        name=system.name,
        identity=identity,
        config=config,
        images=images,
        files=tuple(manifest.files(config.split)),
        columns=_columns(config, manifest),
        decode=Decode(config.size, config.resize, images.selection),
        stage=_stage(config, system, model, shared),
        build=build_table,
        output=Folder.open(home.uri_of(f"reconstructions/{system.name}")),
        tables=Folder.open(home.uri_of("audit")),
        checkpoint=Folder.open(home.uri_of(f"checkpoints/{system.name}-{digest_of(identity)}")),
    )
    job.refuse_other_results()
    return job


def _columns(config: RestorationAudit, manifest: Manifest) -> tuple[str, ...]:
    tasks = {task for item in config.classifiers for task in class_sets(item)}
    return carried_columns(manifest, {*(config.attributes or manifest.attributes), *tasks, *config.subset})


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
