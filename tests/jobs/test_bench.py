"""Every benchmark runs at toy size through the command that the documents name, and its numbers mean what they say."""

import json
import math

import pytest
import torch

from greycard.config import from_dict, to_dict
from greycard.tracking import check_store
from jobs import bench, command
from jobs.bench import RECIPES, BenchJob, numbers_of
from jobs.benchmarks.by_group import ByGroupConfig
from jobs.benchmarks.joint import JointBenchmarkConfig
from jobs.benchmarks.stylegan2 import StyleGan2BenchmarkConfig
from jobs.benchmarks.timing import Comparison, Seconds, in_turns, timed, torch_threads, workplace

# What a recipe is at toy size; a new recipe needs a line.
TOY = {
    "streaming": ["images=12", "size=32", "width=tiny", "actors=1", "rows_per_block=4"],
    "memory": ["small=4", "large=8", "size=32", "actors=1", "rows_per_block=4", "object_store_mb=80"],
    "joint": ["width=tiny", "num_images=4", "num_serial=2", "compute_batch=2", "threads=1"],
    "by_group": ["rows=300", "tasks=2", "resamples=40", "fairlearn_resamples=40"],
    "faces": ["count=40", "size=32", "threads=1", "warm_up=1"],
    "tune": ["trials=1", "concurrent=1", "epochs=1", "steps=2", "rounds=1"],
    "stylegan2": ["size=8", "base=16", "most=4", "latent=4", "batch=2", "rounds=1"],
    "search": [
        *("lineages=2", "serial_lineages=1", "actors=1", "rounds=1", "search.cap=4"),
        *("generator.size=8", "generator.latent=8", "generator.styles=8", "generator.base=32", "generator.most=8"),
    ],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return check_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_run_at_toy_size(name, store, tmp_path, ray_session, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    settings = [f"directory={tmp_path}", *(f"config.{setting}" for setting in TOY[name])]
    options = [part for setting in settings for part in ("--set", setting)]
    assert command.main("bench", RECIPES, bench.bench, bench.__doc__, [name, *options]) == 0
    (file,) = tmp_path.glob(f"{name}-*/result.json")
    record = json.loads(file.read_text())
    assert record["benchmark"] == name
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{name}: ")]
    compared = {what: found for what, found in record.items() if isinstance(found, dict) and "ratio" in found}
    assert len(lines) == len(compared) > 0
    for line, (what, found) in zip(lines, compared.items(), strict=True):
        ours, theirs = (value for key, value in found.items() if key not in ("unit", "ratio", "at_least", "at_most"))
        assert 0 < ours < math.inf
        assert 0 < theirs < math.inf
        assert found["ratio"] == pytest.approx(ours / theirs)  # of one round
        assert line.startswith(f"{name}: {what}: ")
        assert f"{ours:,.4g} {found['unit']}" in line
        assert f"{theirs:,.4g} {found['unit']}" in line
        assert f"ratio {found['ratio']:.3g}" in line
    check(name, record)


def check(name, record):
    """What only one of them promises."""
    if name == "by_group":
        assert record["largest_difference_of_values"] < 1e-12
        assert record["largest_difference_of_intervals"] < 0.05
        assert not record["fairlearn_extrapolated"]
    elif name == "joint":
        assert record["same_pixels"]
        assert record["same_payload_bits"]
    elif name == "faces":
        assert record["count"] == 40
        assert 100 < record["png_bytes_per_face"] < 32 * 32 * 3 * 1.1
    elif name == "streaming":
        assert record["streamed_start_up_seconds"] > 0
        assert 0 < record["streamed_seconds_before_first_block"] < record["streamed_seconds"]
    elif name == "memory":
        assert record["run of large"]["images"] == 8
        assert record["run of small"]["processes"] > 2  # Ray's own as well


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_named_by_what_they_measure(name):
    recipe = RECIPES[name]()
    assert recipe.config.kind == name
    assert from_dict(BenchJob, to_dict(recipe)) == recipe


def test_nested_numbers_are_named_by_their_path():
    result = {"benchmark": "memory", "large": {"peak_mib": 812.5, "processes": 9}, "ratio": 1.5, "absent": None}
    assert numbers_of(result) == {"large/peak_mib": 812.5, "large/processes": 9.0, "ratio": 1.5}


def test_a_scaled_peer_is_said_to_be_scaled():
    found = ByGroupConfig(rows=60, tasks=1, resamples=8, fairlearn_resamples=2).measure()
    assert found.details["fairlearn_extrapolated"]
    assert found.details["fairlearn_resamples_measured"] == 2
    assert found.details["largest_difference_of_intervals"] is None


def test_sizes_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"fairlearn_resamples must be 1\.\.1000, got 2000"):
        ByGroupConfig(fairlearn_resamples=2000)
    with pytest.raises(ValueError, match=r"num_serial must be 1\.\.256"):
        JointBenchmarkConfig(num_serial=300)
    with pytest.raises(ValueError, match="multiple of 16"):
        StyleGan2BenchmarkConfig(steps=10)


def test_sides_take_turns_and_neither_is_always_first():
    order = []
    found = in_turns({"a": lambda number: order.append("a") or number, "b": lambda _: order.append("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [0, 1, 2], "b": [None, None, None]}


def test_a_comparison_shows_both_sides_and_the_median_of_the_ratios():
    found = Comparison.of("time", "s", {"search": [2.0, 9.0, 4.0], "loop": [1.0, 3.0, 4.0]}, at_most=1.1)
    assert found.sides == {"search": 4.0, "loop": 3.0}
    assert found.ratio == 2.0  # of 2, 3 and 1, not 4 / 3
    assert found.line == "time: search 4 s, loop 3 s, ratio 2 (aim: at most 1.1)"
    assert found.record == {"unit": "s", "search": 4.0, "loop": 3.0, "ratio": 2.0, "at_most": 1.1}
    assert Comparison.of("faces", "faces/s", {"a": 1234.5, "b": 2469.0}).line == (
        "faces: a 1,234 faces/s, b 2,469 faces/s, ratio 0.5"
    )
    with pytest.raises(ValueError, match="unpack"):
        Comparison.of("time", "s", {"alone": 1.0})


def test_work_is_timed_and_threads_are_given_back():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        result, seconds = timed(torch.get_num_threads)
    assert result == before + 1
    assert seconds.clock > 0
    assert torch.get_num_threads() == before
    with torch_threads(0):
        assert torch.get_num_threads() == before
    assert Seconds(5.0, 3.0).since(Seconds(1.0, 1.0)).plus(Seconds(1.0, 0.5)) == Seconds(5.0, 2.5)


def test_a_temporary_workplace_goes_and_a_named_one_stays(tmp_path):
    with workplace("") as temporary:
        assert temporary.is_dir()
    assert not temporary.exists()
    with workplace(str(tmp_path)) as named:
        assert named == tmp_path
    assert tmp_path.is_dir()
