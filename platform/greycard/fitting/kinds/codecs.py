"""Codecs at several λ: a chain from the highest down."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from greycard.codecs import LearnedCodec, TrainableCodec
from greycard.fitting.kinds.contract import Planned, Site, TrainingKind
from greycard.training.loop import LoopConfig
from greycard.training.objectives.rate_distortion import RateDistortion


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecTraining(TrainingKind[LearnedCodec]):
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

    def models(self) -> dict[str, LearnedCodec]:
        """Return model name -> the codec at its λ, from the highest down."""
        return {
            self.model_name(lam): replace(self.codec, lambdas=(lam,), weights=())
            for lam in sorted(self.codec.lambdas, reverse=True)
        }

    def tasks(self, site: Site) -> list[Planned]:
        """Return what is trained, each λ after the one above it if that is what it starts from."""
        planned: list[Planned] = []
        after = ""
        for name, codec in self.models().items():
            objective = RateDistortion(lam=codec.lambdas[0], auxiliary_learning_rate=self.auxiliary_learning_rate)
            loop = self.fine_tune if after and self.fine_tune else self.loop
            planned.append(site.plan_model(name, codec, objective, loop, after))
            after = name if self.warm_start else ""
        return planned

    def trained(self, weights: Callable[[str], str]) -> dict[str, LearnedCodec]:
        """Return the chain's name -> its codec, with the weights of every λ."""
        found = tuple(weights(self.model_name(lam)) for lam in self.codec.lambdas)
        return {self.name: replace(self.codec, weights=found)}
