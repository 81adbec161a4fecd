"""Full-reference distortion, one number an image, on 8-bit pixels: MSE, PSNR, SSIM, LPIPS."""

import numpy as np

from greycard.metrics.by_group import Floats

PSNR_CAP_DB = 100.0


def psnr_of_mse(mse: Floats) -> Floats:
    """Return 10 log10(255² / mse) in dB, at most ``PSNR_CAP_DB``."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.minimum(10 * np.log10(255.0**2 / mse), PSNR_CAP_DB))
