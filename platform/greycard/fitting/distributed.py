"""Train one model with several processes of Ray Train, to the numbers of one: what `jobs.train` runs in a Ray task.

``task -> data, once in the object store -> TorchTrainer: task.train in each worker (gloo or nccl) -> outcome``

The first worker writes the checkpoints that `greycard.training.loop` writes, so a run may go on with another number of
processes. Ray Train's own checkpoints are not used.
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray
import torch.distributed as dist
from ray import ObjectRef
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError, get_context
from ray.train.torch import TorchConfig, TorchTrainer

from greycard.fitting.model import ModelTask, read_data
from greycard.fitting.task import Outcome
from greycard.training.data import TrainingData
from greycard.training.progress import report_epochs
from greycard.training.session import Report
from greycard.training.workers import Workers

STORAGE: Final = "ray_train"  # the folder of a model's directory that Ray Train wants; it is removed at the end
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The workers of one model.

    Attributes:
        count: how many, at least 1.
        num_cpus: CPUs of each.
        num_gpus: GPUs of each.
        max_retries: how often they are started again after one of them died.
    """

    count: int
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    max_retries: int = 3

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"processes.count must be at least 1, got {self.count}")

    @property
    def resources(self) -> dict[str, float]:
        """What each worker asks of Ray."""
        return {"CPU": self.num_cpus} | ({"GPU": self.num_gpus} if self.num_gpus else {})

    @property
    def backend(self) -> str:
        """What they talk through: nccl between whole GPUs, else gloo."""
        return "cpu:gloo,cuda:nccl" if self.num_gpus >= 1 else "gloo"


def train_distributed(
    task: ModelTask, processes: Processes, data: TrainingData | None = None, report: Report | None = None
) -> Outcome:
    """Train a model as ``task.train`` does, with several processes; Ray must be running.

    Args:
        task: the model; its directory must be on a file system that all nodes share.
        processes: the workers.
        data: what to train from; None reads it, once.
        report: called with each epoch's metrics once the model is finished.

    Raises:
        CheckpointError, DivergedError, ManifestError: as from ``task.train``.
        TrainingFailedError: workers died more often than ``processes.max_retries``.
    """
    outcome = task.outcome() if data is None or data.start is None else None
    if outcome is None:
        shared = ray.put(data or read_data(task))
        for attempt in range(processes.max_retries + 1):
            failure = _attempt(task, processes, shared)
            if failure is None:
                break
            reason = _reason(failure)
            if reason is not None:
                raise reason
            if attempt == processes.max_retries:
                raise failure
            _log.warning("%s: a worker died, starting again from the checkpoint: %s", task.name, failure)
        outcome = task.outcome()
        assert outcome is not None, f"{task.name} ended without an outcome"
    report_epochs(task.directory, report)
    return outcome


def _attempt(task: ModelTask, processes: Processes, shared: "ObjectRef[TrainingData]") -> TrainingFailedError | None:
    """Run the workers once; return what ended them early."""
    storage = Path(task.directory).absolute() / STORAGE
    storage.mkdir(parents=True, exist_ok=True)
    trainer = TorchTrainer(
        _work,
        train_loop_config={"task": task, "data": shared},
        torch_config=TorchConfig(backend=processes.backend),
        scaling_config=ScalingConfig(
            num_workers=processes.count, use_gpu=processes.num_gpus > 0, resources_per_worker=processes.resources
        ),
        run_config=RunConfig(name="workers", storage_path=str(storage), failure_config=FailureConfig(max_failures=0)),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        return error
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    return None


def _work(config: dict[str, Any]) -> None:
    """Train in one worker; torch.distributed's group is set up already."""
    context = get_context()
    workers = Workers(rank=context.get_world_rank(), size=context.get_world_size())
    config["task"].train(ray.get(config["data"]), workers=workers)


def _reason(failure: TrainingFailedError) -> Exception | None:
    """Return the error that training itself ended with; None where a worker or the connection to one was lost."""
    failures: dict[int, Exception] = getattr(failure, "worker_failures", {})
    return next((failures[rank] for rank in sorted(failures) if not _lost(failures[rank])), None)


def _lost(error: Exception) -> bool:
    """Whether an error is Ray's (a dead worker has no public class) or torch.distributed's (gloo's is a plain one)."""
    return (
        type(error).__module__.partition(".")[0] == "ray"
        or isinstance(error, dist.DistError)
        or type(error) is RuntimeError
    )
