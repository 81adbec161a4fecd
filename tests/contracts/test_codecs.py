"""What every codec of the table keeps: shapes, rates, round trips, seeds, one result whatever the batch, refusals."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import pytest
import torch
from pydantic import TypeAdapter

from greycard.codecs import CODECS, AnyCodec, CodecConfig, JpegConfig, LearnedCodec, RawConfig, TrainableCodec
from greycard.codecs.verify import verify
from greycard.config import from_dict, to_dict
from greycard.protocols import Codec
from greycard.seeds import image_seeds
from tests.codecs.networks import lively_config, tiles
from tests.streaming.doubles import SpeckleConfig


class Reference(NamedTuple):
    """What a codec's tests need to know.

    Attributes:
        file_bytes: of the first tile at the first point: PNG and JPEG as Pillow writes them, the rest as CompressAI
            codes them (tests/codecs/test_serial.py), with the container's header.
        mse: at most, at the first point; infinite for networks, which are not trained here.
        config: makes the config; None is an untrained network at two λ.
    """

    file_bytes: int
    mse: float = math.inf
    config: Callable[[], Any] | None = None


REFERENCES = {
    "raw": Reference(7894, 0, RawConfig),
    "jpeg": Reference(784, 500, lambda: JpegConfig(qualities=(5, 60))),
    "hyperprior": Reference(1759),
    "joint": Reference(1667),
    "gaussian_mix_attn": Reference(1143),
}


def config_of(name, folder):
    make = REFERENCES[name].config
    return make() if make else lively_config(name, folder, (0.01, 0.0018))


def test_every_codec_has_a_reference_and_the_table_is_the_union():
    assert set(REFERENCES) == set(CODECS)
    assert list(CODECS.values()) == list(get_args(AnyCodec))
    for config in get_args(LearnedCodec):
        assert TypeAdapter(TrainableCodec).validate_python({"kind": config().kind}) == config()


@pytest.fixture(scope="module", params=sorted(CODECS))
def config(request, tmp_path_factory):
    return config_of(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def codec(config):
    return config.build()


def test_keeps_the_protocol(codec, config):
    assert isinstance(codec, Codec)
    assert codec.points == config.points
    assert from_dict(type(config), to_dict(config)) == config
    assert TypeAdapter(CodecConfig).validate_python(to_dict(config)) == config


def test_file_size_is_the_reference(codec, config):
    assert len(codec.encode(tiles()[0], codec.points[0])) == pytest.approx(REFERENCES[config.kind].file_bytes, rel=0.02)


@pytest.mark.parametrize("index", [0, -1])
def test_shapes_ranges_and_rates(codec, index):
    point, images = codec.points[index], tiles()[:5]
    restored = codec.reconstruct(images, point)
    assert restored.images.shape == images.shape
    assert restored.images.dtype == torch.uint8
    for bits in restored[1:4]:
        assert bits.shape == (5,)
        assert bits.dtype == torch.float64
        assert bool((bits.isnan() | (bits > 0)).all())
    assert restored.errors == ()
    assert restored.bits_total.tolist() == [8 * len(codec.encode(image, point)) for image in images]
    payload = restored.bits_payload.nan_to_num(0)
    assert bool((payload < restored.bits_total).all())


def test_restores_something_like_the_image(codec, config):
    images = tiles()[:8]
    error = (codec.reconstruct(images, codec.points[0]).images.float() - images.float()).square().mean()
    assert error <= REFERENCES[config.kind].mse


def test_a_batch_changes_nothing(codec, config):
    point = codec.points[0]
    images = tiles().repeat(2, 1, 1, 1)[:80]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    alone = [config.build().reconstruct(images[row : row + 1], point) for row in (0, 63)]
    for _ in range(2):  # the first time may still be feeling its way
        together = codec.reconstruct(images, point)
        shuffled = codec.reconstruct(images[order][:77], point)
        for row, single in zip((0, 63), alone, strict=True):
            for whole, one in zip(together[:4], single[:4], strict=True):
                assert torch.equal(whole[row].nan_to_num(), one[0].nan_to_num())
        for whole, mixed in zip(together[:4], shuffled[:4], strict=True):
            assert torch.equal(whole[order][:77].nan_to_num(), mixed.nan_to_num())


def check_seeds(codec, images):
    """Whatever an image is drawn from is its own seed: not its batch, its place or what was drawn before."""
    point = codec.points[-1]
    names = [f"image{row}" for row in range(len(images))]
    seeds, others = image_seeds(names, 0), image_seeds(names, 0, sample=1)
    whole = codec.reconstruct(images, point, seeds)
    assert torch.equal(codec.reconstruct(images, point, seeds).images, whole.images)
    turned = codec.reconstruct(images.flip(0)[:-1], point, seeds.flip(0)[:-1])
    assert torch.equal(turned.images, whole.images.flip(0)[:-1])
    alone = codec.reconstruct(images[1:2], point, seeds[1:2])
    assert torch.equal(alone.images[0], whole.images[1])
    assert torch.equal(codec.decode(codec.encode(images[1], point), int(seeds[1])), whole.images[1])
    sample = codec.reconstruct(images, point, others)
    changed = (sample.images != whole.images).flatten(1).any(dim=1)
    assert changed.tolist() == [codec.draws] * len(images)
    assert torch.equal(sample.bits_total, whole.bits_total)  # one file for all samples
    zeros = codec.reconstruct(images, point, torch.zeros_like(seeds))
    assert torch.equal(codec.reconstruct(images, point).images, zeros.images)


def test_seeds(codec, config):
    assert codec.draws == getattr(config, "draws", False)
    check_seeds(codec, tiles()[:5])


def test_a_codec_that_draws_keeps_to_the_seeds_and_one_that_draws_by_place_does_not():
    check_seeds(SpeckleConfig().build(), tiles()[:5])
    by_place = SpeckleConfig().build()
    honest = by_place.reconstruct
    by_place.reconstruct = lambda images, point, seeds=None: honest(images, point, torch.arange(len(images)))
    with pytest.raises(AssertionError):
        check_seeds(by_place, tiles()[:5])


def test_no_images(codec):
    restored = codec.reconstruct(tiles()[:0], codec.points[0])
    assert restored.images.shape == (0, 3, 64, 64)
    assert restored.bits_total.shape == (0,)


@pytest.mark.parametrize("size", [(1, 1), (17, 30), (64, 65), (63, 1), (100, 70)])
def test_any_size_makes_the_round_trip(codec, size):
    height, width = size
    image = torch.randint(256, (3, height, width), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    for point in codec.points:
        result = verify(codec, image, point)
        assert result.equal, str(result)
        assert result.file_bits == result.scored_bits


def test_damaged_and_foreign_files_are_refused(codec):
    data = codec.encode(tiles()[3], codec.points[0])
    damaged = [data[:length] for length in (0, 1, 7, 20, len(data) // 2, len(data) - 1)] + [data + b"\0"]
    places = [*range(min(30, len(data))), *range(30, len(data), max(1, len(data) // 40)), len(data) - 1]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for bad in [*damaged, b"GIF89a" + bytes(100), bytes(200), bytes(range(256))]:
        with pytest.raises(ValueError, match=r"\w"):
            codec.decode(bad)


def test_files_of_other_codecs_are_refused(codec, config, tmp_path):
    for name in sorted(set(CODECS) - {config.kind}):
        other = config_of(name, tmp_path).build()
        with pytest.raises(ValueError, match=r"expected|codec id"):
            codec.decode(other.encode(tiles()[0], other.points[0]))


def test_bad_input_is_named(codec):
    with pytest.raises(ValueError, match="uint8"):
        codec.reconstruct(tiles()[:1].float(), codec.points[0])
    with pytest.raises(ValueError, match="image must be"):
        codec.encode(tiles()[:1], codec.points[0])
    with pytest.raises(ValueError, match="point must be one of"):
        codec.reconstruct(tiles()[:1], 12345.0)
