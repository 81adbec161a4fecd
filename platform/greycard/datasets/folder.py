"""Any folder of images: flat, one subfolder per class, or split folders of class folders.

Files whose names end like an image (``pixels.EXTENSIONS``) are read, whatever is inside them; hidden files and other
names are passed over.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from greycard.datasets.pixels import EXTENSIONS
from greycard.datasets.records import PATH, DataError, Source, raise_missing, read_files, require
from greycard.schema import IMAGE_ID, SPLIT

FETCH: Final = f"A folder of images is expected ({', '.join(EXTENSIONS)})."
_DEPTH: Final = {"flat": 0, "classes": 1, "splits": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderConfig(Source):
    """Images of a folder; the id is the path inside it.

    Attributes:
        root: the folder.
        layout: ``flat`` (images at any depth, no labels), ``classes`` (``class/.../image``) or ``splits``
            (``train/class/.../image``).
        attribute: what the class folders tell.
        classes: the class folders in order; ``()`` takes those found, sorted.
        name: the data set's name in manifests and reports.
    """

    kind: Literal["folder"] = "folder"
    root: str = ""
    layout: Literal["flat", "classes", "splits"] = "classes"
    attribute: str = "label"
    classes: tuple[str, ...] = ()
    name: str = "folder"

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the one attribute, or none for a flat folder."""
        if self.layout == "flat":
            return {}
        place = _DEPTH[self.layout] - 1
        return {self.attribute: self.classes or tuple(sorted({path.parts[place] for path in self._images()}))}

    def index(self) -> pa.Table:
        """Return one row per image, sorted by path."""
        images = self._images()
        columns = {
            IMAGE_ID: [path.as_posix() for path in images],
            PATH: [str(Path(self.root) / path) for path in images],
        }
        if self.layout == "splits":
            columns[SPLIT] = [path.parts[0] for path in images]
        if self.layout != "flat":
            columns[self.attribute] = [path.parts[_DEPTH[self.layout] - 1] for path in images]
        return pa.table(columns)

    def load(self, rows: pa.Table) -> list[bytes]:
        """Read the files as they are."""
        return read_files(rows[PATH].to_pylist())

    def _images(self) -> list[Path]:
        root = Path(self.root)
        require(self.root, ["."], what=FETCH)
        images = sorted(
            path.relative_to(root)
            for path in root.rglob("*")
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
        )
        if not images:
            raise_missing(self.root, ["images"], what=FETCH)
        for path in images:
            if len(path.parts) <= _DEPTH[self.layout]:
                raise DataError(
                    f"{root / path} lies outside a class folder: layout {self.layout!r} expects "
                    f"{'/'.join(['split', 'class', 'image'][2 - _DEPTH[self.layout] :])}; move it or set another layout"
                )
        return images
