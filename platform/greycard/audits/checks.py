"""What an audit checks before it starts work: the shards are those of the manifest, and the images are large enough."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from greycard.datasets.manifest import Manifest, ManifestError, ShardFile
from greycard.datasets.storage import Folder

_CHUNK: Final = 8 * 2**20
_THREADS: Final = 8


def check_shards(manifest: Manifest, split: str) -> None:
    """Check that a split's files are those that the manifest describes, byte for byte; reads each once.

    Raises:
        ManifestError: a file is not there, or holds other bytes; or there is no such split.
    """
    folder = Folder.open(manifest.uri)
    with ThreadPoolExecutor(_THREADS) as threads:
        for problem in threads.map(lambda shard: _problem(folder, shard), manifest.shards_of(split)):
            if problem:
                raise ManifestError(
                    f"{problem}. Copy it from its source again, or delete it and run the python -m jobs.shards that "
                    "wrote it: complete files are kept"
                )


def _problem(folder: Folder, shard: ShardFile) -> str:
    """Return how a file differs from its entry in the manifest, "" if it does not."""
    place = folder.uri_of(shard.name)
    digest = hashlib.sha256()
    try:
        with folder.filesystem.open_input_stream(folder.path_of(shard.name)) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return f"{place} is in the manifest, but not there"
    if digest.hexdigest() == shard.sha256:
        return ""
    return (
        f"{place} is not the file that the manifest describes: its SHA-256 is {digest.hexdigest()}, expected "
        f"{shard.sha256} ({shard.bytes:,} bytes)"
    )
