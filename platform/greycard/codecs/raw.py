"""The identity as a codec: the reference that every group's change is measured against.

``image -> PNG -> image``. Total bits are those of the PNG file; there is no likelihood model and no headerless payload.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from greycard.codecs.container import BitstreamError
from greycard.codecs.pixels import check_image, check_images, check_point
from greycard.datasets.pixels import ImageError, decode_image, encode_png
from greycard.protocols import Restored

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawConfig:
    """The identity codec; its one operating point is 0."""

    kind: Literal["raw"] = "raw"

    @property
    def points(self) -> tuple[float, ...]:
        """The one operating point."""
        return (0.0,)

    def build(self) -> "Raw":
        """Return the codec."""
        return Raw(self)


class Raw:
    """Gives back what it gets; files are plain PNG."""

    draws: Final = False

    def __init__(self, config: RawConfig) -> None:
        self.points = config.points

    def reconstruct(self, images: Tensor, point: float, seeds: Tensor | None = None) -> Restored:
        """Return the images themselves, and the bits of their PNG files as total."""
        check_images(images)
        check_point(point, self.points)
        unknown = torch.full((len(images),), torch.nan, dtype=torch.float64)
        bits = torch.tensor([8.0 * len(self.encode(image, point)) for image in images], dtype=torch.float64)
        return Restored(images.clone(), unknown, unknown.clone(), bits)

    def encode(self, image: Tensor, point: float) -> bytes:
        """Encode (3, H, W) uint8 as PNG."""
        check_image(image)
        check_point(point, self.points)
        return encode_png(image.permute(1, 2, 0).contiguous().cpu().numpy())

    def decode(self, data: bytes, seed: int = 0) -> Tensor:
        """Decode a PNG file into (3, H, W) uint8.

        Raises:
            BitstreamError: not a PNG file, or a damaged one.
        """
        _check_chunks(data)
        try:
            pixels = decode_image(data)
        except ImageError as error:
            raise BitstreamError(f"PNG: {error}") from None
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _check_chunks(data: bytes) -> None:
    """Check the signature and every chunk's checksum: image readers pass over some of them."""
    if data[:8] != _SIGNATURE:
        raise BitstreamError(f"expected a PNG file, got {len(data)} bytes that begin with {bytes(data[:4])!r}")
    start, kind = 8, b""
    while start < len(data) and kind != b"IEND":
        if start + 12 > len(data):
            raise BitstreamError("PNG is truncated")
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        end = start + 12 + length
        if end > len(data):
            raise BitstreamError(f"PNG is truncated or damaged: chunk {kind!r} ends after the file")
        if zlib.crc32(data[start + 4 : end - 4]) != struct.unpack(">I", data[end - 4 : end])[0]:
            raise BitstreamError(f"PNG is damaged: the checksum of chunk {kind!r} does not fit")
        start = end
    if kind != b"IEND" or start != len(data):
        raise BitstreamError("PNG is truncated, or has bytes after its end")
