"""From the results of a block to its rows: one row per image, list columns aligned with its places.

A place is an operating point, or one of the samples drawn at it: (point, sample), samples running fastest.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from greycard.schema import (
    BPP_ESTIMATED,
    BPP_PAYLOAD,
    BPP_TOTAL,
    ERROR,
    FAILED,
    OK,
    POINT,
    RECONSTRUCTION,
    SAMPLE,
    STATUS,
    prediction_column,
)
from greycard.streaming.columns import list_column, prediction_lists


class PlaceResult(NamedTuple):
    """What one operating point, or one sample of it, gave for the N images that decoded.

    Attributes:
        bits: (N, 3) float64: estimated, payload, total bits per image.
        errors: "" or a reason per image.
        measures: name -> (N,) float64.
        predictions: task -> (N, S) int8.
        pngs: the encoded reconstruction, None where it failed.
    """

    bits: NDArray[np.float64]
    errors: list[str]
    measures: Mapping[str, NDArray[np.float64]]
    predictions: Mapping[str, NDArray[np.int8]]
    pngs: list[bytes | None]


class Rows(NamedTuple):
    """A block's layout.

    Attributes:
        total: how many rows it has.
        good: which of them decoded.
        decode_errors: "" or why one did not.
        points: the operating points.
        samples: how many are drawn of each image at each point.
    """

    total: int
    good: NDArray[np.intp]
    decode_errors: list[str]
    points: tuple[float, ...]
    samples: int = 1

    @property
    def places(self) -> int:
        """The length of the lists."""
        return len(self.points) * self.samples

    def columns(
        self,
        results: Sequence[PlaceResult],
        measures: Iterable[str],
        seeds: Mapping[str, int],
        pixels: int,
    ) -> dict[str, pa.Array]:
        """Return the list columns of a block: rates in bits per pixel, measures, predictions, PNG files, status."""
        errors = self._errors(results)
        failed = np.array([[bool(error) for error in row] for row in errors], bool).reshape(self._shape)
        points = np.repeat(self.points, self.samples)
        columns = {POINT: list_column(np.tile(points, self.total), self.total, pa.float64())}
        if self.samples > 1:
            drawn = np.tile(np.arange(self.samples), len(self.points) * self.total)
            columns[SAMPLE] = list_column(drawn, self.total, pa.int64())
        columns[RECONSTRUCTION] = self._pngs(results)
        for index, name in enumerate((BPP_ESTIMATED, BPP_PAYLOAD, BPP_TOTAL)):
            columns[name] = self._numbers([result.bits[:, index] / pixels for result in results], failed)
        for name in measures:
            columns[name] = self._numbers([result.measures[name] for result in results], failed)
        for task, count in seeds.items():
            columns[prediction_column(task)] = self._predictions(results, task, count, failed)
        status = np.where(failed, FAILED, OK).reshape(-1).tolist()
        columns[STATUS] = list_column(status, self.total, pa.string())
        columns[ERROR] = list_column([error for row in errors for error in row], self.total, pa.string())
        return columns

    @property
    def _shape(self) -> tuple[int, int]:
        return (self.total, self.places)

    def _errors(self, results: Sequence[PlaceResult]) -> list[list[str]]:
        errors = [[error] * self.places for error in self.decode_errors]
        for index, row in enumerate(self.good):
            errors[row] = [result.errors[index] for result in results]
        return errors

    def _numbers(self, values: Sequence[NDArray[np.float64]], failed: NDArray[np.bool_]) -> pa.Array:
        full = np.full(self._shape, np.nan)
        full[self.good] = np.stack(values, axis=1)
        full[failed] = np.nan
        return list_column(full.reshape(-1), self.total, pa.float64())

    def _predictions(
        self, results: Sequence[PlaceResult], task: str, seeds: int, failed: NDArray[np.bool_]
    ) -> pa.Array:
        full = np.full((*self._shape, seeds), -1, np.int8)
        if len(self.good):
            full[self.good] = np.stack([result.predictions[task] for result in results], axis=1)
        full[failed] = -1
        return prediction_lists(full)

    def _pngs(self, results: Sequence[PlaceResult]) -> pa.Array:
        files: list[bytes | None] = [None] * (self.total * self.places)
        for index, row in enumerate(self.good):
            for place, result in enumerate(results):
                files[row * self.places + place] = result.pngs[index]
        return list_column(files, self.total, pa.binary())
