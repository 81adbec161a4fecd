"""Findings from small audit tables whose numbers are known by hand."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from greycard import schema
from greycard.datasets.groups import RFW_COUNTS
from greycard.metrics.descriptions import COLUMNS, Description
from greycard.metrics.restoration.findings import Findings, FindingsConfig, summarise
from greycard.metrics.restoration.phenotypes import MinShare, Table, TopK

ATTRIBUTES = {
    "race": schema.RACE.classes,
    "gender": ("female", "male"),
    "skin_type": schema.SKIN_TYPE.classes,
    "eye_type": schema.EYE_TYPE.classes,
}
QUICK = FindingsConfig(resamples=50, permutations=50)


def table(system: str = "raw", point: float = 0.0, **columns: object) -> pa.Table:
    """Eight images: two identities each of two African and two Asian; Caucasian and Indian stay empty."""
    values: dict[str, object] = {
        "image_id": [f"i{n}" for n in range(8)],
        "split": ["test"] * 8,
        "identity": ["a", "a", "b", "b", "c", "c", None, None],
        "race": ["African"] * 4 + ["Asian"] * 4,
        "gender": ["female", "male"] * 4,
        "skin_type": ["type6", "type5", "type6", "type5", "type3", "type4", "type3", "type2"],
        "system": [system] * 8,
        "point": [point] * 8,
        "status": ["ok"] * 8,
        "error": [""] * 8,
        "bpp_estimated": [0.1] * 4 + [0.3] * 4,
        "bpp_payload": [None] * 8,
        "bpp_total": [0.5] * 8,
        "psnr_db": [20.0, 22, 24, 26, 30, 30, 32, 32],
        "mse": [100.0, 100, 200, 200, 65.025, 65.025, 65.025, 65.025],
        "pred_skin_type": [[5, 5], [4, 3], [2, 4], [4, 4], [2, 3], [3, 3], [4, 4], [1, 1]],
    }
    values.update(columns)
    types = {"bpp_payload": pa.float64(), "pred_skin_type": pa.list_(pa.int8())}
    return pa.table({name: pa.array(column, types.get(name)) for name, column in values.items()})


def cell(frame: pd.DataFrame, **where: object) -> pd.Series:
    for name, value in where.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1, f"{len(frame)} rows for {where}"
    return frame.iloc[0]


@pytest.fixture(scope="module")
def findings() -> Findings:
    worse = table("jpeg", 10.0, psnr_db=[10.0, 10, 10, 10, 28, 28, 30, 30])
    return summarise(pa.concat_tables([table(), worse]), ATTRIBUTES, QUICK)


def test_values_by_group(findings: Findings) -> None:
    def value(measure: str, group: str) -> float:
        return cell(findings.groups, system="raw", attribute="race", group=group, measure=measure)["value"]

    assert value("psnr_db", "African") == 23
    assert value("psnr_db_of_mean_mse", "Asian") == pytest.approx(30)
    assert value("psnr_db_of_mean_mse", "African") == pytest.approx(10 * np.log10(255**2 / 150))
    assert value("accuracy/skin_type", "African") == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert value("accuracy_merged/skin_type", "African") == pytest.approx((1 + 0.5 + 0.5 + 1) / 4)
    assert value("accuracy_merged/skin_type", "Asian") == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert value("macro_recall/skin_type", "African") == pytest.approx((0.5 + 0.75) / 2)
    assert value("macro_recall/skin_type", "Asian") == pytest.approx(((0.5 + 0) / 2 + 1 + 1) / 3)
    assert value("shift/skin_type", "African") == pytest.approx((0 - 0.5 - 2 + 0) / 4)
    assert value("lighter/skin_type", "African") == pytest.approx((0 + 0.5 + 1 + 0) / 4)
    whole = cell(findings.groups, system="raw", attribute="all", measure="psnr_db")
    assert (whole["group"], whole["value"], whole["count"], whole["identities"]) == ("all", 27, 8, 5)


def test_counts_rates_and_empty_groups(findings: Findings) -> None:
    african = cell(findings.groups, system="raw", attribute="race", group="African", measure="psnr_db")
    assert (african["count"], african["identities"], african["failed"]) == (4, 2, 0)
    assert african["bpp_estimated"] == pytest.approx(0.2)
    assert african["group_bpp_estimated"] == pytest.approx(0.1)
    assert np.isnan(african["bpp_payload"])
    indian = cell(findings.groups, system="raw", attribute="race", group="Indian", measure="psnr_db")
    assert (indian["count"], indian["identities"]) == (0, 0)
    assert np.isnan(indian[["value", "low", "high", "drop"]].to_numpy(float)).all()
    assert african["low"] <= african["value"] <= african["high"]


def test_bias_and_its_difference_from_raw(findings: Findings) -> None:
    raw = cell(findings.disparities, system="raw", measure="psnr_db")
    jpeg = cell(findings.disparities, system="jpeg", measure="psnr_db")
    assert (raw["bias"], raw["delta"], raw["delta_low"], raw["delta_high"]) == (8, 0, 0, 0)
    assert (jpeg["bias"], jpeg["reference_bias"], jpeg["delta"]) == (19, 8, 11)
    assert (jpeg["best_group"], jpeg["worst_group"]) == ("Asian", "African")
    assert (jpeg["count_min"], jpeg["empty_groups"]) == (0, "Caucasian|Indian")
    assert jpeg["delta_low"] <= 11 <= jpeg["delta_high"]
    mse = cell(findings.disparities, system="raw", measure="mse")
    assert (mse["best_group"], mse["worst_group"]) == ("Asian", "African")
    shift = cell(findings.disparities, system="raw", measure="shift/skin_type")
    assert shift["worst_group"] == "African"
    drop = cell(findings.groups, system="jpeg", attribute="race", group="African", measure="psnr_db")
    assert (drop["reference"], drop["drop"]) == (23, 13)
    assert drop["drop_low"] <= 13 <= drop["drop_high"]


def test_seeds_are_averaged_before_the_gap_and_both_are_kept(findings: Findings) -> None:
    """One seed is right about Africans only, the other about Asians only: no bias on average, a bias of 1 in each."""
    labels = [5, 4, 5, 4, 2, 3, 2, 1]
    opposed = [[code, 0] for code in labels[:4]] + [[0, code] for code in labels[4:]]
    found = summarise(table(pred_skin_type=opposed), ATTRIBUTES, QUICK).disparities
    for measure in ("accuracy/skin_type", "accuracy_merged/skin_type", "macro_recall/skin_type"):
        row = cell(found, measure=measure)
        assert (row["bias"], row["bias_seed_mean"]) == pytest.approx((0, 1))
    row = cell(findings.disparities, system="raw", measure="psnr_db")
    assert row["bias_seed_mean"] == row["bias"]


def test_shards_with_dictionaries_and_lists_of_their_own_types() -> None:
    """As read from several Parquet files: other dictionaries, large lists, chunks, a dictionary of systems."""
    first, second = table().slice(0, 4), table().slice(4)
    parts = []
    for part in (first, second):
        for name in ("race", "system", "skin_type"):
            part = part.set_column(part.column_names.index(name), name, part[name].combine_chunks().dictionary_encode())
        index = part.column_names.index("pred_skin_type")
        parts.append(part.set_column(index, "pred_skin_type", part["pred_skin_type"].cast(pa.large_list(pa.int8()))))
    found = summarise(pa.concat_tables(parts), ATTRIBUTES, QUICK)
    pd.testing.assert_frame_equal(found.groups, summarise(table(), ATTRIBUTES, QUICK).groups)


def test_an_audit_without_rows_is_empty_frames() -> None:
    found = summarise(table().slice(0, 0), ATTRIBUTES, QUICK)
    assert [len(frame) for frame in (found.groups, found.disparities, found.rates, found.counts)] == [0, 0, 0, 0]
    assert "value" in found.groups
    assert "n_in" in found.counts


def test_chance_stands_beside_accuracy(findings: Findings) -> None:
    african = cell(findings.chance, task="skin_type", group="African")
    assert (african["merged"], african["count"]) == ("type5|type6", 4)
    assert african["group_chance"] == 1.0
    # everywhere: types 3 and 4 score 3 of 4 Asian and no African, types 5 and 6 score 4 African: they win
    assert (african["constant"], african["merged_chance"]) == ("type5", 1.0)
    assert cell(findings.chance, task="skin_type", group="Asian")["merged_chance"] == 0.0
    assert african["constant_bias"] == 1.0
    indian = cell(findings.chance, task="skin_type", group="Indian")
    assert (indian["count"], indian["group_constant"]) == (0, "")
    assert np.isnan(indian["merged_chance"])


def test_crossed_attributes() -> None:
    found = summarise(table(), ATTRIBUTES, FindingsConfig(attributes=("race x gender", "gender"), resamples=0))
    crossed = found.groups[(found.groups["attribute"] == "race x gender") & (found.groups["measure"] == "psnr_db")]
    assert crossed["group"].tolist()[:3] == ["African x female", "African x male", "Asian x female"]
    assert crossed["value"].tolist()[:4] == [22, 24, 31, 31]
    assert len(crossed) == 8
    assert set(found.disparities["attribute"]) == {"race x gender", "gender"}


def test_failed_rows_are_counted_and_left_out() -> None:
    predictions = [[5, 5], [4, 3], [2, 4], None, [2, 3], [], [4, 4], [1, 1]]
    broken = table(
        status=["ok", "ok", "ok", "failed", "ok", "failed", "ok", "failed"],
        error=["", "", "", "truncated image", "", "empty file", "", "truncated image"],
        psnr_db=[20.0, 22, 24, -999, 30, None, 32, np.nan],
        pred_skin_type=predictions,
    )
    found = summarise(broken, ATTRIBUTES, QUICK)
    counts = found.counts.iloc[0]
    assert counts[["n_in", "n_ok", "n_failed"]].tolist() == [8, 5, 3]
    assert counts["reasons"] == "truncated image (2); empty file (1)"
    african = cell(found.groups, attribute="race", group="African", measure="psnr_db")
    assert (african["value"], african["count"], african["failed"]) == (22, 3, 1)
    assert cell(found.groups, attribute="race", group="Asian", measure="accuracy/skin_type")["count"] == 2


def test_a_system_that_failed_everywhere() -> None:
    dead = table("dead", 1.0, status=["failed"] * 8, error=["no"] * 8, pred_skin_type=[None] * 8)
    found = summarise(pa.concat_tables([table(), dead]), ATTRIBUTES, QUICK)
    row = cell(found.disparities, system="dead", measure="psnr_db")
    assert np.isnan(row[["bias", "p_value", "delta", "low", "noise_floor"]].to_numpy(float)).all()
    assert (row["best_group"], row["count_min"]) == ("", 0)


def test_images_missing_at_a_point_count_as_neither() -> None:
    found = summarise(pa.concat_tables([table(), table("jpeg", 5.0).slice(0, 6)]), ATTRIBUTES, QUICK)
    assert found.counts["n_in"].tolist() == [8, 6]
    asian = cell(found.groups, system="jpeg", attribute="race", group="Asian", measure="psnr_db")
    assert (asian["count"], asian["failed"]) == (2, 0)


def test_row_order_and_string_encoding_do_not_matter(findings: Findings) -> None:
    worse = table("jpeg", 10.0, psnr_db=[10.0, 10, 10, 10, 28, 28, 30, 30])
    shuffled = pa.concat_tables([table(), worse]).take(np.random.default_rng(0).permutation(16))
    shuffled = shuffled.set_column(3, "race", shuffled["race"].dictionary_encode())
    found = summarise(shuffled, ATTRIBUTES, QUICK)
    keys = ["system", "point", "attribute", "group", "measure"]
    for name in ("groups", "disparities"):
        by = [key for key in keys if key in getattr(found, name)]
        first, second = (getattr(item, name).sort_values(by, ignore_index=True) for item in (findings, found))
        pd.testing.assert_frame_equal(first, second)


def test_without_a_reference_or_predictions_or_identities() -> None:
    plain = table("jpeg", 5.0).drop_columns(["pred_skin_type", "identity", "mse"])
    found = summarise(plain, ATTRIBUTES, QUICK)
    assert found.disparities["measure"].tolist() == ["psnr_db"]
    row = found.disparities.iloc[0]
    assert row["bias"] == 8
    assert np.isnan(row[["reference_bias", "delta", "delta_low"]].to_numpy(float)).all()
    assert len(found.chance) == 0
    assert cell(found.groups, attribute="race", group="African", measure="psnr_db")["identities"] == 4


def test_without_the_merging_attribute_merged_accuracy_is_plain() -> None:
    found = summarise(table().drop_columns(["race"]), ATTRIBUTES, FindingsConfig(attributes=("gender",), resamples=9))
    for group in ("female", "male"):
        merged, plain = (
            cell(found.groups, attribute="gender", group=group, measure=name)["value"]
            for name in ("accuracy_merged/skin_type", "accuracy/skin_type")
        )
        assert merged == plain
    assert found.chance["attribute"].unique().tolist() == ["all"]


def test_rules_can_use_reference_counts_the_labels_or_a_table() -> None:
    def merged(**settings: object) -> list[str]:
        return (
            summarise(table(), ATTRIBUTES, FindingsConfig(resamples=0, permutations=0, **settings))
            .chance["merged"]
            .tolist()
        )

    by_counts = merged(rules={"skin_type": MinShare()}, reference_counts=RFW_COUNTS)
    assert by_counts == ["type5|type6", "type3|type4", "type2|type3|type4", "type3|type4"]
    assert merged() == by_counts
    assert merged(rules={"skin_type": TopK(k=3)}) == ["type5|type6", "type2|type3|type4", "", ""]
    assert merged(rules={"skin_type": Table(sets={"Asian": ("type1", "type3")})}) == ["", "type1|type3", "", ""]
    assert merged(rules={}) == ["", "", "", ""]


def test_rates_by_group_and_over_the_shared_interval() -> None:
    def curve(system: str, factor: float, spread: float) -> list[pa.Table]:
        rates, quality = np.array([0.1, 0.2, 0.4]), np.array([24.0, 27.0, 30.0])
        return [
            table(
                system,
                float(index),
                bpp_estimated=[rate * factor] * 8,
                psnr_db=[db] * 4 + [db + spread] * 4,
            )
            for index, (rate, db) in enumerate(zip(rates, quality, strict=True))
        ]

    found = summarise(pa.concat_tables([table(), *curve("a", 1, 1), *curve("b", 0.9, 1)]), ATTRIBUTES, QUICK).rates
    assert set(found["system"]) == {"a", "b"}
    saved = cell(found, system="b", measure="bd_rate", group="African")
    assert saved["value"] == pytest.approx(-10)
    assert (saved["reference"], saved["rate"], saved["reason"]) == ("a", "bpp_estimated", "")
    assert (saved["low_bpp"], saved["high_bpp"]) == pytest.approx((0.1, 0.4))
    assert cell(found, system="b", measure="bd_rate", group="all")["value"] == pytest.approx(-10)
    assert cell(found, system="b", measure="bd_psnr", group="Asian")["value"] > 0
    empty = cell(found, system="b", measure="bd_rate", group="Indian")
    assert np.isnan(empty["value"])
    assert empty["reason"] == "a rate is missing or not positive"
    # all images lie 0.5 dB above the African ones: at 3 dB a doubling that is 2 ** (1 / 6) more bits for them
    against_all = cell(found, system="a", measure="bd_rate_vs_all", group="African")
    assert against_all["value"] == pytest.approx(100 * (2 ** (1 / 6) - 1))
    area = cell(found, system="b", measure="bias_area", of="psnr_db")
    assert (area["low_bpp"], area["high_bpp"]) == pytest.approx((0.1, 0.36))
    assert area["value"] == pytest.approx(np.log10(3.6))
    assert cell(found, system="b", measure="bias_mean", of="psnr_db")["value"] == pytest.approx(1)


def test_rates_are_never_mixed() -> None:
    """One system has estimates only, the other files only: no number, but a reason."""
    estimated = [
        table("neural", float(i), bpp_estimated=[0.1 * (i + 1)] * 8, bpp_total=[np.nan] * 8, psnr_db=[25.0 + i] * 8)
        for i in range(3)
    ]
    files = [
        table("jpeg", float(i), bpp_estimated=[np.nan] * 8, bpp_total=[0.1 * (i + 1)] * 8, psnr_db=[25.0 + i] * 8)
        for i in range(3)
    ]
    rates = summarise(pa.concat_tables([*estimated, *files]), ATTRIBUTES, QUICK).rates
    refused = cell(rates, system="jpeg", measure="bd_rate", group="all")
    assert np.isnan(refused["value"])
    assert refused["reason"] == "the systems have no kind of rate in common"
    for system, kind in (("neural", "bpp_estimated"), ("jpeg", "bpp_total")):
        area = cell(rates, system=system, measure="bias_area", of="psnr_db")
        assert (area["rate"], area["value"]) == (kind, 0)


def test_of_several_samples_of_an_image_the_first_counts(findings: Findings) -> None:
    worse = table("jpeg", 10.0, psnr_db=[10.0, 10, 10, 10, 28, 28, 30, 30], sample=[0] * 8)
    second = table("jpeg", 10.0, psnr_db=[50.0] * 8, sample=[1] * 8)
    drawn = summarise(pa.concat_tables([table(), worse, second], promote_options="default"), ATTRIBUTES, QUICK)
    for mine, expected in zip(drawn, findings, strict=True):
        pd.testing.assert_frame_equal(mine, expected)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (table().drop_columns(["status"]), "lacks the column 'status'"),
        (table(race=["African"] * 7 + ["Asien"]), "unknown race label 'Asien'; did you mean 'Asian'"),
        (pa.concat_tables([table(), table()]), "an image comes more than once .* system 'raw', point 0"),
        (table().drop_columns(["skin_type"]), "predictions of 'skin_type' but no labels"),
        (table(pred_skin_type=[[1]] * 7 + [[1, 2]]), r"pred_skin_type: every row .* got \[1, 2\]"),
        (table(image_id=["x", None] * 4), "4 rows of the audit table have no image_id"),
    ],
)
def test_says_what_is_wrong_with_a_table(broken: pa.Table, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(broken, ATTRIBUTES, QUICK)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attributes": ("rase",)}, "unknown attribute 'rase'; did you mean 'race'"),
        ({"attributes": ("race x gende",)}, "did you mean 'gender'"),
        ({"rules": {"skin": TopK()}}, "did you mean 'skin_type'"),
        ({"rate_reference": "jpg"}, "unknown system for rate_reference 'jpg'"),
        ({"reference_counts": {"skin_type": {"Asian": (1.0,)}}}, "Asian needs 6 numbers, got 1"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"resamples": -1}, "must be 0 or more"),
        ({"min_overlap": 2.0}, "min_overlap"),
        ({"rate_columns": ("bpp",)}, "unknown rate column 'bpp'"),
    ],
)
def test_says_what_is_wrong_with_a_config(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(pa.concat_tables([table(), table("jpeg", 5.0)]), ATTRIBUTES, FindingsConfig(**settings))


def payload_curve(system: str, rates: tuple[float, ...], estimated: bool) -> list[pa.Table]:
    """A system whose groups differ by 2 dB at every rate; estimated rates are half of the coded ones."""
    return [
        table(
            system,
            float(index),
            bpp_estimated=[rate / 2 if estimated else np.nan] * 8,
            bpp_payload=[rate] * 8,
            psnr_db=[25.0 + index] * 4 + [27.0 + index] * 4,
        )
        for index, rate in enumerate(rates)
    ]


def test_areas_use_the_rate_that_all_systems_have() -> None:
    """A neural codec prefers its estimates, JPEG has only bytes: both have bytes, so they share that interval."""
    neural, jpeg = payload_curve("neural", (0.1, 0.4, 1.0), True), payload_curve("jpeg", (0.2, 0.5, 2.0), False)
    rates = summarise(pa.concat_tables([table(), *neural, *jpeg]), ATTRIBUTES, QUICK).rates
    for system in ("neural", "jpeg"):
        row = cell(rates, system=system, measure="bias_area", of="psnr_db")
        assert (row["rate"], row["low_bpp"], row["high_bpp"]) == pytest.approx(("bpp_payload", 0.2, 1.0))
        assert row["value"] == pytest.approx(2 * np.log10(5))
    alone = summarise(pa.concat_tables([table(), *neural]), ATTRIBUTES, QUICK).rates
    assert cell(alone, system="neural", measure="bias_area", of="psnr_db")["rate"] == "bpp_estimated"


def test_a_single_point_or_a_dead_system_does_not_choose_the_rate_of_areas() -> None:
    neural = payload_curve("neural", (0.1, 0.4, 1.0), True)
    single = payload_curve("single", (0.3,), False)
    dead = [table("dead", float(index), status=["failed"] * 8) for index in range(2)]
    rates = summarise(pa.concat_tables([table(), *neural, *single, *dead]), ATTRIBUTES, QUICK).rates
    areas = rates[rates["measure"] == "bias_area"]
    assert set(areas["system"]) == {"neural"}
    assert set(areas["rate"]) == {"bpp_estimated"}


def test_a_new_measure_needs_only_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """African images are the more blurred ones; less is better."""
    monkeypatch.setitem(
        COLUMNS, "blur", Description(label="blur", unit="pixels", compares="by edges", better="lower", digits=3)
    )
    blurred = table().append_column("blur", pa.array([4.0, 4, 4, 4, 1, 1, 3, 3]))
    found = summarise(blurred, ATTRIBUTES, QUICK)
    assert cell(found.groups, attribute="race", group="Asian", measure="blur")["value"] == 2
    row = cell(found.disparities, measure="blur")
    assert (row["bias"], row["best_group"], row["worst_group"]) == (2, "Asian", "African")


def test_frames_say_what_their_intervals_cover() -> None:
    wide, narrow = (
        summarise(table(), ATTRIBUTES, FindingsConfig(resamples=200, permutations=9, level=level)).groups
        for level in (0.99, 0.5)
    )
    assert (set(wide["level"]), set(narrow["level"])) == ({0.99}, {0.5})
    place = {"attribute": "all", "measure": "psnr_db"}
    assert cell(wide, **place)["low"] < cell(narrow, **place)["low"]
