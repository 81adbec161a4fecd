"""One hyperprior network, ready to code: from pixels to symbols and back, the same bits for every batch size.

``x -> g_a -> y -> h_a -> z -> Q -> z_hat -> h_s -> parameters of y -> Q -> y_hat -> g_s -> x_hat``

Every layer runs image by image, or in groups that give the same bits (``layers.batching.RowWise``), so what an
encoder, a decoder and a batched evaluation compute is equal to the last bit, and equal to CompressAI's own ``compress``
and ``decompress`` of single images.
"""

from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from greycard.codecs.entropy import Decoder, Ints, Tables
from greycard.codecs.gdn import fix_gdn
from greycard.layers.batching import Plans, make_row_wise

LARGEST: Final = 2.0**24  # float32 holds integers exactly up to here


class Coded(NamedTuple):
    """The latents of a batch as they are coded.

    Attributes:
        y_hat: (N, M, h, w) float32, quantised latents as the decoder has them.
        y_symbols: (N, S) int64 in coding order.
        y_indexes: (N, S) int64, the table of each symbol.
        z_symbols: (N, Sz) int64 in coding order.
        bits: (N,) float64, -log2 of the likelihoods of the coded values.
        finite: (N,) bool: False where a latent or a parameter is not finite (or beyond 2^24); its symbols are 0.
    """

    y_hat: Tensor
    y_symbols: Tensor
    y_indexes: Tensor
    z_symbols: Tensor
    bits: Tensor
    finite: Tensor


class Quantised(NamedTuple):
    """y as it is coded, each (N, M, h, w): q = round(y - means), y_hat = q + means, and the scales of q."""

    q: Tensor
    y_hat: Tensor
    scales: Tensor


class LatentCoder(ABC):
    """What the hyperprior codecs share; a subclass says how y is quantised and in which order it is coded.

    Attributes:
        network: a CompressAI model with its tables made, in evaluation mode; its layers are wrapped in place.
        stride: pixels to one position of z: 64.
    """

    def __init__(self, network: Any, max_rows: int, plans: Plans) -> None:
        self.network = network
        self.stride = int(network.downsampling_factor)
        self.y_tables = Tables(network.gaussian_conditional)
        self.z_tables = Tables(network.entropy_bottleneck)
        self._medians: Tensor = network.entropy_bottleneck._get_medians().detach().reshape(1, -1, 1, 1)
        self._edges: Tensor = network.gaussian_conditional.scale_table[:-1].contiguous()
        self._smallest = float(network.gaussian_conditional.scale_bound)
        self._z_bits = _bits_of_z(network.entropy_bottleneck)
        fix_gdn(network)
        for name in ("g_a", "h_a", "h_s", "g_s"):
            make_row_wise(getattr(network, name), max_rows, plans, name)

    # -- encoder and decoder --------------------------------------------------------------------------------------

    def code(self, x: Tensor) -> Coded:
        """Quantise: x: (N, 3, H, W) float32 in [0, 1], H and W multiples of ``stride``."""
        y = self.network.g_a(x)
        z = self.network.h_a(self.hyper_input(y))
        finite = _is_codable(y) & _is_codable(z)
        y, z = _blank(y, finite), _blank(z, finite)
        z_symbols = torch.round(z - self._medians)
        z_hat = z_symbols + self._medians
        params = self.network.h_s(z_hat)
        quantised = self.quantise(y, params)
        finite = finite & _is_codable(params) & _is_codable(quantised.y_hat) & _is_codable(quantised.scales)
        q, scales = _blank(quantised.q, finite), _blank(quantised.scales, finite)
        return Coded(
            y_hat=quantised.y_hat,
            y_symbols=self.in_order(q).to(torch.int64),
            y_indexes=self.in_order(self.indexes(scales)),
            z_symbols=_blank(z_symbols, finite).flatten(1).to(torch.int64),
            bits=self._estimate(q, scales, z_symbols),
            finite=finite,
        )

    def strings(self, coded: Coded, row: int) -> tuple[bytes, bytes]:
        """Entropy-code one image: the strings of z and of y."""
        num_symbols = coded.z_symbols.shape[1]
        return (
            self.z_tables.encode(coded.z_symbols[row].cpu().numpy(), self._z_indexes(num_symbols)),
            self.y_tables.encode(coded.y_symbols[row].cpu().numpy(), coded.y_indexes[row].cpu().numpy()),
        )

    def decode(self, z_string: bytes, y_string: bytes, height: int, width: int) -> Tensor:
        """Decode one image's y_hat: (1, M, h, w); height and width are multiples of ``stride``."""
        z_height, z_width = height // self.stride, width // self.stride
        num_symbols = self._medians.numel() * z_height * z_width
        symbols = self.z_tables.decoder(z_string, num_symbols).read(self._z_indexes(num_symbols))
        z_hat = self._tensor(symbols).reshape(1, -1, z_height, z_width) + self._medians
        params = self.network.h_s(z_hat)
        num_latents = int(self.network.M) * params.shape[2] * params.shape[3]
        return self.read_y(self.y_tables.decoder(y_string, num_latents), params)

    def synthesise(self, y_hat: Tensor) -> Tensor:
        """Restore pixels: (N, M, h, w) -> (N, 3, H, W) float32, not clamped."""
        x_hat: Tensor = self.network.g_s(y_hat)
        return x_hat

    # -- what a subclass says -------------------------------------------------------------------------------------

    @abstractmethod
    def hyper_input(self, y: Tensor) -> Tensor:
        """Return what h_a sees of y."""

    @abstractmethod
    def quantise(self, y: Tensor, params: Tensor) -> Quantised:
        """Quantise y (N, M, h, w), given h_s's output, as the decoder will see it."""

    @abstractmethod
    def in_order(self, values: Tensor) -> Tensor:
        """Flatten (N, M, h, w) to (N, S) in coding order."""

    @abstractmethod
    def read_y(self, decoder: Decoder, params: Tensor) -> Tensor:
        """Decode one image's y_hat: params of one image -> (1, M, h, w)."""

    # -- shared steps ---------------------------------------------------------------------------------------------

    def indexes(self, scales: Tensor) -> Tensor:
        """Return each scale's table: the smallest tabled scale that is not below it (the last one if all are)."""
        return torch.bucketize(scales.clamp(min=self._smallest), self._edges)

    def _z_indexes(self, num_symbols: int) -> Ints:
        channels = self._medians.numel()
        return np.repeat(np.arange(channels), num_symbols // channels)

    def _tensor(self, symbols: Ints) -> Tensor:
        return torch.from_numpy(symbols).to(self._medians)

    def _estimate(self, q: Tensor, scales: Tensor, z_symbols: Tensor) -> Tensor:
        """Return -log2 of the likelihoods, image by image (sums depend on the batch): (N,) float64."""
        conditional = self.network.gaussian_conditional
        bound = float(conditional.likelihood_lower_bound.bound)
        reach = self._z_bits.shape[1] // 2
        columns = z_symbols.flatten(2).clamp(-reach, reach).to(torch.int64) + reach
        bits = []
        for row in range(len(q)):
            y = conditional._likelihood(q[row], scales[row]).clamp(min=bound).to(torch.float64)
            bits.append(self._z_bits.gather(1, columns[row]).sum() - y.log2().sum())
        return torch.stack(bits)


def _bits_of_z(bottleneck: Any) -> Tensor:
    """Tabulate -log2 of the likelihood of every z symbol in every channel.

    Args:
        bottleneck: CompressAI's ``EntropyBottleneck`` with its tables made.

    Returns:
        (C, 2 K + 1) float64 for symbols -K..K. K lies beyond the coder's own tables, where likelihoods have fallen to
        their lower bound, so larger symbols cost what K costs.
    """
    reach = int(bottleneck.cdf_length.max())
    medians = bottleneck._get_medians().detach()
    symbols = torch.arange(-reach, reach + 1, device=medians.device)
    likelihoods, _, _ = bottleneck._likelihood(symbols + medians)
    bits: Tensor = -bottleneck.likelihood_lower_bound(likelihoods).detach().to(torch.float64).log2().squeeze(1)
    return bits


def _is_codable(values: Tensor) -> Tensor:
    return (values.abs() < LARGEST).flatten(1).all(1)  # NaN compares as False


def _blank(values: Tensor, finite: Tensor) -> Tensor:
    """Put zeros into the rows that cannot be coded."""
    if bool(finite.all()):
        return values
    return torch.where(finite.reshape(-1, *([1] * (values.ndim - 1))), values, torch.zeros_like(values))
