"""The audit of systems that restore an image: codecs, and later upsamplers, against the original, image by image.

``manifest -> checks -> [a system: shards -> decode -> codec at every point -> measures, classifiers -> reconstruction
set -> every image accounted for -> audit table] -> result``

A system is one Ray Data pipeline with all its operating points, so an image is read once. What is finished is not done
again: a system by its ``_SUCCESS.json``, an image by the row checkpoint.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from greycard.audits.tables import AuditError, build_table, failures, missing_ids, read_table, write_table
from greycard.audits.weights import Pinned, pin
from greycard.classifiers import ClassifierConfig
from greycard.codecs import CodecConfig
from greycard.datasets.manifest import Manifest, ManifestError, check_attributes, check_classes
from greycard.datasets.storage import Folder
from greycard.metrics.distortion import MeasureConfig
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID, SPLIT, unknown
from greycard.streaming.decode import Decode
from greycard.streaming.pipeline import Pipeline, Resources
from greycard.streaming.progress import progress
from greycard.streaming.selection import Selection
from greycard.streaming.session import SessionConfig, require, session
from greycard.streaming.stages import RestorationStage
from greycard.streaming.written import drop_duplicates, sweep

SUCCESS: Final = "_SUCCESS.json"
STARTED: Final = "_config.json"
FORMAT: Final = 1  # of the reconstruction set and the audit table; another number makes finished systems unfinished
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A codec under the name that tables and reports give it.

    Attributes:
        name: letters, digits, ``-``, ``_`` and ``.``; it names files.
        codec: its config, with all its operating points. A recipe or ``--set`` names one of the family; code may put
            any frozen dataclass here that has ``build()`` and returns a ``Codec``.
    """

    name: str
    codec: CodecConfig

    def __post_init__(self) -> None:
        if (
            not self.name
            or not all(letter.isalnum() or letter in "-_." for letter in self.name)
            or self.name[0] in "._"
        ):
            raise ValueError(
                f"a system's name must be letters, digits, '-', '_' and '.', and start with a letter or digit, got "
                f"{self.name!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorationAudit:
    """What is audited, on which images, with which measures.

    Attributes:
        study: the name under which results belong together.
        shards: folder of the shards, local or ``s3://``.
        split: the split to audit.
        subset: attribute -> classes that take part; others are left out.
        limit: at most so many images, chosen by a hash of their ids; 0 takes all.
        systems: what is audited; ``raw`` among them is the reference of bias differences.
        measures: full-reference measures, one number an image and point.
        classifiers: the ensemble: a task's classifiers (seeds) give one prediction each, in this order.
        attributes: group attributes that the audit table carries; none means all that the data set has.
        size: height and width that a system gets, in pixels.
        resize: cut and resample images of another size; otherwise they fail.
        max_failed_share: share of rows that may fail before the job ends with an error (after writing the table).
        directory: where results go, local or ``s3://``; it must be reachable from every node.
        resources: how the work is spread; results do not depend on it.
        ray: how to reach Ray.
    """

    study: str = "audit"
    shards: str = "runs/shards"
    split: str = "test"
    subset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int = 0
    systems: tuple[System, ...] = ()
    measures: tuple[MeasureConfig, ...] = ()
    classifiers: tuple[ClassifierConfig, ...] = ()
    attributes: tuple[str, ...] = ()
    size: int = 64
    resize: bool = False
    max_failed_share: float = 0.01
    directory: str = "runs/audit"
    resources: Resources = field(default_factory=Resources)
    ray: SessionConfig = field(default_factory=SessionConfig)

    def __post_init__(self) -> None:
        if not self.systems:
            raise ValueError("audit.systems must name at least one system")
        names = [system.name for system in self.systems]
        if len(set(names)) < len(names):
            raise ValueError(f"audit.systems must have different names, got {', '.join(names)}")
        if self.size < 1 or self.limit < 0:
            raise ValueError(f"audit.size must be at least 1 and audit.limit at least 0, got {self.size}, {self.limit}")
        if not 0.0 <= self.max_failed_share <= 1.0:
            raise ValueError(f"audit.max_failed_share must be 0..1, got {self.max_failed_share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResult:
    """One system's results.

    Attributes:
        name: of the system.
        digest: names what was computed: the system, its weights, the images and everything that shapes a row.
        table: path or URI of its audit table.
        reconstructions: folder of its reconstruction set.
        points: its operating points, ascending.
        images: n_in of the audit, images.
        rows: images x points = n_ok + n_failed.
        n_ok: rows that are well.
        n_failed: rows that failed.
        examples: a few failures in words.
        seconds: time that its pipeline took; 0 where nothing was left to do.
        table_sha256: hash of the table's file.
    """

    name: str
    digest: str
    table: str
    reconstructions: str
    points: tuple[float, ...]
    images: int
    rows: int
    n_ok: int
    n_failed: int
    examples: tuple[str, ...]
    seconds: float
    table_sha256: str

    def read(self) -> pa.Table:
        """Read the audit table."""
        folder, _, name = self.table.rpartition("/")
        return read_table(Folder.open(folder), name)


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
        ManifestError: no shards there, or an attribute, class or split that they do not have.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        PipelineError: a stage could not be built or kept dying.
        AuditError: the directory holds another audit's results, rows are missing, or more rows failed than allowed.
    """
    manifest = Manifest.load(config.shards)
    absent = {measure.name: reason for measure in config.measures if (reason := _missing(measure))}
    config = dataclasses.replace(
        config, measures=tuple(measure for measure in config.measures if measure.name not in absent)
    )
    images = choose_images(config, manifest)
    shared = tuple(pin(part, local=config.ray.starts_ray) for part in (*config.measures, *config.classifiers))
    jobs = [_Job.plan(config, system, manifest, images, shared) for system in config.systems]
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


@dataclass(frozen=True, slots=True)
class Images:
    """The images of an audit: how to tell them in the shards, and their ids."""

    selection: Selection
    ids: tuple[str, ...]


def choose_images(config: RestorationAudit, manifest: Manifest) -> Images:
    """Return which images take part; checks every name that the config uses against the manifest.

    Raises:
        ManifestError: a split, attribute or class is not there.
        AuditError: an id is there twice, or nothing is left.
    """
    check_attributes(manifest, (*config.attributes, *config.subset))
    for name, classes in config.subset.items():
        for label in classes:
            if label not in manifest.attributes[name]:
                raise ManifestError(f"audit.subset: {unknown(f'{name} label', label, manifest.attributes[name])}")
    check_classes(manifest, {task: kinds for item in config.classifiers for task, kinds in _class_sets(item).items()})
    labels = _read_columns(manifest, config.split, (IMAGE_ID, SPLIT, *config.subset))
    selection = Selection(config.split, config.subset)
    if config.limit:
        selection = selection.limited(labels, config.limit)
    ids = selection.apply(labels)[IMAGE_ID].to_pylist()
    if len(set(ids)) < len(ids):
        twice = sorted({image_id for image_id in ids if ids.count(image_id) > 1})[:5]
        raise AuditError(f"{manifest.uri} has image ids more than once: {', '.join(twice)}. Write the shards again")
    if not ids:
        raise AuditError(
            f"no image of split {config.split!r} in {manifest.uri} has {dict(config.subset)}; widen audit.subset"
        )
    return Images(selection, tuple(ids))


def _class_sets(classifier: Any) -> dict[str, tuple[str, ...]]:
    known = getattr(classifier, "class_sets", {})
    return {task: known[task] for task in getattr(classifier, "tasks", ()) if task in known}


def _read_columns(manifest: Manifest, split: str, columns: tuple[str, ...]) -> pa.Table:
    folder = Folder.open(manifest.uri)
    parts = []
    for shard in manifest.shards_of(split):
        with folder.filesystem.open_input_file(folder.path_of(shard.name)) as file:
            parts.append(pq.read_table(file, columns=list(dict.fromkeys(columns))))
    return pa.concat_tables([_plain(part) for part in parts])


def _plain(table: pa.Table) -> pa.Table:
    return pa.table({name: table[name].cast(pa.string()) for name in table.column_names})


@dataclass(frozen=True, slots=True)
class _Job:
    """One system of an audit: where its files are and what names them."""

    config: RestorationAudit
    system: System
    manifest: Manifest
    images: Images
    codec: Pinned
    shared: tuple[Pinned, ...]  # measures, then classifiers
    identity: dict[str, Any]
    output: Folder
    tables: Folder
    checkpoint: Folder

    @classmethod
    def plan(
        cls,
        config: RestorationAudit,
        system: System,
        manifest: Manifest,
        images: Images,
        shared: tuple[Pinned, ...],
    ) -> "_Job":
        """Name the system's results by all that shapes a row.

        Raises:
            AuditError: the directory holds results of this name that were computed otherwise.
        """
        codec = pin(system.codec, local=config.ray.starts_ray)
        identity = _identity(config, system, manifest, codec, shared)
        digest = _digest(identity)
        home = Folder.open(config.directory)
        job = cls(
            config,
            system,
            manifest,
            images,
            codec,
            shared,
            identity,
            Folder.open(home.uri_of(f"reconstructions/{system.name}")),
            Folder.open(home.uri_of("audit")),
            Folder.open(home.uri_of(f"checkpoints/{system.name}-{digest}")),
        )
        job._refuse_other_results()
        return job

    @property
    def digest(self) -> str:
        return _digest(self.identity)

    @property
    def table_name(self) -> str:
        return f"{self.system.name}.parquet"

    def finished(self) -> SystemResult | None:
        """Return the result of an earlier run, if it is complete."""
        if SUCCESS not in self.output.names() or self.table_name not in self.tables.names():
            return None
        return _result(json.loads(self.output.read(SUCCESS)), self.output, self.tables)

    def compute(self) -> SystemResult:
        """Stream the images that are not written yet, account for every one, and write the audit table."""
        start = time.monotonic()
        self.output.create()
        self.output.write(STARTED, json.dumps({"digest": self.digest, **self.identity}, indent=1).encode())
        missing = self._missing()
        for _ in range(_ROUNDS):
            if not missing:
                break
            self._stream(resuming=len(missing) < len(self.images.ids))
            missing = self._missing()
        if missing:
            raise AuditError(
                f"{self.system.name}: {len(missing)} of {len(self.images.ids)} images never came out of the pipeline "
                f"({', '.join(sorted(missing)[:5])}); delete {self.output.uri} and {self.checkpoint.uri} and run again"
            )
        table = build_table(self.output, self.system.name)
        return self._succeed(table, time.monotonic() - start)

    def _missing(self) -> set[str]:
        sweep(self.output, self.checkpoint)
        drop_duplicates(self.output)
        return missing_ids(self.output, self.images.ids)

    def _stream(self, *, resuming: bool) -> None:
        config = self.config
        name = self.system.name
        resources = config.resources.on_this_cluster(len(self.images.ids))
        require(resources.demand(resuming=resuming), config.ray, f"the audit of {name}")
        pipeline = Pipeline(
            name=name,
            files=tuple(self.manifest.files(config.split)),
            columns=self._columns(),
            decode=Decode(config.size, config.resize, self.images.selection),
            stage=self._stage(),
            output=self.output,
            checkpoint=self.checkpoint,
            resources=resources,
        )
        with progress(name, len(self.images.ids), self.checkpoint, show=config.ray.show_progress):
            pipeline.run()

    def _columns(self) -> tuple[str, ...]:
        config = self.config
        tasks = {task for item in config.classifiers for task in _class_sets(item)}
        carried = {*(config.attributes or self.manifest.attributes), *tasks, *config.subset}
        return (IMAGE_ID, IMAGE, SPLIT, IDENTITY, *(name for name in self.manifest.attributes if name in carried))

    def _stage(self) -> RestorationStage:
        config = self.config
        models = [part.config for part in self.shared]
        return RestorationStage(
            codec=self.codec.config,
            measures=tuple(models[: len(config.measures)]),
            classifiers=tuple(models[len(config.measures) :]),
            size=config.size,
            threads=config.resources.threads,
            gpu=config.resources.num_gpus > 0,
        )

    def _succeed(self, table: pa.Table, seconds: float) -> SystemResult:
        failed, examples = failures(table)
        values = {
            "name": self.system.name,
            "digest": self.digest,
            "points": sorted(set(table["point"].to_pylist())),
            "images": len(self.images.ids),
            "rows": len(table),
            "n_ok": len(table) - failed,
            "n_failed": failed,
            "examples": examples,
            "table_sha256": write_table(table, self.tables, self.table_name),
        }
        self.output.write(SUCCESS, json.dumps(values, indent=1).encode())
        return _result(values, self.output, self.tables, seconds)

    def _refuse_other_results(self) -> None:
        names = self.output.names()
        if STARTED not in names:
            if any(name.endswith(".parquet") for name in names):
                raise AuditError(f"{self.output.uri} holds files that no audit wrote; choose another audit.directory")
            return
        found = json.loads(self.output.read(STARTED))
        if found.pop("digest") != self.digest:
            other = sorted(name for name in self.identity if found.get(name) != self.identity[name])
            raise AuditError(
                f"{self.output.uri} holds results of another config: {', '.join(other)} differ. Choose another "
                "audit.directory or another name for the system, or delete that folder"
            )


def _identity(
    config: RestorationAudit, system: System, manifest: Manifest, codec: Pinned, shared: tuple[Pinned, ...]
) -> dict[str, Any]:
    """Return all that shapes a system's rows; how the work is spread is not part of it."""
    parts = [
        dataclasses.asdict(part) | {"fingerprints": pinned.fingerprints}
        for part, pinned in zip((system.codec, *config.measures, *config.classifiers), (codec, *shared), strict=True)
    ]
    values = {
        "format": FORMAT,
        "system": system.name,
        "codec": parts[0],
        "measures": parts[1 : len(config.measures) + 1],
        "classifiers": parts[len(config.measures) + 1 :],
        "images": {
            "manifest": manifest.digest,
            "split": config.split,
            "subset": config.subset,
            "limit": config.limit,
            "size": config.size,
            "resize": config.resize,
            "attributes": config.attributes,
        },
        "gpu": config.resources.num_gpus > 0,
    }
    identity: dict[str, Any] = json.loads(json.dumps(values, sort_keys=True))
    return identity


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _check_budget(result: SystemResult, config: RestorationAudit) -> None:
    share = result.n_failed / result.rows
    if share > config.max_failed_share:
        raise AuditError(
            f"{result.name}: {result.n_failed} of {result.rows} rows failed ({share:.1%}), and audit.max_failed_share "
            f"is {config.max_failed_share:.1%}. The table is written: {result.table}. For example: "
            + "; ".join(result.examples)
        )


def _result(values: dict[str, Any], output: Folder, tables: Folder, seconds: float = 0.0) -> SystemResult:
    name = values["name"]
    return SystemResult(
        **{key: value for key, value in values.items() if key not in ("points", "examples")},
        points=tuple(values["points"]),
        examples=tuple(values["examples"]),
        table=tables.uri_of(f"{name}.parquet"),
        reconstructions=output.uri,
        seconds=seconds,
    )
