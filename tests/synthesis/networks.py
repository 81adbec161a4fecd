"""A generator of 8-pixel images and a classifier of four classes, both with random weights, and one class rare."""

import uuid
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import torch

from greycard.audits.tables import write_table
from greycard.classifiers import ResNetConfig
from greycard.generators import StyleGan2Config
from greycard.layers.weights import save_weights
from greycard.streaming.row_checkpoint import written_ids

TASK = "kind"
CLASSES = ("one", "two", "three", "four", "never")
GENERATOR = StyleGan2Config(size=8, latent=8, styles=8, mapping=1, base=64, most=8, seed=1)
CLASSIFIER = ResNetConfig(tasks=(TASK,), classes={TASK: CLASSES}, width=4, stem="small", seed=2, compute_batch=32)


def write_models(folder):
    """Write both; the classifier's logits are centred on the generator's images, so that classes are about even."""
    network = GENERATOR.network()
    save_weights(folder / "generator", network.state_dict(), GENERATOR.description())
    generator = replace(GENERATOR, weights=str(folder / "generator"))
    seen = CLASSIFIER.network().eval()
    made = generator.build()
    images = made.generate(made.latents(torch.arange(256)))
    with torch.inference_mode():
        logits = seen(images)[TASK]
    head = seen.heads[TASK]
    with torch.no_grad():
        head.weight /= logits.std(dim=0)[:, None]
        head.bias.copy_((head.bias - logits.mean(dim=0)) / logits.std(dim=0))
        head.bias[3] -= 0.2  # rare
        head.bias[4] -= 100.0  # not there
    save_weights(folder / "classifier", seen.state_dict(), CLASSIFIER.description())
    return generator, replace(CLASSIFIER, weights=str(folder / "classifier"))


def stream_here(part, resources, ray, left, total):
    """Do a part's work in this process: what Ray Data does, without its start-up."""
    stage = part.stage.build()
    written = {image_id for ids in written_ids(part.output) for image_id in ids}
    for table in part.source.tables(part.columns):
        for first in range(0, len(table), part.rows):
            block = table.slice(first, part.rows)
            block = block.filter(pc.invert(pc.is_in(block["image_id"], pa.array(sorted(written), pa.string()))))
            if len(block):
                name = uuid.uuid4().hex
                write_table(stage(block), part.output, f"{name}-0.parquet")
                write_table(block.select(["image_id"]), part.checkpoint, f"{name}.parquet")
