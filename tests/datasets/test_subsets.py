from collections import Counter

import pyarrow as pa
import pytest

from greycard.datasets.records import DataError, checked_index
from greycard.datasets.subsets import SubsetConfig, balance, keep_classes

RACES = {"race": ("African", "Asian", "Caucasian")}


def index():
    """60 rows: 10 African, 20 Asian, 29 Caucasian, 1 unlabelled; every third row trains."""
    labels = ["African"] * 10 + ["Asian"] * 20 + ["Caucasian"] * 29 + [None]
    split = ["train" if n % 3 == 0 else "test" for n in range(60)]
    return checked_index(pa.table({"image_id": [f"i{n}" for n in range(60)], "race": labels, "split": split}), RACES)


def counted(table, split):
    rows = zip(table["split"].to_pylist(), table["race"].to_pylist(), strict=True)
    return Counter(label for place, label in rows if place == split)


def test_keep_takes_only_the_named_classes_in_order():
    kept = keep_classes(index(), RACES, {"race": ("African", "Caucasian")})
    assert kept["image_id"].to_pylist() == [f"i{n}" for n in (*range(10), *range(30, 59))]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"race": ("Afircan",)}, "did you mean 'African'"),
        ({"rase": ("African",)}, "did you mean 'race'"),
    ],
)
def test_misspelt_groups_name_near_matches(keep, message):
    with pytest.raises(DataError, match=message):
        keep_classes(index(), RACES, keep)


def test_an_empty_group_is_an_error_that_lists_who_is_there():
    attributes = {"race": (*RACES["race"], "Indian")}
    with pytest.raises(DataError, match=r"empty group: race='Indian' has no rows.*African, Asian, Caucasian"):
        keep_classes(index(), attributes, {"race": ("Indian",)})
    with pytest.raises(DataError, match="empty group: race='Indian'"):
        balance(index(), attributes, SubsetConfig(attribute="race"))


def test_balance_takes_the_rarest_count_and_leaves_other_splits_whole():
    table = index()
    chosen = balance(table, RACES, SubsetConfig(attribute="race"))
    assert counted(chosen, "test") == {"African": 6, "Asian": 6, "Caucasian": 6}
    assert counted(chosen, "train") == counted(table, "train")
    ids = chosen["image_id"].to_pylist()
    assert ids == sorted(ids, key=lambda name: int(name[1:]))


def test_balance_by_count_and_its_limit():
    chosen = balance(index(), RACES, SubsetConfig(attribute="race", per_class=4, splits=("train", "test")))
    assert set(counted(chosen, "test").values()) == set(counted(chosen, "train").values()) == {4}
    with pytest.raises(DataError, match="per_class is 7, but race='African' has 6 rows"):
        balance(index(), RACES, SubsetConfig(attribute="race", per_class=7))


def test_balance_does_not_depend_on_other_rows():
    config = SubsetConfig(attribute="race", per_class=4)
    wanted = keep_classes(index(), RACES, {"race": ("Asian",)})
    alone = balance(wanted, RACES, SubsetConfig(attribute="race", per_class=4, keep={"race": ("Asian",)}))
    among = balance(index(), RACES, config)
    rows = {
        name
        for name, race in zip(among["image_id"].to_pylist(), among["race"].to_pylist(), strict=True)
        if race == "Asian"
    }
    assert set(alone["image_id"].to_pylist()) == rows


def test_another_seed_chooses_others():
    chosen = [balance(index(), RACES, SubsetConfig(attribute="race", per_class=3, seed=seed)) for seed in (0, 1)]
    assert chosen[0]["image_id"] != chosen[1]["image_id"]


@pytest.mark.parametrize("wrong", [{"per_class": -1}, {"splits": ("tset",)}])
def test_wrong_configs_are_refused(wrong):
    with pytest.raises(ValueError, match=r"per_class|did you mean 'test'"):
        SubsetConfig(**wrong)
