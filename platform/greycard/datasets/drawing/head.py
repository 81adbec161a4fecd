"""The head itself: ears, skin, and the relief of the face under the light."""

import numpy as np

from greycard.datasets.drawing.canvas import Patch, bump, clip, cover
from greycard.datasets.drawing.draws import Values
from greycard.datasets.drawing.sitter import Sitter, Surface, lambert

EYE_LINE = -0.04  # v of the eyes
NOSE_BASE = 0.215  # v of the nostrils
MOUTH_LINE = 0.375  # v of the line between the lips


def paint_ears(patch: Patch, sitter: Sitter) -> None:
    """Paint both ears; the one on the side the head turns to is narrower and tucked in."""
    skull, pose = sitter.skull, sitter.pose
    right = patch.x > 0
    turned = np.where(right, pose.sin_yaw, -pose.sin_yaw)
    size = sitter.identity.uniform("ear size", 0.85, 1.2)
    dx = (np.abs(patch.x) - skull.width * (1.0 - 0.10 * turned)) / (size * (0.075 - 0.09 * turned))
    dy = (patch.y - 0.03) / (0.135 * size)
    dx -= dy * np.float32(-0.25)
    squared = dx * dx + dy * dy
    mask = cover((squared - 1.0) * 0.035, patch.pixel)
    patch.paint(mask, sitter.skin * np.array([1.0, 0.86, 0.84], np.float32)[:, None, None, None])
    shade = lambert(sitter, np.where(right, np.float32(0.7), np.float32(-0.7)), np.float32(0.0), np.float32(0.6))
    hollow = bump(squared * np.float32(2.2))
    patch.light(mask, shade * (np.float32(0.95) - np.float32(0.4) * hollow))


def paint_skin(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint the head's skin with the light of an ellipsoid."""
    mask = cover((surface.squared - 1.0) * (sitter.skull.width * 0.5), patch.pixel)
    patch.paint(mask, sitter.skin)
    shade = lambert(sitter, surface.side, surface.up * np.float32(0.9), surface.front)
    rim = surface.squared * surface.squared
    shade *= np.float32(1.02) - np.float32(0.16) * rim
    patch.light(mask, shade)


def carve(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Model the face: the slope of a height field of hills and hollows (nose, brows, cheeks, ...) meets the light."""
    identity, light = sitter.identity, sitter.light
    u, v = surface.u, surface.v
    away = np.abs(u)
    nose = nose_width(sitter)
    bridge = identity.uniform("nose bridge", 0.045, 0.07)
    length = np.clip((v + 0.16) / np.float32(NOSE_BASE + 0.16), 0.0, 1.0)
    ridge = bump(np.square(u / (bridge + length * nose * 0.45)))
    ridge *= length * (np.float32(1.0) - clip((v - NOSE_BASE) * np.float32(12.0) + 0.2))
    height: Values = ridge * identity.uniform("nose height", 0.045, 0.080)
    hill = np.float32(0.030) * bump(np.square(u / (0.07 + nose * 0.25)) + np.square((v - NOSE_BASE + 0.045) / 0.075))
    height += hill
    height += np.float32(0.026) * bump(
        np.square((away - nose * 0.78) / 0.055) + np.square((v - NOSE_BASE + 0.02) / 0.055)
    )
    height -= identity.uniform("socket", 0.015, 0.05) * bump(
        np.square((away - 0.19) / 0.17) + np.square((v - EYE_LINE) / 0.11)
    )
    height += identity.uniform("brow ridge", 0.0, 0.03) * bump(
        np.square((away - 0.17) / 0.2) + np.square((v - EYE_LINE + 0.14) / 0.07)
    )
    height += identity.uniform("cheekbone", 0.01, 0.04) * bump(
        np.square((away - 0.27) / 0.20) + np.square((v - 0.14) / 0.16)
    )
    height += np.float32(0.030) * bump(np.square(u / 0.26) + np.square((v - MOUTH_LINE) / 0.13))
    height += identity.uniform("chin ball", 0.01, 0.04) * bump(np.square(u / 0.15) + np.square((v - 0.55) / 0.10))
    height -= np.float32(0.018) * bump(np.square(u / 0.14) + np.square((v - 0.475) / 0.04))
    slope: Values = np.zeros_like(height)
    step = np.float32(0.5) / patch.pixel
    slope[:, :, 1:-1] = (height[:, :, 2:] - height[:, :, :-2]) * (step * light.x)
    slope[:, 1:-1, :] += (height[:, 2:, :] - height[:, :-2, :]) * (step * light.y)
    slope *= (np.float32(1.0) - light.ambient) * np.float32(1.25)
    slope *= surface.face
    patch.shade[...] -= clip(slope, -0.32, 0.32)
    under = bump(np.square(u / (nose * 1.3)) + np.square((v - NOSE_BASE - 0.045) / 0.055))
    patch.darken(under * np.float32(0.16))
    np.maximum(patch.shade, np.float32(0.12) * (surface.front > 0), out=patch.shade)


def nose_width(sitter: Sitter) -> Values:
    """Return half the width across the nostrils: narrow and wide overlap widely, as labels given by eye do."""
    wide = sitter.is_class("nose_type", 1)
    width: Values = sitter.identity.normal("nose width", 0.099, 0.013) * (1.0 + 0.46 * wide)
    return width
