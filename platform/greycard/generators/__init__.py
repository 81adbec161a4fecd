"""Generators of images. To add one: its module, one line in the table, a test."""

from typing import Annotated, Final

from pydantic import Field

from greycard.generators.spaces import SPACES
from greycard.generators.stylegan2.config import StyleGan2, StyleGan2Config

GeneratorConfig = Annotated[StyleGan2Config, Field()]
GENERATORS: Final = {"stylegan2": StyleGan2Config}

__all__ = ["GENERATORS", "SPACES", "GeneratorConfig", "StyleGan2", "StyleGan2Config"]
