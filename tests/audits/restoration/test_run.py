import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from greycard.audits.restoration.configs import RestorationAudit, System
from greycard.audits.restoration.run import run
from greycard.audits.tables import AuditError
from greycard.codecs import JpegConfig, RawConfig
from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.datasets.manifest import ManifestError
from greycard.datasets.pixels import decode_image
from greycard.metrics.full_reference.distortion import Mse, Psnr, Ssim
from greycard.streaming.cluster import RayError, SessionConfig
from greycard.streaming.pipeline import PipelineError, Resources
from tests.streaming.doubles import BrightConfig, DarkenConfig, SpeckleConfig, write_tiles

pytestmark = pytest.mark.usefixtures("ray_session")

BROKEN = (3, 17)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("shards"), count=90, broken=BROKEN, marked=(30,)).uri


def audit(shards, directory, codec=None, **changes):
    values = {
        "shards": shards,
        "directory": str(directory),
        "systems": (System(name="dark", codec=codec or DarkenConfig()),),
        "measures": (Mse(), Psnr()),
        "classifiers": (BrightConfig(tasks=("race",), level=60), BrightConfig(tasks=("race",), level=120)),
        "size": 16,
        "max_failed_share": 0.5,
        "resources": Resources(actors=1, rows_per_block=32),
        "ray": SessionConfig(stall_seconds=90, wait_seconds=1, progress=False),
    }
    return RestorationAudit(**values | changes)


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    config = audit(shards, tmp_path_factory.mktemp("audit"))
    seen = []
    return config, run(config, seen.append), seen


def test_every_image_comes_out_once_with_a_status(finished):
    _, result, seen = finished
    system = result.systems[0]
    table = system.read()

    assert seen == [system]
    assert (system.images, system.rows, system.n_ok, system.n_failed) == (90, 180, 176, 4)
    assert system.points == (1.0, 2.0)
    ids = table["image_id"].to_pylist()
    assert ids == sorted(ids)
    assert table["point"].to_pylist() == [1.0, 2.0] * 90
    failed = table.filter(pyarrow.compute.field("status") == "failed").to_pylist()
    assert {row["image_id"] for row in failed} == {"tile00003", "tile00017"}
    assert all("not an image" in row["error"] and np.isnan(row["mse"]) for row in failed)
    assert "reconstruction" not in table.column_names


def test_the_table_holds_what_the_codec_and_the_labels_say(finished):
    table = finished[1].table().to_pylist()
    row = next(row for row in table if row["image_id"] == "tile00005" and row["point"] == 2.0)
    value = 5 * 37 % 250  # 185, halved to 92
    assert row["mse"] == (value - value // 2) ** 2
    assert row["bpp_estimated"] == 4096 / 2 / 16**2
    assert row["pred_race"] == [1, 0]
    assert (row["race"], row["identity"], row["system"]) == ("Asian", None, "dark")


def test_the_reconstruction_set_holds_the_pixels(finished):
    system = finished[1].systems[0]
    rows = pyarrow.dataset.dataset(system.reconstructions).to_table().to_pylist()
    row = next(row for row in rows if row["image_id"] == "tile00005")
    assert [decode_image(png)[0, 0, 0] for png in row["reconstruction"]] == [185, 92]
    assert len(rows) == 90


def test_a_finished_system_is_not_computed_again(finished):
    config, result, _ = finished
    again = run(dataclasses.replace(config, resources=Resources(actors=1000)))  # would not fit, were it needed
    assert again.systems[0].table_sha256 == result.systems[0].table_sha256
    assert again.systems[0].seconds == 0


def test_too_many_failures_end_the_job_with_examples(finished):
    config, result, _ = finished
    with pytest.raises(AuditError, match=r"4 of 180 rows failed.*tile00003 at point 1: not an image"):
        run(dataclasses.replace(config, max_failed_share=0.01))
    assert pq.read_metadata(result.systems[0].table).num_rows == 180


def test_another_config_does_not_mix_with_old_results(finished):
    config, _, _ = finished
    with pytest.raises(AuditError, match="another config: measures differ"):
        run(dataclasses.replace(config, measures=(Mse(),)))


def test_results_do_not_depend_on_how_the_work_is_spread_or_where_files_are_named(finished, shards, tmp_path):
    resources = Resources(actors=2, rows_per_block=7, num_gpus=0.5)
    again = run(audit(Path(shards).as_uri(), tmp_path.as_uri(), resources=resources))
    assert again.systems[0].table_sha256 == finished[1].systems[0].table_sha256
    assert len(list((tmp_path / "reconstructions/dark").glob("*.parquet"))) == 13  # blocks of 7 of 90 images


def test_samples_of_a_system_that_draws_depend_on_its_seed_alone(shards, tmp_path):
    drawn, raw = System(name="drawn", codec=SpeckleConfig(), samples=2), System(name="raw", codec=RawConfig())
    settings = {"classifiers": (), "measures": (Mse(),), "limit": 20}
    config = audit(shards, tmp_path / "first", systems=(drawn, raw), **settings)
    first = run(config)
    table = first.systems[0].read()
    assert (len(table), first.systems[0].rows) == (80, 80)
    assert table["point"].to_pylist()[:4] == [5.0, 5.0, 20.0, 20.0]
    assert table["sample"].to_pylist() == [0, 1] * 40
    assert "sample" not in first.systems[1].read().column_names
    assert first.table()["sample"].null_count == 20
    good = table.filter(pyarrow.compute.field("status") == "ok")
    assert len(set(good["mse"].to_pylist())) == len(good)

    resources = Resources(actors=2, rows_per_block=7)
    spread = run(audit(shards, tmp_path / "spread", systems=(drawn,), resources=resources, **settings))
    assert spread.systems[0].table_sha256 == first.systems[0].table_sha256
    with pytest.raises(AuditError, match="another config: draws differ"):
        run(dataclasses.replace(config, seed=1))


def test_a_seed_names_the_results_of_what_draws_alone(finished):
    config, result, _ = finished
    again = run(dataclasses.replace(config, seed=1))
    assert again.systems[0].digest == result.systems[0].digest


def test_real_codecs_on_a_chosen_part(shards, tmp_path):
    config = audit(
        shards,
        tmp_path,
        systems=(System(name="raw", codec=RawConfig()), System(name="jpeg", codec=JpegConfig(qualities=(5, 90)))),
        measures=(Ssim(),),
        classifiers=(),
        subset={"race": ("Indian",)},
        limit=20,
        resources=Resources(actors=1),
    )
    result = run(config)
    raw, jpeg = (system.read() for system in result.systems)
    assert set(raw["race"].to_pylist()) == {"Indian"}
    assert (len(raw), len(jpeg)) == (20, 40)
    good = raw.filter(pyarrow.compute.field("status") == "ok")
    assert set(good["ssim"].to_pylist()) == {1.0}
    assert len(result.table()) == 60
    assert json.loads((tmp_path / "reconstructions/raw/_SUCCESS.json").read_text())["images"] == 20


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"attributes": ("rac",)}, ManifestError, "did you mean 'race'"),
        ({"split": "tset"}, ManifestError, "did you mean 'test'"),
        ({"subset": {"race": ("Indain",)}}, ManifestError, "did you mean 'Indian'"),
        ({"resources": Resources(actors=9)}, RayError, r"needs 9 actors of 1 CPU.*4"),
        ({"resources": Resources(num_gpus=1, actors=2)}, RayError, "2 GPU"),
        ({"resources": Resources(actors=1, num_cpus=8)}, RayError, "8 CPU"),
    ],
)
def test_what_can_not_work_is_refused_before_it_starts(shards, tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        run(audit(shards, tmp_path, **change))
    assert not list(tmp_path.rglob("*.parquet"))


def test_weights_that_do_not_exist_are_named(shards, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run(audit(shards, tmp_path, DarkenConfig(weights=str(tmp_path / "nowhere"))))


def test_a_system_that_can_not_be_built_says_why(shards, tmp_path):
    with pytest.raises(PipelineError, match="weights are of another architecture"):
        run(audit(shards, tmp_path, DarkenConfig(fault="build")))


def test_the_config_is_a_recipe():
    config = RestorationAudit(systems=(System(name="jpeg", codec=JpegConfig()),), measures=(Mse(),))
    assert from_dict(RestorationAudit, to_dict(config)) == config
    assert override(config, ["systems.0.codec.kind=raw"]).systems[0].codec == RawConfig()
    with pytest.raises(ConfigError, match=r"max_failed_share must be 0..1"):
        override(config, ["max_failed_share=2"])
    with pytest.raises(ConfigError, match="names"):
        override(config, ["systems=[{name: a, codec: {kind: raw}}, {name: a, codec: {kind: raw}}]"])
