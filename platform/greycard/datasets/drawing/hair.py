"""Hair: colour, the mass behind the head, the cap on top, and what tells straight from wavy, curly and bald."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.canvas import Colour, Patch, bump, clip, colour, cover, noise, smooth
from greycard.datasets.drawing.draws import Draws, Values
from greycard.datasets.drawing.sitter import Sitter, Surface, dome, lambert

BALD, CURLY, STRAIGHT, WAVY = range(4)

LONG: Final = 0.25  # y below which hair also hangs behind the head

# display colours, (darkest, lightest) of each class: black, blonde, brown, gray, red
_ENDS: Final = np.array(
    [
        [(14, 12, 13), (52, 44, 42)],
        [(140, 104, 62), (232, 208, 160)],
        [(50, 34, 26), (132, 94, 64)],
        [(84, 82, 82), (214, 212, 210)],
        [(96, 42, 24), (196, 100, 50)],
    ],
    np.float32,
)


class Style(NamedTuple):
    """An identity's hair cut; every field is (N, 1, 1), lengths in head units."""

    bald: Values
    curly: Values
    straight: Values
    wavy: Values
    length: Values  # y where the hair ends; small for short hair
    volume: Values  # thickness over the crown
    sides: Values  # thickness beside the head
    hairline: Values  # v of the hairline in the middle of the forehead
    part: Values  # u of the parting
    fringe: Values  # 0..1, how far hair falls over the forehead
    place: Values  # where in the noise tile its texture lies

    def take(self, rows: NDArray[np.int64]) -> "Style":
        """Return some of the identities."""
        return Style(*(field[rows] for field in self))


def hair_colour(codes: Values, identity: Draws) -> Colour:
    """Draw each identity's hair colour between the ends of its class, with a little own hue."""
    along = np.clip(identity.normal("hair level", 0.45, 0.30)[:, 0], -0.15, 1.15)
    ends = _ENDS[codes]
    rgb = ends[:, 0] + along * (ends[:, 1] - ends[:, 0])
    warm = identity.normal("hair warm", 0.0, 0.05)[:, 0]
    rgb = rgb * (1.0 + warm * np.array([[1.0, 0.0, -1.0]], np.float32))
    return colour(rgb)


def draw_style(sitter: Sitter) -> Style:
    """Draw each identity's cut; how long and how full depends on the hair type only."""
    identity = sitter.identity
    bald, curly, straight, wavy = (sitter.is_class("hair_type", code) for code in range(4))
    long = identity.chance("hair long", 0.42) * (1.0 - bald)
    short = identity.uniform("hair short", -0.06, 0.16)
    length = short + long * (identity.uniform("hair length", 0.30, 1.15) - short)
    length = length - curly * (length - np.minimum(length, 0.75))
    full = identity.uniform("hair full", 0.0, 1.0)
    volume = 0.035 + straight * (0.015 + 0.06 * full) + wavy * (0.03 + 0.09 * full) + curly * 0.26 * full * full
    sides = 0.012 + straight * (0.01 + 0.03 * full) + wavy * (0.02 + 0.06 * full) + curly * 0.24 * full * full
    sides = sides + long * (0.03 + 0.05 * full)
    hairline = identity.normal("hairline", -0.375, 0.04)
    part = identity.normal("part", 0.0, 0.16)
    fringe = identity.chance("fringe", 0.30) * (straight + wavy * 0.8 + curly * 0.3)
    fringe = fringe * identity.uniform("fringe depth", 0.4, 1.0)
    place = identity.uniform("hair place", 0, 4096)
    return Style(bald, curly, straight, wavy, length, volume, sides, hairline, part, fringe, place)


def _wave(sitter: Sitter, style: Style, y: Values) -> Values:
    """Return the sideways swing of wavy hair at height ``y`` (a touch of it in straight hair)."""
    swing = np.sin(y * sitter.identity.uniform("wave", 15.0, 24.0) + sitter.identity.uniform("wave phase", 0.0, 6.28))
    swing *= style.wavy * sitter.identity.uniform("wave swing", 0.020, 0.052) + style.straight * np.float32(0.003)
    return swing


def strands(patch: Patch, sitter: Sitter, style: Style) -> Values:
    """Return the light and dark of the hair, about -1..1: strands that fan from the crown, or curls."""
    identity = sitter.identity
    x, y = patch.x, patch.y
    curly = np.flatnonzero(style.curly)
    fan = np.float32(0.42) + np.float32(0.58) * smooth(y, -0.75, 0.05)
    along = (x - style.part * (1.0 - fan)) / fan
    along += _wave(sitter, style, y)
    fine = noise(along, y * np.float32(0.10), identity.uniform("strand", 9.0, 15.0), style.place)
    fine *= np.float32(0.45)
    wisp = noise(along, y * np.float32(0.3), 4.0, style.place + np.float32(77.0))
    wisp *= np.float32(0.40)
    fine += wisp
    if len(curly):
        size = identity.uniform("curl", 7.0, 13.0)[curly]
        fine[curly] = noise(x[curly], y[curly], size, style.place[curly])
    return fine


def _hair_shade(patch: Patch, sitter: Sitter, style: Style, squared: Values, texture: Values) -> Values:
    """Return the light on hair: a soft mass, strands on it, and a glossy band where it is straight."""
    front = np.sqrt(np.maximum(np.float32(1.0) - squared * np.float32(0.85), np.float32(0.05)))
    shade = lambert(sitter, patch.x * np.float32(1.5), patch.y * np.float32(1.2), front)
    depth = 0.16 + 0.12 * style.wavy + 0.17 * style.curly
    gloss = sitter.identity.uniform("gloss", 0.15, 0.9) * (style.straight + 0.55 * style.wavy)
    band = bump(np.square((patch.y + 0.50 - 0.5 * patch.x * patch.x + 0.02 * texture) / 0.13))
    shade *= 1.0 + depth * texture + gloss * band
    np.maximum(shade, np.float32(0.05), out=shade)
    return shade


def paint_back(patch: Patch, sitter: Sitter, style: Style, texture: Values) -> None:
    """Paint the hair that hangs behind the neck and over the shoulders."""
    skull = sitter.skull
    x, y = patch.x, patch.y
    wide = skull.width + style.sides
    swing = _wave(sitter, style, y) * 1.6 + style.curly * texture * np.float32(0.035)
    flare = sitter.identity.uniform("hair flare", -0.10, 0.16) * np.maximum(y, 0.0)
    end = style.length + np.float32(0.03) * texture
    mask = cover(np.abs(x + swing) - wide - flare, patch.pixel * 1.3)
    mask *= cover(y - end, patch.pixel * 2.0)
    mask *= cover(np.float32(-0.1) - y, patch.pixel * 4.0)
    neck = cover(np.abs(x) - skull.width * 0.62 - 0.10 * np.maximum(y - 0.6, 0.0), patch.pixel * 1.5)
    mask *= np.float32(1.0) - neck * cover(np.float32(0.3) - y, patch.pixel)
    patch.paint(mask, sitter.hair)
    patch.light(mask, _hair_shade(patch, sitter, style, np.minimum(x * x * 2.0, 1.0), texture) * np.float32(0.78))


def front_and_sides(patch: Patch, sitter: Sitter, style: Style, surface: Surface, texture: Values) -> Values:
    """Return the mask of hair on the head: above the hairline in front, and outside the temples down to its end."""
    identity = sitter.identity
    away = np.abs(surface.u) / sitter.skull.width
    from_part = np.abs(surface.u - style.part)
    line: Values = style.hairline - identity.uniform("widow", -0.02, 0.09) * bump(np.square((away - 0.52) / 0.26))
    line += style.fringe * (0.20 - 0.12 * from_part) + (0.10 - 0.10 * style.fringe) * from_part * (1.0 - style.curly)
    line += texture * (0.010 + 0.022 * style.fringe + 0.012 * style.curly)
    mask = cover(surface.v - line, patch.pixel * (1.3 + style.curly))
    long = style.length > LONG
    edge: Values = identity.uniform("temple", 0.80, 0.93) - long * identity.uniform("curtain", 0.0, 0.20)
    edge = (
        edge
        + long * np.float32(0.22) * smooth(surface.v, 0.10, 0.60)
        - np.float32(0.35) * bump(np.square((surface.v - line) / 0.16))
    )
    side = cover((edge - away) * np.float32(0.42) + texture * (0.004 + 0.012 * style.curly), patch.pixel * 1.4)
    side *= cover(surface.v - np.minimum(style.length, np.float32(0.62)), patch.pixel * 3.0)
    grown: Values = np.maximum(mask, side)
    return grown


def paint_top(patch: Patch, sitter: Sitter, style: Style, surface: Surface, texture: Values) -> None:
    """Paint the hair on the head: the cap between its outer outline and the hairline, or what a bald head has left."""
    identity, skull = sitter.identity, sitter.skull
    x, y = patch.x, patch.y
    lift = style.volume * (1.0 + 0.25 * clip((x - style.part) * np.float32(5.0), -1.0, 1.0) * style.straight)
    sides = style.sides * (1.0 - (style.length < 0.25) * smooth(y, -0.35, 0.05))
    dx, dy = x / (skull.width + sides), np.minimum(y, 0.0) / (skull.top + lift)
    dx += _wave(sitter, style, y) * np.float32(1.2)
    squared = dx * dx + dome(dy)
    rough = texture * (0.018 + 0.05 * style.curly * np.minimum(style.volume * 8.0, 1.2) + 0.035 * style.wavy)
    mask = cover((squared - 1.0 + rough) * np.float32(0.28), patch.pixel * 1.2)
    grown = front_and_sides(patch, sitter, style, surface, texture)
    mask *= grown
    mask *= cover(y - style.length - np.float32(0.02) * texture, patch.pixel * 2.5)
    hairy = 1.0 - style.bald
    fuzz = identity.chance("bald fuzz", 0.45) * identity.uniform("fuzz", 0.10, 0.48) * style.bald
    rim = identity.chance("bald rim", 0.35) * style.bald * smooth(np.abs(surface.u) / skull.width, 0.66, 0.9)
    thin = identity.uniform("hair density", 0.95, 1.0)
    scalp = cover((surface.squared - 1.0) * np.float32(0.25), patch.pixel)
    alpha = hairy * thin + np.maximum(fuzz, rim * np.float32(0.8)) * scalp
    mask *= alpha
    patch.paint(mask, sitter.hair)
    shade = _hair_shade(patch, sitter, style, squared, texture)
    patch.light(mask * hairy, shade)
    shadow = cover(surface.v - style.hairline - np.float32(0.07), patch.pixel * 3.0)
    patch.darken(shadow * (1.0 - mask) * (surface.squared < 1.0) * hairy * np.float32(0.15))
