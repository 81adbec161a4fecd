"""What the checks compare, and how near a device must come to a CPU."""

import torch

FLOAT32 = 5e-5
"""Largest difference after one pass through a network, as a share of the largest value.

Other orders of the same sums differ by 5e-6 at most in the networks checked here (``test_comparing``), and cuDNN's
Winograd convolutions lose up to a digit more. TF32 differs by 2e-4 at least.
"""

STEPS = 1e-4
"""Largest difference of a loss in a short training of a smooth network; rounding makes 2e-6."""

PATH = 3e-4
"""Largest distance of two such trained networks, as a share of their way from the start.

Rounding makes 4e-6, bfloat16 and TF32 4e-3 and more.
"""


def difference(found, expected):
    """The largest difference of two tensors, as a share of the largest value expected."""
    assert found.shape == expected.shape
    apart = found.detach().cpu().double() - expected.detach().cpu().double()
    return float(apart.abs().max() / expected.detach().abs().max())


def assert_near(found, expected, share=FLOAT32):
    assert difference(found, expected) <= share


def assert_metrics_near(found, expected, share=STEPS):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert abs(found[name] - value) <= share * max(abs(value), 0.01), name


def weights(network):
    """All of a network's parameters, as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def way_apart(found, expected, start):
    """The distance of two trained networks, as a share of the way from their start."""
    return float((weights(found) - weights(expected)).norm() / (weights(expected) - weights(start)).norm())


def assert_same_weights(found, expected):
    left, right = found.state_dict(), expected.state_dict()
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


def pictures(count, size=32, seed=0):
    """Noise about a colour for each image: (N, 3, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.randint(0, 256, (count, 3, 1, 1), generator=generator)
    noise = torch.randint(-60, 61, (count, 3, size, size), generator=generator)
    return (colours + noise).clamp(0, 255).to(torch.uint8)
