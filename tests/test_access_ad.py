"""Ways through Active Directory: nesting, rights and replication; SharpHound's own files beside networkx."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import networkx as nx
import polars as pl

import lineage_analytics as la
from lineage_analytics.graphs.access.ad import edges
from lineage_analytics.graphs.access.parts import Builder
from tests._entra import facts

if TYPE_CHECKING:
    from pathlib import Path

T = "S-1-5-21-1-2-3"


def sid(name: str) -> str:
    return f"ad:{T}:{T}-{name}"


def says(who: str, right: str | None, what: str) -> dict[str, Any]:
    return {"principal_id": sid(who), "grant_kind": "right" if right else "membership", "privilege": right,
            "scope": sid(what), "effect": "allow", "state": "standing", "tenant": T, "provider": "ad",
            "source": "ad_sharphound", "record_id": f"rec-{who}-{right}-{what}"}


def made(*grants: dict[str, Any]) -> Builder:
    build = Builder()
    edges(facts(grants, listed=False), build)
    return build


def ends(build: Builder, rel: str = "controls") -> set[tuple[str, str, str, bool]]:
    rows = build.edges().filter(pl.col("rel") == rel)
    return set(rows.select("src", "dst", "state", "followed").iter_rows())


def test_reset_of_a_password_is_proved_and_a_service_name_conditional_and_a_desktop_not_followed() -> None:
    build = made(says("a", "ForceChangePassword", "x"), says("b", "WriteSPN", "x"), says("c", "CanRDP", "x"))
    assert ends(build) == {(sid("a"), sid("x"), "proved", True), (sid("b"), sid("x"), "conditional", True),
                           (sid("c"), sid("x"), "conditional", False)}


def test_replication_takes_both_rights_also_through_two_groups() -> None:
    build = made(says("g", "GetChanges", "d"), says("h", "GetChangesAll", "d"), says("a", None, "g"),
                 says("a", None, "h"), says("b", None, "g"))
    assert ends(build) == {(sid("a"), sid("d"), "proved", True)}


def test_nesting_of_10000_groups_and_a_cycle_ends() -> None:
    chain = [says(str(i), None, str(i + 1)) for i in range(5000, 15000)]
    build = made(*chain, says("15000", None, "5000"), says("15000", "GetChanges", "d"),
                 says("15000", "GetChangesAll", "d"))
    assert len(ends(build)) == 10001


def test_members_of_domain_admins_are_those_of_the_raw_files(shared_data: Path) -> None:
    folder = shared_data / "active_directory" / "bloodhound_sharphound"
    graph: nx.DiGraph[str] = nx.DiGraph()
    for path in sorted(folder.glob("*_groups.json.gz")):
        for group in json.loads(gzip.decompress(path.read_bytes()).decode("utf-8-sig"))["data"]:
            graph.add_edges_from((m["ObjectIdentifier"], group["ObjectIdentifier"]) for m in group["Members"])
    for path in [*folder.glob("*_users.json.gz"), *folder.glob("*_computers.json.gz")]:
        for one in json.loads(gzip.decompress(path.read_bytes()).decode("utf-8-sig"))["data"]:
            if one.get("PrimaryGroupSID"):
                graph.add_edge(one["ObjectIdentifier"], one["PrimaryGroupSID"])
    ours: nx.DiGraph[str] = nx.DiGraph()
    found = la.access_lineage(la.read(folder)).edges.filter(pl.col("rel") == "member_of")
    for src, dst in found.select("src", "dst").iter_rows():
        ours.add_edge(src.split(":", 2)[2], dst.split(":", 2)[2])
    admins = [node for node in graph if node.endswith("-512")]
    assert admins
    for node in admins:
        assert nx.ancestors(ours, node) == nx.ancestors(graph, node) != set()
