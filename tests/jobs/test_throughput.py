import math
import time

import pytest
import torch

from greycard.classifiers import ResNet32Config
from greycard.generators import StyleGan2Config
from jobs.benchmarks import throughput
from jobs.benchmarks.throughput import HEADINGS, Enough, Model, Row, Speed, Stopwatch, measure

CLASSIFIER = ResNet32Config(tasks=("skin_type",), width=1)
GENERATOR = StyleGan2Config.preset("tiny", size=8, base=16, most=2, latent=4, styles=4, mapping=1)
TOY = (
    throughput.predicting(CLASSIFIER, 16, 2),
    throughput.learning(CLASSIFIER, 16, 2),
    throughput.drawing("tiny", GENERATOR, 2),
    throughput.competing("tiny", GENERATOR, 2),
    throughput.measuring(16, 2),
)


@pytest.mark.parametrize("model", TOY, ids=lambda model: model.name)
def test_every_kind_of_model_is_timed(model):
    speed = measure(model, 0.0, "cpu")
    assert 0 < speed.images_per_second < math.inf
    assert math.isnan(speed.peak_mib)


def test_bfloat16_is_timed_where_it_is_offered():
    assert [model.half for model in TOY] == [False, True, False, False, False]
    assert measure(TOY[1], 0.0, "cpu", "bfloat16").images_per_second > 0


def test_the_first_lap_warms_up_and_the_last_ends_after_the_time(monkeypatch):
    clock = iter([5.0, 6.0, 7.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    watch = Stopwatch(2.0)
    watch.lap("of a report", 1)
    watch.lap()
    with pytest.raises(Enough):
        watch.lap()
    assert watch.laps_per_second == pytest.approx(2 / 2.5)


def test_a_row_has_a_ratio_and_leaves_out_what_was_not_measured():
    model = Model(name="m", size=32, batch=8, images=8, work=lambda *_: pytest.fail("not timed here"))
    row = Row(model, Speed(12.5), Speed(25000.0, 812.3), Speed(math.nan))
    assert row.cells == ("m", "32", "8", "12.5", "25,000", "2,000", "", "812", "")
    assert Row(model, Speed(0.25)).cells == ("m", "32", "8", "0.25", "", "", "", "", "")


def test_the_table_has_a_line_per_model(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(throughput, "models", lambda batch: TOY[:batch])
    throughput.main(["--seconds", "0", "--batch", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert "no GPU" in lines[0]
    assert lines[1].split("  ")[0] == HEADINGS[0]
    assert [row.split(",")[0] for row in lines[2:4]] == ["resnet32", "resnet32"]
    assert len({len(row) for row in lines[2:4]}) == 1


def test_the_table_shows_networks_of_full_width():
    names = [model.name for model in throughput.models(64)]
    assert len(names) == len(set(names)) >= 9
    assert {model.batch for model in throughput.models(64)} == {64, 8}
