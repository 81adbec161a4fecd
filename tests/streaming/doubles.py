"""Codecs, measures and classifiers with known answers, for tests of the streaming."""

import os
import pickle
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import ray
import torch

from greycard.datasets.pixels import encode_png
from greycard.datasets.records import Source
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.protocols import Restored
from greycard.schema import RACE
from greycard.seeds import normal_noise

BITS = 4096.0
MARK = 255


@dataclass(frozen=True, kw_only=True)
class DarkenConfig:
    """Divides pixels by the point; what it does with a marked image (first pixel is ``mark``) is chosen."""

    points: tuple[float, ...] = (1.0, 2.0)
    mark: int = -1
    fault: str = ""
    weights: str = ""
    device: str = "cpu"

    def build(self):
        if self.fault == "build":
            raise ValueError("these weights are of another architecture")
        return Darken(self)


class Darken:
    def __init__(self, config):
        self.config = config
        self.points = config.points

    def reconstruct(self, images, point, seeds):
        marked = images[:, 0, 0, 0] == self.config.mark
        if marked.any() and self.config.fault == "raise":
            raise RuntimeError("cannot take this image")
        if marked.any() and self.config.fault == "memory":
            raise MemoryError("no memory left")
        restored = images.float() / point
        errors = ()
        if self.config.fault == "nan":
            restored[marked] = torch.nan
        elif self.config.fault == "told":
            errors = tuple("non-finite latents" if bad else "" for bad in marked.tolist())
            restored = restored.floor().to(torch.uint8)
        else:
            restored = restored.floor().to(torch.uint8)
        bits = torch.full((len(images),), BITS, dtype=torch.float64)
        return Restored(restored, bits / point, torch.full_like(bits, torch.nan), bits, errors)


@dataclass(frozen=True, kw_only=True)
class SpeckleConfig:
    """Adds noise that is drawn from each image's seed, ``point`` strong, and refuses a marked image."""

    points: tuple[float, ...] = (5.0, 20.0)
    mark: int = -1
    draws: bool = True

    def build(self):
        return Speckle(self)


class Speckle:
    draws = True

    def __init__(self, config):
        self.mark = config.mark
        self.points = config.points

    def reconstruct(self, images, point, seeds=None):
        if (images[:, 0, 0, 0] == self.mark).any():
            raise RuntimeError("cannot take this image")
        seeds = torch.zeros(len(images), dtype=torch.int64) if seeds is None else seeds
        noisy = images + point * normal_noise(seeds, images.shape[1:])
        bits = torch.full((len(images),), BITS, dtype=torch.float64)
        return Restored(noisy.round().clamp(0, 255).to(torch.uint8), bits, bits, bits)

    def encode(self, image, point):
        return pickle.dumps((image.numpy(), point))

    def decode(self, data, seed=0):
        image, point = pickle.loads(data)  # noqa: S301
        return self.reconstruct(torch.from_numpy(image)[None], point, torch.tensor([seed])).images[0]


@dataclass(frozen=True, kw_only=True)
class BrightConfig:
    """Predicts 1 where the mean of the image is at least ``level``."""

    tasks: tuple[str, ...] = ("hair_color",)
    level: float = 128.0

    def build(self):
        return Bright(self)


class Bright:
    def __init__(self, config):
        self.tasks = config.tasks
        self.level = config.level

    def predict(self, images):
        codes = (images.double().flatten(1).mean(dim=1) >= self.level).long()
        return dict.fromkeys(self.tasks, codes)


@dataclass(frozen=True, kw_only=True)
class TilesConfig(Source):
    """Flat 16 x 16 images, labelled with race in turn; some are broken, some are marked with the value 255."""

    kind: str = "tiles"
    count: int = 60
    broken: tuple[int, ...] = ()
    marked: tuple[int, ...] = ()

    def attributes(self):
        return {"race": RACE.classes}

    def index(self):
        rows = range(self.count)
        return pa.table(
            {
                "image_id": [f"tile{row:05d}" for row in rows],
                "race": [RACE.classes[row % 4] for row in rows],
                "identity": pa.array([None if row % 5 == 0 else f"person{row // 2}" for row in rows]),
                "row": pa.array(rows),
            }
        )

    def load(self, rows):
        return [self._image(row) for row in rows["row"].to_pylist()]

    def _image(self, row):
        if row in self.broken:
            return b"broken"
        value = MARK if row in self.marked else row * 37 % 250
        return encode_png(np.full((16, 16, 3), value, np.uint8))


def write_tiles(directory, **config):
    """Write tiles as shards, all of them in the split test."""
    split = SplitConfig(train=0.0, val=0.0, test=1.0)
    return write_shards(TilesConfig(**config), directory, split=split, row_group_rows=20, rows_per_shard=40)


@dataclass(frozen=True, kw_only=True)
class TroubleConfig:
    """Darkens by the point, and does as told when it meets a marked image; ``folder`` tells the test how far it is.

    ``kill`` ends its process, once if ``once``; ``wait`` blocks until the folder holds a file named ``go``.
    """

    trouble: str = ""
    folder: str = ""
    once: bool = True
    points: tuple[float, ...] = (1.0, 2.0)

    def build(self):
        return Trouble(self)


class Trouble:
    def __init__(self, config):
        self.config = config
        self.points = config.points
        if config.folder:
            node = ray.get_runtime_context().get_node_id()
            (Path(config.folder) / f"node-{node}").touch()

    def reconstruct(self, images, point, seeds):
        if (images[:, 0, 0, 0] == MARK).any():
            self._act()
        bits = torch.full((len(images),), BITS / point, dtype=torch.float64)
        return Restored((images.float() / point).to(torch.uint8), bits, bits, bits)

    def _act(self):
        folder = Path(self.config.folder)
        if self.config.trouble == "kill" and not (self.config.once and (folder / "killed").exists()):
            with (folder / "killed").open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.config.trouble == "wait":
            (folder / "waiting").touch()
            wait_for(lambda: (folder / "go").exists())


def wait_for(condition, seconds=90.0):
    """Return once a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came"
        time.sleep(0.05)
