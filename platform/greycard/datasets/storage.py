"""Folders on local disks and object stores, through pyarrow's file systems: ``/a/b``, ``a/b``, ``s3://bucket/a``.

pyarrow is imported when a folder is opened: models reach this module through ``tracking``, and some are run on machines
without it.

A URI may carry pyarrow's options (``s3://bucket/a?endpoint_override=...``); credentials come from the environment.
"""

import contextlib
import errno
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import fs

PARQUET: Final = ".parquet"
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
    filesystem: "fs.FileSystem"
    path: str

    @classmethod
    def open(cls, uri: str | Path) -> "Folder":
        """Find the file system of a path or URI (nothing is created).

        Raises:
            ValueError: the URI's scheme is not known to pyarrow.
        """
        from pyarrow import fs

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
        from pyarrow import fs

        selector = fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
        infos = self.filesystem.get_file_info(selector)
        return sorted(info.path.removeprefix(self.path).lstrip("/") for info in infos if info.is_file)

    def parquet_names(self, *, recursive: bool = False) -> list[str]:
        """Return the names of the Parquet files in the folder, sorted; hidden ones (``.x``, ``_x``) are left out."""
        names = (name for name in self.names(recursive=recursive) if name.endswith(PARQUET))
        return [name for name in names if not posixpath.basename(name).startswith((".", "_"))]

    @contextlib.contextmanager
    def parquet(self, name: str) -> "Iterator[pq.ParquetFile]":
        """Open a Parquet file, to read its schema, its size or a row group at a time.

        Raises:
            FileNotFoundError: there is no such file.
        """
        import pyarrow.parquet as pq

        with self.filesystem.open_input_file(self.path_of(name)) as source, pq.ParquetFile(source) as file:
            yield file

    def table(self, name: str, columns: Sequence[str] | None = None) -> "pa.Table":
        """Read a Parquet file.

        Args:
            name: of the file.
            columns: those to read; None reads all.

        Raises:
            FileNotFoundError: there is no such file.
        """
        import pyarrow.parquet as pq

        with self.filesystem.open_input_file(self.path_of(name)) as source:
            return pq.read_table(source, columns=None if columns is None else list(columns))

    def tables(self, columns: Sequence[str] | None = None) -> "Iterator[pa.Table]":
        """Yield what each Parquet file of the folder holds, in the order of their names."""
        for name in self.parquet_names():
            yield self.table(name, columns)

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
        if self.filesystem.type_name != "local":
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
