import json
import pickle

import pytest
import torch

from greycard.codecs import CODECS, HyperpriorConfig, JointConfig
from greycard.codecs.container import BitstreamError
from greycard.codecs.learned import NonFiniteError
from greycard.config import ConfigError, from_dict
from greycard.layers.weights import WeightsError, load_weights, save_weights
from tests.codecs.networks import NEURAL, lively, lively_config, tiles, with_weights


def test_no_weights_says_how_to_get_some():
    with pytest.raises(WeightsError, match=r"jobs\.train.*codec\.weights"):
        HyperpriorConfig().build()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": "huge"}, "width"),
        ({"lambdas": []}, r"codec\.lambdas"),
        ({"lambdas": [0.1, 0.1]}, r"codec\.lambdas"),
        ({"lambdas": [-1.0]}, r"codec\.lambdas"),
        ({"weights": ["a"]}, r"codec\.weights.*5.*got 1"),
        ({"compute_batch": 0}, r"codec\.compute_batch"),
        ({"channels": [8]}, r"codec\.channels must be 2"),
    ],
)
def test_config_errors_name_the_field(settings, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(HyperpriorConfig, settings)


def test_the_papers_points_and_widths():
    for name, channels in (("hyperprior", (128, 192)), ("joint", (192, 192)), ("gaussian_mix_attn", (128,))):
        config = CODECS[name]()
        assert config.points == (1e-4, 9e-4, 1.8e-3, 3.5e-3, 6.7e-3)
        assert config.network_channels == channels


def test_weights_of_another_architecture_are_refused(tmp_path):
    joint = lively_config("joint", tmp_path)
    with pytest.raises(WeightsError, match="family must be 'hyperprior', got 'joint'"):
        HyperpriorConfig(width="tiny", lambdas=(0.01,), weights=joint.weights).build()
    with pytest.raises(WeightsError, match=r"channels must be \[48, 66\], got \[32, 48\]"):
        JointConfig(width="small", lambdas=(0.01,), weights=joint.weights).build()


def test_weights_of_another_lambda_are_refused(tmp_path):
    config = lively_config("hyperprior", tmp_path, (0.01, 0.02))
    with pytest.raises(WeightsError, match=r"trained at λ = 0\.01"):
        HyperpriorConfig(width="tiny", lambdas=(0.02, 0.01), weights=config.weights).build()


def test_tensors_that_do_not_fit_are_refused(tmp_path):
    config = HyperpriorConfig(width="tiny", lambdas=(0.01,), weights=(str(tmp_path),))
    state = config.export(lively(config, 0))
    state.pop("g_a.0.weight")
    save_weights(tmp_path, state, config.description())
    with pytest.raises(WeightsError, match=r"do not fit.*g_a\.0\.weight"):
        config.build()


def test_weights_without_tables_are_refused(tmp_path):
    config = HyperpriorConfig(width="tiny", lambdas=(0.01,), weights=(str(tmp_path),))
    save_weights(tmp_path, lively(config, 0).state_dict(), config.description())
    with pytest.raises(WeightsError, match="no entropy tables"):
        config.build()


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    config = lively_config("hyperprior", tmp_path)
    trap = tmp_path / "touched"

    class Trap:
        def __reduce__(self):
            return (open, (str(trap), "w"))

    for save in (lambda path: path.write_bytes(pickle.dumps({"a": Trap()})), lambda path: torch.save(Trap(), path)):
        save(tmp_path / "hyperprior-0.01" / "weights.pt")
        with pytest.raises(WeightsError, match=r"weights\.pt: refused, nothing was executed"):
            config.build()
        assert not trap.exists()


def test_export_leaves_the_network_alone_and_keeps_the_tables():
    config = HyperpriorConfig(width="tiny")
    network = lively(config, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    exported = config.export(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert exported["entropy_bottleneck._quantized_cdf"].numel() > 0
    with torch.no_grad():
        network.g_a[0].weight[0] = torch.nan
    with pytest.raises(ValueError, match=r"non-finite parameters: g_a\.0\.weight"):
        config.export(network)


def test_other_weights_cannot_decode(tmp_path):
    config = CODECS["hyperprior"](width="tiny")
    first = with_weights("hyperprior", tmp_path / "a", {0.01: lively(config, 0)}).build()
    second = with_weights("hyperprior", tmp_path / "b", {0.01: lively(config, 1)}).build()
    with pytest.raises(BitstreamError, match="written with weights"):
        second.decode(first.encode(tiles()[0], 0.01))


def test_a_file_of_another_point_is_refused(tmp_path):
    one = lively_config("hyperprior", tmp_path / "a", (0.01,)).build()
    two = lively_config("hyperprior", tmp_path / "b", (0.02,)).build()
    with pytest.raises(BitstreamError, match=r"written at point 0\.01"):
        two.decode(one.encode(tiles()[0], 0.01))


@pytest.mark.parametrize("name", NEURAL)
def test_non_finite_reconstructions_fail_by_row(name, tmp_path):
    """The decoder blows up where a latent channel is large; the rows it happens to are named, the others untouched."""
    config = lively_config(name, tmp_path)
    codec = config.build()
    images = torch.cat([tiles()[:6], torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)])
    expected = codec.reconstruct(images, 0.01)
    coder = codec._coders[0.01]
    honest = coder.synthesise

    def broken(y_hat):
        x_hat = honest(y_hat).clone()
        x_hat[2, 0, 5, 5] = torch.nan
        x_hat[4, 1] = torch.inf
        return x_hat

    coder.synthesise = broken
    restored = codec.reconstruct(images, 0.01)
    assert [bool(error) for error in restored.errors] == [False, False, True, False, True, False, False]
    assert "non-finite" in restored.error(2)
    for row in range(7):
        if row in (2, 4):
            assert restored.bits_estimated[row].isnan()
            assert restored.bits_total[row].isnan()
        else:
            assert torch.equal(restored.images[row], expected.images[row])
            assert restored.bits_total[row] == expected.bits_total[row]


@pytest.mark.parametrize("part", ["g_a", "h_a", "h_s", "g_s"])
@pytest.mark.parametrize("name", NEURAL)
def test_broken_weights_give_errors_not_pictures(name, part, tmp_path):
    config = lively_config(name, tmp_path)
    directory = config.weights[0]
    state = load_weights(directory, {})
    broken = next(key for key in state if key.startswith(part) and key.endswith("bias"))
    state[broken][:] = torch.nan
    save_weights(directory, state, config.description())
    codec = config.build()
    restored = codec.reconstruct(tiles()[:3], 0.01)
    assert all("non-finite" in restored.error(row) for row in range(3))
    with pytest.raises(NonFiniteError):
        codec.decode(codec.encode(tiles()[0], 0.01))


def test_bitstreams_off_leaves_real_rates_unknown(tmp_path):
    config = lively_config("joint", tmp_path)
    fast = CODECS["joint"](width="tiny", lambdas=(0.01,), weights=config.weights, bitstreams=False)
    with_bits, without = (each.build().reconstruct(tiles()[:4], 0.01) for each in (config, fast))
    assert torch.equal(with_bits.images, without.images)
    assert torch.equal(with_bits.bits_estimated, without.bits_estimated)
    assert bool(without.bits_payload.isnan().all())
    assert bool(without.bits_total.isnan().all())


@pytest.mark.parametrize("name", ["hyperprior", "joint"])
def test_compute_batch_changes_nothing(name, tmp_path):
    config = lively_config(name, tmp_path)
    expected = config.build().reconstruct(tiles(), 0.01)
    for size in (5, 64):
        other = CODECS[name](width="tiny", lambdas=(0.01,), weights=config.weights, compute_batch=size).build()
        other.reconstruct(tiles(), 0.01)
        for mine, theirs in zip(other.reconstruct(tiles(), 0.01)[:4], expected[:4], strict=True):
            assert torch.equal(mine, theirs)


def test_description_is_json():
    assert json.loads(json.dumps(JointConfig(width="tiny").description())) == {"family": "joint", "channels": [32, 48]}
