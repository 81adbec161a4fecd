import pandas as pd
import pytest

from greycard.metrics.prediction.paper002 import LOSS_COLUMNS, beside_paper, printed_rows


def test_all_rows_of_the_three_tables_are_there():
    rows = printed_rows()
    assert rows.groupby(["dataset", "target", "sensitive"]).size().to_dict() == {
        ("celeba", "Smiling", "Male"): 6,
        ("celeba", "Smiling", "Young"): 6,
        ("utkface", "age_group", "gender"): 6,
        ("utkface", "age_group", "race"): 6,
        ("siim", "diagnosis", "sex"): 6,
    }
    assert (rows[list(LOSS_COLUMNS)] > 0).all(axis=None)
    assert rows["accuracy_all"].notna().sum() == 24
    assert rows.loc[rows["dataset"] == "siim", "auc"].tolist() == [0.829, 0.801, 0.869, 0.854, 0.804, 0.835]


def test_three_cells_are_named_as_suspicious():
    """L_eo_mi / L_eo_l2 is .43-.51 by Male and .29-.32 by Young elsewhere, and about twice that in the named rows."""
    rows = printed_rows()
    named = rows[rows["note"] != ""]
    assert [text.split(", ", 1)[1] for text in named["source"]] == [
        "Table 1, row 1",
        "Table 1, row 7",
        "Table 3, row 2",
    ]
    ratio = rows["L_eo_mi"] / rows["L_eo_l2"]
    celeba = rows["dataset"] == "celeba"
    for attribute, low, high in (("Male", 0.43, 0.52), ("Young", 0.28, 0.33)):
        mine = celeba & (rows["sensitive"] == attribute)
        assert ratio[mine & (rows["note"] == "")].between(low, high).all()
        assert (ratio[mine & (rows["note"] != "")] > 0.55).all()
    last = named.iloc[-1]
    assert last["L_eo_mi"] == last["L_dp_l2"]


def test_measured_rows_are_kept_and_ordered_as_the_paper_has_them():
    table = pd.DataFrame(
        {
            "target": ["age_group"] * 4,
            "sensitive": ["race", "gender", "race", "race"],
            "loss": ["dp_mi", "ce", "ce", "iou_paired"],
            "system": ["d", "c", "b", "p"],
            "L_iou": [1.0, 2.0, 3.0, 4.0],
        }
    )
    both = beside_paper(table, "utkface")
    assert list(both.columns) == ["source", *table.columns, "note"]
    assert both["system"].fillna("").tolist() == ["", "b", "", "d", "p", "", "c"]
    assert both["source"].tolist()[0] == "paper 002, Table 2, row 7"
    assert both["L_iou"].tolist() == [pytest.approx(value) for value in (2.06e-2, 3.0, 6.61e-3, 1.0, 4.0, 1.45e-3, 2.0)]
    elsewhere = beside_paper(table, "celeba")
    assert elsewhere["source"].tolist() == ["measured"] * 4


def test_a_control_without_the_loss_stands_last_and_beside_no_row_of_the_paper():
    table = pd.DataFrame(
        {
            "target": ["age_group"] * 3,
            "sensitive": ["race"] * 3,
            "loss": ["iou", "ce", "eo_l2"],
            "lam": [0.0, 0.0, 3.0],
            "system": ["control", "base", "fair"],
        }
    )
    both = beside_paper(table, "utkface")
    assert both["system"].fillna("").tolist() == ["", "base", "", "fair", "control"]
    assert both["loss"].tolist() == ["ce", "ce", "eo_l2", "eo_l2", "iou"]
