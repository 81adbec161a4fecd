"""Batches against CompressAI's own compress and decompress, image by image: same strings, same pixels."""

import pytest
import torch

from greycard.codecs import CODECS
from greycard.codecs.container import unpack
from tests.codecs.networks import NEURAL, lively, tiles, trained, with_weights

SERIAL = 8  # of the batch, because CompressAI takes its time


@pytest.fixture(scope="module", params=[(name, make) for name in NEURAL for make in ("lively", "trained")], ids=str)
def pair(request, tmp_path_factory):
    """Our codec, and CompressAI's model with the same weights."""
    name, make = request.param
    config = CODECS[name](width="tiny")
    network = {"lively": lively, "trained": trained}[make](config, 5)
    codec = with_weights(name, tmp_path_factory.mktemp(name), {0.01: network}).build()
    network.eval().update(force=True, update_quantiles=True)
    return codec, network


@torch.no_grad()
def test_batches_give_the_strings_and_pixels_of_the_serial_coder(pair):
    codec, network = pair
    images = tiles()  # enough rows to run in groups
    restored = codec.reconstruct(images, 0.01)
    for row in range(0, len(images), len(images) // SERIAL):
        coded = network.compress(images[row : row + 1].float() / 255)
        x_hat = network.decompress(coded["strings"], coded["shape"])["x_hat"]
        assert torch.equal((x_hat[0] * 255).round().to(torch.uint8), restored.images[row])
        (y_string,), (z_string,) = coded["strings"]
        assert restored.bits_payload[row] == 8 * (len(y_string) + len(z_string))
        data = codec.encode(images[row], 0.01)
        assert unpack(data, codec_id=codec.config.codec_id(), num_strings=2).strings == (z_string, y_string)
        assert torch.equal(codec.decode(data), restored.images[row])


@torch.no_grad()
def test_symbols_are_not_all_zero(pair):
    codec, _ = pair
    coded = codec._coders[0.01].code(tiles()[:8].float() / 255)
    assert coded.y_symbols.float().std() > 0.05
    assert bool(coded.finite.all())


@torch.no_grad()
def test_estimated_bits_are_near_the_real_ones(pair):
    codec, network = pair
    restored = codec.reconstruct(tiles(), 0.01)
    gap = restored.bits_payload - restored.bits_estimated
    # a string ends with 64 bits of coder state; the tables' 64 scales and 16-bit counts cost a little
    assert bool((gap < 2 * 64 + 16 + 0.1 * restored.bits_estimated).all())
    if codec.config.kind == "hyperprior":  # its forward() rounds as the coder does
        likelihoods = network(tiles().float() / 255)["likelihoods"]
        expected = sum(-value.double().log2().flatten(1).sum(1) for value in likelihoods.values())
        torch.testing.assert_close(restored.bits_estimated, expected, rtol=1e-3, atol=1.0)
