"""The comparison itself, on a CPU: rounding passes it, TF32 and bfloat16 do not."""

import copy

import pytest
import torch
from torch import nn

from greycard.classifiers import ResNet32Config
from greycard.generators import StyleGan2Config
from tests.gpu.comparing import FLOAT32, PATH, assert_metrics_near, assert_near, difference, pictures, way_apart


def to_tf32(network):
    """The network with weights of TF32's precision: the last 13 of 23 bits are rounded away."""
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in rounded.parameters():
            bits = parameter.view(torch.int32)
            parameter.copy_(((bits + 0x1000) & ~0x1FFF).view(torch.float32))
    return rounded


def classifier():
    network = ResNet32Config(tasks=("skin_type",), width=8).network()
    images = pictures(9).float()
    with torch.no_grad():
        network(images)
    network.eval()
    return network, lambda net: net(images.to(next(net.parameters()).dtype))["skin_type"]


def generator():
    config = StyleGan2Config.preset("tiny")
    z = torch.randn(8, config.latent, generator=torch.Generator().manual_seed(0))
    return config.network(), lambda net: net(z.to(next(net.parameters()).dtype), noise="fixed")


@pytest.mark.parametrize("model", [classifier, generator])
def test_the_tolerance_lies_between_rounding_and_tf32(model):
    network, run = model()
    with torch.no_grad():
        exact = run(copy.deepcopy(network).double())
        assert difference(run(network), exact) <= FLOAT32 / 10
        assert difference(run(to_tf32(network)), exact) >= 2 * FLOAT32
        with pytest.raises(AssertionError):
            assert_near(run(to_tf32(network)), exact)


def test_a_difference_is_a_share_of_the_largest_value():
    assert difference(torch.tensor([1.0, -8.0]), torch.tensor([2.0, -10.0])) == pytest.approx(0.2)
    with pytest.raises(AssertionError):
        difference(torch.zeros(2), torch.zeros(3))
    with pytest.raises(AssertionError):
        assert_near(torch.tensor([float("nan")]), torch.ones(1))


def test_metrics_must_have_the_same_names_and_values():
    assert_metrics_near({"loss": 1.00001, "fair": 1e-7}, {"loss": 1.0, "fair": 0.0})
    for wrong in ({"loss": 1.001}, {"loss": 1.0, "more": 0.0}, {"loss": float("nan")}):
        with pytest.raises(AssertionError):
            assert_metrics_near(wrong, {"loss": 1.0})


def test_the_way_apart_is_a_share_of_the_way_gone():
    start, there, beside = (nn.Linear(2, 1, bias=False) for _ in range(3))
    with torch.no_grad():
        for layer, values in ((start, [0.0, 0.0]), (there, [3.0, 4.0]), (beside, [3.0, 4.5])):
            layer.weight.copy_(torch.tensor([values]))
    assert way_apart(beside, there, start) == pytest.approx(0.1)
    assert way_apart(there, there, start) <= PATH
