"""The latent spaces that a generator can be asked in."""

from typing import Final, get_args

from greycard.protocols import Space
from greycard.schema import unknown

SPACES: Final[tuple[str, ...]] = get_args(Space)


def check_space(name: str) -> str:
    """Return the name of a space.

    Raises:
        ValueError: it is none.
    """
    if name not in SPACES:
        raise ValueError(unknown("latent space", name, SPACES))
    return name
