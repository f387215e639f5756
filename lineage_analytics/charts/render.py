"""Charts as pictures, offline: SVG, PNG and Vega-Lite JSON, and the figure a notebook or page shows.

A picture carries its description as alternative text and needs no script. Equal charts give equal bytes.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any

import altair as alt
import vl_convert

from lineage_analytics.charts import theme
from lineage_analytics.charts.theme import THEME
from lineage_analytics.errors import LineageError, UsageError
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

AnyChart = alt.TopLevelMixin
VEGA_LITE = "6.4"
PNG_SCALE = 2
MAX_ROWS = 2_000
_TEXT_KEPT = 20_000
_NOT_XML = dict.fromkeys((0xFFFE, 0xFFFF), "\N{REPLACEMENT CHARACTER}")
_LOADING_KEYS = frozenset({"href", "url", "image"})
_SPECIAL = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def spec(chart: AnyChart) -> dict[str, Any]:
    """The chart as a Vega-Lite document, in the package's theme whatever theme is active.

    Raises
    ------
    LineageError : no ``description``, something that would be loaded from elsewhere, or more than 2,000 rows.
    """
    with alt.theme.enable(theme.NAME), alt.data_transformers.enable("default", max_rows=None):
        document: dict[str, Any] = _visible(chart.to_dict())
    if not str(document.get("description") or "").strip():
        raise LineageError("Wanted a chart with a description, which becomes its alternative text", "it has none",
                           "set description= from the data the chart shows")
    for key, value in _walk(document):
        if key in _LOADING_KEYS or value == "image":
            raise LineageError("Wanted a chart that loads nothing", f"it binds {key!r}", "draw it from data alone")
    rows = sum(len(values) for values in document.get("datasets", {}).values())
    if rows > MAX_ROWS:
        raise LineageError(f"Wanted at most {MAX_ROWS:,} rows in a chart", f"{rows:,}", "aggregate before drawing")
    return document


def safe_json(value: object) -> str:
    """JSON that may stand inside HTML or a script element: no angle bracket, ampersand or line separator."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(_SPECIAL.get(character, character) for character in text)


def svg(chart: AnyChart | Mapping[str, Any]) -> str:
    """The chart as an SVG document that names itself for screen readers and follows dark screens."""
    document = _document(chart)
    drawn: str = vl_convert.vegalite_to_svg(document, vl_version=VEGA_LITE)
    label = html.escape(document["description"])
    opening, _, rest = drawn.partition(">")
    return f'{opening} role="img" aria-label="{label}"><title>{label}</title><style>{THEME.swap_rules()}</style>{rest}'


def png(chart: AnyChart | Mapping[str, Any], scale: float = PNG_SCALE) -> bytes:
    """The chart as PNG, twice its size by default."""
    drawn: bytes = vl_convert.vegalite_to_png(_document(chart), vl_version=VEGA_LITE, scale=scale)
    return drawn


def figure(chart: AnyChart | Mapping[str, Any]) -> str:
    """The chart as an HTML figure: a picture with alternative text, and its document as inert, escaped JSON."""
    document = _document(chart)
    picture = base64.b64encode(svg(document).encode()).decode()
    return (
        f'<figure class="la-chart" data-spec="{html.escape(safe_json(document))}">'
        f'<img alt="{html.escape(document["description"])}" src="data:image/svg+xml;base64,{picture}"></figure>'
    )


def save(chart: AnyChart, directory: Path, name: str) -> tuple[Path, Path, Path]:
    """Write ``name.svg``, ``name.png`` and ``name.vl.json`` into the folder and return their paths.

    Raises
    ------
    UsageError : a name that is not a plain file name. LineageError : see ``spec``.
    """
    if not name.isidentifier():
        raise UsageError("Wanted a chart name of letters, digits and underscores", f"found {name!r}")
    document = spec(chart)
    directory.mkdir(parents=True, exist_ok=True)
    paths = directory / f"{name}.svg", directory / f"{name}.png", directory / f"{name}.vl.json"
    contents = svg(document).encode(), png(document), f"{safe_json(document)}\n".encode()
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def register() -> None:
    """Make this the way Altair shows charts in notebooks."""
    alt.renderers.register(theme.NAME, _bundle)
    alt.renderers.enable(theme.NAME)


def _bundle(document: dict[str, Any], **_: Any) -> dict[str, str]:
    text = document.get("description") or "Chart without description"
    return {"text/plain": text, "text/html": figure(document)}


def _document(chart: AnyChart | Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = spec(chart) if isinstance(chart, alt.TopLevelMixin) else _visible(dict(chart))
    return document


def _visible(value: Any) -> Any:
    """The document with every hidden character of its texts made visible; line breaks stay.

    A control character from a log would not only deceive a reader: the renderer ends the process on one.
    """
    if isinstance(value, dict):
        return {key: _visible(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_visible(inner) for inner in value]
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        lines = (printable(line, _TEXT_KEPT) for line in value.split("\n"))
        return "\n".join(lines).translate(_NOT_XML)
    return value


def _walk(value: object) -> Iterator[tuple[str, object]]:
    """Every key with its value, leaving out the data itself."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"datasets", "description"}:
                yield key, inner if isinstance(inner, str) else None
                yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


