import numpy as np
import pyarrow as pa
import pytest
import torch

from greycard.datasets.pixels import decode_image, encode_png
from greycard.metrics.full_reference.distortion import Mse
from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixels_of
from greycard.streaming.decode import Decode
from greycard.streaming.restoring import RestorationStage, Restore
from greycard.streaming.selection import Selection, hashes
from tests.streaming.doubles import BITS, BrightConfig, DarkenConfig, SpeckleConfig

SIZE = 4


def flat(value, size=SIZE):
    return np.full((size, size, 3), value, np.uint8)


def shard(images, **columns):
    ids = [f"i{row}" for row in range(len(images))]
    return pa.table({"image_id": ids, "image": pa.array(images, pa.binary())} | columns)


def decoded(values):
    return Decode(SIZE)(shard([encode_png(flat(value)) for value in values]))


def stage(**codec):
    return RestorationStage(
        model=DarkenConfig(**codec),
        measures=(Mse(),),
        classifiers=(BrightConfig(level=100), BrightConfig(level=40)),
        size=SIZE,
    ).build()


def test_decode_keeps_a_row_for_every_image_with_its_reason():
    good = encode_png(flat(9))
    table = Decode(SIZE)(shard([good, b"", b"no image", good[:45], encode_png(flat(1, size=5)), None]))

    errors = table[DECODE_ERROR].to_pylist()
    assert errors[0] == ""
    assert all(errors[1:])
    assert "0 bytes" in errors[1]
    assert "not an image" in errors[2]
    assert "5x5" in errors[4]
    assert "image" not in table.column_names
    np.testing.assert_array_equal(pixels_of(table, SIZE)[0], flat(9))
    assert not pixels_of(table, SIZE)[1:].any()


def test_decode_takes_images_as_hugging_face_stores_them():
    cell = {"bytes": encode_png(flat(7)), "path": None}
    table = pa.table({"image_id": ["a"], "image": pa.array([cell])})
    assert pixels_of(Decode(SIZE)(table), SIZE)[0, 0, 0].tolist() == [7, 7, 7]


def test_pixels_survive_slices_and_empty_blocks():
    table = decoded([1, 2, 3])
    assert pixels_of(table.slice(1, 2), SIZE)[:, 0, 0, 0].tolist() == [2, 3]
    assert pixels_of(table.slice(0, 0), SIZE).shape == (0, SIZE, SIZE, 3)
    assert pixels_of(pa.concat_tables([table, table]), SIZE)[:, 0, 0, 0].tolist() == [1, 2, 3, 1, 2, 3]


def test_a_row_holds_every_point_of_its_image():
    rows = stage(points=(1.0, 2.0))(decoded([200, 50])).to_pylist()

    assert [row["image_id"] for row in rows] == ["i0", "i1"]
    assert rows[0]["point"] == [1.0, 2.0]
    assert [decode_image(png)[0, 0, 0] for png in rows[0]["reconstruction"]] == [200, 100]
    assert rows[0]["mse"] == [0.0, 100.0**2]
    assert rows[1]["mse"] == [0.0, 25.0**2]
    assert rows[0]["bpp_estimated"] == [BITS / SIZE**2, BITS / SIZE**2 / 2]
    assert np.isnan(rows[0]["bpp_payload"]).all()
    assert rows[0]["pred_hair_color"] == [[1, 1], [1, 1]]
    assert rows[1]["pred_hair_color"] == [[0, 1], [0, 0]]
    assert rows[0]["status"] == ["ok", "ok"]
    assert rows[0]["error"] == ["", ""]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise", "RuntimeError: cannot take this image"),
        ("nan", "non-finite reconstruction"),
        ("told", "non-finite latents"),
    ],
)
def test_only_the_image_that_a_codec_can_not_take_fails(fault, reason):
    rows = stage(fault=fault, mark=66)(decoded([200, 66, 50])).to_pylist()

    assert [row["status"] for row in rows] == [["ok", "ok"], ["failed", "failed"], ["ok", "ok"]]
    assert rows[1]["error"] == [reason, reason]
    assert rows[1]["reconstruction"] == [None, None]
    assert np.isnan(rows[1]["mse"]).all()
    assert np.isnan(rows[1]["bpp_estimated"]).all()
    assert rows[1]["pred_hair_color"] == [[-1, -1], [-1, -1]]
    assert rows[2]["mse"] == [0.0, 25.0**2]


def test_a_block_in_which_nothing_decodes_is_all_failed():
    rows = stage()(Decode(SIZE)(shard([b"", b"x"]))).to_pylist()
    assert [row["status"] for row in rows] == [["failed", "failed"]] * 2
    assert rows[0]["error"] == ["empty: 0 bytes"] * 2


def test_an_empty_block_keeps_its_columns():
    full, empty = stage()(decoded([1])), stage()(decoded([1]).slice(0, 0))
    assert empty.schema.equals(full.schema)


def test_a_worker_without_memory_is_not_an_image_that_failed():
    with pytest.raises(MemoryError):
        stage(fault="memory", mark=66)(decoded([66]))


def test_a_codec_that_returns_another_size_fails_the_rows():
    codec = DarkenConfig().build()
    codec.reconstruct = lambda images, point, seeds: DarkenConfig().build().reconstruct(images[..., :2], point, seeds)
    result = Restore(codec)(torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8), 1.0, torch.zeros(2, dtype=torch.int64))
    assert all("returned shape" in error for error in result.errors)


def test_results_do_not_depend_on_how_rows_are_batched():
    table = decoded(range(0, 250, 10))
    whole = stage()(table)
    parts = pa.concat_tables([stage()(table.slice(start, 7)) for start in range(0, len(table), 7)])
    assert repr(whole.to_pylist()) == repr(parts.to_pylist())  # NaN is not equal to itself


def speckled(table, seed=0, samples=2, size=16, **model):
    stage = RestorationStage(
        model=SpeckleConfig(**model), measures=(Mse(),), classifiers=(), size=size, seed=seed, samples=samples
    )
    return stage.build()(table)


def tiles_table(values):
    return Decode(16)(shard([encode_png(flat(value, 16)) for value in values]))


def test_an_image_is_drawn_from_its_own_seed_whatever_its_batch_and_order():
    table = tiles_table(range(100, 130, 3))
    whole = speckled(table).to_pylist()
    order = [7, 2, 9, 0, 5, 1, 8, 3, 6, 4]
    turned = table.take(pa.array(order))
    parts = pa.concat_tables([speckled(turned.slice(start, 3)) for start in range(0, 10, 3)]).to_pylist()
    assert parts == [whole[row] for row in order]
    assert speckled(table, seed=1).to_pylist() != whole
    assert whole[3]["reconstruction"] != whole[4]["reconstruction"]


def test_samples_are_an_axis_beside_the_points():
    rows = speckled(tiles_table([100, 120]), samples=3).to_pylist()
    assert rows[0]["point"] == [5.0] * 3 + [20.0] * 3
    assert rows[0]["sample"] == [0, 1, 2, 0, 1, 2]
    assert len(set(rows[0]["reconstruction"])) == 6
    one = speckled(tiles_table([100, 120]), samples=1)
    assert "sample" not in one.column_names
    for row, alone in zip(rows, one.to_pylist(), strict=True):
        assert [row["reconstruction"][place] for place in (0, 3)] == alone["reconstruction"]
    assert np.mean([row["mse"][:3] for row in rows]) == pytest.approx(5.0**2 + 1 / 12, rel=0.05)  # and rounding
    assert np.mean([row["mse"][3:] for row in rows]) == pytest.approx(20.0**2, rel=0.05)


def test_an_image_that_fails_beside_drawn_ones_leaves_their_seeds_alone():
    table = tiles_table([100, 66, 120])
    expected, found = speckled(table).to_pylist(), speckled(table, mark=66).to_pylist()
    assert found[1]["status"] == ["failed"] * 4
    assert [found[0], found[2]] == [expected[0], expected[2]]


def test_selection_takes_the_split_the_subset_and_a_fixed_sample():
    table = pa.table(
        {
            "image_id": [f"i{row}" for row in range(100)],
            "split": (["train"] * 50 + ["test"] * 50),
            "race": pa.array(["African", "Asian"] * 50).dictionary_encode(),
        }
    )
    selection = Selection("test", {"race": ("Asian",)})
    assert selection.apply(table)["image_id"].to_pylist() == [f"i{row}" for row in range(51, 100, 2)]

    limited = selection.limited(table, 10)
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(100)))
    chosen = limited.apply(table)["image_id"].to_pylist()
    assert len(chosen) == 10
    assert sorted(limited.apply(shuffled)["image_id"].to_pylist()) == sorted(chosen)
    assert len(selection.limited(table, 1000).apply(table)) == 25


def test_id_hashes_are_the_same_everywhere():
    # hashlib.blake2b(b"i0", digest_size=8).hexdigest() on another machine
    import hashlib

    assert hashes(pa.chunked_array([["i0"]]))[0] == int(hashlib.blake2b(b"i0", digest_size=8).hexdigest(), 16)


def test_pixel_column_has_the_width_of_an_image():
    assert decoded([1])[PIXELS].type == pa.binary(SIZE * SIZE * 3)
