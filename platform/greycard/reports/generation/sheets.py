"""Sheets of generated images: as they come, by class before and after, and lineages of a latent search.

Images are enlarged by whole pixels. Flags are words, never colour alone. Nothing is chosen by eye: images stand in the
order of their seeds, descendants in the order of depth.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from greycard.reports.canvas import font, text_centred
from greycard.reports.generation.evidence import Samples
from greycard.reports.wording import number, spell

BORDER: Final = (213, 94, 0)
START: Final = (0, 114, 178)
_INK: Final = (34, 34, 34)
_SOFT: Final = (92, 97, 102)
_WASH: Final = (240, 240, 240)
_GAP: Final = 8
_SIDE: Final = 64  # pixels that an image is at least enlarged to
_NAME: Final = 72  # width of the column of names at least; at most twice that
_SMALL: Final = 12
_LARGE: Final = 15


def as_they_come(samples: Sequence[tuple[str, Samples]], *, count: int = 30, across: int = 6) -> Image.Image:
    """Draw each system's first images side by side, with the class that the classifier puts them in.

    Args:
        samples: (what it is called, its images).
        count: images per system at most.
        across: images per row of a system.
    """
    side = _side([one for _, one in samples])
    cell, line = side + _GAP, side + _SMALL + _GAP
    down = -(-max((min(count, len(one.images)) for _, one in samples), default=1) // across)
    width = len(samples) * (across * cell + 2 * _GAP) + _GAP
    canvas, pen = _canvas(width, 34 + down * line + _GAP)
    for index, (name, one) in enumerate(samples):
        left = _GAP + index * (across * cell + 2 * _GAP)
        _write(pen, left, 8, name, across * cell, _LARGE)
        for place in range(min(count, len(one.images))):
            x, y = left + place % across * cell, 34 + place // across * line
            canvas.paste(_large(one.images[place], side), (x, y))
            text_centred(
                pen, x + side // 2, y + side, _fitted(pen, spell(one.labels[place]), cell, _SMALL - 2), _SMALL - 2
            )
    return canvas


def by_class(samples: Sequence[tuple[str, Samples]], classes: Sequence[str], *, each: int = 5) -> Image.Image:
    """Draw the first images that each class got, one row per class, systems side by side, with how many there are.

    Args:
        samples: (what it is called, its images).
        classes: the classes in order; one without images keeps its row.
        each: images per class and system.
    """
    side = _side([one for _, one in samples])
    cell, line = side + _GAP, side + 2 * _GAP
    block = each * cell + 2 * _GAP
    widest = max((len(spell(label)) for label in classes), default=1)
    column = min(max(_NAME, 3 * _GAP + widest * _LARGE * 5 // 9), 2 * _NAME)
    canvas, pen = _canvas(column + len(samples) * block + _GAP, 52 + len(classes) * line)
    for index, (name, one) in enumerate(samples):
        left = column + index * block
        _write(pen, left, 6, name, block - _GAP, _LARGE)
        pen.text((left, 28), f"first {each} of each class in {len(one.images):,} images", fill=_SOFT, font=font(_SMALL))
        for row, label in enumerate(classes):
            found = [place for place, said in enumerate(one.labels) if said == label]
            top = 52 + row * line
            if not found:
                pen.rectangle((left, top, left + block - 3 * _GAP, top + side), fill=_WASH)
                text_centred(pen, left + block // 2 - _GAP, top + side // 2 - 8, "none", _SMALL)
            for place, at in enumerate(found[:each]):
                canvas.paste(_large(one.images[at], side), (left + place * cell, top))
    for row, label in enumerate(classes):
        top = 52 + row * line
        _write(pen, _GAP, top + side // 2 - 18, spell(label), column - 2 * _GAP, _LARGE - 1)
        counts = " / ".join(f"{sum(said == label for said in one.labels):,}" for _, one in samples)
        pen.text((_GAP, top + side // 2 + 2), counts, fill=_SOFT, font=font(_SMALL - 1))
        pen.line((_GAP, top - _GAP, canvas.width - _GAP, top - _GAP), fill=(225, 225, 225))
    return canvas


def lineage_sheet(
    lineages: pd.DataFrame, classes: Sequence[str], *, angles: bool = True, each: int = 1, most: int = 20
) -> Image.Image:
    """Draw lineages: the start, then what the search reached from it in the order of depth, duplicates flagged.

    Args:
        lineages: lineage, label, number, parent, depth, distance, duplicate, chosen, image (PNG or array).
        classes: the classes in order; those without a lineage are left out.
        angles: distances are radians and written in degrees.
        each: lineages per class.
        most: images per lineage at most.
    """
    parts = [
        (label, str(name), rows.sort_values(["depth", "number"]).head(most))
        for label in classes
        for name, rows in list(lineages[lineages["label"] == label].groupby("lineage", sort=True))[:each]
    ]
    side = _side([Samples(images=list(lineages["image"]), labels=[""] * len(lineages))])
    cell, line, across = max(side, 74) + _GAP, side + 3 * _SMALL + 2 * _GAP, 10
    heights = [26 + max(1, -(-len(rows) // across)) * line for _, _, rows in parts]
    canvas, pen = _canvas(across * cell + 2 * _GAP, max(60, sum(heights) + _GAP))
    top = _GAP
    for (label, name, rows), height in zip(parts, heights, strict=True):
        flagged = int(rows["duplicate"].astype(bool).sum())
        text = f"{spell(label)}: {len(rows)} of lineage {name}" + (f", {flagged} flagged as duplicates" * (flagged > 0))
        pen.line((_GAP, top, canvas.width - _GAP, top), fill=(220, 220, 220))
        _write(pen, _GAP, top + 4, text, canvas.width - 2 * _GAP, _LARGE)
        for place, row in enumerate(rows.to_dict("records")):
            left = _GAP + place % across * cell
            _member(canvas, pen, row, (left, top + 26 + place // across * line), side, angles=angles)
        top += height
    if not parts:
        pen.text((_GAP, 20), "no lineage was kept", fill=_SOFT, font=font(_LARGE))
    return canvas


def _member(
    canvas: Image.Image, pen: ImageDraw.ImageDraw, row: dict[Any, Any], at: tuple[int, int], side: int, *, angles: bool
) -> None:
    left, top = at
    canvas.paste(_large(row["image"], side), (left, top))
    start = int(row["depth"]) == 0
    duplicate = bool(row["duplicate"])
    if start or duplicate:
        pen.rectangle((left - 2, top - 2, left + side + 1, top + side + 1), outline=START if start else BORDER, width=2)
    if duplicate:
        pen.line((left, top, left + side - 1, top + side - 1), fill=BORDER, width=1)
    far = float(row["distance"])
    gone = f"{np.degrees(far):.0f}°" if angles else number(far, 2)
    first = "start" if start else f"#{int(row['number'])} from #{int(row['parent'])}"
    second = "" if start else f"depth {int(row['depth'])}, {gone}"
    third = "duplicate" if duplicate else "" if bool(row.get("chosen", True)) else "not taken"
    for index, text in enumerate((first, second, third)):
        colour = BORDER if text == "duplicate" else _INK if index == 0 else _SOFT
        pen.text((left, top + side + 3 + index * (_SMALL + 1)), text, fill=colour, font=font(_SMALL - 2))


def _canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("RGB", (width, height), (255, 255, 255))
    return canvas, ImageDraw.Draw(canvas)


def _write(pen: ImageDraw.ImageDraw, left: int, top: int, text: str, room: int, size: int) -> None:
    """Write one line, shortened to the room that there is."""
    pen.text((left, top), _fitted(pen, text, room, size), fill=_INK, font=font(size))


def _fitted(pen: ImageDraw.ImageDraw, text: str, room: int, size: int) -> str:
    """Return a text, or so much of its beginning as the room allows."""
    for length in range(len(text), 0, -1):
        shown = text if length == len(text) else f"{text[:length].rstrip()}…"
        if pen.textlength(shown, font=font(size)) <= room:
            return shown
    return ""


def _side(samples: Sequence[Samples]) -> int:
    """Return the side at which images are shown: whole multiples of theirs up to ``_SIDE``, at most twice that."""
    first = next((_opened(image) for one in samples for image in one.images), None)
    if first is None:
        return _SIDE
    return min(first.width * max(1, _SIDE // first.width), 2 * _SIDE)


def _opened(image: Any) -> Image.Image:
    """Return an image from PNG bytes or from (H, W, 3) uint8.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(image, bytes):
        return Image.open(io.BytesIO(image)).convert("RGB")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"samples must be PNG bytes or (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    return Image.fromarray(pixels)


def _large(image: Any, side: int) -> Image.Image:
    found = _opened(image)
    whole = side % found.width == 0 and found.width == found.height
    return found.resize((side, side), Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS)
