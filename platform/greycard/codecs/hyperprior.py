"""Hyperprior: Ballé, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale hyperprior" (2018).

CompressAI's ``ScaleHyperprior``; "Hyperprior" in paper 000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn

from greycard.codecs.entropy import Decoder
from greycard.codecs.hyperpriors import HyperpriorBaseConfig, Width, compressai_models
from greycard.codecs.latents import LatentCoder, Quantised
from greycard.layers.batching import Plans

WIDTHS: Final[Mapping[Width, tuple[int, ...]]] = {"tiny": (32, 48), "small": (64, 96), "full": (128, 192)}


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperpriorConfig(HyperpriorBaseConfig):
    """The scale hyperprior; ``channels`` are (N, M)."""

    kind: Literal["hyperprior"] = "hyperprior"

    @staticmethod
    def codec_id() -> int:
        """Return the codec's number in files."""
        return 2

    @staticmethod
    def widths() -> Mapping[Width, tuple[int, ...]]:
        """Return (N, M) of the named widths."""
        return WIDTHS

    def network(self) -> nn.Module:
        """Return a fresh ``ScaleHyperprior``."""
        network: nn.Module = compressai_models().ScaleHyperprior(*self.network_channels)
        return network

    def coder(self, network: nn.Module, plans: Plans) -> LatentCoder:
        """Return the coder."""
        return HyperpriorCoder(network, self.compute_batch, plans)


class HyperpriorCoder(LatentCoder):
    """All of y at once, zero-mean Gaussians whose scales come from z.

    ``|y| -> h_a -> z -> Q -> z_hat -> h_s -> sigma``; ``y_hat = round(y)``, coded channel by channel.
    """

    def hyper_input(self, y: Tensor) -> Tensor:
        """Return |y|."""
        return y.abs()

    def quantise(self, y: Tensor, params: Tensor) -> Quantised:
        """Round y; the parameters are the scales."""
        y_hat = torch.round(y)
        return Quantised(y_hat, y_hat, params)

    def in_order(self, values: Tensor) -> Tensor:
        """Flatten channel by channel."""
        return values.flatten(1)

    def read_y(self, decoder: Decoder, params: Tensor) -> Tensor:
        """Read all symbols in one go."""
        indexes = self.in_order(self.indexes(params))[0]
        return self._tensor(decoder.read(indexes.cpu().numpy())).reshape(params.shape)
