"""One chunk of portraits: traits, then layers from back to front, then the camera."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.draws import Draws, Seeds

_TONES = np.array(
    [(240, 208, 190), (228, 188, 162), (208, 163, 130), (176, 128, 95), (128, 86, 60), (84, 55, 42)], np.float32
)


def draw(codes: Mapping[str, NDArray[np.int64]], seeds: Seeds, identity_seeds: Seeds, size: int) -> NDArray[np.uint8]:
    """Draw one chunk: class codes and seeds of N images -> (N, size, size, 3) uint8."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0
    X, Y = axis[None, None, :], axis[None, :, None]
    image, identity = Draws(seeds), Draws(identity_seeds)
    a, b = identity.normal("face width", 0.5, 0.03), identity.normal("face height", 0.66, 0.03)
    x, y = X - image.normal("shift x", 0, 0.04), Y - image.normal("shift y", 0, 0.04)
    inside = np.clip(0.5 - ((x / a) ** 2 + (y / b) ** 2 - 1.0) * size * 0.12, 0.0, 1.0)[..., None]
    skin = _TONES[codes["skin_type"]] + 8.0 * identity.normal("skin")[:, 0]
    ground = np.stack([image.uniform(f"ground {c}", 40, 220)[:, 0, 0] for c in range(3)], axis=-1)
    pixels = ground[:, None, None, :] + inside * (skin - ground)[:, None, None, :]
    drawn: NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return drawn
