import dataclasses
import json

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from greycard.audits.generation.configs import GenerationAudit, GeneratorSystem, RealismConfig
from greycard.audits.generation.run import run
from greycard.audits.generation.states import make_state
from greycard.audits.tables import AuditError
from greycard.classifiers import ResNet32Config
from greycard.config import ConfigError, from_dict, override, to_dict
from greycard.datasets.manifest import ManifestError
from greycard.datasets.storage import Folder
from greycard.generators import StyleGan2Config
from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.generation.discrepancy import discrepancy
from greycard.metrics.generation.distances import frechet
from greycard.metrics.generation.states import FeatureMoments
from greycard.metrics.no_reference import Brisque, ClipIqa, EqFace, Niqe
from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources
from tests.audits.generation.generators import KINDS, SIZE, ReaderConfig, ToyConfig, write_kinds

pytestmark = pytest.mark.usefixtures("ray_session")

TAIL = (0.6, 0.25, 0.1, 0.05)
FEW = RealismConfig(splits=4, subsets=5, subset=30, resamples=100)
FIRST = 5000  # seed


def audit(shards, directory, **changes):
    values = {
        "systems": (GeneratorSystem(name="even", generator=ToyConfig()),),
        "count": 120,
        "seed": FIRST,
        "classifier": ReaderConfig(),
        "task": "kind",
        "reference": shards,
        "size": SIZE,
        "realism": FEW,
        "max_failed_share": 0.5,
        "directory": str(directory),
        "resources": Resources(actors=1, rows_per_block=32),
        "ray": SessionConfig(stall_seconds=90, wait_seconds=1, progress=False),
    }
    return GenerationAudit(**values | changes)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_kinds(tmp_path_factory.mktemp("reference")).uri


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    tail = write_kinds(tmp_path_factory.mktemp("tail"), counts=(60, 25, 10, 5), broken=(0,), first=500).uri
    systems = (
        GeneratorSystem(name="even", generator=ToyConfig()),
        GeneratorSystem(name="tail", generator=ToyConfig(shares=TAIL, broken=(FIRST + 3,)), variant="real", seed=2),
        GeneratorSystem(name="data", images=tail, split="test"),
    )
    quality = (EqFace(), Niqe(weights="any.npz"))
    config = audit(shards, tmp_path_factory.mktemp("audit"), systems=systems, paths=10, quality=quality)
    seen = []
    result = run(config, seen.append)
    return config, result, seen, result.frames()


def score(frames, system, measure):
    return frames.scores.set_index(["system", "measure"]).loc[(system, measure)]


def test_every_image_comes_out_once_with_a_status(finished):
    _, result, seen, frames = finished
    assert [item.name for item in result.systems] == ["reference", "even", "tail", "data"] == [s.name for s in seen]
    table = result.table("tail")
    assert table.column_names == [
        *("system", "image_id", "seed", "partner", "pred_kind", "prob_kind", "status", "error", "path_aux"),
    ]
    assert table["seed"].to_pylist() == list(range(FIRST, FIRST + 120))
    failed = table.filter(pc.equal(table["status"], "failed")).to_pylist()
    assert [(row["seed"], row["pred_kind"], row["prob_kind"]) for row in failed] == [(FIRST + 3, None, None)]
    assert failed[0]["error"] == "RuntimeError: no such latent"
    assert table["path_aux"].null_count == 111
    assert result.table("data")["kind"].to_pylist()[:2] == ["a", "a"]
    counts = frames.counts.set_index("system")
    assert counts.loc["tail", ["n_in", "n_ok", "n_failed"]].tolist() == [120, 119, 1]
    assert "not an image" in counts.loc["data", "reasons"]


def test_measures_that_can_not_be_taken_are_absent_with_the_reason(finished):
    result, frames = finished[1], finished[3]
    assert "no EQ-Face weights named; fetch" in result.absent["eqface"]
    assert "needs at least two whole blocks of 96" in result.absent["niqe"]
    assert "audit.inception names no file" in result.absent["fid"]
    assert not {"eqface", "niqe", "fid"} & set(frames.scores["measure"])


def test_shares_are_those_of_the_generator(finished):
    frames = finished[3]
    latents = ToyConfig(shares=TAIL).build().latents(torch.arange(FIRST, FIRST + 120))
    places = np.searchsorted(np.cumsum(TAIL), torch.special.ndtr(latents[:, 0]).numpy())
    counts = np.bincount(np.delete(places, 3), minlength=4)
    shares = frames.shares[frames.shares["system"] == "tail"]
    assert shares["label"].tolist() == list(KINDS)
    assert shares["count"].tolist() == counts.tolist()
    np.testing.assert_allclose(shares["hard"], counts / 119)
    np.testing.assert_allclose(shares["soft"], counts / 119 * (0.9 - 0.1 / 3) + 0.1 / 3)
    np.testing.assert_allclose(shares["corrected"], counts / 119)  # the reader makes no mistakes on the reference
    pooled = score(frames, "tail", "discrepancy_pooled[hard]")
    assert pooled["value"] == pytest.approx(discrepancy(counts / 119))
    assert pooled["low"] < pooled["value"] < pooled["high"]
    assert pooled["floor"] == pytest.approx(np.sqrt(0.75 / 119))
    split = score(frames, "tail", "discrepancy[hard]")
    assert (split["splits"], split["n"], split["variant"], split["seed"]) == (4, 29.75, "real", 2)
    assert split["value"] > score(frames, "even", "discrepancy[hard]")["value"]
    assert score(frames, "reference", "discrepancy_pooled[hard]")["value"] == 0
    data = frames.shares[frames.shares["system"] == "data"]
    assert data["count"].tolist() == [59, 25, 10, 5]


def test_distances_are_those_of_the_features_themselves(finished, shards):
    result, frames = finished[1], finished[3]
    reader = ReaderConfig().build()
    made = reader.features(ToyConfig().build().generate(ToyConfig().build().latents(torch.arange(FIRST, FIRST + 120))))
    real = result.state("reference").realism["aux"].sample.finish()
    gaussians = [FeatureMoments.zero(6).add(np.asarray(part)).finish() for part in (made, real)]
    row = score(frames, "even", "frechet[aux]")
    assert row["value"] == pytest.approx(frechet(*gaussians), rel=1e-6)
    assert row["floor"] == score(frames, "reference", "frechet[aux]")["value"] > 0
    assert score(frames, "reference", "frechet[aux]")["note"] == "one half of the reference against the other"
    assert row["value"] < score(frames, "tail", "frechet[aux]")["value"]
    assert (
        score(frames, "even", "kernel_distance[aux]")["value"] < score(frames, "tail", "kernel_distance[aux]")["value"]
    )
    assert 0 < score(frames, "even", "recall[aux]")["value"] <= 1
    assert (
        1
        < score(frames, "tail", "classifier_score[aux]")["value"]
        < score(frames, "even", "classifier_score[aux]")["value"]
        < 4
    )
    assert not {"fid", "kid", "inception_score"} & set(frames.scores["measure"])


def test_path_lengths_are_of_images_that_were_not_rounded(finished):
    row = score(finished[3], "even", "path_length[aux]")
    assert row["value"] > 0
    assert row["n"] >= 8
    toy, reader = ToyConfig().build(), ReaderConfig().build()
    seeds = torch.tensor([FIRST])
    ends = [toy.latents(seeds), toy.latents(seeds + 2**31)]
    units = [
        torch.nn.functional.normalize(reader.perceive(toy.render(torch.lerp(*ends, t))).double(), dim=1)
        for t in (0, 1e-4)
    ]
    step = finished[1].table("even")["path_aux"][0].as_py()
    assert step == pytest.approx(float((units[0] - units[1]).square().sum() / 1e-8), rel=1e-6)


def test_frames_by_group_and_by_reference(finished):
    frames = finished[3]
    heat = frames.frechet_groups[frames.frechet_groups["system"] == "reference"]
    matrix = heat.pivot(index="group", columns="reference_group", values="value").to_numpy()
    assert np.diag(matrix).max() < 0.4 * (matrix + 9 * np.eye(4)).min()  # halves of a group against other groups
    assert heat["count"].sum() + heat["reference_count"].sum() == 4 * 120
    experiment = frames.references.set_index(["system", "generated", "reference"])["value"]
    assert experiment["tail", "as drawn", "unbalanced"] < experiment["even", "as drawn", "unbalanced"]
    assert experiment["tail", "as drawn", "balanced"] > experiment["even", "as drawn", "balanced"]
    assert frames.confusion["count"].sum() == 120
    assert frames.confusion.query("label == predicted")["count"].tolist() == [30] * 4


def test_results_are_the_same_however_the_work_is_spread_and_states_are_saved(finished, tmp_path):
    config, result, _, frames = finished
    spread = Resources(actors=2, rows_per_block=7)
    again = run(dataclasses.replace(config, systems=config.systems[:1], directory=str(tmp_path), resources=spread))
    assert [item.table_sha256 for item in again.systems] == [item.table_sha256 for item in result.systems[:2]]
    other = again.frames()
    for name in ("scores", "shares", "frechet_groups", "references"):
        mine = getattr(frames, name)
        assert getattr(other, name).equals(mine[mine["system"].isin(["reference", "even"])]), name
    for file in (tmp_path / "rows/even").glob("*.parquet"):
        file.unlink()  # the states are enough
    assert again.frames().scores.equals(other.scores)


def test_halves_merge_to_the_whole(finished):
    result = finished[1]
    state = result.state("tail")
    seen = state.realism["aux"]
    assert sum(part.count for part in seen.by_class()) == seen.everything().count == 119
    assert [part.count for part in seen.by_class()] == state.shares.finish().counts.tolist()
    fewer = dataclasses.replace(FEW, sample=7, splits=2)
    changed = make_state(Folder.open(result.systems[2].reconstructions), "kind", KINDS, fewer)
    np.testing.assert_array_equal(changed.realism["aux"].sample.finish(), seen.sample.finish()[:7])


def test_what_is_finished_is_not_made_again(shards, tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    system = GeneratorSystem(name="even", generator=ToyConfig(folder=str(calls)))
    config = audit(shards, tmp_path / "audit", systems=(system,), count=64)
    first = run(config)
    made = len(list(calls.iterdir()))
    assert run(config).systems == tuple(dataclasses.replace(item, seconds=0.0) for item in first.systems)
    assert len(list(calls.iterdir())) == made
    rows = tmp_path / "audit/rows/even"
    sorted(rows.glob("*.parquet"))[0].unlink()
    (rows / "_SUCCESS.json").unlink()
    assert run(config).systems[1].table_sha256 == first.systems[1].table_sha256
    assert sum(int(file.name.split("-")[1]) for file in calls.iterdir()) == 64 + 32
    with pytest.raises(AuditError, match="another config: seeds differ"):
        run(dataclasses.replace(config, count=65))
    state = json.loads((rows / "_config.json").read_text())
    assert state["seeds"] == {"count": 64, "seed": FIRST, "paths": 0, "size": SIZE}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"reference_split": "tset"}, ManifestError, "did you mean 'test'"),
        ({"classifier": ReaderConfig(classes=("a", "b", "c", "e"))}, ManifestError, "unknown kind label 'e'"),
        ({"reference": "nowhere"}, ManifestError, "no manifest.json"),
        ({"inception": "nowhere.pth"}, MeasureUnavailable, "fetch https"),
    ],
)
def test_what_can_not_work_is_refused_with_the_reason(shards, tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        run(audit(shards, tmp_path, **change))


def test_the_config_is_a_recipe():
    classifier = ResNet32Config(tasks=("kind",), classes={"kind": KINDS})
    system = GeneratorSystem(name="one", generator=StyleGan2Config(size=32))
    quality = (ClipIqa(weights="clip.pt"), Brisque(weights=("svm.txt", "ranges.json")))
    config = GenerationAudit(systems=(system,), classifier=classifier, task="kind", quality=quality)
    assert from_dict(GenerationAudit, to_dict(config)) == config
    assert override(config, ["systems.0.generator.truncation=0.5"]).systems[0].generator.truncation == 0.5
    for setting, message in (
        ("task=kid", "does not predict unknown task 'kid'; did you mean 'kind'"),
        ("systems.0.name=reference", "none of them 'reference'"),
        ("systems.0.images=runs/x", "either a generator or images"),
        ("systems.0.truncation=2", r"\[0, 1\]"),
        ("size=64", "makes images of 32 px, and audit.size is 64"),
        ("count=0", "at least 1 for a generator"),
        ("seed=-1", "audit.seed"),
        ("realism.splits=0", "realism.splits"),
        ("realism.unbalanced=[0, 0]", "unbalanced"),
    ):
        with pytest.raises(ConfigError, match=message):
            override(config, [setting])
