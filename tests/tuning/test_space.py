import math
from dataclasses import dataclass

import numpy as np
import pytest

from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.losses import DpL2
from greycard.metrics.trials import check_goals
from greycard.tuning import Choice, Float, Goal, Int, Parameter, SearchConfig, check_domain
from greycard.tuning.space import check_point
from greycard.tuning.suggestions import suggest

SPACE = {"lam": Float(low=0.1, high=1000, log=True), "width": Int(low=4, high=8), "kind": Choice(values=("a", 2, 2.5))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    space: dict[str, Parameter]
    search: SearchConfig


def test_spaces_and_searches_survive_plain_values():
    study = Study(space=SPACE, search=SearchConfig(points=({"lam": 1.0, "width": 4, "kind": "a"},), seeds=(0, 3)))
    assert from_dict(Study, to_dict(study)) == study
    assert override(study, ["space.lam.high=10"]).space["lam"] == Float(low=0.1, high=10, log=True)
    with pytest.raises(ConfigError, match="did you mean 'float'"):
        override(study, ["space.lam.kind=flot"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Float(low=0, high=1, log=True), "needs low > 0, got 0"),
        (lambda: Int(low=0, high=9, log=True), "needs low >= 1, got 0"),
        (lambda: Float(low=2, high=1), "low <= high"),
        (lambda: Float(low=0, high=math.inf), "finite"),
        (lambda: Choice(values=()), "one or more"),
        (lambda: Choice(values=("a", "a")), "different"),
        (lambda: SearchConfig(trials=0), "search.trials must be at least 1"),
        (lambda: SearchConfig(retries=-1), "search.retries must be at least 0"),
        (lambda: SearchConfig(num_cpus=0), "search.num_cpus must be above 0"),
        (lambda: SearchConfig(num_gpus=1.5), "fraction below 1 or a whole"),
        (lambda: SearchConfig(seeds=(1, 1)), "search.seeds"),
        (lambda: check_goals(()), "one or more goals"),
        (lambda: check_goals((Goal(metric="a"), Goal(metric="a", mode="max"))), "its own"),
    ],
)
def test_what_can_not_be_searched_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lam": 0.0}, r"points.0: lam must be in \[0.1, 1000\], got 0.0"),
        ({"width": 4.5}, "width must be in"),
        ({"kind": "c"}, "kind must be 'a' or 2 or 2.5, got 'c'"),
        ({"lamb": 1.0}, "did you mean 'lam'"),
    ],
)
def test_a_point_outside_the_space_is_refused(change, words):
    point = {"lam": 1.0, "width": 4, "kind": "a"}
    check_point(SPACE, point, "points.0")
    with pytest.raises(ValueError, match=words):
        check_point(SPACE, point | change, "points.0")
    with pytest.raises(ValueError, match="no value for 'width'"):
        check_point(SPACE, {"lam": 1.0}, "points.0")


def test_a_space_outside_the_domain_of_a_loss_is_refused():
    check_domain({"lam": Float(low=0, high=10)}, lambda settings: DpL2(lam=settings["lam"]))
    with pytest.raises(ValueError, match=r"reaches outside what a trial accepts: lam=-1.0: .*lam"):
        check_domain({"lam": Float(low=-1, high=10)}, lambda settings: DpL2(lam=settings["lam"]))


def test_a_log_scale_is_uniform_in_the_logarithm_and_keeps_its_range():
    drawn = [
        suggest(SPACE, (Goal(metric="gap"),), [], number=number, seed=3, startup=1000)["lam"] for number in range(400)
    ]
    assert 0.1 <= min(drawn) <= max(drawn) <= 1000
    quarters = np.histogram(np.log10(drawn), bins=4, range=(-1, 3))[0]
    assert (np.abs(quarters - 100) < 35).all()  # binomial(400, 1/4): four standard deviations


def test_lag_keeps_the_slots_busy():
    assert SearchConfig(concurrent=1).lag == 0
    assert SearchConfig(concurrent=4, slack=0).lag == 3
    assert SearchConfig(concurrent=2).lag == 2
    assert SearchConfig(concurrent=6, slack=0, seeds=(0, 1, 2, 3, 4)).lag == 1
