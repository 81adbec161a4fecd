"""The stage of a generation audit without Ray: seeds or pixels in, what is seen out."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from greycard.audits.generation.configs import GeneratorSystem, RealismConfig
from greycard.audits.generation.scores import frames_of, measure_name
from greycard.audits.generation.states import SetState, make_state
from greycard.audits.states import load_state, save_state
from greycard.classifiers import ResNet32Config
from greycard.datasets.storage import Folder
from greycard.generators import StyleGan2Config
from greycard.layers.weights import save_weights
from greycard.metrics.generation.inception import InceptionConfig
from greycard.protocols import Generator, LatentGenerator
from greycard.streaming.columns import DECODE_ERROR, pixel_column
from greycard.streaming.generating import GenerationStage, seed_rows
from tests.audits.generation.generators import KINDS, SIZE, ReaderConfig, ToyConfig, images_of

FEW = RealismConfig(splits=4, subsets=5, subset=30, resamples=50)
SYSTEMS = (GeneratorSystem(name="reference", images="real"), GeneratorSystem(name="made", generator=ToyConfig()))


def stage(generator, **changes):
    values = {"generator": generator, "classifier": ReaderConfig(), "task": "kind", "classes": 4, "size": SIZE}
    return GenerationStage(**values | changes)


def decoded(per_class=25, labelled=True, errors=()):
    codes = torch.arange(4).repeat_interleave(per_class)
    noise = torch.randn(len(codes), 6, generator=torch.Generator().manual_seed(7)).double()
    pixels = images_of(codes, noise).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    table = pa.table(
        {
            "image_id": [f"real{row:03d}" for row in range(len(codes))],
            "pixels": pixel_column(pixels),
            DECODE_ERROR: ["no image" if row in errors else "" for row in range(len(codes))],
        }
    )
    return table.append_column("kind", pa.array([KINDS[code] for code in codes])) if labelled else table


def frames(tmp_path, real, made):
    states = {}
    for name, rows in (("reference", real), ("made", made)):
        folder = Folder.open(str(tmp_path / name))
        folder.create()
        pq.write_table(rows, tmp_path / name / "rows.parquet")
        states[name] = make_state(folder, "kind", KINDS, FEW)
    return states, frames_of(states, SYSTEMS, KINDS, FEW)


def test_a_seed_that_fails_fails_alone():
    found = stage(ToyConfig(broken=(12,))).build()(seed_rows(20, 5, 9))
    assert [row["error"] for row in found.to_pylist() if row["status"] == "failed"] == ["RuntimeError: no such latent"]
    assert found["path_aux"].null_count == 20 - 8
    whole = stage(ToyConfig()).build()(seed_rows(20, 5, 9))
    for name in ("prob_kind", "pred_kind", "bulk_features_aux", "path_aux"):
        assert found[name].to_pylist()[:7] == whole[name].to_pylist()[:7]


@dataclasses.dataclass(frozen=True)
class RednessConfig:
    """Mean of red; no value for images of class d."""

    name: str = "redness"

    def build(self):
        return lambda images: torch.where(images[:, 0, 0, 0] > 180, torch.nan, images[:, 0].double().mean(dim=(1, 2)))


def test_quality_is_measured_image_by_image(tmp_path):
    real = stage(None, quality=(RednessConfig(),)).build()(decoded(10, errors=(0,)))
    values = real["quality_redness"].to_pylist()
    assert values[:3] == [None, 10.0, 10.0]
    assert np.isnan(values[-1])
    assert real["status"].to_pylist().count("failed") == 1
    states, found = frames(tmp_path, real, stage(ToyConfig(), quality=(RednessConfig(),)).build()(seed_rows(9, 0, 0)))
    row = found["scores"].query("system == 'reference' and measure == 'redness'").iloc[0]
    expected = np.repeat([10.0, 70.0, 130.0], [9, 10, 10])
    assert (row["value"], row["n"]) == (pytest.approx(expected.mean()), 29)
    assert row["sd"] == pytest.approx(expected.std())
    folder = Folder.open(str(tmp_path / "states"))
    save_state(states["reference"], folder, "reference", {})
    again = load_state(SetState, folder, "reference", {})
    assert again is not None
    np.testing.assert_array_equal(np.sort(again.quality["redness"]), expected)
    bad = stage(ToyConfig(broken=(0,)), quality=(RednessConfig(),)).build()(seed_rows(1, 0, 0))
    assert bad.schema.field("quality_redness").type == pa.float64()


@dataclasses.dataclass(frozen=True)
class SeedsOnlyConfig:
    """A generator without a latent space, as one that draws noise at every step is: it makes images of seeds."""

    def build(self):
        return SeedsOnly()


class SeedsOnly:
    size = SIZE
    spaces = ()

    def sample(self, seeds, truncation=None):
        return ToyConfig().build().sample(seeds)


def test_a_generator_needs_no_latent_space():
    assert isinstance(SeedsOnly(), Generator)
    assert not isinstance(SeedsOnly(), LatentGenerator)
    rows, expected = (stage(config).build()(seed_rows(20, 5, 9)) for config in (SeedsOnlyConfig(), ToyConfig()))
    assert rows["prob_kind"].equals(expected["prob_kind"])
    assert (rows["path_aux"].null_count, expected["path_aux"].null_count) == (20, 11)


def test_a_block_of_failures_has_all_columns():
    good = stage(ToyConfig()).build()(seed_rows(3, 5, 0))
    bad = stage(ToyConfig(broken=(5, 6, 7))).build()(seed_rows(3, 5, 0))
    assert bad.schema.equals(good.schema)
    pixels = stage(None).build()(decoded(1, errors=range(4)))
    assert pixels["status"].to_pylist() == ["failed"] * 4
    assert pixels["error"].to_pylist() == ["no image"] * 4


@pytest.mark.parametrize("size", [SIZE, 16])
def test_images_of_another_size_or_class_set_fail_with_words(size):
    other = stage(ToyConfig(), size=16) if size == 16 else stage(ToyConfig(), classes=3)
    found = other.build()(seed_rows(2, 5, 0))
    words = "the generator made (1, 3, 8, 8) torch.uint8, expected (1, 3, 16, 16)" if size == 16 else "expected (1, 3)"
    assert all(words in error for error in found["error"].to_pylist())


def test_the_networks_of_the_product_go_through(tmp_path):
    generator = StyleGan2Config(size=8, latent=4, styles=4, mapping=1, base=32, most=4, compute_batch=8)
    classifier = ResNet32Config(tasks=("kind",), classes={"kind": KINDS}, compute_batch=8)
    for name, config in (("g", generator), ("c", classifier)):
        save_weights(tmp_path / name, config.network().state_dict(), config.description())
    generator = dataclasses.replace(generator, weights=str(tmp_path / "g"))
    classifier = dataclasses.replace(classifier, weights=str(tmp_path / "c"))
    actor = stage(generator, classifier=classifier, truncation=0.7).build()
    rows = actor(seed_rows(12, 3, 5))
    assert rows["status"].to_pylist() == ["ok"] * 12
    built = generator.build()
    images = built.generate(built.latents(torch.arange(3, 15)), truncation=0.7)
    measuring = classifier.build()
    np.testing.assert_array_equal(
        np.array(rows["prob_kind"].to_pylist()), measuring.probabilities(images)["kind"].numpy()
    )
    np.testing.assert_array_equal(
        np.array(rows["bulk_features_aux"].to_pylist(), np.float32), measuring.features(images).numpy()
    )
    one_by_one = [actor(seed_rows(12, 3, 5).slice(row, 1)) for row in range(12)]
    assert pa.concat_tables(one_by_one).combine_chunks().equals(rows.combine_chunks())
    assert min(rows["path_aux"].to_pylist()[:5]) > 0
    styles = built.latents(torch.arange(3, 5), "w")
    floats = built.render(styles)
    assert torch.equal(floats.round().clamp(0, 255).byte(), built.generate(styles, "w", truncation=1.0))


def test_a_confused_classifier_is_corrected(tmp_path):
    confused = ReaderConfig(confused=True)
    real = stage(None, classifier=confused).build()(decoded(100))
    made = stage(ToyConfig(), classifier=confused).build()(seed_rows(400, 0, 0))
    _, found = frames(tmp_path, real, made)
    shares = found["shares"].query("system == 'made'").set_index("label")
    assert shares.loc["a", "hard"] < 0.2
    assert abs(shares.loc["a", "corrected"] - 0.25) < 0.06
    scores = found["scores"].query("system == 'made'").set_index("measure")
    assert "condition number" in scores.loc["discrepancy[corrected]", "note"]
    assert scores.loc["discrepancy_pooled[corrected]", "value"] < scores.loc["discrepancy_pooled[hard]", "value"] / 2
    confusion = found["confusion"].set_index(["label", "predicted"])["count"]
    assert confusion["a", "a"] + confusion["a", "b"] == 100
    assert confusion["b", "b"] == 100


def test_a_reference_without_labels_corrects_nothing_and_compares(tmp_path):
    real = stage(None).build()(decoded(labelled=False))
    made = stage(ToyConfig()).build()(seed_rows(40, 0, 0))
    states, found = frames(tmp_path, real, made)
    assert not states["reference"].labelled
    assert found["shares"]["corrected"].isna().all()
    scores = found["scores"].set_index(["system", "measure"])
    assert "no labelled image" in scores.loc[("made", "discrepancy[corrected]"), "note"]
    assert scores.loc[("made", "frechet[aux]"), "value"] > 0
    assert found["frechet_groups"].query("system == 'made'")["reference_count"].max() == 25


def test_sets_that_are_too_small_say_so(tmp_path):
    real = stage(None).build()(decoded(2))
    made = stage(ToyConfig()).build()(seed_rows(1, 0, 0))
    scores = frames(tmp_path, real, made)[1]["scores"].set_index(["system", "measure"])
    assert np.isnan(scores.loc[("made", "frechet[aux]"), "value"])
    assert "2 images at least, got 1" in scores.loc[("made", "frechet[aux]"), "note"]
    assert "more than 3" in scores.loc[("made", "recall[aux]"), "note"]


def test_states_are_read_as_they_were_written(tmp_path):
    real = stage(None).build()(decoded())
    states, _ = frames(tmp_path, real, stage(ToyConfig()).build()(seed_rows(30, 0, 8)))
    folder = Folder.open(str(tmp_path / "states"))
    save_state(states["made"], folder, "made", {"a": 1})
    assert load_state(SetState, folder, "made", {"a": 2}) is None
    assert load_state(SetState, folder, "other", {"a": 1}) is None
    again = load_state(SetState, folder, "made", {"a": 1})
    assert again is not None
    assert frames_of({**states, "made": again}, SYSTEMS, KINDS, FEW)["scores"].equals(
        frames_of(states, SYSTEMS, KINDS, FEW)["scores"]
    )


@pytest.mark.slow
def test_inception_is_read_from_a_file_of_weights(tmp_path, monkeypatch):
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = module.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:  # the network as it is initialised: the file is only as large as the real one
        patch.setattr(network, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *args, **kwargs: {})
        torch.save(network("drawn", ["2048"], feature_extractor_weights_path="none").state_dict(), tmp_path / "w.pth")
    inception = InceptionConfig(weights=str(tmp_path / "w.pth"), compute_batch=2)
    actor = stage(ToyConfig(), inception=inception).build()
    made = actor(seed_rows(3, 0, 0))
    assert {len(row) for row in made["bulk_features_inception"].to_pylist()} == {2048}
    assert [sum(row) for row in made["bulk_scores_inception"].to_pylist()] == pytest.approx([1.0] * 3, abs=1e-4)
    alone = actor(seed_rows(3, 0, 0).slice(2, 1))
    assert alone["bulk_features_inception"].to_pylist() == made["bulk_features_inception"].to_pylist()[2:]
    (tmp_path / "made").mkdir()
    pq.write_table(made, tmp_path / "made" / "rows.parquet")
    state = make_state(Folder.open(str(tmp_path / "made")), "kind", KINDS, FEW)
    assert state.realism["inception"].everything().count == 3
    assert state.realism["inception"].score.sums.shape == (4, 1008)


def test_names_tell_the_extractor():
    measures = ("frechet", "kernel_distance", "classifier_score", "precision")
    assert [measure_name(name, "inception") for name in measures] == [
        "fid",
        "kid",
        "inception_score",
        "precision[inception]",
    ]
    assert [measure_name(name, "aux") for name in measures] == [f"{name}[aux]" for name in measures]
