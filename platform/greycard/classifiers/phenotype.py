"""The former name of the classifier."""

from greycard.classifiers.attributes import AttributeClassifier as PhenotypeClassifier

__all__ = ["PhenotypeClassifier"]
