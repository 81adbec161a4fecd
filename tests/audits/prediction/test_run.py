import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.run import run
from greycard.audits.tables import AuditError
from greycard.classifiers import ResNetConfig, SlimCnnConfig
from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.datasets.loading import load_images
from greycard.datasets.manifest import ManifestError
from greycard.layers.weights import save_weights
from greycard.metrics.prediction.findings import PredictionConfig
from greycard.metrics.prediction.squeezing import SqueezingConfig
from greycard.streaming.cluster import RayError, SessionConfig
from greycard.streaming.pipeline import Resources
from tests.audits.prediction.predictors import (
    BROKEN,
    EACH,
    GENDERS,
    RACES,
    SIZE,
    SMILE,
    WRONG,
    PlantedConfig,
    write_smiles,
)

pytestmark = pytest.mark.usefixtures("ray_session")

FEW = PredictionConfig(resamples=50, permutations=20)
CHECK = SqueezingConfig(resamples=50)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_smiles(tmp_path_factory.mktemp("shards"), broken=(BROKEN,), marked=(30, 31)).uri


def system(name="planted", classifier=None, **changes):
    return PredictorSystem(name=name, classifier=classifier or PlantedConfig(), **changes)


def audit(shards, directory, **changes):
    values = {
        "shards": shards,
        "directory": str(directory),
        "systems": (system(),),
        "targets": ("smile",),
        "sensitive": (("race",),),
        "size": SIZE,
        "max_failed_share": 0.5,
        "findings": FEW,
        "squeezing": CHECK,
        "resources": Resources(actors=1, rows_per_block=32),
        "ray": SessionConfig(stall_seconds=90, wait_seconds=1, progress=False),
    }
    return PredictionAudit(**values | changes)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A real classifier with two heads of one logit and of three, and random weights."""
    folder = tmp_path_factory.mktemp("weights")
    config = ResNetConfig(
        tasks=("smile", "race"),
        classes={"smile": SMILE, "race": RACES},
        width=4,
        stem="small",
        shared=True,
        binary="one_logit",
        compute_batch=8,
        seed=3,
    )
    save_weights(folder, config.network().state_dict(), config.description())
    return dataclasses.replace(config, weights=str(folder))


@pytest.fixture(scope="module")
def finished(shards, network, tmp_path_factory):
    squeezed = system("squeezed", PlantedConfig(sure=0.52), loss="eo_l2", lam=10.0, baseline="planted")
    config = audit(
        shards,
        tmp_path_factory.mktemp("audit"),
        systems=(system(), squeezed, system("network", network)),
        sensitive=(("race",), ("race", "gender")),
    )
    seen = []
    result = run(config, seen.append)
    return config, result, seen, result.frames()


def test_every_image_comes_out_once_with_a_status(finished):
    _, result, seen, frames = finished
    assert list(result.systems) == seen
    table = result.table("network")
    assert table.column_names == [
        *("system", "image_id", "split", "identity", "smile", "race", "gender"),
        *("prob_smile", "prob_race", "status", "error"),
    ]
    ids = table["image_id"].to_pylist()
    assert ids == sorted(ids)
    assert len(ids) == 6 * EACH
    failed = table.filter(pc.equal(table["status"], "failed")).to_pylist()
    assert [(row["image_id"], row["prob_smile"]) for row in failed] == [("tile0007", None)]
    assert "not an image" in failed[0]["error"]
    counts = frames.counts.set_index("system")
    assert counts.loc["network", ["n_in", "n_ok", "n_failed"]].tolist() == [120, 119, 1]
    assert counts.loc["network", "reasons"].startswith("not an image: ")
    assert counts.loc["network", "reasons"].endswith(" (1)")
    assert (seen[2].images, seen[2].rows, seen[2].n_ok, seen[2].n_failed, seen[2].points) == (120, 120, 119, 1, ())


def test_probabilities_are_those_of_the_classifier_itself(finished, network, shards):
    result = finished[1]
    table = result.table("network")
    table = table.filter(pc.equal(table["status"], "ok"))
    loaded = load_images(shards, "test", size=SIZE, max_failed=1)
    place = {image_id: row for row, image_id in enumerate(loaded.ids)}
    images = loaded.images[[place[image_id] for image_id in table["image_id"].to_pylist()]]
    expected = network.build().probabilities(images)
    for task in ("smile", "race"):
        np.testing.assert_array_equal(np.array(table[f"prob_{task}"].to_pylist()), expected[task].numpy())
    logits = network.build()._network.eval()(images)["smile"].detach().double()
    assert logits.shape == (119, 1)
    np.testing.assert_allclose(expected["smile"][:, 1], torch.sigmoid(logits[:, 0]), rtol=1e-4)


def test_the_planted_predictor_has_the_known_disparities(finished):
    row = finished[3].table.query("system == 'planted' and sensitive == 'race'").iloc[0]
    # race b: 15 right and 5 wrong of both classes, IoU = 15 / (20 + 20 - 15); tile 7, which is broken, is of race a
    assert row["sigma_iou"] == pytest.approx(np.std([1.0, 0.6, 1.0], ddof=1))
    assert row["accuracy"] == pytest.approx(1 - 2 * WRONG / 119)
    assert row["accuracy_all"] == row["accuracy"]
    assert row["eo_difference"] == pytest.approx(WRONG / EACH)
    assert row["dp_difference"] == pytest.approx(0.5 - 19 / 39)
    assert (row["count"], row["loss"], row["lam"]) == (119, "ce", 0.0)


def test_the_accuracy_of_all_attributes_is_the_mean_over_heads(finished, network):
    result, frames = finished[1], finished[3]
    table = result.table("network")
    rows = table.filter(pc.equal(table["status"], "ok")).to_pylist()
    shares = []
    for task, classes in (("smile", SMILE), ("race", RACES)):
        shares.append(np.mean([classes[int(np.argmax(row[f"prob_{task}"]))] == row[task] for row in rows]))
    found = frames.table.query("system == 'network' and sensitive == 'race'").iloc[0]
    assert found["accuracy"] == pytest.approx(shares[0])
    assert found["accuracy_all"] == pytest.approx(np.mean(shares))


def test_groups_are_crossed_and_unknown_ones_left_out(finished):
    config, result, _, frames = finished
    rows = result.predictions("planted", "smile", ("race", "gender"))
    assert rows.groups.names == tuple(f"{race} x {gender}" for race in RACES for gender in GENDERS)
    assert (rows.groups.codes == -1).sum() == 1  # tile 11 has no gender
    assert len(np.unique(rows.identities)) == EACH
    cells = frames.cells.query("system == 'planted' and attribute == 'race x gender'")
    assert cells["count"].sum() == 118
    assert set(cells["label"]) == set(SMILE)
    assert set(frames.groups["attribute"]) == {"race", "race x gender"}
    for frame in (frames.groups, frames.disparities, frames.cells, frames.squeezing):
        assert {"system", "target", "attribute"} <= set(frame.columns)
    assert len(frames.table) == len(config.systems) * 2


def test_a_squeezed_predictor_is_called_squeezed(finished):
    frames = finished[3]
    mine = frames.squeezing.query("system == 'squeezed' and attribute == 'race'")
    for measure in ("eo_l2", "eo_mi"):
        views = mine[mine["measure"] == measure].set_index("view")
        assert set(views["verdict"]) == {"squeezed"}
        assert views.loc["soft", "reduction"] > 0.99
        assert views.loc["hard", "reduction"] == 0
        assert abs(views.loc["linear", "reduction"]) < 0.05
    table = frames.table.query("sensitive == 'race'").set_index("system")
    assert table.loc["squeezed", "L_eo_l2"] < 0.01 * table.loc["planted", "L_eo_l2"]
    assert table.loc["squeezed", "sigma_iou"] == table.loc["planted", "sigma_iou"]


def test_what_is_finished_is_not_computed_again_and_only_what_is_missing_is(shards, tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    config = audit(shards, tmp_path / "audit", systems=(system(classifier=PlantedConfig(folder=str(calls))),))
    first = run(config).systems[0]
    assert sum(int(file.name.split("-")[1]) for file in calls.iterdir()) == 119
    before = len(list(calls.iterdir()))
    assert run(config).systems[0].table_sha256 == first.table_sha256
    assert len(list(calls.iterdir())) == before

    rows = tmp_path / "audit/rows/planted"  # as a driver leaves it that was killed before its last block
    lost = sorted(rows.glob("*.parquet"))[0]
    kept = {file.name: file.stat().st_mtime_ns for file in rows.glob("*.parquet") if file != lost}
    lost.unlink()
    (rows / "_SUCCESS.json").unlink()
    again = run(config).systems[0]
    assert again.table_sha256 == first.table_sha256
    assert {name: (rows / name).stat().st_mtime_ns for name in kept} == kept
    repeated = sum(int(file.name.split("-")[1]) for file in calls.iterdir()) - 119
    assert 0 < repeated <= 32


def test_results_do_not_depend_on_how_the_work_is_spread(finished, shards, network, tmp_path):
    resources = Resources(actors=2, rows_per_block=7, num_gpus=0.5)
    again = run(
        audit(Path(shards).as_uri(), tmp_path.as_uri(), systems=(system("network", network),), resources=resources)
    )
    assert again.systems[0].table_sha256 == finished[1].systems[2].table_sha256


def test_too_many_failures_end_the_job_with_examples(finished):
    with pytest.raises(AuditError, match=r"1 of 120 rows failed \(0\.8%\).*tile0007: not an image"):
        run(dataclasses.replace(finished[0], max_failed_share=0.001))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sensitive": (("rac",),)}, ManifestError, "did you mean 'race'"),
        ({"split": "tset"}, ManifestError, "did you mean 'test'"),
        ({"subset": {"race": ("d",)}}, ManifestError, "race label"),
        ({"systems": (system(classifier=PlantedConfig(classes=("no", "yess"))),)}, ManifestError, "did you mean 'yes'"),
        ({"systems": (system(classifier=PlantedConfig(classes=("yes", "no"))),)}, ManifestError, "order"),
        (
            {"systems": (system(classifier=PlantedConfig(tasks=("smiel", "smile"))),)},
            ManifestError,
            "did you mean 'smile'",
        ),
        ({"resources": Resources(actors=9)}, RayError, r"needs 9 actors of 1 CPU.*4"),
    ],
)
def test_what_can_not_work_is_refused_with_the_reason(shards, tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        run(audit(shards, tmp_path, **change))


def test_images_too_small_for_a_predictor_are_refused(shards, tmp_path):
    slim = SlimCnnConfig(tasks=("smile",), classes={"smile": SMILE}, weights="nowhere")
    with pytest.raises(AuditError, match=r"(?s)system slim.*131.*audit.size"):
        run(audit(shards, tmp_path, systems=(system("slim", slim),)))


def test_another_config_does_not_mix_with_old_results(finished):
    config = finished[0]
    other = (dataclasses.replace(config.systems[0], classifier=PlantedConfig(sure=0.8)), *config.systems[1:])
    with pytest.raises(AuditError, match="another config: classifier differ"):
        run(dataclasses.replace(config, systems=other))


def test_findings_may_change_without_computing_again(finished):
    config, result, _, _ = finished
    again = run(dataclasses.replace(config, findings=PredictionConfig(resamples=0, permutations=0)))
    assert [item.table_sha256 for item in again.systems] == [item.table_sha256 for item in result.systems]
    assert json.loads((Path(result.directory) / "rows/planted/_SUCCESS.json").read_text())["n_ok"] == 119
    with pytest.raises(KeyError, match="did you mean 'planted'"):
        again.table("plantd")


def test_the_config_is_a_recipe():
    classifier = ResNetConfig(tasks=("race",))
    one = PredictorSystem(name="one", classifier=classifier)
    config = PredictionAudit(systems=(one,), targets=("race",), sensitive=(("gender",),))
    assert from_dict(PredictionAudit, to_dict(config)) == config
    assert override(config, ["systems.0.classifier.width=8"]).systems[0].classifier.width == 8
    for setting, message in (
        ("targets=[rac]", "does not predict unknown target 'rac'; did you mean 'race'"),
        ("targets=[]", "must each name at least one"),
        ("sensitive=[[gender, gender]]", "once"),
        ("systems.0.baseline=one", "its own baseline"),
        ("systems.0.baseline=ones", "did you mean 'one'"),
        ("systems.0.lam=-1", "at least 0"),
        ("systems.0.name=a/b", "letters, digits"),
        ("max_failed_share=2", r"0..1"),
    ):
        with pytest.raises(ConfigError, match=message):
            override(config, [setting])


def test_a_target_is_not_compared_with_itself(finished):
    config = dataclasses.replace(finished[0], targets=("smile",), sensitive=(("smile",), ("race",)))
    assert config.pairs == (("smile", ("race",)),)
    alone = dataclasses.replace(config, sensitive=(("smile",),))
    with pytest.raises(ValueError, match="name another"):
        dataclasses.replace(finished[1], config=alone).frames()
