"""Does the file decode to what was scored? ``decode(encode(image))`` against ``reconstruct(image)``."""

from dataclasses import dataclass

import torch
from torch import Tensor

from greycard.protocols import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a round trip gave.

    Attributes:
        equal: the decoded pixels are the scored ones.
        differing: how many 8-bit values differ.
        largest: by how much at most, 0..255.
        file_bits: 8 x the bytes of the file.
        scored_bits: the total bits that ``reconstruct`` counted; NaN where bitstreams are off.
    """

    equal: bool
    differing: int
    largest: int
    file_bits: int
    scored_bits: float

    def __str__(self) -> str:
        """Say it in a line."""
        if self.equal:
            return f"verified: the file decodes to the scored pixels, {self.file_bits // 8} bytes"
        return f"differs: {self.differing} values by up to {self.largest} of 255 from what was scored"


def verify(codec: Codec, image: Tensor, point: float, seed: int = 0) -> Verification:
    """Encode and decode an image, and compare with what ``reconstruct`` gives for it.

    Args:
        codec: any codec.
        image: (3, H, W) uint8.
        point: one of the codec's points.
        seed: that both draw from, if the codec draws.
    """
    return compare(codec, codec.encode(image, point), image, point, seed)


def compare(codec: Codec, data: bytes, image: Tensor, point: float, seed: int = 0) -> Verification:
    """Compare what a file decodes to with what ``reconstruct`` gives for its original.

    Raises:
        ValueError: the file is damaged or foreign, or the image cannot be restored.
    """
    scored = codec.reconstruct(image[None], point, torch.tensor([seed]))
    if scored.error(0):
        raise ValueError(scored.error(0))
    decoded = codec.decode(data, seed)
    if decoded.shape != image.shape:
        raise ValueError(f"the file holds an image of {tuple(decoded.shape)}, the original has {tuple(image.shape)}")
    difference = (decoded.to(torch.int16) - scored.images[0].to(torch.int16)).abs()
    return Verification(
        equal=not bool(difference.any()),
        differing=int((difference > 0).sum()),
        largest=int(difference.max()),
        file_bits=8 * len(data),
        scored_bits=float(scored.bits_total[0]),
    )
