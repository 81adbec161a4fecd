"""Inception's features and probabilities, as FID, KID and the Inception score define them: with the published weights.

torch-fidelity brings the network (a port of the TensorFlow graph of 2015-12-05, with its legacy bilinear resize); the
weights are read from a configured file and never downloaded.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from greycard.metrics.full_reference.lpips import MeasureUnavailable

FILE: Final = "weights-inception-2015-12-05-6726825d.pth"
_SOURCE: Final = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
FEATURES: Final = 2048
CLASSES: Final = 1008


@dataclass(frozen=True, slots=True, kw_only=True)
class InceptionConfig:
    """Config of Inception v3.

    Attributes:
        weights: local file of torch-fidelity's weights.
        compute_batch: images per forward pass, always this many (the last ones padded).
        device: where it runs.
    """

    weights: str
    compute_batch: int = 32
    device: str = "cpu"

    def check(self) -> None:
        """Look for the file.

        Raises:
            MeasureUnavailable: the weights are not there.
        """
        if not Path(self.weights).is_file():
            reason = f"no Inception weights at {self.weights}; fetch {_SOURCE} and name that file"
            raise MeasureUnavailable("fid", reason)

    def build(self) -> "Inception":
        """Load the network.

        Raises:
            MeasureUnavailable: the weights are not there.
            ValueError: the file holds something else.
        """
        self.check()
        path = Path(self.weights)
        try:
            torch.load(path, map_location="cpu", weights_only=True)  # torch-fidelity itself would unpickle anything
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path} is not a file of plain weights: {str(error).splitlines()[0]}") from None
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        layers = ["2048", "logits_unbiased"]
        try:
            network = FeatureExtractorInceptionV3("inception", layers, feature_extractor_weights_path=str(path))
        except RuntimeError as error:
            raise ValueError(f"{path} does not hold torch-fidelity's Inception: {str(error).splitlines()[0]}") from None
        return Inception(network.to(self.device).eval(), self.compute_batch, self.device)


class Inception:
    """Inception v3, ready to use."""

    def __init__(self, network: Any, compute_batch: int, device: str) -> None:
        self._network = network
        self._compute_batch = compute_batch
        self._device = device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, 2048) float32 pooled features and (N, 1008) float64 probabilities of (N, 3, H, W) uint8."""
        features = [torch.empty(0, FEATURES)]
        probabilities = [torch.empty(0, CLASSES, dtype=torch.float64)]
        for start in range(0, len(images), self._compute_batch):
            batch = images[start : start + self._compute_batch]
            count = len(batch)
            padded = torch.cat([batch, batch[-1:].expand(self._compute_batch - count, -1, -1, -1)])
            pooled, logits = self._network(padded.to(self._device))
            features.append(pooled[:count].cpu())
            probabilities.append(logits[:count].double().softmax(dim=1).cpu())
        return torch.cat(features), torch.cat(probabilities)
