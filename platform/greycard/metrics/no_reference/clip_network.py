"""CLIP with a residual network (Radford et al. 2021), evaluated from its published weights.

``RGB -> stem of 3 convolutions -> 4 stages of bottlenecks -> attention pooling -> image``
``tokens -> embeddings and positions -> causal transformer -> last token -> text``

Sizes are read off the weights. The attention pooling goes without its embedding of positions, as CLIP-IQA (Wang et al.
2023, section 3.1) takes it, so that images of any size can be looked at.
"""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from greycard.metrics.no_reference.states import stages

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
DEVIATION: Final = (0.26862954, 0.26130258, 0.27577711)
NEEDED: Final = (
    *("visual.conv1.weight", "visual.attnpool.c_proj.weight", "token_embedding.weight"),
    *("text_projection", "logit_scale"),
)
_HEAD_WIDTH: Final = 64
State = Mapping[str, Tensor]


def image_directions(images: Tensor, state: State) -> Tensor:
    """Return (N, D) unit vectors of (N, 3, H, W) float32 images, normalised by ``MEAN`` and ``DEVIATION``."""
    x = images
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        x = functional.conv2d(x, state[f"visual.conv{number}.weight"], stride=stride, padding=1)
        x = functional.relu(_norm(x, state, f"visual.bn{number}"))
    x = functional.avg_pool2d(x, 2)
    for stage in range(1, 5):
        for block in range(stages(state, f"visual.layer{stage}")):
            x = _bottleneck(x, state, f"visual.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1)
    return functional.normalize(_pool(x.flatten(2).mT, state, "visual.attnpool"), dim=1)


def text_directions(tokens: Tensor, state: State) -> Tensor:
    """Return (N, D) unit vectors of (N, T) tokens; the greatest token of a row ends its text."""
    x = state["token_embedding.weight"][tokens] + state["positional_embedding"][: tokens.shape[1]]
    for block in range(stages(state, "transformer.resblocks")):
        x = _layer(x, state, f"transformer.resblocks.{block}")
    x = _layer_norm(x, state, "ln_final")
    last = x[torch.arange(len(x)), tokens.argmax(dim=1)]
    return functional.normalize(last @ state["text_projection"], dim=1)


def _bottleneck(x: Tensor, state: State, name: str, stride: int) -> Tensor:
    y = functional.relu(_norm(functional.conv2d(x, state[f"{name}.conv1.weight"]), state, f"{name}.bn1"))
    y = functional.relu(_norm(functional.conv2d(y, state[f"{name}.conv2.weight"], padding=1), state, f"{name}.bn2"))
    y = functional.avg_pool2d(y, stride)
    y = _norm(functional.conv2d(y, state[f"{name}.conv3.weight"]), state, f"{name}.bn3")
    if f"{name}.downsample.0.weight" in state:
        x = functional.conv2d(functional.avg_pool2d(x, stride), state[f"{name}.downsample.0.weight"])
        x = _norm(x, state, f"{name}.downsample.1")
    return functional.relu(x + y)


def _pool(places: Tensor, state: State, name: str) -> Tensor:
    """Return (N, D): the mean of (N, P, C) places asks, itself and the places answer."""
    mean = places.mean(dim=1, keepdim=True)
    answering = torch.cat([mean, places], dim=1)
    query, key, value = (
        functional.linear(x, state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"])
        for x, part in ((mean, "q_proj"), (answering, "k_proj"), (answering, "v_proj"))
    )
    pooled = _attention(query, key, value, causal=False)[:, 0]
    return functional.linear(pooled, state[f"{name}.c_proj.weight"], state[f"{name}.c_proj.bias"])


def _layer(x: Tensor, state: State, name: str) -> Tensor:
    y = _layer_norm(x, state, f"{name}.ln_1")
    parts = functional.linear(y, state[f"{name}.attn.in_proj_weight"], state[f"{name}.attn.in_proj_bias"])
    query, key, value = parts.chunk(3, dim=2)
    x = x + _linear(_attention(query, key, value, causal=True), state, f"{name}.attn.out_proj")
    y = _linear(_layer_norm(x, state, f"{name}.ln_2"), state, f"{name}.mlp.c_fc")
    return x + _linear(y * torch.sigmoid(1.702 * y), state, f"{name}.mlp.c_proj")


def _attention(query: Tensor, key: Tensor, value: Tensor, *, causal: bool) -> Tensor:
    """Attend with heads of 64 channels: (N, Q, C), (N, K, C), (N, K, C) -> (N, Q, C)."""
    q, k, v = (x.reshape(*x.shape[:2], -1, _HEAD_WIDTH).transpose(1, 2) for x in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)


def _linear(x: Tensor, state: State, name: str) -> Tensor:
    return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _layer_norm(x: Tensor, state: State, name: str) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def _norm(x: Tensor, state: State, name: str) -> Tensor:
    mean, variance, scale, offset = (
        state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return torch.batch_norm(x, scale, offset, mean, variance, False, 0.0, 1e-5, False)
