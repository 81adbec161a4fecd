"""What a synthesis's first actors do: ``rows of (class, seed) -> latent search, or rejection -> one row per lineage``.

A row's lineage depends on the row alone, so actors, their number and the order of rows change nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import torch

from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.labelling import GeneratorLabeller, Remembering
from greycard.latent_search.lineage import Lineage
from greycard.latent_search.rejection import Sampled, reject
from greycard.latent_search.search import Labeller, Missing, Scales, search
from greycard.schema import ERROR, FAILED, IMAGE_ID, OK, STATUS
from greycard.streaming.generating import GeneratorBuilder
from greycard.streaming.restoring import on_device

CODE: Final = "code"  # int64: of the class that is looked for
LABEL: Final = "label"  # string: its name
SEED: Final = "seed"  # int64: from which a lineage's start is looked for
LINEAGE: Final = "lineage"  # int64: its number within its class
FOUND: Final = "found"  # int64: seed of the start; null where there is none
UNIT: Final = "unit"  # float64: median distance of features between random images
LATENTS: Final = "latents"  # list<large_binary>: float32 bytes of every accepted latent, in order
PARENTS: Final = "parents"  # list<int32>: number of the accepted latent that one was mutated from, -1 for the start
DEPTHS: Final = "depths"  # list<int32>: mutations from the start
DISTANCES: Final = "distances"  # list<float64>: from the start
DUPLICATES: Final = "duplicates"  # list<bool>: near to an earlier one of the lineage, so not part of the result

LINEAGE_INPUT: Final = (IMAGE_ID, CODE, LABEL, SEED, LINEAGE)
LINEAGE_SCHEMA: Final = pa.schema(
    [
        (IMAGE_ID, pa.string()),  # of the lineage: what the row checkpoint goes by
        (CODE, pa.int64()),
        (LABEL, pa.string()),
        (SEED, pa.int64()),
        (LINEAGE, pa.int64()),
        (STATUS, pa.string()),
        (ERROR, pa.string()),
        (FOUND, pa.int64()),
        ("looked", pa.int64()),  # seeds until the start was found; rows of other classes share them
        ("evaluated", pa.int64()),  # latents of the lineage that were turned into images and classified
        ("refused", pa.int64()),  # of other classes
        ("dropped", pa.int64()),  # mutations left out because the queue was full
        (UNIT, pa.float64()),
        (LATENTS, pa.list_(pa.large_binary())),
        (PARENTS, pa.list_(pa.int32())),
        (DEPTHS, pa.list_(pa.int32())),
        (DISTANCES, pa.list_(pa.float64())),
        (DUPLICATES, pa.list_(pa.bool_())),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStage:
    """What the actors of a search do, as a config: small, and built once in each actor.

    Attributes:
        generator: builds the generator.
        classifier: builds the classifier, an ``AttributeClassifier`` or what has its ``tasks`` and ``recognise``.
        task: the attribute whose classes are looked for.
        method: ``search`` or ``rejection``.
        search: the config of the search of latents.
        batch: latents evaluated at once.
        together: lineages under way at once.
        threads: torch threads per actor.
        gpu: run on a GPU if the actor sees one.
    """

    generator: GeneratorBuilder
    classifier: Any
    task: str
    method: Literal["search", "rejection"]
    search: LatentSearchConfig
    batch: int = 128
    together: int = 32
    threads: int = 1
    gpu: bool = False

    def build(self) -> "Search":
        """Return the stage with its models loaded."""
        return Search(self)


def labeller_of(
    generator: GeneratorBuilder, classifier: Any, task: str, *, threads: int, gpu: bool, min_confidence: float = 0.0
) -> Any:
    """Build generator and classifier in this process and return them as a ``GeneratorLabeller``."""
    torch.set_num_threads(threads)
    device = "cuda" if gpu and torch.cuda.is_available() else ""
    built = on_device(generator, device).build(), on_device(classifier, device).build()
    return GeneratorLabeller(*built, task, min_confidence)


class Search:
    """Rows of (class, seed) to rows of lineages."""

    def __init__(self, config: SearchStage, labeller: Labeller | None = None) -> None:
        self.config = config
        self.labeller: Labeller = labeller or labeller_of(
            config.generator,
            config.classifier,
            config.task,
            threads=config.threads,
            gpu=config.gpu,
            min_confidence=config.search.min_confidence,
        )
        measured = Scales.measure(self.labeller, replace(config.search, min_distance=1.0))
        self.unit = measured.near
        self.scales = Scales(measured.steps, config.search.min_distance * self.unit)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Search from every row of a block."""
        rows = {(row[CODE], row[SEED]): row for row in table.select(LINEAGE_INPUT).to_pylist()}
        found = [rows[_key(item)] | self._row(item) for item in self._search(sorted(rows, key=lambda row: row[::-1]))]
        return pa.Table.from_pylist(found, LINEAGE_SCHEMA)

    def _search(self, rows: list[tuple[int, int]]) -> Iterator[Lineage | Missing | Sampled]:
        config = self.config
        if config.method == "search":
            return search(
                rows,
                self.labeller,
                config.search,
                batch=config.batch,
                lineages=config.together,
                scales=self.scales,
            )
        batches = -(-config.search.start_budget // config.batch)
        return reject(rows, Remembering(self.labeller, batches), config.search, batch=config.batch)

    def _row(self, item: Lineage | Missing | Sampled) -> dict[str, Any]:
        if isinstance(item, Missing):
            return self._empty(item.tried)
        if not item.accepted:
            return self._empty(item.popped)
        looked = item.popped if isinstance(item, Sampled) else item.start.found - item.start.seed + 1
        return {
            STATUS: OK,
            ERROR: "",
            FOUND: item.start.found,
            "looked": looked,
            "evaluated": item.popped,
            "refused": item.refused,
            "dropped": item.dropped,
            UNIT: self.unit,
            LATENTS: [accepted.latent.astype(np.float32).tobytes() for accepted in item.accepted],
            PARENTS: [accepted.parent for accepted in item.accepted],
            DEPTHS: [accepted.depth for accepted in item.accepted],
            DISTANCES: [accepted.distance for accepted in item.accepted],
            DUPLICATES: [accepted.duplicate for accepted in item.accepted],
        }

    def _empty(self, tried: int) -> dict[str, Any]:
        lists: dict[str, list[Any]] = {name: [] for name in (LATENTS, PARENTS, DEPTHS, DISTANCES, DUPLICATES)}
        counts = {"looked": tried, "evaluated": 0, "refused": 0, "dropped": 0}
        error = f"no image of the class among {tried} seeds"
        return {STATUS: FAILED, ERROR: error, FOUND: None, UNIT: self.unit, **counts, **lists}


def _key(item: Lineage | Missing | Sampled) -> tuple[int, int]:
    return (item.code, item.seed) if isinstance(item, Missing) else (item.start.code, item.start.seed)
