"""Normalised brightness, halving and fitted distributions against scikit-image, SciPy and torch."""

import numpy as np
import pytest
import skimage.data
import skimage.filters
import torch
from scipy import optimize, special, stats
from torch.nn import functional

from greycard.metrics.no_reference.images import brightness, check_images
from greycard.metrics.no_reference.natural_scenes import fit, half, normalised


@pytest.fixture(scope="module")
def gray():
    return brightness(skimage.data.chelsea().transpose(2, 0, 1), "gray")


@pytest.mark.parametrize("border", ["nearest", "constant"])
def test_normalised_against_scikit_image(gray, border):
    def blur(values):
        return skimage.filters.gaussian(values, 7 / 6, mode=border, truncate=2.6, preserve_range=True)

    deviation = np.sqrt(np.abs(blur(gray**2) - blur(gray) ** 2))
    found = normalised(gray, 1.0, border)
    np.testing.assert_allclose(found.deviation, deviation, atol=1e-6)
    np.testing.assert_allclose(found.coefficients, (gray - blur(gray)) / (deviation + 1), atol=1e-6)


def test_flat_places_are_exactly_zero():
    found = normalised(np.full((40, 40), 77.0), 1.0, "nearest")
    assert not found.coefficients.any()


def test_fit_solves_the_moment_equation(gray):
    values = normalised(gray, 1.0, "nearest").coefficients
    values = (values[:, 1:] * values[:, :-1]).reshape(1, -1)
    left, right = (np.sqrt((values[side] ** 2).mean()) for side in (values < 0, values > 0))
    ratio = left / right
    wanted = np.abs(values).mean() ** 2 / (values**2).mean() * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = optimize.brentq(
        lambda a: special.gamma(2 / a) ** 2 / special.gamma(1 / a) / special.gamma(3 / a) - wanted, 0.2, 10
    )
    found = fit(values)
    assert [part.item() for part in found] == pytest.approx([shape, left, right], rel=1e-6)
    assert fit(values, steps=True).shape.item() == pytest.approx(round(shape, 3), abs=1e-9)
    beta = [side * np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape)) for side in (left, right)]
    mean = (beta[1] - beta[0]) * special.gamma(2 / shape) / special.gamma(1 / shape)
    assert found.mean.item() == pytest.approx(mean, rel=1e-5)


def test_fit_finds_what_scipy_draws():
    samples = stats.gennorm.rvs(1.3, scale=0.7, size=(2, 200_000), random_state=0)
    samples[1] = np.where(samples[1] < 0, 2 * samples[1], samples[1])  # each side keeps half of the samples
    found = fit(samples)
    deviation = stats.gennorm.std(1.3, scale=0.7)
    assert found.shape[0] == pytest.approx(1.3, abs=0.02)
    assert found.left == pytest.approx([deviation, 2 * deviation], rel=0.01)
    assert found.right == pytest.approx([deviation, deviation], rel=0.01)
    assert found.mean[0] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("values", [np.zeros((1, 50)), np.ones((1, 50)), -np.ones((1, 50))])
@pytest.mark.parametrize("steps", [True, False])
def test_one_side_has_no_distribution(values, steps):
    assert all(np.isnan(part).all() for part in fit(values, steps=steps))


def test_flatter_than_any_distribution():
    values = np.tile([-1.0, 1.0], 30)[None]  # E[|x|]² / E[x²] is 1, and no generalised Gaussian exceeds 3/4
    assert np.isnan(fit(values).shape).all()
    assert fit(values, steps=True).shape.item() == pytest.approx(10)


def test_zeros_on_the_right():
    values = np.array([[-1.0, -1.0, 0.0, 0.0, 2.0, 2.0]])
    assert fit(values).right.item() == 2
    assert fit(values, zeros="right").right.item() == pytest.approx(np.sqrt(2))


def test_half_is_torchs_bicubic(gray):
    even = gray[:, :450]
    batch = torch.from_numpy(even)[None, None]
    plain = functional.interpolate(batch, scale_factor=0.5, mode="bicubic", align_corners=False)[0, 0].numpy()
    np.testing.assert_allclose(half(even, smooth=False), plain, atol=1e-9)
    smooth = functional.interpolate(batch, scale_factor=0.5, mode="bicubic", antialias=True)[0, 0].numpy()
    np.testing.assert_allclose(half(even, smooth=True)[2:-2, 2:-2], smooth[2:-2, 2:-2], atol=1e-9)
    assert half(gray, smooth=False).shape == (150, 226)  # 300 x 451


def test_brightness_by_hand():
    image = np.array([255, 0, 128], np.uint8).reshape(3, 1, 1)
    assert brightness(image, "gray").item() == 91  # 76.245 + 0 + 14.592 = 90.837
    assert brightness(image, "y").item() == 94  # 65.481 + 0 + 12.532 + 16 = 94.013
    halfway = np.array([5, 17, 9], np.uint8).reshape(3, 1, 1)  # 12.5 exactly, which sums of doubles miss
    assert brightness(halfway, "gray").item() == 13


def test_wrong_images():
    with pytest.raises(ValueError, match=r"shape \(N, 3, H, W\), got \(1, 1, 9, 9\)"):
        check_images(torch.zeros(1, 1, 9, 9, dtype=torch.uint8))
    with pytest.raises(TypeError, match=r"expected uint8 pixels, got torch.float32"):
        check_images(torch.zeros(1, 3, 9, 9))
