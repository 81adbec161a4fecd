from collections import Counter

import pyarrow as pa
import pytest

from greycard.datasets.records import DataError, checked_index
from greycard.datasets.subsets import (
    LongTailConfig,
    SubsetConfig,
    ThinConfig,
    balance,
    keep_classes,
    long_tail,
    thin,
)

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


# -- long tail ----------------------------------------------------------------------------------------------------
DIGITS = {"digit": tuple("0123456789")}


def digits(per_class=20, test=5):
    """Rows in turn: digit 0, 1, ... 9, 0, 1, ...; the last rows are for testing."""
    count = 10 * (per_class + test)
    columns = {
        "image_id": [f"i{n}" for n in range(count)],
        "digit": [str(n % 10) for n in range(count)],
        "split": ["train" if n < 10 * per_class else "test" for n in range(count)],
    }
    return checked_index(pa.table(columns), DIGITS)


def test_counts_are_those_of_the_paper():
    counts = LongTailConfig(attribute="label").counts(5000, 10)
    assert counts == (5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500)
    assert sum(counts) == 20_431
    assert LongTailConfig(attribute="label", beta=1).counts(7, 3) == (7, 7, 7)
    assert LongTailConfig(attribute="label").counts(7, 1) == (7,)


def tail(table, **settings):
    settings = {"attribute": "digit"} | settings
    return long_tail(table, DIGITS, SubsetConfig(longtail=LongTailConfig(**settings)))


def test_long_tail_keeps_the_first_rows_and_leaves_other_splits_whole():
    chosen = tail(digits())
    kept = [(row["digit"], int(row["image_id"][1:])) for row in chosen.to_pylist() if row["split"] == "train"]
    counts = [20, 15, 11, 9, 7, 5, 4, 3, 2, 2]  # int(20 * 10 ** (-i / 9))
    assert sorted(kept) == sorted((str(d), d + 10 * n) for d, count in enumerate(counts) for n in range(count))
    assert [row for _, row in kept] == sorted(row for _, row in kept)
    assert chosen["split"].to_pylist().count("test") == 50


def test_one_more_row_a_class_that_has_it_as_the_published_builder():
    counts = Counter(tail(digits(), one_more=True, splits=("train",))["digit"].to_pylist())
    assert [counts[str(d)] - 5 for d in range(10)] == [20, 16, 12, 10, 8, 6, 5, 4, 3, 3]


def test_rows_chosen_by_hash_depend_on_the_seed_and_not_on_order():
    table = digits()
    config = [SubsetConfig(longtail=LongTailConfig(attribute="digit", order="hash"), seed=seed) for seed in (0, 1)]
    first, second = (set(long_tail(table, DIGITS, item)["image_id"].to_pylist()) for item in config)
    assert first != second
    assert first == set(long_tail(table.take(pa.array(range(249, -1, -1))), DIGITS, config[0])["image_id"].to_pylist())


def test_a_class_without_enough_rows_is_an_error():
    with pytest.raises(DataError, match="digit='0' should keep 30 rows in 'train' and has 20; choose a smaller head"):
        tail(digits(), head=30)
    with pytest.raises(DataError, match="digit='3' should keep 0 rows"):
        tail(digits(), head=2, beta=0.1)
    with pytest.raises(DataError, match="did you mean 'digit'"):
        tail(digits(), attribute="digits")


def test_a_long_tail_to_train_on_and_a_balanced_test_set_go_together():
    config = SubsetConfig(attribute="digit", per_class=3, longtail=LongTailConfig(attribute="digit"))
    chosen = long_tail(balance(digits(), DIGITS, config), DIGITS, config)
    tests = [row["digit"] for row in chosen.to_pylist() if row["split"] == "test"]
    assert set(Counter(tests).values()) == {3}
    assert chosen.num_rows == 30 + 78


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LongTailConfig(attribute="a", beta=0), "above 0 and at most 1"),
        (lambda: LongTailConfig(attribute="a", head=-1), "head must be 0"),
        (lambda: LongTailConfig(attribute="a", splits=("tset",)), "did you mean 'test'"),
        (
            lambda: SubsetConfig(attribute="a", longtail=LongTailConfig(attribute="a", splits=("train", "test"))),
            "test cannot be balanced and get a long tail",
        ),
    ],
)
def test_wrong_long_tails_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_thinned_cell_keeps_its_share_in_training_alone():
    ids = [f"i{n}" for n in range(4000)]
    table = pa.table(
        {
            "image_id": ids,
            "race": ["African", "Asian"] * 2000,
            "smile": ["no", "no", "yes", "yes"] * 1000,
            "split": ["train"] * 3000 + ["test"] * 1000,
        }
    )
    attributes = {"race": RACES["race"], "smile": ("no", "yes")}
    config = SubsetConfig(thin=(ThinConfig(where={"race": ("African",), "smile": ("yes",)}, share=0.1),))
    kept = thin(checked_index(table, attributes), attributes, config)
    cells = Counter(zip(*(kept[name].to_pylist() for name in ("split", "race", "smile")), strict=True))
    assert 45 < cells.pop(("train", "African", "yes")) < 105  # 75 of 750, within four deviations
    assert set(cells.values()) == {750, 250}
    assert SubsetConfig().stated().keys() == SubsetConfig(thin=()).stated().keys()
    assert "thin" in config.stated()
    assert "thin" not in SubsetConfig().stated()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"rase": ("African",)}, "did you mean 'race'"),
        ({"race": ("Afircan",)}, "did you mean 'African'"),
    ],
)
def test_a_misspelt_cell_names_near_matches(where, message):
    with pytest.raises(DataError, match=message):
        thin(index(), RACES, SubsetConfig(thin=(ThinConfig(where=where, share=0.5),)))


@pytest.mark.parametrize("fields", [{"where": {}, "share": 0.1}, {"where": {"a": ("b",)}, "share": 1.0}])
def test_a_thinning_that_is_none_is_refused(fields):
    with pytest.raises(ValueError, match=r"subset\.thin"):
        ThinConfig(**fields)
