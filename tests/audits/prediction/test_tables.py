"""From tables of predictions to frames, without a predictor."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from greycard.audits.prediction.configs import PredictionAudit, PredictorSystem
from greycard.audits.prediction.pairs import compare_systems
from greycard.audits.prediction.rows import predictions_of
from greycard.audits.prediction.tables import make_frames
from greycard.metrics.prediction.findings import PredictionConfig, batch_means
from greycard.metrics.prediction.seeds import compare_seeds
from greycard.metrics.prediction.squeezing import SqueezingConfig
from tests.audits.prediction.predictors import PlantedConfig

ATTRIBUTES = {"smile": ("no", "yes"), "race": ("a", "b"), "age": ("young", "old")}
AGES = ATTRIBUTES["age"]


def table(seed=0, rows=300, failed=(), identities=True):
    """A predictor whose right answers are rarer in race b."""
    random = np.random.default_rng(5)
    label, race, age = (random.integers(0, 2, rows) for _ in range(3))
    random = np.random.default_rng([5, seed])
    z = random.normal(size=rows) + (2.5 - 2 * race) * (label - 0.5)
    p = 1 / (1 + np.exp(-z))
    ok = [row not in failed for row in range(rows)]
    return pa.table(
        {
            "system": ["x"] * rows,
            "image_id": [f"{row:04d}" for row in range(rows)],
            "split": ["test"] * rows,
            "identity": pa.array([f"p{row // 2}" if identities else None for row in range(rows)], pa.string()),
            "smile": pa.array([None if row == 3 else ATTRIBUTES["smile"][label[row]] for row in range(rows)]),
            "race": [ATTRIBUTES["race"][code] for code in race],
            "age": pa.array([None if row == 4 else AGES[age[row]] for row in range(rows)]),
            "prob_smile": pa.array(
                [[1 - p[row], p[row]] if ok[row] else None for row in range(rows)], pa.list_(pa.float64())
            ),
            "status": ["ok" if good else "failed" for good in ok],
            "error": ["" if good else f"reason {row % 2}" for row, good in enumerate(ok)],
        }
    )


def config(**changes):
    systems = (
        PredictorSystem(name="base", classifier=PlantedConfig()),
        PredictorSystem(
            name="fair", classifier=PlantedConfig(), loss="iou", lam=2.0, baseline="base", trained_for=("race",)
        ),
    )
    values = {
        "systems": systems,
        "targets": ("smile",),
        "sensitive": (("race",), ("race", "age")),
        "findings": PredictionConfig(resamples=20, permutations=10, batch=64),
        "squeezing": SqueezingConfig(resamples=20),
    }
    return PredictionAudit(**values | changes)


@pytest.fixture(scope="module")
def frames():
    tables = {"base": table(0, failed=(7, 9)), "fair": table(1, failed=(9, 10, 12))}
    return make_frames(tables, config(), ATTRIBUTES, "drawn")


def test_rows_that_failed_are_out_and_codes_are_the_manifests():
    rows = predictions_of(table(failed=(0, 1)), "smile", ("age", "race"), ATTRIBUTES)
    assert rows.probabilities.shape == (298, 2)
    assert rows.labels[1] == -1  # row 3 has no label
    assert rows.groups.names == ("young x a", "young x b", "old x a", "old x b")
    assert (rows.groups.codes[2], (rows.groups.codes == -1).sum()) == (-1, 1)
    assert len(np.unique(rows.identities)) == 149
    assert predictions_of(table(identities=False), "smile", ("race",), ATTRIBUTES).identities is None


def test_the_table_has_the_papers_columns_and_the_values_of_the_measures(frames):
    wanted = "target sensitive loss system seed accuracy accuracy_all auc L_iou L_eo_l2 L_eo_mi L_dp_l2 L_dp_mi"
    full = "L_iou_full L_eo_l2_full L_eo_mi_full L_dp_l2_full L_dp_mi_full sigma_iou dp_difference eo_difference ece"
    assert set(f"{wanted} {full}".split()) <= set(frames.table.columns)
    row = frames.table.query("system == 'fair' and sensitive == 'race'").iloc[0]
    rows = predictions_of(table(1, failed=(9, 10, 12)), "smile", ("race",), ATTRIBUTES)
    means = batch_means(rows, batch=64)
    assert row["L_iou"] == means["iou_mean"]
    assert row["L_dp_mi"] == means["dp_mi"]
    assert row["accuracy"] == pytest.approx((rows.known().decisions == rows.known().labels).mean())
    assert (row["count"], row["lam"], row["trained_for"]) == (296, 2.0, "race")
    assert row["L_eo_l2"] > row["L_eo_l2_full"]  # batches are biased upwards


def test_a_fair_system_is_compared_on_the_images_of_both(frames):
    assert frames.squeezing["system"].unique().tolist() == ["fair"]
    columns = "system target attribute measure view baseline fair reduction low high survives verdict"
    assert list(frames.squeezing.columns) == columns.split()
    alone = {"base": table(0), "fair": table(1)}
    for name in alone:  # the same with the rows of 7, 9, 10 and 12 gone from both
        alone[name] = alone[name].filter(pa.array([row not in (7, 9, 10, 12) for row in range(300)]))
    expected = make_frames(alone, config(), ATTRIBUTES, "drawn").squeezing
    assert frames.squeezing.equals(expected)


def test_counts_hold_every_row_and_the_reasons(frames):
    counts = frames.counts.set_index("system")
    assert counts.loc["fair", ["n_in", "n_ok", "n_failed"]].tolist() == [300, 297, 3]
    assert counts.loc["fair", "reasons"] == "reason 0 (2); reason 1 (1)"


def test_the_papers_rows_stand_beside_those_that_match():
    attributes = {"diagnosis": ("benign", "malignant"), "sex": ("male", "female")}
    names = {"smile": "diagnosis", "race": "sex", "prob_smile": "prob_diagnosis"}

    def renamed(seed):
        found = table(seed).rename_columns([names.get(name, name) for name in table().column_names])
        for name, old in (("diagnosis", "smile"), ("sex", "race")):
            codes = [None if x is None else attributes[name][ATTRIBUTES[old].index(x)] for x in found[name].to_pylist()]
            found = found.set_column(found.column_names.index(name), name, pa.array(codes))
        return found

    planted = PlantedConfig(tasks=("diagnosis",))
    base, fair = (dataclasses.replace(item, classifier=planted) for item in config().systems)
    fair = dataclasses.replace(fair, trained_for=("sex",))
    other = dataclasses.replace(fair, name="other", trained_for=("age",))
    changed = config(systems=(base, fair, other), targets=("diagnosis",), sensitive=(("sex",),))
    frames = make_frames({"base": renamed(0), "fair": renamed(1), "other": renamed(2)}, changed, attributes, "siim")
    paper = frames.paper
    assert paper["source"].tolist() == [
        "paper 002, Table 3, row 1",
        "measured",
        "paper 002, Table 3, row 2",
        "measured",
    ]
    assert paper["loss"].tolist() == ["ce", "ce", "iou", "iou"]
    assert paper["auc"].tolist()[::2] == [0.829, 0.801]
    assert paper["note"].tolist() == ["", "", "L_eo_mi is probably misprinted", ""]
    assert paper["system"].tolist()[1::2] == ["base", "fair"]
    assert "other" in frames.table["system"].tolist()


def test_without_pairs_there_is_no_squeezing():
    one = config(systems=config().systems[:1], sensitive=(("race",),))
    found = make_frames({"base": table()}, one, ATTRIBUTES, "drawn")
    assert len(found.squeezing) == 0
    assert "verdict" in found.squeezing.columns
    assert found.paper["source"].unique().tolist() == ["measured"]


def repeated(*seeds):
    base, fair = config().systems
    systems = []
    for seed in seeds:
        systems.append(dataclasses.replace(base, name=f"base{seed}", seed=seed))
        systems.append(dataclasses.replace(fair, name=f"fair{seed}", seed=seed, baseline=f"base{seed}"))
    return config(systems=tuple(systems), sensitive=(("race",),))


def test_seeds_of_one_loss_are_compared_together_on_the_images_of_all():
    tables = {"base0": table(0, failed=(7,)), "fair0": table(1), "base1": table(2), "fair1": table(3, failed=(8, 9))}
    audit = repeated(0, 1)
    found = compare_systems(tables, audit, ATTRIBUTES)
    keys = found[["target", "attribute", "loss", "lam", "trained_for"]].drop_duplicates().to_numpy().tolist()
    assert keys == [["smile", "race", "iou", 2.0, "race"]]
    kept = pa.array([row not in (7, 8, 9) for row in range(300)])
    base0, fair0, base1, fair1 = (
        predictions_of(part.filter(kept), "smile", ("race",), ATTRIBUTES) for part in map(table, range(4))
    )
    expected = compare_seeds([base0, base1], [fair0, fair1], audit.findings)
    assert found[expected.columns].equals(expected)
    assert (found["seeds"] == 2).all()
    assert (found["count"] == 296).all()  # row 3 has no label
    assert compare_systems({"base": table()}, config(systems=config().systems[:1]), ATTRIBUTES).empty


def test_an_audit_in_which_every_image_failed_has_frames_of_absent_numbers():
    none = table(rows=20, failed=range(20))
    found = make_frames({"base": none, "fair": none}, config(sensitive=(("race",),)), ATTRIBUTES, "drawn")
    assert found.counts["n_failed"].tolist() == [20, 20]
    assert len(found.squeezing) == 0
    assert compare_systems({"base": none, "fair": none}, config(sensitive=(("race",),)), ATTRIBUTES).empty
    assert np.isnan(found.table["accuracy"]).all()
    assert (found.cells["count"] == 0).all()


def test_a_group_without_images_is_absent_and_stays():
    rows = table()
    rows = rows.filter(pa.array([race == "a" for race in rows["race"].to_pylist()]))
    one = config(systems=config().systems[:1], sensitive=(("race",),))
    found = make_frames({"base": rows}, one, ATTRIBUTES, "drawn")
    absent = found.groups.query("group == 'b'")
    assert (absent["count"] == 0).all()
    assert absent["value"].isna().all()
    assert np.isnan(found.table["sigma_iou"]).all()
