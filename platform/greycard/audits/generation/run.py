"""The audit of generators and of sets of images: what classes they show how often, and how real they look.

``seeds -> [generator] -> measuring classifier -> rows, features -> states -> scores, shares, frames``

A set of images (real data, a synthetic set) goes through the same stages without the generator, so it stands in the
same table; the reference is one.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from greycard.audits.checks import check_shards
from greycard.audits.generation.configs import REFERENCE, GenerationAudit, GeneratorSystem, RealismConfig, image_set
from greycard.audits.generation.scores import PUBLISHED, frames_of
from greycard.audits.generation.states import SetState, load_state, make_state, save_state
from greycard.audits.images import Images, choose_images
from greycard.audits.pinning import Pinned, pin
from greycard.audits.systems import (
    SystemAudit,
    SystemResult,
    carried_columns,
    compute_all,
    digest_of,
    identity_of,
    part_of,
    plain,
)
from greycard.audits.tables import AuditError, build_rows, write_table
from greycard.datasets.manifest import Manifest, check_classes
from greycard.datasets.storage import Folder
from greycard.metrics.generation.inception import InceptionConfig
from greycard.metrics.no_reference import available
from greycard.schema import ERROR, IMAGE_ID, OK, STATUS, unknown
from greycard.streaming.decode import Decode, pass_through
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
STATES: Final = "states"
_REASONS: Final = 3


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
        config: of the audit.
        directory: where the results are.
        systems: the reference, then the config's systems.
        absent: measure -> why it was not taken.
    """

    config: GenerationAudit
    directory: str
    systems: tuple[SystemResult, ...]
    absent: Mapping[str, str] = field(default_factory=dict)

    def table(self, system: str) -> pa.Table:
        """Return a system's table, one row an image, image_id ascending.

        Columns: system, image_id, seed and partner (of a generator) or the shards' columns, pred_<task>, prob_<task>,
        quality_<measure>, status, error, path_aux (of a generator).

        Raises:
            KeyError: there is no such system; says near matches.
        """
        return self._found(system).read()

    def state(self, system: str) -> SetState:
        """Return a system's states; they are computed from its rows where none were saved for this config."""
        found = self._found(system)
        folder = Folder.open(Folder.open(self.directory).uri_of(STATES))
        config = self.config.realism
        key = {"format": FORMAT, "digest": found.digest, "table": found.table_sha256}
        key |= {"splits": config.splits, "sample": config.sample}
        state = load_state(folder, system, key)
        if state is None:
            output = Folder.open(found.reconstructions)
            state = make_state(output, self.config.task, self.config.classes, config)
            save_state(state, folder, system, key)
        return state

    def frames(self) -> GenerationFrames:
        """Return scores, shares, the groups' heat map and the experiment of references."""
        states = {system.name: self.state(system.name) for system in self.systems}
        found = frames_of(states, self.config.sets(), self.config.classes, self.config.realism)
        counts = pd.DataFrame([_counts(system.name, system.read()) for system in self.systems])
        return GenerationFrames(**found, counts=counts)

    def _found(self, system: str) -> SystemResult:
        found = {item.name: item for item in self.systems}
        if system not in found:
            raise KeyError(unknown("system", system, tuple(found)))
        return found[system]


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
    jobs = [_plan(config, system, classifier, inception) for system in config.sets()]
    results: list[SystemResult] = []
    for result in compute_all(jobs, image_set(config, config.sets()[0])):
        if on_system_done is not None:
            on_system_done(result)
        results.append(result)
    return GenerationResult(
        config=config, directory=Folder.open(config.directory).uri, systems=tuple(results), absent=absent
    )


def _plan(config: GenerationAudit, system: GeneratorSystem, classifier: Pinned, inception: Pinned) -> SystemAudit:
    """Name a system's results by all that shapes a row, and check the folder for others."""
    home = Folder.open(config.directory)
    parts = {
        "format": FORMAT,
        "system": system.name,
        "classifier": part_of(classifier, config.classifier),
        "task": config.task,
        "inception": inception.fingerprints,
        "quality": [part_of(pin(item), item) for item in config.quality],
    }
    images = _seeds(config, system, parts, home) if system.generator is not None else _shards(config, system, parts)
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
    job = SystemAudit(
        name=system.name,
        identity=images.identity,
        config=image_set(config, system),
        images=images.images,
        files=images.files,
        columns=images.columns,
        decode=images.decode,
        stage=stage,
        build=_build,
        output=Folder.open(home.uri_of(f"rows/{system.name}")),
        tables=Folder.open(home.uri_of("generations")),
        checkpoint=Folder.open(home.uri_of(f"checkpoints/{system.name}-{digest_of(images.identity)}")),
    )
    job.refuse_other_results()
    return job


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where a system's rows come from, and all that names them."""

    identity: dict[str, Any]
    images: Images
    files: tuple[str, ...]
    columns: tuple[str, ...]
    decode: Callable[[pa.Table], pa.Table]


def _seeds(config: GenerationAudit, system: GeneratorSystem, parts: dict[str, Any], home: Folder) -> _Rows:
    """Write the rows of seeds that a generator's images are made of."""
    seeds = {"count": config.count, "seed": config.seed, "paths": min(config.paths, config.count), "size": config.size}
    generator = part_of(pin(system.generator), system.generator)
    identity = plain(
        parts
        | {"generator": generator, "truncation": system.truncation, "seeds": seeds}
        | {"gpu": config.resources.num_gpus > 0}
    )
    rows = seed_rows(config.count, config.seed, config.paths)
    folder, name = Folder.open(home.uri_of("seeds")), f"{digest_of(seeds)}.parquet"
    write_table(rows, folder, name)
    return _Rows(
        identity,
        Images(Selection(), tuple(rows[IMAGE_ID].to_pylist())),
        (folder.uri_of(name),),
        (IMAGE_ID, SEED, PARTNER),
        pass_through,
    )


def _shards(config: GenerationAudit, system: GeneratorSystem, parts: dict[str, Any]) -> _Rows:
    """Choose the rows of a set of images and check its files; the task need not be labelled."""
    manifest = Manifest.load(system.images)
    chosen = image_set(config, system)
    images = choose_images(chosen, manifest)
    labelled = config.task in manifest.attributes
    if labelled:
        check_classes(manifest, {config.task: config.classes})
    check_shards(manifest, system.split)
    carried = {*system.subset, *((config.task,) if labelled else ())}
    return _Rows(
        identity_of(chosen, manifest, parts),
        images,
        tuple(manifest.files(system.split)),
        carried_columns(manifest, carried),
        Decode(config.size, config.resize, images.selection),
    )


def _build(output: Folder, system: str) -> pa.Table:
    return build_rows(output, system, without=BULK)


def _counts(system: str, table: pa.Table) -> dict[str, Any]:
    failed = Counter(error for error in table[ERROR].to_pylist() if error)
    ok = table[STATUS].to_pylist().count(OK)
    reasons = "; ".join(f"{count} x {text}" for text, count in failed.most_common(_REASONS))
    return {"system": system, "n_in": len(table), "n_ok": ok, "n_failed": len(table) - ok, "reasons": reasons}
