"""The tables of a prediction audit, as text for a template to place. Absent numbers are dashes, never zeros."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from greycard.reports.prediction.arms import BASELINE_LOSS, Arm, fell, mean, rows_of
from greycard.reports.prediction.words import (
    DISPARITY_WORDS,
    GROUP_WORDS,
    HARD_MEASURES,
    LOSS_WORDS,
    VERDICT_WORDS,
    VIEW_WORDS,
    measure_word,
    metric_word,
    value_label,
)
from greycard.reports.table import Table
from greycard.reports.wording import (
    DASH,
    EQUALS,
    Word,
    amount,
    bracket,
    change,
    decimal,
    group_name,
    number,
    p_value,
    share,
    span,
    spell,
    to,
)

PAPER: Final = "“Enhancing Fairness of Visual Attribute Predictors”"
_LOSSES: Final = ("L_iou", "L_eo_l2", "L_eo_mi", "L_dp_l2", "L_dp_mi")
_LOSS_HEADS: Final = ("L_iou", "L_eo^l2", "L_eo^mi", "L_dp^l2", "L_dp^mi")


def groups(frame: pd.DataFrame, arms: Sequence[Arm], measure: str, covered: str) -> Table:
    """Return a measure by group (rows) and arm (columns), with the images per group."""
    rows = frame[frame["measure"] == measure]
    word = GROUP_WORDS[measure]
    cells = []
    for name in frame["group"].drop_duplicates():
        part = rows[rows["group"] == name]
        count = int(part["count"].max()) if len(part) else 0
        cells.append((group_name(name), f"{count:,}", *(_value(rows_of(part, arm), word) for arm in arms)))
    better = f"; {word.better} is better" if word.better else ""
    return Table(
        f"{word.label}{better} (one training: {covered} interval; several: their mean, lowest and highest seed)",
        ("group", "images", *(arm.label for arm in arms)),
        tuple(cells),
    )


def disparities(frame: pd.DataFrame, arms: Sequence[Arm], chance: float, covered: str) -> Table:
    """Return the disparities of decisions, one row per system, each with interval, noise floor and chance."""
    rows = frame[(frame["decisions"] == "hard") & (frame["estimate"] == "full_split")]
    cells, marks = [], []
    for measure in HARD_MEASURES:
        for arm in arms:
            for row in rows_of(rows[rows["measure"] == measure], arm).to_dict("records"):
                word = DISPARITY_WORDS[measure]
                cells.append(
                    (
                        word.label,
                        arm.called(row["system"]),
                        f"{amount(row['value'], word)} {span(row['low'], row['high'], word)}",
                        amount(row["noise_floor"], word),
                        _chance(row["p_value"], chance),
                        f"{row['missing']:.0f}",
                    )
                )
                marks.append(row["p_value"] < chance)
    return Table(
        "Group differences in decisions. A row is set off where the difference is more than chance.",
        ("measure", "system", f"value [{covered} interval]", "noise floor", "more than chance?", "empty cells"),
        tuple(cells),
        tuple(marks),
    )


def hard_beside_soft(frame: pd.DataFrame, arms: Sequence[Arm]) -> Table:
    """Return every disparity (rows) of each arm: in decisions, in probabilities, and as a mean over batches."""
    batch = [name for name in frame["estimate"].drop_duplicates() if name != "full_split"]
    views = [("hard", "full_split", "decisions"), ("soft", "full_split", "probabilities")]
    views += [("soft", name, spell(name).replace("batch", "batches of ")) for name in batch]
    cells = []
    for measure in (name for name in DISPARITY_WORDS if name in set(frame["measure"])):
        row = [DISPARITY_WORDS[measure].label]
        for arm in arms:
            part = rows_of(frame[frame["measure"] == measure], arm)
            for decisions, estimate, _ in views:
                found = part[(part["decisions"] == decisions) & (part["estimate"] == estimate)]
                row.append(number(mean(found, "value")))
        cells.append(tuple(row))
    heads = [f"{arm.label}: {words}" for arm in arms for *_, words in views]
    return Table(
        "Hard beside soft: each difference in decisions, in probabilities of the whole split, and in probabilities as "
        "a mean over batches (means over seeds).",
        ("measure", *heads),
        tuple(cells),
    )


def cells(frame: pd.DataFrame) -> Table:
    """Return the images of each (label, group) cell; an empty one says so."""
    rows = frame[frame["system"] == frame["system"].iloc[0]]
    labels = list(rows["label"].drop_duplicates())
    heads = [spell(label) if isinstance(label, str) else f"class {label}" for label in labels]
    made = []
    for group in rows["group"].drop_duplicates():
        counts = rows[rows["group"] == group].set_index("label")["count"]
        made.append((spell(group), *(f"{counts[label]:,}" if counts[label] else "0 (empty)" for label in labels)))
    return Table("Images of each true class in each group.", ("group", *heads), tuple(made))


def paper_layout(table: pd.DataFrame, suffix: str = "") -> Table:
    """Return the layout of Tables 1-3: one row per system, the accuracy and the losses in its columns.

    Args:
        table: one row per system; a column ``source`` says whose row it is.
        suffix: "" for means over batches, ``_full`` for the whole split.
    """
    heads = ["source"] if "source" in table else []
    made = []
    for row in table.to_dict("records"):
        whose = [_source(row)] if heads else []
        made.append(
            (
                *whose,
                spell(str(row.get("target", DASH))),
                spell(str(row.get("sensitive", DASH))),
                _loss(row),
                _seed(row.get("seed")),
                *(_number(row.get(name)) for name in ("accuracy", "accuracy_all", "auc")),
                *(_number(row.get(name + suffix)) for name in _LOSSES),
            )
        )
    of = "of the whole split" if suffix else "as means over shuffled batches, as the paper's tables have them"
    return Table(
        f"The layout of Tables 1-3 of {PAPER}: losses of probabilities, {of}.",
        (*heads, "target", "sensitive", "loss", "seed", "accuracy", "accuracy, all tasks", "AUC", *_LOSS_HEADS),
        tuple(made),
    )


def decisions_and_calibration(table: pd.DataFrame) -> Table:
    """Return what Tables 1-3 leave out: differences of decisions, and the calibration error."""
    names = [name for name in (*HARD_MEASURES, "ece") if name in table]
    made = [
        (
            spell(str(row.get("target", DASH))),
            spell(str(row.get("sensitive", DASH))),
            _loss(row),
            _seed(row.get("seed")),
            *(amount(_float(row.get(name)), metric_word(name)) for name in ("accuracy", *names)),
        )
        for row in table.to_dict("records")
        if not pd.isna(row.get(names[0] if names else "accuracy"))
    ]
    heads = ("target", "sensitive", "loss", "seed", "accuracy", *(metric_word(name).label for name in names))
    return Table(
        "What that layout leaves out: differences in decisions, and the calibration error.", heads, tuple(made)
    )


def squeezing(frame: pd.DataFrame, arm: Arm) -> Table:
    """Return how much of every disparity fell for an arm: in each view, and the verdict in words."""
    part = rows_of(frame, arm)
    made, marks = [], []
    for measure in (name for name in DISPARITY_WORDS if name in set(part["measure"]) and name != "iou"):
        rows = part[part["measure"] == measure]
        views = {view: rows[rows["view"] == view] for view in rows["view"].drop_duplicates()}
        refits = [fell(found) for view, found in views.items() if view not in ("soft", "hard")]
        hard = views.get("hard", rows[:0])
        verdicts = rows.drop_duplicates("system")["verdict"].tolist()
        made.append(
            (
                DISPARITY_WORDS[measure].label,
                _fell(views.get("soft", rows[:0])),
                _fell(hard),
                _range(refits),
                _survives(fell(views.get("soft", rows[:0])), fell(hard)),
                _verdict(verdicts),
            )
        )
        marks.append(2 * verdicts.count("squeezed") >= len(verdicts))
    several = f", means of {len(arm.systems)} trainings" if len(arm.systems) > 1 else ""
    return Table(
        f"How much each difference fell against the baseline: {arm.label}{several}. A row is set off where a gain was "
        "squeezing (with several trainings: in half of them or more).",
        ("measure", "probabilities", "decisions", "refitted probabilities", "of the gain, in decisions", "verdict"),
        tuple(made),
        tuple(marks),
    )


def comparison(frame: pd.DataFrame, other: str, covered: str) -> Table:
    """Return the comparison of seeds, one row per measure; ``other`` is what the baseline is compared with."""
    made = []
    for row in frame.to_dict("records"):
        name = str(row["measure"])
        word = measure_word(name)
        made.append(
            (
                word.label,
                VIEW_WORDS.get(str(row["decisions"]), DASH),
                amount(row["baseline"], word),
                amount(row["fair"], word),
                f"{change(row['difference'], word)} {span(row['low'], row['high'], word)}",
                _lower(row["reduction"], row["reduction_low"], row["reduction_high"]),
            )
        )
    seeds, count = (int(frame[name].max()) if len(frame) else 0 for name in ("seeds", "count"))
    return Table(
        f"Means over {seeds} pairs of trainings on {count:,} images; intervals hold the chance of both.",
        (
            "measure", "in", "baseline", other, f"change [{covered} interval]",
            f"fell by [{covered} interval]",
        ),
        tuple(made),
    )  # fmt: skip


def _value(rows: pd.DataFrame, word: Word) -> str:
    known = rows[rows["value"].notna()]
    if not len(known):
        return DASH
    text = amount(mean(known, "value"), word)
    if len(known) == 1:
        return f"{text} {span(known['low'].iloc[0], known['high'].iloc[0], word)}"
    ends = (amount(float(end), word) for end in (known["value"].min(), known["value"].max()))
    return f"{text} ({to(*ends)})"


def _chance(p: float, chance: float) -> str:
    if pd.isna(p):
        return DASH
    return f"{'yes' if p < chance else 'no'} ({p_value(p)})"


def _survives(soft: float, hard: float) -> str:
    """Return the share of a gain in probabilities that decisions show; a dash where there is no such gain."""
    return share(hard / soft, 0) if soft > 0 else DASH


def _fell(rows: pd.DataFrame) -> str:
    if len(rows) != 1:
        return share(fell(rows), 0)
    return _lower(fell(rows), rows["low"].iloc[0], rows["high"].iloc[0])


def _lower(value: float, low: float, high: float) -> str:
    """Return how much a difference fell, in whole per cent, with its interval."""
    text, interval = share(value, 0), bracket(decimal(100 * low, 0), decimal(100 * high, 0))
    return text if DASH in (text, interval) else f"{text} {interval}"


def _range(found: Sequence[float]) -> str:
    """Return the lowest and the highest reduction over the refits."""
    known = [value for value in found if not pd.isna(value)]
    if not known:
        return DASH
    low, high = share(min(known), 0), share(max(known), 0)
    return low if low == high else to(decimal(100 * min(known), 0), high)


def _verdict(found: list[Any]) -> str:
    """Word the verdicts of an arm's seeds: one where they agree, else how many say what."""
    kinds = [kind for kind in VERDICT_WORDS if kind in found]
    if len(kinds) == 1:
        return VERDICT_WORDS[kinds[0]]
    text = ", ".join(f"{kind} with {found.count(kind)} of {len(found)} seeds" for kind in kinds)
    return f"{text[:1].upper()}{text[1:]}" or DASH


def _loss(row: Mapping[Any, Any]) -> str:
    name = str(row.get("loss", DASH))
    lam = row.get("lam")
    text = LOSS_WORDS.get(name, spell(name))
    if name != BASELINE_LOSS and lam == 0:
        return f"control, λ{EQUALS}0"
    return text if lam is None or pd.isna(lam) or not lam else f"{text}, λ{EQUALS}{value_label(float(lam))}"


def _source(row: Mapping[Any, Any]) -> str:
    source = row["source"]
    note = row.get("note")
    return f"{source} ({note})" if isinstance(note, str) and note else str(source)


def _seed(value: Any) -> str:
    return DASH if value is None or pd.isna(value) else f"{int(value)}"


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _number(value: Any) -> str:
    return number(_float(value))
