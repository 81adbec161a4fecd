"""A toy generator with exact class shares, a classifier that reads them, and labelled real images of the same kind."""

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

KINDS = ("a", "b", "c", "d")
SIZE = 8
STEP = 60  # red of a class is its code times this
Z = 6


def images_of(codes, noise):
    """(N, 3, 8, 8) float: red tells the class, green and blue are patterns of the noise (N, 6)."""
    base = torch.full((len(codes), 3, SIZE, SIZE), 100.0, dtype=noise.dtype)
    base[:, 0] = codes.to(noise.dtype)[:, None, None] * STEP + 10
    waves = torch.outer(torch.arange(1, SIZE + 1), torch.arange(1, Z + 1)).to(noise.dtype).sin()
    base[:, 1] += (20 * noise @ waves.T)[:, None, :] / Z
    base[:, 2] += (20 * noise @ waves.T)[:, :, None] / Z
    return base


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Draws class k with probability ``shares[k]``: by where Φ of the first coordinate of z falls."""

    shares: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    broken: tuple[int, ...] = ()
    folder: str = ""
    size: int = SIZE

    def build(self):
        return Toy(self)


class Toy:
    spaces = ("z", "w")

    def __init__(self, config):
        self.config = config
        self.size = config.size

    def shape(self, space):
        return (Z + 1,)

    def latents(self, seeds, space="z"):
        rows = [torch.randn(Z + 1, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        latents = torch.stack(rows).double()
        latents[[int(seed) in self.config.broken for seed in seeds]] = torch.nan
        return latents

    def sample(self, seeds, truncation=None):
        return self.generate(self.latents(seeds))

    def generate(self, latents, space="z", truncation=None):
        if self.config.folder:
            (Path(self.config.folder) / f"{time.monotonic_ns()}-{len(latents)}").touch()
        if latents.isnan().any():
            raise RuntimeError("no such latent")
        return self.render(latents).round().clamp(0, 255).to(torch.uint8)

    def render(self, latents):
        edges = torch.tensor(self.config.shares, dtype=torch.float64).cumsum(0)
        codes = torch.bucketize(torch.special.ndtr(latents[:, 0]), edges).clamp(max=len(KINDS) - 1)
        return images_of(codes, latents[:, 1:])


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """Reads the class in red; a confused one calls images of class a with little green b."""

    tasks: tuple[str, ...] = ("kind",)
    classes: tuple[str, ...] = KINDS
    sure: float = 0.9
    confused: bool = False
    device: str = "cpu"

    @property
    def class_sets(self):
        return dict.fromkeys(self.tasks, self.classes)

    def build(self):
        return Reader(self)


class Reader:
    def __init__(self, config):
        self.config = config

    def probabilities(self, images):
        red = images[:, 0, 0, 0].double()
        codes = ((red - 10) / STEP).round().long()
        if self.config.confused:
            codes = torch.where((codes == 0) & (images[:, 1, 0, 0] < 100), 1, codes)
        others = (1 - self.config.sure) / (len(self.config.classes) - 1)
        found = torch.full((len(images), len(self.config.classes)), others, dtype=torch.float64)
        found[torch.arange(len(images)), codes] = self.config.sure
        return {"kind": found}

    def features(self, images):
        return self.perceive(images.float())

    def perceive(self, images):
        return torch.cat([images[:, 0, 0, :1] / 40, images[:, 1, 0, :3] / 10, images[:, 2, :2, 0] / 10], dim=1).float()


@dataclass(frozen=True, kw_only=True)
class KindsConfig(Source):
    """Real images of ``counts`` a class; ids begin with the class, so that their order is the classes'."""

    kind: str = "kinds"
    counts: tuple[int, ...] = (30, 30, 30, 30)
    broken: tuple[int, ...] = ()
    labelled: bool = True
    first: int = 0

    def attributes(self):
        return {"kind" if self.labelled else "other": KINDS}

    def index(self):
        codes = np.repeat(np.arange(len(KINDS)), self.counts)
        return pa.table(
            {
                "image_id": [f"{KINDS[code]}{row:04d}" for row, code in enumerate(codes)],
                next(iter(self.attributes())): [KINDS[code] for code in codes],
                "row": np.arange(len(codes)),
                "code": codes,
            }
        )

    def load(self, rows):
        return [self._image(row["row"], row["code"]) for row in rows.to_pylist()]

    def _image(self, row, code):
        if row in self.broken:
            return b"broken"
        noise = torch.randn(1, Z, generator=torch.Generator().manual_seed(900_000 + self.first + row)).double()
        pixels = images_of(torch.tensor([code]), noise)[0].round().clamp(0, 255).byte()
        return encode_png(pixels.permute(1, 2, 0).numpy())


def write_kinds(directory, **config):
    """Write the images as shards, all of them in the split test."""
    split = SplitConfig(train=0.0, val=0.0, test=1.0)
    return write_shards(KindsConfig(**config), directory, split=split, row_group_rows=20, rows_per_shard=50)
