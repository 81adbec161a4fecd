"""Image codecs behind one protocol: ``config.build()`` gives a ``greycard.protocols.Codec``.

A codec is added by its name in one of the two unions below; tables, configs, jobs and the command line follow from
them.
"""

from typing import Annotated, Final, get_args

from greycard.codecs.gaussian_mix_attn import GaussianMixAttnConfig
from greycard.codecs.hyperprior import HyperpriorConfig
from greycard.codecs.joint import JointConfig
from greycard.codecs.jpeg import JpegConfig
from greycard.codecs.raw import RawConfig
from greycard.config import BY_KIND

LearnedCodec = HyperpriorConfig | JointConfig | GaussianMixAttnConfig
"""Codecs that ``jobs.train`` trains."""

AnyCodec = RawConfig | JpegConfig | LearnedCodec

CodecConfig = Annotated[AnyCodec, BY_KIND]
TrainableCodec = Annotated[LearnedCodec, BY_KIND]

CODECS: Final[dict[str, type[AnyCodec]]] = {config().kind: config for config in get_args(AnyCodec)}
"""The config class of each kind of codec."""

__all__ = [
    "CODECS",
    "AnyCodec",
    "CodecConfig",
    "GaussianMixAttnConfig",
    "HyperpriorConfig",
    "JointConfig",
    "JpegConfig",
    "LearnedCodec",
    "RawConfig",
    "TrainableCodec",
]
