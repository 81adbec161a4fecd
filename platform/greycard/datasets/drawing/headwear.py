"""What is worn, at the same rate by every class: caps, beanies, headscarves, bands and glasses."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.canvas import Patch, clip, colour, cover, noise
from greycard.datasets.drawing.features import eye_distance
from greycard.datasets.drawing.head import EYE_LINE
from greycard.datasets.drawing.scene import tint
from greycard.datasets.drawing.sitter import Sitter, Surface, dome, lambert

WORN: Final = 0.125  # share of images with headwear


def wears_headwear(sitter: Sitter) -> NDArray[np.int64]:
    """Return the rows of the images with something on the head."""
    return np.flatnonzero(sitter.image.uniform("headwear") < WORN)


def wears_glasses(sitter: Sitter) -> NDArray[np.int64]:
    """Return the rows of the images with glasses."""
    return np.flatnonzero(sitter.image.chance("glasses", 0.13))


def paint_headwear(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint a beanie, a peaked cap, a headscarf or a band; it hides most of the hair."""
    image, skull = sitter.image, sitter.skull
    kind = image.uniform("headwear", 0.0, 1.0)
    beanie, cap = kind < 0.035, (kind >= 0.035) & (kind < 0.075)
    scarf, band = (kind >= 0.075) & (kind < 0.105), (kind >= 0.105) & (kind < WORN)
    x, y, pixel = patch.x, patch.y, patch.pixel
    edge = np.where(cap, np.float32(-0.30), image.normal("headwear edge", -0.30, 0.035))
    edge = edge + np.float32(0.10) * np.square(surface.u / 0.4) * (beanie | cap)
    grow = 0.05 + 0.05 * beanie + 0.06 * scarf
    dx, dy = x / (skull.width + grow), y / (np.where(y > 0, skull.chin, skull.top) + grow + 0.03 * beanie)
    outer = cover((dx * dx + dome(dy) - 1.0) * 0.28, pixel * 1.2)
    opening = np.square(surface.u / (skull.width * 0.83)) + np.square((surface.v - 0.09) / 0.50)
    drape = cover(np.abs(x) - skull.width * 0.95 - 0.30 * np.maximum(y - 0.35, 0.0), pixel) * cover(0.2 - y, pixel)
    wrapped = np.maximum(outer, drape) * clip((opening - 1.0) * (0.24 / pixel) + 0.5)
    crown = outer * cover(surface.v - edge, pixel)
    strip = outer * cover(np.abs(surface.v - edge + 0.09) - 0.045, pixel)
    mask = crown * (beanie | cap) + wrapped * scarf + strip * band
    cloth = colour(tint(image, "headwear", 14, 215, 0.35))
    patch.paint(mask, cloth)
    front = np.sqrt(np.maximum(1.0 - dx * dx - dy * dy, 0.1))
    shade = lambert(sitter, dx, dy, front)
    knit = np.sin(surface.u * 60.0) * 0.12 * beanie + noise(x, y, 5.0, image.uniform("knit", 0, 4096)) * 0.10 * scarf
    shade *= 1.0 - knit
    patch.light(mask, shade)
    lower = edge + np.float32(0.055)
    peak = cover(np.square(surface.u / 0.40) + np.square((surface.v - edge) / 0.085) - 1.0, pixel * 6.0) * cap
    patch.paint(peak, cloth * np.float32(0.7))
    patch.light(peak, shade * np.float32(0.75))
    shadow = cover(surface.v - lower - 0.10, pixel * 4.0) * (1.0 - mask) * (1.0 - peak) * (surface.squared < 1.0)
    patch.darken(shadow * (0.12 * beanie + 0.32 * cap))
    turn_up = cover(np.abs(surface.v - edge + 0.05) - 0.05, pixel) * crown * beanie
    patch.darken(turn_up * np.float32(0.14))


def paint_glasses(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint glasses: rims, bridge, sidepieces, a faint reflection; a few are dark."""
    image = sitter.image
    dark = image.chance("sunglasses", 0.10)
    pixel = patch.pixel
    out = np.abs(surface.u) - eye_distance(sitter) - 0.004
    down = surface.v - EYE_LINE - 0.018
    wide, tall = image.uniform("lens width", 0.125, 0.15), image.uniform("lens height", 0.085, 0.125)
    a, b = np.square(out / wide), np.square(down / tall)
    radius = a + b + image.uniform("lens corner", -0.4, 0.5) * a * b
    distance = (radius - 1.0) * (tall * 0.5)
    rim = cover(np.abs(distance) - image.uniform("rim", 0.004, 0.014), pixel)
    bridge = cover(np.abs(down + 0.035) - 0.009, pixel) * cover(out + wide * 0.9, pixel)
    side = cover(np.abs(down + 0.03) - 0.009, pixel) * cover(wide - out, pixel)
    frame = np.maximum(np.maximum(rim, bridge), side) * surface.face
    lens = cover(distance, pixel) * surface.face
    patch.paint(lens * (dark * np.float32(0.9)), np.full(3, 0.008, np.float32)[:, None, None, None])
    glare = lens * clip(out * 4.0 - down * 5.0, 0.0, 1.0) * image.uniform("glare", 0.0, 0.22)
    patch.paint(glare, np.full(3, 0.8, np.float32)[:, None, None, None])
    patch.paint(frame * image.uniform("frame alpha", 0.6, 0.98), colour(tint(image, "frame", 8, 110, 0.3)))
