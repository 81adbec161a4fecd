"""Audit tables with known truth: labels from the RFW counts, predictions with planted accuracies and shifts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from greycard import schema

# Yucer et al.'s labels of RFW, African / Asian / Caucasian / Indian, typed in from the published table.
RFW_COUNTS: dict[str, np.ndarray] = {
    "skin_type": np.array(
        [
            [0, 2, 12, 312, 6034, 4055],
            [0, 464, 5644, 3522, 55, 3],
            [219, 4388, 4880, 709, 0, 0],
            [0, 126, 2717, 7219, 246, 0],
        ]
    ),
    "lip_type": np.array([[8181, 2234], [1973, 7715], [1389, 8807], [4618, 5690]]),
    "nose_type": np.array([[1661, 8754], [5187, 4501], [5776, 4420], [4267, 6041]]),
    "eye_type": np.array([[85, 10330], [9207, 481], [173, 10023], [25, 10283]]),
    "hair_type": np.array(
        [[2320, 7751, 38, 306], [493, 57, 7857, 1281], [745, 331, 6614, 2506], [834, 287, 6430, 2757]]
    ),
    "hair_color": np.array(
        [
            [9864, 56, 204, 270, 21],
            [6589, 260, 2006, 707, 126],
            [2118, 2093, 4061, 1706, 218],
            [6875, 34, 1741, 1598, 60],
        ]
    ),
}
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "race": schema.RACE.classes,
    **{name: attribute.classes for name, attribute in schema.PHENOTYPES.items()},
}


@dataclass(frozen=True)
class Images:
    """Labelled images without pixels: codes of race and identity, and of each phenotype, (N,) each."""

    race: np.ndarray
    identity: np.ndarray
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.race)


def draw_labels(
    identities: int = 120, images: int = 4, tasks: Sequence[str] = ("skin_type",), races: int = 4, seed: int = 0
) -> Images:
    """Draw ``identities`` a race with ``images`` images each, labelled by RFW's shares."""
    random = np.random.default_rng([seed, 1])
    race = np.repeat(np.arange(races), identities)
    labels = {}
    for task in tasks:
        shares = RFW_COUNTS[task] / RFW_COUNTS[task].sum(axis=1, keepdims=True)
        drawn = (random.random(len(race))[:, None] > shares.cumsum(axis=1)[race]).sum(axis=1)
        labels[task] = np.repeat(np.minimum(drawn, shares.shape[1] - 1), images)
    return Images(np.repeat(race, images), np.repeat(np.arange(len(race)), images), labels)


def predictions(labels: np.ndarray, classes: int, accuracy: np.ndarray, seeds: int, random: np.random.Generator):
    """Predict right with each image's probability, otherwise a random other class: (N, seeds) int8."""
    shape = (len(labels), seeds)
    other = (labels[:, None] + random.integers(1, classes, shape)) % classes
    return np.where(random.random(shape) < accuracy[:, None], labels[:, None], other).astype(np.int8)


def audit_table(
    faces: Images,
    system: str,
    point: float,
    predicted: Mapping[str, np.ndarray],
    measures: Mapping[str, np.ndarray] | None = None,
    bpp: float = 0.1,
    failed: Sequence[int] = (),
) -> pa.Table:
    """Make the audit table of one system at one point."""
    size = len(faces)
    status = np.full(size, schema.OK, object)
    status[list(failed)] = schema.FAILED
    rate = np.where(status == schema.OK, bpp, np.nan)
    lists = {}
    for task, codes in predicted.items():
        offsets = pa.array(np.arange(0, codes.size + 1, codes.shape[1]), pa.int32())
        lists[schema.prediction_column(task)] = pa.ListArray.from_arrays(
            offsets, pa.array(codes.ravel().astype(np.int8))
        )
    labels = {task: np.array(ATTRIBUTES[task], object)[codes] for task, codes in faces.labels.items()}
    return pa.table(
        {
            schema.IMAGE_ID: [f"{index:07d}" for index in range(size)],
            schema.SPLIT: ["test"] * size,
            schema.IDENTITY: [f"id{code}" for code in faces.identity],
            "race": pa.array(np.array(ATTRIBUTES["race"], object)[faces.race]).dictionary_encode(),
            **{task: pa.array(names).dictionary_encode() for task, names in labels.items()},
            schema.SYSTEM: [system] * size,
            schema.POINT: pa.array(np.full(size, point, np.float64)),
            schema.STATUS: list(status),
            schema.ERROR: ["" if item == schema.OK else "truncated image" for item in status],
            **{name: pa.array(rate) for name in schema.RATES},
            **{name: pa.array(np.asarray(values, np.float64)) for name, values in (measures or {}).items()},
            **lists,
        }
    )
