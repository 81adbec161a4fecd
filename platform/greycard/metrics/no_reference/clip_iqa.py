"""CLIP-IQA (Wang, Chan and Loy 2023): whether CLIP finds an image nearer to "Good photo." or to "Bad photo.".

``8 bit, own size -> CLIP's residual network without positions -> cosines with two texts -> softmax -> quality``

pyiqa, which paper 004's authors took, averages five pairs of texts instead: ``prompts="pairs"`` (its pairs of 2024; its
releases before had others). CLIP's weights are read from a local file and never downloaded.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor

from greycard.metrics.no_reference.base import Judged, Measure, NoReference, every
from greycard.metrics.no_reference.clip_network import DEVIATION, MEAN, NEEDED, image_directions, text_directions
from greycard.metrics.no_reference.images import padded_batches
from greycard.metrics.no_reference.states import read_state

_MIN_SIZE: Final = 32
_SOURCE: Final = (
    "fetch https://openaipublic.azureedge.net/clip/models/afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
    "/RN50.pt (its sha256 is in the address), write its tensors once with "
    "torch.save(torch.jit.load('RN50.pt', map_location='cpu').state_dict(), 'clip_rn50.pt')"
)
_START, _END = 49406, 49407
_WORDS: Final = {
    "good": 886, "bad": 2103, "photo": 1125, ".": 269, "image": 2867, "sharp": 8157, "blurry": 21977, "edges": 20938,
    "high": 1400, "low": 1042, "resolution": 9977, "noise": 9307, "-": 268, "free": 1139, "noisy": 33495,
}  # fmt: skip
"""Numbers of CLIP's vocabulary."""
PROMPTS: Final = {
    "paper": ("good photo .", "bad photo ."),
    "pairs": (
        *("good image", "bad image", "sharp image", "blurry image", "sharp edges", "blurry edges"),
        *("high resolution image", "low resolution image", "noise - free image", "noisy image"),
    ),
}
"""Texts by the words of the vocabulary, each good one before its bad one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipIqa(NoReference):
    """Config of CLIP-IQA.

    Attributes:
        weights: local file with the state dict of CLIP RN50 (vision and text), under OpenAI's names.
        prompts: "paper" is "Good photo." against "Bad photo."; "pairs" the mean over pyiqa's five pairs.
        compute_batch: images per forward pass, always this many (the last ones padded), so that results don't depend on
            how images are batched.
        device: where it runs.
    """

    kind: Literal["clip_iqa"] = "clip_iqa"
    name: ClassVar[str] = "clip_iqa"
    weights: str = ""
    prompts: Literal["paper", "pairs"] = "paper"
    compute_batch: int = 16
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.prompts not in PROMPTS:
            raise ValueError(f"clip_iqa.prompts must be paper or pairs, got {self.prompts!r}")
        if self.compute_batch < 1:
            raise ValueError(f"clip_iqa.compute_batch must be at least 1, got {self.compute_batch}")

    def missing(self) -> str:
        """Return "" if the weights are there, otherwise what to fetch and where to put it."""
        if self.weights and Path(self.weights).is_file():
            return ""
        place = f"at {self.weights}" if self.weights else "named"
        return f"no CLIP weights {place}; {_SOURCE}, and set weights=PATH of the clip_iqa measure"

    def unfit(self, height: int, width: int) -> str:
        """Return "" or why images of a size have no value."""
        if min(height, width) >= _MIN_SIZE:
            return ""
        return f"clip_iqa needs images of at least {_MIN_SIZE} x {_MIN_SIZE} pixels, got {height} x {width}"

    def build(self) -> "ClipIqaMeasure":
        """Load the network and read its texts.

        Raises:
            MeasureUnavailable: the weights aren't there.
            ValueError: the file holds something else.
        """
        self.require()
        state = read_state(self.weights, needed=NEEDED)
        try:
            measure = ClipIqaMeasure(self, state)
            measure(torch.zeros(1, 3, _MIN_SIZE, _MIN_SIZE, dtype=torch.uint8))
        except (KeyError, IndexError, RuntimeError) as error:
            raise ValueError(f"{self.weights} is not CLIP with a residual network: {error}") from None
        return measure


class ClipIqaMeasure(Measure[ClipIqa]):
    """CLIP-IQA, ready to use: higher is better, in [0, 1]."""

    @torch.inference_mode()
    def __init__(self, config: ClipIqa, state: dict[str, Tensor]) -> None:
        super().__init__(config)
        self._state = {name: tensor.to(config.device) for name, tensor in state.items()}
        self._texts = text_directions(prompt_tokens(config.prompts).to(config.device), self._state)

    def _judge(self, images: Tensor) -> Judged:
        mean, deviation = (torch.tensor(part, device=self._config.device)[:, None, None] for part in (MEAN, DEVIATION))
        scale = self._state["logit_scale"].double().exp()
        found = [torch.zeros(0, dtype=torch.float64)]
        for batch, count in padded_batches(images, self._config.compute_batch):
            seen = image_directions((batch.to(self._config.device) / 255.0 - mean) / deviation, self._state)
            pairs = (scale * seen.double() @ self._texts.double().T).reshape(len(batch), -1, 2)
            found.append(pairs.softmax(dim=2)[..., 0].mean(dim=1)[:count].cpu())
        return every(torch.cat(found))


def prompt_tokens(prompts: str) -> Tensor:
    """Return (P, T) int64 tokens of a set of texts, filled up with 0 behind the end.

    Example:
        >>> prompt_tokens("paper").tolist()
        [[49406, 886, 1125, 269, 49407], [49406, 2103, 1125, 269, 49407]]
    """
    rows = [[_START, *(_WORDS[word] for word in text.split()), _END] for text in PROMPTS[prompts]]
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])
