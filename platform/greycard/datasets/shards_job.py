"""One data set to write as shards, and the writing."""

from dataclasses import dataclass, field

from greycard.datasets.manifest import Manifest
from greycard.datasets.shards import write_shards
from greycard.datasets.sources import SourceConfig
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import SubsetConfig
from greycard.places import check_outlives


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardsJob:
    """One data set to write.

    Attributes:
        source: where the images and labels come from.
        directory: a local folder or ``s3://bucket/folder``.
        split: which rows train, validate and test.
        subset: which rows are kept.
        rows_per_shard: images per file.
        row_group_rows: images per row group, the smallest part that a reader takes.
        threads: that read or draw images; 0 takes one per CPU, up to 8.
        overwrite: replace shards of another configuration in the same folder.
    """

    source: SourceConfig
    directory: str
    split: SplitConfig = field(default_factory=SplitConfig)
    subset: SubsetConfig = field(default_factory=SubsetConfig)
    rows_per_shard: int = 4096
    row_group_rows: int = 256
    threads: int = 0
    overwrite: bool = False


def write(job: ShardsJob) -> Manifest:
    """Write the shards, or finish or find those that are there, and say what they hold."""
    check_outlives(job.directory)
    manifest = write_shards(
        job.source,
        job.directory,
        split=job.split,
        subset=job.subset,
        rows_per_shard=job.rows_per_shard,
        row_group_rows=job.row_group_rows,
        threads=job.threads,
        overwrite=job.overwrite,
    )
    rows = ", ".join(f"{manifest.num_rows(split):,} {split}" for split in manifest.splits)
    drawn = " (drawn, not people)" if manifest.drawn else ""
    print(f"{manifest.uri}: {manifest.dataset}{drawn}, {rows} images, digest {manifest.digest}")
    return manifest
