"""Realism's states and distances against torch-fidelity, torchmetrics and slow references."""

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from greycard.datasets.mnist import MnistConfig
from greycard.datasets.pixels import decode_image
from greycard.metrics.full_reference.lpips import MeasureUnavailable
from greycard.metrics.generation.distances import frechet, kernel_distance, mixture, unbiased_mmd
from greycard.metrics.generation.inception import InceptionConfig
from greycard.metrics.generation.neighbours import precision_recall
from greycard.metrics.generation.path_length import path_length, path_steps
from greycard.metrics.generation.references import compare_references, frechet_between_groups, long_tail
from greycard.metrics.generation.states import (
    ClassifierScore,
    FeatureMoments,
    FeatureSample,
    classifier_score,
    even_splits,
)


def draws(count, features=6, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, features)) @ rng.normal(size=(features, features)) + shift


def moments(values):
    return FeatureMoments.zero(values.shape[1]).add(values)


def test_moments_are_those_of_numpy_and_merge_however_they_are_split():
    values = draws(200, shift=1e3)
    whole = moments(values).finish()
    np.testing.assert_allclose(whole.mean, values.mean(axis=0))
    np.testing.assert_allclose(whole.covariance, np.cov(values, rowvar=False), rtol=1e-9)
    parts = [moments(part) for part in np.split(values, [0, 1, 50, 51, 130])]
    merged = parts[0]
    for part in parts[:0:-1]:
        merged = part.merge(merged)
    np.testing.assert_allclose(merged.finish().covariance, whole.covariance, rtol=1e-9)
    np.testing.assert_allclose(merged.finish().mean, whole.mean, rtol=1e-12)
    assert merged.finish().images == 200


def test_a_sample_holds_the_same_vectors_however_they_come():
    values = draws(90).astype(np.float32)
    hashes = np.random.default_rng(1).permutation(90).astype(np.uint64)
    empty = FeatureSample.zero(6, 25)
    whole = empty.add(values, hashes)
    np.testing.assert_array_equal(whole.finish(), values[np.argsort(hashes)[:25]])
    first, second = empty.add(values[:33], hashes[:33]), empty.add(values[33:], hashes[33:])
    for merged in (first.merge(second), second.merge(first)):
        np.testing.assert_array_equal(merged.finish(), whole.finish())
        np.testing.assert_array_equal(merged.hashes, whole.hashes)


def test_classifier_scores_are_torch_fidelitys_and_merge():
    isc = pytest.importorskip("torch_fidelity.metric_isc")
    logits = torch.from_numpy(draws(57, 4))
    expected = isc.isc_features_to_metric(logits, splits=5, shuffle=False)
    probabilities = logits.softmax(dim=1).numpy()
    found = classifier_score(probabilities, splits=5)
    assert found.mean == pytest.approx(expected["inception_score_mean"], rel=1e-9)
    assert found.sd == pytest.approx(expected["inception_score_std"], rel=1e-9)
    splits = even_splits(57, 5)
    parts = [ClassifierScore.zero(4, 5).add(probabilities[rows], splits[rows]) for rows in (slice(9), slice(9, 57))]
    assert parts[1].merge(parts[0]).finish() == pytest.approx(found)
    assert np.isnan(ClassifierScore.zero(4, 5).finish().mean)


def test_frechet_distance_is_that_of_torchmetrics_and_torch_fidelity():
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    from torchmetrics.image.fid import _compute_fid

    x, y = draws(80, seed=1), draws(95, shift=0.3, seed=2)
    found = frechet(moments(x).finish(), moments(y).finish())
    stats = [fid.fid_features_to_statistics(torch.from_numpy(part)) for part in (x, y)]
    expected = fid.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert found == pytest.approx(expected, rel=1e-6)
    tensors = [torch.from_numpy(part) for values in (x, y) for part in (values.mean(axis=0), np.cov(values.T))]
    assert found == pytest.approx(_compute_fid(*tensors).item(), rel=1e-6)
    assert frechet(moments(x).finish(), moments(x).finish()) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_fewer_images_than_features_needs_no_jitter():
    x, y = draws(4, 9, seed=1), draws(5, 9, seed=2)
    first, second = moments(x).finish(), moments(y).finish()
    assert frechet(first, second) == pytest.approx(frechet(second, first), rel=1e-6)
    assert np.isfinite(frechet(first, second))


def test_kernel_distance_is_that_of_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    x, y = draws(40, seed=1), draws(40, shift=0.2, seed=2)
    expected = poly_mmd(torch.from_numpy(x), torch.from_numpy(y)).item()
    assert unbiased_mmd(x, y) == pytest.approx(expected, rel=1e-9)
    whole = kernel_distance(x, y, subset=1000)
    assert whole == (pytest.approx(expected), 0.0, 40, 1)
    several = kernel_distance(x, y, subsets=30, subset=30)
    assert (several.subset, several.subsets) == (30, 30)
    assert several.sd > 0
    assert several.mean == pytest.approx(expected, rel=0.5)
    assert several == kernel_distance(x, y, subsets=30, subset=30)


def test_precision_and_recall_are_those_of_a_slow_reference_and_of_torch_fidelity():
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    x, y = draws(60, 3, seed=1) * 0.7, draws(45, 3, shift=0.5, seed=2)
    found = precision_recall(x, y)

    def covered(points, centres):
        inside = 0
        for point in points:
            hit = False
            for index, centre in enumerate(centres):
                others = sorted(np.linalg.norm(centre - other) for j, other in enumerate(centres) if j != index)
                hit |= np.linalg.norm(point - centre) <= others[2]
            inside += hit
        return inside / len(points)

    assert (found.precision, found.recall) == (pytest.approx(covered(x, y)), pytest.approx(covered(y, x)))
    expected = prc.calculate_precision_recall_full(torch.from_numpy(x), torch.from_numpy(y), 3)
    assert (found.precision, found.recall) == pytest.approx(expected)
    assert 0 < found.recall < found.precision < 1


def test_a_mixture_of_classes_has_the_moments_of_the_set():
    parts = [draws(50, seed=1), draws(50, shift=3, seed=2)]
    mixed = mixture([moments(part) for part in parts], [0.5, 0.5])
    together = np.concatenate(parts)
    np.testing.assert_allclose(mixed.mean, together.mean(axis=0))
    biased = np.mean([np.cov(part.T) for part in parts], axis=0) + np.cov(
        np.stack([part.mean(axis=0) for part in parts]).T, ddof=0
    )
    np.testing.assert_allclose(mixed.covariance, biased)
    alone = mixture([moments(parts[0]), FeatureMoments.zero(6)], [2.0, 0.0])
    np.testing.assert_allclose(alone.covariance, np.cov(parts[0].T))


def test_an_unbalanced_reference_rewards_an_unbalanced_generator():
    centres = np.random.default_rng(3).normal(size=(4, 5)) * 3
    real = [moments(draws(300, 5, seed=code) + centres[code]) for code in range(4)]
    made = [moments(draws(count, 5, seed=code) + centres[code]) for code, count in enumerate((300, 120, 50, 30))]
    frame = compare_references(made, real).set_index(["generated", "reference"])
    value = frame["value"]
    assert value["balanced", "balanced"] < value["unbalanced", "balanced"]
    assert value["balanced", "unbalanced"] > 5 * value["unbalanced", "unbalanced"]  # though every image is as real
    assert value["as drawn", "unbalanced"] < value["balanced", "unbalanced"]
    assert frame["discrepancy"]["balanced", "balanced"] == pytest.approx(0)
    assert long_tail(10)[0] / long_tail(10)[-1] == pytest.approx(10)


def test_real_digits_score_badly_against_an_unbalanced_reference():
    source = MnistConfig(colored=False)
    index = source.index()
    rows = index.filter(pc.equal(pc.bit_wise_and(index["row"], 1), 0))  # half of them, to be quick
    images = np.stack([decode_image(data, size=32) for data in source.load(rows)])[..., 0]
    features = images.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)[:, np.r_[10:54]] / 50
    digits = rows["digit"].to_numpy().astype(int)
    first = np.arange(len(digits)) % 2 == 0
    made, real = ([moments(features[half & (digits == code)]) for code in range(10)] for half in (first, ~first))
    value = compare_references(made, real).set_index(["generated", "reference"])["value"]
    assert value["balanced", "balanced"] < value["unbalanced", "balanced"]
    assert value["balanced", "unbalanced"] > 1.5 * value["unbalanced", "unbalanced"]
    groups = frechet_between_groups(made, real, tuple("0123456789")).pivot(
        index="group", columns="reference_group", values="value"
    )
    matrix = groups.to_numpy()
    assert (matrix.argmin(axis=1) == np.arange(10)).all()


def test_classes_that_a_generator_lacks_are_said():
    parts = [moments(draws(30)), FeatureMoments.zero(6)]
    frame = compare_references(parts, [moments(draws(30, seed=1))] * 2)
    assert (
        frame["note"].eq("generator lacks classes [1]").sum() == 4
    )  # it never drew the class, so "as drawn" needs none
    groups = frechet_between_groups(parts, parts, ("a", "b"))
    assert groups["value"].isna().tolist() == [False, True, True, True]
    assert groups["reference_count"].tolist() == [30, 0, 30, 0]


def test_path_lengths_of_a_linear_generator_are_exact():
    matrix = torch.randn(4, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def render(latents):
        return (latents @ matrix).reshape(-1, 3, 2, 2)

    def distance(x, y):
        return (x - y).square().flatten(1).sum(dim=1)

    start, end = torch.randn(2, 50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    steps = path_steps(render, distance, start, end).numpy()
    np.testing.assert_allclose(steps, ((end - start) @ matrix).square().sum(dim=1).numpy(), rtol=1e-6)
    found = path_length(steps, dropped=0.1)
    low, high = np.sort(steps)[[4, 45]]
    assert found.mean == pytest.approx(steps[(steps >= low) & (steps <= high)].mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moments(np.full((2, 2), np.nan)), "finite"),
        (lambda: moments(draws(1)).finish(), "2 images at least, got 1"),
        (lambda: FeatureMoments.zero(3).add(draws(5)), r"\(N, 3\)"),
        (lambda: frechet(moments(draws(5)).finish(), moments(draws(5, 3)).finish()), "one length"),
        (lambda: kernel_distance(draws(1), draws(9)), "N, M >= 2"),
        (lambda: precision_recall(draws(3), draws(9)), "more than 3"),
        (lambda: mixture([moments(draws(5))], [0.0]), "one share"),
    ],
)
def test_what_can_not_be_computed_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_inception_without_weights_says_what_to_fetch(tmp_path):
    with pytest.raises(MeasureUnavailable, match="weights-inception-2015-12-05"):
        InceptionConfig(weights=str(tmp_path / "none.pth")).build()
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not hold torch-fidelity's Inception"):
        InceptionConfig(weights=str(tmp_path / "other.pth")).build()
    (tmp_path / "bad.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="not a file of plain weights"):
        InceptionConfig(weights=str(tmp_path / "bad.pth")).build()
