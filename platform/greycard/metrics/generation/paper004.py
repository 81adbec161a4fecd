"""The printed Tables 1-5 of paper 004, to stand beside what is measured here.

Fairness is the discrepancy (eq. 9): mean ± deviation over splits of the images (5 of 10,000 in the text, 10 of 5,000 in
the published code, which leaves out classes that never occur). The ± of the no-reference measures is the deviation over
images. Table 3 measures against balanced CIFAR-10, with Inception's features. Fine-tuning on synthetic data always has
the bias loss. The last two rows of Tables 3 and 4 differ by less than their deviations.

At 32 px BRISQUE saturates, so the values of Table 5 tell little.
"""

from typing import Final

import pandas as pd

from greycard.schema import unknown

ROWS: Final = {
    "balanced_real": "Balanced data",
    "reweighting": "Imbalanced data (reweighting)",
    "real": "Imbalanced data",
    "real_bias": "Imbalanced data + bias loss",
    "finetune": "Imbalanced data + Syn data",
    "finetune_freeze5": "Imbalanced data + Syn data (freezeD = 5)",
    "syn": "Syn data",
    "syn_bias": "Syn data + bias loss",
}
"""Row -> what the paper prints; each below the one that it starts from."""
OTHER_NAMES: Final = {
    "real_bias_loss": "real_bias",
    "finetune_syn": "finetune",
    "finetune_syn_freezed5": "finetune_freeze5",
    "syn_scratch": "syn",
    "syn_scratch_bias_loss": "syn_bias",
}
"""Other names that a variant may have -> row."""
DATASETS: Final = ("FFHQ", "CIFAR10-LT")

# table: dataset, columns; ``-`` where the paper has no number
_COLUMNS: Final = {
    1: ("FFHQ", ("fairness", "fairness_sd")),
    2: ("FFHQ", ("eqface", "eqface_sd", "niqe", "niqe_sd", "brisque", "brisque_sd", "clip_iqa", "clip_iqa_sd")),
    3: ("CIFAR10-LT", ("fid", "kid", "precision", "recall", "inception_score", "inception_score_sd", "path_length")),
    4: ("CIFAR10-LT", ("fairness", "fairness_sd")),
    5: ("CIFAR10-LT", ("brisque", "brisque_sd", "clip_iqa", "clip_iqa_sd")),
}
_PRINTED: Final = """
1 reweighting      .4588 .0052
1 real             .4525 .0064
1 real_bias        .4503 .0063
1 finetune         .1024 .0053
1 finetune_freeze5 .1056 .0044
1 syn              .0992 .0041
1 syn_bias         .0947 .0071
2 reweighting      .5491 .1507 4.8018 1.0926 7.0015 8.2990 .6814 .0940
2 real             .5496 .1476 4.9053 1.2079 6.9652 8.3043 .6835 .0905
2 real_bias        .5396 .1483 4.7568 1.0676 6.3721 8.1770 .6802 .0903
2 finetune         .5820 .1247 4.8395 1.0846 7.5867 7.5897 .6877 .0797
2 finetune_freeze5 .5815 .1250 4.8507 1.0328 7.9044 7.6993 .6936 .0785
2 syn              .5757 .1294 4.9408 1.1059 8.7538 7.6573 .6803 .0811
2 syn_bias         .5739 .1255 4.7675 .9914  8.1593 7.4206 .6603 .0807
3 balanced_real     4.36 .00155 .6330 .5684 9.49 .10 18.90
3 reweighting      11.28 .00614 .6429 .5100 8.33 .08 19.38
3 real             11.13 .00628 .6937 .4398 8.30 .12 20.66
3 real_bias        10.30 .00568 .6837 .4632 8.47 .17 22.85
3 finetune          6.44 .00201 .6974 .3860 9.19 .08 23.09
3 finetune_freeze5  6.56 .00213 .6984 .3946 9.21 .10 23.19
3 syn               6.38 .00152 .6771 .3905 9.44 .10 23.28
3 syn_bias          6.32 .00146 .6800 .3877 9.49 .11 23.96
4 balanced_real    .0286 .0018
4 reweighting      .2313 .0023
4 real             .2279 .0020
4 real_bias        .2183 .0029
4 finetune         .0290 .0019
4 finetune_freeze5 .0285 .0015
4 syn              .0288 .0022
4 syn_bias         .0281 .0033
5 balanced_real    60.13 35.18 .51 .05
5 reweighting      62.57 35.02 .51 .05
5 real             62.14 34.57 .51 .05
5 real_bias        60.87 34.13 .51 .05
5 finetune         61.51 35.77 .51 .05
5 finetune_freeze5 61.33 35.84 .51 .05
5 syn              62.21 36.13 .51 .06
5 syn_bias         62.43 36.34 .51 .06
"""


def row_of(variant: str) -> str:
    """Return the row that a variant's name stands for; "" for one that the paper does not have.

    Example:
        >>> row_of("syn_scratch"), row_of("real"), row_of("rejection")
        ('syn', 'real', '')
    """
    name = OTHER_NAMES.get(variant, variant)
    return name if name in ROWS else ""


def printed_rows(dataset: str) -> pd.DataFrame:
    """Return a data set's rows in the paper's order: row, label, and the columns of its tables, NaN where it has none.

    Args:
        dataset: ``FFHQ`` (Tables 1 and 2) or ``CIFAR10-LT`` (Tables 3 to 5).

    Raises:
        ValueError: the paper has no such data set.

    Example:
        >>> rows = printed_rows("CIFAR10-LT").set_index("row")
        >>> float(rows.loc["real", "fairness"]), float(rows.loc["real", "fid"])
        (0.2279, 11.13)
    """
    if dataset not in DATASETS:
        raise ValueError(unknown("data set of paper 004", dataset, DATASETS))
    found: dict[str, dict[str, float]] = {}
    for line in _PRINTED.strip().splitlines():
        table, row, *values = line.split()
        of, columns = _COLUMNS[int(table)]
        if of == dataset:
            found.setdefault(row, {}).update(zip(columns, map(float, values), strict=True))
    rows = [{"row": row, "label": label, **found[row]} for row, label in ROWS.items() if row in found]
    return pd.DataFrame(rows)


def tables_of(dataset: str, column: str) -> str:
    """Return where a column is printed: ``paper 004, Table 4``; "" where it is not."""
    found = [table for table, (of, columns) in _COLUMNS.items() if of == dataset and column in columns]
    return f"paper 004, Table {found[0]}" if found else ""
