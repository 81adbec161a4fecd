"""Real photographs at hand without a download: those inside the scikit-image and scikit-learn wheels, cut into tiles.

The group attribute is ``photograph``: which picture a tile is from. It says nothing about people; it lets codecs,
measures and reports run on real pixels with real groups.
"""

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from greycard.datasets.pixels import decode_image, encode_png
from greycard.datasets.records import PATH, MissingDataError, Source
from greycard.schema import IMAGE_ID, unknown

PHOTOGRAPHS: Final = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
}
"""Photograph -> the package that ships it and its place there (files of the wheels, never a download)."""

PHOTOGRAPH: Final = "photograph"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotosConfig(Source):
    """Tiles of photographs, row by row; what does not fill a tile at the right and bottom is left out.

    Attributes:
        size: side of a tile in pixels.
        names: which of ``PHOTOGRAPHS``, in the order of their codes.
        limit: tiles per photograph at most, evenly spread over it; 0 takes all.
    """

    kind: Literal["photos"] = "photos"
    size: int = 64
    names: tuple[str, ...] = ("astronaut", "cat", "coffee", "flower", "motorcycle", "rocket", "temple")
    limit: int = 0

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 300:
            raise ValueError(f"photos.size must be 8..300, got {self.size}")
        if self.limit < 0 or not self.names:
            raise ValueError(f"photos needs names and a limit of 0 or more, got {self.names} and {self.limit}")
        for name in self.names:
            if name not in PHOTOGRAPHS:
                raise ValueError(unknown("photograph", name, tuple(PHOTOGRAPHS)))

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the photographs as the classes of one attribute."""
        return {PHOTOGRAPH: self.names}

    def index(self) -> pa.Table:
        """Return one row per tile: its photograph and its place (``row`` and ``column`` in tiles)."""
        ids, names, paths, tops, lefts = [], [], [], [], []
        for name in self.names:
            path = photograph_path(name)
            height, width, _ = _pixels(path).shape
            places = [(row, column) for row in range(height // self.size) for column in range(width // self.size)]
            for row, column in _spread(places, self.limit):
                ids.append(f"{name}-{self.size}-{row:02d}-{column:02d}")
                names.append(name)
                paths.append(path)
                tops.append(row * self.size)
                lefts.append(column * self.size)
        return pa.table({IMAGE_ID: ids, PHOTOGRAPH: names, PATH: paths, "top": tops, "left": lefts})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Cut the tiles and encode them."""
        places = zip(rows[PATH].to_pylist(), rows["top"].to_pylist(), rows["left"].to_pylist(), strict=True)
        return [encode_png(_pixels(path)[top : top + self.size, left : left + self.size]) for path, top, left in places]


def photograph_path(name: str) -> str:
    """Return the file of a photograph.

    Raises:
        MissingDataError: the package or the file is not installed.
    """
    package, place = PHOTOGRAPHS[name]
    found = importlib.util.find_spec(package)
    path = Path(found.origin).parent / place if found and found.origin else None
    if path is None or not path.is_file():
        raise MissingDataError(
            f"missing the photograph {name!r} ({package}/{place}): install the {package} wheel, which holds it, or "
            f"leave it out of photos.names"
        )
    return str(path)


@lru_cache(maxsize=len(PHOTOGRAPHS))
def _pixels(path: str) -> NDArray[np.uint8]:
    return decode_image(Path(path).read_bytes())


def _spread(places: list[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    if not limit or limit >= len(places):
        return places
    return [places[round(step)] for step in np.linspace(0, len(places) - 1, limit)]
