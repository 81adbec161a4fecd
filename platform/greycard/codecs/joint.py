"""Joint: Minnen, Ballé, Toderici, "Joint Autoregressive and Hierarchical Priors for Learned Image Compression" (2018).

CompressAI's ``JointAutoregressiveHierarchicalPriors``; "Joint" in paper 000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from torch import nn

from greycard.codecs.autoregressive import AutoregressiveCoder
from greycard.codecs.hyperpriors import HyperpriorBaseConfig, Width, compressai_models
from greycard.codecs.latents import LatentCoder
from greycard.layers.batching import Plans

WIDTHS: Final[Mapping[Width, tuple[int, ...]]] = {"tiny": (32, 48), "small": (48, 66), "full": (192, 192)}


@dataclass(frozen=True, slots=True, kw_only=True)
class JointConfig(HyperpriorBaseConfig):
    """The hyperprior with a context model; ``channels`` are (N, M), M divisible by 3.

    ``x -> g_a -> y -> h_a -> z -> Q -> z_hat -> h_s``; y position by position (``AutoregressiveCoder``);
    ``y_hat -> g_s -> x_hat``
    """

    kind: Literal["joint"] = "joint"

    @staticmethod
    def codec_id() -> int:
        """Return the codec's number in files."""
        return 3

    @staticmethod
    def widths() -> Mapping[Width, tuple[int, ...]]:
        """Return (N, M) of the named widths."""
        return WIDTHS

    def network(self) -> nn.Module:
        """Return a fresh ``JointAutoregressiveHierarchicalPriors``."""
        network: nn.Module = compressai_models().JointAutoregressiveHierarchicalPriors(*self.network_channels)
        return network

    def coder(self, network: nn.Module, plans: Plans) -> LatentCoder:
        """Return the coder."""
        return AutoregressiveCoder(network, self.compute_batch, plans)
