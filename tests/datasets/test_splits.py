import hashlib

import numpy as np
import pyarrow as pa
import pytest

from greycard.datasets.records import DataError, checked_index
from greycard.datasets.splits import PUBLISHED, SplitConfig, assign_splits, hash_places, split_codes


def index(count=1000, images=4, split=None, identity=True):
    columns = {"image_id": [f"i{n}" for n in range(count)]}
    if identity:
        columns["identity"] = [f"p{n // images}" for n in range(count)]
    if split is not None:
        columns["split"] = split
    return checked_index(pa.table(columns), {})


def test_places_are_the_first_53_bits_of_the_hash():
    digest = hashlib.blake2b(b"7:key", digest_size=8).digest()
    assert hash_places(["key"], 7)[0] == (int.from_bytes(digest, "big") >> 11) / 2**53


def test_places_are_uniform():
    from scipy.stats import kstest

    assert kstest(hash_places([str(n) for n in range(20_000)], 0), "uniform").pvalue > 0.001


def test_identities_stay_together():
    table = index()
    splits = assign_splits(table, SplitConfig())
    owners = {}
    for who, split in zip(table["identity"].to_pylist(), splits, strict=True):
        assert owners.setdefault(who, split) == split
    assert set(splits) == {"train", "val", "test"}


def test_a_row_never_moves_when_others_are_added():
    config = SplitConfig(by="image", seed=3)
    assert assign_splits(index(2000), config)[:500] == assign_splits(index(500), config)


def test_order_of_rows_does_not_matter():
    table = index(400)
    order = np.random.default_rng(0).permutation(400)
    config = SplitConfig(exact=True)
    splits = np.array(assign_splits(table, config))
    assert (np.array(assign_splits(table.take(pa.array(order)), config)) == splits[order]).all()


def test_seeds_give_other_splits():
    assert assign_splits(index(), SplitConfig(seed=1)) != assign_splits(index(), SplitConfig(seed=2))


@pytest.mark.parametrize(("count", "expected"), [(1000, (800, 100, 100)), (20, (16, 2, 2)), (10, (8, 1, 1))])
def test_exact_shares_by_image(count, expected):
    splits = assign_splits(index(count), SplitConfig(by="image", exact=True))
    assert tuple(splits.count(name) for name in ("train", "val", "test")) == expected


def test_exact_shares_by_identity_are_within_one_identity():
    splits = assign_splits(index(1000, images=4), SplitConfig(exact=True))
    for name, share in (("train", 800), ("val", 100), ("test", 100)):
        assert abs(splits.count(name) - share) <= 4


def test_hashed_shares_are_near():
    splits = assign_splits(index(20_000), SplitConfig(by="image", train=0.5, val=0.2, test=0.3))
    assert splits.count("train") / 20_000 == pytest.approx(0.5, abs=0.02)
    assert splits.count("val") / 20_000 == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("exact", [False, True])
def test_a_share_of_zero_gets_no_rows(exact):
    shares = {"train": 0.0, "val": 0.0, "test": 1.0}
    assert set(assign_splits(index(), SplitConfig(exact=exact, **shares))) == {"test"}
    assert set(assign_splits(index(), SplitConfig(exact=exact, train=0.5, val=0, test=0.5))) == {"train", "test"}
    assert set(split_codes(["a", "b", "c"], SplitConfig(train=0, val=1, test=0))) == {1}


def test_rows_without_identity_stand_alone():
    table = checked_index(
        pa.table({"image_id": [f"i{n}" for n in range(300)], "identity": ["p"] * 100 + [None] * 200}), {}
    )
    splits = assign_splits(table, SplitConfig())
    assert len(set(splits[:100])) == 1
    assert len(set(splits[100:])) == 3


def test_no_identities_at_all_is_an_error_with_a_way_out():
    with pytest.raises(DataError, match="set split"):
        assign_splits(index(identity=False), SplitConfig(by="identity"))


def test_auto_is_by_identity_where_there_are_any_and_else_by_image():
    for table, by in ((index(), "identity"), (index(identity=False), "image")):
        assert assign_splits(table, SplitConfig()) == assign_splits(table, SplitConfig(by=by))


def test_an_empty_split_is_an_error():
    with pytest.raises(DataError, match="has no rows"):
        assign_splits(index(8, images=8), SplitConfig())


def test_source_splits_are_renamed():
    table = index(3, split=["training", "validation", "holdout"])
    assert assign_splits(table, SplitConfig(by="source", rename={"holdout": "test"})) == ["train", "val", "test"]
    with pytest.raises(DataError, match="unknown split 'holdout'"):
        assign_splits(table, SplitConfig(by="source"))
    with pytest.raises(DataError, match="gives no split"):
        assign_splits(index(3), SplitConfig(by="source"))
    with pytest.raises(DataError, match="None"):
        assign_splits(index(3, split=["train", None, "test"]), SplitConfig(by="source"))


@pytest.mark.parametrize("wrong", [{"train": 0.9}, {"train": 1.2, "val": -0.3}, {"rename": {"holdout": "tset"}}])
def test_wrong_configs_are_refused(wrong):
    with pytest.raises(ValueError, match=r"sum to 1|unknown split"):
        SplitConfig(**wrong)


@pytest.mark.parametrize(("count", "expected"), [(23_705, (16_593, 4_741, 2_371)), (33_126, (23_188, 6_625, 3_313))])
def test_published_split_has_the_counts_of_utkface_and_siim(count, expected):
    splits = assign_splits(index(count), PUBLISHED)
    assert tuple(splits.count(name) for name in ("train", "val", "test")) == expected


def test_published_split_is_torch_s_random_split_of_the_sorted_list():
    from torch import Generator
    from torch.utils.data import random_split

    table = index(1003)
    names = sorted(table["image_id"].to_pylist())
    parts = random_split(names, [702, 200, 101], Generator().manual_seed(42))  # int(.7 n), int(.2 n), the rest
    expected = {name: split for split, part in zip(("train", "val", "test"), parts, strict=True) for name in part}
    assert assign_splits(table, PUBLISHED) == [expected[name] for name in table["image_id"].to_pylist()]
    order = np.random.default_rng(0).permutation(1003)
    assert assign_splits(table.take(pa.array(order)), PUBLISHED) == [expected[f"i{row}"] for row in order]


def test_published_split_leaks_identities_and_the_split_by_identity_does_not():
    table = index(1000, images=10)
    who = table["identity"].to_pylist()
    seen = {}
    for by, config in (("image", PUBLISHED), ("identity", SplitConfig(by="identity", train=0.7, val=0.2, test=0.1))):
        splits = assign_splits(table, config)
        parts = {name: {w for w, s in zip(who, splits, strict=True) if s == name} for name in ("train", "test")}
        seen[by] = len(parts["train"] & parts["test"])
    assert seen == {"image": pytest.approx(65, abs=20), "identity": 0}


def test_what_rounding_leaves_goes_to_the_last_split_with_a_share():
    config = SplitConfig(by="permutation", train=0.75, val=0.25, test=0)
    splits = assign_splits(index(10), config)
    assert [splits.count(name) for name in ("train", "val", "test")] == [7, 3, 0]
    with pytest.raises(DataError, match="split 'val' has no rows"):
        assign_splits(index(4), SplitConfig(by="permutation", train=0.7, val=0.2, test=0.1))
