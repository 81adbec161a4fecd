import pytest
import torch

from greycard.classifiers import SlimCnnConfig, SlimCnnSmallConfig
from greycard.classifiers.slimcnn import SlimBackbone

CELEBA = (218, 178)
BINARY = ("no", "yes")


def slim(kind=SlimCnnConfig, heads=1, **fields):
    tasks = tuple(f"attribute{number}" for number in range(heads))
    return kind(tasks=tasks, classes=dict.fromkeys(tasks, BINARY), **{"binary": "one_logit"} | fields)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def sizes(network, image):
    """Return the (channels, height, width) after the stem and each pool, and the number of features."""
    found = []
    backbone = network.backbones[0]
    watched = [backbone.stem, *(pool for pool in backbone.pools if not isinstance(pool, torch.nn.Identity))]
    hooks = [module.register_forward_hook(lambda _, __, out: found.append(tuple(out.shape[1:]))) for module in watched]
    with torch.no_grad():
        features = network.eval().features(image)
    for hook in hooks:
        hook.remove()
    return found, tuple(features.shape)


@pytest.mark.parametrize(("heads", "count"), [(40, 571_304), (1, 563_777)])
@pytest.mark.parametrize("kind", [SlimCnnConfig, SlimCnnSmallConfig])
def test_it_has_the_published_number_of_parameters(kind, heads, count):
    assert parameters(slim(kind, heads).network()) == count


def test_two_logits_a_binary_head_are_193_parameters_more():
    assert parameters(slim(binary="two_logits").network()) == 563_777 + 193


def test_a_celeba_image_passes_through_the_published_shapes():
    found, features = sizes(slim().network(), torch.zeros(1, 3, *CELEBA))
    assert found == [(96, 106, 86), (96, 52, 42), (48, 25, 20), (96, 12, 9), (144, 5, 4), (192, 2, 1)]
    assert features == (1, 192)


def test_131_px_is_the_least_that_it_takes():
    network = slim().network().eval()
    assert sizes(network, torch.zeros(1, 3, 131, 131))[0][-1] == (192, 1, 1)
    message = r"slimcnn takes images of 131 x 131 px at least, got 130 x 218; take slimcnn_small, or resize"
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(1, 3, 130, 218, dtype=torch.uint8))
    with pytest.raises(ValueError, match=message):
        slim().check_size(130, 218)
    slim().check_size(131, 131)


def test_small_images_keep_more_of_their_size_in_the_small_variant():
    network = slim(SlimCnnSmallConfig).network()
    assert sizes(network, torch.zeros(1, 3, 64, 64))[0] == [(96, 32, 32), (48, 16, 16), (96, 8, 8), (144, 4, 4)]
    with_pool = slim(SlimCnnSmallConfig, stem_pool=True).network()
    found, features = sizes(with_pool, torch.zeros(1, 3, 128, 128))
    assert found == [(96, 64, 64), (96, 32, 32), (48, 16, 16), (96, 8, 8), (144, 4, 4)]
    assert features == (1, 192)


@pytest.mark.parametrize("size", [16, 17, 32, 130])
@pytest.mark.parametrize("stem_pool", [False, True])
def test_the_small_variant_takes_images_from_16_px_on(size, stem_pool):
    network = slim(SlimCnnSmallConfig, stem=8, squeezed=(2, 2, 2, 2), stem_pool=stem_pool).network()
    logits = network(torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8))
    assert logits["attribute0"].shape == (2, 1)
    assert torch.isfinite(logits["attribute0"]).all()


def test_the_small_variant_refuses_images_below_16_px():
    with pytest.raises(ValueError, match="slimcnn_small takes images of 16 x 16 px at least, got 15 x 16"):
        slim(SlimCnnSmallConfig).network()(torch.zeros(1, 3, 15, 16))


def test_the_initial_weights_are_xaviers_and_heads_have_a_small_bias():
    network = slim().network()
    head = network.heads["attribute0"]
    assert torch.equal(head.bias, torch.full((1,), 0.01))
    assert float(head.weight.detach().abs().max()) <= (6 / 193) ** 0.5
    stem = network.backbones[0].stem[0].weight.detach()
    bound = (6 / ((3 + 96) * 49)) ** 0.5  # fans in and out of a 7x7 convolution
    assert 0.95 * bound < float(stem.abs().max()) <= bound


def test_the_skip_goes_around_the_first_block_only():
    """With the skip's batch norm silenced and no first block, nothing but biases is left."""
    module = SlimBackbone(8, (2,), (False, False), padded=True, smallest=16, name="test").slim[0].eval()
    x = torch.rand(1, 8, 6, 6)
    with torch.no_grad():
        by_hand = module.last(module.second(module.first(x) + module.skip(x)))
        assert torch.equal(module(x), by_hand)
        torch.nn.init.zeros_(module.skip[1].weight)
        assert not torch.equal(module(x), by_hand)
        assert torch.equal(module(x), module.last(module.second(module.first(x))))


@pytest.mark.parametrize("fields", [{"stem": 0}, {"squeezed": (16, 32, 48, 0)}])
def test_widths_that_do_not_fit_are_refused(fields):
    with pytest.raises(ValueError, match=r"classifier\.stem and classifier\.squeezed must be at least 1"):
        slim(**fields)
