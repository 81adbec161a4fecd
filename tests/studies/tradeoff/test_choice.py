"""What a study refuses before it starts, and what it chooses; no training here."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from greycard import config
from greycard.fitting.plan import TrainJob
from greycard.losses import LOSSES, Iou, IouPaired
from greycard.metrics.restoration.seeds import CodecRows, compare_codecs, group_means
from greycard.recipes.paper002 import trainings as paper002
from greycard.reports.prediction.verdict import AcceptedCost, Aim
from greycard.reports.restoration.verdict import verdict_of
from greycard.studies.tradeoff.choice import choose, distinct
from greycard.studies.tradeoff.codecs import CodecFamily
from greycard.studies.tradeoff.plan import ConfirmConfig, Cost, TuneJob, with_settings
from greycard.studies.tradeoff.predictors import PredictorFamily
from greycard.studies.tradeoff.study import ResumeError, check_resume
from greycard.tuning import Choice, Float, Goal, Int
from jobs import command
from jobs.tune import STUDIES
from tests.studies.tradeoff.studies import codecs, predictors

LAM = Float(low=0.1, high=1000.0, log=True)


@pytest.mark.parametrize("name", list(STUDIES))
def test_a_study_reads_back_from_its_yaml(name):
    study = STUDIES[name]()
    assert config.from_yaml(TuneJob, config.to_yaml(study)) == study
    assert study.study == name
    assert study.directory == f"runs/tune/{name}"


def test_the_papers_searches_are_as_the_paper_has_them():
    for name, trials in (("utkface_age", 60), ("siim_diagnosis", 20)):
        study = STUDIES[name]()
        assert study.search.trials == trials
        assert study.space == {"fair.lam": LAM}
        assert study.goals == (Goal(metric="sigma_iou"),)
        assert study.trial.fair == Iou(reduction="mean")  # the published code's, whose range of λ it is
        assert study.trial.training.loop_of(study.trial.fair, 0).keep == "last"


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"fair.lam": Float(low=-1.0, high=1.0)}, ["fair.lam=-1.0", "must be 0 or above"]),
        ({"fair.lm": LAM}, ["'lm'", "'lam'"]),
        ({"fair.kind": Choice(values=("iou", "iuo"))}, ["'iuo'", "'iou'"]),
        ({"training.loop.epochs": Int(low=1, high=5)}, ["training.loop.epochs", "trained once", "fair.*"]),
        ({"fair.lam": LAM, "fair.reduction": Choice(values=("sum", "max"))}, ["reduction", "'max'"]),
        ({}, ["space of one or more"]),
    ],
)
def test_a_space_outside_the_domain_is_refused_before_anything_starts(space, words, tmp_path):
    with pytest.raises(ValueError) as caught:
        predictors(tmp_path, space=space)
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_same_from_the_command_line(capsys):
    arguments = ["faces_smile", "--set", "space={fair.lam: {kind: float, low: -1, high: 1}}"]
    assert command.main("tune", STUDIES, pytest.fail, "", arguments) == 2
    assert "must be 0 or above" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"goals": ()}, "at least one"),
        ({"shards": ()}, "needs images"),
        ({"goals": (Goal(metric="a"), Goal(metric="a"))}, "once"),
    ],
)
def test_incomplete_studies_are_refused(fields, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        predictors(tmp_path, **fields)


def test_settings_choose_the_loss_first_and_its_fields_then(tmp_path):
    trial = predictors(tmp_path).trial
    changed = with_settings(trial, {"fair.lam": 3.0, "fair.weighting": "prevalence", "fair.kind": "eo_mi"})
    assert (changed.fair.kind, changed.fair.lam, changed.fair.weighting) == ("eo_mi", 3.0, "prevalence")
    assert with_settings(trial, {"fair.lam": 1e-05}).fair.lam == 1e-05


@pytest.mark.parametrize("name", ["utkface_losses", "celeba_smiling"])
def test_a_searched_iou_is_the_mean_that_the_papers_trainings_minimise(name):
    study = STUDIES[name]()
    for kind in study.space["fair.kind"].values:
        fair = with_settings(study.trial, {"fair.lam": 3.0, "fair.kind": kind}).fair
        assert fair == (Iou(lam=3.0, reduction="mean") if kind == "iou" else LOSSES[kind](lam=3.0))
        trained = {other.kind: other for other in paper002.LOSSES} | {"iou_paired": IouPaired()}
        assert replace(fair, lam=1.0) == replace(trained[kind], lam=1.0)


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(ResumeError, match="nothing to resume"):
        check_resume(predictors(tmp_path))


def trials(sigma, accuracy, lam):
    return pd.DataFrame(
        {
            "number": range(len(sigma)),
            "status": "finished",
            "param/fair.lam": lam,
            "metric/sigma_iou": sigma,
            "metric/accuracy": accuracy,
        }
    )


# accuracies against a baseline of 0.90: trial 1 costs just the point that is allowed, trial 2 more
FRAME = trials([0.10, 0.06, 0.01, 0.09], [0.905, 0.89, 0.80, 0.91], [0.1, 3.0, 500.0, 0.5])
BASELINE = {"sigma_iou": 0.12, "accuracy": 0.90}


def test_the_best_is_within_the_cost_and_the_knee_on_the_front(tmp_path):
    chosen = choose(predictors(tmp_path, confirm=ConfirmConfig()), FRAME, BASELINE)
    # front: 1 (0.06, 0.89), 2 (0.01, 0.80), 3 (0.09, 0.91); scaled sums 0.625 + 0.18, 0 + 1, 1 + 0
    assert chosen.numbers == {"best": 1, "knee": 1}
    assert [choice.settings for choice in chosen.choices] == [{"fair.lam": 3.0}] * 2
    assert chosen.choices[0].metrics == {"sigma_iou": 0.06, "accuracy": 0.89}
    assert "same trial, 1" in chosen.notes[0]
    assert [choice.label for choice in distinct(chosen.choices).values()] == ["best", "best"]


def test_a_single_goal_is_chosen_within_a_cost_that_is_none(tmp_path):
    job = predictors(tmp_path, goals=(Goal(metric="sigma_iou"),), confirm=ConfirmConfig())
    assert choose(job, FRAME, BASELINE).numbers["best"] == 1  # not 2, which is lower and worth nothing


def test_where_no_trial_keeps_the_cost_it_is_said(tmp_path):
    chosen = choose(predictors(tmp_path, confirm=ConfirmConfig()), FRAME, BASELINE | {"accuracy": 0.95})
    assert chosen.numbers["best"] == 3  # the most accurate
    assert "No trial kept within accuracy 0.94" in chosen.notes[0]


def test_a_cost_of_no_metric_is_refused_with_near_matches(tmp_path):
    job = predictors(tmp_path, confirm=ConfirmConfig(costs=(Cost(metric="acuracy"),)))
    with pytest.raises(ValueError, match="'accuracy'"):
        choose(job, FRAME, BASELINE)


def test_costs_are_absolute_or_a_share():
    assert Cost(metric="accuracy", most=0.01).bound(0.9) == pytest.approx(0.89)
    assert Cost(metric="bpp", mode="min", most=0.1, relative=True).bound(0.5) == pytest.approx(0.55)
    with pytest.raises(ValueError, match="accuracy"):
        Cost(most=-1.0)


def test_a_choice_is_a_recipe_that_the_training_job_reads(tmp_path):
    job = predictors(tmp_path)
    family = PredictorFamily(job, None)
    recipe = family.recipe("best", {"fair.lam": 3.0}, (0, 1, 2))
    assert config.from_yaml(TrainJob, config.to_yaml(recipe)) == recipe
    (training,) = recipe.models
    assert [fair.lam for fair in training.fair] == [3.0]
    assert list(family.model_names({"fair.lam": 3.0}, (0, 1)).values()) == [
        "smile-iou-lam3-seed0",
        "smile-iou-lam3-seed1",
    ]
    assert set(family.model_names(None, (0, 1)).values()) <= set(training.models())
    control = replace(job.trial, fair=with_settings(job.trial, {"fair.lam": 3.0} | job.trial.off).fair)
    assert control.fair.lam == 0


def test_more_trials_and_other_workers_are_the_same_study(tmp_path):
    job = predictors(tmp_path)
    more = replace(job, search=replace(job.search, trials=40, num_gpus=0.5), session=replace(job.session, num_cpus=8))
    assert more.fixed == job.fixed
    assert replace(job, size=17).fixed != job.fixed
    assert codecs(tmp_path).fixed != job.fixed


def rows(psnr, bpp=0.5):
    psnr = np.asarray(psnr, float)
    return CodecRows(np.full(len(psnr), bpp), psnr)


def test_codecs_are_compared_seed_by_seed():
    codes = np.array([0, 0, 1, 1])
    people = np.array(list("abcd"))
    before = [rows([30, 30, 27, 27]), rows([30, 30, 28, 28])]  # gaps 3 and 2
    after = [rows([29, 29, 28, 28], 0.6), rows([29, 29, 28, 28], 0.6)]  # gaps 1 and 1
    frame = compare_codecs(before, after, codes, ("light", "dark"), people).set_index("measure")
    assert frame.loc["psnr_gap_db", ["baseline", "fair", "difference"]].tolist() == [2.5, 1.0, -1.5]
    assert frame.loc["psnr_gap_db", "reduction"] == pytest.approx(0.6)
    assert frame.loc["bpp", "difference"] == pytest.approx(0.1)
    assert frame.loc["psnr_db", "baseline"] == pytest.approx(28.75)
    assert frame.loc["psnr_gap_db", "low"] <= -1.5 <= frame.loc["psnr_gap_db", "high"]
    text = verdict_of(frame.reset_index(), Aim("psnr_gap_db", costs=(AcceptedCost("bpp", "min", 0.05),)))
    assert "60\N{NO-BREAK SPACE}% lower" in text
    assert "not met" in text  # the rate rose by more than was allowed


def test_the_interval_of_a_single_seed_is_that_of_resampled_people():
    """One pair: only people vary, so the interval of the mean is the bootstrap's of scipy."""
    values = np.random.default_rng(1).normal(30, 1, 200)
    codes, people = np.zeros(200, int), np.arange(200).astype(str)
    codes[:100] = 1
    frame = compare_codecs([rows(np.full(200, 30.0))], [rows(values)], codes, ("a", "b"), people).set_index("measure")
    theirs = stats.bootstrap((values - 30,), np.mean, n_resamples=2000, method="percentile", rng=0).confidence_interval
    assert frame.loc["psnr_db", "low"] == pytest.approx(theirs.low, abs=0.03)
    assert frame.loc["psnr_db", "high"] == pytest.approx(theirs.high, abs=0.03)


def test_groups_without_images_are_nan_with_count_0():
    frame = group_means([rows([30, 20])], np.array([0, 0]), ("a", "b")).set_index(["group", "measure"])
    assert frame.loc[("a", "psnr_db"), "value"] == 25
    assert np.isnan(frame.loc[("b", "psnr_db"), "value"])
    assert frame.loc[("b", "psnr_db"), "count"] == 0


def test_a_codecs_recipe_is_a_training_job_too(tmp_path):
    recipe = CodecFamily(codecs(tmp_path), None).recipe("best", {"parity.lam": 1e-3, "parity.mu": 2.0}, (0, 1))
    assert config.from_yaml(TrainJob, config.to_yaml(recipe)) == recipe
    assert [(parity.lam, parity.mu) for parity in recipe.models[0].parity] == [(1e-3, 2.0)]
