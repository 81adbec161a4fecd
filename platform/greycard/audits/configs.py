"""What an audit is configured with: the systems, the images, and how the work is spread."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from greycard.streaming.cluster import SessionConfig
from greycard.streaming.pipeline import Resources


class ImageAudit(Protocol):
    """What audits have in common: which images, how they are decoded, where results go and how the work is spread."""

    @property
    def shards(self) -> str:
        """Folder of the shards."""
        ...

    @property
    def split(self) -> str:
        """The split to audit."""
        ...

    @property
    def subset(self) -> Mapping[str, tuple[str, ...]]:
        """Attribute -> classes that take part."""
        ...

    @property
    def limit(self) -> int:
        """The largest number of images to audit; 0 takes all."""
        ...

    @property
    def classifiers(self) -> Sequence[Any]:
        """Configs of classifiers, whose class sets must be those of the shards."""
        ...

    @property
    def attributes(self) -> Sequence[str]:
        """Attributes that the shards must have."""
        ...

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        ...

    @property
    def resize(self) -> bool:
        """Whether to resample images of another size."""
        ...

    @property
    def max_failed_share(self) -> float:
        """The share of rows that may fail before the job ends with an error."""
        ...

    @property
    def directory(self) -> str:
        """The directory that results are written to."""
        ...

    @property
    def resources(self) -> Resources:
        """How the work is spread."""
        ...

    @property
    def ray(self) -> SessionConfig:
        """How to reach Ray."""
        ...


def check_name(name: str) -> None:
    """Check a system's name, which names files.

    Raises:
        ValueError: it has characters other than letters, digits, ``-``, ``_`` and ``.``, or does not start with a
            letter or digit.
    """
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name[0] in "._":
        raise ValueError(
            f"a system's name must be letters, digits, '-', '_' and '.', and start with a letter or digit, got {name!r}"
        )


def check_common(audit: ImageAudit, names: Sequence[str]) -> None:
    """Check the values that audits have in common.

    Args:
        audit: the config.
        names: the names of its systems.

    Raises:
        ValueError: there are no systems, two of the same name, or a number out of its range.
    """
    if not names:
        raise ValueError("audit.systems must name at least one system")
    if len(set(names)) < len(names):
        raise ValueError(f"audit.systems must have different names, got {', '.join(names)}")
    if audit.size < 1 or audit.limit < 0:
        raise ValueError(f"audit.size must be at least 1 and audit.limit at least 0, got {audit.size}, {audit.limit}")
    if not 0.0 <= audit.max_failed_share <= 1.0:
        raise ValueError(f"audit.max_failed_share must be 0..1, got {audit.max_failed_share}")
