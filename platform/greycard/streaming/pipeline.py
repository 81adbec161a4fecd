"""One Ray Data pipeline: shards -> blocks of rows -> decode tasks -> an actor pool -> Parquet, resumable by row.

``read (tasks) -> checkpoint filter on a resume -> repartition -> Decode (tasks) -> stage (actors) -> write (tasks)``

A block is written once it is through, together with the ids that it holds (Ray Data's two-phase checkpoint), so a run
that was killed anywhere resumes with the rows that are not there yet.
"""

import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset, TaskPoolStrategy
from ray.data.checkpoint import CheckpointConfig
from ray.data.exceptions import SystemException, UserCodeException
from ray.exceptions import ActorDiedError, RayTaskError
from ray.exceptions import RayError as RayFailure
from ray.util.annotations import RayDeprecationWarning

from greycard.datasets.storage import Folder
from greycard.schema import IMAGE_ID
from greycard.streaming.cluster import Demand, fitting

Table = Callable[[pa.Table], pa.Table]
_CARRIERS: Final = (SystemException, UserCodeException)  # Ray Data's own: they carry the cause and say nothing
_LENGTH: Final = 600
_RAISED: Final = re.compile(r"[\w.]*(Error|Exception|Unavailable): ")  # the end of a traceback
_FILTER_CPUS: Final = 1.0  # Ray's checkpoint filter is an actor of this size,
_FILTER_MEMORY_MB: Final = 1024.0  # and of this memory at least


class PipelineError(RuntimeError):
    """A pipeline that could not end: says which stage and why; what was written stays and is not done again."""


class Stage(Protocol):
    """A config that an actor builds once, and then calls with every block."""

    def build(self) -> Table:
        """Return the stage, ready to be called."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """How a pipeline is spread. Results do not depend on it.

    Attributes:
        actors: actors that hold a model each; 0 takes as many as the cluster has room for and the images keep busy.
        num_cpus: CPU slots per actor; also its torch threads.
        num_gpus: GPUs per actor: a number, a fraction (0.25: four actors share one) or 0.
        memory_mb: memory an actor is expected to need, in MiB, for Ray's scheduling; 0 says nothing.
        rows_per_block: images per block: what a call of a stage gets, what a file of the reconstruction set holds, and
            at most what a crash repeats.
        decode_cpus: CPU slots per decoding task.
        max_restarts: how often an actor that died, or whose node was lost, is started again with the block it was at.
    """

    actors: int = 0
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    memory_mb: int = 0
    rows_per_block: int = 256
    decode_cpus: float = 0.5
    max_restarts: int = 2

    def __post_init__(self) -> None:
        if self.actors < 0 or self.rows_per_block < 1:
            raise ValueError(
                f"resources.actors must be at least 0 and resources.rows_per_block at least 1, got {self.actors} and "
                f"{self.rows_per_block}"
            )
        if self.num_cpus <= 0 or self.decode_cpus <= 0:
            raise ValueError(
                f"resources.num_cpus and resources.decode_cpus must be above 0, got {self.num_cpus} and "
                f"{self.decode_cpus}"
            )
        if self.num_gpus < 0 or self.memory_mb < 0 or self.max_restarts < 0:
            raise ValueError("resources.num_gpus, resources.memory_mb and resources.max_restarts must be at least 0")

    @property
    def threads(self) -> int:
        """Torch threads per actor: one for each of its whole CPU slots, at least one."""
        return max(1, int(self.num_cpus))

    def demand(self, *, resuming: bool) -> Demand:
        """Return what a pipeline holds: its actors, and room for a reading or writing task and Ray's filter."""
        return Demand(
            count=max(1, self.actors),
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            memory_mb=self.memory_mb,
            spare_cpus=1.0 + (_FILTER_CPUS if resuming else 0.0),
            spare_memory_mb=_FILTER_MEMORY_MB if resuming else 0.0,
        )

    def on_this_cluster(self, images: int) -> "Resources":
        """Return the same with a number of actors, within a ``session``."""
        if self.actors:
            return self
        blocks = math.ceil(images / self.rows_per_block)
        return replace(self, actors=fitting(self.demand(resuming=True), blocks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Files in, files out.

    Attributes:
        name: for messages.
        files: paths or URIs of the shards.
        columns: which of their columns are read; ``image_id`` among them.
        decode: what tasks do with a block.
        stage: what actors do with a block after that.
        output: folder of the written Parquet files.
        checkpoint: folder of the ids that are written.
        resources: how it is spread.
    """

    name: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    decode: Table
    stage: Stage
    output: Folder
    checkpoint: Folder
    resources: Resources

    def run(self) -> None:
        """Stream every row that is not written yet, within a ``session``.

        Raises:
            PipelineError: a stage could not be built, an actor died again and again, or nothing moved for too long.
        """
        self.output.create()
        context = DataContext.get_current()
        context.checkpoint_config = CheckpointConfig(
            id_column=IMAGE_ID,
            checkpoint_path=self.checkpoint.uri,
            override_filesystem=self.checkpoint.filesystem,
            delete_checkpoint_on_success=False,
        )
        try:
            dataset = self._stages(self._read())
            dataset.write_parquet(self.output.uri, filesystem=self.output.filesystem)
        except (RayFailure, *_CARRIERS) as error:
            raise PipelineError(
                f"{self.name}: {_cause(error)}. Finished rows are kept in {self.output.uri}; the same command goes on "
                "from there"
            ) from error
        finally:
            context.checkpoint_config = None

    def _read(self) -> Dataset:
        folder = Folder.open(self.files[0].rpartition("/")[0])
        paths = [folder.path_of(file.rpartition("/")[2]) for file in self.files]
        return ray.data.read_parquet(paths, filesystem=folder.filesystem, columns=list(self.columns))

    def _stages(self, dataset: Dataset) -> Dataset:
        resources = self.resources
        blocks = dataset.repartition(target_num_rows_per_block=resources.rows_per_block, strict=True)
        decoded = blocks.map_batches(
            self.decode,
            batch_size=None,
            batch_format="pyarrow",
            compute=TaskPoolStrategy(),
            num_cpus=resources.decode_cpus,
        )
        return map_actors(decoded, self.stage, resources)


def map_actors(dataset: Dataset, stage: Stage, resources: Resources) -> Dataset:
    """Run a stage in an actor pool whose actors restart a bounded number of times.

    Ray's own default restarts for ever, so one image that kills its actor would loop until the pipeline counts as
    stalled. Only restarts are bounded: tries of a block are not, because each call that meets a node which has just
    gone counts as one. The bound rides on free-form remote arguments, which Ray means to replace: this is the one
    place that uses them.
    """
    options: dict[str, Any] = {"max_restarts": resources.max_restarts}
    if resources.memory_mb:
        options["memory"] = resources.memory_mb * 2**20
    if resources.num_gpus:
        options["num_gpus"] = resources.num_gpus
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return dataset.map_batches(
            _Built,
            fn_constructor_args=(stage,),
            batch_size=resources.rows_per_block,  # a GPU stage must name a size; blocks have this size
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=resources.actors),
            num_cpus=resources.num_cpus,
            **options,
        )


class _Built:
    """The class that Ray Data makes an actor of: builds a stage and calls it."""

    def __init__(self, stage: Stage) -> None:
        self.call = stage.build()

    def __call__(self, table: pa.Table) -> pa.Table:
        return self.call(table)


def _cause(error: BaseException) -> str:
    """Return the innermost message, on one line: what went wrong in the worker, not how it travelled."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain:
        chain.append(step)
        cause = getattr(step, "cause", None)
        step = cause if isinstance(cause, BaseException) else step.__cause__
    told = [link for link in chain if not isinstance(link, _CARRIERS) and str(link).strip()]
    innermost = told[-1] if told else error
    lines = [line.strip() for line in str(innermost).splitlines() if line.strip()]
    if isinstance(innermost, RayTaskError | ActorDiedError) and _RAISED.match(lines[-1]):
        return lines[-1]  # the last line of the worker's traceback
    return f"{type(innermost).__name__}: {' '.join(lines)[:_LENGTH]}"
