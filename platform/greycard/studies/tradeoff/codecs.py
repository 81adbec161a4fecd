"""A study of codecs: baselines, trials with a parity term, and the choice trained again and tested by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import ray
import torch
from torch import Tensor

from greycard.datasets.loading import LoadedImages, load_images
from greycard.datasets.manifest import Manifest
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.kinds.parity_codecs import ParityCodecTraining
from greycard.fitting.model import WEIGHTS, ModelTask
from greycard.fitting.plan import plan
from greycard.layers.weights import load_weights
from greycard.metrics.restoration.seeds import CodecRows, compare_codecs, group_means
from greycard.reports.restoration.verdict import verdict_of
from greycard.studies.tradeoff.choice import Choice, accepted, distinct
from greycard.studies.tradeoff.family import Confirmed, Family, color_of, goals_reported, models_folder
from greycard.studies.tradeoff.plan import BASELINE, CodecTrial, TuneJob, Value, with_settings
from greycard.training.batches import ordered_batches
from greycard.training.data import TrainingData
from greycard.training.objectives.parity import with_gap
from greycard.training.objectives.rate_distortion import coded
from greycard.tuning import Trial


@dataclass(frozen=True, slots=True)
class SharedCodecs:
    """What all trials share: put in the object store once, read in place.

    Attributes:
        trial: what a trial trains, before its settings.
        tasks: seed -> the fine-tuning of that seed.
        data: training and validation images and groups.
        starts: seed -> its baseline's weights.
        goals: metrics by which a scheduler may judge.
    """

    trial: CodecTrial
    tasks: dict[int, ModelTask]
    data: TrainingData
    starts: dict[int, dict[str, Tensor]]
    goals: tuple[str, ...] = ()


def run_trial(trial: Trial, shared: SharedCodecs) -> dict[str, float]:
    """Fine-tune with a trial's settings, from its seed's baseline; return the validation metrics."""
    config = with_settings(shared.trial, trial.settings)
    task = replace(
        shared.tasks[trial.seed],
        name=trial.name,
        model=config.training.model_of(config.parity),
        objective=config.parity,
        loop=config.training.loop_of(config.parity, trial.seed),
        directory=str(trial.directory),
    )
    data = shared.data._replace(start=shared.starts[trial.seed])

    def report(metrics: Mapping[str, float], epoch: int) -> None:
        validated = {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}
        found = {**metrics, "val/psnr_gap_db": with_gap(validated)["psnr_gap_db"]}
        trial.report(goals_reported(found, shared.goals), epoch)

    return with_gap(task.train(data, report).metrics)


class CodecFamily(Family):
    """How the studies of codecs do what every study does."""

    named = ("parity.lam", "parity.mu")

    def __init__(self, job: TuneJob, manifest: Manifest) -> None:
        assert isinstance(job.trial, CodecTrial)
        self.job, self.trial, self.manifest = job, job.trial, manifest
        self.run_trial = run_trial
        self.color = color_of(job.space, "parity.mu")
        self.show = ("bpp", "psnr_gap_db")

    def warnings(self) -> list[str]:
        """Say which groups of train and val have no images."""
        parity = self.trial.parity
        found = []
        for split in ("train", "val"):
            counts = self.manifest.counts.get(split, {}).get(parity.sensitive, {})
            empty = [name for name in parity.groups if not counts.get(name)]
            if empty:
                found.append(f"{split}: no images of {parity.sensitive} {', '.join(empty)} (counts: {counts})")
        return found

    def metrics(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return validation metrics with the disparity."""
        return with_gap(metrics)

    def training(self, seeds: Sequence[int], settings: Mapping[str, Value] | None = None) -> ParityCodecTraining:
        """Return the baselines of some seeds, and with settings the fine-tuned codecs after them."""
        if settings is None:
            return replace(self.trial.training, parity=(), seeds=tuple(seeds))
        config = with_settings(self.trial, settings)
        return replace(config.training, parity=(config.parity,), seeds=tuple(seeds))

    def names(self, settings: Mapping[str, Value] | None, seeds: Sequence[int], mark: str) -> dict[int, str]:
        """Return seed -> the name of its baseline, or of the model after it."""
        training = self.training(seeds, settings)
        if not training.parity:
            return {seed: training.baseline_name(seed) for seed in seeds}
        return {seed: training.parity_name(training.parity[0], seed, mark) for seed in seeds}

    def template(self, seed: int) -> ModelTask:
        """Return the fine-tuning of a seed, before a trial's settings."""
        one = replace(self.trial.training, parity=(self.trial.parity,), seeds=(seed,))
        job = replace(self.recipe(BASELINE, None, (seed,)), models=(one,))
        task = plan(job, models_folder(self.job))[one.parity_name(self.trial.parity, seed)].task
        assert isinstance(task, ModelTask)
        return task

    def shared(self, data: TrainingData) -> SharedCodecs:
        """Return what trials share, once the baselines are trained."""
        tasks = {seed: self.template(seed) for seed in self.job.search.seeds}
        starts = {seed: load_weights(task.start, task.model.description()) for seed, task in tasks.items()}
        return SharedCodecs(self.trial, tasks, data, starts, tuple(goal.metric for goal in self.job.goals))

    def confirm(self, choices: Sequence[Choice], planned: Mapping[str, Planned]) -> Confirmed:
        """Measure the baselines and what was chosen on the test split, and compare them seed by seed."""
        job, seeds = self.job, self.job.confirm.seeds
        sensitive = self.trial.parity.sensitive
        images = load_images(job.test_uri, job.confirm.split, size=job.size, attributes=(sensitive,))
        same = distinct(choices)
        rows = self._rows(images, [choice for label, choice in same.items() if choice.label == label], planned)
        names, codes = self.trial.parity.groups, images.labels[sensitive].numpy()
        identities = np.array([who or name for who, name in zip(images.identities, images.ids, strict=True)])
        groups = [
            group_means(found, codes, names).assign(system=label, attribute=sensitive) for label, found in rows.items()
        ]
        compared = {
            label: compare_codecs(rows[BASELINE], found, codes, names, identities)
            for label, found in rows.items()
            if label != BASELINE
        }
        comparisons = {label: compared[choice.label] for label, choice in same.items()}
        sentences = {
            label: verdict_of(frame, job.confirm.min_reduction, accepted(job.confirm))
            for label, frame in comparisons.items()
        }
        return Confirmed(
            sentences,
            comparisons,
            {"codec_groups": pd.concat(groups, ignore_index=True)},
            (f"{len(images.ids):,} images, {job.confirm.split} split, {len(seeds)} seeds; rates are estimated bits.",),
        )

    def _rows(
        self, images: LoadedImages, choices: Sequence[Choice], planned: Mapping[str, Planned]
    ) -> dict[str, list[CodecRows]]:
        """Return label -> a seed's rows each; measured by Ray tasks, which share the images."""
        shared = ray.put(images.images)
        remote = ray.remote(measure).options(num_cpus=self.job.workers.num_cpus)
        asked = {BASELINE: None} | {choice.label: choice.settings for choice in choices}
        pending = {
            label: [
                remote.remote(planned[name].task, shared)
                for name in self.model_names(settings, self.job.confirm.seeds).values()
            ]
            for label, settings in asked.items()
        }
        return {label: ray.get(references) for label, references in pending.items()}


@torch.inference_mode()
def measure(task: ModelTask, images: Tensor) -> CodecRows:
    """Return what a trained codec makes of (N, 3, H, W) uint8 images, by its network: bits are estimated."""
    torch.set_num_threads(task.threads)
    model: Any = task.model
    network = model.network()
    description = model.description()
    network.load_state_dict(load_weights(str(Path(task.directory) / WEIGHTS), description))
    network.eval()
    bpp, psnr = [], []
    for batch in ordered_batches(_Plain(images), task.loop.batch_size):
        found = coded(network, batch.images)
        bpp.append(found.bpp.double())
        psnr.append(found.psnr_db.double())
    return CodecRows(torch.cat(bpp).numpy(), torch.cat(psnr).numpy())


@dataclass(frozen=True, slots=True)
class _Plain:
    images: Tensor

    @property
    def labels(self) -> dict[str, Tensor]:
        return {}
