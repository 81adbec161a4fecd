"""The account of a synthesis as tidy frames: who gave how much, what is short, what repeats, and what it cost."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from greycard.datasets.storage import Folder
from greycard.latent_search.near import nearness
from greycard.schema import IMAGE_ID, OK, SPLIT, STATUS
from greycard.streaming.rendering import FEATURES
from greycard.streaming.searching import CODE, UNIT
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.source import CHOSEN

MOST_COMPARED = 5000
"""Images per class among which near-duplicates are counted: the first by id."""


@dataclass(frozen=True, slots=True)
class SynthesisFrames:
    """Tidy frames, with the column ``method`` in front.

    Attributes:
        counts: code, label, split, wanted, chosen, short.
        lineages: code, label, lineage, seed, found, status, error, wave, looked, evaluated, refused, dropped, accepted,
            duplicates, kept, chosen; one row per lineage.
        duplicates: code, label, images, near (share of the chosen images that lie near to one before them), gap (median
            distance to the nearest other one, in units of the median between random images), flagged (share of what
            the search accepted and left out as duplicates).
        cost: code, label, looked, evaluated, kept, chosen, evaluated_per_chosen (seeds and latents looked at per image;
            rows of several classes share seeds, so the sum over classes is an upper bound).
    """

    counts: pd.DataFrame
    lineages: pd.DataFrame
    duplicates: pd.DataFrame
    cost: pd.DataFrame

    def write(self, folder: Folder) -> None:
        """Write each frame as Parquet and CSV."""
        folder.create()
        for item in fields(self):
            frame = getattr(self, item.name)
            folder.write(f"{item.name}.parquet", frame.to_parquet(index=False))
            folder.write(f"{item.name}.csv", frame.to_csv(index=False).encode())

    @classmethod
    def read(cls, folder: Folder) -> "SynthesisFrames":
        """Read what ``write`` wrote."""
        return cls(**{item.name: folder.table(f"{item.name}.parquet").to_pandas() for item in fields(cls)})


def account(config: SynthesisConfig, lineages: list[dict[str, Any]], images: Folder) -> SynthesisFrames:
    """Make the frames.

    Args:
        config: the config of the synthesis.
        lineages: as ``lineages.read_lineages`` gives them.
        images: folder of the rendered rows.
    """
    columns = (IMAGE_ID, CODE, SPLIT, "lineage", CHOSEN, STATUS, FEATURES)
    made = pa.concat_tables(list(images.tables(columns)))
    made = made.filter(pc.and_(made[CHOSEN], pc.equal(made[STATUS], OK)))
    made = made.take(pc.sort_indices(made, sort_keys=[(IMAGE_ID, "ascending")]))
    features = made[FEATURES]
    rows = made.drop_columns([FEATURES]).to_pandas()
    frames = {
        "counts": _counts(config, rows),
        "lineages": _lineages(lineages, rows),
        "duplicates": _duplicates(config, lineages, rows, features),
    }
    frames["cost"] = _cost(config, frames["lineages"])
    for frame in frames.values():
        frame.insert(0, "method", config.method)
    return SynthesisFrames(**frames)


def _counts(config: SynthesisConfig, rows: pd.DataFrame) -> pd.DataFrame:
    found = rows.groupby([CODE, SPLIT]).size().to_dict()
    counts = []
    for code, label in config.wanted.items():
        for split, wanted in config.quotas.items():
            chosen = int(found.get((code, split), 0))
            counts.append(
                {"code": code, "label": label, "split": split, "wanted": wanted, "chosen": chosen}
                | {"short": wanted - chosen}
            )
    return pd.DataFrame(counts)


def _lineages(lineages: list[dict[str, Any]], rows: pd.DataFrame) -> pd.DataFrame:
    chosen = rows.groupby([CODE, "lineage"]).size().to_dict()
    names = (
        *("code", "label", "lineage", "seed", "found", "status", "error", "wave", "looked", "evaluated", "refused"),
        *("dropped", "accepted", "duplicates", "kept"),
    )
    table = [
        {name: row[name] for name in names} | {"chosen": int(chosen.get((row["code"], row["lineage"]), 0))}
        for row in lineages
    ]
    return pd.DataFrame(table).astype({"found": "Int64"})


def _duplicates(
    config: SynthesisConfig, lineages: list[dict[str, Any]], rows: pd.DataFrame, features: pa.ChunkedArray
) -> pd.DataFrame:
    unit = float(np.median([row[UNIT] for row in lineages]))
    found = []
    for code, label in config.wanted.items():
        places = np.flatnonzero(rows[CODE].to_numpy() == code)[:MOST_COMPARED]
        values = np.array(features.take(pa.array(places, pa.int64())).to_pylist(), np.float32)
        seen = nearness(values.reshape(len(places), values.shape[1] if len(places) else 0), config.near * unit)
        of_class = [row for row in lineages if row[CODE] == code]
        accepted = sum(row["accepted"] for row in of_class)
        found.append(
            {
                "code": code,
                "label": label,
                "images": len(places),
                "near": float(seen.repeats.mean()) if len(places) else np.nan,
                "gap": float(np.median(seen.gaps) / unit) if len(places) > 1 and unit else np.nan,
                "flagged": sum(row["duplicates"] for row in of_class) / accepted if accepted else np.nan,
            }
        )
    return pd.DataFrame(found)


def _cost(config: SynthesisConfig, lineages: pd.DataFrame) -> pd.DataFrame:
    sums = lineages.groupby(["code", "label"])[["looked", "evaluated", "kept", "chosen"]].sum().reset_index()
    work = sums["looked"] + (sums["evaluated"] if config.method == "search" else 0)
    sums["evaluated_per_chosen"] = work / sums["chosen"].where(sums["chosen"] > 0)
    return sums
