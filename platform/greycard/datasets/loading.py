"""Shards into memory, for training and tests without a cluster."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from greycard.class_codes import class_codes
from greycard.datasets.manifest import Manifest, ManifestError, ShardFile, check_attributes
from greycard.datasets.pixels import ImageError, decode_image, image_bytes
from greycard.datasets.storage import Folder
from greycard.schema import IDENTITY, IMAGE, IMAGE_ID


class LoadedImages(NamedTuple):
    """A split in memory; all fields have the same N rows, in shard order.

    Attributes:
        images: (N, 3, H, W) uint8, RGB.
        labels: attribute -> (N,) int64 codes into the manifest's classes; -1 where not labelled.
        ids: image ids.
        identities: whose picture it is; None where not known.
        failed: image id -> reason, of the rows that are left out because they do not decode.
    """

    images: Tensor
    labels: dict[str, Tensor]
    ids: list[str]
    identities: list[str | None]
    failed: dict[str, str]


def load_images(
    uri: str | Path,
    split: str,
    *,
    size: int,
    resize: bool = True,
    attributes: Sequence[str] | None = None,
    max_failed: int = 0,
) -> LoadedImages:
    """Decode a whole split.

    Args:
        uri: the folder of shards.
        split: train, val or test.
        size: height and width of the images.
        resize: cut and resample images of another size (``pixels.decode_image``) instead of failing on them.
        attributes: the labels to read; None reads all.
        max_failed: images that may fail to decode; they are left out and listed in ``failed``.

    Raises:
        ManifestError: no shards there, no such split or attribute, or a file that differs from the manifest.
        ImageError: more than ``max_failed`` images do not decode; lists examples.
    """
    manifest = Manifest.load(uri)
    names = tuple(manifest.attributes if attributes is None else attributes)
    check_attributes(manifest, names)
    images = np.empty((manifest.num_rows(split), 3, size, size), dtype=np.uint8)
    tables, failed, kept = [], {}, 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for table in _tables(manifest, split, names):
            cells = table[IMAGE].to_pylist()
            rows: list[int] = []
            for row, pixels in enumerate(pool.map(lambda cell: _decode(cell, size, resize), cells)):
                if isinstance(pixels, ImageError):
                    failed[table[IMAGE_ID][row].as_py()] = str(pixels)
                else:
                    images[kept + len(rows)] = pixels.transpose(2, 0, 1)
                    rows.append(row)
            kept += len(rows)
            tables.append(table.drop_columns([IMAGE]).take(pa.array(rows, pa.int64())))
    if len(failed) > max_failed:
        examples = "; ".join(f"{name}: {reason}" for name, reason in list(failed.items())[:5])
        raise ImageError(
            f"{manifest.uri}: {len(failed)} of {len(images)} images in {split!r} do not decode, allowed are "
            f"{max_failed}; for example {examples}"
        )
    labels = pa.concat_tables(tables)
    return LoadedImages(
        images=torch.from_numpy(images[:kept]),
        labels={name: torch.from_numpy(class_codes(labels[name], manifest.attributes[name])) for name in names},
        ids=labels[IMAGE_ID].to_pylist(),
        identities=labels[IDENTITY].to_pylist(),
        failed=failed,
    )


def load_labels(manifest: Manifest, split: str, attributes: Sequence[str]) -> dict[str, Tensor]:
    """Read a split's labels alone, without its images: attribute -> (N,) int64 codes, -1 where not labelled.

    Raises:
        ManifestError: no such split or attribute, or a file that is missing.
    """
    check_attributes(manifest, attributes)
    folder = Folder.open(manifest.uri)
    codes: dict[str, list[NDArray[np.int64]]] = {name: [np.zeros(0, np.int64)] for name in attributes}
    for shard in manifest.shards_of(split):
        try:
            table = folder.table(shard.name, attributes)
        except FileNotFoundError:
            raise ManifestError(f"{folder.uri_of(shard.name)} is missing; write the shards again") from None
        for name in attributes:
            codes[name].append(class_codes(table[name], manifest.attributes[name]))
    return {name: torch.from_numpy(np.concatenate(parts)) for name, parts in codes.items()}


def read_shard(folder: Folder, shard: ShardFile, columns: Sequence[str]) -> pa.Table:
    """Read columns of one file after checking its bytes against the manifest.

    Raises:
        ManifestError: the file is missing or has changed.
    """
    try:
        data = folder.read(shard.name)
    except FileNotFoundError:
        raise ManifestError(
            f"{folder.uri_of(shard.name)} is in the manifest but missing; write the shards again"
        ) from None
    if hashlib.sha256(data).hexdigest() != shard.sha256:
        raise ManifestError(f"{folder.uri_of(shard.name)} differs from its manifest (sha256); write the shards again")
    return pq.read_table(pa.BufferReader(data), columns=list(columns))


def _tables(manifest: Manifest, split: str, names: Sequence[str]) -> Iterator[pa.Table]:
    folder = Folder.open(manifest.uri)
    for shard in manifest.shards_of(split):
        table = read_shard(folder, shard, (IMAGE_ID, IMAGE, IDENTITY, *names))
        for name in names:  # plain strings, so that files with different dictionaries concatenate
            table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
        yield table


def _decode(cell: object, size: int, resize: bool) -> NDArray[np.uint8] | ImageError:
    try:
        return decode_image(image_bytes(cell), size=size, resize=resize)
    except ImageError as error:
        return error
