"""Streamed throughput of an audit against a bare single-process loop that does the same work, in the same run.

The work of both: read shards, decode, a full-width Hyperprior (random weights: its speed does not depend on them),
measures, PNG files, Parquet files, audit table. Both use the same number of torch threads in total: the bare loop gives
all of them to torch, the stream one to each actor. Start-up (Ray, workers, imports, loading the model) is shown apart:
the stream's clock starts when the first actor starts on its first block, and ends when the audit table is written.
"""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from greycard.audits.restoration import Resources, RestorationAudit, SessionConfig, System
from greycard.audits.restoration import run as run_audit
from greycard.audits.tables import build_table, write_table
from greycard.codecs import HyperpriorConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.manifest import Manifest
from greycard.datasets.pixels import decode_image, encode_png
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.datasets.storage import Folder
from greycard.layers.weights import save_weights
from greycard.metrics.distortion import Mse, Psnr, Ssim
from greycard.protocols import Codec, Restored

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
    start_up, streamed = _streamed(config, codec, manifest, home / "streamed")
    return {
        "images": config.images,
        "size": config.size,
        "width": config.width,
        "threads": config.actors,
        "bare_seconds": bare,
        "bare_images_per_second": config.images / bare,
        "bare_load_seconds": load,
        "streamed_seconds": streamed,
        "streamed_images_per_second": config.images / streamed,
        "streamed_start_up_seconds": start_up,
        "ratio": bare / streamed,
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


def _streamed(
    config: StreamingConfig, codec: HyperpriorConfig, manifest: Manifest, directory: Path
) -> tuple[float, float]:
    """Return the seconds until the first actor works, and those from then to the written audit table."""
    marks = directory / "marks"
    marks.mkdir(parents=True)
    ends: list[float] = []
    start = time.time()
    run_audit(
        RestorationAudit(
            shards=manifest.uri,
            directory=str(directory),
            systems=(System(name="streamed", codec=Timed(codec, str(marks))),),  # type: ignore[arg-type]
            measures=MEASURES,
            size=config.size,
            resources=Resources(actors=config.actors, rows_per_block=config.rows_per_block),
            ray=SessionConfig(address="local"),
        ),
        on_system_done=lambda _: ends.append(time.time()),
    )
    first = min(float(file.read_text()) for file in marks.iterdir())
    return first - start, ends[0] - first


@dataclass(frozen=True)
class Timed:
    """A codec's config that notes when each actor starts on its first block."""

    codec: HyperpriorConfig
    marks: str

    def build(self) -> "TimedCodec":
        """Build the codec."""
        return TimedCodec(self.codec.build(), Path(self.marks))


class TimedCodec:
    """The codec, with a note of its first call."""

    def __init__(self, codec: Codec, marks: Path) -> None:
        self.codec, self.marks, self.points = codec, marks, codec.points
        self.noted = False

    def reconstruct(self, images: torch.Tensor, point: float) -> Restored:
        """Restore a batch."""
        if not self.noted:
            self.noted = True
            (self.marks / f"{id(self)}-{time.time_ns()}").write_text(repr(time.time()))
        return self.codec.reconstruct(images, point)
