"""From the rows as they came to a table: every image accounted for once, lists taken apart, rows in fixed order.

``reconstructions/<system>/*.parquet (one row per image) -> audit/<system>.parquet (one row per image and point)``
``rows/<system>/*.parquet (one row per image, any order) -> predictions/<system>.parquet (one row per image)``
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from greycard.datasets.storage import Folder
from greycard.schema import ERROR, FAILED, IMAGE_ID, OK, POINT, RECONSTRUCTION, STATUS, SYSTEM, examples
from greycard.streaming.row_checkpoint import written_ids

_EXAMPLES: Final = 5
_REASONS: Final = 3
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
        raise AuditError(f"{output.uri} holds {len(twice)} images more than once ({examples(twice)})")
    foreign = sorted(counts.keys() - wanted)
    if foreign:
        raise AuditError(f"{output.uri} holds {len(foreign)} images that are not in the shards ({examples(foreign)})")
    return wanted - counts.keys()


def build_rows(output: Folder, system: str, without: str = RECONSTRUCTION) -> pa.Table:
    """Return a table of one row per image, image_id ascending; labels become plain strings.

    Args:
        output: the rows as they came.
        system: the system whose rows they are.
        without: columns whose names start with this stay behind.
    """
    table = pa.concat_tables([plain_columns(part) for part in written_parts(output, without)]).combine_chunks()
    table = table.take(pc.sort_indices(table, sort_keys=[(IMAGE_ID, "ascending")]))
    return table.add_column(0, SYSTEM, pa.array([system] * len(table), pa.string()))


def written_parts(output: Folder, without: str = RECONSTRUCTION) -> Iterator[pa.Table]:
    """Yield what each written file holds, without images (or other columns that start so)."""
    for name in output.parquet_names():
        with output.parquet(name) as file:
            yield file.read([column for column in file.schema_arrow.names if not column.startswith(without)])


def plain_columns(rows: pa.Table) -> pa.Table:
    """Turn dictionary-encoded columns into plain ones."""
    kinds = {field.name: field.type for field in rows.schema}
    return pa.table(
        {
            name: rows[name].cast(kind.value_type) if pa.types.is_dictionary(kind) else rows[name]
            for name, kind in kinds.items()
        }
    )


def write_table(table: pa.Table, folder: Folder, name: str) -> str:
    """Write an audit table, all of it or nothing; returns the SHA-256 of the file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd", row_group_size=_ROW_GROUP)
    data = sink.getvalue().to_pybytes()
    folder.create()
    folder.write(name, data)
    return hashlib.sha256(data).hexdigest()


def failures(table: pa.Table) -> tuple[int, list[str]]:
    """Return how many rows failed, and a few of them in words."""
    failed = table.filter(pc.equal(table[STATUS], FAILED))
    return len(failed), [_words(row) for row in failed.slice(0, _EXAMPLES).to_pylist()]


def count_rows(system: str, table: pa.Table) -> dict[str, Any]:
    """Return a system's account of its images: system, n_in, n_ok, n_failed, and the most frequent reasons in words."""
    failed = Counter(error for error in table[ERROR].to_pylist() if error)
    ok = table[STATUS].to_pylist().count(OK)
    reasons = "; ".join(f"{text} ({count})" for text, count in failed.most_common(_REASONS))
    return {"system": system, "n_in": len(table), "n_ok": ok, "n_failed": len(table) - ok, "reasons": reasons}


def _words(row: dict[str, Any]) -> str:
    place = f" at point {row[POINT]:g}" if POINT in row else ""
    return f"{row[IMAGE_ID]}{place}: {row[ERROR]}"
