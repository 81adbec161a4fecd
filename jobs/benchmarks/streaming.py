"""Streamed throughput of an audit against a bare single-process loop that does the same work, in the same run.

The work of both: read shards, decode, a full-width Hyperprior (random weights: its speed does not depend on them),
measures, PNG files, Parquet files, audit table. Both use the same number of torch threads in total: the bare loop gives
all of them to torch, the stream one to each actor. Start-up (Ray, workers, imports, loading the model) is shown apart:
the stream's clock starts when the first task starts to decode its first block, so that all decoding is charged, and
ends when the audit table is written. Shown as well: the time from when the last actor was ready, which also holds the
start of the processes that read, and how long the first actor waited for its first block.
"""

import itertools
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import plan
from greycard.audits.restoration.tables import build_table
from greycard.audits.tables import write_table
from greycard.codecs import HyperpriorConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.manifest import Manifest
from greycard.datasets.pixels import decode_image, encode_png
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.datasets.storage import Folder
from greycard.layers.weights import save_weights
from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim
from greycard.protocols import Codec
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources, Stage, Table
from jobs.benchmarks.timing import Comparison, Measured, timed, torch_threads, workplace

LAMBDA = 0.0018
MEASURES = (Mse(), Psnr(), Ssim())


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingConfig:
    """What is timed.

    Attributes:
        images: drawn faces.
        size: their height and width in pixels.
        width: of the Hyperprior.
        bitstreams: also write real entropy-coded bytes.
        actors: that hold the codec; the bare loop gets as many torch threads.
        rows_per_block: images per block, and a batch of the bare loop.
        directory: where files go; "" is a temporary folder that is deleted.
    """

    kind: Literal["streaming"] = "streaming"
    images: int = 8192
    size: int = 64
    width: str = "full"
    bitstreams: bool = False
    actors: int = 2
    rows_per_block: int = 256
    directory: str = ""

    def measure(self) -> Measured:
        """Time the bare loop, then the stream."""
        with workplace(self.directory) as home:
            faces = FacesConfig(count=self.images, size=self.size)
            split = SplitConfig(train=0.0, val=0.0, test=1.0)
            manifest = write_shards(faces, home / "shards", split=split, rows_per_shard=2048, row_group_rows=256)
            codec = _codec(self, home / "weights")
            load, bare = _bare(self, codec, manifest, home / "bare")
            stream = _streamed(self, codec, manifest, home / "streamed")
        rates = {"streamed": self.images / stream.seconds, "bare loop": self.images / bare}
        from_ready = {**rates, "streamed": self.images / stream.from_ready}
        return Measured(
            (
                Comparison.of("throughput", "images/s", rates, at_least=0.95),
                Comparison.of("throughput from ready actors", "images/s", from_ready),
            ),
            {
                "bare_load_seconds": load,
                "bare_seconds": bare,
                "streamed_seconds": stream.seconds,
                "streamed_start_up_seconds": stream.start_up,
                "streamed_seconds_before_first_block": stream.before_first,
            },
        )


def _codec(config: StreamingConfig, directory: Path) -> HyperpriorConfig:
    codec = HyperpriorConfig(
        width=config.width,  # type: ignore[arg-type]
        lambdas=(LAMBDA,),
        weights=(str(directory),),
        bitstreams=config.bitstreams,
    )
    torch.manual_seed(0)
    save_weights(directory, codec.export(codec.network()), codec.description())
    return codec


def _bare(config: StreamingConfig, codec: HyperpriorConfig, manifest: Manifest, directory: Path) -> tuple[float, float]:
    """Return the seconds to load the model and those of the loop."""
    directory.mkdir()
    with torch_threads(config.actors):
        model, load = timed(codec.build)
        _, loop = timed(lambda: _restore_all(config, model, manifest, directory))
    return load.clock, loop.clock


def _restore_all(config: StreamingConfig, model: Codec, manifest: Manifest, directory: Path) -> None:
    """Restore every image of the shards, block by block, and write the audit table."""
    numbers = itertools.count()
    for file in manifest.files("test"):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=config.rows_per_block):
            restored = _restored(pa.Table.from_batches([batch]), model, config.size)
            pq.write_table(restored, directory / f"{next(numbers)}.parquet")
    write_table(build_table(Folder.open(directory), "bare"), Folder.open(directory / "audit"), "bare.parquet")


def _restored(table: pa.Table, model: Codec, size: int) -> pa.Table:
    """Decode a batch, restore it and compare: one row per image, as simply as it can be written."""
    arrays = [decode_image(data, size=size) for data in table["image"].to_pylist()]
    images = torch.stack([torch.from_numpy(array).permute(2, 0, 1) for array in arrays])
    with torch.inference_mode():
        restored = model.reconstruct(images, LAMBDA)
        values = {measure.name: measure(images, restored.images).tolist() for measure in MEASURES}
    pixels = restored.images.permute(0, 2, 3, 1).contiguous().numpy()
    values["bpp_estimated"] = (restored.bits_estimated / size**2).tolist()
    values["point"] = [LAMBDA] * len(arrays)
    columns = {name: [[value] for value in column] for name, column in values.items()}
    pngs = [[encode_png(image)] for image in pixels]
    kept = table.drop_columns(["image"])
    for name, column in (columns | {"reconstruction": pngs}).items():
        kept = kept.append_column(name, pa.array(column))
    return kept


class Stream(NamedTuple):
    """Seconds of a streamed audit.

    Attributes:
        start_up: until the first task decodes.
        seconds: from then to the written audit table.
        from_ready: from when the last actor had its models to the written audit table.
        before_first: part of ``seconds`` before the first actor got its first block.
    """

    start_up: float
    seconds: float
    from_ready: float
    before_first: float


def _streamed(config: StreamingConfig, codec: HyperpriorConfig, manifest: Manifest, directory: Path) -> Stream:
    marks = directory / "marks"
    marks.mkdir(parents=True)
    start = time.time()
    planned = plan(
        RestorationAudit(
            shards=manifest.uri,
            directory=str(directory),
            systems=(System(name="streamed", codec=codec),),
            measures=MEASURES,
            size=config.size,
            resources=Resources(actors=config.actors, rows_per_block=config.rows_per_block),
            ray=SessionConfig(address="local"),
        )
    )
    (system,) = planned.systems
    marked = replace(system, decode=MarkedDecode(system.decode, marks), stage=MarkedStage(system.stage, marks))
    ends: list[float] = []
    replace(planned, systems=(marked,)).run(on_system_done=lambda _: ends.append(time.time()))
    decode, first, ready = min(_times(marks, "decode")), min(_times(marks, "block")), max(_times(marks, "ready"))
    return Stream(decode - start, ends[0] - decode, ends[0] - ready, first - decode)


def _mark(folder: Path, what: str) -> None:
    """Note the time of an event, in whatever process it is."""
    (folder / f"{what}-{os.getpid()}-{time.time_ns()}").write_text(repr(time.time()))


def _times(folder: Path, what: str) -> list[float]:
    return [float(file.read_text()) for file in folder.glob(f"{what}-*")]


@dataclass(frozen=True)
class MarkedDecode:
    """The decoding of blocks, with a note of when each is begun."""

    decode: Table
    marks: Path

    def __call__(self, table: pa.Table) -> pa.Table:
        """Decode a block."""
        _mark(self.marks, "decode")
        return self.decode(table)


@dataclass(frozen=True)
class MarkedStage:
    """What actors do, with a note of when each is ready and when it begins a block."""

    stage: Stage
    marks: Path

    def build(self) -> Table:
        """Build the stage."""
        call = self.stage.build()
        _mark(self.marks, "ready")
        return lambda table: self._begin(call, table)

    def _begin(self, call: Table, table: pa.Table) -> pa.Table:
        _mark(self.marks, "block")
        return call(table)
