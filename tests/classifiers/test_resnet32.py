import pytest
import torch

from greycard.classifiers import ResNet32Config
from greycard.classifiers.resnet import BasicBlock

DIGITS = {"digit": tuple(str(number) for number in range(10))}


def conv(channels_in, channels, side):
    return channels_in * channels * side * side


def by_hand(width, classes=10):
    """Convolutions without biases, two numbers a channel for each batch norm, no parameters in shortcuts."""
    count = conv(3, width, 3) + 2 * width
    before = width
    for channels in (width, 2 * width, 4 * width):
        count += conv(before, channels, 3) + 9 * conv(channels, channels, 3) + 10 * 2 * channels
        before = channels
    return count + (before + 1) * classes


@pytest.mark.parametrize("width", [16, 32])
def test_its_parameters_are_the_papers(width):
    network = ResNet32Config(tasks=("digit",), classes=DIGITS, width=width).network()
    assert sum(parameter.numel() for parameter in network.parameters()) == by_hand(width)
    assert by_hand(16) == 464_154  # "0.46M" in table 6


def test_it_has_32_layers():
    network = ResNet32Config(tasks=("digit",), classes=DIGITS, width=4).network()
    weighted = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(weighted) == 32


def test_a_32_px_image_ends_at_8_px():
    network = ResNet32Config(tasks=("digit",), classes=DIGITS, width=4).network().eval()
    found = []
    for stage in network.backbones[0].stages:
        stage.register_forward_hook(lambda _, __, out: found.append(tuple(out.shape[1:])))
    assert network(torch.zeros(1, 3, 32, 32))["digit"].shape == (1, 10)
    assert found == [(4, 32, 32), (8, 16, 16), (16, 8, 8)]


def test_the_shortcut_without_parameters_is_every_second_pixel_and_zeros():
    block = BasicBlock(2, 4, 2, projected=False).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.arange(2 * 4 * 4).view(1, 2, 4, 4).float()
    with torch.no_grad():
        out = block(x)
    assert out[0, 0].tolist() == [[0, 2], [8, 10]]
    assert out[0, 1].tolist() == [[16, 18], [24, 26]]
    assert not out[0, 2:].any()


def test_pixels_are_brought_to_minus_one_to_one():
    network = ResNet32Config(tasks=("digit",), classes=DIGITS, width=4).network()
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    torch.testing.assert_close(network.prepare(images).flatten(), torch.tensor([-1.0, -0.6, 1.0]))


def test_a_width_below_1_is_refused():
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        ResNet32Config(width=0)
