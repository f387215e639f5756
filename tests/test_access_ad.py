"""Ways through Active Directory: nesting, rights and replication; SharpHound's own files beside networkx."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import networkx as nx
import polars as pl

import lineage_analytics as la
from lineage_analytics import graphs as graph_data
from lineage_analytics.graphs.access.ad import edges
from lineage_analytics.graphs.access.parts import Builder
from tests._entra import facts

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


def test_reset_of_a_password_is_proved_and_a_service_name_and_a_desktop_take_something_else() -> None:
    build = made(says("a", "ForceChangePassword", "x"), says("b", "WriteSPN", "x"), says("c", "CanRDP", "x"))
    assert ends(build) == {(sid("a"), sid("x"), "proved", True), (sid("b"), sid("x"), "conditional", True),
                           (sid("c"), sid("x"), "conditional", True)}


def test_replication_takes_both_rights_also_through_two_groups() -> None:
    build = made(says("g", "GetChanges", "d"), says("h", "GetChangesAll", "d"), says("a", None, "g"),
                 says("a", None, "h"), says("b", None, "g"))
    assert ends(build) == {(sid("a"), sid("d"), "proved", True)}


def test_nesting_of_10000_groups_and_a_cycle_ends() -> None:
    chain = [says(str(i), None, str(i + 1)) for i in range(5000, 15000)]
    build = made(*chain, says("15000", None, "5000"), says("15000", "GetChanges", "d"),
                 says("15000", "GetChangesAll", "d"))
    # The members of the group that holds both follow by their membership.
    assert ends(build) == {(sid("15000"), sid("d"), "proved", True)}


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


KINDS = {"users": "user", "groups": "group", "computers": "computer", "ous": "ou", "containers": "container",
         "gpos": "gpo", "domains": "domain", "certtemplates": "cert_template", "enterprisecas": "enterprise_ca",
         "ntauthstores": "nt_auth_store"}


def raw_control(folder: Path) -> nx.DiGraph[str]:
    """Proved control between objects, read from the collector's own files: memberships, ACEs, inheritance."""
    objects = [(KINDS.get(path.name.split("_")[1].split(".")[0], "x"), one) for path in sorted(folder.glob("*.json.gz"))
               for one in json.loads(gzip.decompress(path.read_bytes()).decode("utf-8-sig"))["data"]]
    with (Path(graph_data.__file__).parent / "data" / "ad_rights.csv").open(encoding="utf-8") as file:
        sure = {(row["right"].lower(), row["on"]) for row in csv.DictReader(
            line for line in file if not line.startswith("#")) if row["sure"] == "yes"}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for kind, one in objects:
        here = one["ObjectIdentifier"].upper()
        graph.add_edges_from((m["ObjectIdentifier"].upper(), here) for m in one.get("Members") or ())
        if one.get("PrimaryGroupSID"):
            graph.add_edge(here, one["PrimaryGroupSID"].upper())
        for ace in one.get("Aces") or ():
            right = ace["RightName"].lower()
            if {(right, kind), (right, "*")} & sure and ace["PrincipalSID"].upper() != here:
                graph.add_edge(ace["PrincipalSID"].upper(), here)
    return graph


def test_control_paths_to_domain_admins_are_those_networkx_finds_in_the_raw_files(shared_data: Path) -> None:
    folder = shared_data / "active_directory" / "bloodhound_sharphound"
    raw = raw_control(folder)
    access = la.access_lineage(la.read(folder))
    ours: nx.DiGraph[str] = nx.DiGraph()
    stated = access.edges.filter(pl.col("followed") & (pl.col("state") == "proved"))
    for src, dst, reason in stated.select("src", "dst", "reason").iter_rows():
        if any(part.startswith("is a member of") or part.endswith(" over it") for part in reason.split("; ")):
            ours.add_edge(src.split(":", 2)[2].upper(), dst.split(":", 2)[2].upper())
    admins = [node for node in raw if node.endswith("-512")]
    assert len(admins) == 2
    for node in admins:
        assert nx.ancestors(ours, node) == nx.ancestors(raw, node)
        assert len(nx.ancestors(raw, node)) > 10
