from greycard.classifiers import ResNetConfig
from greycard.generators import StyleGan2Config
from greycard.latent_search.config import LatentSearchConfig
from greycard.synthesis.choice import Kept, Taken, choose, further_lineages, missing, round_robin
from greycard.synthesis.config import SynthesisConfig


def config(**changes):
    values = {
        "generator": StyleGan2Config(size=8),
        "classifier": ResNetConfig(tasks=("kind",), classes={"kind": ("a", "b")}),
        "task": "kind",
        "count": 20,
        "search": LatentSearchConfig(cap=10, start_budget=100),
        "lineages": 4,
        "val": 0.2,
    }
    return SynthesisConfig(**values | changes)


def test_round_robin_takes_a_latent_of_each_in_turn():
    assert round_robin([Kept(0, 9), Kept(1, 1), Kept(2, 9)], 8) == {0: 4, 1: 1, 2: 3}
    assert round_robin([Kept(0, 2), Kept(5, 1)], 9) == {0: 2, 5: 1}
    assert round_robin([], 3) == {}


def test_quotas_are_met_split_by_split_and_lineages_stay_whole():
    taken = choose(config(), 0, [Kept(number, 10) for number in range(5)])
    assert all(len(set(item.splits)) <= 1 for item in taken.values())
    assert missing(config(), taken) == {"train": 0, "val": 0, "test": 0}
    sizes = sorted(len(item.splits) for item in taken.values() if item.splits and item.splits[0] == "train")
    assert sizes == [4, 4, 4, 4]
    assert choose(config(), 0, [Kept(number, 10) for number in range(5)][::-1]) == taken


def test_small_lineages_give_val_more_of_them():
    lineages = [Kept(number, 1) for number in range(30)]
    taken = choose(config(), 0, lineages)
    assert missing(config(), taken) == {"train": 0, "val": 0, "test": 0}


def test_one_lineage_trains():
    taken = choose(config(), 0, [Kept(0, 10)])
    assert taken == {0: Taken(("train",) * 10)}
    assert missing(config(), taken) == {"train": 6, "val": 4, "test": 0}


def test_rejected_images_are_split_one_by_one():
    by_rejection = config(method="rejection", test=0.1)
    taken = choose(by_rejection, 1, [Kept(1, 10), Kept(0, 10), Kept(2, 10)])
    assert list(taken) == [0, 1]  # the first seeds
    splits = [split for item in taken.values() for split in item.splits]
    assert {name: splits.count(name) for name in ("train", "val", "test")} == {"train": 14, "val": 4, "test": 2}
    short = choose(by_rejection, 1, [Kept(0, 10)])
    assert missing(by_rejection, short) == {"train": 7, "val": 2, "test": 1}


def test_waves_are_sized_by_what_came_before():
    assert further_lineages(config(), 0, []) == 4
    assert further_lineages(config(method="rejection"), 0, []) == 2  # 20 images at 10 a row
    assert further_lineages(config(), 0, [Kept(number, 10) for number in range(4)]) == 0
    # 8 of 20 images from 4 lineages: 12 more need 6 at that yield, and one more
    assert further_lineages(config(), 0, [Kept(number, 2) for number in range(4)]) == 7
    assert further_lineages(config(max_lineages=6), 0, [Kept(number, 2) for number in range(4)]) == 2
    assert further_lineages(config(), 0, [Kept(number, 0) for number in range(4)]) == 0  # given up
    scarce = [Kept(0, 1), Kept(1, 0)]  # at that yield 38 rows more, and one; but no more than 4 times the first wave
    assert further_lineages(config(method="rejection"), 0, scarce) == 6
    assert further_lineages(config(method="rejection", max_lineages=50), 0, scarce) == 39
