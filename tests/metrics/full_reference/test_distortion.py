import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim


def tiles(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Real pixels and a damaged copy, (N, H, W, 3)."""
    photographs = [data.astronaut(), data.chelsea(), data.coffee()]
    reference = np.stack([photograph[100 : 100 + height, 120 : 120 + width] for photograph in photographs])
    random = np.random.default_rng(0)
    damage = random.normal(0, [[[[4]]], [[[15]]], [[[40]]]], reference.shape)
    return reference, np.clip(np.round(reference * 0.9 + damage), 0, 255).astype(np.uint8)


def tensors(*images: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(part.transpose(0, 3, 1, 2))) for part in images]


@pytest.mark.parametrize("size", [(64, 64), (11, 11), (11, 30), (50, 37), (128, 96)])
def test_ssim_equals_scikit_image(size: tuple[int, int]) -> None:
    reference, restored = tiles(*size)
    expected = [
        structural_similarity(
            x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
        )
        for x, y in zip(reference, restored, strict=True)
    ]
    np.testing.assert_allclose(Ssim()(*tensors(reference, restored)).numpy(), expected, rtol=0, atol=1e-12)


def test_ssim_of_flat_and_of_negated_images() -> None:
    flat = torch.full((1, 3, 16, 16), 255, dtype=torch.uint8)
    c1 = (0.01 * 255) ** 2
    assert Ssim()(flat, flat).item() == 1.0
    assert Ssim()(flat, torch.zeros_like(flat)).item() == pytest.approx(c1 / (255**2 + c1))
    noise = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert Ssim()(noise, 255 - noise).item() < -0.5


def test_ssim_refuses_images_smaller_than_its_window() -> None:
    small = torch.zeros(1, 3, 10, 64, dtype=torch.uint8)
    with pytest.raises(ValueError, match="at least 11 x 11"):
        Ssim()(small, small)


def test_mse_and_psnr_equal_scikit_image() -> None:
    reference, restored = tiles(64, 48)
    pairs = list(zip(reference, restored, strict=True))
    inputs = tensors(reference, restored)
    np.testing.assert_array_equal(Mse()(*inputs).numpy(), [mean_squared_error(x, y) for x, y in pairs])
    expected = [peak_signal_noise_ratio(x, y, data_range=255) for x, y in pairs]
    np.testing.assert_allclose(Psnr()(*inputs).numpy(), expected, rtol=1e-14)


def test_psnr_of_identical_images_is_the_cap_and_one_step_is_below_it() -> None:
    image = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    restored = image.clone()
    restored[1, 0, 0, 0] = 1
    values = Psnr()(image, restored)
    assert values[0] == 100.0
    assert values[1].item() == pytest.approx(10 * np.log10(255**2 * 3 * 64 * 64))  # 89.03 dB
    assert Psnr(cap_db=60)(image, restored).tolist() == [60.0, 60.0]


def test_differences_do_not_wrap_around() -> None:
    black, white = (torch.full((1, 3, 12, 12), value, dtype=torch.uint8) for value in (0, 255))
    assert Mse()(black, white).item() == Mse()(white, black).item() == 255**2
    assert Psnr()(black, white).item() == 0.0


@pytest.mark.parametrize("cap", [0.0, -3.0, float("inf"), float("nan")])
def test_the_cap_must_be_a_number(cap: float) -> None:
    with pytest.raises(ValueError, match=r"psnr\.cap_db must be positive and finite"):
        Psnr(cap_db=cap)
