"""Labelled tiles that carry what a planted predictor is to say, and predictors that read it."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from greycard.datasets.pixels import encode_png
from greycard.datasets.records import Source
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig

SMILE = ("no", "yes")
RACES = ("a", "b", "c")
GENDERS = ("female", "male")
SIZE = 16
EACH = 20  # tiles of a label and race
WRONG = 5  # of them in race b, the planted predictor calls so many the other class
BROKEN = 7
MARK = 77


def told(row):
    """The class that the planted predictor reads in a tile."""
    label, race, place = labels_of(row)
    return 1 - label if race == 1 and place < WRONG else label


def labels_of(row):
    """(label, race, place in this cell) of a tile."""
    return row % 2, row // 2 % 3, row // 6


@dataclass(frozen=True, kw_only=True)
class SmilesConfig(Source):
    """Tiles with a smile, a race and a gender; blue holds what the planted predictor says, red and green are noise."""

    kind: str = "smiles"
    count: int = 6 * EACH
    broken: tuple[int, ...] = ()
    marked: tuple[int, ...] = ()

    def attributes(self):
        return {"smile": SMILE, "race": RACES, "gender": GENDERS}

    def index(self):
        rows = range(self.count)
        return pa.table(
            {
                "image_id": [f"tile{row:04d}" for row in rows],
                "smile": [SMILE[labels_of(row)[0]] for row in rows],
                "race": [RACES[labels_of(row)[1]] for row in rows],
                "gender": pa.array([None if row == 11 else GENDERS[row // 12 % 2] for row in rows], pa.string()),
                "identity": [f"person{row // 6}" for row in rows],
                "row": pa.array(rows),
            }
        )

    def load(self, rows):
        return [self._image(row) for row in rows["row"].to_pylist()]

    def _image(self, row):
        if row in self.broken:
            return b"broken"
        pixels = np.random.default_rng(row).integers(0, 250, (SIZE, SIZE, 3), np.uint8)
        pixels[..., 2] = 200 * told(row)
        pixels[0, 0, 0] = MARK if row in self.marked else 0
        return encode_png(pixels)


def write_smiles(directory, **config):
    """Write the tiles as shards, all of them in the split test."""
    split = SplitConfig(train=0.0, val=0.0, test=1.0)
    return write_shards(SmilesConfig(**config), directory, split=split, row_group_rows=20, rows_per_shard=50)


@dataclass(frozen=True, kw_only=True)
class PlantedConfig:
    """Says what the tile holds with probability ``sure``; ``fault`` tells what it does with a marked tile."""

    sure: float = 0.95
    fault: str = ""
    folder: str = ""
    tasks: tuple[str, ...] = ("smile",)
    classes: tuple[str, ...] = SMILE
    device: str = "cpu"

    @property
    def class_sets(self):
        return dict.fromkeys(self.tasks, self.classes)

    def build(self):
        return Planted(self)


class Planted:
    def __init__(self, config):
        self.config = config
        self.tasks = config.tasks

    def probabilities(self, images):
        if self.config.folder:
            (Path(self.config.folder) / f"{time.monotonic_ns()}-{len(images)}").touch()
        yes = images[:, 2, 0, 0] == 200
        p = torch.where(yes, self.config.sure, 1 - self.config.sure).double()
        marked = images[:, 0, 0, 0] == MARK
        if marked.any() and self.config.fault == "raise":
            raise RuntimeError("cannot take this image")
        if self.config.fault == "nan":
            p[marked] = torch.nan
        found = torch.stack([1 - p, p], dim=1)
        if self.config.fault == "shape":
            found = found[:, :1]
        return dict.fromkeys(self.tasks, found)

    def predict(self, images):
        return {task: values.argmax(dim=1) for task, values in self.probabilities(images).items()}
