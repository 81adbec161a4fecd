"""StyleGAN2: its networks, penalties with second derivatives, the trained generator and adversarial training.

Adversarial training offers no half precision, so none is checked.
"""

from dataclasses import replace

import pytest
import torch

from greycard.generators import StyleGan2Config
from greycard.layers.weights import save_weights
from greycard.losses.shares import ShareLossConfig
from greycard.training.batches import Examples
from greycard.training.session import Session
from greycard.training.stylegan2.config import AdversarialConfig
from greycard.training.stylegan2.loop import Judge, train_adversarial
from greycard.training.stylegan2.terms import path_lengths, r1_penalty
from tests.gpu.comparing import FLOAT32, assert_metrics_near, assert_near, assert_same_weights, difference, pictures

NETWORK = StyleGan2Config.preset("tiny", architecture="resnet")
SHORT = AdversarialConfig.preset(
    "tiny", images=32, report_images=16, path_weight=2.0, path_every=2, gamma_every=2, mixing=0.5
)
# Two steps. A value that crosses a rectifier's kink by its last bits moves a penalty by 0.2 %, and Adam then turns the
# steps of some weights round, which moves images by 5e-5 of their range; TF32 moves them by 1e-3.
TWO_STEPS = replace(SHORT, images=16)
TERMS, IMAGES = 5e-3, 2e-4
DATA = Examples(pictures(40, NETWORK.size), {"digit": torch.arange(40) % 2})


def generator():
    """A network in which noise and the average of w count, as they do after training."""
    network = NETWORK.network()
    with torch.no_grad():
        network.mapping.average.copy_(torch.linspace(-0.1, 0.1, NETWORK.styles))
        for layer in network.synthesis.layers:
            layer.strength.fill_(0.3)
    return network


def latents(count):
    return torch.randn(count, NETWORK.latent, generator=torch.Generator().manual_seed(0))


def penalties(network, discriminator, z):
    """Images, scores, both penalties, and how these move the weights: second derivatives of both networks."""
    w = network.broadcast(network.mapping(z)).detach().requires_grad_()
    images = network.synthesis(w, "fixed")
    lengths = path_lengths(images, w, torch.linspace(-1, 1, images.numel()).to(images).view_as(images))
    seen = images.detach().requires_grad_()
    scores = discriminator(seen)
    r1 = r1_penalty(scores, seen)
    found = {"images": images, "scores": scores, "lengths": lengths, "r1": r1}
    for name, penalty, net in (("path", lengths, network), ("slope", r1, discriminator)):
        slopes = torch.autograd.grad(penalty.square().mean(), list(net.parameters()), allow_unused=True)
        found[name] = torch.cat([slope.flatten() for slope in slopes if slope is not None])
    return found


def test_both_networks_and_their_penalties_are_those_of_a_cpu(device):
    network, discriminator = generator(), NETWORK.discriminator()
    expected = penalties(network, discriminator, latents(8))
    found = penalties(network.to(device), discriminator.to(device), latents(8).to(device))
    for name, values in found.items():
        assert values.device.type == device.type, name
        assert difference(values, expected[name]) <= FLOAT32, name


@pytest.fixture
def trained(tmp_path):
    save_weights(tmp_path / "weights", generator().state_dict(), NETWORK.description())
    return replace(NETWORK, weights=str(tmp_path / "weights"), compute_batch=4)


def test_a_trained_generator_draws_the_images_of_a_cpu(device, trained):
    expected, built = trained.build(), replace(trained, device=str(device)).build()
    assert {parameter.device.type for parameter in built.network.parameters()} == {device.type}
    seeds = torch.arange(9)
    assert torch.equal(built.latents(seeds), expected.latents(seeds))
    w = built.latents(seeds, "w")
    assert_near(w, expected.latents(seeds, "w"))
    assert_near(built.render(w), expected.render(w))
    images, wanted = (each.generate(each.latents(seeds), truncation=0.7) for each in (built, expected))
    assert images.dtype == torch.uint8
    apart = (images.int() - wanted.int()).abs()
    assert int(apart.max()) <= 1  # a value on the edge between two grey levels may fall to either
    assert float(apart.float().mean()) <= 0.02
    assert {item.device.type for item in (w, images, built.render(w))} == {"cpu"}


def test_an_image_does_not_depend_on_its_batch(device, trained):
    built = replace(trained, device=str(device)).build()
    z = built.latents(torch.arange(9))
    together = built.generate(z)
    assert torch.equal(torch.cat([built.generate(latent[None]) for latent in z]), together)


def judge(seen=None):
    """Bright images are class 1."""

    def logits(images):
        if seen is not None:
            seen.add(images.device.type)
        bright = images.mean(dim=(1, 2, 3)) / 255 - 0.5
        return torch.stack([-bright, bright], dim=1) * 20

    return Judge(logits, "digit", torch.tensor([0.75, 0.25], dtype=torch.float64))


def train(device, config=SHORT, networks=None, judge=None, draw=None, **followed):
    networks = networks or (NETWORK.network(), NETWORK.discriminator())
    config = replace(config, device=str(device))
    return train_adversarial(
        *networks, DATA, config, Session(**followed), latent=NETWORK.latent, judge=judge, draw=draw
    )


@pytest.mark.parametrize(
    "options",
    [{"shares": ShareLossConfig(estimator="soft")}, {"reweighting": "real"}, {"channels_last": True}],
    ids=["shares", "reweighting", "channels_last"],
)
def test_it_takes_the_steps_that_a_cpu_takes(device, drawn_on_the_cpu, options):
    config = replace(TWO_STEPS, **options)
    expected, on_cpu = train("cpu", replace(config, channels_last=False), judge=judge())
    found, told = train(device, config, judge=judge())
    for metrics, wanted in zip(told.history, on_cpu.history, strict=True):
        assert_metrics_near(metrics, wanted, TERMS)
    z = latents(8)
    with torch.no_grad():
        assert_near(found(z, noise="fixed"), expected(z, noise="fixed"), IMAGES)


def test_numbers_drawn_on_the_cpu_are_those_that_it_draws_by_itself(request):
    alone, _ = train("cpu")
    request.getfixturevalue("drawn_on_the_cpu")
    assert_same_weights(train("cpu")[0], alone)


def test_a_step_is_on_the_device_and_its_end_on_the_cpu(device):
    seen, told = set(), []
    networks = NETWORK.network(), NETWORK.discriminator()

    def draw(average, images):
        told.append({parameter.device.type for parameter in average.parameters()})

    config = replace(SHORT, shares=ShareLossConfig())
    average, _ = train(device, config, judge=judge(seen), networks=networks, draw=draw)
    assert seen == {device.type}
    assert told == [{device.type}] * 2
    for network in (average, networks[0]):
        assert {tensor.device.type for tensor in network.state_dict().values()} == {"cpu"}


def test_auto_is_the_device_that_is_there(device):
    if device.type == "cpu" and torch.cuda.is_available():
        pytest.skip("auto is CUDA here")
    seen = set()
    train("auto", replace(SHORT, images=8, shares=ShareLossConfig()), judge=judge(seen))
    assert seen == {device.type}


def test_a_killed_run_ends_with_the_weights_of_a_whole_one(device, same_every_time, tmp_path):
    config = replace(SHORT, shares=ShareLossConfig(), cooldown=0.5, jitter=1.0)
    expected, whole = train(device, config, judge=judge())

    def kill(metrics, number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(device, config, judge=judge(), directory=tmp_path, report=kill)
    found, resumed = train(device, config, judge=judge(), directory=tmp_path)
    assert_same_weights(found, expected)
    assert resumed == whole
