"""Folders on local disks and object stores, through pyarrow's file systems: ``/a/b``, ``a/b``, ``s3://bucket/a``.

A URI may carry pyarrow's options (``s3://bucket/a?endpoint_override=...``); credentials come from the environment.
"""

import contextlib
import errno
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyarrow import fs

FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a file system.

    Attributes:
        uri: what the caller named: an absolute local path, or a URI such as ``s3://bucket/shards``.
        filesystem: the pyarrow file system that serves it.
        path: the folder's path inside that file system.
    """

    uri: str
    filesystem: fs.FileSystem
    path: str

    @classmethod
    def open(cls, uri: str | Path) -> "Folder":
        """Find the file system of a path or URI (nothing is created).

        Raises:
            ValueError: the URI's scheme is not known to pyarrow.
        """
        text = str(uri)
        if "://" not in text:
            text = str(Path(text).expanduser().absolute())
            return cls(text, fs.LocalFileSystem(), text)
        try:
            filesystem, path = fs.FileSystem.from_uri(text)
        except (ValueError, OSError) as error:
            raise ValueError(
                f"cannot open {text!r} (a local path or s3://bucket/folder is expected): {error}"
            ) from None
        base, mark, options = text.partition("?")
        return cls(base.rstrip("/") + mark + options, filesystem, path.rstrip("/"))

    def uri_of(self, name: str) -> str:
        """Return the path or URI of a file in the folder."""
        if "://" not in self.uri:
            return posixpath.join(self.uri, name)
        base, mark, options = self.uri.partition("?")
        return posixpath.join(base, name) + mark + options

    def path_of(self, name: str) -> str:
        """Return a file's path inside the file system."""
        return posixpath.join(self.path, name)

    def create(self) -> None:
        """Create the folder and its parents."""
        self.filesystem.create_dir(self.path, recursive=True)

    def names(self, *, recursive: bool = False) -> list[str]:
        """Return the names of the files in the folder, sorted; none where the folder does not exist.

        Args:
            recursive: also of subfolders, as ``data/a.parquet``.
        """
        selector = fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
        infos = self.filesystem.get_file_info(selector)
        return sorted(info.path.removeprefix(self.path).lstrip("/") for info in infos if info.is_file)

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with self.filesystem.open_input_stream(self.path_of(name)) as stream:
            return bytes(stream.read())

    def write(self, name: str, data: bytes) -> None:
        """Write a file so that readers see all of it or nothing.

        On a local disk: a temporary file in the same folder, then a rename. An object store shows an object only once
        it is complete.

        Raises:
            OSError: with the folder's name and the way out where the disk is full.
        """
        if not isinstance(self.filesystem, fs.LocalFileSystem):
            with self.filesystem.open_output_stream(self.path_of(name)) as stream:
                stream.write(data)
            return
        final = Path(self.path_of(name))
        temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(final)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            raise OSError(
                error.errno,
                f"no space left on the disk of {self.uri}. What is complete is kept: make room, or name a directory on "
                "a larger disk, and start the same command again",
            ) from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    def delete(self, name: str) -> None:
        """Delete a file."""
        self.filesystem.delete_file(self.path_of(name))
