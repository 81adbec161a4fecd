"""What is behind and below the head: background, neck and clothes."""

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.canvas import Patch, bump, clip, colour, cover, noise
from greycard.datasets.drawing.draws import Draws, Values
from greycard.datasets.drawing.sitter import Sitter, lambert


def tint(draws: Draws, name: str, low: float, high: float, colourful: float) -> Values:
    """Draw display colours (N, 3): a brightness, and a hue from blue to orange and a little from pink to green."""
    level = draws.uniform(f"{name} level", low, high)[:, 0]
    warm = draws.normal(f"{name} warm", 0.0, colourful)[:, 0]
    green = draws.normal(f"{name} green", 0.0, colourful * 0.45)[:, 0]
    rgb = np.concatenate([1.0 + warm - green, 1.0 + green, 1.0 - warm - green], axis=1)
    tinted: Values = np.clip(level * rgb, 4.0, 245.0)
    return tinted


def paint_background(patch: Patch, sitter: Sitter) -> None:
    """Fill the patch: a gradient between two colours, two soft blobs, and texture."""
    image = sitter.image
    x, y = patch.x, patch.y
    first, second = colour(tint(image, "wall", 20, 190, 0.11)), colour(tint(image, "wall 2", 15, 195, 0.14))
    angle = image.uniform("wall angle", 0.0, 6.2832)
    along = x * (np.cos(angle) * np.float32(0.45)) + y * (np.sin(angle) * np.float32(0.45))
    along += np.float32(0.5)
    clip(along)
    for plane, one, two in zip(patch.albedo, first, second, strict=True):
        np.multiply(along, two - one, out=plane)
        plane += one
    patch.shade[...] = 1.0
    for blob in ("a", "b"):
        cx, cy = image.uniform(f"blob x {blob}", -1.1, 1.1), image.uniform(f"blob y {blob}", -1.1, 0.7)
        size = image.uniform(f"blob size {blob}", 0.2, 0.8)
        dx, dy = x - cx, y - cy
        mask = bump((dx * dx + dy * dy) * (1.0 / (size * size)))
        mask *= image.uniform(f"blob alpha {blob}", 0.0, 0.9)
        patch.paint(mask, colour(tint(image, f"blob {blob}", 15, 205, 0.24)))
    grain = noise(x, y, image.uniform("wall grain", 1.5, 7.0), image.uniform("wall place", 0, 4096))
    grain *= image.uniform("wall rough", 0.0, 0.12)
    patch.darken(grain)


def has_edge(sitter: Sitter) -> NDArray[np.int64]:
    """Return the rows of the images with an edge in the background."""
    return np.flatnonzero(sitter.image.chance("edge", 0.35))


def paint_edge(patch: Patch, sitter: Sitter) -> None:
    """Paint an upright edge in the background: a door, a wall's corner, a pole."""
    image = sitter.image
    offset = patch.x + np.float32(0.1) * patch.y - image.uniform("edge x", -1.2, 1.2)
    mask = cover(np.abs(offset) - image.uniform("edge width", 0.04, 0.5), patch.pixel * 1.5)
    mask *= image.uniform("edge alpha", 0.2, 0.8)
    patch.paint(mask, colour(tint(image, "edge", 20, 225, 0.15)))


def paint_neck(patch: Patch, sitter: Sitter) -> None:
    """Paint the neck, a shaded cylinder with the chin's shadow."""
    skull = sitter.skull
    width = skull.width * sitter.identity.uniform("neck width", 0.50, 0.66)
    side = patch.x / (width + 0.22 * np.maximum(patch.y - 0.62, 0.0))
    mask = cover((np.abs(side) - 1.0) * width, patch.pixel)
    mask *= cover(np.float32(0.2) - patch.y, patch.pixel)
    patch.paint(mask, sitter.skin * np.float32(0.92))
    front = np.sqrt(np.maximum(1.0 - side * side, 0.0))
    shade = lambert(sitter, side, np.float32(0.25), front)
    shadow = bump(np.square((patch.y - skull.chin - 0.02) / np.float32(0.24)) + 0.25 * side * side)
    shade *= np.float32(0.98) - sitter.image.uniform("chin shadow", 0.42, 0.68) * shadow
    patch.light(mask, shade)


def paint_clothes(patch: Patch, sitter: Sitter) -> None:
    """Paint shoulders with a round, pointed or high neckline, sometimes a collar, stripes or a coarse weave."""
    image, skull = sitter.image, sitter.skull
    x, y = patch.x, patch.y
    away = np.abs(x)
    base = skull.chin + image.normal("shoulder height", 0.15, 0.03)
    slope = image.uniform("shoulder slope", 0.18, 0.42)
    spread = away - skull.width * 0.55
    np.maximum(spread, 0.0, out=spread)
    mask = cover(base + slope * spread - y, patch.pixel * 1.3)
    opening = image.uniform("neckline width", 0.26, 0.44)
    depth = image.uniform("neckline depth", -0.02, 0.30)
    pointed = image.chance("neckline pointed", 0.4)
    across = away / opening
    line = depth * (1.0 - across * (pointed + (1.0 - pointed) * across))
    mask *= cover(base + line - y, patch.pixel * 1.3)
    cloth = tint(image, "cloth", 12, 225, 0.35)
    patch.paint(mask, colour(cloth))
    stripes = np.sin(y * image.uniform("stripe", 12.0, 40.0) + x * image.normal("stripe tilt", 0.0, 6.0))
    stripes *= image.chance("stripes", 0.25) * image.uniform("stripe depth", 0.1, 0.45)
    weave = noise(x, y, image.uniform("weave", 2.0, 9.0), image.uniform("weave place", 0, 4096))
    stripes += weave * image.uniform("weave depth", 0.02, 0.14)
    shade = lambert(sitter, x * np.float32(0.55), np.float32(-0.35), np.float32(0.75)) * (1.0 - stripes)
    fold = cover(np.abs(base + line + 0.05 - y) - 0.018, patch.pixel * 1.5)
    shade *= 1.0 - fold * image.uniform("collar", 0.0, 0.55)
    patch.light(mask, shade)
