"""The network of EQ-Face (Liu and Tan 2021), evaluated from its published weights.

``112 x 112 RGB in [-1, 1] -> residual backbone, 4 stages, 512 x 7 x 7 -> two layers -> softmax -> quality``

The backbone is that of ArcFace (Deng et al. 2019): units of batch norm, convolution, batch norm, PReLU, convolution and
batch norm beside a shortcut; the first unit of a stage halves the image. Depths and widths are read off the weights
(the published ones: 3, 13, 30 and 3 units of 64 to 512 channels).
"""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from greycard.metrics.no_reference.states import stages

SIZE: Final = 112
NEEDED_OF_BACKBONE: Final = ("input_layer.0.weight", "layer4.0.res_layer.1.weight", "output_layer.0.weight")
HEAD: Final = "qualtiy."  # as the published file spells it
NEEDED_OF_HEAD: Final = ("0.weight", "1.running_var", "3.weight")


def quality(images: Tensor, backbone: Mapping[str, Tensor], head: Mapping[str, Tensor]) -> Tensor:
    """Return (N,) qualities in [0, 1] of (N, 3, 112, 112) float32 in [-1, 1], RGB.

    Args:
        images: faces, cropped as for recognition.
        backbone: weights by their published names.
        head: weights by their published names without ``HEAD``.
    """
    x = functional.conv2d(images, backbone["input_layer.0.weight"], padding=1)
    x = functional.prelu(_norm(x, backbone, "input_layer.1"), backbone["input_layer.2.weight"])
    for stage in range(1, 5):
        for unit in range(stages(backbone, f"layer{stage}")):
            x = _unit(x, backbone, f"layer{stage}.{unit}")
    x = _norm(x, backbone, "output_layer.0").flatten(1)
    x = functional.relu(_norm(functional.linear(x, head["0.weight"]), head, "1"))
    return functional.linear(x, head["3.weight"]).double().softmax(dim=1)[:, 0]


def _unit(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    body, shortcut = f"{name}.res_layer", f"{name}.shortcut_layer"
    halves = f"{shortcut}.0.weight" in weights
    stride = 2 if halves else 1
    y = functional.conv2d(_norm(x, weights, f"{body}.0"), weights[f"{body}.1.weight"], padding=1)
    y = functional.prelu(_norm(y, weights, f"{body}.2"), weights[f"{body}.3.weight"])
    y = functional.conv2d(y, weights[f"{body}.4.weight"], stride=stride, padding=1)
    y = _norm(y, weights, f"{body}.5")
    if halves:
        x = functional.conv2d(x, weights[f"{shortcut}.0.weight"], stride=stride)
        x = _norm(x, weights, f"{shortcut}.1")
    return x + y


def _norm(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    mean, variance, scale, offset = (
        weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return torch.batch_norm(x, scale, offset, mean, variance, False, 0.0, 1e-5, False)
