"""From the lineages that actors found to the latents that become images."""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from greycard.datasets.storage import Folder
from greycard.schema import ERROR, IDENTITY, IMAGE_ID, SPLIT, STATUS
from greycard.streaming.rendering import LATENT
from greycard.streaming.searching import (
    CODE,
    DEPTHS,
    DISTANCES,
    DUPLICATES,
    FOUND,
    LABEL,
    LATENTS,
    LINEAGE,
    LINEAGE_INPUT,
    LINEAGE_SCHEMA,
    PARENTS,
    SEED,
    UNIT,
)
from greycard.synthesis.choice import Kept, Taken
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.source import CHOSEN

SHEET_LATENTS: Final = 24  # of a lineage in the sheet

CHOSEN_SCHEMA: Final = pa.schema(
    [
        (IMAGE_ID, pa.string()),
        (CODE, pa.int64()),
        (LABEL, pa.string()),
        (IDENTITY, pa.string()),
        (SPLIT, pa.string()),  # "" in the sheet alone
        (LINEAGE, pa.int64()),
        (SEED, pa.int64()),
        ("number", pa.int64()),  # of the latent within its lineage
        ("parent", pa.int64()),  # number of the latent that it was mutated from
        ("depth", pa.int64()),
        ("distance", pa.float64()),
        ("duplicate", pa.bool_()),
        (CHOSEN, pa.bool_()),
        ("sheet", pa.bool_()),
        (LATENT, pa.large_binary()),
    ]
)

_LIGHT: Final = (
    *(IMAGE_ID, CODE, LABEL, SEED, LINEAGE, STATUS, ERROR, FOUND),
    *("looked", "evaluated", "refused", "dropped", UNIT, DUPLICATES),
)


def input_rows(config: SynthesisConfig, more: dict[int, tuple[int, int]]) -> pa.Table:
    """Return the rows of a wave, those that look at the same seeds beside each other.

    Args:
        config: says from which seeds.
        more: code -> first number and how many lineages.
    """
    labels = config.wanted
    places = [(number, code) for code, (first, count) in more.items() for number in range(first, first + count)]
    rows = [
        {
            IMAGE_ID: f"{labels[code]}-{config.seed_of(number):010d}",
            CODE: code,
            LABEL: labels[code],
            SEED: config.seed_of(number),
            LINEAGE: number,
        }
        for number, code in sorted(places)
    ]
    return pa.Table.from_pylist(rows, pa.schema([LINEAGE_SCHEMA.field(name) for name in LINEAGE_INPUT]))


def read_lineages(waves: list[Folder]) -> list[dict[str, Any]]:
    """Return one row per lineage without its latents, by class and number; with ``wave``, ``accepted`` and ``kept``."""
    rows = []
    for wave, folder in enumerate(waves):
        for table in folder.tables(_LIGHT):
            for row in table.to_pylist():
                flags = row.pop(DUPLICATES)
                rows.append(
                    row | {"wave": wave, "accepted": len(flags), "duplicates": sum(flags), "kept": flags.count(False)}
                )
    return sorted(rows, key=lambda row: (row[CODE], row[LINEAGE]))


def kept_of(rows: list[dict[str, Any]], code: int) -> list[Kept]:
    """Return what a class's lineages gave."""
    return [Kept(row[LINEAGE], row["kept"]) for row in rows if row[CODE] == code]


def chosen_tables(
    config: SynthesisConfig, waves: list[Folder], taken: dict[int, dict[int, Taken]]
) -> Iterator[pa.Table]:
    """Yield the latents to make images of, one table per file of lineages: those chosen, and those of the sheet."""
    for folder in waves:
        for table in folder.tables():
            rows = []
            for lineage in table.to_pylist():
                splits = taken.get(lineage[CODE], {}).get(lineage[LINEAGE], Taken(())).splits
                rows += _chosen(config, lineage, splits)
            if rows:
                yield pa.Table.from_pylist(rows, CHOSEN_SCHEMA)


def _chosen(config: SynthesisConfig, lineage: dict[str, Any], splits: tuple[str, ...]) -> list[dict[str, Any]]:
    waiting = list(splits)
    rows = []
    for number, latent in enumerate(lineage[LATENTS]):
        duplicate = lineage[DUPLICATES][number]
        split = waiting.pop(0) if waiting and not duplicate else ""
        sheet = lineage[LINEAGE] < config.sheet and number < SHEET_LATENTS
        if not split and not sheet:
            continue
        image_id = f"{lineage[IMAGE_ID]}-{number:05d}"
        rows.append(
            {
                IMAGE_ID: image_id,
                IDENTITY: image_id if config.method == "rejection" else lineage[IMAGE_ID],
                SPLIT: split,
                "number": number,
                "parent": lineage[PARENTS][number],
                "depth": lineage[DEPTHS][number],
                "distance": lineage[DISTANCES][number],
                "duplicate": duplicate,
                CHOSEN: bool(split),
                "sheet": sheet,
                LATENT: latent,
                **{name: lineage[name] for name in (CODE, LABEL, LINEAGE, SEED)},
            }
        )
    return rows
