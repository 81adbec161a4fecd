"""CIFAR-10 (Krizhevsky 2009) in its published binary layout: 50,000 training and 10,000 test images of 32 x 32.

``cifar-10-batches-bin/data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``: records of one label byte and
3,072 pixel bytes (red, green, blue planes, row by row). The "python version" is pickled and is not read: unpickling
runs whatever code a file holds, and the binary version has the same images in the same order.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from greycard.datasets.pixels import encode_png
from greycard.datasets.records import PATH, DataError, Source, raise_missing, require
from greycard.schema import IMAGE_ID, SPLIT

CLASSES: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FETCH: Final = (
    "Fetch the binary version of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz), unpacked as "
    "cifar-10-batches-bin/."
)
FILES: Final = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
_FOLDER: Final = "cifar-10-batches-bin"
_PICKLED: Final = "cifar-10-batches-py"
_ONLY_PICKLED: Final = "Only the pickled python version is there, which is not opened, because unpickling runs code. "
_SIDE: Final = 32
_RECORD: Final = 1 + 3 * _SIDE * _SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Cifar10Config(Source):
    """CIFAR-10 by its binary files, in file order; ids are ``train-00000``, ``test-00000``, ...

    Attributes:
        root: the folder that holds ``cifar-10-batches-bin``, or that folder.
        parts: which of train and test to read.
    """

    kind: Literal["cifar10"] = "cifar10"
    root: str = ""
    parts: tuple[Literal["train", "test"], ...] = ("train", "test")

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the object's class."""
        return {"label": CLASSES}

    def index(self) -> pa.Table:
        """Return the labels in file order."""
        columns: dict[str, list[str | int]] = {name: [] for name in (IMAGE_ID, SPLIT, "label", PATH, "row")}
        folder = self._folder()
        for part in self.parts:
            count = 0
            for file in FILES[part]:
                labels = _labels(folder / file)
                columns[IMAGE_ID] += [f"{part}-{count + row:05d}" for row in range(len(labels))]
                columns[SPLIT] += [part] * len(labels)
                columns["label"] += [CLASSES[code] for code in labels]
                columns[PATH] += [str(folder / file)] * len(labels)
                columns["row"] += list(range(len(labels)))
                count += len(labels)
        return pa.table(columns)

    def load(self, rows: pa.Table) -> list[bytes]:
        """Take the pixels out of the files and encode them."""
        places = list(zip(rows[PATH].to_pylist(), rows["row"].to_pylist(), strict=True))
        files = {path: _records(Path(path)) for path in dict.fromkeys(path for path, _ in places)}
        planes = [files[path][row, 1:].reshape(3, _SIDE, _SIDE) for path, row in places]
        return [encode_png(np.ascontiguousarray(image.transpose(1, 2, 0))) for image in planes]

    def _folder(self) -> Path:
        (root,) = require(self.root, ["."], what=FETCH)
        folder = root / _FOLDER if (root / _FOLDER).is_dir() else root
        missing = [file for part in self.parts for file in FILES[part] if not (folder / file).is_file()]
        if missing:
            pickled = (root / _PICKLED).is_dir() or (root / "data_batch_1").is_file()
            raise_missing(self.root, missing, what=_ONLY_PICKLED + FETCH if pickled else FETCH)
        return folder


def _labels(path: Path) -> NDArray[np.uint8]:
    labels = np.array(_records(path)[:, 0])
    if labels.max() >= len(CLASSES):
        row = int(np.flatnonzero(labels >= len(CLASSES))[0])
        raise DataError(f"{path}: record {row + 1} has label {labels[row]}, expected 0..{len(CLASSES) - 1}")
    return labels


def _records(path: Path) -> NDArray[np.uint8]:
    """Map a file as (N, 3073) uint8, without reading it."""
    size = path.stat().st_size
    if size == 0 or size % _RECORD:
        raise DataError(f"{path} has {size} bytes, expected records of {_RECORD}: fetch it again")
    return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, _RECORD)
