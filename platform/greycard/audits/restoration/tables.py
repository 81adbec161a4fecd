"""From the rows that were written, one per image, to the audit table, one per image, operating point and sample."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from greycard.audits.tables import plain_columns, written_parts
from greycard.datasets.storage import Folder
from greycard.schema import IMAGE_ID, POINT, SAMPLE, SYSTEM


def build_table(output: Folder, system: str) -> pa.Table:
    """Return a system's audit table: image_id, then point, then sample, ascending; no image in it."""
    table = pa.concat_tables([explode(part, system) for part in written_parts(output)]).combine_chunks()
    keys = [name for name in (IMAGE_ID, POINT, SAMPLE) if name in table.column_names]
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in keys]))


def explode(rows: pa.Table, system: str) -> pa.Table:
    """Turn one row per image with lists into one row per item of them; labels become plain strings."""
    rows = plain_columns(rows).combine_chunks()
    lengths = pc.list_value_length(rows[POINT])
    repeat = pa.array(np.repeat(np.arange(len(rows)), lengths.to_numpy(zero_copy_only=False)))
    columns = {SYSTEM: pa.array([system] * len(repeat), pa.string())}
    for name in rows.column_names:
        column = rows[name]
        if pa.types.is_list(column.type):
            columns[name] = pc.list_flatten(column)
        else:
            columns[name] = column.take(repeat)
    return pa.table(columns)
