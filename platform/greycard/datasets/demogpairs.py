"""DemogPairs (Hupont and Fernandez 2019): 10,800 faces, 600 identities x 18, six folds of race and gender.

Six text files, ``Asian_Females.txt`` ... ``White_Males.txt``, with the columns ``db_code`` (the source data set) and
``image_path`` (``{identity}/{image}``), and the images in one folder per identity.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.labels import Columns, read_words
from greycard.datasets.records import PATH, DataError, Source, read_files, require, require_some_files
from greycard.schema import IDENTITY, IMAGE_ID

RACES: Final = ("Asian", "Black", "White")
GENDERS: Final = {"Females": "Female", "Males": "Male"}
FETCH: Final = (
    "Ask the authors of DemogPairs (Hupont and Fernandez 2019) for it and unpack its images and its metadata."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemogPairsConfig(Source):
    """DemogPairs with race and gender from the fold.

    Attributes:
        root: the folder that holds both.
        images: the folder that image paths start from, relative to ``root``.
        metadata: the folder of the six text files, relative to ``root``.
        ending: what follows the fold's name in a text file's name (``_Validate`` for the published subsets).
    """

    kind: Literal["demogpairs"] = "demogpairs"
    root: str = ""
    images: str = "images"
    metadata: str = "metadata"
    ending: str = ""

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return race and gender."""
        return {"race": RACES, "gender": tuple(GENDERS.values())}

    def index(self) -> pa.Table:
        """Return the rows of the six files; the identity is the image's folder."""
        folds = [(race, gender) for race in RACES for gender in GENDERS]
        names = [f"{self.metadata}/{race}_{gender}{self.ending}.txt" for race, gender in folds]
        files = require(self.root, [self.images, *names], what=FETCH)[1:]
        columns: Columns = {name: [] for name in (IMAGE_ID, IDENTITY, PATH, "race", "gender")}
        for (race, gender), file in zip(folds, files, strict=True):
            for image in read_words(file, ["db_code", "image_path"])["image_path"]:
                place = Path(image or "")
                if len(place.parts) < 2:
                    raise DataError(f"{file}: column 'image_path': expected identity/image, got {image!r}")
                columns[IMAGE_ID].append(str(place.with_suffix("")))
                columns[IDENTITY].append(str(place.parent))
                columns[PATH].append(str(Path(self.root) / self.images / place))
                columns["race"].append(race)
                columns["gender"].append(GENDERS[gender])
        require_some_files([path or "" for path in columns[PATH]], root=self.root, what=FETCH)
        return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())
