"""The batched search against a slow serial reference written straight from Algorithm 2, on a toy generator."""

from collections import deque

import numpy as np
import pytest
import torch

from greycard.latent_search.config import LatentSearchConfig, published
from greycard.latent_search.lineage import Lineage, Start
from greycard.latent_search.rejection import reject
from greycard.latent_search.search import Missing, Scales, find_starts, search
from tests.latent_search.toy import Toy

FREE = {"relative": False, "min_distance": 0.0}


def angle(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


def serial(toy, code, seed, config, near=0.0):
    """Algorithm 2 as printed, one image at a time; ξ latents, n children, with the bounds of the config."""
    found = seed
    while toy.label(toy.latents([found], "w"), "w", 1.0).codes[0] != code:
        found += 1
    start = toy.latents([found], "w").numpy()[0]
    if config.space == "z" and config.by_angle:
        start = start * np.float32(np.sqrt(len(start))) / np.linalg.norm(start)
    distance = angle if config.by_angle else lambda a, b: np.linalg.norm(np.float64(a) - np.float64(b))
    rng = np.random.default_rng([config.seed, code, seed])
    queue, out, kept, evaluated = deque([start]), [], [], 0
    while queue:
        if config.cap_counts == "accepted" and len(out) >= config.cap:
            break
        if config.max_evaluations and evaluated >= config.max_evaluations:
            break
        current = queue.popleft()
        evaluated += 1
        seen = toy.label(torch.as_tensor(current)[None], "w", config.truncation)
        if seen.codes[0] != code:
            continue
        features = seen.features[0]
        if not (near and any(np.linalg.norm(features - other) < near for other in kept)):
            out.append(current)
            kept.append(features)
        if config.cap_counts == "popped" and evaluated > config.cap:
            continue
        shape = (config.children, len(current))
        steps = (
            rng.uniform(-config.step, config.step, shape)
            if config.noise == "uniform"
            else rng.normal(0, config.step, shape)
        )
        for step in steps:
            child = (current + step).astype(np.float32)
            if config.space == "z" and config.by_angle:
                child = (child * (np.sqrt(len(child)) / np.linalg.norm(child))).astype(np.float32)
            outward = distance(child, start) > distance(current, start)
            if outward and (not config.max_queue or len(queue) < config.max_queue):
                queue.append(child)
    return np.stack(out), evaluated


CONFIGS = {
    "w": LatentSearchConfig(space="w", cap=40, **FREE),
    "z by angle": LatentSearchConfig(space="z", cap=40, step=0.8, **FREE),
    "short queue": LatentSearchConfig(space="w", cap=60, max_queue=7, **FREE),
    "few evaluations": LatentSearchConfig(space="w", cap=60, max_evaluations=33, **FREE),
    "gaussian": LatentSearchConfig(space="w", noise="gaussian", cap=30, children=5, **FREE),
    "published": published("z", cap=25, max_evaluations=400, truncation=1.0),
    "truncated": LatentSearchConfig(space="w", truncation=0.5, cap=20, max_evaluations=300, **FREE),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("batch", "lineages"), [(1, 1), (64, 5), (17, 3)])
def test_the_accepted_set_is_that_of_the_serial_algorithm(config, batch, lineages):
    toy = Toy() if config.truncation == 1.0 else Toy(offsets=(0.0,) * 4)
    rows = [(code, seed) for seed in (0, 1000, 2000) for code in range(4)]
    done = {item.start[:2]: item for item in search(rows, toy, config, batch=batch, lineages=lineages)}
    assert set(done) == set(rows)
    for code, seed in rows:
        expected, evaluated = serial(toy, code, seed, config)
        found = np.stack([item.latent for _, item in done[code, seed].results])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        assert done[code, seed].popped == evaluated


def test_duplicates_are_those_of_the_serial_algorithm():
    config = LatentSearchConfig(space="w", cap=40, step=0.3, relative=False, min_distance=0.2)
    toy = Toy()
    scales = Scales.measure(toy, config)
    assert scales.near > 0
    for lineage in search([(0, 0), (3, 500)], toy, config, batch=32):
        expected, _ = serial(toy, *lineage.start[:2], config, near=scales.near)
        np.testing.assert_allclose(np.stack([item.latent for _, item in lineage.results]), expected, rtol=1e-6)
        assert any(item.duplicate for item in lineage.accepted)


def test_lineages_move_outward_from_accepted_parents():
    config = LatentSearchConfig(space="w", cap=50, **FREE)
    (lineage,) = search([(1, 7)], Toy(), config)
    for item in lineage.accepted[1:]:
        parent = lineage.accepted[item.parent]
        assert item.depth == parent.depth + 1
        assert item.distance > parent.distance
    assert lineage.accepted[0].parent == -1
    assert lineage.accepted[0].distance == 0.0


def test_z_stays_on_its_sphere():
    config = LatentSearchConfig(space="z", cap=20, **FREE)
    (lineage,) = search([(1, 7)], Toy(), config)
    norms = [np.linalg.norm(item.latent) for item in lineage.accepted]
    np.testing.assert_allclose(norms, np.sqrt(8), rtol=1e-5)


def test_a_full_queue_counts_what_it_leaves_out():
    config = LatentSearchConfig(space="w", cap=60, max_queue=5, **FREE)
    (lineage,) = search([(0, 0)], Toy(), config)
    assert lineage.dropped > 0


def test_steps_follow_the_deviation_of_w():
    toy = Toy()
    scales = Scales.measure(toy, LatentSearchConfig(space="w", min_distance=0.0))
    np.testing.assert_allclose(scales.steps, np.ones(8), atol=0.12)  # the toy's w is N(0, 1)
    flat = Scales.measure(toy, LatentSearchConfig(space="w", **FREE))
    assert flat.steps == 1.0
    assert flat.near == 0.0


def test_a_class_that_is_not_there_is_reported():
    config = LatentSearchConfig(space="w", start_budget=50, cap=5, **FREE)
    ended = list(search([(0, 0), (9, 100)], Toy(), config, batch=16))
    assert Missing(9, 100, 50) in ended
    assert sum(isinstance(item, Lineage) for item in ended) == 1


def test_the_start_is_the_first_seed_of_the_class():
    toy = Toy()
    codes = toy.label(toy.latents(range(300), "w"), "w", 1.0).codes
    config = LatentSearchConfig(space="w", **FREE)
    ((start, latent),) = find_starts([(3, 40)], toy, config, batch=8)
    expected = 40 + int(np.flatnonzero(codes[40:] == 3)[0])
    assert start == Start(3, 40, expected)
    np.testing.assert_array_equal(latent, toy.latents([expected], "w").numpy()[0])


def test_batches_are_full_while_there_is_work():
    toy = Toy()
    config = LatentSearchConfig(space="w", cap=100, start_budget=500, **FREE)
    list(search([(code % 3, 100 * code) for code in range(12)], toy, config, batch=64, lineages=12))
    assert max(toy.evaluated) <= 64
    assert np.mean(sorted(toy.evaluated)[len(toy.evaluated) // 4 :]) > 40


def test_rejection_takes_the_seeds_of_the_class_in_order():
    toy = Toy()
    codes = toy.label(toy.latents(range(1000), "w"), "w", 1.0).codes
    config = LatentSearchConfig(space="w", cap=10, start_budget=400, **FREE)
    for batch in (1, 64):
        common, rare = reject([(0, 0), (3, 500)], toy, config, batch=batch)
        expected = toy.latents(np.flatnonzero(codes == 0)[:10], "w").numpy()
        np.testing.assert_array_equal(np.stack([item.latent for _, item in common.results]), expected)
        assert len(rare.accepted) == min(10, int((codes[500:900] == 3).sum()))
        assert common.popped == int(np.flatnonzero(codes == 0)[9]) + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 0.0}, "search.step must be above 0"),
        ({"space": "x"}, "unknown latent space 'x'"),
        ({"truncation": 2.0}, r"in \[0, 1\]"),
        ({"cap_counts": "popped", "cap": 100, "max_evaluations": 50}, "ends every lineage before"),
    ],
)
def test_impossible_searches_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        LatentSearchConfig(**changes)
