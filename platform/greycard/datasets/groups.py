"""How many images of each phenotype class Racial Faces in the Wild (RFW) holds, race by race, and named race mixes.

The counts are those of the phenotype labels that Yucer et al. ("Measuring Hidden Bias within Face Recognition via
Racial Phenotypes", WACV 2022) published for RFW (Wang et al., ICCV 2019), as "Gone With the Bits" (paper 000) uses
them: 40,607 images. They are counts of labels only; no image or person is in here.
"""

from collections.abc import Mapping
from typing import Final

from greycard.schema import PHENOTYPES, RACE, Attribute, unknown

RFW_IMAGES: Final[dict[str, int]] = {"African": 10415, "Asian": 9688, "Caucasian": 10196, "Indian": 10308}

# RFW_COUNTS[attribute][race][code]: images with that class; the codes are those of ``schema.PHENOTYPES``
RFW_COUNTS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "skin_type": {
        "African": (0, 2, 12, 312, 6034, 4055),
        "Asian": (0, 464, 5644, 3522, 55, 3),
        "Caucasian": (219, 4388, 4880, 709, 0, 0),
        "Indian": (0, 126, 2717, 7219, 246, 0),
    },
    "lip_type": {
        "African": (8181, 2234),
        "Asian": (1973, 7715),
        "Caucasian": (1389, 8807),
        "Indian": (4618, 5690),
    },
    "nose_type": {
        "African": (1661, 8754),
        "Asian": (5187, 4501),
        "Caucasian": (5776, 4420),
        "Indian": (4267, 6041),
    },
    "eye_type": {
        "African": (85, 10330),
        "Asian": (9207, 481),
        "Caucasian": (173, 10023),
        "Indian": (25, 10283),
    },
    "hair_type": {
        "African": (2320, 7751, 38, 306),
        "Asian": (493, 57, 7857, 1281),
        "Caucasian": (745, 331, 6614, 2506),
        "Indian": (834, 287, 6430, 2757),
    },
    "hair_color": {
        "African": (9864, 56, 204, 270, 21),
        "Asian": (6589, 260, 2006, 707, 126),
        "Caucasian": (2118, 2093, 4061, 1706, 218),
        "Indian": (6875, 34, 1741, 1598, 60),
    },
}

# Shares of the races among identities. ``celeba_like`` is ours: of CelebA the source says only "more than 70 % white"
# (Kärkkäinen and Joo, 2019), so the other three shares are a choice, not a measurement. ``ffhq_like``: 69 % and 4 % are
# what "Fair GANs through model rebalancing" (paper 004) cites for Caucasian and African faces of FFHQ; what is left is
# given to Asian and Indian in the ratio .1748 : .0026 that the class weights of its published code imply (its other two
# groups have no drawn counterpart).
RACE_MIXES: Final[dict[str, dict[str, float]]] = {
    "balanced": {"African": 0.25, "Asian": 0.25, "Caucasian": 0.25, "Indian": 0.25},
    "celeba_like": {"African": 0.06, "Asian": 0.06, "Caucasian": 0.85, "Indian": 0.03},
    "ffhq_like": {"African": 0.04, "Asian": 0.266, "Caucasian": 0.69, "Indian": 0.004},
    "african_only": {"African": 1.0, "Asian": 0.0, "Caucasian": 0.0, "Indian": 0.0},
}


def rfw_shares(race: str, attribute: str) -> tuple[float, ...]:
    """Return the share of each class of a phenotype within one race of RFW, in code order; they add to 1.

    Raises:
        ValueError: the race or the attribute is not known; the message lists near matches.
    """
    if attribute not in RFW_COUNTS:
        raise ValueError(unknown("phenotype", attribute, tuple(PHENOTYPES)))
    if race not in RFW_IMAGES:
        raise ValueError(unknown("race", race, RACE.classes))
    counts = RFW_COUNTS[attribute][race]
    return tuple(count / RFW_IMAGES[race] for count in counts)


def race_shares(shares: Mapping[str, float]) -> tuple[float, ...]:
    """Return race shares in ``schema.RACE`` order, made to add to 1; a race that is not named gets 0.

    Raises:
        ValueError: an unknown race, a negative or non-finite share, or nothing above 0.
    """
    return class_shares(shares, RACE)


def class_shares(shares: Mapping[str, float], attribute: Attribute) -> tuple[float, ...]:
    """Return the shares of an attribute's classes in code order, made to add to 1; a class not named gets 0.

    Raises:
        ValueError: an unknown class, a negative or non-finite share, or nothing above 0.
    """
    for label, share in shares.items():
        if label not in attribute.classes:
            raise ValueError(unknown(attribute.name, label, attribute.classes))
        if not 0.0 <= share < float("inf"):
            raise ValueError(f"the share of {label} must be a finite number of at least 0, got {share!r}")
    total = float(sum(shares.values()))
    if total <= 0.0:
        raise ValueError(f"at least one {attribute.name} needs a share above 0, got {dict(shares)!r}")
    return tuple(float(shares.get(label, 0.0)) / total for label in attribute.classes)
