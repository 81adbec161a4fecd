import contextlib
import dataclasses
import errno
import json

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from greycard.classifiers import ResNetConfig
from greycard.datasets.loading import load_images
from greycard.datasets.manifest import Manifest, ManifestError
from greycard.datasets.storage import Folder
from greycard.latent_search.config import LatentSearchConfig
from greycard.latent_search.labelling import GeneratorLabeller
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from greycard.synthesis.config import SynthesisConfig
from greycard.synthesis.parts import Part, SynthesisError
from greycard.synthesis.run import run
from tests.synthesis.networks import CLASSES, TASK, stream_here, write_models


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(Part, "_stream", stream_here)
    monkeypatch.setattr("greycard.synthesis.run.session", lambda config: contextlib.nullcontext())


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def config_of(models, directory, **changes):
    values = {
        "generator": models[0],
        "classifier": models[1],
        "task": TASK,
        "count": 20,
        "search": LatentSearchConfig(cap=8, start_budget=40, max_evaluations=60),
        "lineages": 4,
        "max_lineages": 8,
        "val": 0.2,
        "sheet": 1,
        "rows_per_call": 5,
        "rows_per_shard": 32,
        "directory": str(directory),
        "resources": Resources(actors=1, rows_per_block=24),
        "ray": SessionConfig(stall_seconds=90, wait_seconds=5, progress=False),
    }
    return SynthesisConfig(**values | changes)


@pytest.fixture(scope="module")
def finished(models, ray_session, tmp_path_factory):
    said = []
    config = config_of(models, tmp_path_factory.mktemp("set"))
    return config, run(config, said.append), said


def shard_bytes(result):
    folder = Folder.open(result.manifest.uri)
    return {shard.name: folder.read(shard.name) for shard in result.manifest.shards}


def test_classes_are_balanced_in_every_split(finished):
    _, result, said = finished
    counts = result.manifest.counts
    for label in CLASSES[:4]:
        assert counts["train"][TASK][label] == 16
        assert counts["val"][TASK][label] == 4
    assert result.manifest.attributes == {TASK: CLASSES}
    assert said


def test_a_class_that_is_not_there_is_reported(finished):
    _, result, said = finished
    assert result.shortfalls == {"never": 20}
    assert result.manifest.made["source"]["shortfalls"] == {"never": 20}
    lineages = result.frames.lineages
    lost = lineages[lineages["label"] == "never"]
    assert len(lost) == 4  # given up after the first wave
    assert set(lost["error"]) == {"no image of the class among 40 seeds"}
    assert "never 0" in said[0]
    assert all("never" not in line for line in said[1:])


def test_images_are_of_the_class_that_they_stand_for(finished, models):
    _, result, _ = finished
    classifier = models[1].build()
    loaded = load_images(result.manifest.uri, "train", size=8, attributes=(TASK,))
    np.testing.assert_array_equal(classifier.predict(loaded.images)[TASK].numpy(), loaded.labels[TASK].numpy())


def test_lineages_stay_in_one_split_and_share_out_evenly(finished):
    _, result, _ = finished
    found = pq.read_table(f"{result.directory}/chosen").filter(pc.field("chosen")).to_pandas()
    assert (found.groupby("identity")["split"].nunique() == 1).all()
    for (_, split), rows in found.groupby(["label", "split"]):
        sizes = rows.groupby("identity").size()
        kept = result.frames.lineages.set_index(["label", "lineage"])["kept"]
        whole = [kept[rows["label"].iloc[0], rows[rows["identity"] == name]["lineage"].iloc[0]] for name in sizes.index]
        open_ones = [size for size, most in zip(sizes, whole, strict=True) if size < most]
        assert not open_ones or max(sizes) - min(open_ones) <= 1, split


def test_shards_hold_what_the_latents_give(finished, models):
    config, result, _ = finished
    chosen = pq.read_table(f"{result.directory}/chosen").to_pandas().set_index("image_id")
    loaded = load_images(result.manifest.uri, "val", size=8)
    packed = [np.frombuffer(chosen.loc[image_id, "latent"], np.float32) for image_id in loaded.ids]
    images = models[0].build().generate(torch.from_numpy(np.stack(packed)), "w", config.search.truncation)
    assert torch.equal(images, loaded.images)


def test_the_account_adds_up(finished):
    _, result, _ = finished
    frames = result.frames
    assert (frames.counts["wanted"] - frames.counts["chosen"] == frames.counts["short"]).all()
    lineages = frames.lineages
    assert (lineages["accepted"] == lineages["kept"] + lineages["duplicates"]).all()
    assert (lineages["chosen"] <= lineages["kept"]).all()
    assert lineages["chosen"].sum() == frames.counts["chosen"].sum() == 80
    assert frames.duplicates["images"].tolist() == [20, 20, 20, 20, 0]
    assert frames.duplicates["near"][:4].between(0, 1).all()
    assert frames.cost["evaluated_per_chosen"].notna().tolist() == [True] * 4 + [False]
    sheet = result.sheet()
    assert sheet["lineage"].unique().tolist() == [0]
    assert (sheet["parent"] < sheet["number"]).all()
    assert sheet["image"].map(lambda png: png[:4] == b"\x89PNG").all()


def test_other_actors_give_the_same_bytes(finished, tmp_path):
    config, result, _ = finished
    other = dataclasses.replace(
        config,
        directory=str(tmp_path),
        batch=16,
        together=3,
        rows_per_call=3,
        resources=Resources(actors=2, rows_per_block=10),
    )
    again = run(other)
    assert shard_bytes(again) == shard_bytes(result)
    assert again.manifest.digest == result.manifest.digest


def test_a_finished_set_is_returned_as_it_is(finished):
    config, result, _ = finished
    again = run(config, pytest.fail)
    assert again.manifest == result.manifest
    assert again.shortfalls == result.shortfalls
    assert again.seconds == {"search": 0.0, "render": 0.0}
    assert again.frames.lineages.equals(result.frames.lineages)


def test_another_config_is_refused(finished):
    config = finished[0]
    with pytest.raises(SynthesisError, match="holds a set of another config: count differ"):
        run(dataclasses.replace(config, count=21))


def test_a_full_disk_is_said_and_the_run_goes_on(finished, here, models, tmp_path, monkeypatch):
    config, result, _ = finished
    config = dataclasses.replace(config, directory=str(tmp_path))
    write, full = Folder.write, []

    def fails(folder, name, data):
        if name.startswith("val-") and not full:
            full.append(name)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(folder, name, data)

    monkeypatch.setattr(Folder, "write", fails)
    with pytest.raises(SynthesisError, match=r"no space left on the disk of .*start the same command again"):
        run(config)
    kept = sorted((tmp_path / "shards").glob("train-*.parquet"))
    assert kept
    assert not (tmp_path / "shards" / "manifest.json").exists()
    times = {path: path.stat().st_mtime_ns for path in kept}
    again = run(config, lambda line: None)
    assert again.seconds == {"search": 0.0, "render": 0.0}
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert shard_bytes(again) == shard_bytes(result)


def test_lost_images_are_made_again(finished, here, tmp_path):
    """As after a kill: some lineages and images are there, others are not."""
    config, result, _ = finished
    config = dataclasses.replace(config, directory=str(tmp_path))
    run(config)
    (tmp_path / "_SUCCESS.json").unlink()
    for path in (tmp_path / "shards").iterdir():
        path.unlink()
    lineages = sorted((tmp_path / "lineages" / "wave-000").glob("*.parquet"))
    lineages[0].unlink()
    again = run(config)
    assert shard_bytes(again) == shard_bytes(result)
    assert json.loads((tmp_path / "_SUCCESS.json").read_text())["shortfalls"] == {"never": 20}
    assert not list((tmp_path / "images").glob("*.parquet"))


def test_rejection_gives_the_first_seeds_of_each_class(finished, here, models, tmp_path):
    config = dataclasses.replace(finished[0], method="rejection", directory=str(tmp_path), classes=CLASSES[:4])
    config = dataclasses.replace(config, max_lineages=0)
    result = run(config)
    assert result.shortfalls == {}
    labeller = GeneratorLabeller(models[0].build(), models[1].build(), TASK)
    found = pq.read_table(f"{result.directory}/chosen").filter(pc.field("chosen")).to_pandas()
    seeds = torch.arange(400)
    latents = labeller.latents(seeds, "w")
    codes = labeller.label(latents, "w", 1.0).codes
    for code in range(4):
        rows = found[found["code"] == code].sort_values(["lineage", "number"])
        expected = []
        for first in range(0, 400, 40):  # at most 8 of each 40 seeds
            expected += (first + np.flatnonzero(codes[first : first + 40] == code)[:8]).tolist()
        expected = latents[expected[:20]].numpy()
        np.testing.assert_array_equal(np.stack([np.frombuffer(x, np.float32) for x in rows["latent"]]), expected)
        assert rows["split"].value_counts().to_dict() == {"train": 16, "val": 4}
    assert result.manifest.made["source"]["method"] == "rejection"
    assert found["identity"].is_unique


def test_nothing_found_at_all_is_an_error(finished, here, tmp_path):
    config = dataclasses.replace(finished[0], classes=("never",), directory=str(tmp_path))
    with pytest.raises(SynthesisError, match="no image of never among 160 seeds"):
        run(config)


def test_shards_with_other_classes_are_refused(finished, here, models, tmp_path):
    config, result, _ = finished
    run(dataclasses.replace(config, like=result.manifest.uri))
    other = dataclasses.replace(models[1], classes={TASK: CLASSES[::-1]})
    with pytest.raises(ManifestError, match="the order differs"):
        run(dataclasses.replace(config, like=result.manifest.uri, classifier=other, directory=str(tmp_path)))
    assert isinstance(Manifest.load(result.manifest.uri), Manifest)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "kin"}, "unknown task 'kin'; did you mean 'kind'"),
        ({"classes": ("tree",)}, "unknown kind class 'tree'; did you mean 'three'"),
        ({"size": 16}, "makes images of 8 px, and synthesis.size is 16"),
        ({"count": 0}, "count must be at least 1"),
        ({"val": 0.6, "test": 0.5}, "must be below 1"),
        ({"max_lineages": 2}, "max_lineages 2 is below"),
        ({"first_seed": 2**31 - 50}, r"no room below 2\^31"),
    ],
)
def test_impossible_configs_are_refused(models, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(models, tmp_path, **changes)


def test_a_classifier_for_larger_images_is_refused(models, tmp_path):
    from greycard.classifiers import SlimCnnConfig

    large = SlimCnnConfig(tasks=(TASK,), classes={TASK: CLASSES})
    with pytest.raises(ValueError, match="slimcnn takes images of"):
        config_of(models, tmp_path, classifier=large)
    assert isinstance(models[1], ResNetConfig)
