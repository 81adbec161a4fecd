"""What all pages are made of and with: cover, blocks and pictures; one template; the files that a page leaves."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from greycard.reports.panels import to_png
from greycard.reports.table import Table

TEMPLATE: Final = "page.html.j2"
DRAWN: Final = (
    "The images in this report are drawn by a program. They are not people.",
    "They show that the method works on this made-up data; they say nothing about people, nor about how these models "
    "would treat photographs of people.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of a report.

    Attributes:
        png: the bytes of the PNG file.
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
        """The image as a data URI, as the page embeds it."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a page below one heading.

    Attributes:
        title: the heading.
        paragraphs: the paragraphs in order, before the pictures.
        pictures: the pictures in order.
        tables: the tables that are always shown.
        details: (summary, pictures and tables) that readers open.
        anchor: what links to the block name; "" for none.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    details: tuple[tuple[str, tuple[Picture | Table, ...]], ...] = ()
    anchor: str = ""

    @property
    def all_pictures(self) -> list[Picture]:
        """The block's pictures, including those that readers open."""
        opened = [item for _, items in self.details for item in items if isinstance(item, Picture)]
        return [*self.pictures, *opened]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What every page needs, whatever it is about; the families' pages extend it.

    Attributes:
        title: the title of the page.
        dataset: the data set's name.
        drawn: True where the images are drawings, not people.
        command: the command that makes the page again; "" leaves it out.
        commit: the commit of the source; "" leaves it out.
        notes: sentences below the first ones.
        provenance: more of what was run: name -> text.
        config: the resolved config as YAML.
    """

    title: str
    dataset: str = ""
    drawn: bool = False
    command: str = ""
    commit: str = ""
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    config: str = ""

    @property
    def was_run(self) -> dict[str, str]:
        """What was run: the command first, then the source's commit."""
        first = {"command": self.command, "source commit": self.commit}
        return {name: text for name, text in first.items() if text} | dict(self.provenance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page made of blocks.

    Attributes:
        cover: title, notes, what was run.
        subtitle: what it is about, in one sentence.
        drawn: what is said where images are drawings: that they are, and what follows from it.
        headline: the first sentences, beginning with the verdict.
        lines: a list below them, before the cover's notes.
        small: paragraphs in small print below the lists; ``Markup`` where they link.
        reading: how to read the page, a list.
        blocks: the blocks in order.
        words: term -> what it means.
        limits: what the page does not say.
    """

    cover: Cover
    subtitle: str
    drawn: tuple[str, str] = DRAWN
    headline: tuple[str, ...]
    lines: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    blocks: tuple[Block, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in order."""
        return [item for block in self.blocks for item in block.all_pictures]


def picture(figure: Figure, name: str, caption: str, alt: str) -> Picture:
    """Draw a figure; one that is much wider than high is ``wide``."""
    wide = figure.get_figwidth() > 2 * figure.get_figheight()
    return Picture(png=to_png(figure), caption=caption, alt=alt, name=name, wide=wide)


def write_page(page: Page, out: Path) -> Path:
    """Write ``out/index.html``, which needs nothing else, and its pictures as ``out/figures/<name>.png``."""
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for item in page.pictures:
        (figures / f"{item.name}.png").write_bytes(item.png)
    path = out / "index.html"
    path.write_text(render(page), encoding="utf-8")
    return path


def render(page: Page) -> str:
    """Return a page as HTML: what is undefined is an error, what is text is escaped."""
    environment = Environment(
        loader=PackageLoader("greycard.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(page=page)
