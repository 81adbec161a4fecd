"""Generators of images behind one protocol: ``config.build()`` gives a ``greycard.protocols.Generator``.

To add one: its module, its name in ``GeneratorConfig`` and in the table, a test.
"""

from typing import Final

from greycard.generators.spaces import SPACES
from greycard.generators.stylegan2.config import StyleGan2, StyleGan2Config

GeneratorConfig = StyleGan2Config
"""Any generator's config: what a recipe or ``--set`` can name where nothing but ``build()`` and ``size`` is asked."""
GENERATORS: Final = {"stylegan2": StyleGan2Config}

__all__ = ["GENERATORS", "SPACES", "GeneratorConfig", "StyleGan2", "StyleGan2Config"]
