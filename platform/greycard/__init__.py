"""greycard measures and narrows group differences in image models, at cluster scale."""

__version__ = "0.1.0"
