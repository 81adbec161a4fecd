"""UTKFace (Zhang, Song and Qi 2017) in its published layout: over 23,000 faces labelled in their file names.

``UTKFace/{age}_{gender}_{race}_{timestamp}.jpg.chip.jpg`` (aligned crops, 200 x 200); gender 0 male, 1 female; race 0
White, 1 Black, 2 Asian, 3 Indian, 4 Others. Three of the published names lack a field; such files are left out and
``skipped`` lists them, so that no field is read in another's place. There are no identities.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import pyarrow as pa

from greycard.datasets.labels import Columns
from greycard.datasets.records import PATH, DataError, Source, raise_missing, read_files, require
from greycard.schema import IMAGE_ID, examples

AGE_GROUPS: Final = ("0-30", "31-60", "61+")
GENDERS: Final = ("male", "female")
RACES: Final = ("White", "Black", "Asian", "Indian", "Others")
FETCH: Final = (
    "Fetch UTKFace (https://susanqq.github.io/UTKFace/), the aligned and cropped faces, and unpack UTKFace.tar.gz."
)
_ENDING: Final = ".jpg"
_MAX_AGE: Final = 130
_log = logging.getLogger(__name__)


class _Face(NamedTuple):
    file: str
    age: int
    gender: int
    race: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UtkFaceConfig(Source):
    """UTKFace with age group, gender and race in the codes of the file names; one split comes from ``SplitConfig``.

    Attributes:
        root: the folder that holds the images, or a folder ``UTKFace`` with them.
    """

    kind: Literal["utkface"] = "utkface"
    root: str = ""

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return age group (up to 30, 31 to 60, from 61), gender and race."""
        return {"age_group": AGE_GROUPS, "gender": GENDERS, "race": RACES}

    def index(self) -> pa.Table:
        """Return one row per image whose name has all fields, sorted by name (the order of the published split)."""
        folder, faces, skipped = self._faces()
        if skipped:
            _log.warning("UTKFace: %d files whose names lack a field are left out: %s", len(skipped), examples(skipped))
        columns: Columns = {
            IMAGE_ID: [face.file.partition(".")[0] for face in faces],
            PATH: [str(folder / face.file) for face in faces],
            "age_group": [age_group(face.age) for face in faces],
            "gender": [GENDERS[face.gender] for face in faces],
            "race": [RACES[face.race] for face in faces],
        }
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def skipped(self) -> list[str]:
        """Return the image files that are left out because their names lack a field or hold another code."""
        return self._faces()[2]

    def _faces(self) -> tuple[Path, list[_Face], list[str]]:
        (folder,) = require(self.root, ["."], what=FETCH)
        folder = folder / "UTKFace" if (folder / "UTKFace").is_dir() else folder
        files = sorted(path.name for path in folder.iterdir() if path.suffix == _ENDING and path.name[0] != ".")
        if not files:
            raise_missing(self.root, ["images (*.jpg.chip.jpg)"], what=FETCH)
        parsed = [(file, _parse(file)) for file in files]
        faces = [face for _, face in parsed if face is not None]
        skipped = [file for file, face in parsed if face is None]
        if not faces:
            raise DataError(
                f"{folder}: no name has the form age_gender_race_timestamp.jpg.chip.jpg, for example {files[0]!r}"
            )
        return folder, faces, skipped


def age_group(age: int) -> str:
    """Return the age group of paper 002: up to 30, 31 to 60, from 61."""
    return AGE_GROUPS[0] if age <= 30 else AGE_GROUPS[1] if age <= 60 else AGE_GROUPS[2]


def _parse(file: str) -> _Face | None:
    """Return a file's labels, or None where its name lacks one or holds a code that was not published."""
    fields = file.partition(".")[0].split("_")
    if len(fields) != 4 or not all(field.isdecimal() for field in fields):
        return None
    age, gender, race = map(int, fields[:3])
    if age > _MAX_AGE or gender >= len(GENDERS) or race >= len(RACES):
        return None
    return _Face(file, age, gender, race)
