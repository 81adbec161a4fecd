"""The page of a generation audit and of the study that rebalances a generator: shares, realism, what was searched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from greycard.metrics.generation_paper import DATASETS
from greycard.reports.generation_evidence import Account, Samples, Way
from greycard.reports.pages import Page, write_page
from greycard.schema import unknown

__all__ = ["Account", "GenerationPage", "Samples", "Way", "compose", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPage:
    """What the page of a generation audit is made of. Frames are those of ``audits.generation.GenerationFrames``.

    Attributes:
        title: of the page.
        dataset: the data set's name.
        task: whose classes are counted.
        drawn: True where the images are drawings, not people.
        command: what makes the page again.
        commit: of the source; "" leaves it out.
        verdict: the first sentence; "" takes one from ``scores``.
        scores: system, variant, seed, measure, value, sd, low, high, n, splits, floor, note.
        shares: system, code, label, hard, soft, corrected, even, count.
        before: the system that the others are compared with; "" takes the one of variant ``real``, else the first one.
        after: what is compared with it first; "" takes that of the paper's proposal (``syn_bias``), else the last one;
            with one system there is none.
        reference: the name of the held-out images among the systems.
        frechet_groups: system, group, reference_group, value, count, reference_count, measure; None, like all that
            follow, leaves its part out.
        references: system, generated, reference, value, discrepancy, note, measure.
        confusion: label, predicted, count.
        counts: system, n_in, n_ok, n_failed, reasons.
        accounts: of syntheses, one a method: ``SynthesisResult.frames``.
        ways: what is compared in the table of ways to balance: search, rejection, reweighting.
        samples: images of systems in order of their seeds, by system.
        lineages: lineage, label, number, parent, depth, distance, duplicate, chosen, image: ``SynthesisResult.sheet()``.
        histories: system -> metrics of each tick of its training, with a column ``images``.
        paper: whose printed rows stand beside: ``FFHQ`` or ``CIFAR10-LT``; "" for none.
        labels: system -> what it is called; without one, its row in the paper's tables or its name.
        absent: measure -> why it was not taken.
        classes: in the order of the figures; () takes that of ``shares``.
        angles: distances of ``lineages`` are radians.
        min_ratio: how many times lower the discrepancy is to be.
        notes: sentences below the first ones.
        provenance: more of what was run: name -> text.
        config: the resolved config as YAML.
    """

    title: str
    dataset: str
    task: str
    drawn: bool = False
    command: str = ""
    commit: str = ""
    verdict: str = ""
    scores: pd.DataFrame
    shares: pd.DataFrame
    before: str = ""
    after: str = ""
    reference: str = "reference"
    frechet_groups: pd.DataFrame | None = None
    references: pd.DataFrame | None = None
    confusion: pd.DataFrame | None = None
    counts: pd.DataFrame | None = None
    accounts: tuple[Account, ...] = ()
    ways: tuple[Way, ...] = ()
    samples: Mapping[str, Samples] = field(default_factory=dict)
    lineages: pd.DataFrame | None = None
    histories: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    paper: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    angles: bool = True
    min_ratio: float = 5.0
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""

    def __post_init__(self) -> None:
        if self.paper and self.paper not in DATASETS:
            raise ValueError(unknown("paper", self.paper, DATASETS))
        known = self.shares["system"].drop_duplicates().tolist()
        named = (self.before, self.after, *(way.set for way in self.ways), *(way.system for way in self.ways))
        for name in filter(None, named):
            if name not in known:
                raise ValueError(unknown("system of the page", name, known))
        if self.min_ratio < 1:
            raise ValueError(f"min_ratio must be at least 1, got {self.min_ratio}")


def write(page: GenerationPage, out: Path) -> Path:
    """Write ``out/index.html`` (which needs nothing else) and ``out/figures/*.png``; return the page's path.

    Raises:
        ValueError: a frame lacks a column that the page needs, or samples are no images.
    """
    return write_page(compose(page), out)


def compose(page: GenerationPage) -> Page:
    """Return what the page says.

    Raises:
        ValueError: as ``write``.
    """
    raise NotImplementedError
