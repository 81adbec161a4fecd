"""Every kind of data set: the union of their configs, and the table that follows from it.

Adding a data set touches three files: its adapter module, its line in the union here, and its fixture in the contract
test.
"""

from typing import Annotated, Final, get_args

from greycard.config import BY_KIND
from greycard.datasets.celeba import CelebAConfig
from greycard.datasets.cifar10 import Cifar10Config
from greycard.datasets.demogpairs import DemogPairsConfig
from greycard.datasets.drawn import DrawnFacesSource
from greycard.datasets.facearg import FaceArgConfig
from greycard.datasets.faces import FacesConfig
from greycard.datasets.fairface import FairFaceConfig
from greycard.datasets.ffhq import FfhqConfig
from greycard.datasets.folder import FolderConfig
from greycard.datasets.huggingface import HuggingFaceConfig
from greycard.datasets.mnist import MnistConfig
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.records import Source
from greycard.datasets.rfw import RfwConfig
from greycard.datasets.siim import SiimConfig
from greycard.datasets.table import TableConfig
from greycard.datasets.utkface import UtkFaceConfig

AnySource = (
    FacesConfig
    | PhotosConfig
    | MnistConfig
    | RfwConfig
    | CelebAConfig
    | FairFaceConfig
    | FaceArgConfig
    | DemogPairsConfig
    | UtkFaceConfig
    | SiimConfig
    | Cifar10Config
    | FfhqConfig
    | FolderConfig
    | TableConfig
    | HuggingFaceConfig
)

SourceConfig = Annotated[AnySource, BY_KIND]

SOURCES: Final[dict[str, type[AnySource]]] = {config().kind: config for config in get_args(AnySource)}
"""The config class of each kind of source."""


def open_source(config: AnySource | Source) -> Source:
    """Return what reads a config's data set: the config itself, except for drawn faces."""
    return DrawnFacesSource(config=config) if isinstance(config, FacesConfig) else config
