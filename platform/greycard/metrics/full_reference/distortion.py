"""Full-reference measures, one number per image, on 8-bit pixels: MSE, PSNR, SSIM; LPIPS is in ``lpips``.

A config is its measure, where no model has to be loaded: ``Ssim().build()`` returns itself. None of them depends on
which images share a batch, to the last bit: sums are over integers, or element by element in a fixed order.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import torch
from torch import Tensor

from greycard.config import BY_KIND
from greycard.metrics.descriptions import Described
from greycard.metrics.full_reference.decibels import CAP_DB, psnr_of_mse
from greycard.metrics.full_reference.lpips import Lpips
from greycard.metrics.full_reference.pixels import check_pair, check_size

_RADIUS = 5  # 3.5 standard deviations, as scikit-image truncates
_SIGMA = 1.5
_AT_A_TIME = 4  # images whose maps stay in the cache


class _AnySize(Described):
    """A measure for which any image is large enough."""

    __slots__ = ()

    @property
    def min_size(self) -> int:
        """Least height and width in pixels: 1: any image."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mse(_AnySize):
    """Mean squared error over channels and pixels: lower is better, in [0, 65025] squared 8-bit steps."""

    kind: Literal["mse"] = "mse"
    name: ClassVar[str] = "mse"

    def build(self) -> "Mse":
        """Return itself: nothing has to be loaded."""
        return self

    def __call__(self, reference: Tensor, restored: Tensor) -> Tensor:
        """Compare (N, 3, H, W) uint8 pairs; returns (N,) float64.

        Example:
            >>> Mse()(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), torch.full((1, 3, 2, 2), 3, dtype=torch.uint8))
            tensor([9.], dtype=torch.float64)
        """
        check_pair(reference, restored)
        difference = reference.to(torch.int32) - restored.to(torch.int32)
        total = difference.square_().flatten(1).sum(dim=1, dtype=torch.int64)
        return total.to(torch.float64) / max(difference[:1].numel(), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Psnr(_AnySize):
    """Peak signal-to-noise ratio of each image: higher is better, in [0, cap_db] dB.

    Group means are means of these (as CompressAI does); the PSNR of the group's mean MSE stands beside them in the
    findings as "psnr_db_of_mean_mse".

    Attributes:
        cap_db: the value of identical images (see ``decibels.CAP_DB``).
    """

    kind: Literal["psnr"] = "psnr"
    name: ClassVar[str] = "psnr_db"
    cap_db: float = CAP_DB

    def __post_init__(self) -> None:
        if not 0 < self.cap_db < float("inf"):
            raise ValueError(f"psnr.cap_db must be positive and finite, got {self.cap_db}")

    def build(self) -> "Psnr":
        """Return itself: nothing has to be loaded."""
        return self

    def __call__(self, reference: Tensor, restored: Tensor) -> Tensor:
        """Compare (N, 3, H, W) uint8 pairs; returns (N,) float64.

        Example:
            >>> image = torch.full((1, 3, 2, 2), 7, dtype=torch.uint8)
            >>> Psnr()(image, image).item(), round(Psnr()(image, image + 1).item(), 3)
            (100.0, 48.131)
        """
        mse = Mse()(reference, restored)
        return torch.from_numpy(psnr_of_mse(mse.cpu().numpy(), self.cap_db)).to(mse.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssim(_AnySize):
    """Structural similarity (Wang et al. 2004): higher is better, in [-1, 1], 1 for identical images.

    11 x 11 Gaussian window of σ 1.5, population covariances, K1 = .01, K2 = .03, over the windows that lie wholly
    inside the image, mean over channels: the same as scikit-image's ``structural_similarity(gaussian_weights=True,
    use_sample_covariance=False, data_range=255, channel_axis=...)``.
    """

    kind: Literal["ssim"] = "ssim"
    name: ClassVar[str] = "ssim"

    @property
    def min_size(self) -> int:
        """Least height and width in pixels: 11, its window's."""
        return 2 * _RADIUS + 1

    def build(self) -> "Ssim":
        """Return itself: nothing has to be loaded."""
        return self

    def __call__(self, reference: Tensor, restored: Tensor) -> Tensor:
        """Compare (N, 3, H, W) uint8 pairs, H and W at least 11; returns (N,) float64.

        Raises:
            ValueError: the images are smaller than the window.

        Example:
            >>> image = torch.arange(3 * 12 * 12).reshape(1, 3, 12, 12).to(torch.uint8)
            >>> Ssim()(image, image).item()
            1.0
        """
        check_pair(reference, restored)
        check_size("ssim", reference, self.min_size)
        parts = [
            _ssim(reference[start : start + _AT_A_TIME], restored[start : start + _AT_A_TIME])
            for start in range(0, len(reference), _AT_A_TIME)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64, device=reference.device)


def _ssim(reference: Tensor, restored: Tensor) -> Tensor:
    x, y = reference.to(torch.float64), restored.to(torch.float64)
    mean_x, mean_y, square, product = _blur(torch.stack([x, y, x * x + y * y, x * y]))
    means_product, means_square = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * means_product + c1) * (2 * (product - means_product) + c2)
    similar /= (means_square + c1) * (square - means_square + c2)
    # numpy adds each row in the same order whatever the number of rows; torch may split a lone one between threads
    means = similar.flatten(1).cpu().numpy().mean(axis=1)
    return torch.from_numpy(means).to(reference.device)


def _blur(maps: Tensor) -> Tensor:
    """Blur (..., H, W) with the window; windows that stick out are left out: (..., H - 10, W - 10)."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    height, width = maps.shape[-2] - 2 * _RADIUS, maps.shape[-1] - 2 * _RADIUS
    rows = maps[..., :height, :] * float(weights[0])
    for offset, weight in enumerate(weights[1:], start=1):
        rows.add_(maps[..., offset : offset + height, :], alpha=float(weight))
    blurred = rows[..., :width] * float(weights[0])
    for offset, weight in enumerate(weights[1:], start=1):
        blurred.add_(rows[..., offset : offset + width], alpha=float(weight))
    return blurred


MeasureConfig = Annotated[Mse | Psnr | Ssim | Lpips, BY_KIND]
MEASURES: Final[dict[str, type[Mse] | type[Psnr] | type[Ssim] | type[Lpips]]] = {
    "mse": Mse,
    "psnr": Psnr,
    "ssim": Ssim,
    "lpips": Lpips,
}
