"""LPIPS (Zhang et al. 2018, v0.1): weighted distance of two images' deep features.

``8 bit -> [-1, 1] -> AlexNet or VGG16 features -> unit length -> squared difference -> linear heads -> sum of layers``

The lpips package brings the linear heads. The backbones are torchvision's ImageNet weights, which this module never
downloads: it reads them from a configured file, or from where torchvision keeps its downloads.
"""

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from greycard.metrics.descriptions import Described
from greycard.metrics.full_reference.pixels import check_pair, check_size

_FILES: Final = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
_SOURCE: Final = "https://download.pytorch.org/models/"
_MIN_SIZE: Final = 64


def _short(path: Path) -> str:
    """Return a path as a person writes it: ``~`` for the home folder."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


class MeasureUnavailable(RuntimeError):  # noqa: N818  (a state of this machine, not a mistake)
    """A measure can't be had here; the message says what to fetch and where to put it.

    Attributes:
        measure: the measure's column.
        reason: one line for the report.
    """

    def __init__(self, measure: str, reason: str) -> None:
        super().__init__(f"{measure} is not available: {reason}")
        self.measure = measure
        self.reason = reason

    def __reduce__(self) -> tuple[type["MeasureUnavailable"], tuple[str, str]]:
        return type(self), (self.measure, self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lpips(Described):
    """Config of LPIPS.

    Attributes:
        net: the backbone; "alex" is the one that LPIPS is usually reported with.
        weights: local file with torchvision's state dict of the backbone; "" = where torchvision keeps downloads.
        compute_batch: images per forward pass, always this many (the last ones padded), so that results don't depend on
            how images are batched.
        device: where it runs.
    """

    kind: Literal["lpips"] = "lpips"
    name: ClassVar[str] = "lpips"
    net: Literal["alex", "vgg"] = "alex"
    weights: str = ""
    compute_batch: int = 32
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.net not in _FILES:
            raise ValueError(f"lpips.net must be alex or vgg, got {self.net!r}")
        if self.compute_batch < 1:
            raise ValueError(f"lpips.compute_batch must be at least 1, got {self.compute_batch}")

    @property
    def min_size(self) -> int:
        """Least height and width in pixels: 64, below which the backbones' last layers see next to nothing."""
        return _MIN_SIZE

    def weights_path(self) -> Path:
        """Return the file that the backbone is read from, whether or not it exists."""
        if self.weights:
            return Path(self.weights)
        return Path(torch.hub.get_dir()) / "checkpoints" / _FILES[self.net]

    def missing(self) -> str:
        """Return "" if the weights are there, otherwise what to fetch and where to put it."""
        path = self.weights_path()
        if path.is_file():
            return ""
        return (
            f"no backbone weights at {_short(path)}; fetch {_SOURCE}{_FILES[self.net]} and put it there, "
            "or set weights=PATH of the lpips measure"
        )

    def build(self) -> "LpipsMeasure":
        """Load the network.

        Raises:
            MeasureUnavailable: the weights aren't there.
            ValueError: the file holds something else.
        """
        if reason := self.missing():
            raise MeasureUnavailable(self.name, reason)
        network = _network(self.net)
        _load_backbone(network, self.weights_path(), self.net)
        return LpipsMeasure(network.to(self.device).eval(), self.compute_batch)


class LpipsMeasure(Described):
    """LPIPS, ready to use: lower is better, 0 for identical images, no upper bound (rarely above 1)."""

    name: ClassVar[str] = "lpips"

    def __init__(self, network: Any, compute_batch: int) -> None:
        self._network = network
        self._compute_batch = compute_batch

    @torch.inference_mode()
    def __call__(self, reference: Tensor, restored: Tensor) -> Tensor:
        """Compare (N, 3, H, W) uint8 pairs, H and W at least 64; returns (N,) float64."""
        check_pair(reference, restored)
        check_size("lpips", reference, _MIN_SIZE)
        device = next(self._network.parameters()).device
        found = []
        for start in range(0, len(reference), self._compute_batch):
            pair = [images[start : start + self._compute_batch] for images in (reference, restored)]
            count = len(pair[0])
            padded = [torch.cat([part, part[-1:].expand(self._compute_batch - count, -1, -1, -1)]) for part in pair]
            x, y = (part.to(device, torch.float32) / 127.5 - 1 for part in padded)
            found.append(self._distance(x, y)[:count])
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)

    def _distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare (N, 3, H, W) float32 pairs in [-1, 1].

        The last steps of the published network, in double precision and image by image: with its 1 x 1 convolutions to
        one channel the last bits would depend on the place in the batch.
        """
        parts = self._network
        layers = zip(*(parts.net(parts.scaling_layer(images)) for images in (x, y)), parts.lins, strict=True)
        total = np.zeros(len(x))
        for features_x, features_y, head in layers:
            difference = (_unit(features_x) - _unit(features_y)).double() ** 2
            weighted = difference * head.model[-1].weight.double()
            total += weighted.flatten(1).cpu().numpy().sum(axis=1) / features_x[0, 0].numel()
        return torch.from_numpy(total).to(x.device)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def _network(net: str) -> nn.Module:
    """Make LPIPS with its trained heads and a backbone that is still to be loaded."""
    import lpips

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # lpips calls torchvision by an old signature
        network: nn.Module = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    return network


def _load_backbone(network: nn.Module, path: Path, net: str) -> None:
    """Copy ``features.<i>.*`` of a torchvision state dict into the slices of lpips, which keep the layers' numbers."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is not a file of plain weights: {str(error).splitlines()[0]}") from None
    backbone = network.get_submodule("net")
    wanted = {name: name.split(".", 1)[1] for name in backbone.state_dict()}  # slice2.3.weight -> 3.weight
    found = {}
    for name, layer in wanted.items():
        tensor = state.get(f"features.{layer}") if isinstance(state, dict) else None
        expected = backbone.state_dict()[name].shape
        if not isinstance(tensor, Tensor) or tensor.shape != expected:
            came = tuple(tensor.shape) if isinstance(tensor, Tensor) else "nothing"
            raise ValueError(
                f"{path} does not hold torchvision's {net} weights: features.{layer} should have shape "
                f"{tuple(expected)}, got {came}"
            )
        found[name] = tensor
    backbone.load_state_dict(found)
