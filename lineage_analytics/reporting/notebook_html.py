"""An executed notebook as one HTML file: opens offline, runs no script, reads like the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage_analytics.charts.theme import THEME
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

TEMPLATES = Path(__file__).parent / "templates"
TITLES = {
    "01_coverage": "Coverage", "02_privilege": "Privilege", "03_decisions": "Decisions", "04_copilot": "Copilot",
    "05_maturity": "Maturity", "06_acceleration": "Pace and assurance",
}
# What the package's own outputs and the text of notebooks are made of; everything else is shown as text.
_TAGS = frozenset({
    "a", "b", "blockquote", "br", "caption", "code", "details", "div", "em", "figcaption", "figure", "h1", "h2", "h3",
    "h4", "hr", "i", "img", "li", "ol", "p", "pre", "small", "span", "strong", "summary", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
})
_PICTURES = ("data:image/svg+xml;base64,", "data:image/png;base64,")
_PLAIN = frozenset({"class", "scope", "colspan", "rowspan", "alt", "title", "id"})


@dataclass(frozen=True)
class Link:
    """A place of the report that a notebook page links to."""

    href: str
    words: str
    here: bool = False


def links(names: Sequence[str], here: str) -> list[Link]:
    """The way back to the report and to its other notebooks."""
    others = [Link(f"{name}.html", TITLES.get(name, name), name == here) for name in names]
    return [Link("../index.html", "Report"), *others]


def to_html(ipynb: Path, html: Path, around: Sequence[Link] = ()) -> Path:
    """Write an executed notebook as HTML and return its path.

    Pictures keep their alternative text, code is folded away, and the data a chart was drawn from is left out. Markup
    in outputs is reduced to what the package itself writes.
    """
    notebook = import_module("nbformat").read(ipynb, as_version=4)
    _clean(notebook)
    about = {
        "title": _title(notebook, ipynb.stem), "variables": THEME.css_variables(), "links": around,
        "style": (TEMPLATES / "notebook" / "notebook.css").read_text("utf-8"),
    }
    body, _ = _exporter().from_notebook_node(notebook, {"la": about})
    html.write_text(body, encoding="utf-8")
    return html


@cache
def _exporter() -> Any:
    """The exporter with our template; its libraries are untyped and slow to import, so they are named here only."""
    shown = ["text/html", "text/markdown", "image/png", "text/plain"]
    exporter = import_module("nbconvert.exporters").HTMLExporter(
        config=import_module("traitlets.config").Config({"NbConvertBase": {"display_data_priority": shown}}),
        template_name="notebook", template_file="index.html.j2", extra_template_basedirs=[str(TEMPLATES)],
        exclude_anchor_links=True, embed_images=False,
    )
    exporter.register_filter("known_markup", _known)
    return exporter


def _title(notebook: Any, name: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return printable(cell.source.splitlines()[0][2:], 120)
    return name


def _clean(notebook: Any) -> None:
    """Reduce the markup of texts and outputs to known tags without anything that loads or runs."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell["source"] = cell.source.replace("<", "&lt;")
            cell["attachments"] = {}
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = _known(data["text/html"])
            if "text/markdown" in data:
                data["text/markdown"] = data["text/markdown"].replace("<", "&lt;")


def _known(markup: str) -> str:
    clean = import_module("bleach").clean
    cleaned: str = clean(markup, tags=_TAGS, attributes=_allowed, protocols={"data"}, strip=False)
    return cleaned


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.startswith(_PICTURES)
    if tag == "a" and name == "href":
        return value.startswith("#")
    return name in _PLAIN
