"""PSNR from the mean squared error of 8-bit pixels, with the cap that keeps it finite."""

from typing import Final

import numpy as np

from greycard.metrics.by_group import Floats

CAP_DB: Final = 100.0
"""PSNR of identical images, and the most that any pair can have.

Identical images have an infinite PSNR, which no mean, difference or JSON file survives, and the reference system of
every audit returns identical images. One sample off by one gives 89 dB at 64 x 64 pixels and reaches 100 dB only beyond
225 x 225, so the cap touches nothing that a codec at such rates produces.
"""


def psnr_of_mse(mse: Floats, cap_db: float = CAP_DB) -> Floats:
    """Return min(10 log10(255² / mse), cap) in dB; NaN stays NaN.

    Args:
        mse: any shape, >= 0, in squared 8-bit steps.
        cap_db: the value for 0.

    Example:
        >>> psnr_of_mse(np.array([65.025, 0.0])).tolist()
        [30.0, 100.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.minimum(10 * np.log10(255.0**2 / mse), cap_db))
