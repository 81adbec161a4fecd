"""JPEG (ITU-T T.81) through Pillow: a sweep of the quality setting.

``image -> YCbCr, 8x8 DCT, quantisation, Huffman -> file -> image``

At 64 x 64 pixels a file is mostly tables and headers (facts of the format: about 620 bytes with the default tables). So
two totals are offered. Total bits are, as for every codec, 8 x the bytes that ``encode`` writes:

    tables="in_file"   container + the complete JPEG file, as Pillow writes it
    tables="once"      container + the scan alone: the decoder holds the tables already (T.81's abbreviated format)

The container (``container.overhead``) is 18 bytes up to 127 pixels per side and one more for each longer side. Payload
bits are the scan's bytes in both.
"""

import io
import zlib
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from greycard.codecs.container import (
    BitstreamError,
    Container,
    as_float32,
    pack,
    unpack,
)
from greycard.codecs.pixels import check_image, check_images, check_point
from greycard.protocols import Restored

Pixels = NDArray[np.uint8]

CODEC_ID: Final = 1
PAPER_QUALITIES: Final = (1, 2, 3, 4, 5, *range(10, 100, 5))
MAX_SIDE: Final = 65_500  # libjpeg's limit

_SOI, _EOI, _SOS, _RESTARTS = 0xD8, 0xD9, 0xDA, range(0xD0, 0xD8)


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegConfig:
    """JPEG at several qualities.

    Attributes:
        qualities: libjpeg quality settings, 1..100; the operating points.
        tables: "in_file": files hold the complete JPEG file; "once": the scan alone, tables known beforehand. Total
            bits count what the file holds, and the container around it.
        optimize: Huffman tables made for each image; about half the header at 64 pixels.
        progressive: several scans of growing detail; makes ``optimize`` tables too.
        subsampling: chroma samples, as in "4:2:0" (libjpeg's default).
    """

    kind: Literal["jpeg"] = "jpeg"
    qualities: tuple[int, ...] = PAPER_QUALITIES
    tables: Literal["in_file", "once"] = "in_file"
    optimize: bool = False
    progressive: bool = False
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0"

    def __post_init__(self) -> None:
        """Check values."""
        if not self.qualities or any(not 1 <= quality <= 100 for quality in self.qualities):
            raise ValueError(f"codec.qualities must be 1..100, at least one, got {self.qualities}")
        if len(set(self.qualities)) != len(self.qualities):
            raise ValueError(f"codec.qualities must differ, got {self.qualities}")
        if self.tables == "once" and (self.optimize or self.progressive):
            raise ValueError(
                'codec.tables="once" needs optimize=false and progressive=false: those make Huffman tables for each '
                'image, which must then be in the file; use tables="in_file"'
            )

    @property
    def points(self) -> tuple[float, ...]:
        """The operating points: the JPEG qualities."""
        return tuple(float(quality) for quality in self.qualities)

    def build(self) -> "Jpeg":
        """Return the codec."""
        return Jpeg(self)


class Jpeg:
    """JPEG in greycard's container, which adds a checksum: JPEG itself would decode most damaged files to noise."""

    draws: Final = False

    def __init__(self, config: JpegConfig) -> None:
        self.config = config
        self.points = config.points
        options = f"{config.tables}|{config.subsampling}" if config.tables == "once" else config.tables
        self._fingerprint = zlib.crc32(options.encode()).to_bytes(4, "big")

    def reconstruct(self, images: Tensor, point: float, seeds: Tensor | None = None) -> Restored:
        """Encode and decode every image. Estimated bits are NaN: JPEG has no likelihood model."""
        check_images(images)
        check_point(point, self.points)
        restored, payload, total = torch.empty_like(images), [], []
        for row, image in enumerate(images):
            file = self._compress(_pixels(image), int(point))
            restored[row] = _read(file)
            payload.append(8.0 * sum(end - start for start, end in find_scans(file)))
            total.append(8.0 * len(self._contain(file, image, point)))
        return Restored(
            restored,
            torch.full((len(images),), torch.nan, dtype=torch.float64),
            torch.tensor(payload, dtype=torch.float64),
            torch.tensor(total, dtype=torch.float64),
        )

    def encode(self, image: Tensor, point: float) -> bytes:
        """Encode (3, H, W) uint8."""
        check_image(image)
        check_point(point, self.points)
        return self._contain(self._compress(_pixels(image), int(point)), image, point)

    def decode(self, data: bytes, seed: int = 0) -> Tensor:
        """Decode into (3, H, W) uint8; the file says its quality, which need not be one of ``points``.

        Raises:
            BitstreamError: damaged or foreign bytes, or written with other options.
        """
        container = unpack(data, codec_id=CODEC_ID, num_strings=1)
        if container.fingerprint != self._fingerprint:
            raise BitstreamError(
                f"the file was not written with codec.tables={self.config.tables!r} and "
                f"codec.subsampling={self.config.subsampling!r}; decode with the options it was written with"
            )
        if container.point not in range(1, 101):
            raise BitstreamError(f"JPEG quality must be 1..100, the file says {container.point:g}")
        file = container.strings[0]
        if self.config.tables == "once":
            blank = np.zeros((container.height, container.width, 3), dtype=np.uint8)
            template = self._compress(blank, int(container.point))
            ((start, end),) = find_scans(template)
            file = template[:start] + file + template[end:]
        image = _read(file)
        if tuple(image.shape[1:]) != (container.height, container.width):
            raise BitstreamError(
                f"JPEG of {container.height} x {container.width} pixels announced, got {tuple(image.shape[1:])}"
            )
        return image

    def _compress(self, pixels: Pixels, quality: int) -> bytes:
        """Write a complete JPEG file."""
        if max(pixels.shape) > MAX_SIDE:
            raise ValueError(f"JPEG takes at most {MAX_SIDE} pixels a side, got {pixels.shape[:2]}")
        file = io.BytesIO()
        Image.fromarray(pixels).save(
            file,
            format="JPEG",
            quality=quality,
            optimize=self.config.optimize,
            progressive=self.config.progressive,
            subsampling=self.config.subsampling,
        )
        return file.getvalue()

    def _contain(self, file: bytes, image: Tensor, point: float) -> bytes:
        if self.config.tables == "once":
            ((start, end),) = find_scans(file)
            file = file[start:end]
        height, width = image.shape[1:]
        return pack(Container(CODEC_ID, self._fingerprint, as_float32(point), height, width, (file,)))


def find_scans(file: bytes) -> list[tuple[int, int]]:
    """Return where the entropy-coded bytes of each scan begin and end: after its SOS header, before the next marker.

    Raises:
        BitstreamError: the marker structure is not that of a JPEG file.
    """
    scans, place = [], 2
    if file[:2] != bytes((0xFF, _SOI)):
        raise BitstreamError(f"expected a JPEG file, got {len(file)} bytes that begin with {file[:4]!r}")
    while file[place : place + 2] != bytes((0xFF, _EOI)):
        if place + 4 > len(file) or file[place] != 0xFF:
            raise BitstreamError(f"JPEG is truncated or damaged at byte {place}")
        marker = file[place + 1]
        place += 2 + int.from_bytes(file[place + 2 : place + 4], "big")
        if marker == _SOS:
            end = _end_of_scan(file, place)
            scans.append((place, end))
            place = end
    return scans


def _end_of_scan(file: bytes, start: int) -> int:
    place = file.find(0xFF, start)
    while place >= 0 and place + 1 < len(file):
        following = file[place + 1]
        if following != 0 and following not in _RESTARTS:
            return place
        place = file.find(0xFF, place + 2)
    raise BitstreamError("JPEG is truncated: a scan does not end")


def _pixels(image: Tensor) -> Pixels:
    pixels: Pixels = image.permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels


def _read(file: bytes) -> Tensor:
    """Decode a JPEG file into (3, H, W) uint8."""
    try:
        with Image.open(io.BytesIO(file), formats=("JPEG",)) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BitstreamError(f"JPEG cannot be decoded: {error}") from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
