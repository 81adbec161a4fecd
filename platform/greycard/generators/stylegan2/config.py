"""StyleGAN2's config with the presets of facts and papers, and the trained generator.

The presets give networks; how they are trained stands in ``greycard.training.stylegan2.loop``.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor

from greycard.generators.spaces import check_space
from greycard.generators.stylegan2.networks import (
    START,
    Architecture,
    DiscriminatorNetwork,
    GeneratorNetwork,
)
from greycard.layers.batching import fixed_batches
from greycard.layers.devices import find_device
from greycard.layers.weights import load_weights
from greycard.protocols import Space
from greycard.schema import unknown
from greycard.seeds import normal_noise
from greycard.tracking import fetch

_HALF: Final = 127.5
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "config_f": {"size": 256, "latent": 512, "styles": 512, "mapping": 8, "base": 32768, "most": 512},
    "paper256": {"size": 256, "latent": 512, "styles": 512, "mapping": 8, "base": 16384, "most": 512, "group": 8},
    "cifar": {
        "size": 32, "latent": 512, "styles": 512, "mapping": 2, "base": 32768, "most": 512,
        "architecture": "orig", "group": 32,
    },
    "small32": {"size": 32, "latent": 64, "styles": 64, "mapping": 2, "base": 512, "most": 32},
    "tiny": {"size": 16, "latent": 16, "styles": 16, "mapping": 2, "base": 128, "most": 16, "architecture": "orig"},
}  # fmt: skip
"""Config F (Karras et al. 2020), the 256-pixel and CIFAR-10 networks of StyleGAN2-ADA, and two small ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGan2Config:
    """StyleGAN2 (Karras et al. 2020), unconditional.

    Attributes:
        size: side of the image in pixels: 8, 16, 32, ...
        latent: Z, features of z.
        styles: W, features of w.
        mapping: layers of the mapping network.
        base: feature maps times side at each resolution, at most ``most``.
        most: largest number of feature maps.
        architecture: of the discriminator: ``resnet``, or ``orig`` without shortcuts.
        group: images per group of the discriminator's minibatch standard deviation.
        truncation: ψ in [0, 1]: how far ``generate`` keeps w from its average; 1 leaves it.
        weights: URI of the trained weights, for ``build``.
        seed: seed of the initial weights.
        compute_batch: images per forward pass of ``generate``.
        device: where ``generate`` computes: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for CUDA where there is one.
    """

    kind: Literal["stylegan2"] = "stylegan2"
    size: int = 32
    latent: int = 64
    styles: int = 64
    mapping: int = 2
    base: int = 1024
    most: int = 64
    architecture: Architecture = "resnet"
    group: int = 4
    truncation: float = 1.0
    weights: str = ""
    seed: int = 0
    compute_batch: int = 32
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.size < 2 * START or self.size & (self.size - 1):
            raise ValueError(f"generator.size must be a power of two from {2 * START}, got {self.size}")
        for name in ("latent", "styles", "mapping", "base", "most", "group", "compute_batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"generator.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.truncation <= 1:
            raise ValueError(f"generator.truncation must be in [0, 1], got {self.truncation}")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "StyleGan2Config":
        """Return a named network: config_f, paper256, cifar, small32 or tiny.

        Raises:
            ValueError: unknown name; the message lists near matches.
        """
        if name not in PRESETS:
            raise ValueError(unknown("StyleGAN2 preset", name, list(PRESETS)))
        return cls(**{**PRESETS[name], **changes})

    def description(self) -> dict[str, Any]:
        """Return what the generator's weights belong to, as plain values."""
        names = ("kind", "size", "latent", "styles", "mapping", "base", "most")
        return {name: getattr(self, name) for name in names}

    def network(self) -> GeneratorNetwork:
        """Return the generator's network with initial weights drawn from ``seed``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return GeneratorNetwork(
                size=self.size,
                latent=self.latent,
                styles=self.styles,
                mapping=self.mapping,
                base=self.base,
                most=self.most,
            )

    def discriminator(self) -> DiscriminatorNetwork:
        """Return the discriminator's network with initial weights drawn from ``seed``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + 1)
            return DiscriminatorNetwork(
                size=self.size, base=self.base, most=self.most, architecture=self.architecture, group=self.group
            )

    def build(self) -> "StyleGan2":
        """Return the trained generator.

        Raises:
            ValueError: ``weights`` is empty.
            WeightsError: the weights are damaged or belong to another architecture.
        """
        if not self.weights:
            raise ValueError(
                "generator stylegan2 has no weights: train it (python -m jobs.train) and set generator.weights"
            )
        network = self.network()
        network.load_state_dict(load_weights(fetch(self.weights), self.description()))
        return StyleGan2(network, self)


class StyleGan2:
    """A trained generator: ``latents of a space -> w per layer -> synthesis with fixed noise -> 8-bit images``.

    An image depends on its own latent only: noise is a constant of the model, and batches have one size.
    """

    spaces: Final[tuple[Space, ...]] = ("z", "w", "w+")

    def __init__(self, network: GeneratorNetwork, config: StyleGan2Config) -> None:
        self.config = config
        self._device = find_device(config.device)
        self.network = network.eval().to(self._device)

    @property
    def size(self) -> int:
        """Side of the images."""
        return self.config.size

    def shape(self, space: Space) -> tuple[int, ...]:
        """Return the shape of one latent: (Z,), (W,) or (L, W)."""
        return {
            "z": (self.config.latent,),
            "w": (self.config.styles,),
            "w+": (self.network.num_styles, self.config.styles),
        }[check_space(space)]

    def latents(self, seeds: Tensor, space: Space = "z") -> Tensor:
        """Draw one latent per seed: (N,) int64 -> (N, *shape) float32; w and w+ are made of z, untruncated."""
        z = normal_noise(seeds, (self.config.latent,))
        if check_space(space) == "z":
            return z
        w = self.styles(z)
        return w if space == "w" else w[:, None].repeat(1, self.network.num_styles, 1)

    def sample(self, seeds: Tensor, truncation: float | None = None) -> Tensor:
        """Return the images of (N,) seeds: (N, 3, H, W) uint8."""
        return self.generate(self.latents(seeds), truncation=truncation)

    @torch.inference_mode()
    def styles(self, z: Tensor) -> Tensor:
        """Map (N, Z) to (N, W) float32, in batches of one size."""
        parts = [
            self.network.mapping(batch.to(self._device))[:count].cpu()
            for batch, count in fixed_batches(z, self.config.compute_batch)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self.config.styles)

    @torch.inference_mode()
    def generate(self, latents: Tensor, space: Space = "z", truncation: float | None = None) -> Tensor:
        """Return (N, 3, H, W) uint8 images.

        Args:
            latents: (N, *shape(space)).
            space: ``z``, ``w`` (one style for all layers) or ``w+`` (one per layer).
            truncation: ψ, instead of the config's; applies to w and w+ as well.
        """
        expected = self.shape(space)
        if tuple(latents.shape[1:]) != expected:
            raise ValueError(f"latents of space {space} must be (N, {expected}), got {tuple(latents.shape)}")
        psi = self.config.truncation if truncation is None else truncation
        w = self.styles(latents) if space == "z" else latents
        layered = w if space == "w+" else w[:, None].expand(-1, self.network.num_styles, -1)
        average = self.network.mapping.average.cpu()
        layered = average + psi * (layered - average) if psi != 1.0 else layered
        images = [torch.empty(0, 3, self.size, self.size, dtype=torch.uint8)]
        for batch, count in fixed_batches(layered.contiguous(), self.config.compute_batch):
            images.append(to_bytes(self.network.synthesis(batch.to(self._device), "fixed")[:count]).cpu())
        return torch.cat(images)

    @torch.inference_mode()
    def render(self, styles: Tensor) -> Tensor:
        """Return (N, 3, H, W) float32 images 0..255, neither rounded nor clipped, of (N, W) styles without truncation.

        Steps along a path are too small for 8-bit images (``greycard.metrics.generation.path_length``).
        """
        layered = styles[:, None].repeat(1, self.network.num_styles, 1)
        images = [torch.empty(0, 3, self.size, self.size)]
        for batch, count in fixed_batches(layered, self.config.compute_batch):
            images.append((self.network.synthesis(batch.to(self._device), "fixed")[:count].cpu() + 1.0) * _HALF)
        return torch.cat(images)


def to_bytes(images: Tensor) -> Tensor:
    """Turn float images, -1 black and 1 white, into uint8."""
    return ((images + 1.0) * _HALF).round().clamp(0, 255).to(torch.uint8)


def to_floats(images: Tensor) -> Tensor:
    """Turn uint8 images into float32 in [-1, 1]."""
    return images.to(torch.float32) / _HALF - 1.0
