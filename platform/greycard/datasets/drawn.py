"""Drawn faces as a data source: labels and pixels from ``faces``, encoded as PNG. They are drawings, not people."""

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pyarrow as pa

from greycard.class_codes import encode
from greycard.config import to_dict
from greycard.datasets.faces import AGE_GROUP, FacesConfig, render_table, sample_labels
from greycard.datasets.pixels import encode_png
from greycard.datasets.records import Source
from greycard.schema import RACE

_HALF_SMILE = dict.fromkeys(RACE.classes, 0.5)
_EQUAL_AGES = dict.fromkeys(AGE_GROUP.classes, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFacesSource(Source):
    """``faces config -> sample_labels -> render -> PNG``."""

    config: FacesConfig
    kind: Literal["faces"] = "faces"
    name: str = "drawn faces"
    drawn: ClassVar[bool] = True

    @property
    def version(self) -> str:
        """Name the renderer by a few faces that it draws, so that shards of an older one are not taken for current."""
        smile, ages = self.config.smile and _HALF_SMILE, self.config.ages and _EQUAL_AGES
        sample = FacesConfig(count=8, size=32, images_per_identity=2, smile=smile, ages=ages)
        return hashlib.sha256(render_table(sample_labels(sample), sample.size).tobytes()).hexdigest()[:8]

    def stated(self) -> dict[str, Any]:
        """Return the faces' config; a target that is not asked for is left out, as before there were any."""
        values = to_dict(self.config)
        return {name: value for name, value in values.items() if name not in ("smile", "ages") or value is not None}

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Return race, the six phenotypes and the targets asked for."""
        return self.config.attributes()

    def index(self) -> pa.Table:
        """Return the sampled labels with each image's seeds."""
        return sample_labels(self.config)

    def load(self, rows: pa.Table) -> list[bytes]:
        """Draw the rows and encode them."""
        for name, classes in self.attributes().items():
            rows = rows.set_column(rows.column_names.index(name), name, encode(rows[name], classes))
        return [encode_png(image) for image in render_table(rows, self.config.size)]
