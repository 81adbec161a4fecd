"""Which latents become images: round-robin over lineages, so that none dominates; and which classes need more lineages.

A lineage goes to one split as a whole, because its latents resemble each other.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from greycard.datasets.splits import hash_places
from greycard.synthesis.config import SynthesisConfig


class Kept(NamedTuple):
    """A lineage's number within its class, and how many latents it gave that are no duplicates."""

    number: int
    found: int


class Taken(NamedTuple):
    """How many latents of a lineage are taken for each split, the first it accepted first.

    A lineage of a latent search has one split; the images of a row of rejection sampling are strangers to each other.
    """

    splits: tuple[str, ...]


def choose(config: SynthesisConfig, code: int, lineages: Sequence[Kept]) -> dict[int, Taken]:
    """Choose a class's latents.

    Args:
        config: quotas and method.
        code: the code of the class.
        lineages: those that are there, in any order.

    Returns:
        Lineage number -> the split of each latent that is taken, in order of acceptance.
    """
    ordered = sorted(lineages)
    if config.method == "rejection":
        return _choose_strangers(config, code, ordered)
    taken: dict[int, Taken] = {}
    for split, members in _split_lineages(config, code, [item for item in ordered if item.found]).items():
        for number, count in round_robin(members, config.quotas[split]).items():
            taken[number] = Taken((split,) * count)
    return taken


def round_robin(lineages: Sequence[Kept], quota: int) -> dict[int, int]:
    """Take one latent of each lineage in turn until there are ``quota`` or none is left: number -> latents.

    >>> round_robin([Kept(0, 5), Kept(1, 1), Kept(2, 5)], 6)
    {0: 3, 1: 1, 2: 2}
    """
    taken = dict.fromkeys((item.number for item in lineages), 0)
    left = min(quota, sum(item.found for item in lineages))
    level = 0
    while left:
        for item in lineages:
            if item.found > level and left:
                taken[item.number] += 1
                left -= 1
        level += 1
    return taken


def missing(config: SynthesisConfig, taken: Mapping[int, Taken]) -> dict[str, int]:
    """Return split -> images of a class that are missing."""
    splits = [split for item in taken.values() for split in item.splits]
    return {split: quota - splits.count(split) for split, quota in config.quotas.items()}


def further_lineages(config: SynthesisConfig, code: int, lineages: Sequence[Kept]) -> int:
    """Return how many more lineages a class gets in the next wave: 0 where it has enough, or none can be hoped for.

    A class of which the lineages so far gave nothing is given up. Otherwise as many are added as the missing images
    need at the mean yield so far, and one more.
    """
    if not lineages:
        return config.first_wave
    short = sum(missing(config, choose(config, code, lineages)).values())
    found = sum(item.found for item in lineages)
    if not short or not found:
        return 0
    wanted = -(-short * len(lineages) // found) + 1
    return min(wanted, config.most_lineages - len(lineages))


def _choose_strangers(config: SynthesisConfig, code: int, lineages: Sequence[Kept]) -> dict[int, Taken]:
    """Take the first images in the order of their seeds, and split them at the exact shares."""
    places = [(item.number, index) for item in lineages for index in range(item.found)][: config.count]
    order = _shuffled([f"{code} {number} {index}" for number, index in places])
    share = len(places) / config.count
    val, test = round(config.quotas["val"] * share), round(config.quotas["test"] * share)
    splits = ["train"] * len(places)
    for position in order[: val + test]:
        splits[position] = "val"
    for position in order[:test]:
        splits[position] = "test"
    taken: dict[int, list[str]] = {}
    for (number, _), split in zip(places, splits, strict=True):
        taken.setdefault(number, []).append(split)
    return {number: Taken(tuple(names)) for number, names in taken.items()}


def _split_lineages(config: SynthesisConfig, code: int, lineages: Sequence[Kept]) -> dict[str, list[Kept]]:
    """Give val and test their share of the lineages, and as many more as their quotas need; the rest trains."""
    order = _shuffled([f"{code} {item.number}" for item in lineages])
    splits: dict[str, list[Kept]] = {}
    for split, share in (("val", config.val), ("test", config.test)):
        members: list[Kept] = []
        quota = config.quotas[split]
        while len(order) > 1 and quota:
            full = sum(item.found for item in members) >= quota
            if full and len(members) >= round(share * len(lineages)):
                break
            members.append(lineages[order.pop(0)])
        splits[split] = sorted(members)
    return {"train": [lineages[index] for index in sorted(order)], **splits}


def _shuffled(keys: Sequence[str]) -> list[int]:
    """Return the places of keys in an order that depends on each key alone."""
    places = hash_places(keys, 0)
    return sorted(range(len(keys)), key=lambda index: (places[index], index))
