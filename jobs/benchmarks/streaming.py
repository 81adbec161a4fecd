"""Streamed throughput of an audit against a bare single-process loop that does the same work, in the same run.

The work of both: read shards, decode, a full-width Hyperprior (random weights: its speed does not depend on them),
measures, PNG files, Parquet files, audit table. Both use the same number of torch threads in total: the bare loop gives
all of them to torch, the stream one to each actor. Start-up (Ray, workers, imports, loading the model) is shown apart:
the stream's clock starts when the first task starts to decode its first block, so that all decoding is charged, and
ends when the audit table is written. Shown as well: the time from when the last actor was ready, which also holds the
start of the processes that read, and how long the first actor waited for its first block.
"""

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from greycard.audits import systems
from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import run as run_audit
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
from greycard.protocols import Codec, Restored
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.decode import Decode
from greycard.streaming.pipeline import Resources

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
        rows_per_block: images a block, and a batch of the bare loop.
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


def run(config: StreamingConfig) -> dict[str, Any]:
    """Time both; ``ratio`` is streamed over bare throughput, ``target_ratio`` what it should reach."""
    if not config.directory:
        with tempfile.TemporaryDirectory(prefix="greycard-bench-") as folder:
            return run(replace(config, directory=folder))
    home = Path(config.directory)
    split = SplitConfig(train=0.0, val=0.0, test=1.0)
    faces = FacesConfig(count=config.images, size=config.size)
    manifest = write_shards(faces, home / "shards", split=split, rows_per_shard=2048, row_group_rows=256)
    codec = _codec(config, home / "weights")
    load, bare = _bare(config, codec, manifest, home / "bare")
    stream = _streamed(config, codec, manifest, home / "streamed")
    return {
        "images": config.images,
        "size": config.size,
        "width": config.width,
        "threads": config.actors,
        "bare_seconds": bare,
        "bare_images_per_second": config.images / bare,
        "bare_load_seconds": load,
        "streamed_seconds": stream.seconds,
        "streamed_images_per_second": config.images / stream.seconds,
        "streamed_start_up_seconds": stream.start_up,
        "streamed_seconds_from_ready_actors": stream.from_ready,
        "streamed_seconds_before_first_codec_call": stream.before_codec,
        "ratio": bare / stream.seconds,
        "ratio_from_ready_actors": bare / stream.from_ready,
        "target_ratio": 0.95,
    }


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
    torch.set_num_threads(config.actors)
    start = time.perf_counter()
    model = codec.build()
    load = time.perf_counter() - start
    directory.mkdir()
    start = time.perf_counter()
    number = 0
    for file in manifest.files("test"):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=config.rows_per_block):
            pq.write_table(
                _restored(pa.Table.from_batches([batch]), model, config.size), directory / f"{number}.parquet"
            )
            number += 1
    write_table(build_table(Folder.open(directory), "bare"), Folder.open(directory / "audit"), "bare.parquet")
    return load, time.perf_counter() - start


def _restored(table: pa.Table, model: Codec, size: int) -> pa.Table:
    """Decode a batch, restore it and compare: one row an image, as simply as it can be written."""
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
        from_ready: from when the last actor had its model to the written audit table.
        before_codec: part of ``seconds`` before the first actor got its first block.
    """

    start_up: float
    seconds: float
    from_ready: float
    before_codec: float


def _streamed(config: StreamingConfig, codec: HyperpriorConfig, manifest: Manifest, directory: Path) -> Stream:
    marks = directory / "marks"
    marks.mkdir(parents=True)

    def timed_decode(*values: Any) -> TimedDecode:
        return TimedDecode(Decode(*values), str(marks))

    ends: list[float] = []
    start = time.time()
    with mock.patch.object(systems, "Decode", timed_decode):  # an audit has no hook for clocks, and needs none
        run_audit(
            RestorationAudit(
                shards=manifest.uri,
                directory=str(directory),
                systems=(System(name="streamed", codec=TimedConfig(codec, str(marks))),),  # type: ignore[arg-type]
                measures=MEASURES,
                size=config.size,
                resources=Resources(actors=config.actors, rows_per_block=config.rows_per_block),
                ray=SessionConfig(address="local"),
            ),
            on_system_done=lambda _: ends.append(time.time()),
        )
    decode, codec_call = min(_times(marks, "decode")), min(_times(marks, "codec"))
    ready = max(_times(marks, "ready"))
    return Stream(decode - start, ends[0] - decode, ends[0] - ready, codec_call - decode)


def _mark(folder: Path, what: str) -> None:
    """Note the time of an event, in whatever process it is."""
    (folder / f"{what}-{os.getpid()}-{time.time_ns()}").write_text(repr(time.time()))


def _times(folder: Path, what: str) -> list[float]:
    return [float(file.read_text()) for file in folder.glob(f"{what}-*")]


@dataclass(frozen=True)
class TimedDecode:
    """The decoding stage, with a note of when each block is begun."""

    decode: Decode
    marks: str

    def __call__(self, table: pa.Table) -> pa.Table:
        """Decode a block."""
        _mark(Path(self.marks), "decode")
        return self.decode(table)


@dataclass(frozen=True)
class TimedConfig:
    """A codec's config that notes when each actor is ready, and when it starts on its first block."""

    codec: HyperpriorConfig
    marks: str

    def build(self) -> "TimedCodec":
        """Build the codec."""
        codec = self.codec.build()
        _mark(Path(self.marks), "ready")
        return TimedCodec(codec, Path(self.marks))


class TimedCodec:
    """The codec, with a note of its first call."""

    def __init__(self, codec: Codec, marks: Path) -> None:
        self.codec, self.marks, self.points = codec, marks, codec.points
        self.noted = False

    def reconstruct(self, images: torch.Tensor, point: float, seeds: torch.Tensor) -> Restored:
        """Restore a batch."""
        if not self.noted:
            self.noted = True
            _mark(self.marks, "codec")
        return self.codec.reconstruct(images, point, seeds)
