"""The access graph for other tools: GraphML, BloodHound OpenGraph; and tables as CSV that a spreadsheet opens safely.

All three are for reading elsewhere: hidden characters of names are written visibly, as ``\\u{202e}``, equal input gives
equal bytes in whatever order its rows come, and null is absent. What the tables hold to the letter is their parquet.

A node is ``la-`` and 32 hexadecimal digits of the SHA-256 of its id, the same in both graphs and in every run: no
colon, no case and no length that a tool could stumble over. The id itself is the property ``node_id``.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import msgspec
import polars as pl

from lineage_analytics.tables import NODES
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.graphs.access import AccessLineage

# BloodHound indexes names; PostgreSQL and Neo4j refuse index entries of a few kB.
NAME_KEPT = 500
SOURCE_KIND = "LA_Node"
_TIER0_KIND = "LA_Tier0"
_KINDS = {
    "human": "LA_Person", "service_account": "LA_ServiceAccount", "workload": "LA_WorkloadIdentity", "app": "LA_App",
    "api_key": "LA_ApiKey", "ai_agent": "LA_AIAgent", "ai_assistant": "LA_AIAssistant",
}
_WORD = re.compile(r"[A-Za-z0-9]+")
_NODE_TEXTS = {"kind": "kind", "label": "label", "tenant": "tenant", "provider": "provider"}
_EDGE_TEXTS = ("rel", "state", "technique", "reason")
# Two characters that are none, which XML forbids and `printable` leaves.
_NONE = {0xFFFE: "\\u{fffe}", 0xFFFF: "\\u{ffff}"}


def exported_id(node: str) -> str:
    """The name of a node in the files: ``la-`` and 32 hexadecimal digits."""
    return f"la-{hashlib.sha256(node.encode()).hexdigest()[:32]}"


def graphml(access: AccessLineage) -> bytes:
    """The access graph as GraphML, directed and with parallel edges, as networkx, Gephi and yEd read it.

    Nodes have ``node_id kind label tier0 tenant provider weight``; edges ``rel state technique followed reason`` and
    ``record_ids``, separated by spaces. A value that is not known is not there.
    """
    nodes, edges = _nodes(access), _edges(access)
    lines = [_HEAD]
    for node in nodes.iter_rows(named=True):
        data = [_data("node_id", node["node_id"]), *(_data(name, node[name]) for name in _NODE_TEXTS),
                _data("tier0", node["tier0"]), _data("weight", node["weight"])]
        lines.append(f'<node id="{exported_id(node["node_id"])}">{"".join(data)}</node>')
    for edge in edges.iter_rows(named=True):
        data = [*(_data(name, edge[name]) for name in _EDGE_TEXTS), _data("followed", edge["followed"]),
                _data("record_ids", " ".join(edge["record_ids"] or ()) or None)]
        ends = f'source="{exported_id(edge["src"])}" target="{exported_id(edge["dst"])}"'
        lines.append(f'<edge id="{_edge_id(edge)}" {ends}>{"".join(data)}</edge>')
    return "\n".join([*lines, "</graph>", "</graphml>", ""]).encode()


_KEYS = {**dict.fromkeys(("node_id", *_NODE_TEXTS), ("node", "string")), "tier0": ("node", "boolean"),
         "weight": ("node", "long"),
         **dict.fromkeys((*_EDGE_TEXTS, "record_ids"), ("edge", "string")), "followed": ("edge", "boolean")}
_HEAD = "\n".join([
    '<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    *(f'<key id="{name}" for="{of}" attr.name="{name}" attr.type="{sort}"/>' for name, (of, sort) in _KEYS.items()),
    '<graph id="access" edgedefault="directed">'])


def _data(key: str, value: str | int | None) -> str:
    if value is None:
        return ""
    return f'<data key="{key}">{escape(_shown(value)) if isinstance(value, str) else str(value).lower()}</data>'


def _edge_id(edge: Mapping[str, Any]) -> str:
    said = "\0".join((edge["src"], edge["rel"] or "", edge["dst"]))
    return f"le-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def opengraph(access: AccessLineage) -> dict[str, Any]:
    """The access graph as a document of BloodHound OpenGraph, to be written as JSON.

    A node has its kind, ``LA_Node`` and, where it is tier 0, ``LA_Tier0``; an edge the kind of its relation, as
    ``LA_MayAssume``. Properties are flat, of lower-case names, never null and never ``objectid``. Names are kept to
    500 characters.
    """
    return {
        "graph": {"nodes": [_opengraph_node(node) for node in _nodes(access).iter_rows(named=True)],
                  "edges": [_opengraph_edge(edge) for edge in _edges(access).iter_rows(named=True)]},
        "metadata": {"source_kind": SOURCE_KIND},
    }


def opengraph_json(access: AccessLineage) -> bytes:
    """``opengraph`` as the bytes of its file."""
    return msgspec.json.encode(opengraph(access)) + b"\n"


def _opengraph_node(node: Mapping[str, Any]) -> dict[str, Any]:
    name = None if node["label"] is None else printable(_shown(node["label"]), NAME_KEPT)
    said = {"name": name, "displayname": name, "node_id": _text(node["node_id"]), "kind": _text(node["kind"]),
            "tenantid": _text(node["tenant"]), "provider": _text(node["provider"]), "tier0": node["tier0"],
            "weight": node["weight"]}
    return {
        "id": exported_id(node["node_id"]),
        "kinds": [_KINDS.get(node["kind"] or "", _kind(node["kind"])), SOURCE_KIND,
                  *([_TIER0_KIND] if node["tier0"] else [])],
        "properties": {key: value for key, value in said.items() if value is not None},
    }


def _opengraph_edge(edge: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: _text(edge[name]) for name in ("state", "technique", "reason")}
    held = {**said, "followed": edge["followed"], "record_ids": list(map(_shown, edge["record_ids"] or ())) or None}
    return {
        "kind": _kind(edge["rel"]),
        "start": {"match_by": "id", "value": exported_id(edge["src"])},
        "end": {"match_by": "id", "value": exported_id(edge["dst"])},
        "properties": {key: value for key, value in held.items() if value is not None},
    }


def _kind(name: str | None) -> str:
    """``LA_MayAssume`` of ``may_assume``."""
    return "LA_" + ("".join(word[0].upper() + word[1:] for word in _WORD.findall(name or "")) or "Unknown")


def _nodes(access: AccessLineage) -> pl.DataFrame:
    """Every node once, by id; the ends of edges that no row describes too, of unknown kind."""
    ends = pl.concat([access.edges.select(node_id=end) for end in ("src", "dst")])
    bare = ends.unique().join(access.nodes, on="node_id", how="anti").with_columns(kind=pl.lit("unknown"))
    named = access.nodes.select(NODES.schema.names())
    return pl.concat([named, bare], how="diagonal").sort(pl.all()).unique("node_id", keep="first", maintain_order=True)


def _edges(access: AccessLineage) -> pl.DataFrame:
    return access.edges.sort("src", "dst", "rel", "state", "technique", "reason", nulls_last=True)


def _text(value: str | None) -> str | None:
    return None if value is None else _shown(value)


def _shown(value: str) -> str:
    """The text with hidden characters visible, whole."""
    return value if value.isascii() and value.isprintable() else printable(value, 12 * len(value)).translate(_NONE)


# Where a spreadsheet begins a formula: at the start of a cell, after spaces and quotes, and after a semicolon, which
# separates cells where a comma separates decimals. Full-width signs count: East Asian settings read them so.
_RISKY = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"(^|;)([\s\"']*[{_RISKY}])")
_BEGINS = ("\t", "\r", "\n", "\0")
BOM = "\ufeff"


def csv_safe(frame: pl.DataFrame) -> str:
    """The frame as CSV in which no text becomes a formula: RFC 4180, rows sorted by their columns from the left.

    Text, and only text, is in quotation marks, numbers stay numbers, times are ISO 8601 in UTC, lists are joined by
    commas, what is nested deeper is JSON, null is an empty cell. A text that begins with ``= + - @``, tab or line end
    has an apostrophe before it, as OWASP's page on CSV injection asks; so has such a sign after a semicolon, where a
    spreadsheet might begin another cell. The text begins with a byte order mark: without it Excel takes names for
    another encoding.

    Read back with this frame's schema, rows, columns and numbers are the same, and texts but for apostrophes put
    before and hidden characters made visible, so that no line ends within a row.
    """
    texts = frame.select(_as_text(frame[name]).alias(_cell(name)) for name in frame.columns)
    rows = texts.sort(pl.all(), nulls_last=True) if texts.width else texts
    written: str = rows.write_csv(line_terminator="\r\n", quote_style="non_numeric")
    return BOM + written


def _as_text(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.List) and kind.inner == pl.String:
        column, kind = column.list.join(", ", ignore_nulls=True), pl.String()
    elif kind.is_nested():
        values = [None if value is None else msgspec.json.encode(value).decode() for value in column.to_list()]
        column, kind = pl.Series(column.name, values, dtype=pl.String), pl.String()
    elif isinstance(kind, pl.Datetime):
        column, kind = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"), pl.String()
    return column.map_elements(_cell, return_dtype=pl.String) if kind == pl.String else column


def _cell(text: str) -> str:
    begins = "'" if text.startswith(_BEGINS) else ""
    return begins + _FORMULA.sub(lambda found: f"{found[1]}'{found[2]}", _shown(text))
