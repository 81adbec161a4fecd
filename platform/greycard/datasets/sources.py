"""Every kind of data set: one literal table and the union of its configs.

Adding a data set touches three files: its adapter module, its line in the table (and its name in the union) here, and
one test.
"""

from typing import Annotated, Final

from pydantic import Field

from greycard.datasets.drawn import DrawnFacesSource
from greycard.datasets.faces import FacesConfig
from greycard.datasets.photos import PhotosConfig
from greycard.datasets.records import Source

SOURCES: Final[dict[str, type]] = {
    "faces": FacesConfig,
    "photos": PhotosConfig,
}
"""Kind -> config."""

AnySource = FacesConfig | PhotosConfig

SourceConfig = Annotated[AnySource, Field(discriminator="kind")]


def open_source(config: AnySource | Source) -> Source:
    """Return what reads a config's data set: the config itself, except for drawn faces."""
    return DrawnFacesSource(config=config) if isinstance(config, FacesConfig) else config
