"""The models of a study: a judge and a measuring classifier with their confusions, then generators row by row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import ray

from greycard.classifiers import AnyClassifier
from greycard.datasets.loading import load_images
from greycard.datasets.manifest import Manifest
from greycard.fitting.driver import TrainError, train_planned
from greycard.fitting.kinds.generators import SEED, GeneratorTraining
from greycard.fitting.plan import MODELS, TrainJob, plan
from greycard.generators import GeneratorConfig
from greycard.layers.weights import read_description
from greycard.progress import say
from greycard.studies.rebalancing.plan import REAL, REJECTION, RebalanceJob
from greycard.studies.rebalancing.rows import BALANCED, DIRECTORY, SYNTHETIC, RowsConfig, row
from greycard.studies.rebalancing.sets import Sets
from greycard.tracking import Run
from greycard.training.progress import write_json

CLASSIFIERS: Final = "classifiers"
_WEIGHTED_LIKE: Final = "syn_bias"  # the row that the control is trained like


class Judges(NamedTuple):
    """The trained classifiers.

    Attributes:
        judge: the classifier of search and share loss.
        measuring: the classifier of the audit.
        confusion: classifier (judge, measuring), label, predicted, count: on the held-out images.
        accuracy: classifier -> balanced accuracy there: the mean over classes of the share labelled correctly.
    """

    judge: AnyClassifier
    measuring: AnyClassifier
    confusion: pd.DataFrame
    accuracy: dict[str, float]


class Trained(NamedTuple):
    """Generators of some rows.

    Attributes:
        generators: model -> its config with weights.
        rows: model -> row.
        seeds: model -> seed.
        failed: row -> why it could not be trained.
    """

    generators: dict[str, GeneratorConfig]
    rows: dict[str, str]
    seeds: dict[str, int]
    failed: dict[str, str]

    def with_rows(self, others: "Trained") -> "Trained":
        """Return these generators and others together."""
        return Trained(
            self.generators | others.generators,
            self.rows | others.rows,
            self.seeds | others.seeds,
            self.failed | others.failed,
        )

    def of(self, row: str) -> list[str]:
        """Return the models of a row, seed by seed."""
        return [name for name, found in self.rows.items() if found == row]


def train_classifiers(job: RebalanceJob, sets: Sets, run: Run) -> Judges:
    """Train both classifiers, and count their confusions on the held-out images.

    Raises:
        TrainError: one could not be trained.
        ManifestError: a set lacks the task or its classes.
        ValueError: the judge is to learn balanced images, and there are none.
    """
    if job.judge_learns == "balanced" and not sets.balanced:
        raise ValueError("judge_learns=balanced needs balanced images: set data.balanced, or judge_learns=real")
    judge = replace(job.judge, shards=sets.balanced if job.judge_learns == "balanced" else sets.real)
    measuring = replace(job.measuring, shards=sets.measuring)
    training = _training(job, CLASSIFIERS, (judge, measuring))
    _check_trained(_train(training, run))
    first = {role: next(iter(training.trained(item).items())) for role, item in _roles(judge, measuring)}
    counts = {role: _counted(job, sets.reference, name, config) for role, (name, config) in first.items()}
    frames, accuracy = [], {}
    for role, (name, _) in first.items():
        frame = _frame(counts[role], job.classes)
        accuracy[role] = balanced_accuracy(counts[role])
        frames.append(frame.assign(classifier=role)[["classifier", *frame.columns]])
        with run.child(name, name=name) as child:
            child.log_table(frame, "confusion.json")
            child.log_metrics({"balanced_accuracy": accuracy[role]})
    run.log_metrics({f"balanced_accuracy/{role}": value for role, value in accuracy.items()})
    confusion = pd.concat(frames, ignore_index=True)
    return Judges(first["judge"][1], first["measuring"][1], confusion, accuracy)


def _roles(judge: Any, measuring: Any) -> tuple[tuple[str, Any], ...]:
    return ("judge", judge), ("measuring", measuring)


def balanced_accuracy(counts: np.ndarray[Any, Any]) -> float:
    """Return the mean over classes of the share that is labelled correctly; classes without images do not count.

    Args:
        counts: (K, K) images by label and predicted class.

    Example:
        >>> balanced_accuracy(np.array([[9, 1, 0], [0, 5, 5], [0, 0, 0]]))
        0.7
    """
    images = counts.sum(axis=1)
    return float((counts.diagonal()[images > 0] / images[images > 0]).mean())


def train_real_rows(job: RebalanceJob, sets: Sets, judge: AnyClassifier, run: Run) -> Trained:
    """Train the rows of real images, those of balanced images only where there are some.

    Returns:
        The generators; a row that failed is in ``failed``.

    Raises:
        TrainError: ``real``, which all else follows from, could not be trained.
    """
    wanted = [name for name in job.rows if name not in job.synthetic_rows and (name != BALANCED or sets.balanced)]
    ordered = sorted(wanted, key=lambda name: name != REAL)
    return _train_rows(job, DIRECTORY, [_row(job, sets, judge, name) for name in ordered], run)


def train_synthetic_rows(
    job: RebalanceJob, sets: Sets, judge: AnyClassifier, synthetic: Mapping[str, str], run: Run
) -> Trained:
    """Train the rows of synthetic images.

    Args:
        job: the study.
        sets: its real images.
        judge: the classifier of the share loss.
        synthetic: method -> URI of the synthetic set.
        run: the study's MLflow run.

    Returns:
        The generators; a row that failed is in ``failed``.
    """
    trainings = [
        _row(job, sets, judge, name, synthetic["rejection" if name == REJECTION else "search"])
        for name in job.synthetic_rows
    ]
    return _train_rows(job, SYNTHETIC, trainings, run)


def _train_rows(job: RebalanceJob, folder: str, trainings: Sequence[GeneratorTraining], run: Run) -> Trained:
    if not trainings:
        return Trained({}, {}, {}, {})
    training = _training(job, folder, trainings)
    failures = _train(training, run)
    failed = {item.name: f"{failures[name]}" for item in trainings for name in item.models() if name in failures}
    if REAL in failed:
        _check_trained(failures)
    done = [item for item in trainings if item.name not in failed]
    return Trained(
        {name: config for item in done for name, config in training.trained(item).items()},
        {name: item.name for item in done for name in item.models()},
        {item.model_name(seed): seed for item in done for seed in item.seeds},
        failed,
    )


def _row(job: RebalanceJob, sets: Sets, judge: AnyClassifier, name: str, synthetic: str = "") -> GeneratorTraining:
    config = RowsConfig(
        generator=job.generator,
        training=job.training,
        fine_tune_images=job.fine_tune_images,
        judge=judge,
        task=job.task,
        shares=job.shares,
        real=sets.real,
        synthetic=synthetic,
        balanced=sets.balanced,
        start=str(job.home / DIRECTORY / MODELS / f"{REAL}-seed{SEED}"),
        seeds=job.seeds,
        samples=job.samples,
    )
    return replace(row(config, _WEIGHTED_LIKE if name == REJECTION else name), name=name)


def _training(job: RebalanceJob, folder: str, models: Sequence[Any]) -> TrainJob:
    return TrainJob(
        study=job.study,
        directory=str(job.home / folder),
        models=tuple(models),
        size=job.generator.size,
        registry=f"{job.registry}-{job.study}",
        workers=job.workers,
        session=job.session,
    )


def _train(training: TrainJob, run: Run) -> dict[str, Exception]:
    """Train what is not finished, log it as children of the study's run; return model -> why it failed."""
    try:
        train_planned(training, run, plan(training, Path(training.directory)))
    except TrainError as error:
        for name, reason in error.failures.items():
            say(f"{name} could not be trained: {reason}")
        return error.failures
    return {}


def _check_trained(failures: Mapping[str, Exception]) -> None:
    if failures:
        raise TrainError("; ".join(f"{name}: {error}" for name, error in failures.items()))


def _counted(job: RebalanceJob, uri: str, name: str, config: AnyClassifier) -> np.ndarray[Any, Any]:
    """Return (K, K) held-out images by label and predicted class; counted once for the same weights and images."""
    path = job.home / CLASSIFIERS / f"confusion-{name}.json"
    manifest = Manifest.load(uri)
    split, size = job.audit.reference_split, job.generator.size
    key = [str(read_description(config.weights)["fingerprint"]), manifest.digest, split, size]
    if path.exists() and (found := json.loads(path.read_text()))["key"] == key:
        return np.array(found["counts"])
    work: Any = ray.remote(count_confusions)
    options = {"num_cpus": job.workers.num_cpus, "num_gpus": job.workers.num_gpus}
    counts = ray.get(work.options(**options).remote(config, uri, split, job.task, size))
    write_json(path, {"key": key, "counts": counts.tolist()})
    return np.array(counts)


def count_confusions(config: AnyClassifier, uri: str, split: str, task: str, size: int) -> np.ndarray[Any, Any]:
    """Return (K, K) images of a split by label and predicted class; images without a label do not count."""
    loaded = load_images(uri, split, size=size, attributes=(task,))
    labels = loaded.labels[task].numpy()
    read = config.build().predict(loaded.images)[task].numpy()
    classes = len(config.class_sets[task])
    known = labels >= 0
    return np.bincount(labels[known] * classes + read[known], minlength=classes**2).reshape(classes, classes)


def _frame(counts: np.ndarray[Any, Any], classes: Sequence[str]) -> pd.DataFrame:
    rows = [(classes[b], classes[a], int(counts[b, a])) for b in range(len(classes)) for a in range(len(classes))]
    return pd.DataFrame(rows, columns=["label", "predicted", "count"])
