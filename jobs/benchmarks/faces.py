"""Drawn faces a second: the drawing alone, and with PNG encoding as shards keep them.

Nothing is compared here; the numbers are those of this machine, and the target is for two cores. Processor time is
given too, which other programs disturb less.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from greycard.datasets.faces import FacesConfig, draw
from greycard.datasets.pixels import encode_png


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesBenchmarkConfig:
    """What is timed.

    Attributes:
        count: faces.
        size: height and width in pixels.
        threads: that draw, and that encode.
        warm_up: faces drawn and encoded before the clock starts.
    """

    kind: Literal["faces"] = "faces"
    count: int = 4096
    size: int = 64
    threads: int = 2
    warm_up: int = 256

    def __post_init__(self) -> None:
        if min(self.count, self.threads, self.warm_up) < 1:
            raise ValueError(
                f"count, threads and warm_up must be at least 1, got {self.count}, {self.threads}, {self.warm_up}"
            )


def run(config: FacesBenchmarkConfig) -> dict[str, Any]:
    """Time the drawing, then the drawing and encoding; returns seconds, faces a second and bytes a face."""
    _encode(FacesConfig(count=config.warm_up, size=config.size), config.threads)
    faces = FacesConfig(count=config.count, size=config.size)
    start, cpu = time.perf_counter(), time.process_time()
    drawn = sum(len(batch.images) for batch in draw(faces, threads=config.threads))
    drawing, cpu = time.perf_counter() - start, time.process_time() - cpu
    start = time.perf_counter()
    size = _encode(faces, config.threads)
    encoding = time.perf_counter() - start
    return {
        "faces": drawn,
        "size": config.size,
        "threads": config.threads,
        "drawing_seconds": drawing,
        "drawing_faces_per_second": drawn / drawing,
        "drawing_cpu_ms_per_face": 1e3 * cpu / drawn,
        "with_png_seconds": encoding,
        "with_png_faces_per_second": drawn / encoding,
        "png_bytes_per_face": size / drawn,
        "target_faces_per_second": 1500.0,
    }


def _encode(faces: FacesConfig, threads: int) -> int:
    """Draw faces and encode them; returns the bytes of all files."""
    with ThreadPoolExecutor(threads) as pool:
        return sum(len(file) for batch in draw(faces, threads=threads) for file in pool.map(encode_png, batch.images))
