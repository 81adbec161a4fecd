"""Probabilities by row: an image that the predictor can not take, or that did not decode, fails alone."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from greycard.streaming.columns import DECODE_ERROR, PIXELS, pixel_column
from greycard.streaming.predicting import PredictionStage, probability_lists
from tests.audits.prediction.predictors import MARK, SIZE, PlantedConfig


def block(told, marked=(), broken=()):
    pixels = np.zeros((len(told), SIZE, SIZE, 3), np.uint8)
    pixels[..., 2] = 200 * np.array(told, np.uint8)[:, None, None]
    pixels[list(marked), 0, 0, 0] = MARK
    errors = ["no image" if row in broken else "" for row in range(len(told))]
    ids = [f"tile{row}" for row in range(len(told))]
    table = pa.table({"image_id": ids, PIXELS: pixel_column(pixels)})
    return table.append_column(DECODE_ERROR, pa.array(errors, pa.string()))


def stage(**config):
    return PredictionStage(classifier=PlantedConfig(**config), classes={"smile": 2}, size=SIZE).build()


def test_rows_keep_their_place_with_probabilities_or_a_reason():
    found = stage(sure=0.75)(block([0, 1, 1], broken=(1,)))
    assert found.column_names == ["image_id", "prob_smile", "status", "error"]
    assert found["prob_smile"].to_pylist() == [[0.75, 0.25], None, [0.25, 0.75]]
    assert found["status"].to_pylist() == ["ok", "failed", "ok"]
    assert found["error"].to_pylist() == ["", "no image", ""]
    assert found.schema.field("prob_smile").type == pa.list_(pa.float64())


@pytest.mark.parametrize(
    ("fault", "reason"), [("raise", "RuntimeError: cannot take this image"), ("nan", "non-finite probabilities")]
)
def test_an_image_that_the_predictor_can_not_take_fails_alone(fault, reason):
    found = stage(sure=0.75, fault=fault)(block([0, 1, 1, 0], marked=(2,), broken=(0,)))
    assert found["error"].to_pylist() == ["no image", "", reason, ""]
    assert found["prob_smile"].to_pylist() == [None, [0.25, 0.75], None, [0.75, 0.25]]


def test_other_shapes_than_the_class_set_are_named():
    found = stage(fault="shape")(block([0, 1]))
    assert set(found["error"].to_pylist()) == {"expected (N, 2) probabilities of smile, got (1, 1)"}


def test_blocks_without_a_good_row_and_without_rows():
    found = stage()(block([1, 0], broken=(0, 1)))
    assert found["prob_smile"].null_count == 2
    assert len(stage()(block([]))) == 0


def test_no_memory_is_the_workers_trouble_and_not_an_images():
    built = stage()

    def full(images):
        raise torch.OutOfMemoryError("no memory left")

    built.predict.classifier.probabilities = full
    with pytest.raises(torch.OutOfMemoryError):
        built(block([0]))


def test_lists_of_failed_rows_are_null():
    lists = probability_lists(np.arange(6.0).reshape(3, 2), np.array([False, True, False]))
    assert lists.to_pylist() == [[0.0, 1.0], None, [4.0, 5.0]]
