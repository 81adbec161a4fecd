"""GaussianMix-Attn: Cheng, Sun, Takeuchi, Katto (2020), as CompressAI ships it.

"Learned Image Compression with Discretized Gaussian Mixture Likelihoods and Attention Modules". Paper 000 calls
CompressAI's ``Cheng2020Attention`` "GaussianMix-Attn". It has the attention blocks, but no mixture: CompressAI codes y
with a single Gaussian, and so do we, to measure the same codec.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from torch import nn

from greycard.codecs.autoregressive import AutoregressiveCoder
from greycard.codecs.hyperpriors import HyperpriorBaseConfig, Width, compressai_models
from greycard.codecs.latents import LatentCoder
from greycard.layers.batching import Plans

WIDTHS: Final[Mapping[Width, tuple[int, ...]]] = {"tiny": (32,), "small": (48,), "full": (128,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianMixAttnConfig(HyperpriorBaseConfig):
    """Residual blocks and attention with a context model; ``channels`` is (N,).

    ``x -> g_a (residual, attention) -> y -> h_a -> z -> Q -> z_hat -> h_s``; y position by position
    (``AutoregressiveCoder``, one Gaussian per latent); ``y_hat -> g_s (attention, sub-pixel)``
    """

    kind: Literal["gaussian_mix_attn"] = "gaussian_mix_attn"

    @staticmethod
    def codec_id() -> int:
        """Return the codec's number in files."""
        return 4

    @staticmethod
    def widths() -> Mapping[Width, tuple[int, ...]]:
        """Return (N,) of the named widths."""
        return WIDTHS

    def network(self) -> nn.Module:
        """Return a fresh ``Cheng2020Attention``."""
        network: nn.Module = compressai_models().Cheng2020Attention(*self.network_channels)
        return network

    def coder(self, network: nn.Module, plans: Plans) -> LatentCoder:
        """Return the coder."""
        return AutoregressiveCoder(network, self.compute_batch, plans)
