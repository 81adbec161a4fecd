"""The latent spaces that a generator can be asked in."""

from typing import Final, Literal, get_args

from greycard.schema import unknown

Space = Literal["z", "w", "w+"]
SPACES: Final[tuple[str, ...]] = get_args(Space)


def check_space(name: str) -> str:
    """Return the name of a space.

    Raises:
        ValueError: it is none.
    """
    if name not in SPACES:
        raise ValueError(unknown("latent space", name, SPACES))
    return name
