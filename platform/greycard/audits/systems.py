"""What an audit does for each of its systems: what names its results, its pipeline, and the account of every image.

``started (_config.json) -> stream what is missing -> none missing, none twice -> table -> _SUCCESS.json``
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import pyarrow as pa

from greycard.audits.checks import check_shards
from greycard.audits.configs import ImageAudit
from greycard.audits.images import Images, choose_images
from greycard.audits.pinning import Pinned
from greycard.audits.tables import AuditError, failures, missing_ids, write_table
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID, POINT, SPLIT, unknown
from greycard.streaming.cluster import require, session
from greycard.streaming.decode import Decode
from greycard.streaming.pipeline import Pipeline, Stage, Table
from greycard.streaming.progress import progress
from greycard.streaming.row_checkpoint import drop_duplicates, sweep

R = TypeVar("R")

SUCCESS: Final = "_SUCCESS.json"
STARTED: Final = "_config.json"
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResult:
    """One system's results.

    Attributes:
        name: the system's name.
        digest: names what was computed: the system, its weights, the images and everything that shapes a row.
        table: path or URI of its table.
        reconstructions: folder of the rows as they came; for a codec, its reconstruction set.
        points: its operating points, ascending; a predictor has none.
        images: the number of images that take part, n_in.
        rows: the number of rows of the table, one per image and point: n_ok + n_failed.
        n_ok: rows that succeeded.
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
        """Read the table."""
        folder, _, name = self.table.rpartition("/")
        return Folder.open(folder).table(name)

    def describe(self) -> str:
        """Return one line on what was done for the system, and how fast."""
        took = f"{self.images / self.seconds:,.0f} images/s" if self.seconds else "was there already"
        points = f" x {len(self.points)} points" if self.points else ""
        return f"{self.name}: {self.images:,} images{points}, {self.n_failed} failed, {took}"


def find_system(systems: Sequence[SystemResult], name: str) -> SystemResult:
    """Return the result of that name.

    Raises:
        KeyError: there is no such system; says near matches.
    """
    found = {item.name: item for item in systems}
    if name not in found:
        raise KeyError(unknown("system", name, tuple(found)))
    return found[name]


class Source(NamedTuple):
    """Where the rows of a pipeline come from.

    Attributes:
        images: those that take part.
        files: paths or URIs of what is read.
        columns: the columns of these files that rows keep or need.
        decode: what tasks make of what is read.
    """

    images: Images
    files: tuple[str, ...]
    columns: tuple[str, ...]
    decode: Table


class Layout(NamedTuple):
    """Where a family's results lie in an audit's directory, and how rows become a table.

    Attributes:
        rows: folder of the rows as they come, one folder per system.
        tables: folder of the finished tables.
        build: makes the table from the folder of a system's rows and its name.
    """

    rows: str
    tables: str
    build: Callable[[Folder, str], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAudit:
    """One system of an audit: what names it, what its actors do, and where its files are.

    Attributes:
        name: the system's name.
        identity: all that shapes its rows, as plain values; how the work is spread is not part of it.
        config: the audit's config.
        images: those that take part.
        files: paths or URIs of what is read.
        columns: the columns of these files that its rows keep or need.
        decode: what tasks make of what is read.
        stage: what its actors do with decoded rows.
        build: makes the table from the folder of its rows and its name.
        output: its rows as they come.
        tables: folder of the finished tables.
        checkpoint: ids of the rows that are written.
    """

    name: str
    identity: dict[str, Any]
    config: ImageAudit
    images: Images
    files: tuple[str, ...]
    columns: tuple[str, ...]
    decode: Table
    stage: Stage
    build: Callable[[Folder, str], pa.Table]
    output: Folder
    tables: Folder
    checkpoint: Folder

    @property
    def digest(self) -> str:
        """The digest that names all that shapes a row."""
        return digest_of(self.identity)

    @property
    def table_name(self) -> str:
        """The name of the table's file."""
        return f"{self.name}.parquet"

    def finished(self) -> SystemResult | None:
        """Return the result of an earlier run, if it is complete."""
        if SUCCESS not in self.output.names() or self.table_name not in self.tables.names():
            return None
        return _result(json.loads(self.output.read(SUCCESS)), self.output, self.tables)

    def refuse_other_results(self) -> None:
        """Check that the folder of its rows holds none that were computed otherwise.

        Raises:
            AuditError: the folder holds rows that were computed otherwise.
        """
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

    def compute(self) -> SystemResult:
        """Stream the images that are not written yet, account for every one, and write the table."""
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
                f"{self.name}: {len(missing)} of {len(self.images.ids)} images never came out of the pipeline "
                f"({', '.join(sorted(missing)[:5])}); delete {self.output.uri} and {self.checkpoint.uri} and run again"
            )
        return self._succeed(self.build(self.output, self.name), time.monotonic() - start)

    def _missing(self) -> set[str]:
        sweep(self.output, self.checkpoint)
        drop_duplicates(self.output)
        return missing_ids(self.output, self.images.ids)

    def _stream(self, *, resuming: bool) -> None:
        config = self.config
        resources = config.resources.on_this_cluster(len(self.images.ids))
        require(resources.demand(resuming=resuming), config.ray, f"the audit of {self.name}")
        pipeline = Pipeline(
            name=self.name,
            files=self.files,
            columns=self.columns,
            decode=self.decode,
            stage=self.stage,
            output=self.output,
            checkpoint=self.checkpoint,
            resources=resources,
        )
        with progress(self.name, len(self.images.ids), "image", self.checkpoint, show=config.ray.show_progress):
            pipeline.run()

    def _succeed(self, table: pa.Table, seconds: float) -> SystemResult:
        failed, examples = failures(table)
        values = {
            "name": self.name,
            "digest": self.digest,
            "points": sorted(set(table[POINT].to_pylist())) if POINT in table.column_names else [],
            "images": len(self.images.ids),
            "rows": len(table),
            "n_ok": len(table) - failed,
            "n_failed": failed,
            "examples": examples,
            "table_sha256": write_table(table, self.tables, self.table_name),
        }
        self.output.write(SUCCESS, json.dumps(values, indent=1).encode())
        return _result(values, self.output, self.tables, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan(Generic[R]):
    """What an audit is about to do, checked, with the weights of its models at hand.

    Its systems are plain values. To time or count what workers do, run a plan whose systems have another ``decode`` or
    ``stage`` around their own: neither is part of what names the results.

    Attributes:
        config: how images are spread and how many rows may fail.
        systems: the systems, in the order of the tables.
        conclude: makes the audit's result from its systems' results.
    """

    config: ImageAudit
    systems: tuple[SystemAudit, ...]
    conclude: Callable[[tuple[SystemResult, ...]], R]

    def run(self, on_system_done: Callable[[SystemResult], Any] | None = None) -> R:
        """Audit every system, resuming what an earlier run left, in a session with Ray if something is left to do.

        Args:
            on_system_done: called in the driver with each system's result as it is ready, also with those that an
                earlier run finished.

        Raises:
            RayError: Ray is not reachable, or the actors do not fit the cluster.
            PipelineError: a stage could not be built or kept dying.
            AuditError: missing rows, or more failed rows than allowed (raised after the result was handed out).
        """
        unfinished = any(system.finished() is None for system in self.systems)
        results = []
        with session(self.config.ray) if unfinished else nullcontext():
            for system in self.systems:
                results.append(result := system.finished() or system.compute())
                if on_system_done is not None:
                    on_system_done(result)
                _check_budget(result, self.config.max_failed_share)
        return self.conclude(tuple(results))


def plan_system(
    name: str, identity: dict[str, Any], *, config: ImageAudit, source: Source, stage: Stage, layout: Layout
) -> SystemAudit:
    """Return one system's part, named by all that shapes a row; checks its folder for results of another config.

    Raises:
        AuditError: the directory holds results of this name that were computed otherwise.
    """
    home = Folder.open(config.directory)
    system = SystemAudit(
        name=name,
        identity=identity,
        config=config,
        **source._asdict(),
        stage=stage,
        build=layout.build,
        output=Folder.open(home.uri_of(f"{layout.rows}/{name}")),
        tables=Folder.open(home.uri_of(layout.tables)),
        checkpoint=Folder.open(home.uri_of(f"checkpoints/{name}-{digest_of(identity)}")),
    )
    system.refuse_other_results()
    return system


def read_shards(config: ImageAudit, manifest: Manifest, attributes: set[str]) -> Source:
    """Check the shards' files and choose the images; their rows keep the image, its keys and the named attributes.

    Raises:
        ManifestError: files that are not those of the manifest, or a split, attribute or class that is not there.
        AuditError: an id is there twice, or nothing is left.
    """
    check_shards(manifest, config.split)
    images = choose_images(config, manifest)
    return Source(
        images,
        tuple(manifest.files(config.split)),
        (IMAGE_ID, IMAGE, SPLIT, IDENTITY, *(name for name in manifest.attributes if name in attributes)),
        Decode(config.size, config.resize, images.selection),
    )


def identity_of(config: ImageAudit, manifest: Manifest, parts: dict[str, Any]) -> dict[str, Any]:
    """Return all that shapes a system's rows: its parts, and the images as they are decoded."""
    values = parts | {
        "images": {
            "manifest": manifest.digest,
            "split": config.split,
            "subset": config.subset,
            "limit": config.limit,
            "size": config.size,
            "resize": config.resize,
        },
        "gpu": config.resources.num_gpus > 0,
    }
    return plain(values)


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as JSON holds them, so that they compare equal to those of a file."""
    identity: dict[str, Any] = json.loads(json.dumps(values, sort_keys=True))
    return identity


def part_of(pinned: Pinned, config: Any) -> dict[str, Any]:
    """Return a model's part of an identity: its config as it was given, and what its weights hold."""
    return dataclasses.asdict(config) | {"fingerprints": pinned.fingerprints}


def digest_of(identity: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits that name an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _check_budget(result: SystemResult, allowed: float) -> None:
    share = result.n_failed / result.rows
    if share > allowed:
        raise AuditError(
            f"{result.name}: {result.n_failed} of {result.rows} rows failed ({share:.1%}), and audit.max_failed_share "
            f"is {allowed:.1%}. The table is written: {result.table}. For example: " + "; ".join(result.examples)
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
