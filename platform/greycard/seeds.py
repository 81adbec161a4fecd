"""One seed per image: what a model draws for an image depends on its own seed, never on its batch or its place in it.

``(run seed, image id, sample) -> seed -> noise``
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import torch
from torch import Tensor

_BITS: Final = 2**63 - 1  # of a digest: a seed is an int64 of 0 or above


def image_seeds(image_ids: Iterable[str], seed: int, sample: int = 0) -> Tensor:
    """Return the seed of each image, (N,) int64 in [0, 2^63): the same on every machine and in every order.

    Args:
        image_ids: of the images.
        seed: of the run.
        sample: which of an image's samples.

    Example:
        >>> image_seeds(["a", "b"], 0).tolist() == image_seeds(["b", "a"], 0).flip(0).tolist()
        True
        >>> len({int(image_seeds(["a"], seed, sample)) for seed in (0, 1) for sample in (0, 1)})
        4
    """
    texts = (f"{seed}/{sample}/{image_id}" for image_id in image_ids)
    digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return torch.tensor([int.from_bytes(digest, "big") & _BITS for digest in digests], dtype=torch.int64)


def normal_noise(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw standard normal noise per seed: (N,) int64 -> (N, *shape) float32.

    It is drawn on the CPU, so that it is the same for every device; torch's generator keeps a seed's low 32 bits.

    Raises:
        ValueError: seeds that are not (N,) int64.
    """
    if seeds.ndim != 1 or seeds.dtype != torch.int64:
        raise ValueError(f"seeds must be (N,) int64, got {tuple(seeds.shape)} {seeds.dtype}")
    drawn = [torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds.tolist()]
    return torch.stack(drawn) if drawn else torch.empty(0, *shape)
