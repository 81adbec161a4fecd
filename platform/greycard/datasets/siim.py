"""SIIM-ISIC 2020 melanoma images (Rotemberg et al. 2021) in their published layout: 33,126 images of 2,056 patients.

``train.csv`` (image_name, patient_id, sex, age_approx, anatom_site_general_challenge, diagnosis, benign_malignant,
target) and ``jpeg/train/{image_name}.jpg``. About 1.8 % are malignant. A patient has several images: split by identity,
unless parity with the published split by image is wanted (``splits.PUBLISHED``), which shows test patients in training.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, read_csv, recode
from greycard.datasets.records import PATH, DataError, Source, read_files, require, require_some_files
from greycard.schema import IDENTITY, IMAGE_ID

DIAGNOSES: Final = ("benign", "malignant")
SEXES: Final = ("male", "female")
FETCH: Final = (
    "Fetch the SIIM-ISIC 2020 training set (https://challenge2020.isic-archive.com or "
    "https://www.kaggle.com/c/siim-isic-melanoma-classification): train.csv and the images, unpacked as jpeg/train/."
)
_NAMES: Final = ("image_name", "patient_id", "sex", "benign_malignant", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiimConfig(Source):
    """SIIM-ISIC with diagnosis and sex; the identity is the patient. Images and rows are joined by name.

    Attributes:
        root: the folder that holds both.
        labels: the CSV, relative to ``root`` or absolute.
        images: the folder of images, relative to ``root``.
        missing: what a row without sex becomes. ``unknown``: not labelled (default). ``mode``: as the published code
            of paper 002, which fills in the most frequent value and takes all but "male" for female.
    """

    kind: Literal["siim"] = "siim"
    root: str = ""
    labels: str = "train.csv"
    images: str = "jpeg/train"
    missing: Literal["unknown", "mode"] = "unknown"

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return diagnosis and sex."""
        return {"diagnosis": DIAGNOSES, "sex": SEXES}

    def index(self) -> pa.Table:
        """Return the CSV's rows."""
        path, _ = require(self.root, [self.labels, self.images], what=FETCH)
        table = read_csv(path, _NAMES)
        files = [str(Path(self.root) / self.images / f"{name}.jpg") for name in table["image_name"]]
        require_some_files(files, root=self.root, what=FETCH)
        columns: Columns = {
            IMAGE_ID: table["image_name"],
            IDENTITY: table["patient_id"],
            PATH: list(files),
            "diagnosis": _diagnoses(path, table),
            "sex": self._sexes(path, table["sex"]),
        }
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def _sexes(self, path: Path, values: list[str | None]) -> list[str | None]:
        if self.missing == "unknown":
            return recode(path, "sex", values, {name: name for name in SEXES})
        known = Counter(value for value in values if value is not None)
        if not known:
            raise DataError(f"{path}: column 'sex': no row has a value, so siim.missing=mode has nothing to fill in")
        most = min(known, key=lambda value: (-known[value], value))
        return ["male" if (value or most) == "male" else "female" for value in values]


def _diagnoses(path: Path, table: Columns) -> list[str | None]:
    """Return the diagnosis, which the table states twice: as a word and as 0 or 1."""
    words = recode(path, "benign_malignant", table["benign_malignant"], {name: name for name in DIAGNOSES})
    codes = recode(path, "target", table["target"], dict(zip("01", DIAGNOSES, strict=True)))
    for row, (word, code) in enumerate(zip(words, codes, strict=True)):
        if word != code:
            raise DataError(
                f"{path}: row {row + 1} ({table['image_name'][row]}): benign_malignant says {word!r}, target {code!r}"
            )
    return words
