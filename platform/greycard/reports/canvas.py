"""Text on drawn sheets, and drawn sheets as PNG."""

import io
from typing import Final

from PIL import Image, ImageDraw, ImageFont

INK: Final = (34, 34, 34)


def to_png(image: Image.Image) -> bytes:
    """Return a drawn sheet as PNG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def text_centred(pen: ImageDraw.ImageDraw, middle: int, top: int, text: str, size: int) -> None:
    """Write a line of text centred on ``middle``."""
    face = font(size)
    pen.text((middle - pen.textlength(text, font=face) / 2, top), text, fill=INK, font=face)


def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Return the font of all sheets, which Pillow brings along."""
    return ImageFont.load_default(size)
