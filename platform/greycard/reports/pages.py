"""What all pages are made with: their templates, their pictures, and the files that a page leaves."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from greycard.reports.panels import to_png
from greycard.reports.table import Table

TEMPLATE: Final = "page.html.j2"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a page below one heading.

    Attributes:
        title: the heading.
        paragraphs: in order, before the pictures.
        pictures: in order.
        tables: shown.
        details: (summary, tables) that readers open.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    details: tuple[tuple[str, tuple[Table, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page made of blocks.

    Attributes:
        title: of the page.
        subtitle: what it is about, in one sentence.
        drawn: what is said where images are drawings, not people; "" where they are not.
        headline: sentences, the verdict first.
        lines: a list below them.
        reading: how to read the page, a list.
        blocks: in order.
        provenance: what was run: name -> text.
        config: the resolved config as YAML.
        words: term -> what it means.
        limits: what the page does not say.
    """

    title: str
    subtitle: str
    drawn: str = ""
    headline: tuple[str, ...]
    lines: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    blocks: tuple[Block, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in order."""
        return [item for block in self.blocks for item in block.pictures]


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


def write_page(page: Page, out: Path) -> Path:
    """Write ``out/index.html``, which needs nothing else, and its pictures as ``out/figures/<name>.png``."""
    write_pictures(page.pictures, out / "figures")
    path = out / "index.html"
    path.write_text(environment().get_template(TEMPLATE).render(page=page), encoding="utf-8")
    return path


def write_pictures(pictures: Iterable[Picture], folder: Path) -> None:
    """Write pictures as ``<name>.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in pictures:
        (folder / f"{item.name}.png").write_bytes(item.png)
