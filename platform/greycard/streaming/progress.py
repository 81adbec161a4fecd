"""A progress bar over the rows that a pipeline has written for good, drawn by the driver alone."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from tqdm import tqdm

from greycard.datasets.storage import Folder
from greycard.streaming.row_checkpoint import committed_rows

_SECONDS: Final = 1.0


@contextlib.contextmanager
def progress(name: str, total: int, checkpoint: Folder, *, show: bool) -> Iterator[None]:
    """Show how many of ``total`` images have been written, from the checkpoint folder, while the block runs."""
    if not show:
        yield
        return
    counted: dict[str, int] = {}
    stop = threading.Event()
    with tqdm(total=total, desc=name, unit="image", initial=committed_rows(checkpoint, counted)) as bar:

        def follow() -> None:
            while not stop.wait(_SECONDS):
                with contextlib.suppress(OSError):  # a file that is just being renamed; the next round sees it
                    bar.update(committed_rows(checkpoint, counted) - bar.n)

        thread = threading.Thread(target=follow, name="greycard-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            bar.update(committed_rows(checkpoint, counted) - bar.n)
