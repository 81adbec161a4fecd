"""What all pages are made with: their templates, their pictures, and the files that a page leaves."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from greycard.reports.panels import to_png


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of a report.

    Attributes:
        png: its bytes.
        caption: one paragraph that says what it shows and how to read it.
        alt: what it shows, for readers who do not see it.
        name: its file name without an ending.
        wide: has panels side by side; a small screen scrolls it instead of shrinking it.
    """

    png: bytes
    caption: str
    alt: str
    name: str
    wide: bool = False

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def environment() -> Environment:
    """Return the environment of the templates: what is undefined is an error, what is text is escaped."""
    return Environment(
        loader=PackageLoader("greycard.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def picture(figure: Figure, name: str, caption: str, alt: str) -> Picture:
    """Draw a figure; one that is much wider than high is ``wide``."""
    wide = figure.get_figwidth() > 2 * figure.get_figheight()
    return Picture(png=to_png(figure), caption=caption, alt=alt, name=name, wide=wide)


def write_page(text: str, pictures: Iterable[Picture], out: Path) -> Path:
    """Write ``out/index.html`` and the pictures, which the page holds too, as ``out/figures/<name>.png``."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for item in pictures:
        (out / "figures" / f"{item.name}.png").write_bytes(item.png)
    path = out / "index.html"
    path.write_text(text, encoding="utf-8")
    return path
