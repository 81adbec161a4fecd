"""The order in which runs end, and kills in between, change nothing: without Ray and without time."""

import json
import random
from wsgiref.util import setup_testing_defaults

import pytest

from greycard.tuning import Choice, Float, Goal, SearchConfig
from greycard.tuning.run_queue import Ledger
from greycard.tuning.study import RunOutcome, StudyError, open_study

SPACE = {"lam": Float(low=0.1, high=1000, log=True), "kind": Choice(values=("a", "b"))}
GOALS = (Goal(metric="gap"), Goal(metric="acc", mode="max"))
POINT = {"lam": 1.0, "kind": "a"}


def config(**changes):
    return SearchConfig(**{"trials": 9, "concurrent": 3, "startup": 3, "points": (POINT,), **changes})


def outcome(run, settings):
    """A trial that is a function of its settings; number 5 fails, 6 is stopped."""
    if run.number in (5, 6):
        return RunOutcome(status="failed" if run.number == 5 else "stopped", error="" if run.number == 6 else "no")
    gap = abs(settings["lam"] - 7) + (settings["kind"] == "b") + run.seed
    return RunOutcome(status="finished", metrics={"gap": gap, "acc": -settings["lam"]})


def opened(directory, search, goals=GOALS, name="study", space=SPACE, identity=None):
    return Ledger(open_study(name, directory, space, goals, search, identity or {"data": "1"}), search)


def carry_out(directory, search, choose, *, kills=0, goals=GOALS):
    """Run a search in which ``choose`` says which run ends next; at each kill the driver forgets what it knew."""
    ledger, ended = opened(directory, search, goals), 0
    while True:
        while ledger.take():
            pass
        if not ledger.out:
            break
        if kills and ended >= 3 * (3 - kills):
            ledger, kills = opened(directory, search, goals), kills - 1
            continue
        run = choose(sorted(ledger.out))
        settings = ledger.study.entries[run.number].settings
        if ledger.give_back(run, outcome(run, settings)) and ended % 2:  # told late, as the scribe may
            for number in ledger.untold():
                ledger.study.tell(number)
        ended += 1
    for number in ledger.untold():
        ledger.study.tell(number)
    return [(entry.settings, entry.status(), entry.means()) for entry in ledger.study.entries]


@pytest.mark.parametrize("goals", [GOALS, GOALS[:1]], ids=["two goals", "one goal"])
def test_neither_the_order_nor_kills_change_the_trials(tmp_path, goals):
    search = config()
    searches = {
        "last": (max, 0),
        "any": (random.Random(0).choice, 0),
        "killed": (random.Random(1).choice, 2),
    }
    found = {}
    for name, (choose, kills) in searches.items():
        (tmp_path / name).mkdir()
        found[name] = carry_out(tmp_path / name, search, choose, kills=kills, goals=goals)
    assert found["any"][0][0] == POINT
    assert len({json.dumps(trials) for trials in found.values()}) == 1
    assert len({trial[0]["lam"] for trial in found["any"]}) == 9  # and they do differ from each other


def test_suggestions_learn(tmp_path):
    trials = carry_out(tmp_path, config(trials=24, startup=8, points=(), concurrent=1), min, goals=GOALS[:1])
    costs = [means["gap"] for _, status, means in trials if status == "finished"]
    assert sorted(costs[8:])[len(costs[8:]) // 2] < sorted(costs[:8])[4]


def test_every_seed_of_a_suggestion_is_run_and_the_means_are_told(tmp_path):
    search = config(trials=3, seeds=(0, 2), concurrent=2)
    trials = carry_out(tmp_path, search, max)
    assert trials[0][2] == {"gap": 6 + 1.0, "acc": -1.0}  # |1 - 7| + (0 + 2) / 2
    import optuna

    study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path / 'optuna.db'}")
    assert study.trials[0].values == [7.0, -1.0]
    assert study.trials[0].user_attrs["seed2"]["metrics"] == {"gap": 8.0, "acc": -1.0}


def test_no_more_is_out_than_the_concurrency_and_the_lag_allow(tmp_path):
    ledger = opened(tmp_path, config(slack=0))  # lag 2
    assert [ledger.take().number for _ in range(3)] == [0, 1, 2]
    assert ledger.take() is None
    for number in (1, 2):
        (run,) = [run for run in ledger.out if run.number == number]
        ledger.give_back(run, outcome(run, ledger.study.entries[number].settings))
    assert ledger.take() is None  # suggestion 3 sees the results below 1
    (run,) = ledger.out
    ledger.give_back(run, outcome(run, POINT))
    assert [ledger.take().number, ledger.take().number, ledger.take().number] == [3, 4, 5]


def test_another_concurrency_goes_on_with_the_lag_it_began_with(tmp_path):
    assert opened(tmp_path, config()).study.lag == 3
    assert opened(tmp_path, config(concurrent=9, trials=99)).study.lag == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": SPACE | {"lam": Float(low=0.1, high=10, log=True)}}, r"space lam was .*1000.*is now .*10"),
        ({"space": {"lam": SPACE["lam"]}}, "space kind was .* is now absent"),
        ({"goals": GOALS[:1]}, "goals was"),
        ({"search": SearchConfig(seed=1, startup=3, points=(POINT,))}, "seed was 0, is now 1"),
        ({"identity": {"data": "2"}}, "identity data was 1, is now 2"),
    ],
)
def test_another_search_of_the_same_name_is_refused(tmp_path, changes, words):
    opened(tmp_path, config())
    with pytest.raises(StudyError, match=f"(?s)study 'study' in sqlite.*{words}.*a name"):
        opened(tmp_path, **{"search": config(), **changes})
    assert opened(tmp_path, config(), name="other").study.entries == []


def test_a_storage_that_is_shared_keeps_directories_apart(tmp_path):
    search = config(storage=f"sqlite:///{tmp_path / 'shared.db'}")
    opened(tmp_path / "a", search)
    with pytest.raises(StudyError, match="directory was"):
        opened(tmp_path / "b", search)


def test_a_study_of_others_is_refused(tmp_path):
    import optuna

    study = optuna.create_study(study_name="study", storage=f"sqlite:///{tmp_path / 'optuna.db'}")
    study.set_user_attr("owner", "somebody")
    with pytest.raises(StudyError, match="not begun by greycard"):
        opened(tmp_path, config(), goals=GOALS[:1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:secret@host/db", r"must begin with sqlite:/// or postgresql://, got 'mysql://u:\*\*\*@host/db'"),
        ("postgresql://u:secret@127.0.0.1:1/db", r"u:\*\*\*@127.0.0.1:1/db does not answer: .*refused"),
        ("sqlite:////proc/no/such.db", "does not answer: .*unable to open"),
    ],
)
def test_a_storage_that_does_not_answer_is_named_without_its_password(tmp_path, url, words):
    with pytest.raises(StudyError, match=f"(?s){words}"):
        opened(tmp_path, config(storage=url))


def test_postgresql_without_its_driver_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(StudyError, match=r"not installed .*greycard\[postgres\]"):
        opened(tmp_path, config(storage="postgresql://u@127.0.0.1:1/db"))


def test_optuna_dashboard_serves_the_study(tmp_path):
    import optuna
    import optuna_dashboard

    carry_out(tmp_path, config(trials=4), min)
    app = optuna_dashboard.wsgi(optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'optuna.db'}"))

    def get(path):
        environment = {"PATH_INFO": path}
        setup_testing_defaults(environment)
        status = []
        body = b"".join(app(environment, lambda code, headers, error=None: status.append(code)))
        assert status == ["200 OK"], body
        return json.loads(body)

    (summary,) = get("/api/studies")["study_summaries"]
    assert summary["study_name"] == "study"
    assert summary["directions"] == ["minimize", "maximize"]
    assert len(get(f"/api/studies/{summary['study_id']}")["trials"]) == 4
