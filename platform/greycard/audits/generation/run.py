"""The audit of generators and of sets of images: what classes they show how often, and how real they look.

``seeds -> [generator] -> measuring classifier -> rows, features -> states -> scores, shares, frames``

A set of images (real data, a synthetic set) goes through the same stages without the generator, so it stands in the
same table; the reference is one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from greycard.audits.generation.configs import REFERENCE, GenerationAudit, GeneratorSystem, RealismConfig, image_set
from greycard.audits.generation.scores import PUBLISHED, frames_of
from greycard.audits.generation.states import SetState, make_state
from greycard.audits.images import Images
from greycard.audits.pinning import Pinned, pin
from greycard.audits.states import STATES, load_or_make
from greycard.audits.systems import (
    AuditPlan,
    Layout,
    Source,
    SystemAudit,
    SystemResult,
    digest_of,
    find_system,
    identity_of,
    part_of,
    plain,
    plan_system,
    read_shards,
)
from greycard.audits.tables import AuditError, build_rows, count_rows, write_table
from greycard.datasets.manifest import Manifest, check_classes
from greycard.datasets.storage import Folder
from greycard.metrics.generation.inception import InceptionConfig
from greycard.metrics.no_reference import available
from greycard.schema import IMAGE_ID
from greycard.streaming.decode import pass_through
from greycard.streaming.generating import BULK, PARTNER, SEED, GenerationStage, seed_rows
from greycard.streaming.selection import Selection

__all__ = [
    "REFERENCE",
    "AuditError",
    "GenerationAudit",
    "GenerationFrames",
    "GenerationResult",
    "GeneratorSystem",
    "RealismConfig",
    "SystemResult",
    "run",
]

FORMAT: Final = 1  # of the rows; another number makes finished systems unfinished


@dataclass(frozen=True, slots=True)
class GenerationFrames:
    """Tidy frames.

    Attributes:
        scores: system, variant, seed, measure, value, sd, low, high, n (images behind a value; of the discrepancy and
            of scores over splits: a split's), splits, floor, note.
            Measures: ``discrepancy[hard|soft|corrected]`` (over splits), ``discrepancy_pooled[hard|soft|corrected]``
            (all images), ``frechet[aux]``, ``kernel_distance[aux]``, ``classifier_score[aux]``, ``precision[aux]``,
            ``recall[aux]``, ``path_length[aux]``, and with Inception's weights ``fid``, ``kid``, ``inception_score``;
            no-reference measures by their own names (mean and deviation over images).
        shares: system, code, label (a class), hard, soft, corrected, even, count.
        frechet_groups: system, group, reference_group, value, count, reference_count, measure.
        references: system, generated, reference, value, discrepancy, note, measure (why a Fréchet distance misleads).
        confusion: label, predicted, count: of the measuring classifier on the reference.
        counts: system, n_in, n_ok, n_failed, reasons.
    """

    scores: pd.DataFrame
    shares: pd.DataFrame
    frechet_groups: pd.DataFrame
    references: pd.DataFrame
    confusion: pd.DataFrame
    counts: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationResult:
    """What a generation audit found.

    Attributes:
        config: the audit's config.
        directory: where the results are.
        systems: the reference, then the config's systems.
        absent: measure -> why it was not taken.
    """

    config: GenerationAudit
    directory: str
    systems: tuple[SystemResult, ...]
    absent: Mapping[str, str] = field(default_factory=dict)

    def table(self, system: str) -> pa.Table:
        """Return a system's table, one row per image, image_id ascending.

        Columns: system, image_id, seed and partner (of a generator) or the shards' columns, pred_<task>, prob_<task>,
        quality_<measure>, status, error, path_aux (of a generator).

        Raises:
            KeyError: there is no such system; says near matches.
        """
        return find_system(self.systems, system).read()

    def state(self, system: str) -> SetState:
        """Return a system's states; they are computed from its rows where none were saved for this config."""
        found = find_system(self.systems, system)
        folder = Folder.open(Folder.open(self.directory).uri_of(STATES))
        config = self.config.realism
        key = {"format": FORMAT, "digest": found.digest, "table": found.table_sha256}
        key |= {"splits": config.splits, "sample": config.sample}
        rows = Folder.open(found.reconstructions)
        make = partial(make_state, rows, self.config.task, self.config.classes, config)
        return load_or_make(SetState, folder, system, key, make)

    def frames(self) -> GenerationFrames:
        """Return scores, shares, the groups' heat map and the experiment of references."""
        states = {system.name: self.state(system.name) for system in self.systems}
        found = frames_of(states, self.config.sets(), self.config.classes, self.config.realism)
        counts = pd.DataFrame([count_rows(system.name, system.read()) for system in self.systems])
        return GenerationFrames(**found, counts=counts)


def run(config: GenerationAudit, on_system_done: Callable[[SystemResult], Any] | None = None) -> GenerationResult:
    """Audit the reference and every system, resuming what an earlier run left.

    Args:
        config: the audit.
        on_system_done: called in the driver with each system's result as it is ready, also with those that an
            earlier run finished.

    Raises:
        ManifestError: no shards there, files that are not those of the manifest, or a split or class that they lack.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        PipelineError: a stage could not be built or kept dying.
        AuditError: a directory that holds another audit's results, missing rows, or more failed rows than allowed.
        MeasureUnavailable: ``inception`` names no file.
    """
    return plan(config).run(on_system_done)


def plan(config: GenerationAudit) -> AuditPlan[GenerationResult]:
    """Check an audit and say what it does; writes seeds, no results, and needs no Ray. Raises as ``run`` does."""
    quality, absent = available(config.quality, config.size)
    config = replace(config, quality=quality)
    if not config.inception:
        absent |= dict.fromkeys(PUBLISHED.values(), "audit.inception names no file of Inception's weights")
    check = getattr(config.classifier, "check_size", None)
    if check is not None:
        check(config.size, config.size)
    classifier = pin(config.classifier, local=config.ray.starts_ray)
    inception = Pinned(None, ())
    if config.inception:
        wanted = InceptionConfig(weights=config.inception)
        wanted.check()
        inception = pin(wanted, local=config.ray.starts_ray)
    home = Folder.open(config.directory)
    return AuditPlan(
        config=image_set(config, config.sets()[0]),
        systems=tuple(_plan_system(config, system, classifier, inception) for system in config.sets()),
        conclude=lambda systems: GenerationResult(config=config, directory=home.uri, systems=systems, absent=absent),
    )


def _plan_system(
    config: GenerationAudit, system: GeneratorSystem, classifier: Pinned, inception: Pinned
) -> SystemAudit:
    """Name a system's results by all that shapes a row, and check the folder for others."""
    parts = {
        "format": FORMAT,
        "system": system.name,
        "classifier": part_of(classifier, config.classifier),
        "task": config.task,
        "inception": inception.fingerprints,
        "quality": [part_of(pin(item), item) for item in config.quality],
    }
    read = _read_seeds if system.generator is not None else _read_images
    identity, source = read(config, system, parts)
    generator = None if system.generator is None else pin(system.generator, local=config.ray.starts_ray).config
    stage = GenerationStage(
        generator=generator,
        classifier=classifier.config,
        task=config.task,
        classes=len(config.classes),
        size=config.size,
        truncation=system.truncation,
        inception=inception.config,
        quality=tuple(pin(item, local=config.ray.starts_ray).config for item in config.quality),
        threads=config.resources.threads,
        gpu=config.resources.num_gpus > 0,
    )
    return plan_system(
        system.name, identity, config=image_set(config, system), source=source, stage=stage, layout=LAYOUT
    )


def _read_seeds(
    config: GenerationAudit, system: GeneratorSystem, parts: dict[str, Any]
) -> tuple[dict[str, Any], Source]:
    """Write the rows of seeds that a generator's images are made of; return what names its rows, and their source."""
    seeds = {"count": config.count, "seed": config.seed, "paths": min(config.paths, config.count), "size": config.size}
    generator = part_of(pin(system.generator), system.generator)
    identity = plain(
        parts
        | {"generator": generator, "truncation": system.truncation, "seeds": seeds}
        | {"gpu": config.resources.num_gpus > 0}
    )
    rows = seed_rows(config.count, config.seed, config.paths)
    folder, name = Folder.open(Folder.open(config.directory).uri_of("seeds")), f"{digest_of(seeds)}.parquet"
    write_table(rows, folder, name)
    images = Images(Selection(), tuple(rows[IMAGE_ID].to_pylist()))
    return identity, Source(images, (folder.uri_of(name),), (IMAGE_ID, SEED, PARTNER), pass_through)


def _read_images(
    config: GenerationAudit, system: GeneratorSystem, parts: dict[str, Any]
) -> tuple[dict[str, Any], Source]:
    """Check a set of images and choose its rows; the task need not be labelled."""
    manifest = Manifest.load(system.images)
    labelled = config.task in manifest.attributes
    if labelled:
        check_classes(manifest, {config.task: config.classes})
    chosen = image_set(config, system)
    source = read_shards(chosen, manifest, {*system.subset, *((config.task,) if labelled else ())})
    return identity_of(chosen, manifest, parts), source


def _build(output: Folder, system: str) -> pa.Table:
    return build_rows(output, system, without=BULK)


LAYOUT: Final = Layout("rows", "generations", _build)
