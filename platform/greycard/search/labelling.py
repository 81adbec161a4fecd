"""A generator and a classifier as one labeller: ``latents -> images -> codes and features``, in one pass each."""

from typing import Protocol

import numpy as np
from torch import Tensor

from greycard.protocols import Generator, Space
from greycard.schema import unknown
from greycard.search.latent_search import Labelled


class Recogniser(Protocol):
    """A classifier that tells class codes and features in one pass (``classifiers.AttributeClassifier``)."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The attributes it predicts."""
        ...

    def recognise(self, images: Tensor, task: str) -> tuple[Tensor, Tensor]:
        """Return (N,) int64 codes of a task and the (N, F) float32 features that they are decided from."""
        ...


class GeneratorLabeller:
    """What a latent search asks: draws latents, and says of which class their images are.

    Args:
        generator: makes the images.
        classifier: sees them.
        task: whose classes count.

    Raises:
        ValueError: the classifier does not predict the task; near matches are listed.
    """

    def __init__(self, generator: Generator, classifier: Recogniser, task: str) -> None:
        if task not in classifier.tasks:
            raise ValueError(f"the classifier does not predict {unknown('task', task, classifier.tasks)}")
        self.generator, self.classifier, self.task = generator, classifier, task

    def latents(self, seeds: Tensor, space: Space) -> Tensor:
        """Draw a latent a seed: (N,) int64 -> (N, *shape)."""
        return self.generator.latents(seeds, space)

    def label(self, latents: Tensor, space: Space, truncation: float) -> Labelled:
        """Classify the images of (N, *shape) latents."""
        return self.see(self.images(latents, space, truncation))

    def images(self, latents: Tensor, space: Space, truncation: float) -> Tensor:
        """Make the images of (N, *shape) latents: (N, 3, size, size) uint8."""
        return self.generator.generate(latents, space, truncation)

    def see(self, images: Tensor) -> Labelled:
        """Classify (N, 3, H, W) uint8 images."""
        codes, features = self.classifier.recognise(images, self.task)
        return Labelled(codes.cpu().numpy().astype(np.int64), features.float().cpu().numpy())
