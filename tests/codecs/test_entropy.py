import numpy as np
import pytest
import torch

from greycard.codecs.entropy import Tables


@pytest.fixture(scope="module")
def gaussian():
    from compressai.entropy_models import GaussianConditional
    from compressai.models.base import get_scale_table

    model = GaussianConditional(None)
    model.update_scale_table(get_scale_table())
    return model


@pytest.mark.parametrize("spread", [0.3, 5.0, 4000.0])
def test_same_bytes_as_compressai(gaussian, spread):
    generator = np.random.default_rng(0)
    symbols = np.rint(generator.normal(0, spread, 500)).astype(np.int64)
    indexes = generator.integers(0, 64, 500)
    data = Tables(gaussian).encode(symbols, indexes)
    as_rows = torch.from_numpy(symbols).float()[None, :, None]
    assert [data] == gaussian.compress(as_rows, torch.from_numpy(indexes).int()[None, :, None])
    decoder = Tables(gaussian).decoder(data, 500)
    found = np.concatenate([decoder.read(indexes[:123]), decoder.read(indexes[123:])])
    assert (found == symbols).all()


def test_a_string_that_ends_too_early_gives_symbols_not_a_crash(gaussian):
    indexes = np.full(2000, 63)
    for string in (b"", b"\xff" * 8, b"\xff" * 40):
        assert len(Tables(gaussian).decoder(string, 2000).read(indexes)) == 2000
