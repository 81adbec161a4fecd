"""One chunk of portraits: traits, then layers from back to front, then the camera.

What only some images have (headwear, glasses, beards, long hair) is painted on those alone, and small features in
windows around them, so that a face costs well under a millisecond.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing import ageing, camera, expression, features, hair, head, headwear, scene
from greycard.datasets.drawing.canvas import Patch
from greycard.datasets.drawing.draws import Draws
from greycard.datasets.drawing.sitter import (
    Sitter,
    Surface,
    draw_light,
    draw_pose,
    draw_skin,
    draw_skull,
    locate,
)

Painter = Callable[[Patch, Sitter], None]
FacePainter = Callable[[Patch, Sitter, Surface], None]


class Box(NamedTuple):
    """A window, in head units: its centre's v and half its sides; it moves as the face turns, or stays on the head."""

    v: float
    half_width: float
    half_height: float
    turns: bool = True


# half sides leave room for the largest scale, roll and yaw that ``draw_pose`` draws
WHOLE: Final = Box(0.0, 1.0, 1.0, turns=False)
FACE: Final = Box(0.16, 0.68, 0.78, turns=False)
EYES: Final = Box(head.EYE_LINE - 0.03, 0.54, 0.32)
NOSE: Final = Box(head.NOSE_BASE - 0.02, 0.32, 0.24)
MOUTH: Final = Box(head.MOUTH_LINE + 0.02, 0.40, 0.30)


def draw(codes: Mapping[str, NDArray[np.int64]], image: Draws, identity: Draws, size: int) -> NDArray[np.uint8]:
    """Draw one chunk: class codes and draws of N images -> (N, size, size, 3) uint8."""
    sitter = sit(codes, image, identity)
    patch = blank(sitter, size)
    scene.paint_background(patch, sitter)
    on_rows(patch, sitter, scene.has_edge(sitter), scene.paint_edge)
    below = patch.lower(int(size * 0.52))
    scene.paint_neck(below, sitter)
    scene.paint_clothes(below, sitter)
    style = ageing.age_style(hair.draw_style(sitter), sitter)
    texture = hair.strands(patch, sitter, style)
    head.paint_ears(patch, sitter)
    long = np.flatnonzero(style.length > hair.LONG)
    on_rows(patch, sitter, long, lambda part, who: hair.paint_back(part, who, style.take(long), texture[long]))
    surface = locate(patch, sitter)
    head.paint_skin(patch, sitter, surface)
    smiles = (expression.paint_smile,) if expression.LABEL in codes else ()
    wrinkles = (ageing.paint_wrinkles,) if ageing.LABEL in codes else ()
    in_window(patch, sitter, FACE, head.carve, features.paint_cheeks, *smiles, *wrinkles)
    in_window(patch, sitter, NOSE, features.paint_nose)
    in_window(patch, sitter, EYES, features.paint_eyes, features.paint_brows)
    in_window(patch, sitter, MOUTH, features.paint_mouth)
    on_rows(patch, sitter, features.has_beard(sitter), windowed(FACE, features.paint_beard))
    hair.paint_top(patch, sitter, style, surface, texture)
    on_rows(patch, sitter, headwear.wears_headwear(sitter), windowed(WHOLE, headwear.paint_headwear))
    on_rows(patch, sitter, headwear.wears_glasses(sitter), windowed(FACE, headwear.paint_glasses))
    return camera.expose(patch, sitter)


def sit(codes: Mapping[str, NDArray[np.int64]], image: Draws, identity: Draws) -> Sitter:
    """Draw what all layers share."""
    return Sitter(
        codes=codes,
        identity=identity,
        image=image,
        pose=draw_pose(image),
        skull=ageing.age_skull(draw_skull(identity), codes, identity),
        light=draw_light(image),
        skin=draw_skin(codes["skin_type"], identity),
        hair=ageing.age_hair(hair.hair_colour(codes["hair_color"], identity), codes, identity),
    )


def blank(sitter: Sitter, size: int) -> Patch:
    """Return an empty patch over the whole image, with the head's frame laid on it: shift, roll and scale undone."""
    pose = sitter.pose
    axis = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2.0 / size) - np.float32(1.0)
    x, y = axis[None, None, :] - pose.shift_x, axis[None, :, None] - pose.shift_y
    cos, sin = pose.cos_roll / pose.scale, pose.sin_roll / pose.scale
    n = len(pose.scale)
    return Patch(
        np.empty((3, n, size, size), np.float32),
        np.empty((n, size, size), np.float32),
        x * cos + y * sin,
        y * cos - x * sin,
        np.float32(2.0 / size) / pose.scale,
    )


def in_window(patch: Patch, sitter: Sitter, box: Box, *painters: FacePainter) -> None:
    """Let painters work, one after the other, on the window around a place of the head."""
    places = window_places(sitter, box, patch.shade.shape[1])
    part = patch.window(places)
    surface = locate(part, sitter)
    for painter in painters:
        painter(part, sitter, surface)
    patch.put_window(places, part)


def windowed(box: Box, painter: FacePainter) -> Painter:
    """Return a painter that works in a box."""
    return lambda patch, sitter: in_window(patch, sitter, box, painter)


def on_rows(patch: Patch, sitter: Sitter, rows: NDArray[np.int64], painter: Painter) -> None:
    """Let a painter work on some of the images only."""
    if len(rows):
        part = patch.take(rows)
        painter(part, sitter.take(rows))
        patch.put_some(rows, part)


def window_places(sitter: Sitter, box: Box, size: int) -> NDArray[np.int64]:
    """Return the flat places (N, h, w) of a box's pixels; it is moved inside where it would leave the image."""
    pose, skull = sitter.pose, sitter.skull
    v = np.float32(box.v) / np.where(box.v > 0, skull.chin, skull.top)
    depth = np.sqrt(np.float32(1.0) - v * v)
    up = v * pose.cos_pitch + depth * pose.sin_pitch
    x = skull.width * (depth * pose.cos_pitch - v * pose.sin_pitch) * pose.sin_yaw * box.turns
    y = up * np.where(up > 0, skull.chin, skull.top)
    centre_x = pose.scale * (x * pose.cos_roll - y * pose.sin_roll) + pose.shift_x
    centre_y = pose.scale * (x * pose.sin_roll + y * pose.cos_roll) + pose.shift_y
    half = size / 2.0
    width, height = min(size, int(2 * box.half_width * half) + 1), min(size, int(2 * box.half_height * half) + 1)
    left = np.clip(((centre_x + 1.0) * half - width / 2.0).astype(np.int64), 0, size - width)
    top = np.clip(((centre_y + 1.0) * half - height / 2.0).astype(np.int64), 0, size - height)
    first = np.arange(len(left), dtype=np.int64)[:, None, None] * (size * size)
    rows = (top + np.arange(height)[None, :, None]) * size
    places: NDArray[np.int64] = first + rows + left + np.arange(width)[None, None, :]
    return places
