"""The forest on premises of the made-up organisation, its directory and its code host as graph collectors see them.

Files are read here with the standard library; only the last tests load them.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import simulate
from lineage_analytics.workspace import Store, load, open_estate
from tests._simulated import only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lineage_analytics.graphs.decisions import DecisionLineage
    from lineage_analytics.workspace import Estate, Result

Json = dict[str, Any]

SOURCES = ("ad_azurehound", "ad_opengraph", "ad_sharphound", "windows_security")
BASE = ("aws_cloudtrail", "aws_iam", "declared", "entra_audit", "m365_audit")
SEED, PEOPLE, DAYS = 6, 40, 100
REALM = "NORTHWIND-SYNTHETIC.EXAMPLE"


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Only the two chapters of these sources, and only what they and the first three providers write."""
    with only(("active_directory", "opengraph"), (*SOURCES, *BASE)):
        yield


@pytest.fixture(scope="module")
def made(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  (patched while it writes)
    directory = tmp_path_factory.mktemp("simulated")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


def documents(directory: Path, pattern: str) -> list[Any]:
    """The documents of the files that match: one a file, or one a line."""
    found: list[Any] = []
    for path in sorted(directory.glob(pattern)):
        content = gzip.decompress(path.read_bytes())
        found += map(json.loads, content.splitlines()) if "ndjson" in path.name else [json.loads(
            content.decode("utf-8-sig"))]
    assert found, pattern
    return found


def truth(made: Path, name: str) -> Any:
    if name.endswith(".csv"):
        return list(csv.DictReader((made / "truth" / name).open()))
    return json.loads((made / "truth" / name).read_text())


def story(made: Path, name: str) -> list[str]:
    where: list[str] = next(told["where"] for told in truth(made, "stories.json")["stories"] if told["name"] == name)
    return where


def events(made: Path) -> list[tuple[str, int, Json]]:
    """Computer and record number, event number and values of every event, copies and all."""
    beats = [(f"{e['winlog']['computer_name']}/{e['winlog']['record_id']}", e["winlog"]["event_id"],
              e["winlog"]["event_data"] | {"at": e["@timestamp"], "outcome": e["event"]["outcome"]})
             for e in documents(made / "windows_security", "winlogbeat-*")]
    rows = [*documents(made / "windows_security", "SecurityEvent-*.ndjson.gz"),
            *documents(made / "windows_security", "SecurityEvent-query*")[0]]
    return beats + [(f"{e['Computer']}/{e['EventRecordId']}", e["EventID"], e | {
        "at": e["TimeGenerated"], "outcome": "success" if e["Keywords"] == "0x8020000000000000" else "failure"})
                    for e in rows]


def event(made: Path, native: str) -> tuple[int, Json]:
    number, values = next((number, values) for key, number, values in events(made) if key == native)
    return number, values


def objects(made: Path, kind: str) -> dict[str, Json]:
    """Objects of the first SharpHound run by their id."""
    [document] = documents(made / "ad_sharphound", f"*_{kind}.json.gz")
    assert document["meta"] | {"type": kind, "count": len(document["data"])} == document["meta"]
    return {item["ObjectIdentifier"]: item for item in document["data"]}


def entries(made: Path, kind: str) -> list[Json]:
    [document] = documents(made / "ad_azurehound", "azurehound*")
    return [entry["data"] for entry in document["data"] if entry["kind"] == kind]


# --- files ---------------------------------------------------------------------------------------------------------


def test_every_file_says_that_it_is_synthetic(made: Path) -> None:
    for source in SOURCES:
        for path in (made / source).rglob("*.gz"):
            assert b"ynthetic" in gzip.decompress(path.read_bytes()), path


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
        alone: None, made: Path, tmp_path: Path) -> None:  # noqa: ARG001
    simulate(tmp_path / "same", SEED, PEOPLE, DAYS)
    simulate(tmp_path / "other", SEED + 1, PEOPLE, DAYS)
    for source in SOURCES:
        held = {path.relative_to(made): path.read_bytes() for path in (made / source).rglob("*.gz")}
        assert held == {p.relative_to(tmp_path / "same"): p.read_bytes() for p in (tmp_path / "same" / source).rglob(
            "*.gz")}
        others = {p.relative_to(tmp_path / "other"): p.read_bytes() for p in (tmp_path / "other" / source).rglob("*.gz")}
        assert not {path for path, content in others.items() if held.get(path) == content}


def test_distinct_records_are_as_many_as_the_truth_says_and_some_come_twice(made: Path) -> None:
    stated = truth(made, "records.json")
    found = {
        "windows_security": [(native, number) for native, number, _ in events(made)],
        "ad_sharphound": [item for document in documents(made / "ad_sharphound", "**/*.json.gz")
                          for item in document["data"]],
        "ad_azurehound": [*documents(made / "ad_azurehound", "azurehound*")[0]["data"],
                          *documents(made / "ad_azurehound", "roles*")],
        "ad_opengraph": [item for document in documents(made / "ad_opengraph", "**/*.json.gz")
                         for key in ("nodes", "edges") for item in document["graph"][key]]}
    for source, records in found.items():
        distinct = {json.dumps(record, sort_keys=True) for record in records}
        assert len(distinct) == stated[source] < len(records), source


def test_record_numbers_of_a_computer_rise_with_time(made: Path) -> None:
    by_computer: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for native, _, values in events(made):
        computer, number = native.split("/")
        by_computer[computer].append((values["at"], int(number)))
    assert set(by_computer) == {"dc01.northwind-synthetic.example", "dc02.northwind-synthetic.example"}
    for said in by_computer.values():
        assert [number for _, number in sorted(said)] == sorted(number for _, number in said)


def test_the_second_controller_delivered_three_days_late(made: Path) -> None:
    rows = documents(made / "windows_security", "SecurityEvent-late*")
    assert {row["Computer"] for row in rows} == {"dc02.northwind-synthetic.example"}
    delays = {datetime.fromisoformat(row["TimeCollected"]) - datetime.fromisoformat(row["TimeGenerated"]) for row in rows}
    assert [delay.total_seconds() for delay in delays] == [36 * 3600]


# --- the forest ----------------------------------------------------------------------------------------------------


def test_people_of_the_directory_state_the_accounts_they_are_synchronised_from(made: Path) -> None:
    users = objects(made, "users")
    synced = {user["userPrincipalName"]: user["onPremisesSecurityIdentifier"] for user in entries(made, "AZUser")
              if "onPremisesSecurityIdentifier" in user}
    assert len(synced) > 8
    assert {login: users[sid]["Properties"]["email"] for login, sid in synced.items()} == {
        login: login for login in synced}


def test_the_directory_lists_whom_the_customer_declares_and_no_other(made: Path) -> None:
    declared = {row["account"] for row in truth(made, "../declared/persons.csv")}
    listed = entries(made, "AZUser")
    assert len(listed) > PEOPLE * 0.8
    # Whoever has a second, administrative account is declared by object id, everybody else by login.
    assert all(user["id"] in declared or user["userPrincipalName"] in declared for user in listed)


def test_whoever_is_in_a_group_or_holds_a_right_is_an_object_of_the_collection(made: Path) -> None:
    kinds = [objects(made, kind) for kind in ("users", "groups", "computers", "domains", "ous")]
    known = {native for found in kinds for native in found}
    for found in kinds:
        for item in found.values():
            assert {ace["PrincipalSID"] for ace in item["Aces"]} <= known
            assert {member["ObjectIdentifier"] for member in item.get("Members", ())} <= known


def test_the_help_desk_reaches_domain_admins_over_a_service_account(made: Path) -> None:
    helpdesk, backup, operators, infrastructure, admins = story(made, "ad_way_to_domain_admins")
    groups = objects(made, "groups")

    def rights(item: Json, who: str) -> set[str]:
        return {ace["RightName"] for ace in item["Aces"] if ace["PrincipalSID"] == who}

    def members(group: str) -> set[str]:
        return {member["ObjectIdentifier"] for member in groups[group]["Members"]}

    assert "GenericWrite" in rights(objects(made, "users")[backup], helpdesk)
    assert backup in members(operators)
    assert operators in members(infrastructure)
    assert "AddMember" in rights(groups[admins], infrastructure)
    assert admins.endswith("-512")
    assert not {backup, operators, infrastructure} & members(admins)


def test_group_changes_of_the_log_lead_to_the_members_of_the_collection(made: Path) -> None:
    """What was last put there is there, what was last taken out is not."""
    last: dict[tuple[str, str], int] = {}
    for _, number, values in sorted(events(made), key=lambda found: str(found[2]["at"])):
        if number in (4728, 4729):
            last[values["TargetSid"], values["MemberSid"]] = number
    assert Counter(last.values()).keys() == {4728, 4729}
    held = {(group, member["ObjectIdentifier"]) for group, item in objects(made, "groups").items()
            for member in item["Members"]}
    assert {pair for pair, number in last.items() if number == 4728} <= held
    assert not {pair for pair, number in last.items() if number == 4729} & held


def test_accounts_made_in_the_log_stand_in_the_collection_with_that_moment_but_the_one_that_was_deleted(
        made: Path) -> None:
    users = objects(made, "users")
    born = {values["TargetSid"]: values["at"] for _, number, values in events(made) if number == 4720}
    gone = {values["TargetSid"] for _, number, values in events(made) if number == 4726}
    assert len(gone) == 1
    assert story(made, "ad_account_for_one_night")[0] in gone
    assert not gone & set(users)
    assert len(born) > 1
    for native in born.keys() - gone:
        created = datetime.fromtimestamp(users[native]["Properties"]["whencreated"], UTC)
        assert created == datetime.fromisoformat(born[native])


def test_passwords_are_not_older_than_the_last_reset_in_the_log(made: Path) -> None:
    users = objects(made, "users")
    resets = [(values["TargetSid"], datetime.fromisoformat(values["at"]).timestamp()) for _, number, values in
              events(made) if number == 4724 and values["outcome"] == "success"]
    assert len(resets) > 2
    assert all(users[sid]["Properties"]["pwdlastset"] >= at for sid, at in resets)


# --- what happened at night ----------------------------------------------------------------------------------------


def test_a_key_was_written_at_night_and_used_four_minutes_later(made: Path) -> None:
    key, ticket, helper, backup = story(made, "ad_key_written_at_night")
    number, written = event(made, key)
    assert (number, written["AttributeLDAPDisplayName"], written["SubjectUserSid"]) == (
        5136, "msDS-KeyCredentialLink", helper)
    assert written["at"][11:13] < "05"
    number, asked = event(made, ticket)
    assert (number, asked["TargetSid"], asked["PreAuthType"]) == (4768, backup, "16")  # with a certificate
    delay = datetime.fromisoformat(asked["at"]) - datetime.fromisoformat(written["at"])
    assert delay.total_seconds() == 240


def test_somebody_was_in_domain_admins_for_78_minutes_of_a_night(made: Path) -> None:
    added, removed, marked, friend = story(made, "ad_administrator_for_an_hour")
    (first, put), (last, taken) = event(made, added), event(made, removed)
    assert (first, last) == (4728, 4729)
    assert {values["TargetSid"][-4:] for values in (put, taken)} == {"-512"}
    assert {values["MemberSid"] for values in (put, taken)} == {friend}
    assert (datetime.fromisoformat(taken["at"]) - datetime.fromisoformat(put["at"])).total_seconds() == 78 * 60
    number, values = event(made, marked)
    assert (number, values["AttributeLDAPDisplayName"], values["SubjectUserSid"]) == (5136, "adminCount", "S-1-5-18")
    [link] = [link for link in truth(made, "links.csv") if link["from_event_id"] == removed]
    assert (link["to_event_id"], link["rel"], link["provable"]) == (added, "rolls_back", "true")


def test_the_account_that_copied_the_directory_has_the_rights_to_and_no_owner(made: Path) -> None:
    who, *copies = story(made, "ad_account_that_copied_the_directory")
    [domain] = objects(made, "domains").values()
    assert {"GetChanges", "GetChangesAll"} <= {a["RightName"] for a in domain["Aces"] if a["PrincipalSID"] == who}
    for native in copies:
        number, values = event(made, native)
        assert (number, values["SubjectUserSid"]) == (4662, who)
        assert "{1131f6ad-9c07-11d1-f79f-00c04fc2dcd2}" in values["Properties"]
    assert not [row for row in truth(made, "../declared/owners.csv") if who in row["identity"]]
    assert [row for row in truth(made, "../declared/owners.csv") if row["identity"].startswith("ad:S-1-5-21-")]


def test_one_name_asked_for_weak_tickets_of_every_service(made: Path) -> None:
    who, *asked = story(made, "ad_tickets_of_every_service")
    said = [event(made, native) for native in asked]
    assert {(number, values["TicketEncryptionType"]) for number, values in said} == {(4769, "0x17")}
    assert {f"ad::{values['TargetUserName'].lower()}" for _, values in said} == {who}
    with_names = {native for native, user in objects(made, "users").items()
                  if user["Properties"]["hasspn"] and not native.endswith("-502")}
    assert {values["ServiceSid"] for _, values in said} == with_names


# --- the graph of the code host ------------------------------------------------------------------------------------


def test_every_edge_of_the_graph_ends_at_a_node_an_account_or_a_role_in_aws(made: Path) -> None:
    [graph] = [document["graph"] for document in documents(made / "ad_opengraph", "*.json.gz")]
    nodes = {node["id"] for node in graph["nodes"]}
    accounts = {user["Properties"]["name"] for user in objects(made, "users").values()}
    logins = {person["userPrincipalName"] for person in entries(made, "AZUser")}
    for edge in graph["edges"]:
        assert edge["end"]["value"] in nodes or edge["end"]["value"].startswith("arn:aws:iam::111122223333:role/")
        start = edge["start"]
        if start["match_by"] == "id":
            assert start["value"] in nodes
        elif start["match_by"] == "name":
            assert start["value"] in accounts
        else:
            assert start["property_matchers"][0]["value"] in logins
    assert {edge["start"]["match_by"] for edge in graph["edges"]} == {"id", "name", "property"}


def test_everyone_may_write_to_what_may_become_the_deploying_role(made: Path) -> None:
    everyone, write, deploy = story(made, "github_everyone_may_deploy")
    [graph] = [document["graph"] for document in documents(made / "ad_opengraph", "*.json.gz")]
    edges = {(edge["kind"], edge["start"].get("value"), edge["end"]["value"]) for edge in graph["edges"]}
    assert ("GH_HasRole", everyone, write) in edges
    repository = write.removesuffix("_write")
    assert ("GH_WriteRepoContents", write, repository) in edges
    assert ("GH_CanAssumeAWSRole", repository, deploy) in edges


def test_roles_in_the_directory_are_those_that_are_held(made: Path) -> None:
    held = {(item["principalId"], item["roleDefinitionId"]) for entry in entries(made, "AZRoleAssignment")
            for item in entry["roleAssignments"]}
    listed = {user["id"] for user in entries(made, "AZUser")}
    assert held
    assert {holder for holder, _ in held} <= listed
    eligible = {(item["principalId"], item["roleDefinitionId"]) for item in entries(
        made, "AZRoleEligibilityScheduleInstance")}
    assert eligible
    assert {holder for holder, _ in eligible} <= {u["id"] for u in entries(made, "AZUser") if "(admin)" in u[
        "displayName"]}


# --- loaded --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Estate, DecisionLineage]:
    workspace = tmp_path_factory.mktemp("workspace")
    result = load([made], Store.create(workspace))
    estate = open_estate(workspace)
    return result, estate, decision_lineage(estate)


Found = tuple["Result", "Estate", "DecisionLineage"]


def test_every_record_is_accepted_once(made: Path, loaded: Found) -> None:
    stated = truth(made, "records.json")
    for source in SOURCES:
        count = loaded[0].counts[source]
        assert (count.accepted, count.quarantined, count.rejected) == (stated[source], 0, 0), source
        assert count.duplicate > 0


def test_every_account_of_these_sources_is_found_with_its_kind_and_no_other(made: Path, loaded: Found) -> None:
    kinds = {row["native_id"]: row["kind"] for row in truth(made, "identities.csv")}
    found = loaded[1].frame("identities").filter(pl.col("provider").is_in(["ad", "opengraph"]))
    assert found.height > 50
    assert dict(found.select("id", "kind").iter_rows()) == {
        identity: kinds.get(identity.split(":", 2)[2]) for identity in found["id"]}


def test_synchronised_accounts_are_of_one_person_and_stay_two_accounts(made: Path, loaded: Found) -> None:
    synced = {user["id"]: user["onPremisesSecurityIdentifier"] for user in entries(made, "AZUser")
              if "onPremisesSecurityIdentifier" in user}
    persons = {identity.split(":", 2)[2]: person for identity, person in loaded[1].frame("identities").select(
        "id", "person_id").iter_rows()}
    assert all(persons[one] is not None and persons[one] == persons[other] for one, other in synced.items())


def test_two_events_of_one_operation_are_one_decision(made: Path, loaded: Found) -> None:
    one, other, _ = story(made, "ad_one_change_in_two_events")
    cases = dict(loaded[2].steps.select("event_id", "case_id").iter_rows())
    assert cases[one] == cases[other]


def test_what_a_repository_may_become_is_the_role_of_the_inventory(made: Path, loaded: Found) -> None:
    _, write, deploy = story(made, "github_everyone_may_deploy")
    [role] = loaded[1].frame("identities").filter(
        pl.col("alt_ids").list.eval(pl.element().struct.field("value") == deploy).list.any())["id"]
    reached = loaded[1].frame("entitlements").filter(pl.col("privilege") == "GH_CanAssumeAWSRole")
    assert (f"opengraph::{write.removesuffix('_write')}", role) in set(reached.select("principal_id", "scope").rows())


def test_every_measure_is_what_was_planted(made: Path, loaded: Found) -> None:
    _, estate, decisions = loaded
    rows = {(row["metric_id"], row["scope"]): row for row in measure(
        estate, access_lineage(estate), decisions).measures.iter_rows(named=True)}
    wrong = []
    for planted in truth(made, "measures.json")["measures"]:
        row = rows[planted["metric_id"], planted["scope"]]
        counted = (row["numerator"] or 0, row["denominator"] or 0, row["n_unknown"])
        wanted = (planted["numerator"], planted["denominator"], planted["n_unknown"])
        if counted != wanted:
            wrong.append((planted["metric_id"], planted["scope"], "planted", wanted, "measured", counted))
    assert wrong == []
