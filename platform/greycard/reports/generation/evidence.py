"""What a page of generators is made from: frames of the audit, accounts of syntheses, samples, ways to balance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greycard.metrics.generation.paper004 import DATASETS, ROWS, row_of
from greycard.reports.pages import Cover
from greycard.reports.wording import spell
from greycard.schema import unknown

_COLUMNS: Final = {
    "scores": ("system", "measure", "value", "sd", "low", "high", "n", "splits", "floor", "note"),
    "shares": ("system", "label", "hard", "soft", "corrected", "count"),
    "frechet_groups": ("system", "group", "reference_group", "value", "count", "reference_count", "measure"),
    "references": ("system", "generated", "reference", "value", "note", "measure"),
    "confusion": ("label", "predicted", "count"),
    "counts": ("system", "n_in", "n_ok", "n_failed"),
}
"""Frame of a page -> the columns that it needs."""
_LINEAGES: Final = ("lineage", "label", "number", "parent", "depth", "distance", "duplicate", "image")


class Account(Protocol):
    """What ``greycard.synthesis`` returns of one method: tidy frames."""

    @property
    def counts(self) -> pd.DataFrame:
        """Columns: method, code, label, split, wanted, chosen, short."""
        ...

    @property
    def lineages(self) -> pd.DataFrame:
        """Lineages that were searched.

        Columns: method, label, lineage, found (seed of the start; NA for none), status, error, looked, evaluated, ...
        """
        ...

    @property
    def duplicates(self) -> pd.DataFrame:
        """Columns: method, code, label, images, near, gap, flagged."""
        ...

    @property
    def cost(self) -> pd.DataFrame:
        """Columns: method, code, label, looked, evaluated, kept, chosen, evaluated_per_chosen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images of a system in the order of their seeds, not chosen by eye.

    Attributes:
        images: PNG bytes, or (H, W, 3) uint8 arrays.
        labels: the class that the measuring classifier puts each in.
    """

    images: Sequence[bytes | NDArray[np.uint8]]
    labels: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"samples need a label each, got {len(self.images)} images, {len(self.labels)} labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to get balanced images: one row of the table of ways.

    Attributes:
        name: for people: "latent search", "rejection sampling", "reweighting".
        method: of the synthesis whose account has the duplicates and draws: ``search``, ``rejection``; "" for none.
        set: the system that is its set of synthetic images; "" for none.
        system: the generator trained that way; "" for none.
    """

    name: str
    method: str = ""
    set: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntheses:
    """Sets that were made, and what they are for.

    Attributes:
        accounts: one per method: ``SynthesisResult.frames``.
        ways: what is compared in the table of ways to balance: search, rejection, reweighting.
        lineages: ``SynthesisResult.sheet()``: lineage, label, number, parent, depth, distance, duplicate, chosen, image
            (PNG); None leaves the sheet out.
        angles: whether distances of ``lineages`` are radians.
    """

    accounts: tuple[Account, ...] = ()
    ways: tuple[Way, ...] = ()
    lineages: pd.DataFrame | None = None
    angles: bool = True

    def __post_init__(self) -> None:
        _check_columns("lineages", self.lineages, _LINEAGES)

    def joined(self, name: str) -> pd.DataFrame | None:
        """Return one frame of all accounts, by its name; None without any account."""
        parts: list[Any] = [getattr(account, name) for account in self.accounts]
        return pd.concat(parts, ignore_index=True) if parts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPage(Cover):
    """What the page of a generation audit is made of. Frames are those of ``audits.generation.run.GenerationFrames``.

    Attributes:
        task: the attribute whose classes are counted.
        verdict: the first sentence; "" takes one from ``scores``.
        scores: system, variant, seed, measure, value, sd, low, high, n, splits, floor, note.
        shares: system, code, label, hard, soft, corrected, even, count.
        before: the system that the others are compared with; "" takes the one of variant ``real``, else the first one.
        after: what is compared with it first; "" takes that of the paper's proposal (``syn_bias``), and without one
            nothing is.
        reference: the name of the held-out images among the systems.
        frechet_groups: system, group, reference_group, value, count, reference_count, measure; None, like all that
            follow, leaves its part out.
        references: system, generated, reference, value, discrepancy, note, measure.
        confusion: label, predicted, count.
        counts: system, n_in, n_ok, n_failed, reasons.
        made: sets that were synthesized.
        samples: images of systems in order of their seeds, by system.
        histories: system -> metrics of each tick of its training, with a column ``images``.
        paper: the data set whose printed rows stand beside: ``FFHQ`` or ``CIFAR10-LT``; "" for none.
        labels: system -> what it is called; without one, its row in the paper's tables or its name.
        absent: measure -> why it was not taken.
        classes: the classes in the order of the figures; () takes that of ``shares``.
        min_ratio: how many times lower the discrepancy is to be; 0 has no aim.
    """

    task: str
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
    made: Syntheses = field(default_factory=Syntheses)
    samples: Mapping[str, Samples] = field(default_factory=dict)
    histories: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    paper: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    min_ratio: float = 0.0

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            _check_columns(name, getattr(self, name), columns)
        for system, ticks in self.histories.items():
            if any("images" not in tick for tick in ticks):
                raise ValueError(f"histories: each tick of {system} must say after how many images it was taken")
        if self.paper and self.paper not in DATASETS:
            raise ValueError(unknown("paper", self.paper, DATASETS))
        known = self.shares["system"].drop_duplicates().tolist()
        named = (self.before, self.after, *(name for way in self.made.ways for name in (way.set, way.system)))
        for name in filter(None, named):
            if name not in known:
                raise ValueError(unknown("system of the page", name, known))
        if self.min_ratio and self.min_ratio < 1:
            raise ValueError(f"min_ratio must be 0 or at least 1, got {self.min_ratio}")

    @property
    def systems(self) -> list[str]:
        """All systems in the order of the tables, the held-out images among them."""
        return list(dict.fromkeys([*self.scores["system"], *self.shares["system"]]))

    @property
    def audited(self) -> list[str]:
        """The systems without the held-out images."""
        return [name for name in self.systems if name != self.reference]

    @property
    def class_names(self) -> list[str]:
        """The classes in order."""
        return list(self.classes or dict.fromkeys(self.shares["label"]))

    @property
    def first(self) -> str:
        """What the others are compared with; "" where nothing was audited."""
        return self.before or self._of_row("real") or next(iter(self.audited), "")

    @property
    def last(self) -> str:
        """What is compared with it first; "" where there is nothing to compare."""
        found = self.after or self._of_row("syn_bias")
        return found if found != self.first else ""

    def row(self, system: str) -> str:
        """Return the row of the paper's tables that a system stands for; "" for none."""
        return row_of(self._variant(system))

    def label(self, system: str) -> str:
        """Return what a system is called."""
        if system in self.labels:
            return self.labels[system]
        if system == self.reference:
            return "held-out images"
        row = self.row(system)
        if not row:
            return spell(system)
        twins = [name for name in self.systems if self.row(name) == row]
        return ROWS[row] if len(twins) == 1 else f"{ROWS[row]} ({spell(system)})"

    def _variant(self, system: str) -> str:
        rows = self.scores.loc[self.scores["system"] == system, "variant"] if "variant" in self.scores else []
        return next(iter(rows), "") or system

    def _of_row(self, row: str) -> str:
        return next((name for name in self.audited if self.row(name) == row), "")


def _check_columns(name: str, frame: pd.DataFrame | None, columns: tuple[str, ...]) -> None:
    missing = [] if frame is None else [column for column in columns if column not in frame]
    if missing:
        raise ValueError(f"{name} must have the columns {', '.join(columns)}, and lacks {', '.join(missing)}")
