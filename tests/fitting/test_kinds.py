"""A kind of training that no module of the package knows: planned, trained and resumed through its own methods."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from greycard.datasets.mnist import MnistConfig
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.fitting.kinds.contract import Planned, TrainingKind
from greycard.fitting.plan import TrainJob, WorkersConfig, plan, unfinished
from greycard.fitting.task import Outcome, Task, write_outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting(Task):
    """Counts to a number."""

    number: int

    identity = property(lambda self: {"number": f"{self.number}"})
    fingerprints = property(lambda self: {})
    rounds = property(lambda self: self.number)

    def train(self):
        outcome = Outcome(
            weights=f"{self.directory}/weights", epochs=self.number, best_epoch=1, steps=self.number, stopped="",
            metrics={"count": float(self.number)}, concerns=(),
        )  # fmt: skip
        Path(self.directory).mkdir(parents=True)
        write_outcome(self.directory, self.identity, outcome)
        return outcome

    def params(self):
        return {"number": self.number}

    def summary(self, outcome):
        return outcome.metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    number: int
    weights: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingTraining(TrainingKind[Model]):
    """Each number after the one before."""

    name: str
    numbers: tuple[int, ...]
    shards: str = ""

    def models(self):
        return {f"{self.name}{number}": Model(number=number) for number in self.numbers}

    def tasks(self, site):
        planned, after = [], ""
        for name, model in self.models().items():
            digest = site.manifest(site.shards).digest
            task = Counting(
                name=name, shards=site.shards, shards_digest=digest, size=site.size, number=model.number,
                directory=str(site.models / name), start=after,
            )  # fmt: skip
            planned.append(Planned(task, after))
            after = name
        return planned


@pytest.fixture
def job(tmp_path):
    split = SplitConfig(by="image", train=1.0, val=0.0, test=0.0)
    write_shards(MnistConfig(colored=False, per_digit=2), tmp_path / "shards", split=split, progress=False)
    training = CountingTraining(name="to", numbers=(3, 5))
    return TrainJob(directory=str(tmp_path), shards=str(tmp_path / "shards"), models=(training,))


def test_a_job_plans_it_trains_it_and_finds_it_finished(job, tmp_path):
    planned = plan(job, tmp_path)
    assert {name: (item.after, item.task.rounds) for name, item in planned.items()} == {
        "to3": ("", 3),
        "to5": ("to3", 5),
    }
    assert planned["to3"].task.train().steps == 3
    assert unfinished(plan(job, tmp_path)) == ["to5"]
    assert job.trained(job.models[0])["to5"].weights == str(tmp_path / "models" / "to5" / "weights")


def test_a_kind_says_itself_that_several_processes_may_train_it(job, tmp_path):
    with pytest.raises(ValueError, match="to: several processes"):
        plan(replace(job, workers=WorkersConfig(processes=2)), tmp_path)


def test_a_model_under_another_name_lies_beside_its_own_folder(job, tmp_path):
    task = plan(job, tmp_path)["to5"].renamed("five").task
    assert (task.name, task.directory, task.number) == ("five", str(tmp_path / "models" / "five"), 5)
