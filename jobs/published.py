"""Where a report is made, and how it gets into a job's own folder when that is not on this machine's disk."""

import hashlib
from pathlib import Path

from greycard.datasets.storage import Folder


def report_folder(directory: str) -> Path:
    """Return where the report is made: in the audit's folder, or in one here that is named after its URI."""
    if "://" not in directory:
        return Path(directory) / "report"
    return Path("runs/audits") / hashlib.sha256(directory.encode()).hexdigest()[:16] / "report"


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
