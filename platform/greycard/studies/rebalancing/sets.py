"""The sets of images that a study of rebalancing needs, disjoint where that is possible.

==============  =====================================================================  ================
set             what for                                                               splits
==============  =====================================================================  ================
``real``        the unbalanced images that the biased generator and the judge learn    train, val
``balanced``    balanced real images, for the row that says what could be reached      train
``measuring``   balanced images that the measuring classifier learns                   train, val
``reference``   balanced images that no model has learnt: every score is against them  test
==============  =====================================================================  ================

Where one small data set has to give all four (``OneSource``), every class is cut by a hash of its image ids: a part for
the reference, a part for the measuring classifier, and the rest, of which the unbalanced images are a long tail. So
MNIST-5k, of which a tail from 500 zeros down to 50 nines would use up every zero, is held out from first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from greycard.config import BY_KIND, to_dict
from greycard.datasets.manifest import Manifest
from greycard.datasets.records import DataError, Source, checked_index
from greycard.datasets.shards import write_shards
from greycard.datasets.shards_job import ShardsJob, write
from greycard.datasets.sources import SourceConfig, open_source
from greycard.datasets.splits import SplitConfig, hash_places
from greycard.datasets.subsets import LongTailConfig
from greycard.schema import IDENTITY, IMAGE_ID, SPLIT, unknown

Rows = NDArray[np.int64]  # of an index
Parts = Mapping[str, Rows]  # split -> rows
_BY_SOURCE: Final = SplitConfig(by="source")


class Sets(NamedTuple):
    """Where the sets lie; ``balanced`` is "" where there is none."""

    real: str
    balanced: str
    measuring: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSource:
    """All sets from one data set without identities, class by class, to ``<study>/shards/<set>``.

    Attributes:
        source: the data set.
        attribute: the attribute whose classes are cut.
        reference: images of each class that no model learns.
        measuring: images of each class that the measuring classifier learns.
        validating: images of each class that validate both classifiers. These take their last epoch, so nothing is
            chosen by them.
        head: images of the first class in the long tail, and of each class in the balanced set; 0 takes as many as are
            left of the rarest class.
        beta: images of the last class as a share of the head (paper 004: 0.1).
        seed: another seed cuts otherwise.
    """

    kind: Literal["one_source"] = "one_source"
    source: SourceConfig
    attribute: str
    reference: int = 80
    measuring: int = 100
    validating: int = 20
    head: int = 0
    beta: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("reference", "measuring", "validating"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name} must be at least 1, got {getattr(self, name)}")
        LongTailConfig(attribute=self.attribute, beta=self.beta, head=self.head)  # checks both

    def write(self, directory: str) -> Sets:
        """Write the sets, or find them.

        Raises:
            DataError: the attribute is not known, a class has too few images, or the data set has identities.
            ManifestError: the folder holds shards of another config.
        """
        reader = open_source(self.source)
        index = checked_index(reader.index(), reader.attributes())
        places = {}
        for name, parts in self.cut(index, reader.attributes()).items():
            places[name] = f"{directory}/shards/{name}"
            stated = {"source": reader.stated(), "cut": _without_source(self), "set": name}
            part = _Part(reader, index, parts, stated)
            told(write_shards(part, places[name], split=_BY_SOURCE))
        return Sets(**places)

    def cut(self, index: pa.Table, attributes: Mapping[str, tuple[str, ...]]) -> dict[str, Parts]:
        """Return set -> split -> rows of a checked index, in its order.

        Raises:
            DataError: see ``write``.
        """
        if self.attribute not in attributes:
            raise DataError(f"data.attribute: {unknown('attribute', self.attribute, tuple(attributes))}")
        if any(index[IDENTITY].to_pylist()):
            raise DataError(
                "the data set has identities, which a cut by image would show to trained and to held-out parts: set "
                "data to own_sources, each split by identity"
            )
        pools = self._pools(index, attributes[self.attribute])
        held = self.reference + self.measuring + self.validating
        head = self.head or min(len(pool) - held for pool in pools)
        tail = LongTailConfig(attribute=self.attribute, beta=self.beta).counts(head, len(pools))
        for name, pool in zip(attributes[self.attribute], pools, strict=True):
            if len(pool) < held + max(head, 1):
                raise DataError(
                    f"{self.attribute}={name!r} has {len(pool)} images, and {held} are held out and {max(head, 1)} "
                    "trained on: lower data.reference, data.measuring, data.validating or data.head"
                )
        if not min(tail):
            label = attributes[self.attribute][tail.index(0)]
            raise DataError(
                f"{self.attribute}={label!r} would keep no image of a tail of {head}: raise data.beta or data.head"
            )
        bounds = np.cumsum([0, self.reference, self.measuring, self.validating])
        reference, measuring, validating = (
            _joined([pool[start:stop] for pool in pools]) for start, stop in pairwise(bounds.tolist())
        )
        even = [pool[held : held + head] for pool in pools]
        unbalanced = [part[:count] for part, count in zip(even, tail, strict=True)]
        return {
            "real": {"train": _joined(unbalanced), "val": validating},
            "balanced": {"train": _joined(even), "val": validating},
            "measuring": {"train": measuring, "val": validating},
            "reference": {"test": reference},
        }

    def _pools(self, index: pa.Table, classes: tuple[str, ...]) -> list[Rows]:
        """Return the rows of each class in the order of their ids' hashes."""
        labels = np.asarray(index[self.attribute].to_pylist(), dtype=object)
        places = hash_places([f"rebalance {key}" for key in index[IMAGE_ID].to_pylist()], self.seed)
        pools = (np.flatnonzero(labels == name) for name in classes)
        return [rows[np.argsort(places[rows], kind="stable")] for rows in pools]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSources:
    """Each set from a data set of its own, or from a part of one; what they share is the recipe's matter.

    Attributes:
        real: the unbalanced images, with the splits train and val.
        balanced: balanced images to train on, with the same splits; None leaves that row out.
        measuring: what the measuring classifier learns, with the same splits.
        reference: balanced held-out images, of which the split ``audit.reference_split`` is taken.
    """

    kind: Literal["own_sources"] = "own_sources"
    real: ShardsJob
    balanced: ShardsJob | None = None
    measuring: ShardsJob
    reference: ShardsJob

    def write(self, directory: str) -> Sets:
        """Write the sets to where each job says, or find them; the study's own directory has no part in it."""
        jobs = {"real": self.real, "balanced": self.balanced, "measuring": self.measuring, "reference": self.reference}
        return Sets(**{name: write(job).uri if job else "" for name, job in jobs.items()})


SetsConfig = Annotated[OneSource | OwnSources, BY_KIND]


class _Part(Source):
    """Some rows of a data set, with the splits that they were given."""

    __slots__ = ("_reader", "_rows", "_stated", "drawn")

    def __init__(self, reader: Source, index: pa.Table, parts: Parts, stated: dict[str, Any]) -> None:
        splits = np.full(index.num_rows, None, dtype=object)
        for split, rows in parts.items():
            splits[rows] = split
        named = index.set_column(index.column_names.index(SPLIT), SPLIT, pa.array(splits.tolist(), pa.string()))
        self._rows = named.filter(pa.array([split is not None for split in splits]))
        self._reader, self._stated = reader, stated
        self.drawn = reader.drawn  # type: ignore[misc]

    @property
    def version(self) -> str:
        return self._reader.version

    @property
    def dataset(self) -> str:
        return self._reader.dataset

    def stated(self) -> dict[str, Any]:
        return self._stated

    def attributes(self) -> dict[str, tuple[str, ...]]:
        return self._reader.attributes()

    def index(self) -> pa.Table:
        return self._rows

    def load(self, rows: pa.Table) -> list[bytes]:
        return self._reader.load(rows)


def told(manifest: Manifest) -> Manifest:
    """Print what a set holds, and return its manifest."""
    rows = ", ".join(f"{manifest.num_rows(split):,} {split}" for split in manifest.splits)
    print(f"{manifest.uri}: {manifest.dataset}, {rows} images, digest {manifest.digest}")
    return manifest


def _joined(parts: list[Rows]) -> Rows:
    return np.sort(np.concatenate(parts))


def _without_source(config: OneSource) -> dict[str, Any]:
    return {name: value for name, value in to_dict(config).items() if name not in ("kind", "source")}
