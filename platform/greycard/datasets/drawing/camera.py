"""The camera: exposure, white balance, a little blur, the display curve, contrast and sensor noise."""

import numpy as np
from numpy.typing import NDArray

from greycard.datasets.drawing.canvas import Patch
from greycard.datasets.drawing.draws import Seeds, Values, derive, mix
from greycard.datasets.drawing.sitter import Sitter


def expose(patch: Patch, sitter: Sitter) -> NDArray[np.uint8]:
    """Turn surface colour and light into pixels: (N, h, w, 3) uint8.

    The exposure leans a little towards the face, as cameras meter: darker skin gets some more light, not all of it.
    """
    image = sitter.image
    luminance = (sitter.skin * np.array([0.21, 0.72, 0.07], np.float32)[:, None, None, None]).sum(axis=0)
    metered = (np.float32(0.22) / (luminance + np.float32(0.02))) ** np.float32(0.13)
    gain = metered * np.exp(image.normal("exposure", 0.10, 0.13)) * np.float32(1.32)
    warmth, green = image.normal("white balance", 0.0, 0.055), image.normal("tint", 0.0, 0.02)
    contrast = image.uniform("contrast", 0.94, 1.20)
    lift = image.uniform("haze", 0.0, 0.035)
    spread = image.uniform("blur", 0.02, 0.20)
    n, h, w = patch.shade.shape
    grain = noise_levels(sitter.image.seeds, (n, h, w), image.uniform("grain", 0.6, 3.2))
    pixels = np.empty((n, h, w, 3), np.uint8)
    for channel, balance in enumerate((1.0 + warmth, 1.0 + green, 1.0 - warmth)):
        plane = patch.albedo[channel]
        plane *= patch.shade
        plane *= gain * balance
        plane = _blur(plane, spread)
        np.maximum(plane, np.float32(0.0), out=plane)
        np.minimum(plane, np.float32(1.6), out=plane)
        plane *= np.float32(1.0) - np.float32(0.18) * plane  # highlights roll off
        np.sqrt(plane, out=plane)
        plane -= np.float32(0.45)
        plane *= contrast
        plane += np.float32(0.45) + lift
        plane *= np.float32(255.0)
        plane += grain[channel]
        np.maximum(plane, np.float32(0.0), out=plane)
        np.minimum(plane, np.float32(255.0), out=plane)
        pixels[..., channel] = plane
    return pixels


def _blur(plane: Values, spread: Values) -> Values:
    """Mix each pixel with its neighbours, across and then down; the border keeps its own."""
    keep = np.float32(1.0) - np.float32(2.0) * spread
    across = plane * keep
    across[:, :, 1:-1] += (plane[:, :, 2:] + plane[:, :, :-2]) * spread
    across[:, :, :1] += plane[:, :, :1] * (2.0 * spread)
    across[:, :, -1:] += plane[:, :, -1:] * (2.0 * spread)
    down: Values = across * keep
    down[:, 1:-1] += (across[:, 2:] + across[:, :-2]) * spread
    down[:, :1] += across[:, :1] * (2.0 * spread)
    down[:, -1:] += across[:, -1:] * (2.0 * spread)
    return down


def noise_levels(seeds: Seeds, shape: tuple[int, int, int], deviation: Values) -> list[Values]:
    """Draw sensor noise for three channels, in display levels: a hash of (seed, pixel), two bytes per value."""
    n, h, w = shape
    pixel = np.arange(h * w, dtype=np.uint64).reshape(1, h, w) * np.uint64(0xD1B54A32D192ED03)
    words = mix(derive(seeds, "grain")[:, None, None] + pixel)
    octets = words.view(np.uint8).reshape(n, h, w, 8)
    scale = deviation * np.float32(1.0 / 104.5)  # the deviation of a sum of two even bytes
    planes = []
    for channel in range(3):
        plane = octets[..., 2 * channel].astype(np.float32)
        plane += octets[..., 2 * channel + 1]
        plane -= np.float32(255.0)
        plane *= scale
        planes.append(plane)
    return planes
