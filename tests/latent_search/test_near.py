import numpy as np
from scipy.spatial.distance import cdist

from greycard.latent_search.near import nearness


def test_gaps_and_repeats_are_those_of_all_pairs():
    features = np.random.default_rng(0).normal(size=(1100, 5)).astype(np.float32)
    features[700] = features[3] + 1e-4
    distances = cdist(features.astype(np.float64), features.astype(np.float64))
    np.fill_diagonal(distances, np.inf)
    found = nearness(features, 0.2)
    np.testing.assert_allclose(found.gaps, distances.min(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.repeats, (np.tril(distances < 0.2, -1)).any(axis=1))
    assert found.repeats[700]
    assert not found.repeats[3] or (distances[3, :3] < 0.2).any()


def test_one_image_and_none():
    assert nearness(np.zeros((1, 2), np.float32), 1.0).gaps.tolist() == [np.inf]
    assert nearness(np.zeros((0, 2), np.float32), 1.0).repeats.tolist() == []
