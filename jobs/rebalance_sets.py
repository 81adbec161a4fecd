"""The sets of images that a study of rebalancing needs, disjoint where that is possible.

==============  =====================================================================  ================
set             what for                                                               splits
==============  =====================================================================  ================
``real``        the unbalanced images that the biased generator and the judge learn    train, val
``balanced``    balanced real images, for the row that says what could be reached      train
``measuring``   balanced images that the measuring classifier learns                   train, val
``reference``   balanced images that nobody has learnt: every score is against them    test
==============  =====================================================================  ================

Where one small data set has to give all four (``OneSource``), every class is cut by a hash of its image ids: a part for
the reference, a part for the measuring classifier, and the rest, of which the unbalanced images are a long tail. So
MNIST-5k, of which a tail from 500 zeros down to 50 nines would use up every zero, is held out from first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from greycard.datasets.manifest import Manifest
from greycard.datasets.records import DataError, Source, checked_index
from greycard.datasets.shards import write_shards
from greycard.datasets.sources import SourceConfig, open_source
from greycard.datasets.splits import SplitConfig, hash_places
from greycard.datasets.subsets import LongTailConfig
from greycard.schema import IMAGE_ID, SPLIT, unknown
from jobs import shards
from jobs.shards import ShardsJob

Parts = Mapping[str, NDArray[np.int64]]  # split -> rows of an index
BY_SOURCE: Final = SplitConfig(by="source")


class Sets(NamedTuple):
    """Where the sets lie; ``balanced`` is "" where there are none."""

    real: str
    balanced: str
    measuring: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSource:
    """All sets from one data set, class by class.

    Attributes:
        source: the data set.
        attribute: whose classes are cut.
        reference: images of each class that nobody learns.
        measuring: images of each class that the measuring classifier learns.
        validating: images of each class that validate both classifiers, which take their last epoch, so that nothing
            is chosen by them.
        head: images of the first class in the long tail, and of each class in the balanced set; 0 takes all that are
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
        self.tail  # noqa: B018  (checks beta and head)

    @property
    def tail(self) -> LongTailConfig:
        """How many of each class are left in the unbalanced set."""
        return LongTailConfig(attribute=self.attribute, beta=self.beta, head=self.head)

    def write(self, directory: str) -> Sets:
        """Write the sets, or find them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSources:
    """Each set from a data set of its own, or from a part of one; what they share is the recipe's matter.

    Attributes:
        real: the unbalanced images, with the splits train and val.
        balanced: balanced images to train on; None leaves that row out.
        measuring: what the measuring classifier learns, with the splits train and val.
        reference: balanced held-out images, of which the split test is taken.
    """

    kind: Literal["own_sources"] = "own_sources"
    real: ShardsJob
    balanced: ShardsJob | None = None
    measuring: ShardsJob
    reference: ShardsJob

    def write(self, directory: str) -> Sets:
        """Write the sets to where each job says, or find them."""
        raise NotImplementedError


SetsConfig = Annotated[OneSource | OwnSources, Field(discriminator="kind")]
