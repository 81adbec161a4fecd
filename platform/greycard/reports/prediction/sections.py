"""From the frames of a prediction audit to the blocks of a page: the same for an audit alone and for a search."""

from typing import Final, NamedTuple

import pandas as pd

from greycard.reports.pages import Block, picture
from greycard.reports.prediction import figures, tables
from greycard.reports.prediction.arms import Arm, arms_of, heading, mean, pairs_of, pick, rows_of
from greycard.reports.prediction.evidence import Evidence
from greycard.reports.prediction.verdict import AcceptedCost, Aim, verdict
from greycard.reports.prediction.words import DISPARITY_WORDS, GROUP_WORDS, measure_word
from greycard.reports.table import Table
from greycard.reports.wording import DASH, amount, change, level, span, to

PAPER: Final = tables.PAPER


class Found(NamedTuple):
    """One target and one attribute of an audit, and the arms that stand beside each other."""

    target: str
    attribute: str
    arms: list[Arm]

    @property
    def key(self) -> str:
        """The target and attribute as a part of file names."""
        return "-".join(part.replace(" ", "-") for part in (self.target, self.attribute) if part)


def compared(page: Evidence) -> tuple[Block, ...]:
    """Return the block that says what repeated trainings show; () without a comparison."""
    return () if page.comparison is None or not len(page.comparison) else (_comparison(page, page.comparison),)


def audited(page: Evidence) -> tuple[Block, ...]:
    """Return the blocks of the audit itself; those whose frames are not there are left out."""
    made = []
    for found in found_in(page):
        made.append(by_group(page, found))
        made.append(differences(page, found))
    if page.squeezing is not None and len(page.squeezing):
        made += [_squeezing(page.squeezing, found) for found in found_in(page) if len(_part(page.squeezing, found))]
    if page.table is not None and len(page.table):
        made.append(paper_layout(page, page.table))
    return tuple(made)


def found_in(page: Evidence) -> list[Found]:
    """Return the targets and attributes that were audited."""
    if page.groups is None or page.disparities is None:
        return []
    arms = arms_of(page.table, page.groups)
    return [Found(target, attribute, arms) for target, attribute in pairs_of(page.groups)]


def _comparison(page: Evidence, frame: pd.DataFrame) -> Block:
    """Return the block of repeated trainings against each other."""
    seeds = int(frame["seeds"].max())
    aim = f"{_aim(page.aim, frame)} " if page.aim else ""
    other = "chosen setting" if page.aim else "fairness loss"
    shaded = (
        "Shaded is the aim, in the rows that it is of: it is shown to be met where the whole interval lies inside. "
        if page.aim
        else ""
    )
    return Block(
        title=f"Baseline and {other}, {seeds} trainings each",
        paragraphs=(
            f"{aim}Both were trained {seeds} times with different seeds. The intervals ({level(page.level)}) hold both "
            "sources of chance: which trainings and which people happened to be in the sample.",
        ),
        pictures=(
            picture(
                figures.seeds_figure(frame, page.aim),
                "seeds",
                f"Left: how much each group difference fell against the baseline; {level(1)} means that it is gone, "
                f"below 0 that it grew. Right: what it cost. {shaded}Filled marks are decisions (what users get), "
                "hollow ones probabilities.",
                "Forest plot: fall of each group difference and change of accuracy, with intervals"
                + (" and the aim" if page.aim else ""),
            ),
        ),
        tables=(tables.comparison(frame, other, level(page.level)),),
    )


def _aim(aim: Aim, frame: pd.DataFrame) -> str:
    """Say what was to fall and what it might cost, and which of these was not compared."""
    hard = set(frame.loc[frame["decisions"] == "hard", "measure"])
    where = " in decisions" if aim.goal in hard else ""
    lost = ", ".join(f"{measure_word(cost.metric).name} by at most {_most(cost)}" for cost in aim.costs)
    absent = [
        measure_word(name).name
        for name in dict.fromkeys((aim.goal, *(cost.metric for cost in aim.costs)))
        if name not in set(frame["measure"])
    ]
    return (
        f"The aim was to lower {measure_word(aim.goal).name} by at least {level(aim.min_reduction)}{where}, while "
        f"these may become worse: {lost}." + (f" Not compared, so not judged: {', '.join(absent)}." if absent else "")
    )


def _most(cost: AcceptedCost) -> str:
    if cost.relative:
        return f"{level(cost.most)} of the baseline's"
    if not measure_word(cost.metric).share:
        return f"{cost.most:g}"
    most = f"{100 * cost.most:g}"
    return f"{most} percentage point{'s' * (most != '1')}"


def by_group(page: Evidence, found: Found) -> Block:
    """Return the block of a target's accuracy and IoU by group."""
    assert page.groups is not None, "found_in gives nothing without groups"
    rows = pick(page.groups, found.target, found.attribute)
    shown = [name for name in ("accuracy", "iou") if name in set(rows["measure"])]
    others = [name for name in GROUP_WORDS if name in set(rows["measure"])]
    empty = [name for name in rows["group"].drop_duplicates() if rows.loc[rows["group"] == name, "count"].max() == 0]
    missing = (f"No images: {', '.join(empty)}. These groups keep their place and have no numbers.",) if empty else ()
    cells = _cells(page, found)
    return Block(
        title=f"By group: {heading((found.target, found.attribute))}",
        paragraphs=missing,
        pictures=(
            picture(
                figures.groups_figure(rows, found.arms, shown),
                f"groups-{found.key}",
                f"Accuracy and IoU in each group with {level(page.level)} intervals. Small marks are single trainings, "
                "the large one is their mean. The scales do not start at 0. Groups that lie one below the other are "
                "predicted equally well.",
                f"Accuracy and IoU by group, {heading((found.target, found.attribute))}",
            ),
        )
        if shown
        else (),
        details=(
            (
                "The numbers by group",
                tuple(tables.groups(rows, found.arms, name, level(page.level)) for name in others),
            ),
            *((("Images of each class in each group", cells),) if cells else ()),
        ),
    )


def differences(page: Evidence, found: Found) -> Block:
    """Return the block of the disparities: decisions with intervals and noise floor, and hard beside soft."""
    assert page.disparities is not None, "found_in gives nothing without disparities"
    rows = pick(page.disparities, found.target, found.attribute)
    table = tables.disparities(rows, found.arms, chance_of(page), level(page.level))
    few = len(table.rows) <= 12
    return Block(
        title=f"Group differences: {heading((found.target, found.attribute))}",
        paragraphs=(
            "A difference cannot be below 0, so chance alone gives one. The noise floor says how large: it is the mean "
            "difference when images are dealt to the groups at random.",
        ),
        pictures=(
            picture(
                figures.disparities_figure(rows, found.arms),
                f"differences-{found.key}",
                f"Group differences in decisions with {level(page.level)} intervals; 0 is equal treatment. Hatched is "
                "the noise floor: a difference inside it is no more than groups dealt at random show on average.",
                f"Group differences in decisions, {heading((found.target, found.attribute))}",
            ),
        ),
        tables=(table,) if few else (),
        details=(
            *(() if few else (("The group differences of each training", (table,)),)),
            ("Hard beside soft", (tables.hard_beside_soft(rows, found.arms),)),
        ),
    )


def paper_layout(page: Evidence, frame: pd.DataFrame) -> Block:
    """Return the block in the layout of the paper's Tables 1-3, with its rows beside ours where they are known."""
    beside = page.paper is not None and bool((page.paper["source"] != "measured").any())
    shown = page.paper if beside and page.paper is not None else frame
    sentence = (
        "The paper's rows stand beside those of this audit. Splits, networks and what its accuracy averages (all "
        "attributes that it predicts) may differ: compare the order of losses, not the digits."
        if beside
        else "The paper has no row for this data set and these attributes, so none stands beside."
    )
    return Block(
        title="In the layout of the paper's tables",
        paragraphs=(
            f"The columns of {PAPER}, Tables 1-3. {sentence} Its losses are means over batches of 256, which chance "
            "lifts, and of probabilities, which can move together without a changed decision; so the second table "
            "adds what decides.",
        ),
        tables=(tables.paper_layout(shown), tables.decisions_and_calibration(frame)),
        details=(("The same losses of the whole split", (tables.paper_layout(frame, "_full"),)),)
        if "L_iou_full" in frame
        else (),
    )


def verdict_of(page: Evidence) -> str:
    """Return the verdict on a comparison of seeds; "" without one of predictors."""
    if page.comparison is None or not {"sigma_iou", "accuracy"} <= set(page.comparison["measure"]):
        return ""
    return verdict(page.comparison, page.aim)


def headline(page: Evidence) -> tuple[str, ...]:
    """Return a first sentence for each target and attribute from the audit alone."""
    return tuple(_sentence(page, found) for found in found_in(page)) or ("This audit has no groups to compare.",)


def chance_of(page: Evidence) -> float:
    """Return the level of the permutation test: what the intervals leave out."""
    return round(1 - page.level, 9)


def _sentence(page: Evidence, found: Found) -> str:
    assert page.disparities is not None, "found_in gives nothing without disparities"
    assert page.groups is not None, "found_in gives nothing without groups"
    rows = pick(page.disparities, found.target, found.attribute)
    rows = rows[(rows["measure"] == "sigma_iou") & (rows["decisions"] == "hard")]
    overall = pick(page.groups, found.target, found.attribute)
    overall = overall[(overall["group"] == "all") & (overall["measure"] == "accuracy")]
    base = next((arm for arm in found.arms if arm.baseline), found.arms[0])
    others = [arm for arm in found.arms if arm.name != base.name and len(rows_of(rows, arm))]
    name = heading((found.target, found.attribute)).capitalize()
    before, word = rows_of(rows, base), DISPARITY_WORDS["sigma_iou"]
    if not len(before):
        return f"{name}: σ_IOU was not measured."
    text = f"{name}: σ_IOU of decisions is {_with_interval(before)} with {base.label}"
    if not others:
        p = mean(before, "p_value")
        beyond = "no chance was computed" if pd.isna(p) else "more" if p < chance_of(page) else "not more"
        return f"{text}, {beyond} than chance alone would give (about {amount(mean(before, 'noise_floor'), word)})."
    lowest = min(others, key=lambda arm: mean(rows_of(rows, arm), "value"))
    after = rows_of(rows, lowest)
    cost = mean(rows_of(overall, lowest), "value") - mean(rows_of(overall, base), "value")
    return (
        f"{text} and {_with_interval(after)} with {lowest.label}, the lowest of {len(others)}; chance alone would give "
        f"about {amount(mean(after, 'noise_floor'), word)}. "
        f"Accuracy changes by {change(cost, GROUP_WORDS['accuracy'])}."
    )


def _with_interval(rows: pd.DataFrame) -> str:
    """Return the mean over seeds; with one training its interval, with more the lowest and highest seed."""
    word = DISPARITY_WORDS["sigma_iou"]
    value = amount(mean(rows, "value"), word)
    if len(rows) > 1:
        ends = (amount(float(end), word) for end in (rows["value"].min(), rows["value"].max()))
        return f"{value} ({to(*ends)} over {len(rows)} seeds)"
    between = span(rows["low"].iloc[0], rows["high"].iloc[0], word)
    return value if between == DASH else f"{value} {between}"


def _squeezing(frame: pd.DataFrame, found: Found) -> Block:
    rows = _part(frame, found)
    arms = [arm for arm in found.arms if len(rows_of(rows, arm))]
    name = heading((found.target, found.attribute))
    return Block(
        title=f"Is the gain real or squeezed: {name}",
        paragraphs=(
            "A predictor that only becomes less sure of everything lowers every difference of probabilities and "
            "changes no decision. So each gain is measured again: in decisions, and in probabilities that were "
            "refitted to the labels, which undoes squeezing. Each half of the rows is refitted by what the other half "
            "shows, so no row is judged by a refit that has seen it.",
        ),
        pictures=(
            picture(
                figures.squeezing_figure(rows, arms),
                f"squeezing-{found.key}",
                "How much each difference fell against the baseline. Where decisions (black) and refitted "
                "probabilities stay near 0 while probabilities (orange) lie far right, the gain is one of confidence. "
                "Arrows: beyond −100\N{NO-BREAK SPACE}%.",
                f"Fall of each group difference by view, {name}",
            ),
        ),
        tables=tuple(tables.squeezing(rows, arm) for arm in arms),
    )


def _part(frame: pd.DataFrame, found: Found) -> pd.DataFrame:
    """Return a frame's rows of a target and, where it says so, an attribute."""
    for column, value in (("target", found.target), ("attribute", found.attribute)):
        if column in frame and value:
            frame = frame[frame[column] == value]
    return frame


def _cells(page: Evidence, found: Found) -> tuple[Table, ...]:
    rows = None if page.cells is None else _part(page.cells, found)
    return () if rows is None or not len(rows) else (tables.cells(rows),)
