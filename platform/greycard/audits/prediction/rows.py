"""From a table of predictions to the arrays that metrics take: probabilities, label codes, groups, identities."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from greycard.class_codes import class_codes, identity_codes
from greycard.metrics.by_group import Floats, Groups, Ints, cross
from greycard.metrics.prediction.tables import Predictions
from greycard.schema import IDENTITY, IMAGE_ID, OK, STATUS, probability_column


def predictions_of(
    table: pa.Table, target: str, sensitive: tuple[str, ...], attributes: Mapping[str, tuple[str, ...]]
) -> Predictions:
    """Return one system's predictions of a target with the groups of (crossed) sensitive attributes.

    Args:
        table: a system's predictions table; rows that failed are left out.
        target: the attribute that is predicted.
        sensitive: one attribute, or several that are crossed.
        attributes: attribute -> classes in code order, from the manifest.
    """
    rows = table.filter(pc.equal(table[STATUS], OK))
    parts = [Groups(name, attributes[name], class_codes(rows[name], attributes[name])) for name in sensitive]
    return Predictions(
        probabilities_of(rows, target, len(attributes[target])),
        class_codes(rows[target], attributes[target]),
        cross(parts),
        _identities(rows[IDENTITY]),
    )


def probabilities_of(rows: pa.Table, task: str, classes: int) -> Floats:
    """Return a task's probabilities, (N, K) float64, of rows that all succeeded."""
    items = pc.list_flatten(rows[probability_column(task)]).to_numpy()
    return np.asarray(items, np.float64).reshape(len(rows), classes)


def in_all(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the rows of images that every system could take."""
    well = [table.filter(pc.equal(table[STATUS], OK)) for table in tables]
    common = set.intersection(*(set(table[IMAGE_ID].to_pylist()) for table in well))
    if all(len(table) == len(common) for table in well):
        return well
    ids = pa.array(sorted(common), pa.string())
    return [table.filter(pc.is_in(table[IMAGE_ID], value_set=ids)) for table in well]


def _identities(column: pa.ChunkedArray) -> Ints | None:
    """Return (N,) codes of identities, -1 where a row has none; None where no row has one."""
    codes = identity_codes(column)
    return codes if (codes >= 0).any() else None
