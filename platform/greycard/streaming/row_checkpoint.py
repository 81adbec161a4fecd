"""What a pipeline has written, file by file: Ray Data's row checkpoint set against the Parquet files themselves.

Each written file has a file of the same name in the checkpoint folder that lists its rows (``<name>.pending.parquet``
until the rows are safe). A worker that outlives its driver by a few seconds can leave one without the other, or write
rows that the next run writes too. Both are put right here, so that every row is there once.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from greycard.datasets.storage import PARQUET, Folder
from greycard.schema import IMAGE_ID

_PENDING: Final = ".pending.parquet"


def sweep(output: Folder, checkpoint: Folder) -> None:
    """Delete checkpoints without their rows and rows without their checkpoint; both are then made again."""
    rows = {name: name.rpartition("-")[0] for name in output.parquet_names()}  # one checkpoint, files <name>-<number>
    marks = checkpoint.parquet_names()
    committed = {name.removesuffix(PARQUET) for name in marks if not name.endswith(_PENDING)}
    pending = {name.removesuffix(_PENDING) for name in marks if name.endswith(_PENDING)}
    for base in sorted(committed - set(rows.values())):
        checkpoint.delete(base + PARQUET)
    for name, base in rows.items():
        if base not in committed | pending:  # rows of a pending checkpoint are Ray's to delete, on the next start
            output.delete(name)


def drop_duplicates(output: Folder) -> int:
    """Keep the first of rows that were written twice, in the order of file names; returns how many were dropped."""
    seen: set[str] = set()
    dropped = 0
    for name in output.parquet_names():
        ids = _ids(output, name)
        fresh = np.fromiter((image_id not in seen for image_id in ids), bool, len(ids))
        seen.update(ids)
        if fresh.all():
            continue
        dropped += int((~fresh).sum())
        sink = pa.BufferOutputStream()
        pq.write_table(output.table(name).filter(pa.array(fresh)), sink)
        output.write(name, sink.getvalue().to_pybytes())
    return dropped


def written_ids(output: Folder) -> Iterator[list[str]]:
    """Yield the image ids of each written file."""
    for name in output.parquet_names():
        yield _ids(output, name)


def committed_rows(checkpoint: Folder, counted: dict[str, int]) -> int:
    """Return how many rows are written for good; ``counted`` remembers the files that were looked at."""
    for name in checkpoint.parquet_names():
        if name not in counted and not name.endswith(_PENDING):
            with checkpoint.parquet(name) as file:
                counted[name] = file.metadata.num_rows
    return sum(counted.values())


def _ids(folder: Folder, name: str) -> list[str]:
    ids: list[str] = folder.table(name, (IMAGE_ID,))[IMAGE_ID].to_pylist()
    return ids
