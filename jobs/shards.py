"""Write a data set as shards: Parquet files of encoded images and labels, with a manifest beside them.

    python -m jobs.shards faces --set source.count=4000 --set directory=runs/shards/mine
    python -m jobs.shards rfw --set source.root=/data/RFW

Run again with the same configuration it changes nothing; after a kill it keeps the files that were complete.
"""

import sys
from dataclasses import dataclass, field

from greycard.datasets.celeba import CelebAConfig
from greycard.datasets.demogpairs import DemogPairsConfig
from greycard.datasets.facearg import FaceArgConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.fairface import FairFaceConfig
from greycard.datasets.folder import FolderConfig
from greycard.datasets.huggingface import HuggingFaceConfig
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.rfw import RfwConfig
from greycard.datasets.shards import Manifest, write_shards
from greycard.datasets.sources import SourceConfig
from greycard.datasets.splits import SplitConfig
from greycard.datasets.subsets import SubsetConfig
from greycard.datasets.table import TableConfig
from greycard.tracking import check_outlives
from jobs import command


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardsJob:
    """One data set to write.

    Attributes:
        source: where the images and labels come from.
        directory: a local folder or ``s3://bucket/folder``.
        split: which rows train, validate and test.
        subset: which rows are kept.
        rows_per_shard: images a file.
        row_group_rows: images a row group, the smallest part that a reader takes.
        threads: that read or draw images; 0 takes one a CPU, up to 8.
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


def faces() -> ShardsJob:
    """Drawn faces (not people): 10,000 with equal shares of the four races, split by identity."""
    return ShardsJob(source=FacesConfig(), directory="runs/shards/faces")


def faces_celeba_like() -> ShardsJob:
    """Drawn faces, unbalanced as CelebA is: 85 % Caucasian."""
    return ShardsJob(source=FacesConfig(mix="celeba_like"), directory="runs/shards/faces_celeba_like")


def faces_african_only() -> ShardsJob:
    """Drawn faces of one race, as the paper's African-only training set."""
    return ShardsJob(source=FacesConfig(mix="african_only"), directory="runs/shards/faces_african_only")


def photos() -> ShardsJob:
    """64-pixel tiles of the photographs that scikit-image and scikit-learn ship; the group is the photograph."""
    return ShardsJob(
        source=PhotosConfig(),
        directory="runs/shards/photos",
        split=SplitConfig(by="image", train=0.7, val=0.1, test=0.2),
    )


def rfw() -> ShardsJob:
    """Racial Faces in the Wild with the phenotype labels: set source.root and source.labels."""
    return ShardsJob(source=RfwConfig(), directory="runs/shards/rfw")


def celeba() -> ShardsJob:
    """CelebA, aligned crops, its own partition: set source.root."""
    return ShardsJob(source=CelebAConfig(), directory="runs/shards/celeba", split=SplitConfig(by="source"))


def fairface() -> ShardsJob:
    """FairFace, its own train and val parts: set source.root."""
    return ShardsJob(source=FairFaceConfig(), directory="runs/shards/fairface", split=SplitConfig(by="source"))


def facearg() -> ShardsJob:
    """FaceARG by a CSV manifest (path, race, gender, age): set source.root."""
    return ShardsJob(
        source=FaceArgConfig(),
        directory="runs/shards/facearg",
        split=SplitConfig(by="image", train=0.9, val=0.1, test=0.0),
    )


def demogpairs() -> ShardsJob:
    """DemogPairs, all of it for testing: set source.root."""
    return ShardsJob(
        source=DemogPairsConfig(), directory="runs/shards/demogpairs", split=SplitConfig(train=0.0, val=0.0, test=1.0)
    )


def folder() -> ShardsJob:
    """Any folder of images, with or without a folder a class: set source.root."""
    return ShardsJob(source=FolderConfig(), directory="runs/shards/folder")


def table() -> ShardsJob:
    """Any CSV or Parquet manifest: set source.path, .root, .classes and, to split by it, .identity."""
    return ShardsJob(source=TableConfig(), directory="runs/shards/table")


def huggingface() -> ShardsJob:
    """Image Parquet as the Hugging Face hub has it: set source.path."""
    return ShardsJob(source=HuggingFaceConfig(), directory="runs/shards/huggingface")


RECIPES = {
    "faces": faces,
    "faces_celeba_like": faces_celeba_like,
    "faces_african_only": faces_african_only,
    "photos": photos,
    "rfw": rfw,
    "celeba": celeba,
    "fairface": fairface,
    "facearg": facearg,
    "demogpairs": demogpairs,
    "folder": folder,
    "table": table,
    "huggingface": huggingface,
}

if __name__ == "__main__":
    sys.exit(command.main("shards", RECIPES, write, __doc__))
