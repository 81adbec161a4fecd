"""Smiles and age groups of drawn faces, and that faces without them are what they were before there were any."""

import hashlib
import platform

import numpy as np
import pytest
from scipy.stats import chisquare
from sklearn.linear_model import RidgeClassifier

from greycard.config import from_dict, override
from greycard.datasets.drawing import portrait
from greycard.datasets.drawing.ageing import apparent_years
from greycard.datasets.drawing.draws import Draws
from greycard.datasets.drawing.expression import smile_level
from greycard.datasets.drawn import DrawnFacesSource
from greycard.datasets.faces import AGE_GROUP, SMILE, FacesConfig, label_codes, render, render_table, sample_labels
from greycard.datasets.shards import write_shards
from greycard.datasets.splits import SplitConfig
from greycard.schema import PHENOTYPES, RACE

HALF = dict.fromkeys(RACE.classes, 0.5)
AGES = {"0-30": 0.5, "31-60": 0.3, "61+": 0.2}


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


# -- faces without targets: digests of the tables and images from before there were targets -----------------------

BEFORE = [
    ("balanced", 64, 96, "4a2300d375de5d8b", "da80ef7c850e510b"),
    ("celeba_like", 32, 200, "ae8b8dbcc3c34276", "670d48a8c4b8d20d"),
    ("african_only", 16, 64, "a0e13a5b8ed9bd3a", "cc9dc6f06b13841f"),
    ("balanced", 128, 16, "a8bbe0dacc70aece", "ba19d439e67760b2"),
]
# libraries round sines and exponentials their own way on other processors, which may move a pixel by one level
same_arithmetic = pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="pinned on x86-64")


@pytest.mark.parametrize(("mix", "size", "count", "labels", "pixels"), BEFORE)
def test_tables_without_targets_are_as_ever(mix, size, count, labels, pixels):
    table = sample_labels(FacesConfig(count=count, size=size, mix=mix, seed=7))
    assert digest(repr(table.to_pydict()).encode()) == labels


@same_arithmetic
@pytest.mark.parametrize(("mix", "size", "count", "labels", "pixels"), BEFORE)
def test_images_without_targets_are_as_ever(mix, size, count, labels, pixels):
    assert digest(render_table(sample_labels(FacesConfig(count=count, size=size, mix=mix, seed=7)), size)) == pixels


@same_arithmetic
def test_shards_without_targets_are_as_ever(tmp_path):
    """Finished shards from before are taken for current: the same name, the same files."""
    source = FacesConfig(count=64, size=32, mix="celeba_like")
    manifest = write_shards(source, tmp_path, split=SplitConfig(exact=True), progress=False)
    assert manifest.version == "71be8a3a"
    assert not {"smile", "ages"} & set(manifest.made["source"])
    assert [shard.sha256[:12] for shard in manifest.shards] == ["d7f3300272ea", "abf8b6b6549c", "45b6f11e28e4"]


# -- labels ------------------------------------------------------------------------------------------------------


def test_targets_are_columns_of_their_own():
    plain = sample_labels(FacesConfig(count=40))
    both = sample_labels(FacesConfig(count=40, smile=HALF, ages=AGES))
    assert [name for name in both.column_names if name not in plain.column_names] == ["smile", "age_group"]
    assert both.select(plain.column_names).to_pylist() == plain.to_pylist()  # asking for targets moves nothing else
    for target in (SMILE, AGE_GROUP):
        assert tuple(both[target.name].combine_chunks().dictionary.to_pylist()) == target.classes
    assert list(FacesConfig(smile=HALF).attributes()) == ["race", *PHENOTYPES, "smile"]
    assert list(FacesConfig(ages=AGES).attributes()) == ["race", *PHENOTYPES, "age_group"]


def test_a_smile_belongs_to_the_image_and_an_age_to_the_identity():
    table = sample_labels(FacesConfig(count=4000, smile=HALF, ages=AGES, images_per_identity=4))
    smiles, ages = (label_codes(table, name).reshape(1000, 4) for name in ("smile", "age_group"))
    assert (ages == ages[:, :1]).all()
    smiling = np.bincount(smiles.sum(axis=1), minlength=5)
    assert chisquare(smiling, np.array([1, 4, 6, 4, 1]) / 16 * 1000).pvalue > 0.001  # independent throws of a coin


def test_smiles_follow_the_share_of_their_race():
    shares = {"African": 0.2, "Asian": 0.0, "Caucasian": 0.55, "Indian": 1.0}
    table = sample_labels(FacesConfig(count=20_000, smile=shares, seed=2))
    race, smile = label_codes(table, "race"), label_codes(table, "smile")
    drawn = [smile[race == code].mean() for code in range(4)]
    assert drawn == pytest.approx(list(shares.values()), abs=0.028)  # 4 deviations of 5,000 draws
    assert (drawn[1], drawn[3]) == (0.0, 1.0)


def test_ages_follow_their_shares_and_only_hang_on_the_identity():
    table = sample_labels(FacesConfig(count=20_000, smile=HALF, ages=AGES, images_per_identity=1, seed=2))
    age = label_codes(table, "age_group")
    assert chisquare(np.bincount(age), np.array([0.5, 0.3, 0.2]) * 20_000).pvalue > 0.001
    others = [label_codes(table, name) for name in ("race", "smile", "skin_type", "hair_color")]
    assert np.abs(np.corrcoef([age, *others])[0, 1:]).max() < 0.04


def test_a_longer_table_starts_with_the_shorter_one():
    short, long = (sample_labels(FacesConfig(count=n, smile=HALF, ages=AGES, seed=5)) for n in (200, 400))
    assert long.slice(0, 200).to_pylist() == short.to_pylist()


def test_the_ffhq_like_mix():
    race = label_codes(sample_labels(FacesConfig(count=20_000, mix="ffhq_like", images_per_identity=1)), "race")
    assert np.bincount(race, minlength=4) / 20_000 == pytest.approx([0.04, 0.266, 0.69, 0.004], abs=0.001)


# -- pixels ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    return sample_labels(FacesConfig(count=2400, size=32, smile=HALF, ages=AGES, images_per_identity=1, seed=4))


@pytest.fixture(scope="module")
def images(table):
    return render_table(table, 32)


def codes_of(table):
    return {name: label_codes(table, name) for name in (*PHENOTYPES, "smile", "age_group")}


def test_an_image_does_not_depend_on_its_batch(table, images):
    order = np.random.default_rng(0).permutation(200)
    np.testing.assert_array_equal(render_table(table.take(order), 32), images[order])
    np.testing.assert_array_equal(render_table(table.slice(57, 1), 32)[0], images[57])


def test_an_image_does_not_depend_on_the_labels_of_others(table, images):
    few = table.slice(0, 16)
    codes = codes_of(few)
    codes["smile"] = np.where(np.arange(16) < 8, codes["smile"], 1 - codes["smile"])
    drawn = render(codes, few["seed"].to_numpy(), few["identity_seed"].to_numpy(), 32)
    np.testing.assert_array_equal(drawn[:8], images[:8])
    assert all((drawn[row] != images[row]).any() for row in range(8, 16))


def held_out(pixels, labels):
    """Return how often a linear rule from 1,600 images is right about 800 others."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    return RidgeClassifier(alpha=300.0).fit(flat[:1600], labels[:1600]).score(flat[1600:], labels[1600:])


def test_smiles_show_in_the_mouth_and_not_in_the_hair(table, images):
    smile = label_codes(table, "smile")
    assert held_out(images[:, 19:28, 9:23], smile) > 0.72  # chance is 0.5 +- 0.018
    assert held_out(images[:, :8], smile) < 0.58


def test_age_shows(table, images):
    age = label_codes(table, "age_group")
    ends = np.flatnonzero(age != 1)
    young = images[ends][:, 1:24, 6:26]
    labels = age[ends]
    cut = len(ends) * 2 // 3
    flat = young.reshape(len(ends), -1).astype(np.float64)
    right = RidgeClassifier(alpha=1e5).fit(flat[:cut], labels[:cut]).predict(flat[cut:]) == labels[cut:]
    balanced = np.mean([right[labels[cut:] == code].mean() for code in (0, 2)])
    assert balanced > 0.66  # chance is 0.5


def test_hair_greys_with_age():
    count = 64
    codes = {name: np.zeros(count, np.int64) for name in PHENOTYPES} | {"hair_type": np.full(count, 1)}
    seeds = np.arange(count, dtype=np.uint64)
    crown = [
        render(codes | {"age_group": np.full(count, age)}, seeds, seeds, 32)[:, 3:8, 12:20].mean() for age in range(3)
    ]
    assert crown[0] + 5 < crown[1] < crown[2] - 20  # black hair: 0 to 255


def sitter_of(count, **codes):
    every = {name: np.zeros(count, np.int64) for name in PHENOTYPES}
    every |= {name: np.full(count, code) for name, code in codes.items()}
    seeds = np.arange(count, dtype=np.uint64)
    return portrait.sit(every, Draws(seeds), Draws(seeds))


def test_weak_smiles_and_friendly_rests_overlap():
    rest, smiling = (smile_level(sitter_of(4000, smile=code))[:, 0, 0] for code in (0, 1))
    assert 0.005 < (smiling < 0.5).mean() < 0.06
    assert 0.005 < (rest > 0.5).mean() < 0.06
    assert np.std(smiling) > 0.1


def test_apparent_ages_stray_over_the_borders():
    years = [apparent_years(sitter.codes, sitter.identity)[:, 0, 0] for sitter in map(aged, range(3))]
    assert 0.02 < (years[0] > 30.5).mean() < 0.15
    assert 0.02 < (years[1] < 30.5).mean() < 0.15
    assert 0.02 < (years[1] > 60.5).mean() < 0.15
    assert 0.02 < (years[2] < 60.5).mean() < 0.15


def aged(code):
    return sitter_of(4000, age_group=code)


def test_windows_hold_smiles_and_wrinkles_at_any_pose(monkeypatch):
    sample = sample_labels(FacesConfig(count=128, smile=dict.fromkeys(RACE.classes, 1.0), ages={"61+": 1.0}, seed=8))
    windowed = render_table(sample).astype(int)
    for box in ("FACE", "EYES", "NOSE", "MOUTH"):
        monkeypatch.setattr(portrait, box, portrait.Box(0.0, 1.0, 1.0))
    apart = np.abs(render_table(sample) - windowed).max(axis=(1, 2, 3))
    assert (apart > 3).mean() < 0.05  # as without targets, the largest and most turned heads may lose a little
    assert apart.max() < 16


# -- the source, and errors --------------------------------------------------------------------------------------


def test_shards_carry_the_targets_and_another_version(tmp_path):
    source = FacesConfig(count=24, size=16, smile=HALF, ages=AGES, images_per_identity=1)
    manifest = write_shards(source, tmp_path, split=SplitConfig(exact=True), progress=False)
    assert manifest.attributes["smile"] == ("no", "yes")
    assert manifest.attributes["age_group"] == AGE_GROUP.classes
    assert manifest.made["source"]["smile"] == HALF
    versions = {
        DrawnFacesSource(config=config).version
        for config in (FacesConfig(), FacesConfig(smile=HALF), FacesConfig(ages=AGES), source)
    }
    assert len(versions) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smile": {**HALF, "Africa": 0.5}}, "African"),
        ({"smile": {**HALF, "African": 1.5}}, r"faces\.smile\.African must be a share 0\.\.1"),
        ({"smile": {**HALF, "African": float("nan")}}, "share"),
        ({"smile": {"African": 0.5, "Asian": 0.5}}, "Caucasian, Indian not given"),
        ({"ages": {"60+": 1.0}}, r"61\+"),
        ({"ages": {"61+": -1.0}}, "at least 0"),
        ({"ages": {}}, "above 0"),
    ],
)
def test_impossible_targets_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        FacesConfig(**change)


def test_a_race_that_is_never_drawn_needs_no_share_of_smiles():
    config = FacesConfig(count=100, mix="african_only", smile={"African": 1.0})
    assert set(sample_labels(config)["smile"].to_pylist()) == {"yes"}


def test_targets_read_from_plain_values_and_settings():
    config = from_dict(FacesConfig, {"kind": "faces", "smile": HALF, "ages": AGES})
    assert override(config, ["smile.African=0.1", "ages=null"]) == FacesConfig(smile={**HALF, "African": 0.1})


def test_labels_that_can_not_be_drawn_are_refused(table):
    few = table.slice(0, 3)
    with pytest.raises(ValueError, match=r"holds 2; codes are 0\.\.1: no, yes"):
        render(
            codes_of(few) | {"smile": np.array([0, 2, 1])}, few["seed"].to_numpy(), few["identity_seed"].to_numpy(), 32
        )
