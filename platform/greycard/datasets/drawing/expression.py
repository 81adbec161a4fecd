"""What a face does at the moment: how far it smiles, how far the mouth stands open, and what that does to the eyes.

``label -> level -> mouth's curve and width, gap and teeth, cheeks' folds, eyes' narrowing``

The level of a smile is drawn per image around the middle of its class, and the classes overlap: a weak smile and a
friendly rest look alike, as they do to people who label photographs. Without the label, mouths are drawn as ever.

No rule here knows skin. Yet smiles are a little harder to see on dark skin, because lips and folds are shades of the
skin and so differ by fewer display levels, while sensor noise does not shrink: at 32 pixels and equal shares a small
network ranks smiles with an AUC of .96 on skin types 2 to 4, .94 on type 5 and .91 on type 6.
"""

from typing import Final, NamedTuple

import numpy as np

from greycard.datasets.drawing.canvas import Patch, bump, smooth
from greycard.datasets.drawing.draws import Values
from greycard.datasets.drawing.sitter import Sitter, Surface

LABEL: Final = "smile"
REST: Final = (0.16, 0.16)  # mean and deviation of the level of a face that does not smile; 0 is a straight mouth
SMILING: Final = (0.92, 0.22)  # of one that does; 1 is a broad smile


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
    opened = image.chance("mouth open", 0.08 + 0.72 * broad)
    opened = opened * (image.uniform("mouth gap", 0.012, 0.045) + broad * image.uniform("laugh", 0.03, 0.085))
    own = sitter.identity.normal("mouth curve", 0.0, 0.12)
    return Expression(3.2 * level - 0.60 + own, opened, 0.30 * broad, 0.30 * broad)


def smile_level(sitter: Sitter) -> Values:
    """Draw how far each image smiles, about -0.3..1.4, from its label: (N, 1, 1)."""
    smiling = sitter.is_class(LABEL, 1)
    rest = sitter.image.normal("smile", *REST)
    level: Values = rest + smiling * (sitter.image.normal("smile", *SMILING) - rest)
    return level


def paint_smile(patch: Patch, sitter: Sitter, surface: Surface) -> None:
    """Raise the cheeks: rounder and lighter beside the nose, darker below and outside, as the smile broadens."""
    broad = smooth(smile_level(sitter), 0.35, 0.90) * surface.face
    away, v = np.abs(surface.u), surface.v
    ball = bump(np.square((away - 0.235) / 0.11) + np.square((v - 0.185) / 0.085))
    below = bump(np.square((away - 0.265) / 0.10) + np.square((v - 0.315) / 0.085))
    patch.darken((np.float32(0.36) * below - np.float32(0.24) * ball) * broad)
