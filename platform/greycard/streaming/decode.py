"""The first stage, in tasks: encoded images of shard rows to pixels, or to the reason why not. No torch in here."""

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from greycard.datasets.pixels import ImageError, decode_image, image_bytes
from greycard.schema import IMAGE
from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixel_column
from greycard.streaming.selection import Selection

ERROR_LENGTH: Final = 300


def pass_through(table: pa.Table) -> pa.Table:
    """Leave rows that need no decoding as they are."""
    return table


@dataclass(frozen=True, slots=True)
class Decode:
    """Encoded images to pixels: ``image -> pixels, decode_error``; other columns stay.

    Attributes:
        size: height and width of the pixels.
        resize: cut and resample images of another size, instead of failing them.
        selection: which rows of a shard take part; the others are dropped before decoding.
    """

    size: int
    resize: bool = False
    selection: Selection = dataclasses.field(default_factory=Selection)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Decode a block of shard rows."""
        table = self.selection.apply(table)
        images = np.zeros((len(table), self.size, self.size, 3), np.uint8)
        errors = [""] * len(table)
        for row, value in enumerate(table[IMAGE].to_pylist()):
            try:
                images[row] = decode_image(image_bytes(value), size=self.size, resize=self.resize)
            except ImageError as error:
                errors[row] = reason(error)
        kept = table.drop_columns([IMAGE])
        return kept.append_column(PIXELS, pixel_column(images)).append_column(DECODE_ERROR, pa.array(errors))


def reason(error: Exception) -> str:
    """Word an exception as a row's reason: one line, its type where that says more than a message of ours."""
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, ValueError):
        text = f"{type(error).__name__}: {text}"
    return text[:ERROR_LENGTH]
