"""The grouping rules applied to an audit: which classes are merged for whom, and what a constant would score.

The frame of chance stands beside every merged accuracy, because merging makes constants look good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from greycard.metrics.by_group import Floats, Groups
from greycard.metrics.disparity import bias
from greycard.metrics.restoration import phenotypes
from greycard.metrics.restoration.phenotypes import Bools, Rule
from greycard.metrics.restoration.rows import AuditRows

CHANCE_COLUMNS: Final = {
    "task": "str",
    "attribute": "str",
    "group": "str",
    "merged": "str",
    "count": "int64",
    "constant": "str",
    "merged_chance": "float64",
    "group_constant": "str",
    "group_chance": "float64",
    "constant_bias": "float64",
    "group_constant_bias": "float64",
}


@dataclass(frozen=True, slots=True)
class Merging:
    """Which classes are merged.

    Attributes:
        groups: each image's group of the attribute that the rules are about; everyone where the data lack it.
        members: task -> (G, C) bool, the merged classes.
        counts: task -> (G, C) labels of the audited images.
        classes: task -> C class names.
    """

    groups: Groups
    members: dict[str, Bools]
    counts: dict[str, Floats]
    classes: dict[str, tuple[str, ...]]

    def chance(self) -> pd.DataFrame:
        """Return the chance frame, one row per task and group, as documented at ``findings.summarise``."""
        frames = [pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in CHANCE_COLUMNS.items()})]
        frames += [self._task(task).astype(CHANCE_COLUMNS) for task in self.members]
        return pd.concat(frames, ignore_index=True)

    def _task(self, task: str) -> pd.DataFrame:
        classes, counts, members = self.classes[task], self.counts[task], self.members[task]
        found = phenotypes.merged_chance(members, counts)
        return pd.DataFrame(
            {
                "task": task,
                "attribute": self.groups.name,
                "group": self.groups.names,
                "merged": ["|".join(np.array(classes)[row]) for row in members],
                "count": counts.sum(axis=1).astype(np.int64),
                "constant": classes[found.constant],
                "merged_chance": found.accuracy,
                "group_constant": ["" if code < 0 else classes[code] for code in found.group_constants],
                "group_chance": found.group_accuracy,
                "constant_bias": bias(found.accuracy[:, None])[0],
                "group_constant_bias": bias(found.group_accuracy[:, None])[0],
            }
        )


def merge(
    rows: AuditRows,
    groups: Groups,
    classes: Mapping[str, tuple[str, ...]],
    rules: Mapping[str, Rule],
    reference_counts: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> Merging:
    """Apply grouping rules to the reference counts, or where there are none to the labels of the audited images.

    Args:
        rows: the audit.
        groups: each image's group of the attribute that the rules are about.
        classes: class sets by attribute.
        rules: task -> rule; a task without one is not merged.
        reference_counts: task -> group -> labels per class.

    Raises:
        ValueError: reference counts of a wrong length, or a rule about classes that the class set lacks.
    """
    members, counts = {}, {}
    for task in rows.predictions:
        names = classes[task]
        counts[task] = phenotypes.label_counts(rows.labels[task], groups.codes, len(groups.names), len(names))
        reference = counts[task].copy()
        for group, given in reference_counts.get(task, {}).items():
            if len(given) != len(names):
                raise ValueError(f"reference_counts.{task}.{group} needs {len(names)} numbers, got {len(given)}")
            if group in groups.names:
                reference[groups.names.index(group)] = given
        members[task] = phenotypes.merged_classes(rules.get(task), groups.names, names, reference)
    return Merging(groups, members, counts, {task: classes[task] for task in rows.predictions})
