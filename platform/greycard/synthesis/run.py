"""The driver of a synthesis.

``(class, seed) rows -> [actors: search] -> lineages -> choice -> [actors: render] -> images -> shards -> account``

What is finished is not done again: a wave of lineages and an image by row checkpoints, a shard by its file, the whole
by ``_SUCCESS.json``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from greycard.audits.pinning import Pinned, pin
from greycard.audits.systems import digest_of, part_of
from greycard.audits.tables import write_table
from greycard.config import to_dict
from greycard.datasets.manifest import Manifest, check_classes
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.datasets.storage import Folder
from greycard.streaming.cluster import session
from greycard.streaming.rendering import RenderStage
from greycard.streaming.searching import LINEAGE_INPUT, SearchStage
from greycard.synthesis.choice import choose, further_lineages
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.frames import SynthesisFrames, account
from greycard.synthesis.lineages import CHOSEN_SCHEMA, chosen_tables, input_rows, kept_of, read_lineages
from greycard.synthesis.parts import Part, SynthesisError, disk, empty
from greycard.synthesis.source import SyntheticSource, sheet_rows

__all__ = ["SynthesisConfig", "SynthesisError", "SynthesisFrames", "SynthesisResult", "run"]

FORMAT: Final = 1  # of the rows; another number makes finished results unfinished
STARTED: Final = "_config.json"
SUCCESS: Final = "_SUCCESS.json"
SHARDS: Final = "shards"
_WAVES: Final = 20  # at most; each later one is sized by what those before gave
_SPREAD: Final = ("directory", "resources", "ray", "like", "size", "batch", "together", "rows_per_call")


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisResult:
    """What a synthesis made.

    Attributes:
        config: the config of the synthesis.
        directory: where the results are: ``shards/``, ``lineages/`` (all latents), ``chosen/`` (those of the set, with
            their place in their lineages), ``tables/``.
        manifest: of the shards: attribute = the task, identity = the lineage.
        frames: the account.
        shortfalls: class -> images that are missing; empty where every class is full.
        digest: names all that shapes the set.
        seconds: what searching and rendering took in this run; 0 where nothing was left to do.
    """

    config: SynthesisConfig
    directory: str
    manifest: Manifest
    frames: SynthesisFrames
    shortfalls: dict[str, int]
    digest: str
    seconds: dict[str, float]

    def sheet(self) -> pd.DataFrame:
        """Return the first lineages of each class with images, for a lineage sheet.

        Columns: image_id, label, lineage, seed, number, parent, depth, distance, duplicate, chosen, image (PNG).
        """
        tables = Folder.open(Folder.open(self.directory).uri_of("tables"))
        frame: pd.DataFrame = tables.table("sheet.parquet").to_pandas()
        return frame


def run(config: SynthesisConfig, on_wave: Callable[[str], Any] = print) -> SynthesisResult:
    """Make the set, or what an earlier run left of it. A class that is short is in ``shortfalls``.

    Args:
        config: the config of the synthesis.
        on_wave: called with a line that says what each wave of lineages gave.

    Raises:
        ManifestError: ``like`` has other classes than the classifier, or the shards' folder holds something else.
        FileNotFoundError: no weights there.
        RayError: Ray is not reachable, or the actors do not fit the cluster.
        PipelineError: a stage could not be built (weights of another architecture) or kept dying.
        SynthesisError: no image of any class was found, the directory holds another set, or the disk is full.
    """
    if config.like:
        check_classes(Manifest.load(config.like), {config.task: config.known_classes})
    return _Synthesis(config).run(on_wave)


class _Synthesis:
    """A synthesis under way: its folders, its pinned models and its name."""

    def __init__(self, config: SynthesisConfig) -> None:
        self.config = config
        self.generator = pin(config.generator, local=config.ray.starts_ray)
        self.classifier = pin(config.classifier, local=config.ray.starts_ray)
        self.identity = _identity(config, self.generator, self.classifier)
        self.digest = digest_of(self.identity)
        self.home = Folder.open(config.directory)
        self.chosen, self.images, self.tables = (self._folder(name) for name in ("chosen", "images", "tables"))
        self.seconds = {"search": 0.0, "render": 0.0}

    def run(self, on_wave: Callable[[str], Any]) -> SynthesisResult:
        with disk(self.home):
            self._start()
            finished = self._finished()
            if finished:
                return finished
            with session(self.config.ray):
                waves = self._search(on_wave)
                self._choose(waves)
                self.seconds["render"] = self._rendering().run(self.config.resources, self.config.ray)
            return self._write(waves)

    def _folder(self, name: str) -> Folder:
        return Folder.open(self.home.uri_of(name))

    def _start(self) -> None:
        """Check that the directory is this synthesis's, and name it."""
        self.home.create()
        if STARTED in self.home.names():
            found = json.loads(self.home.read(STARTED))
            if found.pop("digest") == self.digest:
                return
            other = sorted(name for name in self.identity if found.get(name) != self.identity[name])
            raise SynthesisError(
                f"{self.home.uri} holds a set of another config: {', '.join(other)} differ. Choose another "
                "synthesis.directory, or delete that folder"
            )
        self.home.write(STARTED, json.dumps({"digest": self.digest, **self.identity}, indent=1).encode())

    def _finished(self) -> SynthesisResult | None:
        if SUCCESS not in self.home.names() or "manifest.json" not in self._folder(SHARDS).names():
            return None
        summary = json.loads(self.home.read(SUCCESS))
        return self._result(Manifest.load(self._folder(SHARDS).uri), SynthesisFrames.read(self.tables), summary)

    def _search(self, on_wave: Callable[[str], Any]) -> list[Folder]:
        """Search in waves until every class has enough or is given up; returns the waves' folders."""
        waves: list[Folder] = []
        while len(waves) < _WAVES:
            rows = read_lineages(waves)
            more = {}
            for code in self.config.wanted:
                kept = kept_of(rows, code)
                count = further_lineages(self.config, code, kept)
                if count > 0:
                    more[code] = (len(kept), count)
            if not more:
                break
            name = f"wave-{len(waves):03d}"
            write_table(input_rows(self.config, more), self._folder(f"rows/{name}"), "rows.parquet")
            part = self._searching(name)
            self.seconds["search"] += part.run(self.config.resources, self.config.ray)
            waves.append(part.output)
            on_wave(_wave_line(len(waves), read_lineages(waves[-1:])))
        return waves

    def _searching(self, name: str) -> Part:
        config = self.config
        return Part(
            name=f"{config.method} {name}",
            source=self._folder(f"rows/{name}"),
            columns=LINEAGE_INPUT,
            stage=SearchStage(
                generator=self.generator.config,
                classifier=self.classifier.config,
                task=config.task,
                method=config.method,
                search=config.search,
                batch=config.batch,
                together=config.together,
                threads=config.resources.threads,
                gpu=config.resources.num_gpus > 0,
            ),
            output=self._folder(f"lineages/{name}"),
            checkpoint=self._folder(f"checkpoints/{name}-{self.digest}"),
            rows=config.rows_per_call,
            unit="lineage",
        )

    def _choose(self, waves: list[Folder]) -> None:
        """Write the latents to make images of."""
        rows = read_lineages(waves)
        taken = {code: choose(self.config, code, kept_of(rows, code)) for code in self.config.wanted}
        if not any(item.splits for lineages in taken.values() for item in lineages.values()):
            raise SynthesisError(
                f"no image of {', '.join(self.config.wanted.values())} among {sum(row['looked'] for row in rows)} "
                f"seeds: the generator does not make {self.config.task} such, or the classifier does not see it. Raise "
                "search.start_budget, or look at what the classifier says of the generator's images"
            )
        empty(self.chosen)
        for number, table in enumerate(chosen_tables(self.config, waves, taken)):
            write_table(table, self.chosen, f"part-{number:05d}.parquet")

    def _rendering(self) -> Part:
        config = self.config
        return Part(
            name="images",
            source=self.chosen,
            columns=tuple(CHOSEN_SCHEMA.names),
            stage=RenderStage(
                generator=self.generator.config,
                classifier=self.classifier.config,
                task=config.task,
                space=config.search.space,
                truncation=config.search.truncation,
                threads=config.resources.threads,
                gpu=config.resources.num_gpus > 0,
            ),
            output=self.images,
            checkpoint=self._folder(f"checkpoints/images-{self.digest}"),
            rows=config.resources.rows_per_block,
            unit="image",
        )

    def _write(self, waves: list[Folder]) -> SynthesisResult:
        """Write shards and tables from the rendered images, which are deleted then."""
        config = self.config
        frames = account(config, read_lineages(waves), self.images)
        short = frames.counts.groupby("label", sort=False)["short"].sum()
        shortfalls = {str(label): int(count) for label, count in short.items() if count}
        stated = {"method": config.method, "count": config.count, "digest": self.digest, "shortfalls": shortfalls}
        source = SyntheticSource(config.name, config.task, config.known_classes, self.images, stated)
        manifest = write_shards(
            source,
            self._folder(SHARDS).uri,
            split=SplitConfig(by="source"),
            rows_per_shard=config.rows_per_shard,
            progress=config.ray.show_progress,
        )
        frames.write(self.tables)
        write_table(sheet_rows(self.images), self.tables, "sheet.parquet")
        summary = {"shortfalls": shortfalls, "seconds": self.seconds}
        self.home.write(SUCCESS, json.dumps(summary, indent=1).encode())
        empty(self.images)
        return self._result(manifest, frames, summary)

    def _result(self, manifest: Manifest, frames: SynthesisFrames, summary: dict[str, Any]) -> SynthesisResult:
        return SynthesisResult(
            config=self.config,
            directory=self.home.uri,
            manifest=manifest,
            frames=frames,
            shortfalls=summary["shortfalls"],
            digest=self.digest,
            seconds=self.seconds,
        )


def _identity(config: SynthesisConfig, generator: Pinned, classifier: Pinned) -> dict[str, Any]:
    """Return all that shapes the set, as plain values; how the work is spread is not part of it."""
    plain = to_dict(config)
    values = {name: value for name, value in plain.items() if name not in (*_SPREAD, "generator", "classifier")}
    values |= {
        "format": FORMAT,
        "generator": part_of(generator, config.generator),
        "classifier": part_of(classifier, config.classifier),
        "gpu": config.resources.num_gpus > 0,
    }
    identity: dict[str, Any] = json.loads(json.dumps(values, sort_keys=True))
    return identity


def _wave_line(wave: int, rows: list[dict[str, Any]]) -> str:
    """Say in a line what a wave gave."""
    labels = dict.fromkeys(row["label"] for row in rows)
    kept = {label: sum(row["kept"] for row in rows if row["label"] == label) for label in labels}
    lost = sum(row["status"] != "ok" for row in rows)
    without = f", {lost} without a start" if lost else ""
    given = ", ".join(f"{label} {count}" for label, count in kept.items())
    return f"wave {wave}: {len(rows)} lineages{without}; latents: {given}"
