"""Codecs trained with a parity term: a baseline a seed, and from its weights a model per setting of λ and μ."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from greycard.codecs import LearnedCodec, TrainableCodec
from greycard.datasets.manifest import check_classes
from greycard.fitting.kinds.contract import Planned, Site, TrainingKind, check_seeds
from greycard.training.loop import LoopConfig
from greycard.training.objectives.parity import ParityRateDistortion


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityCodecTraining(TrainingKind[LearnedCodec]):
    """A baseline per seed, and a fine-tuned codec per seed and setting, which starts from it with a fresh optimiser.

    Models are called ``<name>-seed<seed>`` and ``<name>-lam<λ>-mu<μ>-seed<seed>``.

    Attributes:
        name: of the set, unique within the job.
        codec: the codec; its ``lambdas`` and ``weights`` are ignored.
        baseline: what the baseline minimises.
        parity: what the fine-tuned ones do, a model each.
        loop: how the baseline is trained.
        fine_tune: how those after it are; None trains them like the baseline.
        seeds: a baseline each, with these initial weights and orders of the images.
        shards: URI of the images; "" takes the job's.
    """

    kind: Literal["parity_codec"] = "parity_codec"
    name: str
    codec: TrainableCodec
    baseline: ParityRateDistortion
    parity: tuple[ParityRateDistortion, ...] = ()
    loop: LoopConfig
    fine_tune: LoopConfig | None = None
    seeds: tuple[int, ...] = (0,)
    shards: str = ""

    def __post_init__(self) -> None:
        check_seeds(self.seeds)

    def baseline_name(self, seed: int) -> str:
        """Return the name of a seed's baseline."""
        return f"{self.name}-seed{seed}"

    def parity_name(self, parity: ParityRateDistortion, seed: int, mark: str = "") -> str:
        """Return the name of a seed's fine-tuned codec; a mark sets apart what λ and μ do not."""
        return f"{self.name}-lam{parity.lam:g}-mu{parity.mu:g}{mark}-seed{seed}"

    def loop_of(self, parity: ParityRateDistortion | None, seed: int) -> LoopConfig:
        """Return how a seed's baseline (None) or fine-tuned codec is trained."""
        loop = self.loop if parity is None else self.fine_tune or self.loop
        return replace(loop, seed=seed)

    def model_of(self, objective: ParityRateDistortion) -> LearnedCodec:
        """Return the codec of an objective."""
        return replace(self.codec, lambdas=(objective.lam,), weights=())

    def models(self) -> dict[str, LearnedCodec]:
        """Return model name -> its codec, seed by seed, each baseline before the codecs that start from it."""
        found: dict[str, LearnedCodec] = {}
        for seed in self.seeds:
            found[self.baseline_name(seed)] = self.model_of(self.baseline)
            found |= {self.parity_name(parity, seed): self.model_of(parity) for parity in self.parity}
        return found

    def tasks(self, site: Site) -> list[Planned]:
        """Return what is trained, seed by seed, each baseline before the codecs that start from it.

        Raises:
            ManifestError: the data set lacks the sensitive attribute, or has other classes of it.
        """
        for objective in (self.baseline, *self.parity):
            check_classes(site.manifest(site.shards), {objective.sensitive: objective.groups})
        planned: list[Planned] = []
        for seed in self.seeds:
            name, first = self.baseline_name(seed), self.baseline
            planned.append(site.plan_model(name, self.model_of(first), first, self.loop_of(None, seed)))
            planned += [
                site.plan_model(
                    self.parity_name(parity, seed), self.model_of(parity), parity, self.loop_of(parity, seed), name
                )
                for parity in self.parity
            ]
        return planned

    def trained(self, weights: Callable[[str], str]) -> dict[str, LearnedCodec]:
        """Return model name -> its codec with its weights."""
        return {name: replace(codec, weights=(weights(name),)) for name, codec in self.models().items()}
