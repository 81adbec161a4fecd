"""The manifest beside a set of shards: what the data set is, its classes in fixed order, counts, and every file's hash.

``manifest.json`` is written last, so a folder with a manifest is complete. It holds no dates and no paths outside the
folder: the same config gives the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from greycard.datasets.storage import Folder
from greycard.schema import SPLITS, unknown

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1


class ManifestError(ValueError):
    """A manifest that is missing, damaged or made by something else: says which file and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One Parquet file: its name in the folder, its split, rows, bytes and the SHA-256 of its bytes."""

    name: str
    split: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder of shards holds.

    Attributes:
        uri: the folder: an absolute path or a URI (not part of the file).
        dataset: name of the data set.
        version: of the data set's rows (a renderer or an adapter changes it when it changes them).
        drawn: True for images that a program drew: not photographs, not people.
        attributes: attribute -> classes in fixed order.
        counts: split -> attribute -> class -> images; every class is there, empty ones with 0.
        unlabelled: split -> attribute -> images without that label.
        rows: split -> images.
        identities: split -> people; 0 where they are not known.
        missing: split -> rows whose image file was not there (they hold empty bytes and fail in an audit).
        made: the config that made the shards, as plain values.
        made_digest: names that config and the version.
        shards: the files, in order.
    """

    uri: str
    dataset: str
    version: str
    drawn: bool
    attributes: dict[str, tuple[str, ...]]
    counts: dict[str, dict[str, dict[str, int]]]
    unlabelled: dict[str, dict[str, int]]
    rows: dict[str, int]
    identities: dict[str, int]
    missing: dict[str, int]
    made: dict[str, Any]
    made_digest: str
    shards: tuple[ShardFile, ...]

    @classmethod
    def load(cls, uri: str | Path) -> "Manifest":
        """Read the manifest of a folder of shards.

        Args:
            uri: the folder, or the path of its ``manifest.json``; local or ``s3://``.

        Raises:
            ManifestError: there is none, or it cannot be read.
        """
        folder = Folder.open(str(uri).replace(f"/{MANIFEST}", ""))
        try:
            data = folder.read(MANIFEST)
        except (FileNotFoundError, NotADirectoryError):
            raise ManifestError(
                f"no {MANIFEST} in {folder.uri}: write shards there first (python -m jobs.shards), or wait until they "
                f"are complete; it holds {', '.join(folder.names()[:5]) or 'no files'}"
            ) from None
        return cls.from_json(data, folder.uri)

    @classmethod
    def from_json(cls, data: bytes, uri: str) -> "Manifest":
        """Build a manifest from the bytes of its file.

        Raises:
            ManifestError: not JSON, another format version, or fields that do not fit.
        """
        place = f"{uri}/{MANIFEST}"
        try:
            values = json.loads(data)
            if values.pop("format") != FORMAT:
                raise ManifestError(f"{place} has another format version than {FORMAT}; write the shards again")
            values["attributes"] = {name: tuple(classes) for name, classes in values["attributes"].items()}
            values["shards"] = tuple(ShardFile(**entry) for entry in values["shards"])
            return cls(uri=uri, **values)
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"{place} is not a manifest of shards ({type(error).__name__}: {error})") from None

    def to_json(self) -> bytes:
        """Return the bytes of the manifest file."""
        values = {"format": FORMAT} | {name: value for name, value in asdict(self).items() if name != "uri"}
        return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the data: the manifest's content, wherever the folder lies."""
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows, in fixed order."""
        return tuple(split for split in SPLITS if self.rows.get(split))

    def files(self, split: str | None = None) -> list[str]:
        """Return the paths or URIs of a split's files (or of all), in order.

        Raises:
            ManifestError: there is no such split, or it is empty.
        """
        return [Folder.open(self.uri).uri_of(shard.name) for shard in self.shards_of(split)]

    def shards_of(self, split: str | None = None) -> list[ShardFile]:
        """Return a split's file entries (or all), in order.

        Raises:
            ManifestError: there is no such split, or it is empty.
        """
        if split is not None and split not in self.splits:
            raise ManifestError(f"{self.uri}: {unknown('split', split, self.splits)}")
        return [shard for shard in self.shards if split in (None, shard.split)]

    def num_rows(self, split: str | None = None) -> int:
        """Return the images of a split (0 where there is none), or of all."""
        return sum(self.rows.values()) if split is None else self.rows.get(split, 0)


def check_attributes(manifest: Manifest, names: Iterable[str]) -> None:
    """Check that a data set has the attributes that a job is going to use.

    Raises:
        ManifestError: names an attribute that it has not, near matches and all that it has.
    """
    for name in names:
        if name not in manifest.attributes:
            raise ManifestError(f"{manifest.uri}: {unknown('attribute', name, tuple(manifest.attributes))}")


def check_classes(manifest: Manifest, classes: Mapping[str, tuple[str, ...]]) -> None:
    """Check that attributes have exactly these classes in this order, as a trained model's codes require.

    Raises:
        ManifestError: an attribute is not there or has other classes.
    """
    check_attributes(manifest, classes)
    for name, expected in classes.items():
        if manifest.attributes[name] != tuple(expected):
            raise ManifestError(
                f"{manifest.uri}: attribute {name!r} has the classes {manifest.attributes[name]}, expected "
                f"{tuple(expected)}{_mismatch(name, tuple(expected), manifest.attributes[name])}"
            )


def _mismatch(name: str, expected: tuple[str, ...], known: tuple[str, ...]) -> str:
    """Say what makes two class sets different: a class that is not there, or their order."""
    strange = [label for label in expected if label not in known]
    if strange:
        return f": {unknown(f'{name} label', strange[0], known)}"
    return ": the order differs, and a class's place is its code" if set(expected) == set(known) else ""
