"""A trained model from its directory alone: what MLflow serves and a notebook calls.

``weights.pt, model.json -> the config of that family -> build() -> arrays in, arrays out``
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from greycard.classifiers import CLASSIFIERS
from greycard.codecs import CODECS
from greycard.config import ConfigError, from_dict
from greycard.generators import GENERATORS
from greycard.layers.weights import MODEL, WeightsError, read_description
from greycard.protocols import Classifier, Codec, Generator
from greycard.schema import unknown

Served = Callable[[NDArray[Any]], NDArray[np.uint8] | dict[str, NDArray[np.int64]]]
_ANY_LAMBDA = 1.0  # the weights know their λ; a file that does not say it is served all the same


def load(directory: str | Path) -> Served:
    """Return a model as a function of images, (N, 3, H, W) uint8; a generator as one of seeds, (N,) int64.

    A codec gives the restored images, (N, 3, H, W) uint8; a classifier gives task -> (N,) int64 class codes; a
    generator gives the images of the seeds, (N, 3, H, W) uint8.

    Raises:
        WeightsError: the directory describes no known model, or its weights do not fit the description.
    """
    description = read_description(Path(directory))
    kind = _kind(description)
    if kind in CODECS:
        return _restoring(codec(directory))
    if kind in CLASSIFIERS:
        return _predicting(classifier(directory))
    if kind in GENERATORS:
        return _generating(generator(directory))
    raise WeightsError(f"{Path(directory) / MODEL}: {unknown('model', kind, [*CODECS, *CLASSIFIERS, *GENERATORS])}")


def codec(directory: str | Path, *, bitstreams: bool = False) -> Codec:
    """Return the codec of a directory of weights, with its own operating points.

    Raises:
        WeightsError: the directory describes no known codec, or its weights do not fit the description.
    """
    built: Codec = _build("codec", CODECS, directory, weights=[str(directory)], bitstreams=bitstreams)
    return built


def classifier(directory: str | Path, *, compute_batch: int = 64, device: str = "cpu") -> Classifier:
    """Return the classifier of a directory of weights, whatever its kind.

    Args:
        directory: holds ``weights.pt`` and ``model.json``.
        compute_batch: images per forward pass at most.
        device: where it computes.

    Raises:
        WeightsError: the directory describes no known classifier, or its weights do not fit the description.
    """
    settings = {"weights": str(directory), "compute_batch": compute_batch, "device": device}
    built: Classifier = _build("classifier", CLASSIFIERS, directory, **settings)
    return built


def generator(directory: str | Path, *, compute_batch: int = 32, device: str = "cpu") -> Generator:
    """Return the generator of a directory of weights, with the truncation that it was trained to be used at.

    Args:
        directory: holds ``weights.pt`` and ``model.json``.
        compute_batch: images per forward pass.
        device: where it computes.

    Raises:
        WeightsError: the directory describes no known generator, or its weights do not fit the description.
    """
    settings = {"weights": str(directory), "compute_batch": compute_batch, "device": device}
    built: Generator = _build("generator", GENERATORS, directory, **settings)
    return built


def _build(what: str, table: Mapping[str, type], directory: str | Path, **settings: Any) -> Any:
    """Build the model that a directory describes, of one family's table."""
    description = read_description(Path(directory))
    kind = _kind(description)
    if kind not in table:
        raise WeightsError(f"{Path(directory) / MODEL}: {unknown(what, kind, list(table))}")
    config = table[kind]
    known = {field.name for field in fields(config)}
    values = {name: value for name, value in _renamed(description).items() if name in known}
    try:
        made: Any = from_dict(config, values | settings | {"kind": kind})
    except ConfigError as error:
        raise WeightsError(f"{Path(directory) / MODEL}: it does not describe a {kind}: {error}") from None
    return made.build()


def _kind(description: Mapping[str, Any]) -> str:
    return str(description.get("family", description.get("kind", "")))


def _renamed(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description with the fields that stand in it under another name, or not at all."""
    tasks = list(description.get("classes", ()))
    return {"tasks": tasks, "lambdas": [description.get("lambda", _ANY_LAMBDA)], **description}


def _restoring(built: Codec) -> Served:
    def restore(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        restored = built.reconstruct(torch.from_numpy(np.ascontiguousarray(images)), built.points[0])
        return restored.images.numpy()

    return restore


def _generating(built: Generator) -> Served:
    def generate(seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
        if seeds.ndim != 1 or not np.issubdtype(seeds.dtype, np.integer):
            raise ValueError(f"a generator takes seeds, (N,) whole numbers, got {seeds.shape} {seeds.dtype}")
        return built.sample(torch.from_numpy(seeds.astype(np.int64))).numpy()

    return generate


def _predicting(built: Classifier) -> Served:
    def predict(images: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
        codes = built.predict(torch.from_numpy(np.ascontiguousarray(images)))
        return {task: values.numpy() for task, values in codes.items()}

    return predict
