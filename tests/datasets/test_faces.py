from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chisquare
from skimage.color import lab2rgb, rgb2lab

from greycard.config import ConfigError, from_dict, override
from greycard.datasets import faces
from greycard.datasets.drawing import portrait
from greycard.datasets.drawing.sitter import SKIN_LAB, lab_to_linear
from greycard.datasets.faces import FacesConfig, draw, label_codes, render, render_table, sample_labels
from greycard.datasets.groups import RFW_COUNTS
from greycard.schema import PHENOTYPES, RACE


def labels_of(count, **codes):
    table = {name: np.zeros(count, np.int64) for name in PHENOTYPES}
    return table | {name: np.broadcast_to(np.asarray(code), (count,)) for name, code in codes.items()}


def seeds_of(count, start=0):
    return np.arange(start, start + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def face_mean(images):
    """Return the mean colour (N, 3) of the middle of the image: cheeks and nose, at every pose."""
    size = images.shape[1]
    middle = slice(int(size * 0.42), int(size * 0.66))
    return images[:, middle, middle].astype(np.float64).mean(axis=(1, 2))


# -- labels ------------------------------------------------------------------------------------------------------


def test_the_table_has_ids_labels_and_seeds():
    table = sample_labels(FacesConfig(count=10, images_per_identity=4))
    assert table.column_names == ["image_id", "identity", "race", *PHENOTYPES, "seed", "identity_seed"]
    assert len(set(table["image_id"].to_pylist())) == 10
    assert [len(set(table["identity"].to_pylist()[i : i + 4])) for i in (0, 4, 8)] == [1, 1, 1]
    assert len(set(table["identity"].to_pylist())) == 3
    assert len(set(table["seed"].to_pylist())) == 10
    assert table["seed"].type == pa.uint64()
    for attribute in (RACE, *PHENOTYPES.values()):
        column = table[attribute.name].combine_chunks()
        assert tuple(column.dictionary.to_pylist()) == attribute.classes
        assert set(column.to_pylist()) <= set(attribute.classes)
        assert len({*column.to_pylist()[:4]}) == 1  # a label belongs to the identity


@pytest.mark.parametrize("mix", ["balanced", "celeba_like", "african_only"])
def test_a_longer_table_starts_with_the_shorter_one(mix):
    short, long = (sample_labels(FacesConfig(count=count, mix=mix, seed=5)) for count in (1000, 2000))
    assert long.slice(0, 1000).to_pylist() == short.to_pylist()


def test_another_seed_gives_other_ids_and_labels():
    one, other = (sample_labels(FacesConfig(count=400, seed=seed)) for seed in (1, 2))
    assert not set(one["image_id"].to_pylist()) & set(other["image_id"].to_pylist())
    assert not np.array_equal(label_codes(one, "hair_color"), label_codes(other, "hair_color"))


@pytest.mark.parametrize("race", RACE.classes)
def test_phenotype_shares_follow_the_rfw_counts(race):
    count = 20_000
    table = sample_labels(FacesConfig(count=count, shares={race: 1.0}, images_per_identity=1, seed=11))
    for name, attribute in PHENOTYPES.items():
        counts = np.array(RFW_COUNTS[name][race], float)
        drawn = np.bincount(label_codes(table, name), minlength=len(attribute.classes))
        assert not drawn[counts == 0].any()  # a class that RFW lacks is never drawn
        expected = counts[counts > 0] / counts.sum() * count
        assert chisquare(drawn[counts > 0], expected).pvalue > 0.001, (race, name)


def test_phenotypes_are_drawn_independently():
    table = sample_labels(FacesConfig(count=20_000, shares={"Indian": 1.0}, images_per_identity=1, seed=3))
    correlation = np.corrcoef([label_codes(table, name) for name in PHENOTYPES])
    assert np.abs(correlation - np.eye(6)).max() < 0.04  # 5 deviations of a correlation of 20,000 pairs


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (FacesConfig(count=8000), (0.25, 0.25, 0.25, 0.25)),
        (FacesConfig(count=8000, mix="celeba_like"), (0.06, 0.06, 0.85, 0.03)),
        (FacesConfig(count=8000, mix="african_only"), (1, 0, 0, 0)),
        (FacesConfig(count=8000, shares={"Asian": 1, "Indian": 3}), (0, 0.25, 0, 0.75)),
    ],
)
def test_race_shares_are_met(config, expected):
    drawn = np.bincount(label_codes(sample_labels(config), "race"), minlength=4) / config.count
    assert drawn == pytest.approx(expected, abs=0.005)


# -- pixels ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    return sample_labels(FacesConfig(count=203, seed=4))


@pytest.fixture(scope="module")
def images(table):
    return render_table(table)


def test_the_same_seeds_draw_the_same_pixels(table, images):
    assert images.shape == (203, 64, 64, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(render_table(table), images)


def test_an_image_does_not_depend_on_its_batch(table, images):
    order = np.random.default_rng(0).permutation(len(table))
    np.testing.assert_array_equal(render_table(table.take(order)), images[order])
    for row in (0, 57, 202):
        np.testing.assert_array_equal(render_table(table.slice(row, 1))[0], images[row])
    np.testing.assert_array_equal(render_table(table.slice(31, 70)), images[31:101])


def test_an_image_does_not_depend_on_the_chunk(table, images, monkeypatch):
    monkeypatch.setattr(faces, "_PIXELS_A_CHUNK", 5 * 64 * 64)
    monkeypatch.setattr(faces, "_DRAWN_TOGETHER", 17)
    np.testing.assert_array_equal(render_table(table), images)


def test_threads_draw_what_one_draws(images):
    batches = list(draw(FacesConfig(count=203, seed=4), rows=150, threads=2))
    assert [len(batch.labels) for batch in batches] == [150, 53]
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in batches]), images)


@pytest.mark.parametrize("size", [32, 128])
def test_other_sizes_show_the_same_faces(table, images, size):
    few = render_table(table.slice(0, 24), size)
    assert few.shape == (24, size, size, 3)

    def coarse(pixels):
        cells = pixels.reshape(len(pixels), 16, pixels.shape[1] // 16, 16, -1, 3)
        return cells.mean(axis=(2, 4))

    assert np.abs(coarse(few) - coarse(images[:24])).mean() < 4.0  # of 255; unrelated faces differ by about 50


def test_images_of_an_identity_share_a_tone_and_differ(images):
    tones = face_mean(images[:200]).mean(axis=1).reshape(50, 4)
    within, between = tones.std(axis=1).mean(), tones.mean(axis=1).std()
    assert 0 < within < between
    assert len({image.tobytes() for image in images}) == len(images)


def test_faces_get_darker_from_type_1_to_type_6():
    count = 96
    tones = [
        face_mean(render(labels_of(count, skin_type=code, hair_type=2), seeds_of(count), seeds_of(count, 9)))
        for code in range(6)
    ]
    means = [tone.mean() for tone in tones]
    assert all(lighter - darker > 8.0 for lighter, darker in pairwise(means)), means
    assert means[5] > 30.0  # dark faces are exposed: they stay apart from black
    for lighter, darker in pairwise(tones):  # same seeds: every single face is darker
        assert (lighter.mean(axis=1) > darker.mean(axis=1)).mean() > 0.97


def test_skin_tones_lie_in_the_classes_of_the_typology_angle():
    """Chardon's classes of the angle atan((L - 50) / b), in degrees."""
    limits = [(55, 90), (41, 55), (28, 41), (10, 28), (-30, 10), (-90, -30)]
    for (lightness, _, yellow), (low, high) in zip(SKIN_LAB[1:7], limits, strict=True):
        assert low < np.degrees(np.arctan2(lightness - 50.0, yellow)) < high


def test_colour_conversion_against_scikit_image():
    rgb = np.array([[0.9, 0.75, 0.6], [0.3, 0.2, 0.15], [0.5, 0.5, 0.5]])
    linear = lab_to_linear(rgb2lab(rgb))
    display = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(display, lab2rgb(rgb2lab(rgb)), atol=2e-3)


@pytest.mark.parametrize("name", list(PHENOTYPES))
def test_every_class_changes_the_picture(name):
    first, second = (
        render(labels_of(32, **{"hair_type": 2, name: code}), seeds_of(32), seeds_of(32)) for code in (0, 1)
    )
    changed = np.abs(first.astype(int) - second).max(axis=(1, 2, 3))
    assert (changed > 8).mean() > 0.8  # headwear may hide hair


def test_windows_hold_the_features_at_any_pose(monkeypatch):
    """Painting the features over the whole image gives the same picture as painting them in their windows."""
    sample = sample_labels(FacesConfig(count=256, seed=8))
    windowed = render_table(sample).astype(int)
    for box in ("FACE", "EYES", "NOSE", "MOUTH"):
        monkeypatch.setattr(portrait, box, portrait.Box(0.0, 1.0, 1.0))
    apart = np.abs(render_table(sample) - windowed).max(axis=(1, 2, 3))
    assert (apart > 2).mean() < 0.05  # the largest, most turned heads may lose a grey level of stubble at the jaw
    assert apart.max() < 16


# -- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count"),
        ({"size": 8}, "size"),
        ({"size": 4096}, "size"),
        ({"images_per_identity": 0}, "images_per_identity"),
        ({"seed": -1}, "seed"),
        ({"mix": "ballanced"}, "balanced"),
        ({"shares": {"Africa": 1.0}}, "African"),
        ({"shares": {"African": 0.0}}, "above 0"),
    ],
)
def test_impossible_configs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        FacesConfig(**change)


def test_the_config_reads_and_overrides():
    config = from_dict(FacesConfig, {"kind": "faces", "count": 7, "shares": {"Asian": 1.0}})
    assert override(config, ["size=32", "mix=celeba_like"]).size == 32
    with pytest.raises(ConfigError, match="celeba_like"):
        override(config, ["mix=celeba"])


def test_labels_that_can_not_be_drawn_are_refused():
    good, seeds = labels_of(3), seeds_of(3)
    with pytest.raises(ValueError, match="lip_type"):
        render({name: codes for name, codes in good.items() if name != "lip_type"}, seeds, seeds)
    with pytest.raises(ValueError, match=r"holds 6; codes are 0\.\.5: type1"):
        render(good | {"skin_type": np.array([0, 6, 1])}, seeds, seeds)
    with pytest.raises(ValueError, match="holds -1"):
        render(good | {"nose_type": np.array([0, -1, 1])}, seeds, seeds)
    with pytest.raises(ValueError, match="3 integer codes"):
        render(good | {"nose_type": np.array([0, 1])}, seeds, seeds)
    with pytest.raises(ValueError, match="3 integer codes"):
        render(good | {"nose_type": np.array([0.0, 1.0, 1.0])}, seeds, seeds)
    with pytest.raises(ValueError, match="nothing to draw"):
        render(labels_of(0), seeds_of(0), seeds_of(0))
    with pytest.raises(ValueError, match="identity seed"):
        render(good, seeds, seeds_of(2))
    with pytest.raises(ValueError, match="uint64"):
        render(good, seeds.astype(np.int64), seeds)
    with pytest.raises(ValueError, match="size"):
        render(good, seeds, seeds, 4)


def test_empty_runs_of_draw_are_refused():
    with pytest.raises(ValueError, match="rows"):
        next(draw(FacesConfig(count=1), rows=0))
