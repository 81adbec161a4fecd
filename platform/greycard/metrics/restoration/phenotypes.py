"""Phenotype accuracy as "Gone With the Bits" counts it, and the views that show what its merging hides.

The paper merges, race by race, the classes that are typical of a race: a prediction counts as right when it and the
label are both typical of the race, or when they are equal. Merged accuracy therefore only sees jumps *out* of a race's
typical classes, and a constant prediction can score high (``merged_chance``). Beside it stand ungrouped accuracy, macro
recall, and for skin the signed shift and the share of predictions lighter than the label.

Merging is decided by reference labels, never by predictions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray

from greycard.config import BY_KIND
from greycard.metrics.by_group import Floats, Ints, Terms, mean_of_ratios
from greycard.schema import unknown

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK:
    """Merge a group's ``k`` most frequent classes (ties: class order; classes that never occur are left out)."""

    kind: Literal["top_k"] = "top_k"
    k: int = 3

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"top_k.k must be at least 1, got {self.k}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MinShare:
    """Merge the classes that hold at least ``share`` of a group's labels."""

    kind: Literal["min_share"] = "min_share"
    share: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"min_share.share must be in (0, 1], got {self.share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Merge the classes that are listed for a group; a group that is not listed is not merged."""

    kind: Literal["table"] = "table"
    sets: dict[str, tuple[str, ...]]


Rule = Annotated[TopK | MinShare | Table, BY_KIND]

# The paper's sets, from the labels of the whole of RFW: skin by the 5 % rule, hair by the top 3.
RFW_SETS: Final[dict[str, Table]] = {
    "skin_type": Table(
        sets={
            "African": ("type5", "type6"),
            "Asian": ("type3", "type4"),
            "Caucasian": ("type2", "type3", "type4"),
            "Indian": ("type3", "type4"),
        }
    ),
    "hair_type": Table(
        sets={
            "African": ("bald", "curly", "wavy"),
            "Asian": ("bald", "straight", "wavy"),
            "Caucasian": ("bald", "straight", "wavy"),
            "Indian": ("bald", "straight", "wavy"),
        }
    ),
    "hair_color": Table(
        sets={
            "African": ("black", "brown", "gray"),
            "Asian": ("black", "brown", "gray"),
            "Caucasian": ("black", "blonde", "brown"),
            "Indian": ("black", "brown", "gray"),
        }
    ),
}


def merged_classes(rule: Rule | None, groups: tuple[str, ...], classes: tuple[str, ...], counts: Floats) -> Bools:
    """Decide which classes are merged in which group.

    Args:
        rule: the grouping rule; None merges nothing.
        groups: G group names.
        classes: C class names.
        counts: (G, C) reference labels by group and class (or shares; not used by ``Table``).

    Returns:
        (G, C) bool.

    Raises:
        ValueError: a table names a class that the class set lacks.

    Example:
        >>> counts = np.array([[0, 2, 12, 312, 6034, 4055]])
        >>> merged_classes(MinShare(), ("African",), tuple("123456"), counts).nonzero()[1].tolist()
        [4, 5]
    """
    members = np.zeros((len(groups), len(classes)), bool)
    if isinstance(rule, TopK):
        top = np.argsort(-counts, axis=1, kind="stable")[:, : rule.k]
        np.put_along_axis(members, top, True, axis=1)
        members &= counts > 0
    elif isinstance(rule, MinShare):
        totals = counts.sum(axis=1, keepdims=True)
        members = (counts >= rule.share * totals) & (counts > 0)
    elif isinstance(rule, Table):
        for group, names in rule.sets.items():
            for name in names:
                if name not in classes:
                    raise ValueError(f"grouping table, {group}: {unknown('class', name, classes)}")
                if group in groups:
                    members[groups.index(group), classes.index(name)] = True
    return members


def correct(labels: Ints, predictions: Ints) -> Floats:
    """Return whether each prediction equals its label: (N,), (N, S) -> (N, S) float64, NaN where either is -1."""
    right: Floats = (predictions == labels[:, None]).astype(np.float64)
    right[(predictions < 0) | (labels < 0)[:, None]] = np.nan
    return right


def correct_merged(labels: Ints, predictions: Ints, groups: Ints, members: Bools) -> Floats:
    """Return whether each prediction is right after merging, (N, S) float64.

    NaN where the label, the prediction or the group is missing (-1).

    Args:
        labels: (N,) class codes.
        predictions: (N, S) class codes by S classifier seeds.
        groups: (N,) codes of the groups whose classes are merged.
        members: (G, C) from ``merged_classes``.

    Example:
        >>> members = np.array([[False, True, True]])
        >>> correct_merged(np.array([1, 0]), np.array([[2], [2]]), np.array([0, 0]), members).ravel().tolist()
        [1.0, 0.0]
    """
    right = correct(labels, predictions)
    merged = members[groups[:, None], predictions] & members[groups, labels][:, None]
    return np.where(np.isnan(right) | (groups < 0)[:, None], np.nan, np.maximum(right, merged))


def mean_over_seeds(values: Floats) -> Floats:
    """Average (N, S) over the seeds that gave a prediction; NaN where none did."""
    counted = ~np.isnan(values)
    number = counted.sum(axis=1)
    total = np.where(counted, values, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)


def macro_recall(name: str, right: Floats, labels: Ints, classes: int) -> Terms:
    """Make macro recall: the mean over the classes that occur in a group of the share recognised; higher is better.

    In [0, 1]; a group without labels is NaN.

    Args:
        name: the measure's name.
        right: (N,) seed-averaged correctness, NaN = missing.
        labels: (N,) class codes.
        classes: size of the class set.
    """
    of_class = (labels[:, None] == np.arange(classes)) & ~np.isnan(right)[:, None]
    numerators = np.where(of_class, np.nan_to_num(right)[:, None], 0.0)
    return mean_of_ratios(name, numerators, of_class.astype(np.float64))


def shift(labels: Ints, predictions: Ints) -> tuple[Floats, Floats]:
    """Return the signed shift of an ordered class and whether the prediction lies below the label, (N, S) each.

    For skin types, whose codes rise from light to dark, a negative shift is lightening. NaN where either is missing.

    Example:
        >>> steps, lighter = shift(np.array([5]), np.array([[3, 5]]))
        >>> steps.tolist(), lighter.tolist()
        ([[-2.0, 0.0]], [[1.0, 0.0]])
    """
    missing = (predictions < 0) | (labels < 0)[:, None]
    steps = np.where(missing, np.nan, predictions - labels[:, None])
    return steps, np.where(missing, np.nan, steps < 0)


@dataclass(frozen=True, slots=True)
class MergedChance:
    """What constants score under merging.

    Attributes:
        constant: code of the one class that scores best over all labels when predicted everywhere.
        accuracy: (G,) its merged accuracy by group, NaN for an empty group.
        group_constants: (G,) code of the class that scores best in each group, -1 for an empty group.
        group_accuracy: (G,) its merged accuracy.
    """

    constant: int
    accuracy: Floats
    group_constants: Ints
    group_accuracy: Floats


def merged_chance(members: Bools, counts: Floats) -> MergedChance:
    """Find the best constant predictions, one for all groups and one for each.

    Args:
        members: (G, C) from ``merged_classes``.
        counts: (G, C) labels by group and class.

    Example:
        >>> found = merged_chance(np.array([[True, True], [False, False]]), np.array([[6, 4], [5, 5]]))
        >>> found.constant, found.accuracy.tolist()
        (0, [1.0, 0.5])
    """
    hits = np.where(members, (counts * members).sum(axis=1, keepdims=True), counts)
    totals = counts.sum(axis=1)
    scores = np.full(hits.shape, np.nan)
    np.divide(hits, totals[:, None], out=scores, where=totals[:, None] > 0)
    constant = int(hits.sum(axis=0).argmax())
    own = hits.argmax(axis=1)
    return MergedChance(
        constant,
        scores[:, constant],
        np.where(totals > 0, own, -1),
        np.take_along_axis(scores, own[:, None], axis=1)[:, 0],
    )


def label_counts(labels: Ints, groups: Ints, num_groups: int, num_classes: int) -> Floats:
    """Count labels by group and class, (G, C) float64; rows with a missing label or group don't count."""
    known = (labels >= 0) & (groups >= 0)
    cells = groups[known] * num_classes + labels[known]
    return np.bincount(cells, minlength=num_groups * num_classes).reshape(num_groups, num_classes).astype(np.float64)


def default_rules() -> dict[str, Rule]:
    """Return the paper's rules: its RFW sets for skin type, hair type and hair colour, no merging elsewhere."""
    return dict(RFW_SETS)


def check_rules(rules: Mapping[str, Rule], attributes: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse rules about attributes that are neither the data's nor the paper's.

    Raises:
        ValueError: naming the rule and near matches.
    """
    known = tuple(dict.fromkeys((*attributes, *RFW_SETS)))
    for task in rules:
        if task not in known:
            raise ValueError(unknown("attribute in grouping rules", task, known))
