"""Classifiers of labelled attributes behind one protocol: ``config.build()`` gives a ``greycard.protocols.Classifier``.

A classifier is added by its module, its name in the union below and a test; tables, configs and jobs follow.
"""

from typing import Annotated, Final, get_args

from greycard.classifiers.attributes import AttributeClassifier
from greycard.classifiers.base import PredictorConfig
from greycard.classifiers.efficientnet import EfficientNetB1Config
from greycard.classifiers.resnet import ResNetConfig
from greycard.classifiers.resnet32 import ResNet32Config
from greycard.classifiers.slimcnn import SlimCnnConfig, SlimCnnSmallConfig
from greycard.config import BY_KIND

AnyClassifier = ResNetConfig | ResNet32Config | SlimCnnConfig | SlimCnnSmallConfig | EfficientNetB1Config

ClassifierConfig = Annotated[AnyClassifier, BY_KIND]

CLASSIFIERS: Final[dict[str, type[AnyClassifier]]] = {config().kind: config for config in get_args(AnyClassifier)}
"""The config class of each kind of classifier."""

__all__ = [
    "CLASSIFIERS",
    "AnyClassifier",
    "AttributeClassifier",
    "ClassifierConfig",
    "EfficientNetB1Config",
    "PredictorConfig",
    "ResNet32Config",
    "ResNetConfig",
    "SlimCnnConfig",
    "SlimCnnSmallConfig",
]
