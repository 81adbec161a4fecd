"""How far a pipeline is: the rows that it has written for good, counted by the driver alone."""

import contextlib
from collections.abc import Iterator

from greycard.datasets.storage import Folder
from greycard.progress import meter
from greycard.streaming.row_checkpoint import committed_rows


@contextlib.contextmanager
def progress(name: str, total: int, unit: str, checkpoint: Folder, *, show: bool) -> Iterator[None]:
    """Show how many of ``total`` rows have been written, from the checkpoint folder, while the block runs."""
    counted: dict[str, int] = {}
    done = committed_rows(checkpoint, counted) if show else 0
    with meter(name, total, unit, done=done, show=show, measure=lambda: committed_rows(checkpoint, counted)):
        yield
