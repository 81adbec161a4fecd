"""Which images take part in an audit; every name in its config is checked against the manifest first."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from greycard.audits.configs import ImageAudit
from greycard.audits.tables import AuditError
from greycard.datasets.manifest import Manifest, ManifestError, check_attributes, check_classes
from greycard.datasets.storage import Folder
from greycard.schema import IMAGE_ID, SPLIT, unknown
from greycard.streaming.selection import Selection


@dataclass(frozen=True, slots=True)
class Images:
    """The images of an audit: how to select them in the shards, and their ids."""

    selection: Selection
    ids: tuple[str, ...]


def choose_images(config: ImageAudit, manifest: Manifest) -> Images:
    """Return which images take part; checks every name that the config uses against the manifest.

    Raises:
        ManifestError: a split, attribute or class is not there.
        AuditError: an id is there twice, or nothing is left.
    """
    check_attributes(manifest, (*config.attributes, *config.subset))
    for name, classes in config.subset.items():
        for label in classes:
            if label not in manifest.attributes[name]:
                raise ManifestError(f"audit.subset: {unknown(f'{name} label', label, manifest.attributes[name])}")
    check_classes(manifest, {task: kinds for item in config.classifiers for task, kinds in class_sets(item).items()})
    labels = _read_columns(manifest, config.split, (IMAGE_ID, SPLIT, *config.subset))
    selection = Selection(config.split, config.subset)
    if config.limit:
        selection = selection.limited(labels, config.limit)
    ids = selection.apply(labels)[IMAGE_ID].to_pylist()
    if len(set(ids)) < len(ids):
        twice = [image_id for image_id, count in Counter(ids).items() if count > 1][:5]
        raise AuditError(f"{manifest.uri} has image ids more than once: {', '.join(twice)}. Write the shards again")
    if not ids:
        raise AuditError(
            f"no image of split {config.split!r} in {manifest.uri} has {dict(config.subset)}; widen audit.subset"
        )
    return Images(selection, tuple(ids))


def class_sets(classifier: Any) -> dict[str, tuple[str, ...]]:
    """Return a classifier config's tasks with their classes."""
    known = getattr(classifier, "class_sets", {})
    return {task: known[task] for task in getattr(classifier, "tasks", ()) if task in known}


def _read_columns(manifest: Manifest, split: str, columns: tuple[str, ...]) -> pa.Table:
    folder = Folder.open(manifest.uri)
    names = list(dict.fromkeys(columns))
    return pa.concat_tables([_plain(folder.table(shard.name, names)) for shard in manifest.shards_of(split)])


def _plain(table: pa.Table) -> pa.Table:
    return pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
