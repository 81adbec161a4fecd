"""The file that ``encode`` writes: a small header, the entropy-coded strings, a checksum.

    "gc" | version | codec id | fingerprint (4) | point (float32) | H | W | lengths of all strings but the last
         | strings ... | CRC-32 of everything before (4)

H, W and lengths are variable-length integers (7 bits per byte), so a 64-pixel image pays 19 to 21 bytes. All of
it counts in ``bits_total``.
"""

import struct
import zlib
from typing import Final, NamedTuple

MAGIC: Final = b"gc"
VERSION: Final = 1
MAX_PIXELS: Final = 2**26  # a larger H x W is taken for damage, not allocated

_FIXED = struct.Struct(">2sBB4sf")
_CRC = struct.Struct(">I")


class BitstreamError(ValueError):
    """Bytes that cannot be decoded: damaged, foreign, or written by another codec or with other weights."""


class Container(NamedTuple):
    """What a file holds.

    Attributes:
        codec_id: 0..255, one per codec family.
        fingerprint: 4 bytes that name the weights (or the options) which the decoder must have.
        point: the operating point as float32.
        height: pixels of the image, before any padding.
        width: likewise.
        strings: the entropy-coded strings, in the codec's order.
    """

    codec_id: int
    fingerprint: bytes
    point: float
    height: int
    width: int
    strings: tuple[bytes, ...]


def pack(container: Container) -> bytes:
    """Write a container as bytes.

    Raises:
        ValueError: the image has no pixels or too many.
    """
    check_size(container.height, container.width)
    head = _FIXED.pack(MAGIC, VERSION, container.codec_id, container.fingerprint, container.point)
    numbers = [container.height, container.width, *(len(string) for string in container.strings[:-1])]
    body = head + b"".join(map(_write_number, numbers)) + b"".join(container.strings)
    return body + _CRC.pack(zlib.crc32(body))


def unpack(data: bytes, *, codec_id: int, num_strings: int) -> Container:
    """Read a container written for one codec.

    Args:
        data: the whole file.
        codec_id: the codec that wants to decode it.
        num_strings: how many strings this codec writes.

    Raises:
        BitstreamError: the bytes are damaged, foreign, of a newer version, or of another codec.
    """
    if len(data) < _FIXED.size + _CRC.size + 2 or data[: len(MAGIC)] != MAGIC:
        raise BitstreamError(
            f"expected a greycard file, which begins with {MAGIC!r}, got {len(data)} bytes that begin with "
            f"{bytes(data[:4])!r}"
        )
    body, (checksum,) = data[: -_CRC.size], _CRC.unpack(data[-_CRC.size :])
    if zlib.crc32(body) != checksum:
        raise BitstreamError("checksum does not fit: the file is truncated or damaged; copy or encode it again")
    _, version, found_id, fingerprint, point = _FIXED.unpack(body[: _FIXED.size])
    if version != VERSION:
        raise BitstreamError(f"file version must be {VERSION}, got {version}: another greycard release wrote it")
    if found_id != codec_id:
        raise BitstreamError(f"codec id must be {codec_id}, got {found_id}: decode with the codec that wrote the file")
    numbers, start = [], _FIXED.size
    for _ in range(2 + num_strings - 1):
        number, start = _read_number(body, start)
        numbers.append(number)
    height, width, *lengths = numbers
    try:
        check_size(height, width)
    except ValueError as error:
        raise BitstreamError(str(error)) from None
    if sum(lengths) > len(body) - start:
        raise BitstreamError(f"strings of {sum(lengths)} bytes announced, {len(body) - start} bytes are there")
    strings = []
    for length in lengths:
        strings.append(body[start : start + length])
        start += length
    return Container(found_id, fingerprint, point, height, width, (*strings, body[start:]))


def overhead(height: int, width: int, lengths: tuple[int, ...]) -> int:
    """Return the bytes a container adds to strings of these lengths."""
    return _FIXED.size + _CRC.size + sum(len(_write_number(number)) for number in (height, width, *lengths[:-1]))


def check_size(height: int, width: int) -> None:
    """Check an image size.

    Raises:
        ValueError: it has no pixels, or more than a file may hold.
    """
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"image must have 1..{MAX_PIXELS} pixels, got {height} x {width}")


def as_float32(point: float) -> float:
    """Return a point as a file keeps it."""
    return float(struct.unpack(">f", struct.pack(">f", point))[0])


def match_point(stored: float, points: tuple[float, ...]) -> float:
    """Return the codec's point that a file names.

    Raises:
        BitstreamError: the codec has no such point.
    """
    for point in points:
        if as_float32(point) == stored:
            return point
    raise BitstreamError(
        f"the file was written at point {stored:g}; this codec has {', '.join(map('{:g}'.format, points))}"
    )


def _write_number(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _read_number(data: bytes, start: int) -> tuple[int, int]:
    number = 0
    for count, byte in enumerate(data[start : start + 5]):
        number |= (byte & 127) << (7 * count)
        if byte < 128:
            return number, start + count + 1
    raise BitstreamError("a length in the header does not end: the file is damaged")
