"""For tests of a page's words: drawing its pictures takes most of the time."""

from contextlib import contextmanager

import numpy as np
import pytest

from greycard.datasets.pixels import encode_png

PIXEL = encode_png(np.zeros((1, 1, 3), np.uint8))


@contextmanager
def undrawn():
    """Make each picture one pixel. Of every family's page, and of its unusual ones, another test draws them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("greycard.reports.pages.to_png", lambda figure: PIXEL)
        yield
