"""Rebalance a generator: train on unbalanced images, search balanced ones, retrain, audit (paper 004).

    python -m jobs.rebalance mnist
    python -m jobs.rebalance mnist --set 'rows=[real, syn_bias]' --set training.images=60000
    python -m jobs.rebalance cifar10 --set data.real.source.root=/data/cifar10

One command writes the sets of images, trains the judge and an independent measuring classifier, trains the biased
generator and the other rows of real images, makes balanced synthetic sets by latent search and by rejection sampling,
trains the rows of synthetic images, audits all of them with the measuring classifier against balanced held-out images,
and writes DIRECTORY/report/index.html with the table in the paper's layout, the printed values beside ours.

Started again in the same directory it goes on where it was; what is finished is only reported again. One MLflow run, a
child run a model, synthesis and audited system. A class that the search can not find is said and carried through: the
rows are trained without it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from jobs import command
from jobs.rebalance_plan import RebalanceJob

RECIPES: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """What a study leaves.

    Attributes:
        page: the report.
        table: a line a row and set, in the order of the paper's tables, with its printed values.
        verdict: a sentence or two.
        shortfalls: method -> class -> images that are missing.
        notes: what has to be said besides.
        run_id: the MLflow run.
    """

    page: Path
    table: pd.DataFrame
    verdict: str
    shortfalls: dict[str, dict[str, int]]
    notes: tuple[str, ...]
    run_id: str


def rebalance(job: RebalanceJob) -> Rebalanced:
    """Run a study, or what is left of it."""
    raise NotImplementedError
