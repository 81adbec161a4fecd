"""StyleGAN2's layers against explicit formulas, SciPy and numbers worked by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch.nn.functional import conv2d, conv_transpose2d

from greycard.generators.stylegan2.layers import (
    EqualConv2d,
    EqualLinear,
    MinibatchStd,
    ModulatedConv2d,
    fir_taps,
    upsample,
)

KERNEL = np.outer([1.0, 3.0, 3.0, 1.0], [1.0, 3.0, 3.0, 1.0]) / 64


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def spread(image):
    """Put a zero after every value, along both axes."""
    wide = np.zeros((2 * image.shape[0], 2 * image.shape[1]))
    wide[::2, ::2] = image
    return wide


def test_upsampling_is_zero_stuffing_and_the_filter():
    image = np.random.default_rng(0).normal(size=(5, 6))
    full = convolve2d(spread(image), 4 * KERNEL, mode="full")
    expected = full[1 : 1 + 10, 1 : 1 + 12]  # two zeros before, one after, of a filter with four taps
    found = upsample(torch.as_tensor(image)[None, None], fir_taps(2.0).double())
    np.testing.assert_allclose(found[0, 0].numpy(), expected, rtol=1e-6)


def test_upsampling_keeps_a_constant_inside():
    up = upsample(torch.ones(1, 1, 6, 6), fir_taps(2.0))
    torch.testing.assert_close(up[0, 0, 2:-2, 2:-2], torch.ones(8, 8))


def test_downsampling_is_the_filter_and_every_second_value():
    layer = EqualConv2d(1, 1, 1, down=True, bias=False, active=False).double()
    image = np.random.default_rng(1).normal(size=(8, 6))
    expected = convolve2d(image, KERNEL, mode="full")[2:-2, 2:-2][::2, ::2] * float(layer.weight.detach())
    found = layer(torch.as_tensor(image)[None, None])[0, 0]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-6)


def own_weights(layer, w):
    """Return each image's weights by eq. 1 and 3."""
    for style in layer.affine(w):
        weight = layer.weight * layer.scale * style[None, :, None, None]
        power = weight.square().sum(dim=(1, 2, 3), keepdim=True)
        yield weight / (power + 1e-8).sqrt() if layer.demodulate else weight


@pytest.mark.parametrize(("side", "demodulate"), [(3, True), (3, False), (1, False)])
def test_modulation_equals_a_convolution_with_each_images_own_weights(side, demodulate):
    layer = ModulatedConv2d(5, 7, side, 4, demodulate=demodulate).double()
    x, w = torch.randn(3, 5, 6, 6, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    expected = [
        conv2d(image[None], weight, padding=side // 2) for image, weight in zip(x, own_weights(layer, w), strict=True)
    ]
    torch.testing.assert_close(layer(x, w), torch.cat(expected))


def test_modulated_upsampling_equals_transposed_convolution_and_filter():
    layer = ModulatedConv2d(3, 2, 3, 4, up=True).double()
    x, w = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    found = layer(x, w).detach().numpy()
    assert found.shape == (2, 2, 8, 8)
    for image, weight, result in zip(x, own_weights(layer, w), found, strict=True):
        y = conv_transpose2d(image[None], weight.transpose(0, 1), stride=2)[0].detach().numpy()
        # 9 values and one zero on each side through 4 taps: the middle 8 of the full convolution's 12
        expected = [convolve2d(plane, 4 * KERNEL, mode="full")[2:-2, 2:-2] for plane in y]
        np.testing.assert_allclose(result, np.stack(expected), rtol=1e-6)


def test_demodulated_output_has_unit_variance_for_unit_input():
    layer = ModulatedConv2d(64, 32, 3, 8)
    y = layer(torch.randn(4, 64, 32, 32), 5 * torch.randn(4, 8))
    assert y[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1.0, abs=0.05)


def test_equalised_layers_scale_as_he():
    linear = EqualLinear(50, 3, bias=1.0, rate=0.01)
    x = torch.randn(4, 50)
    expected = x @ (linear.weight.T * 0.01 / math.sqrt(50)) + 1.0
    torch.testing.assert_close(linear(x), expected)
    convolution = EqualConv2d(3, 4, 3, active=False)
    image = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(convolution(image), conv2d(image, convolution.weight / math.sqrt(27), padding=1))


def test_minibatch_deviation_by_hand():
    x = torch.tensor([0.0, 1.0, 2.0, 5.0]).view(4, 1, 1, 1).expand(4, 2, 2, 2)
    y = MinibatchStd(2)(x)  # groups: images 0 and 2, images 1 and 3
    torch.testing.assert_close(y[:, 2, 0, 0], torch.tensor([1.0, 2.0, 1.0, 2.0]))
    assert y.shape == (4, 3, 2, 2)


@pytest.mark.parametrize(("batch", "group", "expected"), [(6, 4, 3), (3, 4, 3), (5, 2, 1), (8, 32, 8), (12, 8, 6)])
def test_minibatch_deviation_takes_a_group_that_divides_the_batch(batch, group, expected):
    x = torch.randn(batch, 3, 4, 4)
    torch.testing.assert_close(MinibatchStd(group)(x), MinibatchStd(expected)(x))


def test_second_derivatives_exist_everywhere():
    layer = ModulatedConv2d(2, 2, 3, 3, up=True).double()
    x, w = torch.randn(1, 2, 4, 4, dtype=torch.float64), torch.randn(1, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda v: layer(x, v).square().sum(), (w,))
