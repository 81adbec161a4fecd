"""Faces drawn per second: with PNG encoding, as shards keep them, against the drawing alone.

The numbers are those of this machine, and the target (of the drawing alone) is for two cores. Processor time is given
too, which other programs disturb less.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from greycard.datasets.faces import FacesConfig, draw
from greycard.datasets.pixels import encode_png
from jobs.benchmarks.timing import Comparison, Measured, timed


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

    def measure(self) -> Measured:
        """Time the drawing alone, then the drawing and encoding."""
        _encode(FacesConfig(count=self.warm_up, size=self.size), self.threads)
        faces = FacesConfig(count=self.count, size=self.size)
        drawn, alone = timed(lambda: sum(len(batch.images) for batch in draw(faces, threads=self.threads)))
        size, both = timed(lambda: _encode(faces, self.threads))
        rates = {"with PNG files": drawn / both.clock, "drawn only": drawn / alone.clock}
        return Measured(
            (Comparison.of("faces", "faces/s", rates),),
            {
                "count": drawn,
                "drawing_cpu_ms_per_face": 1e3 * alone.processor / drawn,
                "png_bytes_per_face": size / drawn,
                "target_faces_per_second": 1500.0,
            },
        )


def _encode(faces: FacesConfig, threads: int) -> int:
    """Draw faces and encode them; returns the bytes of all files."""
    with ThreadPoolExecutor(threads) as pool:
        return sum(len(file) for batch in draw(faces, threads=threads) for file in pool.map(encode_png, batch.images))
