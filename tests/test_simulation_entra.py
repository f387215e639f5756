"""The directory of the made-up organisation: who is in it, who signs in, what is asked of Graph, which risks are seen.

Files are read here with the standard library; only the last tests load them.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl
import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import simulate, thought_up
from lineage_analytics.simulation.chapters import _directory_groups, _packages, governance
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import END
from lineage_analytics.simulation.writers import entra_directory
from lineage_analytics.workspace import Store, load, open_estate
from tests._simulated import content, only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lineage_analytics.workspace import Estate, Result

Json = dict[str, Any]

SOURCES = ("entra_directory", "entra_graph_activity", "entra_risk", "entra_signins")
BASE = ("aws_cloudtrail", "aws_iam", "declared", "entra_audit", "m365_audit")
SEED, PEOPLE, DAYS = 7, 30, 100
TYPES = {"signinlogs": "interactiveUser", "noninteractiveusersigninlogs": "nonInteractiveUser",
         "serviceprincipalsigninlogs": "servicePrincipal", "managedidentitysigninlogs": "managedIdentity"}


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Only this chapter, and only what it and the first three providers write."""
    with only(("directory",), (*SOURCES, *BASE)):
        yield


@pytest.fixture(scope="module")
def made(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  (patched while it writes)
    directory = tmp_path_factory.mktemp("simulated")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


def lines(made: Path, pattern: str) -> list[Json]:
    found = [json.loads(line) for path in sorted(made.glob(pattern)) for line in content(path).splitlines()]
    assert found, pattern
    return found


def values(made: Path, pattern: str) -> list[Json]:
    found = [row for path in sorted(made.glob(pattern)) for row in json.loads(content(path))["value"]]
    assert found, pattern
    return found


def listed(made: Path, name: str) -> list[Json]:
    return values(made, f"entra_directory/{name}.json.gz")


def sign_ins(made: Path, category: str = "*") -> list[Json]:
    """Sign-ins of the diagnostic setting, which has all of them once."""
    return [line["properties"] for line in lines(made, f"entra_signins/insights-logs-{category}/*.json.gz")]


def requests(made: Path) -> list[Json]:
    return [line["properties"] for line in lines(made, "entra_graph_activity/insights-logs-*/*.json.gz")]


def truth(made: Path, name: str) -> Any:
    return json.loads((made / "truth" / name).read_text())


def story(made: Path, name: str) -> list[str]:
    where: list[str] = next(s["where"] for s in truth(made, "stories.json")["stories"] if s["name"] == name)
    return where


def owner_rows(made: Path) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO((made / "declared" / "owners.csv").read_text()))
    return {row["identity"].rsplit(":", 1)[-1]: row["confirmed_on"] for row in rows}


# --- native form -----------------------------------------------------------------------------------------------------


def test_every_category_has_its_blobs_with_sign_ins_of_its_type(made: Path) -> None:
    found = {}
    for folder in sorted((made / "entra_signins").glob("insights-logs-*")):
        category = folder.name.removeprefix("insights-logs-")
        blobs = lines(made, f"entra_signins/{folder.name}/*.json.gz")
        assert {blob["category"].lower() for blob in blobs} == {category}
        assert {kind for blob in blobs for kind in blob["properties"]["signInEventTypes"]} == {TYPES[category]}
        assert {blob["resourceId"].split("/")[2] for blob in blobs} == {truth(made, "records.json")["directory"]}
        found[category] = len(blobs)
    assert found.keys() == TYPES.keys()
    assert sum(found.values()) == truth(made, "records.json")["entra_signins"]


def test_distinct_records_are_as_many_as_the_truth_says(made: Path) -> None:
    counts = truth(made, "records.json")
    assert len({s["id"] for s in sign_ins(made)}) == counts["entra_signins"]
    assert len({r["requestId"] for r in requests(made)}) == counts["entra_graph_activity"]
    risks = values(made, "entra_risk/*.json.gz")
    stamps = {(r["id"], r.get("lastUpdatedDateTime") or r["riskLastUpdatedDateTime"]) for r in risks}
    assert len(risks) == len(stamps) == counts["entra_risk"]
    objects = {(path.name.split("-0")[0], json.dumps(row, sort_keys=True))
               for path in (made / "entra_directory").glob("*.json.gz") for row in json.loads(content(path))["value"]}
    assert len(objects) == counts["entra_directory"]


def test_the_word_synthetic_stands_in_every_file_family(made: Path) -> None:
    for source in SOURCES:
        assert b"ynthetic" in b"".join(content(p) for p in sorted((made / source).rglob("*")) if p.is_file()), source


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    for source in SOURCES:
        written = {p.relative_to(made): p.read_bytes() for p in (made / source).rglob("*") if p.is_file()}
        assert written
        assert written == {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / source).rglob("*")
                           if p.is_file()}


def test_a_second_packaging_says_the_same_and_nothing_more(made: Path) -> None:
    known = {s["id"]: s for s in sign_ins(made)}
    assert all(known[row["id"]] == row for row in values(made, "entra_signins/signIns-*.json.gz"))
    text = content(made / "entra_signins" / "AADServicePrincipalSignInLogs.csv.gz").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows
    for row in rows:
        record = known[row["Id"]]
        assert (row["AppId"], row["CorrelationId"], row["ServicePrincipalId"], row["ResourceIdentity"]) == (
            record["appId"], record["correlationId"], record["servicePrincipalId"], record["resourceId"])
    asked = {r["requestId"]: r for r in requests(made)}
    for row in lines(made, "entra_graph_activity/*.ndjson.gz"):
        assert {key[0].lower() + key[1:]: held for key, held in row.items()}.items() >= asked[row["RequestId"]].items()
    risks = {json.dumps(row) for row in values(made, "entra_risk/*.json.gz")}
    assert {json.dumps(line["properties"]) for line in lines(made, "entra_risk/insights-logs-risk/*.gz")} <= risks
    people = {row["id"]: row for row in listed(made, "users-*")}
    again = json.loads((made / "entra_directory" / "powershell" / "users.json").read_bytes())
    assert again
    assert all({key[0].lower() + key[1:]: held for key, held in row.items()} == people[row["Id"]] for row in again)


# --- one story with the rest -------------------------------------------------------------------------------------------


def test_people_listed_are_the_declared_ones_and_no_guest(made: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((made / "declared" / "persons.csv").read_text())))
    declared = {row["account"] for row in rows if not row["account"].startswith("arn:")}
    found = listed(made, "users-*")
    people = [row for row in found if "@odata.type" not in row]
    assert all({row["id"], row["userPrincipalName"]} & declared for row in people)
    assert len({row["id"] for row in people}) == len(declared)
    assert not any("#EXT#" in row["userPrincipalName"] for row in found)
    left = {row["account"] for row in rows if row["status"] == "left"}
    assert {row["userPrincipalName"] for row in people if not row["accountEnabled"]} == {a for a in left if "@" in a}


def test_whoever_the_audit_log_says_was_added_to_a_group_is_in_it(made: Path) -> None:
    added = set()
    for line in lines(made, "entra_audit/insights-logs-auditlogs/*.json.gz"):
        if line["operationName"] == "Add member to group":
            target = line["properties"]["targetResources"][0]
            changed = {m["displayName"]: m["newValue"].strip('"') for m in target["modifiedProperties"]}
            added.add((changed["Group.ObjectID"], changed["Group.DisplayName"], target["id"]))
    inside = {(group["id"], group["displayName"], member["id"]) for group in listed(made, "groups")
              for member in group["members"]}
    assert added
    assert added <= inside


def test_a_request_to_graph_bears_the_token_of_a_sign_in_by_the_same_principal_before_it(made: Path) -> None:
    by_token = {s["uniqueTokenIdentifier"]: s for s in sign_ins(made)}
    for asked in requests(made):
        signed_in = by_token[asked["signInActivityId"]]
        assert (asked["userId"] or asked["servicePrincipalId"]) == (
            signed_in.get("userId") or signed_in["servicePrincipalId"])
        assert asked["appId"] == signed_in["appId"]
    some = next(iter(by_token))
    assert str(UUID(bytes_le=base64.urlsafe_b64decode(some + "=="))) == by_token[some]["id"]


def test_the_agent_of_the_audit_log_signs_in_from_its_blueprint_and_asks_for_roles_over_graph(made: Path) -> None:
    agent = next(row for row in listed(made, "service-principals") if row["servicePrincipalType"] == "ServiceIdentity")
    blueprint = next(row for row in listed(made, "applications") if "@odata.type" in row)
    assert agent["agentIdentityBlueprintId"] == blueprint["appId"]
    assert len(agent["sponsors"]) == 1
    own = [s for s in sign_ins(made, "serviceprincipalsigninlogs") if s["servicePrincipalId"] == agent["id"]]
    assert {s["agent"]["parentAppId"] for s in own} == {blueprint["appId"]}
    pages = values(made, "entra_audit/directoryAudits-*.json.gz")
    requested = {row["id"] for row in pages if row["activityDisplayName"].endswith("PIM requested (timebound)")
                 and (row["initiatedBy"]["app"] or {}).get("servicePrincipalId") == agent["id"]}
    assert len(own) == len(requested)
    links = {(row["from_event_id"], row["to_event_id"]) for row in csv.DictReader(
        io.StringIO((made / "truth" / "links.csv").read_text())) if row["rel"] == "triggered_by"}
    asked = {r["requestId"] for r in requests(made) if r["servicePrincipalId"] == agent["id"]}
    assert {source for source, _ in links} == requested
    assert {target for _, target in links} == asked


def test_software_signs_in_with_a_key_that_its_registration_lists(made: Path) -> None:
    keys = {key["keyId"]: row["appId"] for name in ("applications", "service-principals")
            for row in listed(made, name) for kind in ("passwordCredentials", "keyCredentials")
            for key in row.get(kind, ())}
    federated = {held["id"]: row["appId"] for row in listed(made, "applications")
                 for held in row.get("federatedIdentityCredentials", ())}
    used: Counter[str] = Counter()
    for record in sign_ins(made, "serviceprincipalsigninlogs"):
        if "servicePrincipalCredentialKeyId" in record:
            assert keys[record["servicePrincipalCredentialKeyId"]] == record["appId"]
            used["key"] += 1
        elif "agent" not in record:
            assert federated[record["federatedCredentialId"]] == record["appId"]
            used["federated"] += 1
    assert used["key"] > 100
    assert used["federated"] > 50


def test_reviews_and_access_packages_leave_their_marks_on_groups_and_applications(alone: None) -> None:  # noqa: ARG001
    world = thought_up(SEED, PEOPLE, DAYS)
    governance.begin(world, Dice(SEED, "test"))
    told = world.cast["governance"]
    inside = {(group, person.number) for group, held in _directory_groups.members(world).items() for person in held}
    taken = {(review.resource_id, item.person.number): item.applied for review in told.reviews
             if review.kind == "group" for item in review.items if item.carried_out}
    given = {(_packages.group_of(request.package), request.person.number): request.done
             for request in sorted(told.packages.requests, key=lambda r: r.asked)
             if request.state == "delivered" and request.sort != "systemRemove"
             and (request.until is None or request.until > END)}
    assert {key for key, done in given.items() if key not in taken or taken[key] < done} <= inside
    assert any(key not in inside for key in taken)
    principals = {app.principal.native_id for app in world.cast["directory"].apps.values()}
    assert {review.resource_id for review in told.reviews if review.kind == "servicePrincipal"} <= principals


def test_a_person_from_the_premises_states_their_sid(tmp_path: Path) -> None:
    world = thought_up(SEED, PEOPLE, 40)
    who = next(p for p in world.persons if p.declared and not p.admin_id)
    who.sid = "S-1-5-21-1-2-3-1104"
    entra_directory.write(tmp_path / "entra_directory", world)
    row = next(row for row in listed(tmp_path, "users-*") if row["id"] == who.object_id)
    assert (row["onPremisesSecurityIdentifier"], row["onPremisesSyncEnabled"]) == (who.sid, True)


# --- planted stories ---------------------------------------------------------------------------------------------------


def test_the_leaked_secret_is_the_one_a_stranger_signed_in_with(made: Path) -> None:
    principal, key, detection, *nights = story(made, "leaked_credential_of_an_application")
    found = next(r for r in values(made, "entra_risk/servicePrincipalRiskDetections.json.gz") if r["id"] == detection)
    assert (found["riskEventType"], found["riskState"], found["keyIds"]) == ("leakedCredentials", "atRisk", [key])
    strange = {s["id"] for s in sign_ins(made, "serviceprincipalsigninlogs") if s["ipAddress"] == "192.0.2.66"}
    assert strange == set(nights[::2])
    assert {s["servicePrincipalCredentialKeyId"] for s in sign_ins(made) if s["id"] in strange} == {key}
    assert {r["requestUri"] for r in requests(made) if r["requestId"] in nights[1::2]} == {
        "https://graph.microsoft.com/v1.0/users"}
    app = next(r for r in listed(made, "applications") if any(k["keyId"] == key for k in r.get(
        "passwordCredentials", ())))
    assert app["passwordCredentials"][0]["startDateTime"] < "2024"
    assert principal not in owner_rows(made)


def test_the_impossible_travel_was_seen_in_one_sign_in_and_dismissed(made: Path) -> None:
    here, away, detection = story(made, "impossible_travel_dismissed")
    known = {s["id"]: s for s in sign_ins(made, "signinlogs")}
    assert known[here]["userId"] == known[away]["userId"]
    assert known[here]["ipAddress"] != known[away]["ipAddress"]
    assert known[away]["riskState"] == "atRisk"
    states = [r for r in values(made, "entra_risk/riskDetections.json.gz") if r["id"] == detection]
    assert {r["requestId"] for r in states} == {away}
    assert {(r["riskState"], r["riskDetail"]) for r in states} == {
        ("atRisk", "none"), ("dismissed", "adminDismissedAllRiskForUser")}


def test_one_application_may_do_everything_for_everybody(made: Path) -> None:
    grant, client = story(made, "consented_for_everybody")
    broad = next(g for g in listed(made, "delegated-grants") if g["id"] == grant)
    assert (broad["consentType"], broad["principalId"], broad["clientId"]) == ("AllPrincipals", None, client)
    assert "Files.ReadWrite.All" in broad["scope"].split()
    app_id = next(r["appId"] for r in listed(made, "service-principals") if r["id"] == client)
    registration = next(r for r in listed(made, "applications") if r["appId"] == app_id)
    assert [key["startDateTime"] for key in registration["passwordCredentials"]] == [None]


def test_the_agents_user_has_lost_its_agent_and_an_application_nobody_uses(made: Path) -> None:
    user, agent = story(made, "agent_user_without_agent")
    row = next(r for r in listed(made, "users-*") if r["id"] == user)
    assert (row["@odata.type"], row["identityParentId"]) == ("#microsoft.graph.agentUser", agent)
    principals = {r["id"] for r in listed(made, "service-principals")}
    assert agent not in principals
    (unused,) = story(made, "application_nobody_uses")
    assert unused in principals
    assert not any(s.get("servicePrincipalId") == unused or s.get("userId") == user for s in sign_ins(made))


# --- loaded ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Estate]:
    workspace = tmp_path_factory.mktemp("workspace")
    result = load([made], Store.create(workspace))
    return result, open_estate(workspace)


def test_the_loaders_accept_every_record_once(made: Path, loaded: tuple[Result, Estate]) -> None:
    for source in SOURCES:
        count = loaded[0].counts[source]
        assert count.accepted == truth(made, "records.json")[source], source
        assert count.duplicate > 0, source
        assert count.quarantined == count.rejected == 0, source


def test_every_principal_is_of_the_kind_it_is(made: Path, loaded: tuple[Result, Estate]) -> None:
    rows = list(csv.DictReader(io.StringIO((made / "truth" / "identities.csv").read_text())))
    kinds = {row["native_id"]: row["kind"] for row in rows}
    found = dict(loaded[1].identities.select(pl.col("id").str.splitn(":", 3).struct.field("field_2"), "kind")
                 .collect().iter_rows())
    assert [native for native, kind in found.items() if native in kinds and kinds[native] != kind] == []
    own = {row["id"] for name in ("service-principals", "applications", "groups") for row in listed(made, name)}
    assert own <= kinds.keys() & found.keys()


def test_measures_are_those_of_the_story_and_a_dismissal_stands_with_what_it_dismissed(made: Path, loaded: tuple[Result, Estate]) -> None:
    estate = loaded[1]
    decisions = decision_lineage(estate)
    found = {(row["metric_id"], row["scope"]): row for row in measure(
        estate, access_lineage(estate), decisions).measures.iter_rows(named=True)}
    for planted in truth(made, "measures.json")["measures"]:
        row = found[planted["metric_id"], planted["scope"]]
        assert (row["numerator"] or 0, row["denominator"] or 0, row["n_unknown"]) == (
            planted["numerator"], planted["denominator"], planted["n_unknown"]), planted
    detection = story(made, "impossible_travel_dismissed")[-1]
    signed_in = story(made, "impossible_travel_dismissed")[1]
    cases = decisions.steps.filter(pl.col("event_id").is_in([detection, signed_in]))
    # The sign-in, the detection, and the detection again as it stands with its dismissal.
    assert sorted(cases["kind"]) == ["decision", "signal", "signal", "signal"]
    assert cases["case_id"].n_unique() == 1
