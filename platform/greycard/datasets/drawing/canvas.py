"""The drawing surface: planes of surface colour and of light, soft-edged masks, and smooth noise to sample.

Everything is float32 in (N, H, W) planes; what varies per image only is (N, 1, 1). Sizes are in head units: at scale 1
the image spans -1..1 in both directions, x to the right, y down.
"""

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.draws import Values, mix

Colour = NDArray[Any]  # (3, N, 1, 1) linear light, 0..1

TILE: Final = 256  # side of the noise tile, in texels
CELL: Final = 8  # texels of one bump of the noise tile


class Patch(NamedTuple):
    """A block of an image: what is painted, and where in the head's frame each pixel lies.

    Attributes:
        albedo: (3, N, h, w) linear surface colour.
        shade: (N, h, w) light that falls on it; 1 is a surface that faces the light.
        x: (N, h, w) position to the right of the head's centre, in head units, along the head's own axis.
        y: (N, h, w) position below it.
        pixel: (N, 1, 1) side of a pixel in head units.
    """

    albedo: Values
    shade: Values
    x: Values
    y: Values
    pixel: Values

    def lower(self, row: int) -> "Patch":
        """Return a view of the rows from ``row`` on: painting it paints this patch."""
        return Patch(self.albedo[:, :, row:], self.shade[:, row:], self.x[:, row:], self.y[:, row:], self.pixel)

    def take(self, rows: NDArray[np.int64]) -> "Patch":
        """Return a copy of some images; ``put_some`` brings it back."""
        albedo = self.albedo.take(rows, axis=1)  # take, unlike an index, always gives C order, which windows need
        return Patch(albedo, self.shade.take(rows, axis=0), self.x[rows], self.y[rows], self.pixel[rows])

    def put_some(self, rows: NDArray[np.int64], part: "Patch") -> None:
        """Put painted images back."""
        self.albedo[:, rows] = part.albedo
        self.shade[rows] = part.shade

    def window(self, places: NDArray[np.int64]) -> "Patch":
        """Return a copy of the pixels at flat ``places`` (N, h, w); ``put_window`` brings it back."""
        albedo = np.stack([plane.take(places) for plane in self.albedo])
        return Patch(albedo, self.shade.take(places), self.x.take(places), self.y.take(places), self.pixel)

    def put_window(self, places: NDArray[np.int64], part: "Patch") -> None:
        """Put a painted window back."""
        for plane, painted in zip((*self.albedo, self.shade), (*part.albedo, part.shade), strict=True):
            plane.put(places, painted)

    def paint(self, mask: Values, colour: Colour) -> None:
        """Cover with a flat colour where the mask is 1."""
        for plane, value in zip(self.albedo, colour, strict=True):
            step = value - plane
            step *= mask
            plane += step

    def light(self, mask: Values, shade: Values) -> None:
        """Replace the light by ``shade`` where the mask is 1."""
        step = shade - self.shade
        step *= mask
        np.add(self.shade, step, out=self.shade)

    def darken(self, mask: Values) -> None:
        """Multiply the light by ``1 - mask``; a negative mask brightens."""
        np.multiply(self.shade, 1.0 - mask, out=self.shade)


def cover(distance: Values, softness: Values) -> Values:
    """Turn a signed distance (negative inside) into a mask 0..1 whose edge is ``softness`` wide."""
    mask = distance * (np.float32(-1.0) / softness)
    mask += np.float32(0.5)
    return clip(mask)


def clip(values: Values, low: float = 0.0, high: float = 1.0) -> Values:
    """Limit values in place and return them."""
    np.clip(values, np.float32(low), np.float32(high), out=values)
    return values


def bump(squared: Values) -> Values:
    """Return ``max(0, 1 - squared)²``: a smooth hill over a squared radius, 1 at its top and 0 from radius 1 on."""
    hill = np.float32(1.0) - squared
    np.maximum(hill, np.float32(0.0), out=hill)
    hill *= hill
    return hill


def smooth(values: Values, low: Values | float, high: Values | float) -> Values:
    """Rise smoothly from 0 at ``low`` to 1 at ``high`` (cubic step)."""
    step = values - np.float32(low) if isinstance(low, float) else values - low
    step *= np.float32(1.0) / np.asarray(high - low, np.float32)
    clip(step)
    bend = step * np.float32(-2.0)
    bend += np.float32(3.0)
    step *= step
    step *= bend
    return step


def colour(rgb: Values) -> Colour:
    """Turn (N, 3) display values 0..255 into linear light (3, N, 1, 1), with the display curve taken as a square."""
    linear: Colour = np.ascontiguousarray((np.maximum(rgb, 0.0).astype(np.float32) / 255.0) ** 2).T[..., None, None]
    return linear


@lru_cache(maxsize=1)
def noise_tile() -> Values:
    """Return a (TILE * TILE,) tile of smooth noise that wraps around: mean 0, deviation 1, bumps of CELL texels."""
    cells = TILE // CELL
    words = mix(np.arange(cells * cells, dtype=np.uint64))
    knots = (words >> np.uint64(40)).astype(np.float64).reshape(cells, cells) / 2.0**24 - 0.5
    position = np.arange(TILE) / CELL
    low = position.astype(np.int64)
    part = position - low
    part = part * part * (3.0 - 2.0 * part)
    rows = knots[low] * (1.0 - part[:, None]) + knots[(low + 1) % cells] * part[:, None]
    tile = rows[:, low] * (1.0 - part) + rows[:, (low + 1) % cells] * part
    flat: Values = ((tile - tile.mean()) / tile.std()).astype(np.float32).reshape(-1)
    return flat


def noise(x: Values, y: Values, frequency: Values | float, offset: Values) -> Values:
    """Sample the noise tile: bumps of size 1 / ``frequency``; ``offset`` picks the place in the tile."""
    scale = np.asarray(frequency, np.float32) * np.float32(CELL)
    column = (x * scale + (offset + np.float32(8192.0))).astype(np.int32)
    row = (y * scale + (offset * np.float32(0.37) + np.float32(8192.0))).astype(np.int32)
    column &= TILE - 1
    row &= TILE - 1
    row *= TILE
    row += column
    sampled: Values = noise_tile().take(row)
    return sampled
