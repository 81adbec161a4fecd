"""Codecs trained with a parity term: a baseline a seed, and from its weights a model a setting of λ and μ."""

from dataclasses import dataclass, replace
from typing import Literal

from greycard.codecs import LearnedCodec, TrainableCodec
from greycard.datasets.manifest import Manifest, check_classes
from greycard.training.loop import LoopConfig
from greycard.training.objectives.parity import ParityRateDistortion


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityCodecTraining:
    """A baseline a seed, and a fine-tuned codec a seed and setting, which starts from it with a fresh optimiser.

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
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, at least one, got {self.seeds}")

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


ParityTask = tuple[str, LearnedCodec, ParityRateDistortion, LoopConfig, str]


def parity_tasks(training: ParityCodecTraining, manifest: Manifest) -> list[ParityTask]:
    """Return name, model, objective, loop and the model that it starts from, seed by seed.

    Raises:
        ManifestError: the data set lacks the sensitive attribute, or has other classes of it.
    """
    for objective in (training.baseline, *training.parity):
        check_classes(manifest, {objective.sensitive: objective.groups})
    tasks: list[ParityTask] = []
    for seed in training.seeds:
        name, first = training.baseline_name(seed), training.baseline
        tasks.append((name, training.model_of(first), first, training.loop_of(None, seed), ""))
        for parity in training.parity:
            loop = training.loop_of(parity, seed)
            tasks.append((training.parity_name(parity, seed), training.model_of(parity), parity, loop, name))
    return tasks
