"""One chunk of portraits: traits, then layers from back to front, then the camera."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing import camera, features, hair, head, headwear, scene
from greycard.datasets.drawing.canvas import Patch
from greycard.datasets.drawing.draws import Draws, Seeds
from greycard.datasets.drawing.sitter import Sitter, draw_light, draw_pose, draw_skin, draw_skull, locate


def draw(codes: Mapping[str, NDArray[np.int64]], seeds: Seeds, identity_seeds: Seeds, size: int) -> NDArray[np.uint8]:
    """Draw one chunk: class codes and seeds of N images -> (N, size, size, 3) uint8."""
    sitter = sit(codes, seeds, identity_seeds)
    patch = blank(sitter, size)
    scene.paint_background(patch, sitter)
    scene.light_background(patch, sitter)
    scene.paint_neck(patch, sitter)
    scene.paint_clothes(patch, sitter)
    style = hair.draw_style(sitter)
    texture = hair.strands(patch, sitter, style)
    head.paint_ears(patch, sitter)
    hair.paint_back(patch, sitter, style, texture)
    surface = locate(patch, sitter)
    head.paint_skin(patch, sitter, surface)
    paint_face(patch, sitter, surface)
    hair.paint_top(patch, sitter, style, surface, texture)
    headwear.paint_headwear(patch, sitter, surface)
    headwear.paint_glasses(patch, sitter, surface)
    return camera.expose(patch, sitter, seeds)


def sit(codes: Mapping[str, NDArray[np.int64]], seeds: Seeds, identity_seeds: Seeds) -> Sitter:
    """Draw what all layers share."""
    identity, image = Draws(identity_seeds), Draws(seeds)
    return Sitter(
        codes=codes,
        identity=identity,
        image=image,
        pose=draw_pose(image),
        skull=draw_skull(identity),
        light=draw_light(image),
        skin=draw_skin(codes["skin_type"], identity),
        hair=hair.hair_colour(codes["hair_color"], identity),
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


def paint_face(patch: Patch, sitter: Sitter, surface: object) -> None:
    """Model and paint the features."""
    head.carve(patch, sitter, surface)
    features.paint_cheeks(patch, sitter, surface)
    features.paint_nose(patch, sitter, surface)
    features.paint_eyes(patch, sitter, surface)
    features.paint_mouth(patch, sitter, surface)
    features.paint_beard(patch, sitter, surface)
    features.paint_brows(patch, sitter, surface)
