"""Codecs at several λ: a chain from the highest down."""

from dataclasses import dataclass
from typing import Literal

from greycard.codecs import TrainableCodec
from greycard.training.loop import LoopConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecTraining:
    """One codec at several λ: trained from the highest down, each started from the one before.

    Attributes:
        name: of the chain, unique within the job.
        codec: the codec; ``lambdas`` are what is trained, ``weights`` are ignored.
        loop: how the first λ is trained.
        fine_tune: how those after it are; None trains them like the first.
        auxiliary_learning_rate: of the entropy model's quantiles.
        warm_start: start each λ from the one before; else each from its initial weights.
        shards: URI of the images; "" takes the job's.
    """

    kind: Literal["codec"] = "codec"
    name: str
    codec: TrainableCodec
    loop: LoopConfig
    fine_tune: LoopConfig | None = None
    auxiliary_learning_rate: float = 1e-3
    warm_start: bool = True
    shards: str = ""

    def model_name(self, lam: float) -> str:
        """Return the name of the model of one λ."""
        return f"{self.name}@{lam:g}"
