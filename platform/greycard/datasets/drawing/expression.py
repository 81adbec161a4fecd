"""What a face does at the moment: how far it smiles, how far the mouth stands open, and what that does to the eyes.

``label -> level -> mouth's curve and width, gap and teeth, cheeks' folds, eyes' narrowing``

The level of a smile is drawn per image around the middle of its class, and the classes overlap: a weak smile and a
friendly rest look alike, as they do to people who label photographs. Without the label, mouths are drawn as ever.
"""

from typing import Final, NamedTuple

import numpy as np

from greycard.datasets.drawing.canvas import smooth
from greycard.datasets.drawing.draws import Values
from greycard.datasets.drawing.sitter import Sitter

LABEL: Final = "smile"
REST: Final = (0.20, 0.17)  # mean and deviation of the level of a face that does not smile; 0 is a straight mouth
SMILING: Final = (0.80, 0.20)  # of one that does; 1 is a broad smile


class Expression(NamedTuple):
    """The mouth's state; every field is (N, 1, 1)."""

    curve: Values  # how far the corners of the mouth rise and part; 1 is a plain smile
    gap: Values  # distance between the lips in head units, 0 for a closed mouth
    fold: Values  # depth that is added to the folds from nose to mouth
    narrowing: Values  # logarithm by which the eyes' opening shrinks


def expression(sitter: Sitter) -> Expression:
    """Draw each image's expression."""
    image = sitter.image
    if LABEL not in sitter.codes:
        opened = image.chance("mouth open", 0.22) * image.uniform("mouth gap", 0.012, 0.05)
        none = np.zeros_like(opened)
        return Expression(image.normal("smile", 0.60, 0.50), opened, none, none)
    level = smile_level(sitter)
    broad = smooth(level, 0.35, 0.90)
    opened = image.chance("mouth open", 0.12 + 0.66 * broad) * image.uniform("mouth gap", 0.012, 0.040)
    opened = opened * (1.0 + 0.9 * broad)
    own = sitter.identity.normal("mouth curve", 0.0, 0.12)
    return Expression(2.1 * level - 0.35 + own, opened, 0.22 * broad, 0.22 * broad)


def smile_level(sitter: Sitter) -> Values:
    """Draw how far each image smiles, about -0.3..1.4, from its label: (N, 1, 1)."""
    smiling = sitter.is_class(LABEL, 1)
    rest = sitter.image.normal("smile", *REST)
    level: Values = rest + smiling * (sitter.image.normal("smile", *SMILING) - rest)
    return level
