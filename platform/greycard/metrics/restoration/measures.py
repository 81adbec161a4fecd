"""Every measure of an audit table at one system and point, as terms that ``by_group`` sums.

The rates stand behind the measures, in the order of ``schema.RATES``, so that groups' rates come from the same sums.
"""

from dataclasses import dataclass

import numpy as np

from greycard import schema
from greycard.metrics.by_group import Floats, Terms, means, stack
from greycard.metrics.descriptions import PSNR_OF_MEAN_MSE
from greycard.metrics.full_reference.decibels import psnr_of_mse
from greycard.metrics.restoration import phenotypes
from greycard.metrics.restoration.merging import Merging
from greycard.metrics.restoration.rows import AuditRows, PointRows

MERGED, PLAIN, RECALL, SHIFT, LIGHTER = "accuracy_merged", "accuracy", "macro_recall", "shift", "lighter"


@dataclass(frozen=True, slots=True)
class AuditMeasures:
    """The measures that an audit table allows.

    Attributes:
        rows: the audit table.
        merging: which classes are merged for whom.
        ordered_task: the task whose shift is measured.
    """

    rows: AuditRows
    merging: Merging
    ordered_task: str

    @property
    def names(self) -> tuple[str, ...]:
        """The measures, in order, without the rates behind them."""
        names = [name for name in self.rows.columns if name not in schema.RATES]
        names += [PSNR_OF_MEAN_MSE] if "mse" in names else []
        for task in self.rows.predictions:
            names += [f"{MERGED}/{task}", f"{PLAIN}/{task}", f"{RECALL}/{task}"]
            names += [f"{SHIFT}/{task}", f"{LIGHTER}/{task}"] if task == self.ordered_task else []
        return tuple(names)

    def terms(self, point: PointRows) -> Terms:
        """Return the measures, averaged over classifier seeds, and the rates."""
        return self._terms(point, None)

    def seed_terms(self, point: PointRows) -> list[Terms]:
        """Return the measures of each classifier seed alone."""
        seeds = max((codes.shape[1] for codes in self.rows.predictions.values()), default=1)
        return [self._terms(point, seed) for seed in range(seeds)]

    def _terms(self, point: PointRows, seed: int | None) -> Terms:
        columns = {name: self.rows.values(name, point) for name in self.rows.columns if name not in schema.RATES}
        links = {}
        if "mse" in columns:
            columns[PSNR_OF_MEAN_MSE] = columns["mse"]
            links[PSNR_OF_MEAN_MSE] = psnr_of_mse
        parts = [means(columns, links)] if columns else []
        for task in self.rows.predictions:
            parts += self._task(task, point, seed)
        absent = np.full(self.rows.num_images, np.nan)
        rates = {name: self.rows.values(name, point) if name in self.rows.columns else absent for name in schema.RATES}
        return stack([*parts, means(rates)])

    def _task(self, task: str, point: PointRows, seed: int | None) -> list[Terms]:
        labels, predicted = self.rows.labels[task], self.rows.predicted(task, point)
        if seed is not None:
            column = min(seed, predicted.shape[1] - 1)
            predicted = predicted[:, column : column + 1]
        right = phenotypes.mean_over_seeds(phenotypes.correct(labels, predicted))
        merged = phenotypes.correct_merged(labels, predicted, self.merging.groups.codes, self.merging.members[task])
        columns: dict[str, Floats] = {
            f"{MERGED}/{task}": phenotypes.mean_over_seeds(merged),
            f"{PLAIN}/{task}": right,
        }
        recall = phenotypes.macro_recall(f"{RECALL}/{task}", right, labels, len(self.merging.classes[task]))
        if task != self.ordered_task:
            return [means(columns), recall]
        steps, lighter = phenotypes.shift(labels, predicted)
        shifts = {
            f"{SHIFT}/{task}": phenotypes.mean_over_seeds(steps),
            f"{LIGHTER}/{task}": phenotypes.mean_over_seeds(lighter),
        }
        return [means(columns), recall, means(shifts)]
