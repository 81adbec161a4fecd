"""The contracts of greycard: what a codec, a classifier, a generator and a measure are. Read this page first.

Pixels travel as 8-bit tensors, because that is what a decoder writes and what a person sees:
``images: (N, 3, H, W) uint8``, RGB. Float conversions (range, mean) live inside each model.

Results never depend on which other images share a batch: a model that computes in floating point runs on batches of
one fixed size (``greycard.layers.batching``), and whatever draws gets one seed per image (``greycard.seeds``).
"""

from typing import Literal, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

Space = Literal["z", "w", "w+"]
"""Latent spaces: what is drawn; what StyleGAN's mapping makes of it; and one of those per layer."""


class Restored(NamedTuple):
    """What a restorer makes of a batch: the restored pixels and three rates that are never mixed.

    Attributes:
        images: (N, 3, H, W) uint8, the same H and W as the input.
        bits_estimated: (N,) float64, bits per image from the model's likelihoods; NaN without a likelihood model.
        bits_payload: (N,) float64, bits of the entropy-coded bytes; NaN where real bitstreams are switched off.
        bits_total: (N,) float64, payload and headers: 8 x the size of the file that ``encode`` writes.
        errors: why an image could not be restored (a non-finite number in the network), "" where all is well; the empty
            tuple means that all is well. A failed image has black pixels and NaN bits: read ``error(row)`` first.
    """

    images: Tensor
    bits_estimated: Tensor
    bits_payload: Tensor
    bits_total: Tensor
    errors: tuple[str, ...] = ()

    def error(self, row: int) -> str:
        """Return why an image of the batch failed, "" where it was restored."""
        return self.errors[row] if self.errors else ""


@runtime_checkable
class Restorer(Protocol):
    """What gives an image back at one or more operating points: a codec, or any other model that an audit compares."""

    @property
    def points(self) -> tuple[float, ...]:
        """The operating points (λ, JPEG quality, ...), in the order given by the config."""
        ...

    @property
    def draws(self) -> bool:
        """Whether a result depends on its image's seed; where it does not, seeds are ignored."""
        ...

    def reconstruct(self, images: Tensor, point: float, seeds: Tensor | None = None) -> Restored:
        """Restore a batch at one operating point.

        Args:
            images: (N, 3, H, W) uint8; H and W of any size (padded and cropped back inside).
            point: one of ``points``.
            seeds: (N,) int64, one per image (``greycard.seeds.image_seeds``); None is 0 for each.
        """
        ...


@runtime_checkable
class Codec(Restorer, Protocol):
    """An image codec: ``image -> encode -> bytes -> decode -> restored``.

    ``reconstruct`` does both for a batch, to the same pixels. Only a decoder may draw: a file has the same bytes for
    every seed, and its samples are decoded from it with a seed each.
    """

    def encode(self, image: Tensor, point: float) -> bytes:
        """Encode one (3, H, W) uint8 image into a complete file: container header and payload."""
        ...

    def decode(self, data: bytes, seed: int = 0) -> Tensor:
        """Decode what ``encode`` wrote into (3, H, W) uint8: what ``reconstruct`` gives for the image and this seed.

        Raises:
            ValueError: the bytes are damaged, or were written by another codec or other weights.
        """
        ...


@runtime_checkable
class Classifier(Protocol):
    """A classifier of one or several attributes (tasks)."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The attributes it predicts, in order."""
        ...

    def predict(self, images: Tensor) -> dict[str, Tensor]:
        """Predict class codes: (N, 3, H, W) uint8 -> task -> (N,) int64 codes in schema order."""
        ...

    def probabilities(self, images: Tensor) -> dict[str, Tensor]:
        """Return class probabilities: (N, 3, H, W) uint8 -> task -> (N, K) float64; their arg max is ``predict``."""
        ...


@runtime_checkable
class Generator(Protocol):
    """A generator of images; an image depends on its own seed only."""

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        ...

    @property
    def spaces(self) -> tuple[Space, ...]:
        """The latent spaces that it can be asked in (it is then a ``LatentGenerator``); () of one that takes seeds."""
        ...

    def sample(self, seeds: Tensor, truncation: float | None = None) -> Tensor:
        """Make one image per seed: (N,) int64 -> (N, 3, size, size) uint8.

        Args:
            seeds: of the images.
            truncation: ψ instead of the generator's own.

        Raises:
            ValueError: ``truncation`` is given, and the generator has none.
        """
        ...


@runtime_checkable
class LatentGenerator(Generator, Protocol):
    """A generator whose latents can be drawn, changed and turned into images: what a latent search needs."""

    def shape(self, space: Space) -> tuple[int, ...]:
        """Return the shape of one latent of a space."""
        ...

    def latents(self, seeds: Tensor, space: Space = "z") -> Tensor:
        """Draw one latent per seed: (N,) int64 -> (N, *shape(space)) float32."""
        ...

    def generate(self, latents: Tensor, space: Space = "z", truncation: float | None = None) -> Tensor:
        """Make (N, 3, size, size) uint8 images of (N, *shape(space)) latents of one of ``spaces``."""
        ...


@runtime_checkable
class Measure(Protocol):
    """A full-reference measure: one number per image."""

    @property
    def name(self) -> str:
        """The column it fills, with the unit where it has one."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether higher values of the measure are better."""
        ...

    def __call__(self, reference: Tensor, restored: Tensor) -> Tensor:
        """Compare (N, 3, H, W) uint8 with (N, 3, H, W) uint8; returns (N,) float64."""
        ...
