"""What classifiers and predictors ask of the labels of a data set."""

from greycard.classifiers import ClassifierConfig
from greycard.datasets.manifest import Manifest, check_attributes, check_classes
from greycard.training.loop import LoopConfig
from greycard.training.objectives.class_weights import Scheme, class_weights


def check_labels(classifier: ClassifierConfig, manifest: Manifest, size: int, *loops: LoopConfig | None) -> None:
    """Check that a data set has a classifier's classes and its loops' strata, and images of a size that it takes.

    Raises:
        ManifestError: an attribute is not there, or has other classes.
        ValueError: the images are too small.
    """
    check_classes(manifest, {task: classifier.class_sets[task] for task in classifier.tasks})
    classifier.check_size(size, size)
    for loop in loops:
        check_attributes(manifest, loop.stratify if loop else ())


def label_weights(
    classifier: ClassifierConfig, manifest: Manifest, scheme: Scheme, beta: float
) -> dict[str, tuple[float, ...]]:
    """Return task -> the weight of each class, by the training split's counts; {} where all weigh the same.

    Raises:
        ValueError: a class has no image.
    """
    if scheme == "none":
        return {}
    found = {}
    for task in classifier.tasks:
        counts = [manifest.counts["train"][task][name] for name in classifier.class_sets[task]]
        found[task] = tuple(class_weights(counts, scheme, beta).tolist())
    return found
