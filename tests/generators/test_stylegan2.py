"""StyleGAN2's networks and the trained generator: published sizes, contracts, batch independence."""

import pytest
import torch

from greycard.config import ConfigError, from_dict, to_dict
from greycard.generators import StyleGan2Config
from greycard.generators.stylegan2.config import to_bytes, to_floats
from greycard.layers.weights import WeightsError, save_weights
from greycard.protocols import LatentGenerator


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = StyleGan2Config.preset("tiny", seed=3, compute_batch=4)
    network = config.network()
    with torch.no_grad():
        network.mapping.average.copy_(torch.linspace(-0.1, 0.1, config.styles))
        for layer in network.synthesis.layers:
            layer.strength.fill_(0.3)
    folder = tmp_path_factory.mktemp("stylegan2")
    save_weights(folder, network.state_dict(), config.description())
    return StyleGan2Config.preset("tiny", weights=str(folder), compute_batch=4)


def test_sizes_of_the_cifar_networks():
    config = StyleGan2Config.preset("cifar")
    assert parameters(config.network()) == pytest.approx(19.95e6, rel=1e-3)
    assert parameters(config.discriminator()) == pytest.approx(20.72e6, rel=1e-3)


def test_number_of_styles():
    assert StyleGan2Config(size=8).network().num_styles == 4
    assert StyleGan2Config(size=256, base=256, most=2).network().num_styles == 14


def test_weights_follow_the_seed_alone():
    first, second = StyleGan2Config.preset("tiny", seed=1), StyleGan2Config.preset("tiny", seed=2)
    torch.manual_seed(99)
    a, b = first.network().state_dict(), first.network().state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["synthesis.constant"], second.network().state_dict()["synthesis.constant"])


def test_an_image_does_not_depend_on_its_batch(trained):
    generator = trained.build()
    latents = generator.latents(torch.arange(11))
    together = generator.generate(latents)
    alone = torch.cat([generator.generate(latent[None]) for latent in latents])
    assert together.shape == (11, 3, 16, 16)
    assert together.dtype == torch.uint8
    assert torch.equal(together, alone)
    assert len(torch.unique(together.flatten(1), dim=0)) == 11


def test_samples_are_the_images_of_seeds(trained):
    generator = trained.build()
    seeds = torch.tensor([7, 2**33, 7])
    assert isinstance(generator, LatentGenerator)
    assert torch.equal(generator.sample(seeds, 0.5), generator.generate(generator.latents(seeds), "z", 0.5))
    assert torch.equal(generator.latents(seeds)[0], torch.randn(16, generator=torch.Generator().manual_seed(7)))
    assert [generator.shape(space) for space in generator.spaces] == [(16,), (16,), (6, 16)]


def test_spaces_agree(trained):
    generator = trained.build()
    seeds = torch.arange(5)
    images = [generator.generate(generator.latents(seeds, space), space, 0.7) for space in ("z", "w", "w+")]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def test_truncation_zero_is_the_average_image(trained):
    images = trained.build().generate(trained.build().latents(torch.arange(3)), truncation=0.0)
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def test_the_length_of_z_is_irrelevant(trained):
    generator = trained.build()
    z = generator.latents(torch.arange(4)).double()
    w = generator.network.double().mapping
    torch.testing.assert_close(w(z), w(3.0 * z), rtol=1e-6, atol=1e-8)


def test_wrong_latents_and_names_are_refused(trained):
    generator = trained.build()
    with pytest.raises(ValueError, match=r"latents of space w\+ must be"):
        generator.generate(torch.zeros(2, 16), "w+")
    with pytest.raises(ValueError, match="did you mean"):
        StyleGan2Config.preset("tinny")
    with pytest.raises(ValueError, match="unknown latent space"):
        generator.latents(torch.arange(2), "wplus")
    with pytest.raises(ValueError, match="power of two"):
        StyleGan2Config(size=24)
    with pytest.raises(WeightsError, match="size"):
        StyleGan2Config.preset("tiny", size=32, weights=trained.weights).build()
    with pytest.raises(ValueError, match="no weights"):
        StyleGan2Config().build()


def test_config_round_trip():
    config = StyleGan2Config.preset("paper256", weights="runs/x")
    assert from_dict(StyleGan2Config, to_dict(config)) == config
    with pytest.raises(ConfigError):
        from_dict(StyleGan2Config, {"size": "large"})


def test_style_mixing_takes_the_second_from_the_crossover_on():
    network = StyleGan2Config.preset("tiny").network()
    first, second = torch.zeros(2, 16), torch.ones(2, 16)
    mixed = network.mixed(first, second, torch.tensor([1, network.num_styles]))
    assert mixed[0, :, 0].tolist() == [0.0] + [1.0] * (network.num_styles - 1)
    assert not mixed[1].any()


def test_freezing_starts_from_the_image():
    discriminator = StyleGan2Config.preset("cifar", most=8, base=256).discriminator()
    discriminator.freeze(5)
    frozen = {name.rsplit(".", 1)[0] for name, value in discriminator.named_parameters() if not value.requires_grad}
    assert frozen == {"from_rgb", "blocks.0.first", "blocks.0.second", "blocks.1.first", "blocks.1.second"}
    with pytest.raises(ValueError, match=r"freeze must be 0\.\.10"):
        discriminator.freeze(11)


def test_bytes_and_floats():
    codes = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(to_floats(codes)), codes)
    assert to_bytes(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]
