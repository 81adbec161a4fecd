"""Photographs of scikit-image as batches, and where a tester may put published weights."""

import os
from pathlib import Path

import skimage.data
import torch

WEIGHTS = Path(os.environ.get("GREYCARD_QUALITY_WEIGHTS", "") or "no-such-folder")
"""Folder that may hold niqe_pris_params.npz, svm.txt and brisque_ranges.json; without it tests of them are skipped."""


def photo(name):
    """Return a photograph as (1, 3, H, W) uint8."""
    return torch.from_numpy(getattr(skimage.data, name)().transpose(2, 0, 1).copy())[None]
