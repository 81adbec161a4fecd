"""One system's part of an audit: what names its results, its pipeline, and the account of every image.

``started (_config.json) -> stream what is missing -> none missing, none twice -> audit table -> _SUCCESS.json``
"""

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from greycard.audits.configs import RestorationAudit, System
from greycard.audits.images import Images, class_sets
from greycard.audits.tables import AuditError, build_table, failures, missing_ids, read_table, write_table
from greycard.audits.weights import Pinned, pin
from greycard.datasets.manifest import Manifest
from greycard.datasets.storage import Folder
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID, POINT, SPLIT
from greycard.streaming.decode import Decode
from greycard.streaming.pipeline import Pipeline
from greycard.streaming.progress import progress
from greycard.streaming.session import require
from greycard.streaming.stages import RestorationStage
from greycard.streaming.written import drop_duplicates, sweep

SUCCESS: Final = "_SUCCESS.json"
STARTED: Final = "_config.json"
FORMAT: Final = 1  # of the reconstruction set and the audit table; another number makes finished systems unfinished
_ROUNDS: Final = 3


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


@dataclass(frozen=True, slots=True)
class SystemAudit:
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
    ) -> "SystemAudit":
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
        """Names all that shapes a row."""
        return _digest(self.identity)

    @property
    def table_name(self) -> str:
        """The audit table's file."""
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
        tasks = {task for item in config.classifiers for task in class_sets(item)}
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
            "points": sorted(set(table[POINT].to_pylist())),
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
