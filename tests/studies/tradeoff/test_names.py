"""What a study calls its models and metrics: names that tell settings apart, and goals that are metrics."""

from dataclasses import replace
from pathlib import Path

import pytest

from greycard.datasets.faces import SMILE
from greycard.fitting.kinds.contract import Planned
from greycard.fitting.model import ModelTask
from greycard.fitting.task import Outcome
from greycard.schema import RACE
from greycard.studies.tradeoff import family as tune_family
from greycard.studies.tradeoff import study as tune_study
from greycard.studies.tradeoff.choice import check_metrics
from greycard.studies.tradeoff.codecs import CodecFamily
from greycard.studies.tradeoff.plan import BASELINE, ConfirmConfig, Cost
from greycard.studies.tradeoff.predictors import PredictorFamily
from greycard.studies.tradeoff.trial import Shared, run_trial
from greycard.training.data import TrainingData
from greycard.training.objectives.fair_prediction import FairPrediction
from greycard.tuning import Choice, Float, Goal, Trial
from tests.studies.tradeoff.studies import LOOP, codecs, predictors

EPOCH = {"val/sigma_iou": 0.1, "val/bpp": 0.5, "val/psnr_db/a": 30.0, "val/psnr_db/b": 28.0, "train/bpp": 0.4}
LAM = Float(low=0.1, high=10.0, log=True)
BASELINE_METRICS = {"sigma_iou": 0.1, "accuracy": 0.9, "loss": 1.0}


def predict(job, fair=None):
    return FairPrediction(
        target=SMILE.name, sensitive=(RACE.name,), groups=(RACE.classes,), classes=SMILE.classes, fair=fair
    )


def task_of(job, name, objective, loop=LOOP, model=None):
    return ModelTask(
        name=name, model=model or job.trial.training.classifier, objective=objective, loop=loop,
        shards="", shards_digest="", size=16, directory=f"{job.directory}/train/models/{name}",
    )  # fmt: skip


def reports_of(shared, settings, monkeypatch, tmp_path):
    """Return what a trial reports of an epoch; nothing is trained."""

    def train(task, data, report):
        report(EPOCH, 1)
        metrics = {name.removeprefix("val/"): value for name, value in EPOCH.items()}
        return Outcome(weights="", metrics=metrics, best_epoch=1, epochs=1, steps=1, stopped="", concerns=())

    monkeypatch.setattr(ModelTask, "train", train)
    reports = []
    trial = Trial(number=0, seed=0, settings=settings, directory=tmp_path, report=lambda *all: reports.append(all))
    run_trial(trial, shared)
    return reports


def test_a_predictors_trial_reports_its_goals_by_their_own_names(tmp_path, monkeypatch):
    """A scheduler judges by the goal's name; training reports it as ``val/<name>``."""
    job = predictors(tmp_path)
    data = TrainingData(None, None, None)
    shared = Shared(job.trial, {0: task_of(job, "smile", predict(job))}, data, {0: {}}, ("sigma_iou",))
    ((metrics, step),) = reports_of(shared, {"fair.lam": 3.0}, monkeypatch, tmp_path)
    assert (metrics, step) == (EPOCH | {"sigma_iou": 0.1}, 1)


def test_a_codecs_trial_reports_its_goals_by_their_own_names(tmp_path, monkeypatch):
    job = codecs(tmp_path)
    task = task_of(job, "tiny", job.trial.parity, model=job.trial.training.model_of(job.trial.parity))
    shared = Shared(job.trial, {0: task}, TrainingData(None, None, None), {0: {}}, ("psnr_gap_db", "bpp"))
    ((metrics, _),) = reports_of(shared, {"parity.mu": 3.0}, monkeypatch, tmp_path)
    assert metrics == EPOCH | {"val/psnr_gap_db": 2.0, "psnr_gap_db": 2.0, "bpp": 0.5}


@pytest.mark.parametrize(
    ("family", "plain", "more"),
    [
        (
            lambda path: PredictorFamily(predictors(path), None),
            {"fair.kind": "iou", "fair.lam": 3.0},
            [{"fair.reduction": "sum"}, {"fair.reduction": "mean"}, {"fair.empty": "zero_batch"}],
        ),
        (
            lambda path: CodecFamily(codecs(path), None),
            {"parity.lam": 1e-3, "parity.mu": 3.0},
            [{"parity.gap": "relative"}, {"parity.gap": "absolute"}],
        ),
    ],
)
def test_settings_beyond_those_in_a_name_mark_it(family, plain, more, tmp_path):
    family = family(tmp_path)
    (name,) = family.model_names(plain, (0,)).values()
    assert name == family.recipe_names(plain, (0,))[0]
    assert name in ("smile-iou-lam3-seed0", "tiny-lam0.001-mu3-seed0")
    marked = [family.model_names(plain | fields, (0,))[0] for fields in more]
    assert len({name, *marked}) == 1 + len(more)
    assert all(other.startswith(name.removesuffix("seed0")) and other.endswith("-seed0") for other in marked)
    again = family.model_names(dict(reversed((plain | more[0]).items())), (0,))
    assert again[0] == marked[0]
    assert family.recipe_names(plain | more[0], (0,))[0] == name  # a recipe alone has nothing to be told from
    assert family.model_names(None, (0,)) == family.recipe_names(None, (0,))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose recipes are planned without images."""
    job = predictors(tmp_path, space={"fair.lam": LAM, "fair.reduction": Choice(values=("sum", "mean"))})

    def plan(recipe, directory):
        (training,) = recipe.models
        found = {}
        for seed in training.seeds:
            first = training.baseline_name(seed)
            found[first] = Planned(task_of(job, first, predict(job), training.loop_of(None, seed)), "")
            for fair in training.fair:
                name, loop = training.fair_name(fair, seed), training.loop_of(fair, seed)
                found[name] = Planned(task_of(job, name, predict(job, fair), loop), first)
        return found

    monkeypatch.setattr(tune_family, "plan", plan)
    return tune_study._Study(job, PredictorFamily(job, None), None, None)


def test_choices_that_differ_in_other_fields_are_models_of_their_own(study):
    wanted = {
        "best": {"fair.lam": 3.0, "fair.reduction": "sum"},
        "knee": {"fair.lam": 3.0, "fair.reduction": "mean"},
        "again": {"fair.lam": 3.0, "fair.reduction": "mean"},
    }
    planned = study.planned(wanted, (0, 1))
    names = [[*study.family.model_names(settings, (0, 1)).values()] for settings in wanted.values()]
    assert set(planned) == {"smile-seed0", "smile-seed1", *names[0], *names[1]}
    assert names[1] == names[2]
    for best, knee in zip(*names[:2], strict=True):
        assert planned[best].task.objective.fair.reduction == "sum"
        assert planned[knee].task.objective.fair.reduction == "mean"
        assert planned[best].after == planned[knee].after == f"smile-{best[-5:]}"
    assert all((item.task.name, Path(item.task.directory).name) == (name, name) for name, item in planned.items())
    assert study.planned({BASELINE: None}, (0, 1)).items() <= planned.items()


def test_equal_names_of_different_models_are_refused(study):
    """The name holds six digits of λ."""
    with pytest.raises(ValueError, match=r"best, knee make different models .*'smile-iou-lam3-seed0'"):
        study.planned({"best": {"fair.lam": 3.0}, "knee": {"fair.lam": 3.0000001}}, (0,))


def test_a_study_goes_on_with_another_concurrency(tmp_path):
    job = predictors(tmp_path)
    assert replace(job, search=replace(job.search, concurrent=3)).fixed == job.fixed
    assert replace(job, search=replace(job.search, seed=3)).fixed != job.fixed


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"goals": (Goal(metric="sigma_iuo"),)}, ["goals: ", "'sigma_iuo'", "mean 'sigma_iou'"]),
        ({"confirm": ConfirmConfig(costs=(Cost(metric="acuracy"),))}, ["confirm.costs: ", "mean 'accuracy'"]),
        ({"confirm": ConfirmConfig(costs=(Cost(metric="fair"),))}, ["confirm.costs: ", "'fair'"]),
    ],
)
def test_goals_and_costs_are_checked_against_the_baselines_metrics(fields, words, tmp_path):
    with pytest.raises(ValueError) as caught:
        check_metrics(predictors(tmp_path, **fields), BASELINE_METRICS)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_goal_may_be_what_only_trials_have(tmp_path):
    check_metrics(predictors(tmp_path, goals=(Goal(metric="fair"),)), BASELINE_METRICS)


def test_a_mistyped_goal_is_found_before_the_search(study, monkeypatch):
    study.job = replace(study.job, goals=(Goal(metric="sigma_iuo"),), search=replace(study.job.search, seeds=(0,)))
    monkeypatch.setattr(study, "train", lambda planned: {})
    monkeypatch.setattr(study, "baseline", lambda trained: BASELINE_METRICS)
    monkeypatch.setattr(study, "search", pytest.fail)
    with pytest.raises(ValueError, match="sigma_iou"):
        study.carry_out(())
