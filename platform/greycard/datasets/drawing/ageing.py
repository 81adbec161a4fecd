"""What years do to a face: wrinkles, greying, thinner lips, narrower eyes, a higher hairline, and rounder young heads.

``age group -> years -> apparent years -> wear and youth``

Years are drawn evenly within the group; the apparent age strays from them, so that faces near 30 and near 60 may be
taken for the other group. Without the label, lines and bags are drawn by chance, as ever.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.canvas import Colour, Patch, bump, clip, colour, cover
from greycard.datasets.drawing.draws import Draws, Values
from greycard.datasets.drawing.hair import Style
from greycard.datasets.drawing.head import EYE_LINE, MOUTH_LINE
from greycard.datasets.drawing.sitter import Sitter, Skull, Surface

LABEL: Final = "age_group"
YEARS: Final = ((8.0, 30.0), (31.0, 60.0), (61.0, 88.0))  # drawn within each group; no drawing is of an infant
STRAYS: Final = 4.5  # deviation of the apparent age from the drawn one, in years

Codes = Mapping[str, NDArray[np.int64]]


def has_age(codes: Codes) -> bool:
    """Return whether faces are drawn by age group."""
    return LABEL in codes


def apparent_years(codes: Codes, identity: Draws) -> Values:
    """Draw how old each identity looks, in years: (N, 1, 1)."""
    low, high = np.array(YEARS, np.float32)[codes[LABEL]].T[..., None, None]
    years: Values = low + (high - low) * identity.uniform("years") + identity.normal("looks older", 0.0, STRAYS)
    return years


def wear(sitter: Sitter) -> Values:
    """Return how deep lines and bags are, 0 to about 1.5: by age where it is labelled, else by chance and grey hair."""
    identity = sitter.identity
    if has_age(sitter.codes):
        depth: Values = worn(sitter.codes, identity) * (1.5 * np.exp(identity.normal("age", 0.0, 0.15)))
    else:
        depth = np.maximum(identity.normal("age", 0.2, 0.45) + 0.45 * sitter.is_class("hair_color", 3), 0.0)
    return depth


def worn(codes: Codes, identity: Draws) -> Values:
    """Return the years' mark, 0 up to 24 years and 1 at 80: (N, 1, 1)."""
    return clip((apparent_years(codes, identity) - np.float32(24.0)) * np.float32(1.0 / 56.0), 0.0, 1.1)


def youth(codes: Codes, identity: Draws) -> Values:
    """Return how childlike a head is: 0 from 29 years on, 1 at 9."""
    return clip((np.float32(29.0) - apparent_years(codes, identity)) * np.float32(1.0 / 20.0))


def age_skull(skull: Skull, codes: Codes, identity: Draws) -> Skull:
    """Make young heads rounder and shorter, and old jaws squarer and less narrow."""
    if not has_age(codes):
        return skull
    young, old = youth(codes, identity), worn(codes, identity)
    return skull._replace(
        width=skull.width * (1.0 + 0.04 * young),
        chin=skull.chin * (1.0 - 0.12 * young),
        taper=skull.taper + 0.03 * young - 0.05 * old,
        square=skull.square * (1.0 - 0.6 * young) + 0.12 * old,
    )


def age_hair(hair: Colour, codes: Codes, identity: Draws) -> Colour:
    """Let hair go grey; the label of hair keeps the colour it had."""
    if not has_age(codes):
        return hair
    white = colour(np.array([[178, 176, 174]], np.float32))
    grey = clip((apparent_years(codes, identity) - identity.normal("greying", 46.0, 9.0)) * np.float32(1.0 / 30.0))
    mixed: Colour = hair + np.float32(0.75) * grey * (white - hair)
    return mixed


def age_style(style: Style, sitter: Sitter) -> Style:
    """Let the hairline rise."""
    if not has_age(sitter.codes):
        return style
    rise = worn(sitter.codes, sitter.identity) * sitter.identity.uniform("hairline rise", 0.02, 0.14)
    return style._replace(hairline=style.hairline - rise)


def age_opening(sitter: Sitter) -> Values | float:
    """Return the logarithm by which age changes the eyes' opening: young eyes are larger, old lids droop."""
    if not has_age(sitter.codes):
        return 0.0
    opening: Values = 0.24 * youth(sitter.codes, sitter.identity) - 0.26 * worn(sitter.codes, sitter.identity)
    return opening


def age_lips(sitter: Sitter) -> Values | float:
    """Return the factor by which age thins the lips."""
    return np.float32(1.0) - np.float32(0.28) * worn(sitter.codes, sitter.identity) if has_age(sitter.codes) else 1.0


def bearded(sitter: Sitter, share: float) -> NDArray[np.int64]:
    """Return the rows with stubble or a beard: a share of the identities, none that look like children."""
    grows = sitter.identity.uniform("beard")[:, 0, 0] < share
    if has_age(sitter.codes):
        grows &= apparent_years(sitter.codes, sitter.identity)[:, 0, 0] > 17.0
    return np.flatnonzero(grows)


def paint_wrinkles(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Paint crow's feet beside the eyes, lines below the corners of the mouth and a hollow below the cheekbones."""
    depth = clip(wear(sitter) - np.float32(0.15), 0.0, 1.0) * surface.face
    away, v = np.abs(surface.u), surface.v
    out = away - np.float32(0.325)
    feet = np.sin((v - np.float32(EYE_LINE) + out * np.sign(v - np.float32(EYE_LINE))) * np.float32(95.0))
    feet *= bump(np.square(out / 0.06) + np.square((v - EYE_LINE) / 0.10))
    patch.darken(feet * depth * np.float32(0.35))
    run = np.float32(0.175) + (v - np.float32(MOUTH_LINE)) * np.float32(0.22)
    lines = cover(np.abs(away - run) - 0.007, patch.pixel * 1.8) * bump(np.square((v - MOUTH_LINE - 0.09) / 0.09))
    patch.darken(lines * depth * np.float32(0.45))
    hollow = bump(np.square((away - 0.29) / 0.11) + np.square((v - 0.27) / 0.16))
    patch.darken(hollow * depth * np.float32(0.20))
