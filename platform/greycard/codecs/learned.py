"""What every learned codec has: weights, a device, batches of bounded size, files and rates.

A family of them adds what its networks are: ``greycard.codecs.hyperpriors`` has one network per λ.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import torch
from torch import Tensor, nn

from greycard.codecs.container import BitstreamError, Container, as_float32, match_point, overhead, pack, unpack
from greycard.codecs.pixels import check_image, check_images, check_point, to_bytes, to_float
from greycard.layers.devices import find_device
from greycard.layers.weights import WeightsError, fingerprint, load_weights, read_description
from greycard.protocols import Restored
from greycard.tracking import fetch

NON_FINITE: Final = "non-finite reconstruction: the network's latents or pixels are NaN or infinite"

Strings = tuple[bytes, ...]
"""The entropy-coded strings of one image, in the order in which a file holds them."""


class NonFiniteError(ValueError):
    """The network turned an image into NaN or infinite numbers, so there is nothing to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedCodecConfig:
    """What the configs of all learned codecs share; each codec adds its ``kind``.

    Attributes:
        weights: one URI per network, in the order of ``networks``: a directory with weights.pt and model.json.
        compute_batch: images computed at once at most; changes speed and memory, never results.
        bitstreams: also write real entropy-coded bytes; off leaves payload and total bits NaN.
        device: where the networks run: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for CUDA where there is one.
    """

    weights: tuple[str, ...] = ()
    compute_batch: int = 32
    bitstreams: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check values; a family that checks more calls this one too."""
        if self.weights and len(self.weights) != len(self.networks):
            raise ValueError(
                f"codec.weights must name one URI for each of the codec's {len(self.networks)} networks "
                f"({', '.join(self.networks)}), got {len(self.weights)}"
            )
        if self.compute_batch < 1:
            raise ValueError(f"codec.compute_batch must be at least 1, got {self.compute_batch}")

    @property
    def points(self) -> tuple[float, ...]:
        """The operating points."""
        raise NotImplementedError

    @property
    def networks(self) -> tuple[str, ...]:
        """A name per network, for messages: one per operating point; a codec with one network for all says so here."""
        return tuple(f"{point:g}" for point in self.points)

    @property
    def draws(self) -> bool:
        """Whether a restored image depends on its seed."""
        return False

    @staticmethod
    def codec_id() -> int:
        """Return the codec's number in files."""
        raise NotImplementedError

    def network(self) -> nn.Module:
        """Return a fresh, untrained network; seed torch before."""
        raise NotImplementedError

    def build(self) -> "NetworkCodec":
        """Load the weights and return the codec.

        Raises:
            WeightsError: no weights are named, or they are missing, damaged or of another architecture.
        """
        raise NotImplementedError

    def description(self) -> dict[str, Any]:
        """Return what ``model.json`` says of the architecture."""
        return {"family": getattr(self, "kind")}  # noqa: B009

    def export(self, network: nn.Module) -> dict[str, Tensor]:
        """Return the tensors to save; the network itself is left as it is and may be trained further.

        Raises:
            ValueError: a parameter is not finite.
        """
        broken = [name for name, value in network.named_parameters() if not bool(torch.isfinite(value).all())]
        if broken:
            raise ValueError(f"cannot export a network with non-finite parameters: {', '.join(broken[:3])}")
        ready = copy.deepcopy(network).cpu().eval()
        self.prepare(ready)
        return {name: tensor.detach().clone() for name, tensor in ready.state_dict().items()}

    def prepare(self, network: nn.Module) -> None:
        """Make in a trained network what is saved beside its parameters, such as the entropy coder's tables."""


class LoadedNetwork(NamedTuple):
    """A network in evaluation mode on its device, the folder it came from, what its model.json says, and 4 bytes."""

    network: nn.Module
    directory: Path
    description: dict[str, Any]
    fingerprint: bytes


class NetworkCodec(ABC):
    """A codec of networks with weights; a family says how it restores, codes and decodes.

    ``images -> parts of compute_batch -> restore -> Restored``;
    ``image -> strings -> container -> bytes -> container -> pixels -> image``

    Attributes:
        num_strings: that a file holds.
        loaded: the networks, in the order of ``config.networks``.
    """

    num_strings: ClassVar[int] = 1

    def __init__(self, config: Any) -> None:
        """Load the networks.

        Args:
            config: a ``LearnedCodecConfig`` with weights.

        Raises:
            WeightsError: no weights are named, or they are missing, damaged or of another architecture.
        """
        if not config.weights:
            raise WeightsError(
                f"codec {config.kind} has no weights. Train them (python -m jobs.train --list shows the recipes) and "
                "set codec.weights to a directory with weights.pt and model.json, runs:/... or models:/... for each "
                f"of its networks: {', '.join(config.networks)}"
            )
        self.config = config
        self.points: tuple[float, ...] = config.points
        self.draws: bool = config.draws
        self.loaded = [_load(config, fetch(uri)) for uri in config.weights]

    # -- what a family says ---------------------------------------------------------------------------------------

    @abstractmethod
    def restore(self, images: Tensor, point: float, seeds: Tensor) -> Restored:
        """Restore (N, 3, H, W) uint8, at most ``compute_batch`` of them, each with its seed, (N,) int64."""

    @abstractmethod
    def strings(self, image: Tensor, point: float) -> Strings:
        """Entropy-code one (3, H, W) uint8 image.

        Raises:
            NonFiniteError: the network gives NaN or infinite numbers for this image.
        """

    @abstractmethod
    def pixels(self, file: Container, point: float, seed: int) -> Tensor:
        """Decode a file into (1, 3, H', W') float, H' and W' at least the file's; neither cropped nor clamped."""

    # -- the contract of a codec ----------------------------------------------------------------------------------

    @torch.inference_mode()
    def reconstruct(self, images: Tensor, point: float, seeds: Tensor | None = None) -> Restored:
        """Restore a batch; an image's result does not depend on the others or on their number."""
        check_images(images)
        check_point(point, self.points)
        seeds = torch.zeros(len(images), dtype=torch.int64) if seeds is None else seeds
        size = self.config.compute_batch
        parts = zip(torch.split(images, size), torch.split(seeds, size), strict=True)
        return _join([self.restore(some, point, their) for some, their in parts]) if len(images) else _nothing(images)

    @torch.inference_mode()
    def encode(self, image: Tensor, point: float) -> bytes:
        """Encode (3, H, W) uint8.

        Raises:
            NonFiniteError: the network gives NaN or infinite numbers for this image.
        """
        check_image(image)
        check_point(point, self.points)
        height, width = image.shape[1:]
        name = self.network_at(point).fingerprint
        return pack(
            Container(self.config.codec_id(), name, as_float32(point), height, width, self.strings(image, point))
        )

    @torch.inference_mode()
    def decode(self, data: bytes, seed: int = 0) -> Tensor:
        """Decode into (3, H, W) uint8.

        Raises:
            BitstreamError: damaged or foreign bytes, another codec or other weights.
            NonFiniteError: the network gives NaN or infinite pixels.
        """
        file = unpack(data, codec_id=self.config.codec_id(), num_strings=self.num_strings)
        point = match_point(file.point, self.points)
        name = self.network_at(point).fingerprint
        if file.fingerprint != name:
            raise BitstreamError(
                f"the file was written with weights {file.fingerprint.hex()}, the codec has {name.hex()} at point "
                f"{point:g}; decode with the weights it was written with"
            )
        x_hat = self.pixels(file, point, seed).cpu()
        if not bool(torch.isfinite(x_hat).all()):
            raise NonFiniteError(NON_FINITE)
        return to_bytes(x_hat, file.height, file.width)[0]

    # -- shared steps ---------------------------------------------------------------------------------------------

    def network_at(self, point: float) -> LoadedNetwork:
        """Return the network of an operating point: its own, or the one that all points share."""
        return self.loaded[0] if len(self.loaded) == 1 else self.loaded[self.points.index(point)]

    def to_float(self, images: Tensor, stride: int) -> Tensor:
        """Bring (N, 3, H, W) uint8 to the networks' device: float32 in [0, 1], padded to multiples of ``stride``."""
        return to_float(images.to(find_device(self.config.device)), stride)

    def finish(
        self, x_hat: Tensor, bits: Tensor, finite: Tensor, strings: Callable[[int], Strings], size: Sequence[int]
    ) -> Restored:
        """Make of a network's output what a codec returns; a row that is not finite fails.

        Args:
            x_hat: (N, 3, H', W') float, H' and W' at least those of ``size``.
            bits: (N,) float64, estimated from likelihoods.
            finite: (N,) bool, whether a row's latents are.
            strings: row -> its entropy-coded strings; asked only where real bitstreams are on and the row is finite.
            size: H and W of the images.
        """
        height, width = size
        x_hat, finite = x_hat.cpu(), finite.cpu()
        finite = finite & torch.isfinite(x_hat).flatten(1).all(1)
        images = to_bytes(x_hat.nan_to_num(0.0), height, width)
        images[~finite] = 0
        payload = torch.full((len(images),), torch.nan, dtype=torch.float64)
        total = payload.clone()
        for row in torch.nonzero(finite).flatten().tolist() if self.config.bitstreams else ():
            lengths = tuple(len(string) for string in strings(row))
            payload[row] = 8 * sum(lengths)
            total[row] = 8 * (sum(lengths) + overhead(height, width, lengths))
        errors = tuple("" if ok else NON_FINITE for ok in finite.tolist())
        return Restored(images, torch.where(finite, bits.cpu(), torch.nan), payload, total, errors)


def _join(parts: Sequence[Restored]) -> Restored:
    """Put the parts of a batch together."""
    errors = tuple(error for part in parts for error in part.errors)
    return Restored(
        torch.cat([part.images for part in parts]),
        torch.cat([part.bits_estimated for part in parts]),
        torch.cat([part.bits_payload for part in parts]),
        torch.cat([part.bits_total for part in parts]),
        errors if any(errors) else (),
    )


def _nothing(images: Tensor) -> Restored:
    """Return what a batch of no images is restored to."""
    none = torch.empty(0, dtype=torch.float64)
    return Restored(images.clone(), none, none.clone(), none.clone())


def _load(config: LearnedCodecConfig, directory: Path) -> LoadedNetwork:
    """Load the weights of a directory into the config's network."""
    tensors = load_weights(directory, config.description())
    network = config.network()
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{directory}: tensors do not fit {config.description()}: {reason}") from None
    ready = network.to(find_device(config.device)).eval().requires_grad_(False)
    return LoadedNetwork(ready, directory, read_description(directory), bytes.fromhex(fingerprint(tensors))[:4])
