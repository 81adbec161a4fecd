"""UTKFace: which loss, at which λ? All six losses and λ together, for σ_IOU and accuracy at once.

What the paper leaves to five tables with one λ each: losses differ in scale by orders of magnitude, so they can only be
compared at the λ that suits each.

A trial of the kind that ``trial.fair`` has, iou, keeps its fields: the mean over groups, as in ``utkface_age``. Any
other kind starts from its own defaults, so ``--set trial.fair.empty=zero_batch`` would reach the trials of iou alone.
"""

from dataclasses import replace

from greycard.losses import LOSSES
from greycard.studies.tradeoff.plan import TuneJob
from greycard.tuning import Choice, Float, Goal, SearchConfig
from tune_spaces import utkface_age


def study() -> TuneJob:
    """UTKFace, age group by race: 120 trials of loss and λ, σ_IOU against accuracy; set shards.0.source.root."""
    return replace(
        utkface_age.study(),
        study="utkface_losses",
        title="UTKFace: age group by race, all losses",
        directory="runs/tune/utkface_losses",
        space={
            "fair.kind": Choice(values=tuple(LOSSES)),
            "fair.lam": Float(low=0.1, high=1000.0, log=True),
        },
        goals=(Goal(metric="sigma_iou"), Goal(metric="accuracy", mode="max")),
        search=SearchConfig(trials=120, startup=30),
    )
