import json

import pytest

from greycard.config import from_dict, to_dict
from jobs.bench import RECIPES, RUNS, BenchJob, numbers_of
from jobs.benchmarks import stylegan2
from jobs.benchmarks.faces import FacesBenchmarkConfig, run
from jobs.benchmarks.stylegan2 import StyleGan2BenchmarkConfig


def test_nested_numbers_are_named_by_their_path():
    result = {"benchmark": "memory", "large": {"peak_mib": 812.5, "processes": 9}, "ratio": 1.5, "absent": None}
    assert numbers_of(result) == {"large/peak_mib": 812.5, "large/processes": 9.0, "ratio": 1.5}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_are_named_by_what_they_measure(name):
    recipe = RECIPES[name]()
    assert recipe.config.kind == name
    assert name in RUNS
    assert from_dict(BenchJob, to_dict(recipe)) == recipe


def test_faces_are_counted_drawn_alone_and_encoded():
    found = run(FacesBenchmarkConfig(count=40, size=32, threads=1, warm_up=1))
    assert json.loads(json.dumps(found)) == found
    assert found["faces"] == 40
    assert found["drawing_faces_per_second"] == pytest.approx(40 / found["drawing_seconds"])
    assert found["with_png_faces_per_second"] == pytest.approx(40 / found["with_png_seconds"])
    assert 100 < found["png_bytes_per_face"] < 32 * 32 * 3 * 1.1
    assert found["target_faces_per_second"] == 1500


def test_training_steps_are_timed_with_a_share_of_r1_each_round():
    found = stylegan2.run(StyleGan2BenchmarkConfig(size=8, base=16, most=4, latent=4, batch=2, rounds=1))
    assert json.loads(json.dumps(found)) == found
    assert found["ratio_cpu"] == pytest.approx(found["ours"]["step_cpu_ms"] / found["plain"]["step_cpu_ms"])
    assert found["ours"]["images_per_second"] == pytest.approx(2e3 / found["ours"]["step_ms"])
    with pytest.raises(ValueError, match="multiple of 16"):
        StyleGan2BenchmarkConfig(steps=10)
