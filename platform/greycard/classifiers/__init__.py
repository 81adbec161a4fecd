"""Classifiers of phenotypes and other labelled attributes. To add one: its module, one line in the table, a test."""

from typing import Annotated, Final

from pydantic import Field

from greycard.classifiers.attributes import AttributeClassifier
from greycard.classifiers.base import PredictorConfig
from greycard.classifiers.phenotype import PhenotypeClassifier, ResNetConfig

ClassifierConfig = Annotated[ResNetConfig, Field()]
CLASSIFIERS: Final = {"resnet18": ResNetConfig}

__all__ = [
    "CLASSIFIERS",
    "AttributeClassifier",
    "ClassifierConfig",
    "PhenotypeClassifier",
    "PredictorConfig",
    "ResNetConfig",
]
