import hashlib

import pytest
import torch

from greycard.seeds import image_seeds, normal_noise


def test_a_seed_is_a_hash_of_run_sample_and_image():
    expected = int(hashlib.blake2b(b"7/2/face1", digest_size=8).hexdigest(), 16) % 2**63
    assert image_seeds(["face0", "face1"], 7, 2).tolist()[1] == expected


def test_runs_images_and_samples_share_no_seed():
    seeds = [image_seeds(map(str, range(500)), seed, sample) for seed in range(4) for sample in range(4)]
    low = torch.cat(seeds) % 2**32  # what torch's generator keeps
    assert len(torch.cat(seeds).unique()) == 8000
    assert len(low.unique()) > 7990
    assert bool((torch.cat(seeds) >= 0).all())


def test_noise_is_torchs_own_of_each_seed():
    seeds = torch.tensor([5, 2**40 + 3, 5])
    noise = normal_noise(seeds, (3, 4))
    assert noise.shape == (3, 3, 4)
    assert torch.equal(noise[1], torch.randn(3, 4, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(noise[0], noise[2])
    assert normal_noise(seeds[:0], (2,)).shape == (0, 2)
    with pytest.raises(ValueError, match=r"seeds must be \(N,\) int64, got \(2,\) torch.float32"):
        normal_noise(torch.zeros(2), (1,))
