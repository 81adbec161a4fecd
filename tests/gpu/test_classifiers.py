"""Every kind of classifier: what it finds on a device is what it finds on a CPU. None offers half precision."""

from dataclasses import replace

import pytest
import torch

from greycard.classifiers import CLASSIFIERS
from greycard.layers.weights import save_weights
from tests.gpu.comparing import FLOAT32, assert_near, pictures

TASKS = ("skin_type", "eye_type")
SLIM = {"stem": 8, "squeezed": (4, 4, 4, 8)}
SMALL = {
    "resnet18": {"width": 8},
    "resnet32": {"width": 8},
    "slimcnn": SLIM,
    "slimcnn_small": SLIM,
    "efficientnet_b1": {"resize": 32},
}
SIDES = {"slimcnn": 132}
COUNT = 9
SLOPES = 0.02
"""How far gradients of images may be apart, as a share of their length.

A last bit that takes a value over a rectifier's kink turns a slope on or off, which makes up to 0.003; TF32 makes 0.06.
"""


@pytest.fixture(scope="module", params=sorted(CLASSIFIERS))
def kind(request):
    if request.param == "efficientnet_b1":
        pytest.importorskip("torchvision", reason="efficientnet_b1 is torchvision's network")
    return request.param


@pytest.fixture(scope="module")
def images(kind):
    return pictures(COUNT, SIDES.get(kind, 32))


@pytest.fixture(scope="module")
def config(kind, images, tmp_path_factory):
    """A config with weights: batch norm has seen images."""
    untrained = CLASSIFIERS[kind](tasks=TASKS, compute_batch=4, **SMALL[kind])
    network = untrained.network()
    with torch.no_grad():
        network(images)
    folder = tmp_path_factory.mktemp(kind)
    save_weights(folder, network.state_dict(), untrained.description())
    return replace(untrained, weights=str(folder))


@pytest.fixture
def built(config, device):
    return replace(config, device=str(device)).build()


def test_it_finds_what_it_finds_on_a_cpu(config, built, images):
    expected = config.build()
    probabilities, wanted = built.probabilities(images), expected.probabilities(images)
    features = built.features(images)
    assert_near(features, expected.features(images))
    assert_near(built.perceive(images.float()), expected.perceive(images.float()))
    codes, sure, perceived = built.recognise(images, "skin_type")
    assert torch.equal(codes, built.predict(images)["skin_type"])
    outputs = [features, codes, sure, perceived]
    for task in TASKS:
        assert_near(probabilities[task], wanted[task])
        best = wanted[task].sort(dim=1, descending=True).values
        clear = best[:, 0] - best[:, 1] > 2 * FLOAT32  # two classes as likely as each other may change places
        assert bool(clear.any())
        assert torch.equal(built.predict(images)[task][clear], expected.predict(images)[task][clear])
        outputs.append(probabilities[task])
    assert {item.device.type for item in outputs} == {"cpu"}


def test_a_loss_flows_back_to_images_on_the_device(config, built, images, device):
    def slopes(classifier, where):
        pixels = images.float().to(where).requires_grad_()
        logits = classifier.logits(pixels)
        assert {values.device.type for values in logits.values()} == {torch.device(where).type}
        total = sum(values.square().sum() for values in logits.values())
        return torch.autograd.grad(total, pixels)[0]

    found = slopes(built, device)
    assert found.device.type == device.type
    expected = slopes(config.build(), "cpu")
    assert float((found.cpu() - expected).norm() / expected.norm()) <= SLOPES


def test_a_prediction_does_not_depend_on_what_shares_the_batch(built, images):
    whole = built.probabilities(images)
    parts = [built.probabilities(piece) for piece in (images[:1], images[1:3], images[3:])]
    for task in TASKS:
        assert torch.equal(torch.cat([part[task] for part in parts]), whole[task])
