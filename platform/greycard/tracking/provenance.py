"""What is logged with every run about where it came from, in the form that the store takes."""

import getpass
import hashlib
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Final

PARAM_LENGTH: Final = 6000
TAG_LENGTH: Final = 5000


def git_commit() -> str:
    """Return the commit of this package's source, ``+changes`` where files differ from it, or ``unknown``."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here.parent), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("GREYCARD_COMMIT", "unknown")


def session_tags() -> dict[str, str]:
    """Return who runs what, with which version, as tags."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    source = main.name if main is not None else Path(sys.argv[0] or "python").name
    return {
        "mlflow.user": user,
        "mlflow.source.name": source,
        "mlflow.source.type": "JOB",
        "greycard.version": version_of("greycard"),
    }


def version_of(package: str) -> str:
    """Return an installed package's version, or ``unknown``."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # run from a source tree that a job shipped
        return "unknown"


def clean_name(key: str) -> str:
    """Replace what the store does not take in a name."""
    return re.sub(r"[^\w\-. /]", "_", key)[:250]


def as_text(value: Any) -> str:
    """Return text as it is and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def shorten(text: str, length: int) -> str:
    """Cut a text that the store would refuse, so that different texts stay different."""
    if len(text) <= length:
        return text
    mark = f"… [{len(text)} characters, {text_digest(text)}]"
    return text[: length - len(mark)] + mark


def text_digest(text: str) -> str:
    """Return 16 hexadecimal digits that name a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_digest(directory: Path) -> str:
    """Return 16 hexadecimal digits that name the files of a directory."""
    state = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        state.update(f"{path.relative_to(directory)}\0{path.stat().st_size}\0".encode())
        state.update(path.read_bytes())
    return state.hexdigest()[:16]


def step_of(step: float | None) -> int:
    """Return a step as the whole number that the store takes: a fraction counts in millionths."""
    if step is None:
        return 0
    return int(step) if float(step).is_integer() else round(step * 1_000_000)
