"""Encoded images to 8-bit RGB pixels and back: the one place that uses Pillow outside codecs.

A decode either gives the pixels that the file states, or an ``ImageError`` with a short reason that an audit can put in
a row. What has no exact 8-bit RGB form (CMYK, 16 bits per channel, transparent pixels, several frames) is refused
rather than guessed at. Colour profiles are not applied.
"""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS: Final = 64_000_000
"""Images that claim more pixels are refused before their pixels are read."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""The formats that are opened: none of them calls another program."""

EXTENSIONS: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
"""File names that count as images in a folder."""

PNG_LEVEL: Final = 1  # small images gain little from more, and writing takes several times as long

_EXACT: Final = ("RGB", "L", "1", "P")  # each pixel has one exact 8-bit RGB value
_WITH_ALPHA: Final = ("RGBA", "LA", "PA")  # likewise, if nothing is transparent


class ImageError(ValueError):
    """Bytes that are not an image in 8-bit RGB; the message is one short reason."""


def decode_image(data: bytes, *, size: int | None = None, resize: bool = False) -> NDArray[np.uint8]:
    """Decode one image, upright by its EXIF orientation.

    Args:
        data: the encoded file.
        size: the height and width to return; None takes the image as it is.
        resize: allow another size: the largest centred square is cut out and resampled with Pillow's Lanczos filter,
            whose support widens with the reduction (so it is anti-aliased).

    Returns:
        (H, W, 3) uint8, RGB, contiguous.

    Raises:
        ImageError: empty, truncated or damaged bytes, not an image, too many pixels, no exact 8-bit RGB form, or
            another size with ``resize`` off.
    """
    if not data:
        raise ImageError("empty: 0 bytes")
    try:
        image = _upright_rgb(data)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"not an image: {len(data)} bytes in none of {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"too many pixels: the limit is {MAX_PIXELS}") from None
    except Exception as error:  # Pillow's readers raise many kinds on damaged bytes: each becomes the row's reason
        raise ImageError(f"damaged: {str(error) or type(error).__name__}"[:200]) from None
    if size is not None and image.size != (size, size):
        if not resize:
            raise ImageError(f"wrong size: expected {size}x{size}, got {image.width}x{image.height}")
        image = _square(image, size)
    return np.array(image, dtype=np.uint8)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) uint8 RGB pixels as PNG (lossless).

    Raises:
        ImageError: another shape or dtype.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ImageError(f"expected (H, W, 3) uint8 pixels, got {image.shape} {image.dtype}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def image_bytes(value: Any) -> bytes:
    """Return the encoded bytes of a shard's image cell: binary, or ``struct<bytes, path>`` as Hugging Face writes it.

    A null cell gives ``b""``, which fails to decode as an empty image does.
    """
    if isinstance(value, dict):
        value = value.get("bytes")
    return bytes(value) if value is not None else b""


def _upright_rgb(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"too many pixels: {image.width}x{image.height}, the limit is {MAX_PIXELS}")
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # MPO: a photograph with its preview
            raise ImageError(f"{getattr(image, 'n_frames', 0)} frames, expected one")
        if any(";16" in str(tile) for tile in image.tile):  # Pillow would cut 16-bit RGB down to 8 bits unasked
            raise ImageError("16 bits a channel, expected 8")
        image.load()
        return ImageOps.exif_transpose(_to_rgb(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image where each pixel has one exact RGB value (keeps the EXIF block)."""
    if image.mode == "RGB":
        return image
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise ImageError(f"transparent pixels (mode {image.mode}): flatten the image first")
        return image.convert("RGB")
    if image.mode in _EXACT:
        return image.convert("RGB")
    raise ImageError(f"mode {image.mode} has no exact 8-bit RGB form")


def _square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))  # a resize by box would let the filter see outside it
    return square.resize((size, size), Image.Resampling.LANCZOS)
