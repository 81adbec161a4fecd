"""Tiny networks with weights for tests: seeded and scaled so that symbols are not all zero, or briefly trained."""

import functools
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from skimage.data import astronaut
from torch import Tensor, nn

from greycard.codecs import CODECS, LearnedCodec
from greycard.layers.weights import save_weights

NEURAL = tuple(config().kind for config in get_args(LearnedCodec))


@functools.cache
def tiles() -> Tensor:
    """64 real 64-pixel tiles of a photograph: (64, 3, 64, 64) uint8."""
    pixels = torch.from_numpy(np.ascontiguousarray(astronaut())).permute(2, 0, 1)
    return pixels.unfold(1, 64, 64).unfold(2, 64, 64).permute(1, 2, 0, 3, 4).reshape(-1, 3, 64, 64).contiguous()


def lively(config: Any, seed: int) -> nn.Module:
    """A seeded network whose latents spread over several integers."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = config.network()
    with torch.no_grad():
        x = tiles()[::8].float() / 255
        last = [layer for layer in network.g_a if isinstance(layer, nn.Conv2d)][-1]
        gain = 3 / network.g_a(x).std()
        last.weight *= gain
        last.bias *= gain
        for transform in (network.h_a, network.h_s):
            for layer in transform.modules():
                if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                    layer.weight *= 1.5
    return network


def trained(config: Any, seed: int, steps: int = 30) -> nn.Module:
    """A network after a few steps on the tiles: L = bpp + λ 255² MSE with λ = 0.05."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = config.network().train()
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        x = tiles().float() / 255
        for step in range(steps):
            batch = x[8 * step % 64 :][:8]
            out = network(batch)
            bits = sum(-likelihood.log().sum() / math.log(2) for likelihood in out["likelihoods"].values())
            loss = bits / (len(batch) * 64 * 64) + 0.05 * 255**2 * (out["x_hat"] - batch).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def with_weights(name: str, folder: Path, networks: dict[float, nn.Module], **settings: Any) -> Any:
    """Save networks and return the config that names them."""
    config = CODECS[name](width="tiny", lambdas=tuple(networks), **settings)
    weights = []
    for point, network in networks.items():
        directory = folder / f"{name}-{point}"
        save_weights(directory, config.export(network), {**config.description(), "lambda": point})
        weights.append(str(directory))
    return CODECS[name](width="tiny", lambdas=tuple(networks), weights=tuple(weights), **settings)


def lively_config(name: str, folder: Path, points: tuple[float, ...] = (0.01,), **settings: Any) -> Any:
    config = CODECS[name](width="tiny")
    return with_weights(name, folder, {point: lively(config, seed) for seed, point in enumerate(points)}, **settings)
