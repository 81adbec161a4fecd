"""A trial of a study, on one of Ray's workers: a model trained with the trial's settings from its seed's baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from greycard.fitting.model import ModelTask
from greycard.studies.tradeoff.plan import TrialConfig, with_settings
from greycard.training.data import TrainingData
from greycard.tuning import Trial


@dataclass(frozen=True, slots=True)
class Shared:
    """What all trials share: put in the object store once, read in place.

    Attributes:
        trial: what a trial trains, before its settings.
        tasks: seed -> the training of that seed with the usual settings.
        data: training and validation images and labels.
        starts: seed -> its baseline's weights.
        goals: metrics by which a scheduler may judge.
    """

    trial: TrialConfig
    tasks: dict[int, ModelTask]
    data: TrainingData
    starts: dict[int, dict[str, Tensor]]
    goals: tuple[str, ...] = ()


def run_trial(trial: Trial, shared: Shared) -> dict[str, float]:
    """Train with a trial's settings, from its seed's baseline; return the validation metrics."""
    config = with_settings(shared.trial, trial.settings)
    task = replace(config.task(shared.tasks[trial.seed], trial.seed), name=trial.name, directory=str(trial.directory))
    data = shared.data._replace(start=shared.starts[trial.seed])

    def report(metrics: Mapping[str, float], epoch: int) -> None:
        validated = {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}
        found = {f"val/{name}": value for name, value in config.metrics(validated).items()}
        trial.report(goals_reported({**metrics, **found}, shared.goals), epoch)

    return config.metrics(task.train(data, report).metrics)


def goals_reported(metrics: Mapping[str, float], goals: Sequence[str]) -> dict[str, float]:
    """Return an epoch's metrics, and its validated goals also by their bare names, by which a scheduler judges.

    Example:
        >>> goals_reported({"val/bpp": 0.5, "train/bpp": 0.4}, ("bpp",))
        {'val/bpp': 0.5, 'train/bpp': 0.4, 'bpp': 0.5}
    """
    return {**metrics, **{goal: metrics[f"val/{goal}"] for goal in goals if f"val/{goal}" in metrics}}
