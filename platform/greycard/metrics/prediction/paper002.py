"""The printed Tables 1-3 of paper 002, to stand beside what is measured here.

The columns are soft losses, averaged over shuffled validation batches of 256; L_iou is the mean over groups. As the
paper's published code logs it, the accuracy of Tables 1 and 2 is most likely the mean over all predicted attributes
(40 of CelebA, 3 of UTKFace), not the target's; Table 3 prints an AUC.

Three cells do not agree with their neighbours and should not be aimed at (``SUSPICIOUS``): L_eo_mi of the two
cross-entropy rows of Table 1 is about twice what these rows' L_eo_l2 implies in all other rows, and L_eo_mi of row 2 of
Table 3 repeats its L_dp_l2 and is about a hundred times too small.
"""

from typing import Final

import pandas as pd

LOSS_COLUMNS: Final = ("L_iou", "L_eo_l2", "L_eo_mi", "L_dp_l2", "L_dp_mi")
SUSPICIOUS: Final = {(1, 1): "L_eo_mi", (1, 7): "L_eo_mi", (3, 2): "L_eo_mi"}
"""(table, row) -> the column of a cell that is probably a misprint."""

DATASETS: Final = {"CelebA": "celeba", "UTKFace": "utkface", "SIIM-ISIC": "siim"}
"""The paper's data sets -> this package's."""

_NAMES: Final = {
    ("SIIM-ISIC", "Gender"): "sex",
    ("SIIM-ISIC", "Diagnosis"): "diagnosis",
    ("UTKFace", "AgeGroup"): "age_group",
    ("UTKFace", "Gender"): "gender",
    ("UTKFace", "Ethnicity"): "race",
}
# table row dataset target sensitive loss performance its_value L_iou L_eo_l2 L_eo_mi L_dp_l2 L_dp_mi
_PRINTED: Final = """
1 1  CelebA    Smiling   Male      ce    acc 0.902 8.73e-4 4.89e-3 5.12e-3 1.77e-2 8.46e-3
1 2  CelebA    Smiling   Male      iou   acc 0.903 7.32e-5 8.59e-4 4.26e-4 2.51e-3 1.20e-3
1 3  CelebA    Smiling   Male      eo_l2 acc 0.902 1.35e-5 1.78e-4 7.71e-5 1.36e-4 6.45e-5
1 4  CelebA    Smiling   Male      eo_mi acc 0.899 2.37e-5 2.24e-4 1.03e-4 8.40e-4 4.00e-4
1 5  CelebA    Smiling   Male      dp_l2 acc 0.899 4.28e-4 3.75e-3 1.87e-3 1.57e-4 7.43e-5
1 6  CelebA    Smiling   Male      dp_mi acc 0.901 5.28e-4 7.73e-3 3.96e-3 7.15e-4 3.40e-4
1 7  CelebA    Smiling   Young     ce    acc 0.901 1.34e-3 8.28e-3 4.93e-3 1.16e-2 3.48e-3
1 8  CelebA    Smiling   Young     iou   acc 0.901 4.15e-5 9.96e-4 3.06e-4 1.31e-3 3.96e-4
1 9  CelebA    Smiling   Young     eo_l2 acc 0.902 1.01e-5 5.48e-5 1.65e-5 6.81e-5 2.08e-5
1 10 CelebA    Smiling   Young     eo_mi acc 0.901 1.64e-5 2.57e-4 7.40e-5 4.24e-4 1.29e-4
1 11 CelebA    Smiling   Young     dp_l2 acc 0.901 8.34e-4 6.93e-3 2.18e-3 1.58e-4 4.78e-5
1 12 CelebA    Smiling   Young     dp_mi acc 0.901 5.63e-4 4.26e-3 1.33e-3 1.45e-4 4.44e-5
2 1  UTKFace   AgeGroup  Gender    ce    acc 0.847 1.45e-3 1.66e-1 1.23e-1 6.55e-2 4.21e-2
2 2  UTKFace   AgeGroup  Gender    iou   acc 0.852 3.04e-4 3.00e-2 2.89e-2 3.77e-2 2.18e-2
2 3  UTKFace   AgeGroup  Gender    eo_l2 acc 0.856 3.08e-3 8.11e-2 7.21e-2 4.85e-2 3.10e-2
2 4  UTKFace   AgeGroup  Gender    eo_mi acc 0.857 9.82e-4 2.88e-2 2.25e-2 2.16e-2 1.36e-2
2 5  UTKFace   AgeGroup  Gender    dp_l2 acc 0.852 5.61e-4 3.59e-2 3.59e-2 9.39e-3 7.00e-3
2 6  UTKFace   AgeGroup  Gender    dp_mi acc 0.848 7.78e-4 9.27e-2 6.40e-2 5.33e-3 4.51e-3
2 7  UTKFace   AgeGroup  Ethnicity ce    acc 0.846 2.06e-2 3.73e-1 1.81e-1 1.96e-1 5.48e-2
2 8  UTKFace   AgeGroup  Ethnicity iou   acc 0.847 6.62e-3 9.75e-2 8.60e-2 1.98e-1 4.53e-2
2 9  UTKFace   AgeGroup  Ethnicity eo_l2 acc 0.844 1.85e-2 2.50e-1 1.53e-1 1.91e-1 4.70e-2
2 10 UTKFace   AgeGroup  Ethnicity eo_mi acc 0.857 1.53e-2 1.12e-1 1.08e-1 1.52e-1 4.21e-2
2 11 UTKFace   AgeGroup  Ethnicity dp_l2 acc 0.857 1.77e-2 1.48e-1 1.62e-1 8.85e-2 3.03e-2
2 12 UTKFace   AgeGroup  Ethnicity dp_mi acc 0.854 6.61e-3 1.03e-1 5.19e-2 3.26e-2 6.24e-3
3 1  SIIM-ISIC Diagnosis Gender    ce    auc 0.829 1.26e-3 6.22e-2 3.51e-2 3.54e-4 9.27e-4
3 2  SIIM-ISIC Diagnosis Gender    iou   auc 0.801 5.71e-5 3.17e-2 1.67e-4 1.67e-4 1.32e-4
3 3  SIIM-ISIC Diagnosis Gender    eo_l2 auc 0.869 4.10e-4 8.52e-2 3.95e-2 7.60e-4 1.27e-3
3 4  SIIM-ISIC Diagnosis Gender    eo_mi auc 0.854 7.54e-4 7.71e-2 4.38e-2 7.41e-4 1.43e-3
3 5  SIIM-ISIC Diagnosis Gender    dp_l2 auc 0.804 6.62e-4 8.44e-2 4.86e-2 3.53e-4 8.89e-4
3 6  SIIM-ISIC Diagnosis Gender    dp_mi auc 0.835 3.64e-4 4.71e-2 2.39e-2 4.52e-4 9.43e-4
"""


def printed_rows() -> pd.DataFrame:
    """Return the tables: source, dataset, target, sensitive (this package's names), loss, accuracy_all, auc, L_*, note.

    Example:
        >>> rows = printed_rows()
        >>> len(rows), rows.loc[0, "loss"], float(rows.loc[0, "L_iou"])
        (30, 'ce', 0.000873)
    """
    rows = []
    for line in _PRINTED.strip().splitlines():
        table, row, dataset, target, sensitive, loss, performance, value, *losses = line.split()
        doubtful = SUSPICIOUS.get((int(table), int(row)), "")
        rows.append(
            {
                "source": f"paper 002, Table {table}, row {row}",
                "dataset": DATASETS[dataset],
                "target": _NAMES.get((dataset, target), target),
                "sensitive": _NAMES.get((dataset, sensitive), sensitive),
                "loss": loss,
                "accuracy_all": float(value) if performance == "acc" else float("nan"),
                "auc": float(value) if performance == "auc" else float("nan"),
                **dict(zip(LOSS_COLUMNS, map(float, losses), strict=True)),
                "note": f"{doubtful} is probably misprinted" if doubtful else "",
            }
        )
    return pd.DataFrame(rows)


def beside_paper(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Put the paper's rows in front of the measured ones that have their data set, target, attribute and loss.

    A control (trained on alike with λ = 0) has no fairness loss, so it stands last and beside no row of the paper.

    Args:
        table: measured rows: target, sensitive, loss, lam (may lack), and the columns of Tables 1-3.
        dataset: the measured data set's name.

    Returns:
        ``table`` with the columns source ("measured" or the place in the paper) and note; sorted by target, sensitive
        and loss in the paper's order. Only columns that the paper prints are filled in its rows.
    """
    printed = printed_rows()
    measured = table.assign(source="measured", note="")
    keys = ["target", "sensitive", "loss"]
    control = (measured["loss"] != "ce") & (measured["lam"] == 0) if "lam" in measured else measured["loss"].isna()
    wanted = measured.loc[~control, keys].drop_duplicates()
    there = printed[printed["dataset"] == dataset].drop(columns="dataset").merge(wanted, on=keys)
    columns = ["source", *table.columns, "note"]
    if there.empty:
        return measured[columns]
    both = pd.concat([there.reindex(columns=columns), measured[columns].astype(object)], ignore_index=True)
    order = {loss: place for place, loss in enumerate(printed["loss"].drop_duplicates())}
    rank = both["loss"].map(order).fillna(len(order))
    rank[len(there) :] = rank[len(there) :].mask(control.to_numpy(), len(order) + 1)
    pairs = {tuple(row): place for place, row in enumerate(measured[keys[:2]].drop_duplicates().to_numpy().tolist())}
    pair = [pairs[row] for row in zip(both["target"], both["sensitive"], strict=True)]
    sorted_rows = both.assign(_pair=pair, _rank=rank).sort_values(["_pair", "_rank"], kind="stable")
    return sorted_rows[columns].infer_objects().reset_index(drop=True)
