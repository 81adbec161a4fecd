"""From a reconstruction set to an audit table: every image accounted for once, lists taken apart, rows in fixed order.

``reconstructions/<system>/*.parquet (one row an image) -> audit/<system>.parquet (one row an image and point)``
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from greycard.datasets.storage import Folder
from greycard.schema import ERROR, FAILED, IMAGE_ID, POINT, RECONSTRUCTION, STATUS, SYSTEM
from greycard.streaming.written import written_ids

_EXAMPLES: Final = 5
_ROW_GROUP: Final = 65_536


class AuditError(RuntimeError):
    """An audit that can not start or did not end well: says what is wrong and the way out."""


def missing_ids(output: Folder, expected: Iterable[str]) -> set[str]:
    """Return the images that have no row in a reconstruction set.

    Raises:
        AuditError: an image has several rows, or the set holds images that the audit does not have.
    """
    counts: Counter[str] = Counter()
    for ids in written_ids(output):
        counts.update(ids)
    wanted = set(expected)
    twice = sorted(image_id for image_id, count in counts.items() if count > 1)
    if twice:
        raise AuditError(f"{output.uri} holds {len(twice)} images more than once ({_some(twice)})")
    foreign = sorted(counts.keys() - wanted)
    if foreign:
        raise AuditError(f"{output.uri} holds {len(foreign)} images that are not in the shards ({_some(foreign)})")
    return wanted - counts.keys()


def build_table(output: Folder, system: str) -> pa.Table:
    """Return a system's audit table: image_id, then point, ascending; no image in it."""
    parts = []
    for name in output.names():
        if name.endswith(".parquet"):
            with output.filesystem.open_input_file(output.path_of(name)) as file:
                columns = [column for column in pq.read_schema(file).names if column != RECONSTRUCTION]
                parts.append(explode(pq.read_table(file, columns=columns), system))
    table = pa.concat_tables(parts).combine_chunks()
    return table.take(pc.sort_indices(table, sort_keys=[(IMAGE_ID, "ascending"), (POINT, "ascending")]))


def explode(rows: pa.Table, system: str) -> pa.Table:
    """Turn one row an image with lists into one row an image and point; labels become plain strings."""
    rows = rows.combine_chunks()
    lengths = pc.list_value_length(rows[POINT])
    repeat = pa.array(np.repeat(np.arange(len(rows)), lengths.to_numpy(zero_copy_only=False)))
    columns = {SYSTEM: pa.array([system] * len(repeat), pa.string())}
    for name in rows.column_names:
        column = rows[name]
        if pa.types.is_list(column.type):
            columns[name] = pc.list_flatten(column)
        else:
            plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
            columns[name] = plain.take(repeat)
    return pa.table(columns)


def write_table(table: pa.Table, folder: Folder, name: str) -> str:
    """Write an audit table, all of it or nothing; returns the SHA-256 of the file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd", row_group_size=_ROW_GROUP)
    data = sink.getvalue().to_pybytes()
    folder.create()
    folder.write(name, data)
    return hashlib.sha256(data).hexdigest()


def read_table(folder: Folder, name: str) -> pa.Table:
    """Read an audit table."""
    with folder.filesystem.open_input_file(folder.path_of(name)) as file:
        return pq.read_table(file)


def failures(table: pa.Table) -> tuple[int, list[str]]:
    """Return how many rows failed, and a few of them in words."""
    failed = table.filter(pc.equal(table[STATUS], FAILED))
    rows = failed.slice(0, _EXAMPLES).select([IMAGE_ID, POINT, ERROR]).to_pylist()
    return len(failed), [f"{row[IMAGE_ID]} at point {row[POINT]:g}: {row[ERROR]}" for row in rows]


def _some(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more
