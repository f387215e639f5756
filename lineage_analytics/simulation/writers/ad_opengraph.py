"""An OpenGraph document of GitHub, and an earlier run that was stopped before its edges, in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._ad_forest import REALM
from lineage_analytics.simulation.chapters.opengraph import ORGANISATION, Graph
from lineage_analytics.simulation.model import DOMAIN
from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._ad_forest import Forest
    from lineage_analytics.simulation.model import World

Json = dict[str, Any]
_META = {"source_kind": "GitHub", "note": "synthetic"}


def write(directory: Path, world: World) -> int:
    """One document; gives the number of nodes and edges."""
    graph: Graph | None = world.cast.get("opengraph")
    if graph is None:
        return 0
    nodes, edges = _nodes(graph), [_edge(kind, _by_id(start), _by_id(end)) for kind, start, end in graph.edges]
    edges += _hybrid(world, graph)
    put(directory / "github.json.gz", as_json({"metadata": _META, "graph": {"nodes": nodes, "edges": edges}}))
    put(directory / "stopped-run" / "github.json.gz",
        as_json({"graph": {"edges": [], "nodes": nodes[::-2]}, "metadata": _META}))
    return len(nodes) + len(edges)


def _nodes(graph: Graph) -> list[Json]:
    shared = {"environment_name": ORGANISATION, "environment_id": graph.organisation}
    made = [_node(graph.organisation, "GH_Organization", name=ORGANISATION, login=ORGANISATION,
                  two_factor_requirement_enabled=True)]
    made += [_node(user.native_id, "GH_User", name=user.name, login=user.name, id=user.details["number"],
                   node_id=user.native_id, type="User", site_admin=False, **shared) for user in graph.users]
    made += [_node(team.native_id, "GH_Team", name=name, slug=name, privacy="closed", **shared)
             for name, team in graph.teams.items()]
    made.append(_node(graph.owners.native_id, "GH_OrgRole", name=graph.owners.name, type="default", **shared))
    made += [_node(role.native_id, "GH_RepoRole", name=role.name, type="default", **shared)
             for role in graph.roles.values()]
    return made + [_node(native, "GH_Repository", name=name, full_name=f"{ORGANISATION}/{name}", private=True, **shared)
                   for name, native in graph.repositories.items()]


def _node(native: str, kind: str, **properties: Any) -> Json:
    return {"id": native, "kinds": [kind, "GH_Base"], "properties": properties}


def _by_id(native: str) -> Json:
    return {"value": native, "match_by": "id"}


def _edge(kind: str, start: Json, end: Json) -> Json:
    return {"kind": kind, "start": start, "end": end, "properties": {"traversable": kind != "GH_ReadRepoContents"}}


def _hybrid(world: World, graph: Graph) -> list[Json]:
    """Whom a person of GitHub is in the directories: by name on premises, by address in the cloud."""
    forest: Forest | None = world.cast.get("active_directory")
    there = {a.person.number: a for a in forest.people if a.person} if forest else {}
    made = []
    for user in graph.users:
        person = user.person
        if person is None:
            continue
        own = there.get(person.number)
        start = {"match_by": "name", "kind": "User", "value": f"{own.name.upper()}@{REALM}"} if own else {
            "match_by": "property", "kind": "AZUser", "property_matchers": [
                {"key": "userPrincipalName", "operator": "equals", "value": person.login}]}
        if person.login.endswith(f"@{DOMAIN}"):
            made.append(_edge("SyncedToGH_User", start, _by_id(user.native_id)))
    return made
