"""A toy generator and classifier with known answers: a linear map, and the class of its largest coordinate."""

import numpy as np
import torch

from greycard.latent_search.search import Labelled


class Toy:
    """``z -> A z + b -> arg max``; ``b`` makes some classes rare. Features are A z + b."""

    def __init__(self, features=8, classes=4, offsets=(0.0, 0.0, 0.0, -1.5)):
        rng = np.random.default_rng(5)
        self.matrix = rng.normal(size=(classes, features)).astype(np.float32)
        self.offsets = np.asarray(offsets, np.float32)
        self.features, self.evaluated = features, []

    def latents(self, seeds, space):
        rows = [torch.randn(self.features, generator=torch.Generator().manual_seed(int(s))) for s in seeds]
        return torch.stack(rows) if rows else torch.empty(0, self.features)

    def label(self, latents, space, truncation):
        self.evaluated.append(len(latents))
        seen = truncation * latents.numpy().astype(np.float64) @ self.matrix.T.astype(np.float64) + self.offsets
        return Labelled(seen.argmax(axis=1), seen.astype(np.float32))
