"""The features of the face: eyes, brows, nostrils, mouth, cheeks, age and beard."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.ageing import age_lips, age_opening, bearded, wear
from greycard.datasets.drawing.canvas import Patch, bump, clip, colour, cover, noise, smooth
from greycard.datasets.drawing.draws import Values
from greycard.datasets.drawing.expression import expression
from greycard.datasets.drawing.head import EYE_LINE, MOUTH_LINE, NOSE_BASE, nose_width
from greycard.datasets.drawing.sitter import Sitter, Surface

BEARDED: Final = 0.26  # share of identities with stubble or a beard
_IRIS_DARK: Final = np.array([(48, 28, 18), (62, 38, 24), (36, 24, 20), (80, 52, 30)], np.float32)
_IRIS_LIGHT: Final = np.array([(96, 120, 140), (104, 122, 92), (110, 86, 52), (120, 135, 145)], np.float32)


def eye_distance(sitter: Sitter) -> Values:
    """Return half the distance between the eyes' centres."""
    return sitter.identity.normal("eye distance", 0.190, 0.010)


def eye_opening(sitter: Sitter) -> Values:
    """Return half the height of the eye's opening: the label's, the identity's own, and the moment's squint.

    The classes lie 3.4 deviations apart: at 64 pixels a narrow eye is some 1.7 pixels high, a normal one 3.5. Where
    they are labelled, a smile and the years narrow it a little more.
    """
    narrow = sitter.is_class("eye_type", 0)
    own = sitter.identity.normal("eye opening", 0.0, 0.16)
    moment = sitter.image.normal("squint", 0.0, 0.15)
    opening: Values = own + moment - np.float32(0.74) * narrow
    opening = opening - expression(sitter).narrowing + age_opening(sitter)
    opened: Values = np.float32(0.054) * np.exp(opening)
    return opened


def paint_eyes(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint both eyes: white, iris, pupil, glint, the shadow of the upper lid, lashes and the fold above."""
    identity, image = sitter.identity, sitter.image
    narrow = sitter.is_class("eye_type", 0)
    hand = np.where(surface.u > 0, np.float32(1.0), np.float32(-1.0))
    width = identity.normal("eye width", 0.106, 0.007)
    opening = eye_opening(sitter)
    out = np.abs(surface.u) - eye_distance(sitter)
    tilt = identity.normal("eye tilt", 0.04, 0.06) + narrow * np.float32(0.11)
    down = surface.v - np.float32(EYE_LINE) + out * tilt
    across = out / width
    arch = np.float32(1.0) - across * across
    peak = arch * (
        1.0 + across * (0.15 - 0.35 * narrow)
    )  # a narrow eye is highest further out, its inner corner covered
    upper = -opening * np.maximum(peak, np.float32(-0.6))
    lower = opening * np.float32(0.72) * np.maximum(arch, np.float32(-0.6))
    distance = np.maximum(upper - down, down - lower)
    socket = bump(np.square(out / 0.16) + np.square((down + 0.02) / 0.10))
    patch.darken(socket * identity.uniform("eye shadow", 0.06, 0.26) * (1.0 - 0.7 * narrow))
    fold = cover(np.abs(down - upper + 0.034) - 0.006, patch.pixel) * np.maximum(arch, 0.0)
    patch.darken(fold * identity.uniform("lid fold", 0.22, 0.50) * (1.0 - 0.9 * narrow))
    mask = cover(distance, patch.pixel) * surface.face
    white = colour(np.array([[182, 173, 167]], np.float32)) * image.uniform("eye white", 0.60, 0.95)
    patch.paint(mask, white)
    shade = patch.shade * np.float32(0.65) + np.float32(0.22)
    lid = clip(np.float32(0.75) + (down - upper) / (opening * 2.2 + 0.01), 0.5, 1.0)
    patch.light(mask, shade * lid)
    gaze = image.normal("gaze", 0.0, 0.014)
    radius = identity.normal("iris", 0.047, 0.002)
    squared = np.square(out - hand * gaze) + np.square(down + 0.004 - image.normal("gaze up", 0.0, 0.006))
    iris = cover((squared / (radius * radius) - 1.0) * (radius * 0.5), patch.pixel)
    iris *= mask
    patch.paint(iris, _iris_colour(sitter))
    pupil = cover((squared / (0.019 * 0.019) - 1.0) * 0.0095, patch.pixel)
    pupil *= mask
    patch.paint(pupil, np.full(3, 0.004, np.float32)[:, None, None, None])
    lash = cover(np.abs(down - upper + 0.004) - identity.uniform("lash", 0.006, 0.015), patch.pixel)
    lash *= surface.face * clip(np.float32(1.25) - across * across)
    ink = np.minimum(sitter.hair * np.float32(0.35), np.float32(0.02))
    patch.paint(lash * np.float32(0.88), ink)
    rim = cover(np.abs(down - lower - 0.004) - 0.004, patch.pixel) * np.maximum(arch, 0.0)
    patch.darken(rim * np.float32(0.30))
    glint_x, glint_y = sitter.light.x * 0.022, sitter.light.y * 0.016 - 0.006
    glint = bump((np.square(out * hand - glint_x) + np.square(down - glint_y)) * (1.0 / 0.020**2))
    small = np.minimum(np.square(np.float32(0.017) / patch.pixel), np.float32(0.85))
    patch.paint(glint * mask * small, np.full(3, 0.95, np.float32)[:, None, None, None])


def _iris_colour(sitter: Sitter) -> Values:
    """Draw an iris colour: light ones only come with light skin, most with light hair."""
    identity = sitter.identity
    dark, light = identity.choice("iris dark", _IRIS_DARK), identity.choice("iris light", _IRIS_LIGHT)
    fair = np.isin(sitter.codes["hair_color"], (1, 4)) * 0.4 + (sitter.codes["hair_color"] == 2) * 0.15
    odds = np.where(sitter.codes["skin_type"] <= 2, 0.16 + fair, 0.01)
    chosen = identity.chance("iris", odds.astype(np.float32)[:, None, None])[:, 0]
    return colour(dark + chosen * (light - dark))


def paint_brows(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint both brows in the hair's colour, darkened, with hairs across."""
    identity, image = sitter.identity, sitter.image
    out = np.abs(surface.u) - eye_distance(sitter)
    height = identity.normal("brow height", 0.118, 0.012) + image.normal("brow raise", 0.0, 0.010)
    arch = identity.normal("brow arch", 1.6, 0.9)
    slope = identity.normal("brow slope", 0.03, 0.09)
    line = EYE_LINE - height - slope * out + arch * np.square(out - 0.03)
    taper = clip(np.float32(1.1) - np.square((out + 0.035) / 0.155))
    thick = identity.uniform("brow thickness", 0.010, 0.027) * taper
    mask = cover(np.abs(surface.v - line) - thick, patch.pixel * 1.2)
    mask *= cover(np.abs(out + 0.005) - 0.115, patch.pixel * 2.0)
    mask *= surface.face * identity.uniform("brow density", 0.45, 0.95)
    grey = sitter.is_class("hair_color", 3)
    patch.paint(mask, sitter.hair * (0.45 + 0.35 * grey))


def paint_nose(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint nostrils, the wings' creases, a reddish tip and a highlight."""
    nose = nose_width(sitter)
    away, v = np.abs(surface.u), surface.v
    warm = bump(np.square(surface.u / (nose * 1.3)) + np.square((v - NOSE_BASE + 0.03) / 0.09))
    warm *= sitter.identity.uniform("nose red", 0.0, 0.35)
    patch.paint(warm, sitter.skin * np.array([1.0, 0.72, 0.68], np.float32)[:, None, None, None])
    holes = bump(np.square((away - nose * 0.48) / (nose * 0.40)) + np.square((v - NOSE_BASE - 0.008) / 0.026))
    patch.darken(holes * sitter.identity.uniform("nostril", 0.5, 0.85))
    crease = bump(np.square((away - nose * 1.06) / 0.030) + np.square((v - NOSE_BASE + 0.022) / 0.050))
    patch.darken(crease * np.float32(0.34))
    base = bump(np.square(surface.u / (nose * 1.15)) + np.square((v - NOSE_BASE - 0.018) / 0.02))
    patch.darken(base * np.float32(0.22))


def lip_height(sitter: Sitter) -> Values:
    """Return the height of the upper and lower lip together: big and small overlap, and a smile thins both."""
    small = sitter.is_class("lip_type", 1)
    own = sitter.identity.normal("lips", 0.0, 0.20)
    height: Values = np.float32(0.128) * np.exp(own - np.float32(0.50) * small)
    return height


def paint_mouth(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint upper lip with its bow, lower lip with its light, the line between them, sometimes teeth."""
    identity, image = sitter.identity, sitter.image
    smile, opened, _, _ = expression(sitter)
    width = identity.normal("mouth width", 0.158, 0.012) * (1.0 + 0.13 * smile)
    height = lip_height(sitter) * age_lips(sitter) * (1.0 - 0.10 * smile) * np.exp(image.normal("lip press", 0.0, 0.10))
    u, v = surface.u, surface.v
    across = u / width
    squared = across * across
    arch = np.maximum(np.float32(1.0) - squared, np.float32(-0.5))
    line = MOUTH_LINE + identity.normal("mouth drop", 0.0, 0.010) - smile * np.float32(0.046) * squared
    bow = bump(np.square(across / 0.28)) * np.float32(0.28)
    above, below = line - opened * arch * np.float32(0.35), line + opened * arch * np.float32(0.65)
    top = above - height * np.float32(0.44) * arch * (1.05 - bow)
    bottom = below + height * np.float32(0.58) * np.sqrt(np.maximum(arch, 0.0)) * arch
    hue = _lip_colour(sitter)
    upper = cover(np.maximum(top - v, v - above), patch.pixel)
    lower = cover(np.maximum(below - v, v - bottom), patch.pixel)
    inside = cover(np.maximum(above - v, v - below), patch.pixel) * cover(squared - 1.0, patch.pixel * 8.0)
    inner = surface.face * cover(np.abs(across) - 0.99, patch.pixel * 3.0)
    upper *= inner
    lower *= inner
    inside *= inner
    patch.paint(upper, hue * np.float32(0.80))
    patch.paint(lower, hue)
    shine = bump(np.square(across / 0.55) + np.square((v - below - height * 0.24) / (height * 0.24 + 0.006)))
    patch.darken(upper * np.float32(0.10) - lower * shine * identity.uniform("lip shine", 0.05, 0.35))
    patch.paint(inside * (opened > 0), np.array([0.05, 0.012, 0.012], np.float32)[:, None, None, None])
    teeth = inside * cover(v - above - opened * 0.6, patch.pixel) * cover(np.abs(across) - 0.72, patch.pixel * 6.0)
    patch.paint(teeth * (opened > 0.018), colour(np.array([[222, 214, 200]], np.float32)))
    seam = cover(np.abs(v - line) - 0.006, patch.pixel) * clip((np.float32(1.15) - squared) * 3.0)
    patch.darken(seam * surface.face * (opened < 0.005) * np.float32(0.55))
    corner = bump(np.square((np.abs(u) - width) / 0.03) + np.square((v - line) / 0.03))
    patch.darken(corner * np.float32(0.28))
    under = bump(np.square(u / (width * 0.8)) + np.square((v - bottom - 0.022) / 0.03))
    patch.darken(under * np.float32(0.16))


def _lip_colour(sitter: Sitter) -> Values:
    """Return the lips' colour: the skin's, redder; lipstick on some."""
    identity = sitter.identity
    red = identity.uniform("lip red", 0.55, 0.80)
    natural = sitter.skin * np.stack([np.full_like(red, 0.86), red * 0.82, red * 0.88])
    stick = np.stack([identity.uniform("stick r", 0.22, 0.55), identity.uniform("stick g", 0.02, 0.09), red * 0.14])
    worn = identity.chance("lipstick", 0.16) * identity.uniform("stick alpha", 0.35, 0.9)
    mixed: Values = natural + worn * (stick - natural)
    return mixed


def paint_cheeks(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint a blush and, on some, the folds, bags and spots that age and sun leave."""
    identity = sitter.identity
    away, v = np.abs(surface.u), surface.v
    blush = bump(np.square((away - 0.25) / 0.17) + np.square((v - 0.17) / 0.14))
    blush *= identity.uniform("blush", 0.0, 0.38) * surface.face
    patch.paint(blush, sitter.skin * np.array([1.02, 0.74, 0.72], np.float32)[:, None, None, None])
    age = wear(sitter)
    run = np.float32(0.125) + (v - 0.16) * np.float32(0.42)
    fold = cover(np.abs(away - run) - 0.008, patch.pixel * 1.8) * bump(np.square((v - 0.29) / 0.15))
    patch.darken(fold * surface.face * (np.minimum(age * 0.34 + 0.05, 0.42) + expression(sitter).fold))
    bag = bump(np.square((away - 0.18) / 0.10) + np.square((v - EYE_LINE - 0.085) / 0.03))
    patch.darken(bag * surface.face * np.minimum(age * 0.22 + 0.04, 0.30))
    lines = np.sin(v * np.float32(88.0) + identity.uniform("brow lines", 0.0, 6.28))
    lines *= bump(np.square(surface.u / 0.28) + np.square((v + 0.31) / 0.13))
    patch.darken(lines * surface.face * np.minimum(np.maximum(age - 0.35, 0.0) * 0.25, 0.16))
    mottle = noise(surface.u, v, 11.0, identity.uniform("mottle", 0, 4096)) * surface.face
    patch.darken(mottle * identity.uniform("mottled", 0.0, 0.035))


def has_beard(sitter: Sitter) -> NDArray[np.int64]:
    """Return the rows of the sitters with stubble or a beard."""
    return bearded(sitter, BEARDED)


def paint_beard(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint stubble or a beard, round the mouth and along the jaw."""
    identity = sitter.identity
    kind = identity.uniform("beard", 0.0, 1.0)
    full, stubble = kind < 0.10, (kind >= 0.10) & (kind < BEARDED)
    v, away = surface.v, np.abs(surface.u)
    top = identity.normal("beard top", 0.30, 0.02)
    cheek = top - smooth(away, 0.20, 0.42) * np.float32(0.30)
    mask = cover(cheek - v, patch.pixel * 3.0)
    mouth = np.square(away / 0.16) + np.square((v - MOUTH_LINE - 0.012) / 0.055)
    mask *= clip(mouth * np.float32(1.2) - np.float32(0.8))
    mask *= cover((surface.squared - 1.0) * 0.25, patch.pixel)
    hairs = noise(surface.u, v, 26.0, identity.uniform("beard place", 0, 4096))
    density = full * identity.uniform("beard density", 0.6, 0.92) + stubble * identity.uniform("stubble", 0.12, 0.34)
    mask *= density
    mask *= clip(np.float32(0.88) + hairs * np.float32(0.12), 0.4, 1.1)
    patch.paint(clip(mask), sitter.hair * np.float32(0.75))
