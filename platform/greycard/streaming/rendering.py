"""What a synthesis's second actors do: ``latents -> generator -> images as PNG``, seen once more by the classifier.

A latent whose image is no longer of its class (other hardware rounds otherwise) keeps its row, as failed.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch

from greycard.datasets.pixels import encode_png
from greycard.protocols import Space
from greycard.schema import ERROR, FAILED, IMAGE, OK, STATUS
from greycard.streaming.generating import GeneratorBuilder
from greycard.streaming.restoring import to_array
from greycard.streaming.searching import CODE, labeller_of

LATENT: Final = "latent"  # large_binary: float32 bytes
FEATURES: Final = "features"  # list<float32>: what the searching classifier sees in the image


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderStage:
    """What the actors that make images do, as a config: small, and built once in each actor.

    Attributes:
        generator: builds the generator.
        classifier: builds the classifier that the latents were found with.
        task: the attribute whose classes they are of.
        space: the space of the latents.
        truncation: ψ that the images are made with.
        threads: torch threads per actor.
        gpu: run on a GPU if the actor sees one.
    """

    generator: GeneratorBuilder
    classifier: Any
    task: str
    space: Space
    truncation: float
    threads: int = 1
    gpu: bool = False

    def build(self) -> "Render":
        """Return the stage with its models loaded."""
        return Render(self)


class Render:
    """Rows of latents to rows of images: the columns image, features, status and error in place of the latent."""

    def __init__(self, config: RenderStage) -> None:
        self.config = config
        self.labeller = labeller_of(
            config.generator, config.classifier, config.task, threads=config.threads, gpu=config.gpu
        )

    def __call__(self, table: pa.Table) -> pa.Table:
        """Make the images of a block of rows."""
        config = self.config
        shape = self.labeller.generator.shape(config.space)
        packed = [np.frombuffer(value, np.float32).reshape(shape) for value in table[LATENT].to_pylist()]
        latents = torch.from_numpy(np.stack(packed)) if packed else torch.empty(0, *shape)
        images = self.labeller.images(latents, config.space, config.truncation)
        seen = self.labeller.see(images)
        codes = table[CODE].to_pylist()
        errors = [
            "" if code == now else f"found as class {code}, seen as class {now} now"
            for code, now in zip(codes, seen.codes.tolist(), strict=True)
        ]
        pngs = [encode_png(image) for image in to_array(images)]
        kept = table.drop_columns([LATENT])
        kept = kept.append_column(IMAGE, pa.array(pngs, pa.binary()))
        kept = kept.append_column(FEATURES, pa.array(list(seen.features), pa.list_(pa.float32())))
        kept = kept.append_column(STATUS, pa.array([FAILED if error else OK for error in errors], pa.string()))
        return kept.append_column(ERROR, pa.array(errors, pa.string()))
