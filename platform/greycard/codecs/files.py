"""Encode, decode and verify image files and folders; each file has a status, and a bad one does not stop the others."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from greycard.codecs.verify import verify
from greycard.datasets.pixels import EXTENSIONS, decode_image, encode_png
from greycard.progress import meter
from greycard.protocols import Codec
from greycard.schema import FAILED, OK

EXTENSION: Final = ".gcard"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatus:
    """What became of one file.

    Attributes:
        source: the file that was read.
        target: the file that was written; None where nothing was.
        status: OK or FAILED.
        error: why it failed, "" otherwise.
        detail: what to tell a person: size and rate, or the result of a verification.
    """

    source: Path
    target: Path | None
    status: str
    error: str = ""
    detail: str = ""


_Task = tuple[Path, Path]


def encode_path(
    codec: Codec, source: str | Path, target: str | Path, point: float, *, progress: bool = True
) -> list[FileStatus]:
    """Encode an image, or every image below a folder, into ``.gcard`` files.

    Args:
        codec: any codec.
        source: an image file, or a folder.
        target: the file to write for a file, the folder to write for a folder (same names below it).
        point: one of the codec's points.
        progress: show a progress bar.

    Raises:
        FileNotFoundError: ``source`` does not exist, or is a folder without images.
    """

    def encode(path: Path, to: Path) -> str:
        pixels = torch.from_numpy(decode_image(path.read_bytes())).permute(2, 0, 1).contiguous()
        data = codec.encode(pixels, point)
        _write(to, data)
        height, width = pixels.shape[1:]
        return f"{width}x{height}, {len(data)} bytes, {8 * len(data) / (height * width):.4f} bits per pixel"

    return list(_each(_tasks(source, target, EXTENSIONS, EXTENSION), encode, progress, "encode"))


def decode_path(codec: Codec, source: str | Path, target: str | Path, *, progress: bool = True) -> list[FileStatus]:
    """Decode a ``.gcard`` file, or every one below a folder, into PNG files.

    Raises:
        FileNotFoundError: ``source`` does not exist, or is a folder without ``.gcard`` files.
    """

    def decode(path: Path, to: Path) -> str:
        pixels = codec.decode(path.read_bytes())
        _write(to, encode_png(pixels.permute(1, 2, 0).contiguous().numpy()))
        return f"{pixels.shape[2]}x{pixels.shape[1]}"

    return list(_each(_tasks(source, target, (EXTENSION,), ".png"), decode, progress, "decode"))


def verify_path(codec: Codec, source: str | Path, point: float, *, progress: bool = True) -> list[FileStatus]:
    """Say of an image, or of every image below a folder, whether its file decodes to the pixels that are scored.

    A difference is a failure of that file.

    Raises:
        FileNotFoundError: ``source`` does not exist, or is a folder without images.
    """

    def check(path: Path, _: Path) -> str:
        pixels = torch.from_numpy(decode_image(path.read_bytes())).permute(2, 0, 1).contiguous()
        result = verify(codec, pixels, point)
        if not result.equal:
            raise ValueError(str(result))
        return str(result)

    tasks = _tasks(source, source, EXTENSIONS, "")
    return [
        FileStatus(source=item.source, target=None, status=item.status, error=item.error, detail=item.detail)
        for item in _each(tasks, check, progress, "verify")
    ]


def _each(tasks: list[_Task], work: Callable[[Path, Path], str], progress: bool, name: str) -> Iterator[FileStatus]:
    with meter(name, len(tasks), "file", show=progress) as shown:
        for source, target in tasks:
            try:
                detail = work(source, target)
            except (ValueError, OSError) as error:  # damaged, foreign, unreadable or unwritable: this file's status
                yield FileStatus(source=source, target=None, status=FAILED, error=str(error))
            else:
                yield FileStatus(source=source, target=target, status=OK, detail=detail)
            shown.advance()


def _tasks(source: str | Path, target: str | Path, extensions: tuple[str, ...], new: str) -> list[_Task]:
    """Pair every file to read with the file to write; names that would collide keep their old extension."""
    start, end = Path(source), Path(target)
    if start.is_file():
        return [(start, end / f"{start.stem}{new}" if end.is_dir() else end)]
    if not start.is_dir():
        raise FileNotFoundError(f"{start}: no such file or folder")
    files = sorted(path for path in start.rglob("*") if path.is_file() and path.suffix.lower() in extensions)
    if not files:
        raise FileNotFoundError(f"{start}: no files named {', '.join('*' + extension for extension in extensions)}")
    names = [path.relative_to(start).with_suffix(new) for path in files]
    uses = Counter(names)
    return [
        (path, end / (name if uses[name] == 1 else path.relative_to(start).with_name(path.name + new)))
        for path, name in zip(files, names, strict=True)
    ]


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
