"""One streamed part of a synthesis: rows in, rows out, every one accounted for, resumable by row."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from greycard.audits.tables import missing_ids
from greycard.datasets.storage import FULL_DISK, Folder
from greycard.schema import IMAGE_ID
from greycard.streaming.cluster import SessionConfig, require
from greycard.streaming.decode import pass_through
from greycard.streaming.pipeline import Pipeline, PipelineError, Resources, Stage
from greycard.streaming.progress import progress
from greycard.streaming.row_checkpoint import drop_duplicates, sweep

_ROUNDS: Final = 3
_FULL_WORDS: Final = ("No space left on device", "Disk quota exceeded")


class SynthesisError(RuntimeError):
    """A synthesis that could not end: says why, what is kept and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A streamed part.

    Attributes:
        name: for messages and progress.
        source: folder of the Parquet files of rows that go in.
        columns: the columns of these files that are read; ``image_id`` among them.
        stage: what actors do with the rows.
        output: folder of the rows that come out.
        checkpoint: folder of the ids that are written.
        rows: rows per block, which are at most what a crash repeats.
        unit: what a row is, in the singular.
    """

    name: str
    source: Folder
    columns: tuple[str, ...]
    stage: Stage
    output: Folder
    checkpoint: Folder
    rows: int
    unit: str

    def run(self, resources: Resources, ray: SessionConfig) -> float:
        """Stream the rows that are not written yet, within a ``session``; returns the seconds it took.

        Raises:
            SynthesisError: rows never came out, or the disk is full.
            PipelineError: a stage could not be built or kept dying.
            RayError: the actors do not fit the cluster.
        """
        start = time.monotonic()
        with disk(self.output):
            self.output.create()
            ids = [image_id for table in self.source.tables((IMAGE_ID,)) for image_id in table[IMAGE_ID].to_pylist()]
            left = self._missing(ids)
            if not left:
                return 0.0
            for _ in range(_ROUNDS):
                self._stream(resources, ray, len(left), len(ids))
                left = self._missing(ids)
                if not left:
                    return time.monotonic() - start
        raise SynthesisError(
            f"{self.name}: {len(left)} of {len(ids)} rows never came out of the pipeline ({', '.join(sorted(left)[:5])}"
            f"); delete {self.output.uri} and {self.checkpoint.uri} and run again"
        )

    def _stream(self, resources: Resources, ray: SessionConfig, left: int, total: int) -> None:
        resources = self._spread(resources, left)
        require(resources.demand(resuming=left < total), ray, self.name)
        pipeline = Pipeline(
            name=self.name,
            files=tuple(self.source.uri_of(name) for name in self.source.parquet_names()),
            columns=self.columns,
            decode=pass_through,
            stage=self.stage,
            output=self.output,
            checkpoint=self.checkpoint,
            resources=resources,
        )
        with progress(self.name, total, self.unit, self.checkpoint, show=ray.show_progress):
            pipeline.run()

    def _spread(self, resources: Resources, rows: int) -> Resources:
        """Return blocks of rows so that every actor gets one, and no more actors than blocks."""
        resources = replace(resources, rows_per_block=self.rows).on_this_cluster(rows)
        block = min(self.rows, -(-rows // resources.actors))
        return replace(resources, rows_per_block=block, actors=min(resources.actors, -(-rows // block)))

    def _missing(self, ids: list[str]) -> set[str]:
        sweep(self.output, self.checkpoint)
        drop_duplicates(self.output)
        return missing_ids(self.output, ids)


@contextlib.contextmanager
def disk(folder: Folder) -> Iterator[None]:
    """Turn a full disk, met here or by a worker, into an error that says where and that the same command resumes.

    Raises:
        SynthesisError: the disk of the folder is full.
    """
    try:
        yield
    except (OSError, PipelineError) as error:
        full = getattr(error, "errno", None) in FULL_DISK or any(words in str(error) for words in _FULL_WORDS)
        if not full:
            raise
        raise SynthesisError(
            f"no space left on the disk of {folder.uri}. What is complete is kept: make room (or move the directory to "
            "a larger disk and set synthesis.directory) and start the same command again"
        ) from error


def empty(folder: Folder) -> None:
    """Delete a folder's files."""
    for name in folder.names():
        folder.delete(name)
