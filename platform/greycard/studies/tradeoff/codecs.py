"""A study of codecs: baselines, trials with a parity term, and the choice trained again and tested by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import ray
import torch
from torch import Tensor

from greycard.datasets.loading import LoadedImages, load_images
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.model import ModelTask
from greycard.fitting.task import WEIGHTS
from greycard.layers.weights import load_weights
from greycard.metrics.restoration.seeds import CodecRows, compare_codecs, group_means
from greycard.reports.restoration.verdict import verdict_of
from greycard.studies.tradeoff.choice import Choice, aim_of, distinct
from greycard.studies.tradeoff.family import Confirmed, Family
from greycard.studies.tradeoff.plan import BASELINE, CodecTrial
from greycard.training.batches import ordered_batches
from greycard.training.objectives.rate_distortion import coded


class CodecFamily(Family):
    """How the studies of codecs do what every study does."""

    trial: CodecTrial
    show = ("bpp", "psnr_gap_db")

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
        sentences = {label: verdict_of(frame, aim_of(job)) for label, frame in comparisons.items()}
        return Confirmed(
            sentences,
            comparisons,
            {"codec_groups": pd.concat(groups, ignore_index=True)},
            (f"{len(images.ids):,} images, {job.confirm.split} split, {len(seeds)} seeds; rates are estimated bits.",),
        )

    def _rows(
        self, images: LoadedImages, choices: Sequence[Choice], planned: Mapping[str, Planned]
    ) -> dict[str, list[CodecRows]]:
        """Return label -> its rows, one entry per seed; measured by Ray tasks, which share the images."""
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
