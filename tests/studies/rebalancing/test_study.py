"""The study of rebalancing: how one data set is cut, what is refused, and a whole small study through a failure."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from greycard import config as configs
from greycard.datasets.faces import FacesConfig
from greycard.datasets.loading import load_images
from greycard.datasets.manifest import Manifest
from greycard.datasets.mnist import MnistConfig
from greycard.datasets.records import DataError, checked_index
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.splits import SplitConfig
from greycard.recipes.paper004.studies import RECIPES, smoke
from greycard.streaming.cluster import SessionConfig
from greycard.studies.rebalancing import study as rebalancing
from greycard.studies.rebalancing.models import balanced_accuracy, train_real_rows
from greycard.studies.rebalancing.plan import REAL, REJECTION, RebalanceJob
from greycard.studies.rebalancing.sets import OneSource, OwnSources, Sets
from greycard.studies.rebalancing.steps import FOLDERS
from greycard.studies.rebalancing.study import rebalance
from greycard.tracking import job_run

DIGITS = MnistConfig(colored=False)


def cut(config):
    index = checked_index(config.source.index(), config.source.attributes())
    return index, config.cut(index, config.source.attributes())


def counts(index, rows):
    return Counter(index["digit"].take(rows.tolist()).to_pylist())


def test_one_source_is_cut_class_by_class_into_disjoint_sets():
    index, sets = cut(OneSource(source=DIGITS, attribute="digit"))
    tail = dict(zip("0123456789", (300, 232, 179, 139, 107, 83, 64, 50, 38, 30), strict=True))  # 300 * .1 ** (i / 9)
    assert counts(index, sets["real"]["train"]) == tail
    for name, split, count in (
        ("balanced", "train", 300), ("measuring", "train", 100), ("real", "val", 20), ("reference", "test", 80),
    ):  # fmt: skip
        assert counts(index, sets[name][split]) == dict.fromkeys("0123456789", count)
    assert set(sets["real"]["train"]) < set(sets["balanced"]["train"])
    apart = [sets["balanced"]["train"], sets["measuring"]["train"], sets["real"]["val"], sets["reference"]["test"]]
    assert len(set(np.concatenate(apart))) == sum(map(len, apart)) == 5000
    np.testing.assert_array_equal(sets["real"]["val"], sets["measuring"]["val"])


def test_the_cut_depends_on_the_seed_and_on_each_class_alone():
    config = OneSource(source=DIGITS, attribute="digit", reference=10, measuring=10, head=20)
    index, sets = cut(config)
    again = config.cut(index, DIGITS.attributes())
    np.testing.assert_array_equal(sets["reference"]["test"], again["reference"]["test"])
    _, other = cut(dataclasses.replace(config, seed=1))
    assert set(other["reference"]["test"]) != set(sets["reference"]["test"])
    fewer = index.filter(np.array([name != "3" for name in index["digit"].to_pylist()]))
    with pytest.raises(DataError, match="digit='3' has 0 images, and 40 are held out and 20 trained on"):
        config.cut(fewer, DIGITS.attributes())


def test_the_written_sets_hold_their_own_images(tmp_path):
    few = MnistConfig(colored=False, per_digit=10)
    config = OneSource(source=few, attribute="digit", reference=2, measuring=2, validating=1, beta=0.4)
    sets = config.write(str(tmp_path))
    assert sets == config.write(str(tmp_path))  # found again
    real, reference = load_images(sets.real, "train", size=32), load_images(sets.reference, "test", size=32)
    assert not set(real.ids) & set(reference.ids)
    made = Manifest.load(sets.real).counts["train"]["digit"]
    assert list(made.values()) == [5, 4, 4, 3, 3, 3, 2, 2, 2, 2]  # 5 * .4 ** (i / 9)
    with pytest.raises(DataError, match=r"digit='7' would keep no image .* data\.beta"):
        dataclasses.replace(config, beta=0.1).write(str(tmp_path))


def test_people_are_not_cut_by_image():
    faces = OneSource(source=FacesConfig(count=40), attribute="race")
    with pytest.raises(DataError, match=r"identities.*own_sources"):
        faces.write("nowhere")
    with pytest.raises(DataError, match=r"'digits'.*digit"):
        cut(OneSource(source=DIGITS, attribute="digits"))


def test_own_sources_are_written_where_each_says(tmp_path):
    def drawn(name, mix, split):
        source = FacesConfig(count=24, size=16, mix=mix, images_per_identity=1)
        return ShardsJob(source=source, directory=str(tmp_path / name), split=split)

    whole = SplitConfig(train=0.5, val=0.5, test=0.0, exact=True)
    held_out = SplitConfig(train=0.0, val=0.0, test=1.0)
    config = OwnSources(
        real=drawn("real", "ffhq_like", whole),
        measuring=drawn("measuring", "balanced", whole),
        reference=drawn("reference", "balanced", held_out),
    )
    sets = config.write("not used")
    assert sets == Sets(str(tmp_path / "real"), "", str(tmp_path / "measuring"), str(tmp_path / "reference"))
    assert Manifest.load(sets.reference).splits == ("test",)


def test_balanced_accuracy_by_hand():
    assert balanced_accuracy(np.array([[9, 1, 0], [0, 5, 5], [0, 0, 0]])) == pytest.approx((0.9 + 0.5) / 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": ("syn_bias",)}, "'real' among them"),
        ({"rows": (REAL, "syn_bais")}, "syn_bias"),
        ({"rows": (REAL, "syn"), "retrained": "syn_bias"}, "retrained must be one of rows"),
        ({"task": "digits"}, "digit"),
        ({"seeds": (0, 0)}, "seeds must differ"),
        ({"aim": 0.5}, "aim must be at least 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(smoke(), **changes)


def test_the_measuring_classifier_must_be_another():
    job = smoke()
    twin = dataclasses.replace(job.judge, name="measuring")
    with pytest.raises(ValueError, match="independent of the judge"):
        dataclasses.replace(job, measuring=twin)
    dataclasses.replace(job, measuring=dataclasses.replace(twin, seeds=(7,)))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_yaml(name):
    job = RECIPES[name]()
    assert configs.from_yaml(RebalanceJob, configs.to_yaml(job)) == job
    assert job.study == name
    assert job.judge.loop.keep == job.measuring.loop.keep == "last"  # nothing is chosen by held-out images
    for method in ("search", "rejection"):
        looked_at = dataclasses.replace(job.synthesis, method=method)
        assert job.audit.seed > looked_at.seed_of(looked_at.most_lineages)  # no searched seed is audited


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    session = SessionConfig(address="local", num_cpus=4, object_store_mb=100, progress=False)
    return dataclasses.replace(smoke(), directory=str(tmp_path_factory.mktemp("study")), session=session)


class StopError(RuntimeError):
    pass


def finished(job):
    """When each model was finished."""
    return {path.parent.name: path.stat().st_mtime_ns for path in Path(job.directory).rglob("outcome.json")}


@pytest.fixture(scope="module")
def studied(job, store, ray_session):
    """A study that broke down before its audit and was started again: models before and after, and what it left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)

        def stop(*_):
            raise StopError("before the audit")

        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(rebalancing, "audit", stop)
            with pytest.raises(StopError):
                rebalance(job)
        before = finished(job)
        return before, rebalance(job)


@pytest.mark.slow
def test_a_study_goes_on_after_a_failure_and_leaves_table_page_and_runs(job, client, studied):
    before, left = studied
    assert set(before) == {"judge-seed0", "measuring-seed1", "real-seed0", "finetune-seed0", "syn_bias-seed0"}
    assert finished(job) == before
    table = left.table.set_index("system")
    assert table.index.tolist() == [
        "reference", "trained_on", "synthetic_search", "synthetic_rejection",
        "real-seed0", "finetune-seed0", "syn_bias-seed0",
    ]  # fmt: skip
    assert table.loc["real-seed0", "paper/fairness"] == 0.2279
    assert table.loc["syn_bias-seed0", "paper/fid"] == 6.32
    assert pd.isna(table.loc["reference", "paper/fid"])
    assert table[["discrepancy", "discrepancy_corrected", "frechet[aux]", "recall[aux]"]].notna().all(axis=None)
    assert table.loc["real-seed0", "discrepancy_n"] == 30

    page = left.page.read_text()
    for text in ("Syn data + bias loss", "Held-out images", left.notes[0]):
        assert text in page
    assert "labels" in left.notes[0]
    assert "times" in left.verdict
    for method, missing in left.shortfalls.items():
        made = Manifest.load(Path(job.directory) / FOLDERS[method] / "shards").counts["train"]["digit"]
        assert {name: 4 - count for name, count in made.items() if count < 4} == missing
        gone = [name for name, count in made.items() if not count]
        assert not gone or any(f"By {method} not one image of {', '.join(gone)}" in note for note in left.notes)

    experiment = client.get_experiment_by_name("smoke").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment], max_results=100)}
    assert set(runs) == {
        "rebalance smoke", "synthesis by search", "synthesis by rejection",
        "judge-seed0", "measuring-seed1", *table.index,
    }  # fmt: skip
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent = runs["rebalance smoke"]
    assert parent.info.run_id == left.run_id
    assert parent.data.metrics["discrepancy/real-seed0"] == table.loc["real-seed0", "discrepancy"]
    assert 0 <= runs["judge-seed0"].data.metrics["balanced_accuracy"] <= 1
    assert {item.path for item in client.list_artifacts(runs["judge-seed0"].info.run_id)} >= {"confusion.json"}
    confusion = pd.read_csv(left.page.parent / "tables" / "classifiers.csv")
    assert confusion.groupby("classifier")["count"].sum().to_dict() == {"judge": 80, "measuring": 80}
    seconds = json.loads((Path(job.directory) / "seconds.json").read_text())
    assert parent.data.metrics["seconds/synthesis"] == pytest.approx(seconds["synthesis"])


@pytest.mark.slow
@pytest.mark.long
def test_rows_are_added_later_and_one_that_diverges_is_left_out(job, client, studied, tmp_path):
    before, _ = studied
    home = Path(job.directory)
    sets = Sets(*(str(home / "shards" / name) for name in Sets._fields))
    judge = dataclasses.replace(job.judge.classifier, weights=str(home / "classifiers/models/judge-seed0/weights"))
    wild = dataclasses.replace(
        job, rows=(REAL, "real_bias", "balanced_real", REJECTION), retrained=REAL,
        shares=dataclasses.replace(job.shares, weight=1e38),
    )  # fmt: skip
    with job_run(study="wild", name="wild", directory=tmp_path, config=wild.fixed) as run:
        trained = train_real_rows(wild, sets, judge, run)
    assert trained.rows == {"real-seed0": REAL, "balanced_real-seed0": "balanced_real"}
    assert list(trained.failed) == ["real_bias"]
    assert set(finished(job)) - set(before) == {"balanced_real-seed0"}
    assert {name: time for name, time in finished(job).items() if name in before} == before
