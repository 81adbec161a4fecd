"""Where a report is made, the recipe beside it, and how it is copied to a job's folder that is not on this disk."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from greycard.config import to_yaml
from greycard.datasets.storage import Folder


def report_folder(directory: str) -> Path:
    """Return where the report is made: in the audit's folder, or in one here that is named after its URI."""
    if "://" not in directory:
        return Path(directory) / "report"
    return Path("runs/audits") / hashlib.sha256(directory.encode()).hexdigest()[:16] / "report"


def write_recipe(job: Any, directory: str) -> Path:
    """Write an audit's job beside its report, as YAML that ``python -m jobs.audit`` takes; returns where."""
    path = report_folder(directory).parent / "audit.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_yaml(job), encoding="utf-8")
    return path


def publish(page: Path, folder: Folder) -> str:
    """Copy a report that was made elsewhere into the audit's folder; returns where its page is."""
    if "://" not in folder.uri:
        return str(page)
    for file in sorted(item for item in page.parent.rglob("*") if item.is_file()):
        path = file.relative_to(page.parent)
        target = Folder.open(folder.uri_of(path.parent.as_posix())) if path.parent.name else folder
        target.create()
        target.write(file.name, file.read_bytes())
    return folder.uri_of(page.name)


def filled(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the frames that have rows."""
    return {name: frame for name, frame in tables.items() if len(frame)}


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Folder) -> None:
    """Write each frame as Parquet and CSV."""
    folder.create()
    for name, frame in tables.items():
        folder.write(f"{name}.parquet", frame.to_parquet(index=False))
        folder.write(f"{name}.csv", frame.to_csv(index=False).encode())
