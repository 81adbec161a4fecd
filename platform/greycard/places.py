"""Where a job may leave what it makes: not in the folder that Ray unpacks a submitted job's code into.

That folder is one node's, has another name for other code, and Ray deletes it; a job that is submitted again would
find nothing of what it did. A relative path means that folder when the job runs there.
"""

import os
from pathlib import Path
from typing import Final

_UNPACKED: Final = ("runtime_resources", "working_dir_files")  # <session>/runtime_resources/working_dir_files/<package>


class DirectoryError(ValueError):
    """A directory that does not outlive the job."""


def check_outlives(directory: str | Path, name: str = "directory") -> None:
    """Check that what is written to a directory is still there when the job is started again.

    Any URI passes, and any path where the job was not submitted with its code (``ray job submit --working-dir``).

    Args:
        directory: a path or a URI.
        name: what the config calls it, for the message.

    Raises:
        DirectoryError: it lies within the unpacked code of a submitted job.
    """
    if "://" in str(directory):
        return
    here = os.path.abspath(Path(directory).expanduser())
    if not is_unpacked(Path(here)):
        return
    raise DirectoryError(
        f"{name} is {str(directory)!r}, which lies in the folder that Ray unpacked this job's code into ({Path.cwd()}) "
        f"and deletes: give a directory that outlives the job and that all nodes see, such as s3://bucket/folder or "
        f"the absolute path of a shared disk (--set {name}=...)"
    )


def is_unpacked(path: Path) -> bool:
    """Return whether a path lies within code that Ray unpacked for a submitted job."""
    return any(pair == _UNPACKED for pair in zip(path.parts, path.parts[1:], strict=False))
