"""What NIQE compares with: the mean and covariance of a natural image's 36 features, read from a file or fitted.

``brightness -> blocks at two scales -> 18 features each -> mean, covariance``

Mittal, Soundararajan and Bovik 2013, section II: features of equations 1-8, sharp patches of section II-C.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from greycard.metrics.no_reference.images import Channel, Floats, brightness
from greycard.metrics.no_reference.natural_scenes import fit, half, normalised

FEATURES: Final = 36
BLOCK: Final = 96
_MEAN: Final = ("mu_pris_param", "pop_mu")
_COVARIANCE: Final = ("cov_pris_param", "pop_cov")
_NEIGHBOURS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows and columns: beside, below, and along both diagonals
_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True)
class NiqeParameters:
    """A multivariate Gaussian of features of undistorted images.

    Attributes:
        mean: (36,).
        covariance: (36, 36).
    """

    mean: Floats
    covariance: Floats

    def save(self, path: str | Path) -> None:
        """Write a file in the layout of ``niqe_pris_params.npz``, which ``read`` takes."""
        with Path(path).open("wb") as file:
            np.savez(file, mu_pris_param=self.mean[None], cov_pris_param=self.covariance)

    def distance(self, mean: Floats, covariance: Floats) -> float:
        """Return the distance to another Gaussian (equation 10): 0 for the same mean, without a bound."""
        gap = self.mean - mean
        squared = float(gap @ np.linalg.pinv((self.covariance + covariance) / 2) @ gap)
        return float(np.sqrt(max(squared, 0.0)))


def read(path: str | Path) -> NiqeParameters:
    """Read parameters as ``niqe_pris_params.npz`` holds them: ``mu_pris_param`` (1, 36), ``cov_pris_param`` (36, 36).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not one of arrays, or they have other names, shapes or values.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz file of plain arrays: {error}") from None
    mean, covariance = (_array(held, names, path) for names in (_MEAN, _COVARIANCE))
    mean = mean.reshape(-1)
    if mean.shape != (FEATURES,) or covariance.shape != (FEATURES, FEATURES):
        raise ValueError(
            f"{path} must hold a mean of {FEATURES} and a covariance of {FEATURES} x {FEATURES} numbers, "
            f"got {mean.shape} and {covariance.shape}"
        )
    if not np.isfinite(mean).all() or not np.allclose(covariance, covariance.T):
        raise ValueError(f"{path} must hold finite numbers and a symmetric covariance")
    return NiqeParameters(mean, covariance)


def _array(held: dict[str, NDArray[np.generic]], names: tuple[str, ...], path: str | Path) -> Floats:
    for name in names:
        if name in held and np.issubdtype(held[name].dtype, np.number):
            return held[name].astype(np.float64)
    raise ValueError(f"{path} must hold numbers under {' or '.join(names)}, got {', '.join(held) or 'no named arrays'}")


def block_features(values: Floats, block: int) -> Floats:
    """Return the features of each whole block of a brightness, at two scales.

    Args:
        values: (H, W) in 0..255; rows and columns beyond the last whole block are left out.
        block: side of a block in pixels, even; half of it at half scale.

    Returns:
        (B, 36); NaN for a block so flat that a distribution has only one side.
    """
    rows, columns = values.shape[0] // block, values.shape[1] // block
    scaled = values[: rows * block, : columns * block]
    parts = []
    for side in (block, block // 2):
        coefficients = normalised(scaled, 1.0, "nearest").coefficients
        parts.append(_features(_blocks(coefficients, side)))
        scaled = half(scaled, smooth=True)
    return np.concatenate(parts, axis=1)


def _blocks(values: Floats, side: int) -> Floats:
    rows, columns = values.shape[0] // side, values.shape[1] // side
    cut = values[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return cut.swapaxes(1, 2).reshape(-1, side, side)


def _features(blocks: Floats) -> Floats:
    """Return (B, 18) features of (B, S, S) coefficients; a neighbour beyond a block's edge is its other edge."""
    alone = fit(blocks.reshape(len(blocks), -1), steps=True)
    found = [alone.shape, (alone.left + alone.right) / 2 * alone.spread]
    for shift in _NEIGHBOURS:
        products = blocks * np.roll(blocks, shift, axis=(1, 2))
        pair = fit(products.reshape(len(blocks), -1), steps=True)
        found += [pair.shape, pair.mean, pair.left * pair.spread, pair.right * pair.spread]
    return np.stack(found, axis=1)


def gaussian(features: Floats) -> tuple[Floats, Floats] | None:
    """Return mean and covariance of (B, 36) features, the latter of blocks without NaN; None below 2 such blocks."""
    whole = features[np.isfinite(features).all(axis=1)]
    if len(whole) < 2:
        return None
    return np.nanmean(features, axis=0), np.cov(whole, rowvar=False)


def fit_folder(folder: str | Path, *, block: int, channel: Channel, sharpness: float) -> NiqeParameters:
    """Fit the parameters to a folder of undistorted images, in any order: the same files give the same numbers.

    Args:
        folder: holds image files; subfolders are not entered.
        block: side of a block in pixels, even.
        channel: brightness that is looked at.
        sharpness: of each image, only blocks whose mean local deviation exceeds this share of its sharpest block's take
            part (the paper: 0.75).

    Raises:
        FileNotFoundError: there is no such folder, or no image file in it.
        ValueError: a file is not an image, or the images give too few sharp blocks for a covariance.
    """
    files = sorted(item for item in Path(folder).iterdir() if item.suffix.lower() in _SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{folder} holds no image files ({', '.join(_SUFFIXES)})")
    parts = list(_sharp(files, block, channel, sharpness))
    features = np.concatenate(parts) if parts else np.zeros((0, FEATURES))
    features = features[np.isfinite(features).all(axis=1)]
    if len(features) <= FEATURES:
        raise ValueError(
            f"a covariance of {FEATURES} features needs more than {FEATURES} sharp blocks of {block} x {block} pixels, "
            f"and the {len(files)} images of {folder} have {len(features)}; add images or larger ones"
        )
    return NiqeParameters(features.mean(axis=0), np.cov(features, rowvar=False))


def _sharp(files: list[Path], block: int, channel: Channel, sharpness: float) -> Iterator[Floats]:
    """Yield each image's features of sharp blocks."""
    for path in files:
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"{path} is not a readable image: {error}") from None
        if min(pixels.shape[1:]) < block:
            continue
        values = brightness(pixels, channel)
        whole = values[: values.shape[0] // block * block, : values.shape[1] // block * block]
        sharp = _blocks(normalised(whole, 1.0, "nearest").deviation, block).mean(axis=(1, 2))
        yield block_features(values, block)[sharp > sharpness * sharp.max()]
