"""What the hyperprior codecs share: one network per λ, the strings of z and y, tables made with the weights."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from torch import Tensor, nn

from greycard.codecs.container import Container, as_float32
from greycard.codecs.latents import LatentCoder
from greycard.codecs.learned import (
    NON_FINITE,
    LearnedCodecConfig,
    LoadedNetwork,
    NetworkCodec,
    NonFiniteError,
    Strings,
)
from greycard.layers.batching import Plans
from greycard.layers.weights import MODEL, WeightsError
from greycard.protocols import Restored

PAPER_LAMBDAS: Final = (0.0001, 0.0009, 0.0018, 0.0035, 0.0067)

Width = Literal["tiny", "small", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperpriorBaseConfig(LearnedCodecConfig):
    """What the configs of the hyperprior codecs share.

    Attributes:
        width: "tiny" (tests), "small" (studies on a CPU) or "full" (the paper's).
        channels: the network's channels, instead of a named width; empty takes ``width``.
        lambdas: weight of the distortion in L = bpp + λ 255² MSE, one network each; the operating points.
    """

    width: Width = "full"
    channels: tuple[int, ...] = ()
    lambdas: tuple[float, ...] = PAPER_LAMBDAS

    def __post_init__(self) -> None:
        """Check values."""
        stored = {as_float32(value) for value in self.lambdas if 0 < value < 1e6}
        if not self.lambdas or len(stored) != len(self.lambdas):
            raise ValueError(f"codec.lambdas must be positive and differ, at least one, got {self.lambdas}")
        LearnedCodecConfig.__post_init__(self)
        expected = len(self.widths()["tiny"])
        if self.channels and (len(self.channels) != expected or min(self.channels) < 1):
            raise ValueError(f"codec.channels must be {expected} positive numbers or empty, got {self.channels}")

    @property
    def points(self) -> tuple[float, ...]:
        """The operating points: the λs."""
        return self.lambdas

    @property
    def networks(self) -> tuple[str, ...]:
        """One network per λ."""
        return tuple(f"λ = {value:g}" for value in self.lambdas)

    @property
    def network_channels(self) -> tuple[int, ...]:
        """The channels that the network is made with."""
        return self.channels or self.widths()[self.width]

    @staticmethod
    def widths() -> Mapping[Width, tuple[int, ...]]:
        """Return the channels of the named widths."""
        raise NotImplementedError

    def coder(self, network: nn.Module, plans: Plans) -> LatentCoder:
        """Return what codes with a network whose tables are made; ``plans`` are shared between the λs."""
        raise NotImplementedError

    def description(self) -> dict[str, Any]:
        """Return what ``model.json`` says of the architecture."""
        return {**LearnedCodecConfig.description(self), "channels": list(self.network_channels)}

    def prepare(self, network: nn.Module) -> None:
        """Make the entropy coder's tables: part of the weights, so that every machine codes with the same integers."""
        entropy_models: Any = network
        entropy_models.update(force=True, update_quantiles=True)

    def build(self) -> "HyperpriorCodec":
        """Load the weights of every λ and return the codec."""
        return HyperpriorCodec(self)


class HyperpriorCodec(NetworkCodec):
    """A learned codec with one network per λ, which codes z and then y.

    ``images -> pad to 64 -> LatentCoder.code -> strings -> file`` and back; H x W is cropped out again.
    """

    num_strings: ClassVar[int] = 2

    def __init__(self, config: HyperpriorBaseConfig) -> None:
        """Load the networks."""
        NetworkCodec.__init__(self, config)
        plans: Plans = {}
        self._coders: dict[float, LatentCoder] = {}
        for point, loaded in zip(config.lambdas, self.loaded, strict=True):
            _check(loaded, point)
            self._coders[point] = config.coder(loaded.network, plans)

    def restore(self, images: Tensor, point: float, seeds: Tensor) -> Restored:
        """Restore a part of a batch; nothing is drawn."""
        coder = self._coders[point]
        coded = coder.code(self.to_float(images, coder.stride))
        x_hat = coder.synthesise(coded.y_hat)
        return self.finish(x_hat, coded.bits, coded.finite, lambda row: coder.strings(coded, row), images.shape[2:])

    def strings(self, image: Tensor, point: float) -> Strings:
        """Code one image."""
        coder = self._coders[point]
        coded = coder.code(self.to_float(image[None], coder.stride))
        if not bool(coded.finite[0]):
            raise NonFiniteError(NON_FINITE)
        return coder.strings(coded, 0)

    def pixels(self, file: Container, point: float, seed: int) -> Tensor:
        """Decode z, y and the pixels of one image."""
        coder = self._coders[point]
        z_string, y_string = file.strings
        height, width = (side + -side % coder.stride for side in (file.height, file.width))
        return coder.synthesise(coder.decode(z_string, y_string, height, width))


def compressai_models() -> Any:
    """Import CompressAI's models (seconds, so only when a network is made)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*")
        import compressai.models

    return compressai.models


def _check(loaded: LoadedNetwork, point: float) -> None:
    """Check that a network was trained at this λ and has its entropy coder's tables.

    Raises:
        WeightsError: it was not, or has none.
    """
    trained_at = loaded.description.get("lambda")
    if trained_at is not None and as_float32(float(trained_at)) != as_float32(point):
        raise WeightsError(
            f"{loaded.directory / MODEL}: trained at λ = {trained_at}, but codec.weights names them for λ = {point:g}; "
            "give the weights in the order of codec.lambdas"
        )
    network: Any = loaded.network
    if not network.entropy_bottleneck.quantized_cdf.numel() or not network.gaussian_conditional.offset.numel():
        raise WeightsError(
            f"{loaded.directory}: no entropy tables in the weights; save what config.export(network) returns"
        )
