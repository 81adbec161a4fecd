"""From states to the frames of a generation audit: scores, shares, the groups' heat map, the references' experiment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from greycard.audits.generation.configs import REFERENCE, GeneratorSystem, RealismConfig
from greycard.audits.generation.states import Realism, SetState
from greycard.audits.states import total
from greycard.metrics.generation.discrepancy import (
    Corrected,
    corrected_shares,
    discrepancy,
    discrepancy_interval,
    discrepancy_over_splits,
    sampling_floor,
)
from greycard.metrics.generation.distances import frechet, kernel_distance
from greycard.metrics.generation.neighbours import precision_recall
from greycard.metrics.generation.path_length import path_length
from greycard.metrics.generation.references import compare_references, frechet_between_groups
from greycard.metrics.generation.states import FeatureMoments, Floats
from greycard.streaming.generating import AUX, INCEPTION

COLUMNS: Final = (
    *("system", "variant", "seed", "measure", "value", "sd", "low", "high", "n", "splits", "floor", "note"),
)
PUBLISHED: Final = {"frechet": "fid", "kernel_distance": "kid", "classifier_score": "inception_score"}
_HALVES_NOTE: Final = "one half of the reference against the other"
Row = dict[str, Any]


def measure_name(measure: str, extractor: str) -> str:
    """Return a measure's name, which tells the extractor; only Inception's weights make the published names.

    Example:
        >>> measure_name("frechet", "aux"), measure_name("frechet", "inception"), measure_name("recall", "inception")
        ('frechet[aux]', 'fid', 'recall[inception]')
    """
    return PUBLISHED[measure] if extractor == INCEPTION and measure in PUBLISHED else f"{measure}[{extractor}]"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison in an extractor's space."""

    moments: FeatureMoments
    sample: Floats


class Score(NamedTuple):
    """What one comparison of two sides in an extractor's space gives.

    Attributes:
        measures: names of its rows, without the extractor.
        take: one side (as generated), the other (as real), how they are compared -> a row for each measure.

    Raises:
        ValueError: of ``take``, where a side has too few images for it.
    """

    measures: tuple[str, ...]
    take: Callable[[Side, Side, RealismConfig], list[Row]]


def compare(first: Side, second: Side, config: RealismConfig) -> dict[str, Row]:
    """Return measure -> row of one side (as generated) against the other (as real).

    Where a side is too small for a measure, its value is NaN and its note says why.
    """
    found: dict[str, Row] = {}
    for score in SCORES:
        try:
            rows = score.take(first, second, config)
        except ValueError as error:
            rows = [_row("", float("nan"), n=0, note=str(error))] * len(score.measures)
        found |= dict(zip(score.measures, rows, strict=True))
    return found


class Reference:
    """The reference of every score: what its extractors saw, and how the measuring classifier errs on its labels.

    Args:
        state: the reference's state.
        classes: the task's classes.
        config: how sets are compared.
    """

    def __init__(self, state: SetState, classes: Sequence[str], config: RealismConfig) -> None:
        self.state = state
        self.classes = tuple(classes)
        self.config = config
        # per extractor, by measure: one half of the reference against the other
        self.floors = {name: compare(*_split(seen), config) for name, seen in state.realism.items()}

    def scores(self, system: GeneratorSystem, state: SetState) -> pd.DataFrame:
        """Return a system's scores, in the columns ``COLUMNS``."""
        rows = [*self._discrepancies(state)]
        for name in state.realism:
            rows += self._realism(name, state, mine=system.name == REFERENCE)
        if len(state.paths):
            found = path_length(state.paths)
            note = "W, t = 0, ε = 1e-4, upper and lower 1 % dropped, no truncation"
            rows.append(_row(f"path_length[{AUX}]", found.mean, sd=found.sd, n=found.kept, note=note))
        for name, values in state.quality.items():
            mean, sd = (float(values.mean()), float(values.std())) if len(values) else (np.nan, np.nan)
            rows.append(_row(name, mean, sd=sd, n=len(values), note="deviation over images"))
        frame = pd.DataFrame(rows).assign(system=system.name, variant=system.variant, seed=system.seed)
        return frame[list(COLUMNS)]

    def shares(self, system: GeneratorSystem, state: SetState) -> pd.DataFrame:
        """Return a system's shares of each class: hard, soft, corrected, even, count."""
        shares = state.shares.finish()
        return pd.DataFrame(
            {
                "system": system.name,
                "code": range(len(self.classes)),
                "label": self.classes,
                "hard": shares.hard,
                "soft": shares.soft,
                "corrected": self.correct(shares.hard).shares,
                "even": 1.0 / len(self.classes),
                "count": shares.counts,
            }
        )

    def correct(self, shares: Floats) -> Corrected:
        """Correct shares for the classifier's confusions on the reference's labels."""
        return corrected_shares(shares, self.state.confusion)

    def groups(self, system: GeneratorSystem, state: SetState) -> pd.DataFrame:
        """Return the Fréchet distances of a system's classes to the reference's; the reference's halves for itself.

        With Inception's 2,048 features a distance takes seconds, so only the reference has that map (the paper's).
        """
        parts = []
        for name, seen in state.realism.items():
            if name == INCEPTION and system.name != REFERENCE:
                continue
            if system.name == REFERENCE:
                first, second = (half[:-1] for half in seen.halves)
            else:
                first, second = seen.by_class(), self.state.realism[name].by_class()
            found = frechet_between_groups(first, second, self.classes)
            parts.append(found.assign(system=system.name, measure=measure_name("frechet", name)))
        return pd.concat(parts, ignore_index=True)

    def references(self, system: GeneratorSystem, state: SetState) -> pd.DataFrame:
        """Return how a Fréchet distance depends on the shares of both sets."""
        unbalanced = np.array(self.config.unbalanced) if self.config.unbalanced else None
        parts = []
        for name, seen in state.realism.items():
            found = compare_references(seen.by_class(), self.state.realism[name].by_class(), unbalanced)
            parts.append(found.assign(system=system.name, measure=measure_name("frechet", name)))
        return pd.concat(parts, ignore_index=True)

    def confusion(self) -> pd.DataFrame:
        """Return the measuring classifier's confusions on the reference."""
        names = range(len(self.classes))
        return pd.DataFrame(
            [(self.classes[b], self.classes[a], int(self.state.confusion[b, a])) for b in names for a in names],
            columns=["label", "predicted", "count"],
        )

    def _discrepancies(self, state: SetState) -> Iterator[Row]:
        shares = state.shares.finish()
        images, classes = int(shares.counts.sum()), len(self.classes)
        each = images / max(1, len(shares.hard_splits))
        corrected = self.correct(shares.hard)
        views: dict[str, tuple[Floats, Floats, str]] = {
            "hard": (shares.hard, shares.hard_splits, ""),
            "soft": (shares.soft, shares.soft_splits, ""),
            "corrected": (
                corrected.shares,
                np.array([self.correct(part).shares for part in shares.hard_splits]).reshape(-1, classes),
                corrected.warning or f"condition number {corrected.condition:.2f} of the confusion matrix",
            ),
        }
        for view, (pooled, splits, note) in views.items():
            found = discrepancy_over_splits(splits, each)
            yield _row(
                f"discrepancy[{view}]",
                found.mean,
                sd=found.sd,
                n=found.images,
                splits=found.splits,
                floor=found.floor,
                note=note,
            )
            value = float(discrepancy(pooled)) if images else float("nan")
            row = _row(f"discrepancy_pooled[{view}]", value, n=images, floor=sampling_floor(classes, images), note=note)
            if view == "hard":
                bounds = discrepancy_interval(shares.counts, resamples=self.config.resamples, seed=self.config.seed)
                row |= {"low": bounds.low, "high": bounds.high}
            yield row

    def _realism(self, extractor: str, state: SetState, *, mine: bool) -> Iterator[Row]:
        seen = state.realism[extractor]
        floors = self.floors[extractor]
        found = floors if mine else compare(_side(seen), _side(self.state.realism[extractor]), self.config)
        for measure, row in found.items():
            note = "; ".join(filter(None, [row["note"], _HALVES_NOTE if mine else ""]))
            yield row | {"measure": measure_name(measure, extractor), "floor": floors[measure]["value"], "note": note}
        score = seen.score.finish()
        splits = int((seen.score.counts > 0).sum())
        name = measure_name("classifier_score", extractor)
        yield _row(name, score.mean, sd=score.sd, n=score.images, splits=splits)


def frames_of(
    states: Mapping[str, SetState], systems: Sequence[GeneratorSystem], classes: Sequence[str], config: RealismConfig
) -> dict[str, pd.DataFrame]:
    """Return the frames scores, shares, frechet_groups, references and confusion.

    Args:
        states: system -> state, the reference among them.
        systems: the reference and the others, in the order of the tables.
        classes: the task's classes.
        config: how sets are compared.
    """
    reference = Reference(states[REFERENCE], classes, config)
    makers = {
        "scores": reference.scores,
        "shares": reference.shares,
        "frechet_groups": reference.groups,
        "references": reference.references,
    }
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in makers}
    for system in systems:
        for name, make in makers.items():
            parts[name].append(make(system, states[system.name]))
    found = {name: _first("system", pd.concat(frames, ignore_index=True)) for name, frames in parts.items()}
    return found | {"confusion": reference.confusion()}


def _row(
    measure: str, value: float, *, n: float, sd: float = np.nan, splits: int = 1, floor: float = np.nan, note: str = ""
) -> Row:
    bounds = {"low": np.nan, "high": np.nan}
    return {
        "measure": measure, "value": float(value), "sd": float(sd), **bounds, "n": float(n), "splits": splits,
        "floor": float(floor), "note": note,
    }  # fmt: skip


def _frechet(first: Side, second: Side, _: RealismConfig) -> list[Row]:
    images, features = min(first.moments.count, second.moments.count), first.sample.shape[1]
    few = f"fewer images than the {features} features" if images <= features else ""
    return [_row("", frechet(first.moments.finish(), second.moments.finish()), n=images, note=few)]


def _kernel_distance(first: Side, second: Side, config: RealismConfig) -> list[Row]:
    found = kernel_distance(first.sample, second.sample, subsets=config.subsets, subset=config.subset, seed=config.seed)
    return [_row("", found.mean, sd=found.sd, n=found.subset, splits=found.subsets)]


def _precision_recall(first: Side, second: Side, config: RealismConfig) -> list[Row]:
    found = precision_recall(first.sample, second.sample, neighbours=config.neighbours)
    count, note = min(found.generated, found.real), f"k = {config.neighbours}"
    return [_row("", value, n=count, note=note) for value in (found.precision, found.recall)]


SCORES: Final = (
    Score(("frechet",), _frechet),
    Score(("kernel_distance",), _kernel_distance),
    Score(("precision", "recall"), _precision_recall),
)
"""How two sets are compared in an extractor's space; another comparison is one more line."""


def _side(seen: Realism) -> Side:
    return Side(seen.everything(), seen.sample.finish().astype(np.float64))


def _split(seen: Realism) -> tuple[Side, Side]:
    """Return two halves of a set; the sample is in the order of hashes, so its runs are fair samples."""
    sample = seen.sample.finish().astype(np.float64)
    middle = len(sample) // 2
    first, second = (total(half) for half in seen.halves)
    return Side(first, sample[:middle]), Side(second, sample[middle:])


def _first(column: str, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[column, *(name for name in frame.columns if name != column)]]
