"""Contact sheets: which images, in which order, with which borders."""

import numpy as np
import pytest

from greycard.reports.restoration import sheets
from greycard.reports.restoration.sheets import GREEN, GREY, PURPLE, Row, Sheet, Tile
from tests.reports.restoration.examples import ATTRIBUTES, RACES, audit_table, write_reconstructions

SYSTEM = "hyperprior_celeba_like"
CLASSES = ATTRIBUTES["skin_type"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "reconstructions"
    write_reconstructions(folder, audit_table(80, failed=30))
    return folder


def collect(folder, system=SYSTEM, **more):
    return sheets.collect(folder, system, attribute="race", groups=RACES, classes=CLASSES, **more)


@pytest.mark.parametrize(
    ("label", "read", "colour"), [(4, 4, GREEN), (4, 2, PURPLE), (2, 4, GREY), (4, -1, None), (-1, 3, None)]
)
def test_borders(label, read, colour):
    tile = Tile(np.full((64, 64, 3), 128, np.uint8), label, read)
    assert tile.border == colour
    image = sheets.draw(Sheet(("original",), (Row("African", "face-1", (tile,)),), CLASSES))
    pixels = np.asarray(image)[30:170].reshape(-1, 3)  # below the heading, above the legend
    painted = {colour for colour in (GREEN, PURPLE, GREY) if (pixels == colour).all(axis=1).sum() > 400}
    assert painted == ({colour} if colour else set())


def test_rows_by_group_columns_from_the_original_to_the_lowest_rate(folder):
    sheet = collect(folder)
    assert [row.group for row in sheet.rows] == [race for race in RACES for _ in range(2)]
    assert sheet.columns[0] == "original"
    rates = [float(heading.removesuffix(" bpp")) for heading in sheet.columns[1:]]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == 3
    assert {len(row.tiles) for row in sheet.rows} == {4}


def test_the_choice_is_the_same_every_time_and_of_different_people(folder):
    first, second = collect(folder), collect(folder)
    assert [row.image_id for row in first.rows] == [row.image_id for row in second.rows]
    people = [int(row.image_id.removeprefix("face-")) // 2 for row in first.rows]
    assert len(set(people)) == len(people)


def test_labels_and_readings_come_from_the_files(folder):
    tile = collect(folder).rows[0].tiles[-1]
    assert CLASSES[tile.label] == "type5"
    assert tile.image.shape == (64, 64, 3)


def test_failed_images_keep_their_place(folder):
    tiles = [tile for row in collect(folder, "jpeg").rows for tile in row.tiles[1:]]
    failed = [tile for tile in tiles if tile.image is None]
    assert failed
    assert {tile.error for tile in failed} == {"truncated image"}
    sheets.draw(collect(folder, "jpeg"))


def test_a_missing_group_is_named(tmp_path):
    write_reconstructions(tmp_path, audit_table(80, missing=("Indian",), failed=0))
    sheet = collect(tmp_path)
    assert sheet.missing == ("Indian",)
    sheets.draw(sheet)


def test_a_system_without_reconstructions(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the audit first"):
        collect(tmp_path)


def test_pixels_are_enlarged_without_change():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    image = np.asarray(sheets.draw(Sheet(("original",), (Row("a", "b", (Tile(pixels),)),), CLASSES)))
    enlarged = pixels.repeat(2, axis=0).repeat(2, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(image[:, :, 0], (128, 128))
    assert any((windows[top, left] == enlarged[:, :, 0]).all() for top in range(40, 80) for left in range(10, 30))


def test_images_read_as_lighter(folder):
    sheet = collect(folder, each=4, lighter_at=1e-4)
    assert sheet.rows
    for row in sheet.rows:
        assert row.tiles[-1].border == PURPLE
    assert collect(folder, "raw", each=9, lighter_at=7.0).rows == ()


def test_a_long_sweep_is_thinned_and_keeps_its_ends():
    points = [float(quality) for quality in range(95, 0, -5)]
    shown = sheets._spread(points, None)
    assert len(shown) == 5
    assert (shown[0], shown[-1]) == (95.0, 5.0)
    assert 10.0 in sheets._spread(points, 10.0)
