"""A generator and a classifier as one labeller: ``latents -> images -> codes and features``, in one pass each."""

import hashlib
from collections import OrderedDict
from typing import Final, Protocol, TypeVar

import numpy as np
from torch import Tensor

from greycard.latent_search.search import Labelled, Labeller
from greycard.protocols import LatentGenerator, Space
from greycard.schema import unknown

Kept = TypeVar("Kept")
UNSURE: Final = -1  # the code of an image that is put in no class


class Recogniser(Protocol):
    """A classifier that tells codes, probabilities and features in one pass (``classifiers.AttributeClassifier``)."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The attributes it predicts."""
        ...

    def recognise(self, images: Tensor, task: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return (N,) codes of a task, (N,) their probabilities, and (N, F) features that they are decided from."""
        ...


class GeneratorLabeller:
    """What a latent search asks: draws latents, and says of which class their images are.

    Args:
        generator: makes the images.
        classifier: classifies them.
        task: whose classes count.
        min_confidence: an image whose class is less probable is of no class (``UNSURE``).

    Raises:
        ValueError: the classifier does not predict the task; near matches are listed.
    """

    def __init__(
        self, generator: LatentGenerator, classifier: Recogniser, task: str, min_confidence: float = 0.0
    ) -> None:
        if task not in classifier.tasks:
            raise ValueError(f"the classifier does not predict {unknown('task', task, classifier.tasks)}")
        self.generator, self.classifier, self.task = generator, classifier, task
        self.min_confidence = min_confidence

    def latents(self, seeds: Tensor, space: Space) -> Tensor:
        """Draw one latent per seed: (N,) int64 -> (N, *shape)."""
        return self.generator.latents(seeds, space)

    def label(self, latents: Tensor, space: Space, truncation: float) -> Labelled:
        """Classify the images of (N, *shape) latents."""
        return self.see(self.images(latents, space, truncation))

    def images(self, latents: Tensor, space: Space, truncation: float) -> Tensor:
        """Make the images of (N, *shape) latents: (N, 3, size, size) uint8."""
        return self.generator.generate(latents, space, truncation)

    def see(self, images: Tensor) -> Labelled:
        """Classify (N, 3, H, W) uint8 images."""
        codes, sure, features = self.classifier.recognise(images, self.task)
        codes = codes.where(sure >= self.min_confidence, UNSURE)
        return Labelled(codes.cpu().numpy().astype(np.int64), features.float().cpu().numpy())


class Remembering:
    """A labeller that remembers the last batches: where rows of several classes look through the same seeds.

    Args:
        labeller: makes and sees the images.
        batches: the number of batches that are remembered.
    """

    def __init__(self, labeller: Labeller, batches: int = 64) -> None:
        self.labeller, self.batches = labeller, batches
        self._drawn: OrderedDict[bytes, Tensor] = OrderedDict()
        self._seen: OrderedDict[bytes, Labelled] = OrderedDict()

    def latents(self, seeds: Tensor, space: Space) -> Tensor:
        """Draw one latent per seed: (N,) int64 -> (N, *shape)."""
        key = seeds.numpy().tobytes()
        if key not in self._drawn:
            _put(self._drawn, key, self.labeller.latents(seeds, space), self.batches)
        return self._drawn[key]

    def label(self, latents: Tensor, space: Space, truncation: float) -> Labelled:
        """Classify the images of (N, *shape) latents."""
        key = hashlib.blake2b(latents.numpy().tobytes(), digest_size=16).digest()
        if key not in self._seen:
            _put(self._seen, key, self.labeller.label(latents, space, truncation), self.batches)
        return self._seen[key]


def _put(kept: OrderedDict[bytes, Kept], key: bytes, value: Kept, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)
