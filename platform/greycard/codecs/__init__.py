"""Image codecs behind one protocol: ``config.build()`` gives a ``greycard.protocols.Codec``."""

from typing import Annotated, Final

from pydantic import Field

from greycard.codecs.gaussian_mix_attn import GaussianMixAttnConfig
from greycard.codecs.hyperprior import HyperpriorConfig
from greycard.codecs.joint import JointConfig
from greycard.codecs.jpeg import JpegConfig
from greycard.codecs.raw import RawConfig

CodecConfig = Annotated[
    RawConfig | JpegConfig | HyperpriorConfig | JointConfig | GaussianMixAttnConfig, Field(discriminator="kind")
]

CODECS: Final = {
    "raw": RawConfig,
    "jpeg": JpegConfig,
    "hyperprior": HyperpriorConfig,
    "joint": JointConfig,
    "gaussian_mix_attn": GaussianMixAttnConfig,
}

__all__ = [
    "CODECS",
    "CodecConfig",
    "GaussianMixAttnConfig",
    "HyperpriorConfig",
    "JointConfig",
    "JpegConfig",
    "RawConfig",
]
