"""Carry out a search: Ray Tune runs the trials, the Optuna study keeps what came of them, MLflow shows them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greycard.tracking import Run
from greycard.tuning.configs import SearchConfig, TrialFunction
from greycard.tuning.outcomes import SearchResult
from greycard.tuning.space import Goal, Parameter


def search(
    *,
    name: str,
    directory: str | Path,
    space: Mapping[str, Parameter],
    goals: tuple[Goal, ...],
    config: SearchConfig,
    trial: TrialFunction,
    shared: Any,
    run: Run,
    identity: Mapping[str, str],
    progress: bool = False,
) -> SearchResult:
    """Run a search to its end, or continue the one that a killed driver left; returns all of its trials.

    Ray must have been started or joined. Failed trials are recorded with their reason and the search goes on.

    Args:
        name: of the study in its storage.
        directory: of the search, on a disk that all nodes share; holds ``trials/<run>/``, ``tensorboard/<run>/`` and,
            by default, the study.
        space: parameter -> range.
        goals: what the trials return and the search improves; several make it a Pareto search.
        config: how many, how many at once, with which seeds.
        trial: called in a Ray worker with a ``Trial`` and the shared data; returns metric -> number, with every goal
            among them. A goal that is NaN makes it a failed trial.
        shared: whatever all trials need, put in the object store once.
        run: the parent; each trial becomes its child ``trial-<number>``.
        identity: what else makes the search what it is (digests of data, of the baseline); a study begun with another
            identity is refused.
        progress: draw a progress line.

    Raises:
        StudyError: the storage does not answer, or its study of that name was begun with another space, other goals or
            another identity.
        ValueError: the space, a goal or a point is not accepted.
    """
    raise NotImplementedError
