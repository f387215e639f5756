"""The access graph as other tools read it, and tables as a spreadsheet opens them: nothing lost, nothing executed."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import analysis, tables
from lineage_analytics.graphs import export
from lineage_analytics.graphs.access import AccessLineage, access_lineage
from lineage_analytics.text import printable
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"
HOSTILE = [
    "</data></node><script>alert(1)</script>", "]]>", "\u202eevil\u202c", "nul\0 bell\x07 vt\x0b", "\ufffe\uffff", "a\nb\r\tc",
    '"=cmd|\' /C calc\'!A0', "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", " =1", "'=1", '"=1', "＝1", "＋1", "－1",
    "＠1", "a;=1", "a; =1", ";", "", "x" * 10_240, "&amp;", "مدير 管理员", "🗝", "-", "a:b::c", "{{7*7}}", "None",
]
RELS = sorted(next(c for c in tables.EDGES.columns if c.name == "rel").values)
KINDS = ["human", "service_account", "workload", "app", "api_key", "ai_agent", "ai_assistant", "group", "role",
         "policy", "service", "resource", "credential", "federation", "directory_role", "scope", "unknown"]


def lineage(nodes: list[Json], edges: list[Json]) -> AccessLineage:
    return AccessLineage(pl.DataFrame(nodes, schema=tables.NODES.schema), pl.DataFrame(edges, schema=tables.EDGES.schema),
                         tables.PERMISSIONS.empty())


def hostile() -> AccessLineage:
    nodes: list[Json] = [
        {"node_id": f"aws:1:{name}", "kind": KINDS[n % len(KINDS)], "label": name, "tier0": n % 5 == 0, "weight": n * 10,
         "tenant": None if n % 3 else name, "provider": "aws"} for n, name in enumerate(HOSTILE)]
    edges: list[Json] = [
        {"src": nodes[n]["node_id"], "dst": nodes[(n * 7 + 3) % len(nodes)]["node_id"], "rel": RELS[n % len(RELS)],
         "state": "conditional" if n % 2 else "proved", "technique": name or None, "followed": n % 3 == 0,
         "reason": name, "record_ids": [f"rec-{n}", f"rec-{n + 1}"] if n % 4 else None}
        for n, name in enumerate(HOSTILE)]
    parallel = {**edges[0], "rel": RELS[1]}
    return lineage(nodes, [*edges, parallel, {"src": nodes[0]["node_id"], "dst": "nobody described", "rel": "owns"}])


def shuffled(access: AccessLineage, seed: int) -> AccessLineage:
    nodes, edges = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (access.nodes, access.edges))
    return AccessLineage(nodes, edges, access.permissions)


def visible(text: str | None) -> str | None:
    """A text as the files hold it, without the code that writes them."""
    return None if text is None else printable(text, 10**6).replace("\ufffe", "\\u{fffe}").replace("\uffff", "\\u{ffff}")


def read(content: bytes) -> nx.MultiDiGraph:
    graph = nx.read_graphml(io.BytesIO(content), force_multigraph=True)
    assert graph.is_directed()
    return graph


def held(row: Json, *names: str) -> Json:
    """The row as GraphML has it: visible text, no null, lists joined."""
    texts = {name: " ".join(row[name]) or None if isinstance(row[name], list) else row[name] for name in names}
    return {name: visible(value) if isinstance(value, str) else value
            for name, value in texts.items() if value is not None}


def expected(access: AccessLineage) -> tuple[dict[str, Json], list[tuple[str, str, Json]]]:
    """What networkx itself holds of the graph, under the names of the files."""
    graph = access.graph
    nodes = {export.exported_id(node): held({"node_id": node, "kind": "unknown", "label": None, "tier0": None,
                                             "tenant": None, "provider": None, "weight": None, **data}, *tables.NODES.schema)
             for node, data in graph.nodes(data=True)}
    edges = [(export.exported_id(src), export.exported_id(dst),
              held(data, "rel", "state", "technique", "followed", "reason", "record_ids"))
             for src, dst, data in graph.edges(data=True)]
    return nodes, edges


def ordered(edges: list[tuple[str, str, Json]]) -> list[str]:
    return sorted(json.dumps(edge, sort_keys=True) for edge in edges)


def same_graph(access: AccessLineage) -> None:
    graph = read(export.graphml(access))
    nodes, edges = expected(access)
    # An empty text is an element without text, which networkx reads as null.
    assert {node: {k: "" if v is None else v for k, v in data.items()} for node, data in graph.nodes(data=True)} == nodes
    read_edges = [(src, dst, {k: "" if v is None else v for k, v in data.items()})
                  for src, dst, data in graph.edges(data=True)]
    assert ordered(read_edges) == ordered(edges)


def test_graphml_holds_the_nodes_and_edges_that_networkx_has() -> None:
    same_graph(hostile())


texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))


@st.composite
def lineages(draw: st.DrawFn) -> AccessLineage:
    ids = draw(st.lists(texts, min_size=1, max_size=6, unique=True))
    nodes: list[Json] = [
        {"node_id": node, "kind": draw(st.sampled_from(KINDS)), "label": draw(st.none() | texts), "tenant": None,
         "tier0": draw(st.booleans()), "provider": draw(st.none() | texts)} for node in ids]
    ends = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids), st.sampled_from(RELS)), max_size=8,
                         unique=True))
    edges: list[Json] = [
        {"src": src, "dst": dst, "rel": rel, "state": "proved", "technique": draw(st.none() | texts),
         "followed": draw(st.none() | st.booleans()), "reason": draw(texts), "record_ids": ["rec-a"]}
        for src, dst, rel in ends]
    return lineage(nodes, edges)


@settings(max_examples=60, deadline=None)
@given(lineages())
def test_whatever_stands_in_names_the_files_parse_and_hold_the_same_graph(access: AccessLineage) -> None:
    same_graph(access)
    document = json.loads(export.opengraph_json(access))
    assert faults(document) == []
    assert [node["id"] for node in document["graph"]["nodes"]] == [
        node.get("id") for node in ET.fromstring(export.graphml(access)).iter(f"{GRAPHML}node")]  # noqa: S314


def test_graphml_is_well_formed_and_shows_hidden_characters() -> None:
    content = export.graphml(hostile()).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", content)
    labels = [data.text or "" for node in ET.fromstring(content).iter(f"{GRAPHML}node")  # noqa: S314
              for data in node if data.get("key") == "label"]
    assert "\\u{202e}evil\\u{202c}" in labels
    assert max(map(len, labels)) == 10_240


@pytest.mark.parametrize("seed", range(4))
def test_rows_in_any_order_give_the_same_bytes(seed: int) -> None:
    access = hostile()
    other = shuffled(access, seed)
    assert export.graphml(other) == export.graphml(access)
    assert export.opengraph_json(other) == export.opengraph_json(access)


def faults(document: Json) -> list[str]:
    """What BloodHound would not take (its published schemas of nodes, edges and metadata, and its naming rules)."""
    found = []
    if set(document) != {"graph", "metadata"} or set(document["metadata"]) != {"source_kind"}:
        found.append("top")
    nodes, edges = document["graph"]["nodes"], document["graph"]["edges"]
    ids = [node["id"] for node in nodes]
    if len(set(ids)) != len(ids):
        found.append("ids twice")
    for node in nodes:
        if set(node) != {"id", "kinds", "properties"} or not re.fullmatch("la-[0-9a-f]{32}", node["id"]):
            found.append(f"node {node}")
        if not 1 <= len(node["kinds"]) <= 3 or not all(re.fullmatch("LA_[A-Za-z0-9]+", kind) for kind in node["kinds"]):
            found.append(f"kinds {node['kinds']}")
    for edge in edges:
        if set(edge) != {"start", "end", "kind", "properties"} or not re.fullmatch("LA_[A-Za-z0-9_]+", edge["kind"]):
            found.append(f"edge {edge}")
        found += [f"end {end}" for end in (edge["start"], edge["end"])
                  if set(end) != {"match_by", "value"} or end["match_by"] != "id" or end["value"] not in ids]
    for part in (*nodes, *edges):
        found += [f"{key}: {value!r}" for key, value in part["properties"].items() if not well(key, value)]
    return found


def well(key: str, value: Any) -> bool:
    if not re.fullmatch("[a-z][a-z0-9_]*", key) or key in {"objectid", "lastseen", "environmentid"}:
        return False
    if isinstance(value, list):
        return bool(value) and len({type(item) for item in value}) == 1 and isinstance(value[0], str | bool | int | float)
    return isinstance(value, str | bool | int | float)


def test_opengraph_keeps_every_rule_of_bloodhound_under_hostile_names() -> None:
    document = json.loads(export.opengraph_json(hostile()))
    assert faults(document) == []
    assert document == json.loads(json.dumps(export.opengraph(hostile())))
    assert len(document["graph"]["nodes"]) == len(HOSTILE) + 1
    assert max(len(node["properties"].get("name", "")) for node in document["graph"]["nodes"]) == export.NAME_KEPT


def test_the_rules_are_told_from_their_breach() -> None:
    """The validator above is worth something only if it can fail."""
    good = export.opengraph(hostile())
    breaches: list[tuple[str, Any]] = [
        ("kinds", ["LA_A", "LA_B", "LA_C", "LA_D"]), ("kinds", []), ("id", "aws:1:x"), ("properties", {"Name": "x"}),
        ("properties", {"objectid": "x"}), ("properties", {"a": None}), ("properties", {"a": {"b": 1}}),
        ("properties", {"a": ["x", 1]}), ("properties", {"a": [{"b": 1}]})]
    for key, value in breaches:
        document = json.loads(json.dumps(good))
        document["graph"]["nodes"][0][key] = value
        assert faults(document), (key, value)
    document = json.loads(json.dumps(good))
    document["graph"]["edges"][0]["kind"] = "may assume"
    assert faults(document)


def test_opengraph_and_networkx_have_the_same_ends() -> None:
    access = hostile()
    nodes, edges = expected(access)
    document = export.opengraph(access)["graph"]
    assert {node["id"] for node in document["nodes"]} == set(nodes)
    assert sorted((e["start"]["value"], e["end"]["value"], e["kind"]) for e in document["edges"]) == sorted(
        (src, dst, "LA_" + "".join(part.title() for part in data["rel"].split("_"))) for src, dst, data in edges)


def test_a_node_says_what_it_is_and_an_edge_why_it_is_there() -> None:
    access = lineage(
        [{"node_id": "aws:1:AIDA1", "kind": "service_account", "label": "ci", "tier0": False, "tenant": "1", "provider": "aws"},
         {"node_id": "aws:1:account", "kind": "resource", "label": "account 1", "tier0": True, "tenant": "1", "provider": "aws"}],
        [{"src": "aws:1:AIDA1", "dst": "aws:1:account", "rel": "controls", "state": "conditional", "followed": True,
          "technique": "attach a policy to itself", "reason": "iam:AttachUserPolicy on *", "record_ids": ["rec-1"]}])
    ci, account = export.opengraph(access)["graph"]["nodes"]
    assert account["kinds"] == ["LA_Resource", "LA_Node", "LA_Tier0"]
    assert ci["kinds"] == ["LA_ServiceAccount", "LA_Node"]
    assert ci["properties"] == {"name": "ci", "displayname": "ci", "node_id": "aws:1:AIDA1", "kind": "service_account",
                                "tenantid": "1", "provider": "aws", "tier0": False}
    edge, = export.opengraph(access)["graph"]["edges"]
    assert (edge["start"]["value"], edge["kind"], edge["end"]["value"]) == (ci["id"], "LA_Controls", account["id"])
    assert edge["properties"] == {"state": "conditional", "technique": "attach a policy to itself", "followed": True,
                                  "reason": "iam:AttachUserPolicy on *", "record_ids": ["rec-1"]}


def read_back(access: AccessLineage) -> None:
    """Our own loader finds every node and edge again, and no more."""
    document = export.opengraph(access)["graph"]
    loaded = Loaded(export.opengraph_json(access))
    assert not loaded.faults
    ids = [row[0] for name in ("identity_facts", "resources") for row in loaded.rows(name, "id")]
    assert sorted(ids) == sorted(f"opengraph::{node['id']}" for node in document["nodes"])
    assert sorted(loaded.rows("entitlements", "principal_id", "privilege", "scope")) == sorted(
        (f"opengraph::{e['start']['value']}", e["kind"], f"opengraph::{e['end']['value']}") for e in document["edges"])


def test_our_own_loader_reads_every_node_and_edge_back() -> None:
    read_back(hostile())
    kinds = lineage([{"node_id": kind, "kind": kind} for kind in KINDS], [])
    loaded = Loaded(export.opengraph_json(kinds))
    found = {alt[0]["value"]: kind for alt, kind in loaded.rows("identity_facts", "alt_ids", "kind") if alt}
    assert {kind: found[kind] for kind in ("human", "service_account", "app", "group", "role")} == {
        "human": "human", "service_account": "service_account", "app": "app", "group": "group", "role": "role"}


def test_an_empty_graph_is_an_empty_document() -> None:
    nothing = lineage([], [])
    assert export.opengraph(nothing)["graph"] == {"nodes": [], "edges": []}
    assert len(read(export.graphml(nothing))) == 0


FRAME = pl.DataFrame({
    "name": HOSTILE, "number": [-n / 2 if n % 5 else None for n in range(len(HOSTILE))],
    "day": [date(2026, 6, 1 + n % 30) for n in range(len(HOSTILE))],
    "time": [datetime(2026, 6, 30, 12, 0, n % 60, n, tzinfo=UTC) for n in range(len(HOSTILE))],
    "flag": [None if n % 3 else n % 2 == 0 for n in range(len(HOSTILE))],
    "list": [None if n % 4 else [name, "=b"] for n, name in enumerate(HOSTILE)],
    "deep": [[{"id": name, "n": n}] for n, name in enumerate(HOSTILE)],
})
RISKY = "=+-@＝＋－＠"


def cells(text: str) -> Iterator[tuple[str, str]]:
    """Every cell with its column, as an independent reader has it."""
    assert text.startswith("\ufeff")
    for row in csv.DictReader(io.StringIO(text[1:], newline=""), strict=True):
        yield from row.items()


def formula(cell: str) -> bool:
    """Would a spreadsheet take the cell, or what stands after a semicolon in it, for a formula?"""
    return any(re.match(rf"[\s\0\"]*[{re.escape(RISKY)}]", part) for part in cell.split(";"))


def test_no_text_of_a_table_becomes_a_formula() -> None:
    made = export.csv_safe(FRAME)
    assert sum(name == "name" for name, _ in cells(made)) == len(HOSTILE)
    assert not [cell for name, cell in cells(made) if name != "number" and formula(cell)]
    assert [cell for name, cell in cells(made) if name == "number" and cell.startswith("-")]
    assert sum(map(formula, HOSTILE)) > 12


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_begins_as_a_formula_has_an_apostrophe_before_it(sign: str) -> None:
    made = export.csv_safe(pl.DataFrame({"name": [f"{sign}1"]}))
    assert [cell[0] for _, cell in cells(made)] == ["'"]


def test_what_no_spreadsheet_runs_is_left_as_it_is() -> None:
    plain = ["a=b", "x-ray", "ci@corp.example", "1+1", "arn:aws:iam::1:role/x", "", "009007199254740993", "a, b", 'say "x"']
    made = export.csv_safe(pl.DataFrame({"name": plain}))
    assert sorted(cell for _, cell in cells(made)) == sorted(plain)


def undone(text: str) -> str:
    """A cell without the apostrophes that were put before signs."""
    return re.sub(rf"(^|;)'(?=[\s\"']*[{re.escape(RISKY)}])", r"\1", text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.none() | texts, st.none() | st.integers(-2**53, 2**53), st.none() | st.floats(
    allow_nan=False, allow_infinity=False)), min_size=1, max_size=8))
def test_polars_reads_the_table_back(rows: list[tuple[str | None, int | None, float | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"name": pl.String, "whole": pl.Int64, "real": pl.Float64}, orient="row")
    made = export.csv_safe(frame)
    back = pl.read_csv(made.encode(), schema=frame.schema)
    assert back.height == frame.height
    assert not any(formula(name) for name in back["name"].drop_nulls())
    plain = frame.with_columns(pl.Series("name", [visible(name) for name in frame["name"]], dtype=pl.String))
    assert sorted(back.select(pl.col("whole", "real")).rows(), key=repr) == sorted(
        plain.select("whole", "real").rows(), key=repr)
    first = [None if name is None else re.sub(r"^'(?=\\u\{(9|a|d|0)\})", "", undone(name)) for name in back["name"]]
    assert sorted(map(repr, first)) == sorted(map(repr, plain["name"]))


def test_a_row_is_a_line() -> None:
    made = export.csv_safe(FRAME)
    assert made.count("\r\n") == len(HOSTILE) + 1
    assert "\n" not in made.replace("\r\n", "")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\ufffe\uffff]", made)


@pytest.mark.parametrize("seed", range(4))
def test_rows_of_a_table_in_any_order_give_the_same_text(seed: int) -> None:
    assert export.csv_safe(FRAME.sample(fraction=1, shuffle=True, seed=seed)) == export.csv_safe(FRAME)


def test_ranked_rows_stay_ranked_where_the_rank_stands_first() -> None:
    frame = pl.DataFrame({"rank": [10, 9, 2, 1], "name": ["a", "b", "c", "d"]})
    assert [cell for name, cell in cells(export.csv_safe(frame)) if name == "rank"] == ["1", "2", "9", "10"]


def test_a_heading_is_no_formula_either() -> None:
    assert export.csv_safe(pl.DataFrame({"=1+1": [1], "plain": ["x"]})).splitlines()[0] == "\ufeff\"'=1+1\",\"plain\""
    assert export.csv_safe(FRAME.head(0)).count("\r\n") == 1


@pytest.mark.parametrize("folder", ["active_directory/bloodhound_sharphound", "aws_iam"])
def test_a_real_estate_is_the_same_graph_in_every_file(shared_data: Path, tmp_path: Path, folder: str) -> None:
    access = access_lineage(analysis.read(shared_data / folder, workspace=tmp_path / "w"))
    assert access.nodes.height > 50
    same_graph(access)
    assert faults(json.loads(export.opengraph_json(access))) == []
    read_back(access)
    assert sum(name == "reason" for name, _ in cells(export.csv_safe(access.edges))) == access.edges.height
