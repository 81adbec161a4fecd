"""Codecs, measures and classifiers with known answers, for tests of the streaming."""

from dataclasses import dataclass

import torch

from greycard.protocols import Restored

BITS = 4096.0


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

    def reconstruct(self, images, point):
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
