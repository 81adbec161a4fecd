"""Drawn phenotype faces: labelled images of nobody, with the class shares of Racial Faces in the Wild (RFW).

They are drawings, not people and not photographs. Each is computed from class labels and two seeds; no photograph,
scan or person stands behind it. They exist so that the whole platform runs, and is tested, where no licensed face data
is at hand, and so that a planted or trained difference between groups can be measured against a known truth.

What they can not stand for: how any real codec, classifier or camera treats real people; the variety within any group;
gender or culture, which have no label here. "Race" is only the name of a row of RFW's table of counts: it decides how
often each phenotype class is drawn, and a smile where one is asked for, and nothing else about the image. Numbers from
drawn faces say whether the machinery works, never whether a product is fair.

Two targets to learn can be asked for: a smile, whose share may differ by race, and an age group. Without them tables
and images are what they were before there were any, to the last byte.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from greycard.datasets.drawing import portrait
from greycard.datasets.drawing.draws import Draws, Seeds, derive, uniform64
from greycard.datasets.groups import RACE_MIXES, class_shares, race_shares, rfw_shares
from greycard.schema import IDENTITY, IMAGE_ID, PHENOTYPES, RACE, Attribute, unknown

SEED: Final = "seed"  # uint64: decides pose, light, background, headwear and noise of one image
IDENTITY_SEED: Final = "identity_seed"  # uint64: decides bone structure, exact skin tone, hair shape of one identity

SMILE: Final = Attribute("smile", ("no", "yes"))
AGE_GROUP: Final = Attribute("age_group", ("0-30", "31-60", "61+"))
TARGETS: Final[dict[str, Attribute]] = {target.name: target for target in (SMILE, AGE_GROUP)}
"""What faces can be asked to show besides the phenotypes."""

MIN_SIZE: Final = 16
MAX_SIZE: Final = 1024
_PIXELS_A_CHUNK: Final = 64 * 64 * 64  # what keeps the working set in a core's cache
_DRAWN_TOGETHER: Final = 1024  # images whose random numbers are drawn in one go
_ROWS_A_TASK: Final = 128
_GOLDEN_RATIO: Final = 0.6180339887498949

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesConfig:
    """A set of drawn faces (not people).

    Attributes:
        count: images.
        size: side of an image in pixels, 16..1024.
        mix: name of the race shares in ``groups.RACE_MIXES``: balanced, celeba_like, ffhq_like or african_only.
        shares: race shares that replace ``mix``, such as ``{"African": 0.3, "Indian": 0.7}``; scaled to add to 1.
        images_per_identity: images that share labels and looks; the last identity may have fewer.
        seed: another seed, other faces. The first rows of a longer set equal a shorter one.
        smile: race -> share of its images that smile, 0..1, for every race that is drawn; adds the attribute ``smile``
            (no, yes), which may differ between the images of an identity. None draws mouths without a label.
        ages: age group -> share of the identities, such as ``{"0-30": 0.5, "31-60": 0.3, "61+": 0.2}``, scaled to add
            to 1; adds the attribute ``age_group``, the same for all images of an identity. None has no such label.
    """

    kind: Literal["faces"] = "faces"
    count: int = 10_000
    size: int = 64
    mix: str = "balanced"
    shares: dict[str, float] | None = None
    images_per_identity: int = 4
    seed: int = 0
    smile: dict[str, float] | None = None
    ages: dict[str, float] | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"faces.count must be at least 1, got {self.count}")
        if not MIN_SIZE <= self.size <= MAX_SIZE:
            raise ValueError(f"faces.size must be {MIN_SIZE}..{MAX_SIZE} pixels, got {self.size}")
        if self.images_per_identity < 1:
            raise ValueError(f"faces.images_per_identity must be at least 1, got {self.images_per_identity}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"faces.seed must be 0..2**63-1, got {self.seed}")
        if self.mix not in RACE_MIXES:
            raise ValueError(unknown("faces.mix", self.mix, tuple(RACE_MIXES)))
        if self.shares is not None:
            race_shares(self.shares)
        if self.smile is not None:
            _check_smile(self.smile, self.race_shares)
        if self.ages is not None:
            class_shares(self.ages, AGE_GROUP)

    @property
    def race_shares(self) -> tuple[float, ...]:
        """The share of each race among the identities, in ``schema.RACE`` order."""
        return race_shares(RACE_MIXES[self.mix] if self.shares is None else self.shares)

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return every attribute's classes in code order: race, the six phenotypes and the targets asked for."""
        asked = (SMILE,) * (self.smile is not None) + (AGE_GROUP,) * (self.ages is not None)
        return {item.name: item.classes for item in (RACE, *PHENOTYPES.values(), *asked)}


class DrawnFaces(NamedTuple):
    """A run of drawn faces: ``labels`` (the rows of ``sample_labels``) and ``images`` (N, size, size, 3) uint8 RGB."""

    labels: pa.Table
    images: NDArray[np.uint8]


def sample_labels(config: FacesConfig) -> pa.Table:
    """Draw identities, their race by the mix and each phenotype by RFW's shares within that race, independently.

    Races follow a golden-ratio sequence, so their shares are met closely at any count; phenotypes are plain draws.
    Row i depends on ``config`` without ``count`` only, so a longer table starts with the shorter one.

    Returns:
        A table of ``config.count`` rows: image_id and identity (string), race and the six phenotypes (dictionary-
        encoded string, codes in ``schema`` order, equal for all images of an identity), smile and age_group where
        asked for (likewise; a smile belongs to the image), seed and identity_seed (uint64).
    """
    image = np.arange(config.count, dtype=np.uint64)
    identity = image // np.uint64(config.images_per_identity)
    root = derive(np.full(1, config.seed, np.uint64), "faces")
    identity_seeds = derive(root + identity, "identity")
    seeds = derive(root + image, "image")
    start = uniform64(root, "race")[0]
    race = _by_shares((start + identity.astype(np.float64) * _GOLDEN_RATIO) % 1.0, config.race_shares)
    codes = {RACE.name: race}
    for name in PHENOTYPES:
        share = np.array([rfw_shares(group, name) for group in RACE.classes])
        codes[name] = _by_shares(uniform64(identity_seeds, name), share[race])
    if config.smile is not None:
        smiling = np.array([config.smile.get(group, 0.0) for group in RACE.classes])
        codes[SMILE.name] = _by_shares(uniform64(seeds, "smile label"), np.stack([1.0 - smiling, smiling], 1)[race])
    if config.ages is not None:
        codes[AGE_GROUP.name] = _by_shares(uniform64(identity_seeds, "age group"), class_shares(config.ages, AGE_GROUP))
    within = image % np.uint64(config.images_per_identity)
    columns = {
        IMAGE_ID: pa.array([f"face-{config.seed}-{i:07d}-{k:02d}" for i, k in zip(identity, within, strict=True)]),
        IDENTITY: pa.array([f"drawn-{config.seed}-{i:07d}" for i in identity]),
    }
    for name, classes in config.attributes().items():
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(codes[name], pa.int8()), pa.array(classes))
    columns[SEED] = pa.array(seeds)
    columns[IDENTITY_SEED] = pa.array(identity_seeds)
    return pa.table(columns)


def render(labels: Mapping[str, Codes], seeds: Seeds, identity_seeds: Seeds, size: int = 64) -> NDArray[np.uint8]:
    """Draw faces (drawings, not people). Each depends on its own labels and seeds only, to the last bit.

    Args:
        labels: the six phenotypes of ``schema.PHENOTYPES``, each (N,) class codes; likewise, where they are to be
            drawn, ``smile`` and ``age_group`` of ``TARGETS``; other names are ignored.
        seeds: (N,) uint64, one per image: pose, light, background, headwear, camera.
        identity_seeds: (N,) uint64, one per identity: bone structure, exact skin tone, hair shape.
        size: side in pixels, 16..1024.

    Returns:
        (N, size, size, 3) uint8 RGB.

    Raises:
        ValueError: no image, a phenotype is missing, a code is outside its class set, or lengths differ.
    """
    codes = _checked(labels, seeds, identity_seeds, size)
    images = np.empty((len(seeds), size, size, 3), np.uint8)
    step = max(1, _PIXELS_A_CHUNK // (size * size))
    for block in _slices(0, len(seeds), _DRAWN_TOGETHER):
        image, identity = Draws(seeds[block]), Draws(identity_seeds[block])
        for part in _slices(0, len(image.seeds), step):
            rows = slice(block.start + part.start, min(block.start + part.stop, block.stop))
            chunk = {name: code[rows] for name, code in codes.items()}
            images[rows] = portrait.draw(chunk, image.part(part), identity.part(part), size)
    return images


def draw(config: FacesConfig, *, rows: int = 1024, threads: int = 1) -> Iterator[DrawnFaces]:
    """Yield the faces of a config in order, ``rows`` at a time, drawn by a pool of threads; the result never varies.

    Raises:
        ValueError: ``rows`` or ``threads`` is below 1.
    """
    if rows < 1 or threads < 1:
        raise ValueError(f"draw takes rows and threads of at least 1, got rows={rows}, threads={threads}")
    table = sample_labels(config)
    with ThreadPoolExecutor(threads) as pool:

        def start(batch: pa.Table) -> _Pending:
            parts = [batch.slice(first, _ROWS_A_TASK) for first in range(0, len(batch), _ROWS_A_TASK)]
            return batch, [pool.submit(render_table, part, config.size) for part in parts]

        pending: deque[_Pending] = deque()
        for first in range(0, config.count, rows):  # the next batch is begun before this one is waited for
            pending.append(start(table.slice(first, rows)))
            if len(pending) > 1:
                yield _finished(pending.popleft())
        while pending:
            yield _finished(pending.popleft())


_Pending = tuple[pa.Table, list["Future[NDArray[np.uint8]]"]]


def _finished(pending: _Pending) -> DrawnFaces:
    batch, parts = pending
    return DrawnFaces(batch, np.concatenate([part.result() for part in parts]))


def render_table(table: pa.Table, size: int = 64) -> NDArray[np.uint8]:
    """Draw the rows of a table made by ``sample_labels``: (N, size, size, 3) uint8."""
    names = (*PHENOTYPES, *(name for name in TARGETS if name in table.column_names))
    codes = {name: label_codes(table, name) for name in names}
    return render(codes, table[SEED].to_numpy(), table[IDENTITY_SEED].to_numpy(), size)


def label_codes(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return the class codes (N,) int64 of one attribute column, in ``schema`` order."""
    column = table[name].combine_chunks()
    codes: NDArray[np.int64] = column.indices.to_numpy().astype(np.int64)
    return codes


def _slices(start: int, stop: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]


def _by_shares(u: NDArray[np.float64], shares: tuple[float, ...] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn numbers in [0, 1) into classes; ``shares`` is (K,) or (N, K). A class of share 0 is never drawn."""
    edges = np.cumsum(np.atleast_2d(np.asarray(shares, np.float64)), axis=1)
    edges = edges[:, :-1] / edges[:, -1:]
    codes: NDArray[np.int64] = (u[:, None] >= edges).sum(axis=1)
    return codes


def _check_smile(smile: Mapping[str, float], shares: tuple[float, ...]) -> None:
    for race, share in smile.items():
        if race not in RACE.classes:
            raise ValueError(unknown("race in faces.smile", race, RACE.classes))
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"faces.smile.{race} must be a share 0..1 of that race's images, got {share!r}")
    lacking = [race for race, part in zip(RACE.classes, shares, strict=True) if part > 0 and race not in smile]
    if lacking:
        raise ValueError(f"faces.smile needs a share for every race that is drawn; {', '.join(lacking)} not given")


def _checked(
    labels: Mapping[str, Codes], seeds: Seeds, identity_seeds: Seeds, size: int
) -> dict[str, NDArray[np.int64]]:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"size must be {MIN_SIZE}..{MAX_SIZE} pixels, got {size}")
    for what, values in (("seeds", seeds), ("identity_seeds", identity_seeds)):
        if values.ndim != 1 or values.dtype != np.uint64:
            raise ValueError(f"{what} must be (N,) uint64, got shape {values.shape} of {values.dtype}")
    if len(seeds) == 0:
        raise ValueError("there is nothing to draw: seeds is empty")
    if len(identity_seeds) != len(seeds):
        raise ValueError(f"one identity seed an image is needed: {len(seeds)} seeds, {len(identity_seeds)} given")
    codes = {}
    for name, attribute in (PHENOTYPES | TARGETS).items():
        if name not in labels and name in TARGETS:
            continue
        if name not in labels:
            raise ValueError(f"labels lack the phenotype {name!r}: all of {', '.join(PHENOTYPES)} are needed")
        code = np.asarray(labels[name])
        if code.shape != seeds.shape or not np.issubdtype(code.dtype, np.integer):
            raise ValueError(f"labels[{name!r}] must be {len(seeds)} integer codes, got {code.shape} of {code.dtype}")
        if code.min() < 0 or code.max() >= len(attribute.classes):
            bad = int(code[(code < 0) | (code >= len(attribute.classes))][0])
            raise ValueError(
                f"labels[{name!r}] holds {bad}; codes are 0..{len(attribute.classes) - 1}: "
                f"{', '.join(attribute.classes)}"
            )
        codes[name] = code.astype(np.int64)
    return codes
