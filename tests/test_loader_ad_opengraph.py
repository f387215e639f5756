"""BloodHound OpenGraph documents. All are made up: no real one is at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics import tables
from lineage_analytics.loaders import loaders
from lineage_analytics.loaders.ad_opengraph import settle
from tests._documents import Loaded

Json = dict[str, Any]
SID = "S-1-5-21-111-222-333-1101"
CANARY = "note-canary"


def node(native: str, kind: str, **properties: Any) -> Json:
    return {"id": native, "kinds": [kind, "GH_Base"], "properties": properties}


def by_id(native: str) -> Json:
    return {"value": native, "match_by": "id"}


def edge(kind: str, start: Json, end: Json, **properties: Any) -> Json:
    return {"kind": kind, "start": start, "end": end, "properties": properties}


NODES = [
    node("U_1", "GH_User", name="alice", login="Alice", email="Alice@Corp.example", enabled=True, bio=CANARY,
         environmentid="O_1", created_at="2024-01-02T03:04:05Z"),
    node("T_1", "GH_Team", name="ops"), node("R_1", "GH_OrgRole", name="corp\\Owners"),
    node("REPO_1", "GH_Repository", name="corp/app", private=True, stars=4, description=CANARY),
    node("A_1", "GH_AppInstallation", name="bot"),
    {"id": SID, "kinds": ["User", "Base"], "properties": {"name": "ALICE@CORP.LOCAL"}},
    node("SA_1", "OKTA_ServiceAccount", name="runner", note=CANARY),
    {"id": "P_1", "kinds": ["Person"], "properties": {"name": "Alice A."}, "weight": 3},
]
EDGES = [
    edge("GH_MemberOf", by_id("U_1"), by_id("T_1")),
    edge("GH_HasRole", by_id("T_1"), {"value": "R_1"}, traversable=True, note=CANARY),
    edge("GH_Owns", by_id("U_1"), by_id("REPO_1")),
    edge("GH_SyncedTo", {"match_by": "name", "value": "ALICE@CORP.LOCAL", "kind": "User"}, by_id("U_1")),
    edge("GH_MapsToUser", by_id("P_1"), {"match_by": "property", "kind": "GH_User", "property_matchers": [
        {"key": "email", "operator": "equals", "value": "ALICE@corp.example"}]}),
    edge("GH_AdminTo", by_id("U_1"), {"match_by": "name", "value": "nobody knows", "kind": "GH_Repository"}),
]
WHOLE = {"metadata": {"source_kind": "GH_Base"}, "graph": {"nodes": NODES, "edges": EDGES}}
HALVES = [{"graph": {"nodes": NODES[:3], "edges": EDGES[:1]}}, {"graph": {"nodes": NODES[3:], "edges": EDGES[1:]}}]
CONTRACT_FILES = {
    "on_lines": "\n".join(map(json.dumps, HALVES)).encode(),
    "one_behind_the_other": "".join(json.dumps(half, indent=1) for half in HALVES).encode(),
    "array": json.dumps(HALVES).encode(), "whole": json.dumps(WHOLE).encode(), "indented": json.dumps(WHOLE, indent=2).encode(),
    "metadata_last": json.dumps({"graph": {"edges": EDGES, "nodes": NODES}, "metadata": {}}).encode(),
}


def grants(loaded: Loaded) -> set[tuple[Any, ...]]:
    return set(loaded.rows("entitlements", "principal_id", "grant_kind", "privilege", "scope"))


def settled(*documents: Any) -> set[tuple[Any, ...]]:
    """Grants once everything is loaded."""
    found = [Loaded(document) for document in documents]
    frames = {name: tables.concat([tables.conform(loaded[name], tables.ALL[name]) for loaded in found],
                                  tables.ALL[name]).lazy() for name in ("entitlements", "identity_facts", "resources")}
    rows = settle(frames)["entitlements"].collect()
    assert rows.schema == tables.ENTITLEMENTS.schema
    return set(rows.select("principal_id", "grant_kind", "privilege", "scope").rows())


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_every_order_of_the_document_gives_the_same_records(name: str) -> None:
    first, other = Loaded(WHOLE), Loaded(CONTRACT_FILES[name])
    assert sorted(other.ids) == sorted(first.ids)
    assert grants(other) == grants(first)
    assert len(first.ids) == len(NODES) + len(EDGES)


def test_nodes_are_identities_or_resources_by_the_word_of_their_kind() -> None:
    loaded = Loaded(WHOLE)
    assert loaded.rows("identity_facts", "id", "kind", "subkind") == sorted([
        ("opengraph::U_1", "unknown", "GH_User"), ("opengraph::T_1", "group", "GH_Team"),
        ("opengraph::R_1", "role", "GH_OrgRole"), ("ad:S-1-5-21-111-222-333:" + SID, "unknown", "User"),
        ("opengraph::SA_1", "service_account", "OKTA_ServiceAccount"), ("opengraph::P_1", "human", "Person"),
    ], key=repr)
    assert loaded.rows("resources", "id", "kind", "attributes") == sorted([
        ("opengraph::REPO_1", "GH_Repository", '{"private":true,"stars":4}'),
        ("opengraph::A_1", "GH_AppInstallation", None)], key=repr)


def test_edges_are_memberships_owners_or_rights_of_their_own_name() -> None:
    found = grants(Loaded(WHOLE))
    assert {("opengraph::U_1", "membership", "GH_MemberOf", "opengraph::T_1"),
            ("opengraph::T_1", "right", "GH_HasRole", "opengraph::R_1"),
            ("opengraph::U_1", "owner", "GH_Owns", "opengraph::REPO_1")} <= found


def test_ends_by_name_or_property_become_the_one_node_they_mean() -> None:
    found = settled(WHOLE)
    assert ("ad:S-1-5-21-111-222-333:" + SID, "right", "GH_SyncedTo", "opengraph::U_1") in found
    assert ("opengraph::P_1", "right", "GH_MapsToUser", "opengraph::U_1") in found
    assert ("opengraph::U_1", "right", "GH_AdminTo", "opengraph::match/gh_repository/name=nobody knows") in found


def test_an_end_that_two_nodes_answer_to_stays_as_it_was_named() -> None:
    twice = {"graph": {"nodes": [*NODES, node("U_2", "GH_User", email="alice@corp.example")], "edges": EDGES}}
    assert ("opengraph::P_1", "right", "GH_MapsToUser",
            "opengraph::match/gh_user/email=alice@corp.example") in settled(twice)


def test_an_end_by_name_may_be_an_account_of_another_collection() -> None:
    account = {"data": [{"ObjectIdentifier": SID, "Aces": [], "AllowedToDelegate": [], "Properties": {
        "name": "ALICE@CORP.LOCAL", "domain": "CORP.LOCAL", "samaccountname": "Alice", "domainsid": SID[:-5]}}],
        "meta": {"type": "users", "methods": 1, "version": 6, "count": 1}}
    alone = {"graph": {"nodes": [NODES[0]], "edges": [EDGES[3]]}}
    assert settled(alone, account) >= {("ad:S-1-5-21-111-222-333:" + SID, "right", "GH_SyncedTo", "opengraph::U_1")}


@pytest.mark.parametrize("start", [
    {"match_by": "property", "kind": "AZUser", "property_matchers": [
        {"key": "userPrincipalName", "operator": "equals", "value": "Alice@Corp.example"}]},
    {"match_by": "name", "kind": "AZUser", "value": "ALICE@CORP.EXAMPLE"}])
def test_an_end_by_user_principal_name_is_the_user_that_an_inventory_of_entra_lists(start: Json) -> None:
    tenant, user = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"
    listed = {"data": [{"kind": "AZUser", "data": {"id": user, "displayName": "Alice", "tenantId": tenant,
                                                   "userPrincipalName": "alice@corp.example"}}],
              "meta": {"type": "azure", "version": 5, "count": 1}}
    alone = {"graph": {"nodes": [NODES[0]], "edges": [edge("GH_SyncedTo", start, by_id("U_1"))]}}
    assert settled(alone, listed) >= {(f"entra:{tenant}:{user}", "right", "GH_SyncedTo", "opengraph::U_1")}
    assert not any(row[0].startswith("entra:") for row in settled(alone))
    untold = {"data": [{"kind": "AZUser", "data": {"id": user, "userPrincipalName": "alice@corp.example"}}],
              "meta": {"type": "azure", "version": 5, "count": 1}}
    assert settled(alone, listed, untold) == settled(alone, listed)
    assert settled(alone, untold) >= {(f"entra::{user}", "right", "GH_SyncedTo", "opengraph::U_1")}


def test_a_node_or_an_end_that_is_an_arn_is_that_principal_of_aws() -> None:
    role = "arn:aws:iam::111122223333:role/team/deploy"
    loaded = Loaded({"graph": {"nodes": [*NODES, {"id": role, "kinds": ["AWSRole"], "properties": {"name": "deploy"}}],
                               "edges": [edge("GH_CanAssumeAWSRole", by_id("REPO_1"), by_id(role)),
                                         edge("GH_Uses", by_id("REPO_1"), by_id("arn:aws:s3:::bucket"))]}})
    here = f"aws:111122223333:{role}"
    assert grants(loaded) == {("opengraph::REPO_1", "right", "GH_CanAssumeAWSRole", here),
                              ("opengraph::REPO_1", "right", "GH_Uses", "opengraph::arn:aws:s3:::bucket")}
    [found] = [row for row in loaded["identity_facts"].to_dicts() if row["id"] == here]
    assert (found["kind"], found["alt_ids"]) == ("role", [{"kind": "arn", "value": role}])


def test_addresses_are_other_names_and_free_texts_are_stored_nowhere() -> None:
    loaded = Loaded(WHOLE)
    [alice] = [row for row in loaded["identity_facts"].to_dicts() if row["id"] == "opengraph::U_1"]
    assert alice["alt_ids"] == [{"kind": "email", "value": "alice@corp.example"}, {"kind": "login", "value": "alice"}]
    assert (alice["tenant"], alice["enabled"], alice["created_at"].year) == ("O_1", True, 2024)
    [person] = [row for row in loaded["identity_facts"].to_dicts() if row["id"] == "opengraph::P_1"]
    assert person["unmapped"] == '{"weight":3}'
    assert CANARY not in json.dumps([frame.to_dicts() for frame in loaded.frames.values()], default=str)


def test_records_without_id_or_ends_are_faults_and_cost_no_other() -> None:
    loaded = Loaded({"graph": {"nodes": [{"kinds": ["User"]}, 7, *NODES], "edges": [{"kind": "X", "start": {}}, *EDGES]}})
    assert sorted((fault.reason, fault.position) for fault in loaded.faults) == [
        ("no_ends", 2 + len(NODES)), ("no_id", 0), ("not_an_object", 1)]
    assert len(loaded.ids) == len(NODES) + len(EDGES)


def test_a_cut_document_keeps_its_whole_records_and_says_that_it_is_cut() -> None:
    data = json.dumps(WHOLE).encode()
    loaded = Loaded(data[: data.index(b'"GH_SyncedTo"')])
    assert len(loaded.ids) == len(NODES) + 3
    assert loaded.truncated
    assert [fault.reason for fault in loaded.faults] == ["truncated"]


def test_a_graph_of_something_else_is_nobodys() -> None:
    other = {"graph": {"nodes": [{"label": "x"}], "edges": []}}
    assert Loaded(WHOLE).source == "ad_opengraph"
    with pytest.raises(AssertionError, match="no loader knows it"):
        Loaded(other)
    assert "ad_opengraph" in loaders()
