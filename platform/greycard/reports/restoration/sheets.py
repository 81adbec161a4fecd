"""Contact sheets: the same faces by group (rows) and rate (columns), as figures 1 and 4b of paper 000 show them.

Border colours are the paper's: green where the classifier still reads the skin type of the label, purple where it reads
a lighter one. A thin grey border stands for a darker reading, none for no reading. Under each image stand the label and
the reading, so that nothing depends on colour alone.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from greycard.datasets.storage import Folder
from greycard.reports.canvas import INK, font, text_centred
from greycard.reports.restoration.frames import RAW
from greycard.reports.wording import number, spell
from greycard.schema import ERROR, IDENTITY, IMAGE_ID, OK, POINT, RATES, RECONSTRUCTION, STATUS, prediction_column

GREEN: Final = (0, 158, 90)
PURPLE: Final = (128, 0, 160)
GREY: Final = (150, 150, 150)
COLUMNS: Final = 5  # operating points on a sheet; the paper's codecs have as many
_PAPER: Final = (255, 255, 255)
_GAP: Final = 10
_BORDER: Final = 6
_HEADING: Final = 26  # height of a group's heading
_SMALL: Final = 13
_LARGE: Final = 15


@dataclass(frozen=True, slots=True)
class Tile:
    """One image of a sheet.

    Attributes:
        image: (H, W, 3) uint8, or None where the image failed.
        label: the class code of its label, -1 if unknown.
        read: the class code that most classifier seeds read, -1 if none.
        error: why there is no image.
    """

    image: NDArray[np.uint8] | None
    label: int = -1
    read: int = -1
    error: str = ""

    @property
    def border(self) -> tuple[int, int, int] | None:
        """The border's colour: green = read as labelled, purple = read as lighter, grey = darker, None = not read."""
        if self.read < 0 or self.label < 0:
            return None
        return GREEN if self.read == self.label else PURPLE if self.read < self.label else GREY


@dataclass(frozen=True, slots=True)
class Row:
    """One face through all columns.

    Attributes:
        group: the group that the face belongs to.
        image_id: the image's id.
        tiles: its images, one per column.
    """

    group: str
    image_id: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A contact sheet before it is drawn.

    Attributes:
        columns: the headings of the columns.
        rows: the faces, ordered by group.
        classes: names of the read attribute's classes, in code order.
        missing: groups without an image.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    missing: tuple[str, ...] = ()


def collect(
    folder: str | Path,
    system: str,
    *,
    attribute: str,
    groups: Sequence[str],
    classes: Sequence[str],
    task: str = "skin_type",
    each: int = 2,
    original: str = RAW,
    lighter_at: float | None = None,
    headings: Mapping[float, str] | None = None,
) -> Sheet:
    """Choose images and read their reconstructions.

    A group's images are those with the smallest hashes of their ids, of different people: the same every time, and not
    picked by eye.

    Args:
        folder: the audit's ``reconstructions``, local or ``s3://``: one folder of Parquet files per system.
        system: the system whose reconstructions are shown.
        attribute: the column that rows are grouped by.
        groups: its classes, in order.
        classes: the task's classes, in order (lightest first for skin type).
        task: the task whose readings the borders show.
        each: images per group.
        original: the system that keeps the original images; left out where it is not there.
        lighter_at: an operating point: only images that are read as lighter than labelled there are shown.
        headings: operating point -> heading; without it, the mean rate of the images shown.

    Raises:
        FileNotFoundError: the system has no reconstructions.
    """
    home = Folder.open(f"{folder}/{system}")
    chosen = _choose(home, attribute, groups, each, lambda row: _is_lighter(row, lighter_at, task, classes), task)
    tables = [_read(home, chosen, attribute, task)]
    originals = Folder.open(f"{folder}/{original}")
    if original != system and originals.parquet_names():
        tables.insert(0, _read(originals, chosen, attribute, task))
    columns: list[str] = []
    tiles: dict[str, list[Tile]] = {image_id: [] for image_id in chosen}
    for index, table in enumerate(tables):
        is_original = index == 0 and len(tables) == 2
        points = _spread(_points(table), lighter_at)
        for place in points:
            columns.append("original" if is_original else (headings or {}).get(place) or _heading(table, place))
            for row in table:
                tiles[row[IMAGE_ID]].append(_tile(row, place, task, classes))
    rows = tuple(Row(group, image_id, tuple(tiles[image_id])) for image_id, group in chosen.items())
    present = {row.group for row in rows}
    return Sheet(tuple(columns), rows, tuple(classes), tuple(group for group in groups if group not in present))


def draw(sheet: Sheet, *, scale: int = 2) -> Image.Image:
    """Draw a sheet, faces enlarged so that a person can see 64-pixel images.

    Args:
        sheet: what to draw.
        scale: enlargement; whole pixels, so that what is seen is what was decoded.
    """
    side = max((tile.image.shape[0] for row in sheet.rows for tile in row.tiles if tile.image is not None), default=64)
    cell = max(96, side * scale) + 2 * _BORDER
    width = len(sheet.columns) * (cell + _GAP) + _GAP
    line, head = cell + _SMALL + 2 * _GAP, 30
    heads = [index for index, row in enumerate(sheet.rows) if not index or sheet.rows[index - 1].group != row.group]
    bottom = head + len(heads) * _HEADING + len(sheet.rows) * line
    canvas = Image.new("RGB", (max(width, 480), bottom + 34 + 20 * bool(sheet.missing)), _PAPER)
    pen = ImageDraw.Draw(canvas)
    for column, heading in enumerate(sheet.columns):
        text_centred(pen, _GAP + column * (cell + _GAP) + cell // 2, 8, heading, _LARGE)
    top = head
    for index, row in enumerate(sheet.rows):
        if index in heads:
            pen.text((_GAP, top + 2), spell(row.group), fill=INK, font=font(_LARGE + 1))
            pen.line((_GAP, top, width - _GAP, top), fill=(220, 220, 220))
            top += _HEADING
        for column, tile in enumerate(row.tiles):
            _draw_tile(canvas, pen, tile, (_GAP + column * (cell + _GAP), top), cell, sheet.classes)
        top += line
    if sheet.missing:
        names = ", ".join(map(spell, sheet.missing))
        pen.text((_GAP, bottom), f"no images: {names}", fill=INK, font=font(_SMALL))
        bottom += 20
    if any(tile.border is not None for row in sheet.rows for tile in row.tiles):
        _draw_legend(pen, bottom + 4)
    return canvas


def _is_lighter(row: dict[str, Any], point: float | None, task: str, classes: Sequence[str]) -> bool:
    """Say whether an image is read as lighter at a point; any image will do where no point is given."""
    if point is None:
        return True
    if point not in row[POINT]:
        return False
    label, read = _label_and_reading(row, row[POINT].index(point), task, classes)
    return 0 <= read < label


def _label_and_reading(row: dict[str, Any], place: int, task: str, classes: Sequence[str]) -> tuple[int, int]:
    """Return the class codes of an image's label and of what most classifier seeds read; -1 where there is none."""
    label = row.get(task)
    readings = (row.get(prediction_column(task)) or [[]] * len(row[POINT]))[place] or []
    known = [code for code in readings if code >= 0]
    return (classes.index(label) if label in classes else -1), (int(np.bincount(known).argmax()) if known else -1)


def _choose(
    folder: Folder, attribute: str, groups: Sequence[str], each: int, keep: Callable[[dict[str, Any]], bool], task: str
) -> dict[str, str]:
    """Return image id -> group of the images to show, in group order."""
    found: dict[str, dict[str, tuple[str, str]]] = {group: {} for group in groups}  # group -> person -> (hash, id)
    for table in _tables(folder, [IMAGE_ID, IDENTITY, attribute, task, POINT, prediction_column(task)]):
        for row in table.to_pylist():
            if row[attribute] not in found or not keep(row):
                continue
            people = found[row[attribute]]
            person = row.get(IDENTITY) or row[IMAGE_ID]
            entry = (hashlib.sha256(row[IMAGE_ID].encode()).hexdigest(), row[IMAGE_ID])
            people[person] = min(entry, people.get(person, entry))
            if len(people) > each:
                del people[max(people, key=lambda name: people[name])]
    return {image_id: group for group, people in found.items() for _, image_id in sorted(people.values())}


def _read(folder: Folder, chosen: dict[str, str], attribute: str, task: str) -> list[dict[str, Any]]:
    """Return the chosen images' rows, in the order chosen."""
    columns = [IMAGE_ID, attribute, task, POINT, STATUS, ERROR, RECONSTRUCTION, *RATES, prediction_column(task)]
    rows: dict[str, dict[str, Any]] = {}
    for table in _tables(folder, columns):
        hits = pc.is_in(table[IMAGE_ID].cast(pa.string()), value_set=pa.array(list(chosen), pa.string()))
        rows |= {row[IMAGE_ID]: row for row in table.filter(hits).to_pylist()}
    return [rows.get(image_id, {IMAGE_ID: image_id, POINT: []}) for image_id in chosen]


def _tables(folder: Folder, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Read files one row group at a time: a reconstruction set may be large."""
    names = folder.parquet_names()
    if not names:
        raise FileNotFoundError(f"{folder.uri} holds no reconstructions (*.parquet): run the audit first")
    for name in names:
        with folder.parquet(name) as file:
            known = [column for column in columns if column in file.schema_arrow.names]
            for index in range(file.num_row_groups):
                yield file.read_row_group(index, columns=known)


def _points(rows: list[dict[str, Any]]) -> list[float]:
    """Return the operating points from the highest mean rate to the lowest."""
    points = sorted({point for row in rows for point in row[POINT]})
    return sorted(points, key=lambda point: (-_mean_rate(rows, point)[0], point))


def _spread(points: list[float], needed: float | None) -> list[float]:
    """Return at most ``COLUMNS`` points, evenly spread from the first to the last, with the one that is needed."""
    if len(points) <= COLUMNS:
        return points
    kept = {points[round(index)] for index in np.linspace(0, len(points) - 1, COLUMNS)}
    return [point for point in points if point in kept or point == needed]


def _mean_rate(rows: list[dict[str, Any]], point: float) -> tuple[float, str]:
    """Return the first kind of rate that is there, averaged over the images shown, and its name."""
    for kind in RATES:
        values = [
            row[kind][row[POINT].index(point)] for row in rows if point in row[POINT] and row.get(kind) is not None
        ]
        known = [value for value in values if value is not None and np.isfinite(value)]
        if known:
            return float(np.mean(known)), kind
    return float("nan"), ""


def _heading(rows: list[dict[str, Any]], point: float) -> str:
    rate, _ = _mean_rate(rows, point)
    return f"{number(rate, 2)} bpp" if np.isfinite(rate) else f"point {point:g}"


def _tile(row: dict[str, Any], point: float, task: str, classes: Sequence[str]) -> Tile:
    if point not in row[POINT]:
        return Tile(None, error="not in this audit")
    place = row[POINT].index(point)
    if row[STATUS][place] != OK or not row[RECONSTRUCTION][place]:
        return Tile(None, error=row[ERROR][place] or "failed")
    with Image.open(io.BytesIO(row[RECONSTRUCTION][place])) as image:
        pixels = np.asarray(image.convert("RGB"))
    return Tile(pixels, *_label_and_reading(row, place, task, classes))


def _draw_tile(
    canvas: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, place: tuple[int, int], cell: int, classes: Sequence[str]
) -> None:
    left, top = place
    if tile.image is None:
        pen.rectangle((left, top, left + cell - 1, top + cell - 1), fill=(240, 240, 240))
        text_centred(pen, left + cell // 2, top + cell // 2 - 8, tile.error[:16], _SMALL)
        return
    if tile.border is not None:
        width = _BORDER if tile.border != GREY else _BORDER // 2
        pen.rectangle((left, top, left + cell - 1, top + cell - 1), outline=tile.border, width=width)
    inner = cell - 2 * _BORDER
    height, wide = tile.image.shape[:2]
    resample = Image.Resampling.NEAREST if inner % height == 0 and height == wide else Image.Resampling.LANCZOS
    canvas.paste(Image.fromarray(tile.image).resize((inner, inner), resample), (left + _BORDER, top + _BORDER))
    if tile.label >= 0:
        read = f", read as {_brief(classes[tile.read])}" if tile.read >= 0 else ""
        text_centred(pen, left + cell // 2, top + cell + 2, f"{spaced(classes[tile.label])}{read}", _SMALL)


def spaced(name: str) -> str:
    """Return ``type 3`` for ``type3``."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", spell(name))


def _brief(name: str) -> str:
    """Return ``3`` for ``type3``: the label beside it has the word."""
    return name.removeprefix("type") or name


def _draw_legend(pen: ImageDraw.ImageDraw, top: int) -> None:
    left = _GAP
    for colour, width, text in (
        (GREEN, _BORDER, "read as labelled"),
        (PURPLE, _BORDER, "read as lighter than labelled"),
        (GREY, _BORDER // 2, "read as darker"),
    ):
        pen.rectangle((left, top, left + 20, top + 18), outline=colour, width=width)
        pen.text((left + 28, top + 1), text, fill=INK, font=font(_SMALL))
        left += 28 + int(pen.textlength(text, font=font(_SMALL))) + 24
