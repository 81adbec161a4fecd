"""Shards: Parquet files of one row per image, and a manifest beside them.

``source -> index -> checks -> subset -> split -> row groups of encoded images -> Parquet files -> manifest.json``

Every check on names, labels and splits runs before the first image is read. Images are stored as the source has them,
also those that cannot be decoded or are missing (empty bytes), so that an audit counts them. The same config and data
give the same bytes: files that a killed run left complete are kept, and a finished folder is returned as it is.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from greycard.class_codes import encode
from greycard.config import to_dict
from greycard.datasets.loading import LoadedImages, load_images
from greycard.datasets.manifest import MANIFEST, Manifest, ManifestError, ShardFile, check_attributes, check_classes
from greycard.datasets.records import Source, checked_index
from greycard.datasets.sources import AnySource, open_source
from greycard.datasets.splits import SplitConfig, assign_splits
from greycard.datasets.storage import Folder
from greycard.datasets.subsets import SubsetConfig, balance, keep_classes, long_tail, thin
from greycard.progress import meter
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID, SPLIT, SPLITS

__all__ = [
    "LoadedImages",
    "Manifest",
    "ManifestError",
    "check_attributes",
    "check_classes",
    "load_images",
    "write_shards",
]

UNFINISHED: Final = "unfinished.json"
"""Names the config whose files lie in a folder that has no manifest yet."""

_PLAN: Final = b"greycard.plan"  # Parquet metadata: names the rows and labels that a file should hold
_SHARD_NAME: Final = re.compile(rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet")
_MAX_THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class _Part:
    """One file to write: its name, split and rows of the index."""

    name: str
    split: str
    rows: pa.Table


def write_shards(
    source: AnySource | Source,
    directory: str | Path,
    *,
    split: SplitConfig | None = None,
    subset: SubsetConfig | None = None,
    rows_per_shard: int = 4096,
    row_group_rows: int = 256,
    threads: int = 0,
    overwrite: bool = False,
    progress: bool = True,
) -> Manifest:
    """Write a data set as shards, or finish or find those that are already there.

    Args:
        source: the data set's config.
        directory: a local folder or ``s3://bucket/folder``.
        split: how rows are split; None is ``SplitConfig()``.
        subset: which rows are kept; None keeps all.
        rows_per_shard: images per file.
        row_group_rows: images per row group (the smallest part that a reader can take).
        threads: that read or draw images; 0 takes one per CPU, up to 8. The files do not depend on it.
        overwrite: replace shards of another config.
        progress: show how far it is.

    Raises:
        MissingDataError: files of the data set are not there; says what to fetch and where to put it.
        DataError: labels, ids or splits are not as stated, or a chosen group is empty.
        ManifestError: the folder holds shards of another config.
    """
    if rows_per_shard < 1 or row_group_rows < 1 or threads < 0:
        raise ValueError(
            f"rows_per_shard and row_group_rows must be 1 or more and threads 0 or more, got {rows_per_shard}, "
            f"{row_group_rows} and {threads}"
        )
    split, subset = split or SplitConfig(), subset or SubsetConfig()
    reader, folder = open_source(source), Folder.open(directory)
    made = {
        "source": reader.stated(),
        "split": to_dict(split),
        "subset": subset.stated(),
        "rows_per_shard": rows_per_shard,
        "row_group_rows": row_group_rows,
    }
    made_digest = _digest({"made": made, "version": reader.version})
    finished = _prepare(folder, made_digest, overwrite=overwrite)
    if finished:
        return finished
    attributes = reader.attributes()
    index = plan_rows(reader, split, subset)
    parts = _parts(index, rows_per_shard)
    folder.create()
    folder.write(UNFINISHED, json.dumps({"made": made, "made_digest": made_digest}).encode())
    writer = _Writer(reader, folder, attributes, row_group_rows)
    shards, missing = [], dict.fromkeys(SPLITS, 0)
    with (
        ThreadPoolExecutor(threads or min(os.cpu_count() or 1, _MAX_THREADS)) as pool,
        meter(f"shards of {reader.dataset}", index.num_rows, "image", show=progress) as shown,
    ):
        for part in parts:
            shard, empty = writer.write(part, pool)
            shards.append(shard)
            missing[part.split] += empty
            shown.advance(shard.rows)
    manifest = Manifest(
        uri=folder.uri,
        dataset=reader.dataset,
        version=reader.version,
        drawn=reader.drawn,
        attributes=attributes,
        missing=missing,
        made=made,
        made_digest=made_digest,
        shards=tuple(shards),
        **_counts(index, attributes),
    )
    folder.write(MANIFEST, manifest.to_json())
    folder.delete(UNFINISHED)
    return manifest


def plan_rows(reader: Source, split: SplitConfig, subset: SubsetConfig) -> pa.Table:
    """Return the checked index with the final ``split`` of every row, in the source's order; no image is read.

    Raises:
        DataError: see ``write_shards``.
    """
    attributes = reader.attributes()
    index = checked_index(reader.index(), attributes)
    index = keep_classes(index, attributes, subset.keep)
    splits = pa.array(assign_splits(index, split), pa.string())
    index = index.set_column(index.column_names.index(SPLIT), SPLIT, splits)
    return long_tail(balance(thin(index, attributes, subset), attributes, subset), attributes, subset)


class _Writer:
    """Writes the files of one folder."""

    def __init__(self, reader: Source, folder: Folder, attributes: dict[str, tuple[str, ...]], rows: int) -> None:
        self.reader, self.folder, self.attributes, self.row_group_rows = reader, folder, attributes, rows

    def write(self, part: _Part, pool: ThreadPoolExecutor) -> tuple[ShardFile, int]:
        """Write a file, or keep the one that is there; returns its entry and how many of its images are empty."""
        plan = self._plan(part)
        data = self._kept(part.name, plan)
        if data is None:
            data = self._encode(part, plan, pool)
            self.folder.write(part.name, data)
        images = pq.read_table(pa.BufferReader(data), columns=[IMAGE])[IMAGE]
        empty = pc.sum(pc.equal(pc.binary_length(images), 0)).as_py() or 0
        checksum = hashlib.sha256(data).hexdigest()
        shard = ShardFile(name=part.name, split=part.split, rows=part.rows.num_rows, bytes=len(data), sha256=checksum)
        return shard, empty

    def _plan(self, part: _Part) -> str:
        rows = part.rows.select([IMAGE_ID, SPLIT, IDENTITY, *self.attributes]).to_pydict()
        stated = [self.reader.dataset, self.reader.version, self.row_group_rows, self.attributes]
        return _digest([*stated, rows])

    def _kept(self, name: str, plan: str) -> bytes | None:
        """Return the bytes of a complete file that an earlier run of the same config left, if there is one."""
        try:
            data = self.folder.read(name)
            metadata = pq.read_schema(pa.BufferReader(data)).metadata or {}
        except (FileNotFoundError, pa.ArrowInvalid):
            return None
        return data if metadata.get(_PLAN) == plan.encode() else None

    def _encode(self, part: _Part, plan: str, pool: ThreadPoolExecutor) -> bytes:
        fields = [(IMAGE_ID, pa.string()), (IMAGE, pa.binary()), (SPLIT, _LABEL), (IDENTITY, pa.string())]
        fields += [(name, _LABEL) for name in self.attributes]
        shard_schema = pa.schema(fields, metadata={_PLAN: plan.encode()})
        names = [name for name, _ in fields]
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(
            sink,
            shard_schema,
            compression={name: "none" if name == IMAGE else "zstd" for name in names},
            use_dictionary=[SPLIT, IDENTITY, *self.attributes],
            write_statistics=[name for name in names if name != IMAGE],
        ) as file:
            groups = list(_slices(part.rows, self.row_group_rows))
            for rows, images in zip(groups, pool.map(self.reader.load, groups), strict=True):
                file.write_table(self._table(rows, images).cast(shard_schema), row_group_size=self.row_group_rows)
        return bytes(sink.getvalue().to_pybytes())

    def _table(self, rows: pa.Table, images: list[bytes]) -> pa.Table:
        columns = {
            IMAGE_ID: rows[IMAGE_ID],
            IMAGE: pa.array(images, pa.binary()),
            SPLIT: encode(rows[SPLIT], SPLITS),
            IDENTITY: rows[IDENTITY],
        }
        columns |= {name: encode(rows[name], classes) for name, classes in self.attributes.items()}
        return pa.table(columns)


_LABEL: Final = pa.dictionary(pa.int32(), pa.string())


def _prepare(folder: Folder, made_digest: str, *, overwrite: bool) -> Manifest | None:
    """Return the finished manifest of this config, or make sure that the folder may be written."""
    names = folder.names()
    shards = [name for name in names if _SHARD_NAME.fullmatch(name)]
    way_out = "choose another directory, or set overwrite=true to replace them"
    if MANIFEST in names:
        found = Manifest.load(folder.uri)
        if found.made_digest == made_digest and _complete(folder, found):
            return found
        if found.made_digest != made_digest and not overwrite:
            raise ManifestError(f"{folder.uri} holds shards of {found.dataset!r} made by another config; {way_out}")
        folder.delete(MANIFEST)
        same = found.made_digest == made_digest
    elif UNFINISHED in names:
        same = json.loads(folder.read(UNFINISHED)).get("made_digest") == made_digest
        if not same and not overwrite:
            raise ManifestError(f"{folder.uri} holds unfinished shards of another config; {way_out}")
    else:
        same = not shards
        if shards and not overwrite:
            raise ManifestError(f"{folder.uri} holds Parquet files ({shards[0]}, ...) without a manifest; {way_out}")
    if not same:
        for name in shards:
            folder.delete(name)
    return None


def _complete(folder: Folder, manifest: Manifest) -> bool:
    infos = folder.filesystem.get_file_info([folder.path_of(shard.name) for shard in manifest.shards])
    return all(info.is_file and info.size == shard.bytes for info, shard in zip(infos, manifest.shards, strict=True))


def _parts(index: pa.Table, rows_per_shard: int) -> list[_Part]:
    parts = []
    for split in SPLITS:
        slices = list(_slices(index.filter(pc.equal(index[SPLIT], split)), rows_per_shard))
        for number, rows in enumerate(slices):
            parts.append(_Part(f"{split}-{number:05d}-of-{len(slices):05d}.parquet", split, rows))
    return parts


def _slices(table: pa.Table, size: int) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, size):
        yield table.slice(start, size)


def _counts(index: pa.Table, attributes: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    counts: dict[str, Any] = {"counts": {}, "unlabelled": {}, "rows": {}, "identities": {}}
    for split in SPLITS:
        rows = index.filter(pc.equal(index[SPLIT], split))
        counts["rows"][split] = rows.num_rows
        counts["identities"][split] = pc.count_distinct(rows[IDENTITY]).as_py()
        counts["unlabelled"][split] = {name: rows[name].null_count for name in attributes}
        counts["counts"][split] = {}
        for name, classes in attributes.items():
            found = {item["values"]: item["counts"] for item in pc.value_counts(rows[name]).to_pylist()}
            counts["counts"][split][name] = {label: found.get(label, 0) for label in classes}
    return counts


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
