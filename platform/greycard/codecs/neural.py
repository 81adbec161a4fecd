"""What the learned codecs share: their config, their weights, their file format and their three rates."""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from greycard.codecs.container import (
    BitstreamError,
    Container,
    as_float32,
    match_point,
    overhead,
    pack,
    unpack,
)
from greycard.codecs.latents import LatentCoder
from greycard.codecs.pixels import check_image, check_images, check_point, to_bytes, to_float
from greycard.layers.batching import Plans
from greycard.layers.weights import MODEL, WeightsError, fingerprint, load_weights, read_description
from greycard.protocols import Restored
from greycard.tracking import fetch

PAPER_LAMBDAS: Final = (0.0001, 0.0009, 0.0018, 0.0035, 0.0067)
NON_FINITE: Final = "non-finite reconstruction: the network's latents or pixels are NaN or infinite"

Width = Literal["tiny", "small", "full"]


class NonFiniteError(ValueError):
    """The network turned an image into NaN or infinite numbers, so there is nothing to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralConfig:
    """What the configs of the learned codecs share; each codec adds its ``kind``.

    Attributes:
        width: "tiny" (tests), "small" (studies on a CPU) or "full" (the paper's).
        channels: the network's channels, instead of a named width; empty takes ``width``.
        lambdas: weight of the distortion in L = bpp + λ 255² MSE, one network each; the operating points.
        weights: one URI for each λ, in the same order: a directory with weights.pt and model.json.
        compute_batch: images computed at once at most; changes speed and memory, never results.
        bitstreams: also write real entropy-coded bytes; off leaves payload and total bits NaN.
        device: where the network runs.
    """

    width: Width = "full"
    channels: tuple[int, ...] = ()
    lambdas: tuple[float, ...] = PAPER_LAMBDAS
    weights: tuple[str, ...] = ()
    compute_batch: int = 32
    bitstreams: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check values."""
        stored = {as_float32(value) for value in self.lambdas if 0 < value < 1e6}
        if not self.lambdas or len(stored) != len(self.lambdas):
            raise ValueError(f"codec.lambdas must be positive and differ, at least one, got {self.lambdas}")
        if self.weights and len(self.weights) != len(self.lambdas):
            raise ValueError(
                f"codec.weights must name one URI for each of the {len(self.lambdas)} codec.lambdas, "
                f"got {len(self.weights)}"
            )
        if self.compute_batch < 1:
            raise ValueError(f"codec.compute_batch must be at least 1, got {self.compute_batch}")
        expected = len(self.widths()["tiny"])
        if self.channels and (len(self.channels) != expected or min(self.channels) < 1):
            raise ValueError(f"codec.channels must be {expected} positive numbers or empty, got {self.channels}")

    @property
    def points(self) -> tuple[float, ...]:
        """The λs."""
        return self.lambdas

    @property
    def network_channels(self) -> tuple[int, ...]:
        """The channels that the network is made with."""
        return self.channels or self.widths()[self.width]

    @staticmethod
    def codec_id() -> int:
        """Return the codec's number in files."""
        raise NotImplementedError

    @staticmethod
    def widths() -> Mapping[Width, tuple[int, ...]]:
        """Return the channels of the named widths."""
        raise NotImplementedError

    def network(self) -> nn.Module:
        """Return a fresh, untrained CompressAI model; seed torch before."""
        raise NotImplementedError

    def coder(self, network: nn.Module, plans: Plans) -> LatentCoder:
        """Return what codes with a network whose tables are made; ``plans`` are shared between the λs."""
        raise NotImplementedError

    def description(self) -> dict[str, Any]:
        """Return what ``model.json`` says of the architecture."""
        return {"family": getattr(self, "kind"), "channels": list(self.network_channels)}  # noqa: B009

    def export(self, network: nn.Module) -> dict[str, Tensor]:
        """Return the tensors to save: the trained network's, with the entropy coder's tables made from them.

        The tables are part of the weights, so that every machine codes with the very same integers. The network itself
        is left as it is and may be trained further.

        Raises:
            ValueError: a parameter is not finite.
        """
        broken = [name for name, value in network.named_parameters() if not bool(torch.isfinite(value).all())]
        if broken:
            raise ValueError(f"cannot export a network with non-finite parameters: {', '.join(broken[:3])}")
        ready: Any = copy.deepcopy(network).cpu().eval()
        ready.update(force=True, update_quantiles=True)
        return {name: tensor.detach().clone() for name, tensor in ready.state_dict().items()}

    def build(self) -> "NeuralCodec":
        """Load the weights of every λ and return the codec.

        Raises:
            WeightsError: no weights are named, or they are missing, damaged or of another architecture.
        """
        return NeuralCodec(self)


class NeuralCodec:
    """A learned codec with one network for each λ.

    ``images -> pad to 64 -> LatentCoder.code -> strings -> file`` and back; H x W is cropped out again.
    """

    def __init__(self, config: NeuralConfig) -> None:
        """Load the networks."""
        if not config.weights:
            raise WeightsError(
                f"codec {config.description()['family']} has no weights. Train them (python -m jobs.train --list shows "
                "the recipes) and set codec.weights to one URI for each λ: a directory with weights.pt and model.json, "
                f"runs:/... or models:/... (λ: {', '.join(map('{:g}'.format, config.lambdas))})"
            )
        self.config = config
        self.points = config.points
        plans: Plans = {}
        self._coders: dict[float, LatentCoder] = {}
        self._fingerprints: dict[float, bytes] = {}
        for point, uri in zip(config.lambdas, config.weights, strict=True):
            network, name = _load(config, fetch(uri), point)
            self._coders[point] = config.coder(network, plans)
            self._fingerprints[point] = bytes.fromhex(name)[:4]

    @torch.inference_mode()
    def reconstruct(self, images: Tensor, point: float) -> Restored:
        """Restore a batch; an image's result does not depend on the others or on their number."""
        check_images(images)
        check_point(point, self.points)
        size = self.config.compute_batch
        parts = [self._reconstruct(images[start : start + size], point) for start in range(0, len(images), size)]
        if not parts:
            nothing = torch.empty(0, dtype=torch.float64)
            return Restored(images.clone(), nothing, nothing.clone(), nothing.clone())
        errors = tuple(error for part in parts for error in part.errors)
        return Restored(
            torch.cat([part.images for part in parts]),
            torch.cat([part.bits_estimated for part in parts]),
            torch.cat([part.bits_payload for part in parts]),
            torch.cat([part.bits_total for part in parts]),
            errors if any(errors) else (),
        )

    @torch.inference_mode()
    def encode(self, image: Tensor, point: float) -> bytes:
        """Encode (3, H, W) uint8.

        Raises:
            NonFiniteError: the network gives NaN or infinite numbers for this image.
        """
        check_image(image)
        check_point(point, self.points)
        coder = self._coders[point]
        coded = coder.code(self._to_float(image[None], coder))
        if not bool(coded.finite[0]):
            raise NonFiniteError(NON_FINITE)
        height, width = image.shape[1:]
        strings = coder.strings(coded, 0)
        return pack(
            Container(self.config.codec_id(), self._fingerprints[point], as_float32(point), height, width, strings)
        )

    @torch.inference_mode()
    def decode(self, data: bytes) -> Tensor:
        """Decode into (3, H, W) uint8.

        Raises:
            BitstreamError: damaged or foreign bytes, another codec or other weights.
            NonFiniteError: the network gives NaN or infinite pixels.
        """
        file = unpack(data, codec_id=self.config.codec_id(), num_strings=2)
        point = match_point(file.point, self.points)
        if file.fingerprint != self._fingerprints[point]:
            raise BitstreamError(
                f"the file was written with weights {file.fingerprint.hex()}, the codec has "
                f"{self._fingerprints[point].hex()} at λ = {point:g}; decode with the weights it was written with"
            )
        coder = self._coders[point]
        z_string, y_string = file.strings
        height, width = (side + -side % coder.stride for side in (file.height, file.width))
        x_hat = coder.synthesise(coder.decode(z_string, y_string, height, width)).cpu()
        if not bool(torch.isfinite(x_hat).all()):
            raise NonFiniteError(NON_FINITE)
        return to_bytes(x_hat, file.height, file.width)[0]

    def _reconstruct(self, images: Tensor, point: float) -> Restored:
        coder = self._coders[point]
        height, width = images.shape[2:]
        coded = coder.code(self._to_float(images, coder))
        x_hat = coder.synthesise(coded.y_hat).cpu()
        finite = coded.finite.cpu() & torch.isfinite(x_hat).flatten(1).all(1)
        restored = to_bytes(x_hat.nan_to_num(0.0), height, width)
        restored[~finite] = 0
        payload, total = self._count(coder, coded, finite, height, width)
        estimated = torch.where(finite, coded.bits.cpu(), torch.nan)
        return Restored(restored, estimated, payload, total, tuple("" if ok else NON_FINITE for ok in finite.tolist()))

    def _count(self, coder: LatentCoder, coded: Any, finite: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return payload and total bits of each image, (N,) float64 each."""
        payload = torch.full((len(finite),), torch.nan, dtype=torch.float64)
        total = payload.clone()
        if self.config.bitstreams:
            for row in torch.nonzero(finite).flatten().tolist():
                lengths = tuple(len(string) for string in coder.strings(coded, row))
                payload[row] = 8 * sum(lengths)
                total[row] = 8 * (sum(lengths) + overhead(height, width, lengths))
        return payload, total

    def _to_float(self, images: Tensor, coder: LatentCoder) -> Tensor:
        return to_float(images.to(self.config.device), coder.stride)


def compressai_models() -> Any:
    """Import CompressAI's models (seconds, so only when a network is made)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*")
        import compressai.models

    return compressai.models


def _load(config: NeuralConfig, directory: Path, point: float) -> tuple[nn.Module, str]:
    """Return a network in evaluation mode with the weights of a directory, and their fingerprint."""
    tensors = load_weights(directory, config.description())
    trained_at = read_description(directory).get("lambda")
    if trained_at is not None and as_float32(float(trained_at)) != as_float32(point):
        raise WeightsError(
            f"{directory / MODEL}: trained at λ = {trained_at}, but codec.weights names them for λ = {point:g}; "
            "give the weights in the order of codec.lambdas"
        )
    network = config.network()
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{directory}: tensors do not fit {config.description()}: {reason}") from None
    entropy_models: Any = network
    if (
        not entropy_models.entropy_bottleneck.quantized_cdf.numel()
        or not entropy_models.gaussian_conditional.offset.numel()
    ):
        raise WeightsError(f"{directory}: no entropy tables in the weights; save what config.export(network) returns")
    return network.to(config.device).eval().requires_grad_(False), fingerprint(tensors)
