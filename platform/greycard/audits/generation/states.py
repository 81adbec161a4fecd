"""From a system's rows to its state: moments, samples, shares, confusions.

Rows are taken in the order of a hash of their ids, so that runs of rows are fair samples and the numbers are the same
to the last bit however the work was spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from greycard.audits.generation.configs import RealismConfig
from greycard.audits.states import total
from greycard.class_codes import class_codes
from greycard.datasets.storage import Folder
from greycard.metrics.generation.discrepancy import ShareCounts
from greycard.metrics.generation.states import (
    ClassifierScore,
    FeatureMoments,
    FeatureSample,
    Floats,
    Hashes,
    Ints,
    even_splits,
)
from greycard.schema import IMAGE_ID, OK, STATUS, prediction_column, probability_column
from greycard.streaming.generating import AUX, INCEPTION, PATH, QUALITY, features_column, scores_column
from greycard.streaming.selection import hashes

HALVES: Final = 2
_CHUNK: Final = 4096
Half = tuple[FeatureMoments, ...]
"""Moments of half the images, one per class; the last is of images whose class is not known."""


@dataclass(frozen=True, slots=True)
class Realism:
    """What one extractor saw in a set.

    Attributes:
        halves: moments of two random halves, one per class.
        sample: a sample of the features.
        score: the state of the score, from the extractor's own probabilities.
    """

    halves: tuple[Half, ...]
    sample: FeatureSample
    score: ClassifierScore

    def merge(self, other: "Realism") -> "Realism":
        """Return the merged state of both sets."""
        pairs = zip(self.halves, other.halves, strict=True)
        halves = tuple(tuple(a.merge(b) for a, b in zip(*pair, strict=True)) for pair in pairs)
        return Realism(halves, self.sample.merge(other.sample), self.score.merge(other.score))

    def by_class(self) -> Half:
        """Return the moments per class, without those of images whose class is not known."""
        return tuple(total([half[code] for half in self.halves]) for code in range(len(self.halves[0]) - 1))

    def everything(self) -> FeatureMoments:
        """Return the moments of all images."""
        return total([part for half in self.halves for part in half])


@dataclass(frozen=True, slots=True)
class SetState:
    """What is known of a set of images.

    Attributes:
        realism: extractor -> what it saw.
        shares: of the task's classes by the measuring classifier.
        confusion: (K, K) int64: label by predicted class, of images that are labelled.
        paths: (P,) float64 path steps.
        quality: no-reference measure -> (Q,) float64 of the images that it has a value for.
        labelled: whether classes are the images' labels; else they are the classifier's.
    """

    realism: dict[str, Realism]
    shares: ShareCounts
    confusion: Ints
    paths: Floats
    quality: dict[str, Floats]
    labelled: bool

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that it holds, by name."""
        arrays: dict[str, NDArray[Any]] = {
            "extractors": np.array(sorted(self.realism)),
            "share_counts": self.shares.counts,
            "share_sums": self.shares.sums,
            "confusion": self.confusion,
            "paths": self.paths,
            "measures": np.array(sorted(self.quality), dtype=np.str_),
            "labelled": np.array(self.labelled),
        }
        arrays |= {f"quality/{name}": values for name, values in self.quality.items()}
        for extractor, seen in self.realism.items():
            arrays |= {f"{extractor}/{field}": value for field, value in _arrays(seen).items()}
        return arrays

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "SetState":
        """Return the state of what ``arrays`` gave."""
        return cls(
            {extractor: _realism_of(arrays, extractor) for extractor in arrays["extractors"].tolist()},
            ShareCounts(arrays["share_counts"], arrays["share_sums"]),
            arrays["confusion"],
            arrays["paths"],
            {measure: arrays[f"quality/{measure}"] for measure in arrays["measures"].tolist()},
            bool(arrays["labelled"]),
        )


def make_state(output: Folder, task: str, classes: Sequence[str], config: RealismConfig) -> SetState:
    """Compute a system's states from the rows that succeeded."""
    rows = _rows(output)
    order = np.argsort(found := hashes(rows[IMAGE_ID]), kind="stable")
    rows, found = rows.take(pa.array(order)), found[order]
    probabilities = matrix(rows[probability_column(task)], len(classes))
    predicted = rows[prediction_column(task)].to_numpy().astype(np.int64)
    known = task in rows.column_names
    labels = class_codes(rows[task], classes) if known else np.full(len(rows), -1, np.int64)
    labelled = bool((labels >= 0).any())
    splits = even_splits(len(rows), config.splits)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels[labels >= 0], predicted[labels >= 0]), 1)
    realism = {}
    for name in (AUX, INCEPTION):
        if features_column(name) in rows.column_names:
            own = rows[scores_column(name)] if scores_column(name) in rows.column_names else None
            seen = probabilities if own is None else matrix(own)
            features = matrix(rows[features_column(name)])
            codes = labels if labelled else predicted
            realism[name] = _realism(features, seen, codes, len(classes), splits, found, config)
    return SetState(
        realism,
        ShareCounts.zero(len(classes), config.splits).add(probabilities, splits),
        confusion,
        _paths(rows),
        _quality(rows),
        labelled,
    )


def _realism(
    features: NDArray[Any], scores: Floats, codes: Ints, classes: int, splits: Ints, ids: Hashes, config: RealismConfig
) -> Realism:
    width = features.shape[1]
    state = Realism(
        tuple(tuple(FeatureMoments.zero(width) for _ in range(classes + 1)) for _ in range(HALVES)),
        FeatureSample.zero(width, config.sample),
        ClassifierScore.zero(scores.shape[1], config.splits),
    )
    halves = even_splits(len(features), HALVES)
    kinds = np.where(codes >= 0, codes, classes)
    for start in range(0, len(features), _CHUNK):
        part = slice(start, start + _CHUNK)
        moments = tuple(
            tuple(
                FeatureMoments.zero(width).add(features[part][(halves[part] == half) & (kinds[part] == kind)])
                for kind in range(classes + 1)
            )
            for half in range(HALVES)
        )
        sample = FeatureSample.zero(width, config.sample).add(features[part], ids[part])
        score = ClassifierScore.zero(scores.shape[1], config.splits).add(scores[part], splits[part])
        state = state.merge(Realism(moments, sample, score))
    return state


def _rows(output: Folder) -> pa.Table:
    """Return all rows that succeeded, with plain columns."""
    parts = [part.filter(pc.equal(part[STATUS], OK)) for part in output.tables()]
    return pa.concat_tables(parts, promote_options="permissive").combine_chunks()


def _paths(rows: pa.Table) -> Floats:
    steps = rows[PATH].drop_null() if PATH in rows.column_names else pa.array([], pa.float64())
    found: Floats = steps.to_numpy().astype(np.float64)
    return found


def _quality(rows: pa.Table) -> dict[str, Floats]:
    """Return the values of each no-reference measure."""
    found = {
        name.removeprefix(QUALITY): rows[name].to_numpy() for name in rows.column_names if name.startswith(QUALITY)
    }
    return {name: values[np.isfinite(values)] for name, values in found.items()}


def matrix(column: pa.ChunkedArray, width: int = 0) -> NDArray[Any]:
    """Return lists of one length as (N, width)."""
    values: NDArray[Any] = pc.list_flatten(column).to_numpy()
    return values.reshape(len(column), -1 if len(column) and not width else width)


def _arrays(seen: Realism) -> dict[str, NDArray[Any]]:
    parts = [part for half in seen.halves for part in half]
    return {
        "counts": np.array([part.count for part in parts]),
        "means": np.stack([part.mean for part in parts]),
        "scatters": np.stack([part.scatter for part in parts]),
        "size": np.array(seen.sample.size),
        "hashes": seen.sample.hashes,
        "sample": seen.sample.features,
        "score_counts": seen.score.counts,
        "score_sums": seen.score.sums,
        "score_negentropies": seen.score.negentropies,
    }


def _realism_of(found: Mapping[str, NDArray[Any]], extractor: str) -> Realism:
    def of(name: str) -> NDArray[Any]:
        return found[f"{extractor}/{name}"]

    parts = [FeatureMoments(int(n), m, s) for n, m, s in zip(of("counts"), of("means"), of("scatters"), strict=True)]
    each = len(parts) // HALVES
    return Realism(
        tuple(tuple(parts[half * each : (half + 1) * each]) for half in range(HALVES)),
        FeatureSample(int(of("size")), of("hashes"), of("sample")),
        ClassifierScore(of("score_counts"), of("score_sums"), of("score_negentropies")),
    )
