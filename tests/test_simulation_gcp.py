"""Google Cloud and Kubernetes in the made-up organisation: native in form, agreeing with themselves, true to the answers.

Files are read here with the standard library; only the last tests load them.
"""

from __future__ import annotations

import base64
import csv
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import simulate
from lineage_analytics.workspace import Store, load, open_estate
from tests._simulated import content, only

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Json = dict[str, Any]

SOURCES = ("gcp_audit", "gcp_iam", "gcp_recommender", "k8s_audit", "k8s_rbac")
BASE = ("aws_cloudtrail", "aws_iam", "declared", "entra_audit", "m365_audit")
SEED, PEOPLE, DAYS = 5, 24, 100


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Only the two chapters of these sources, and only what they and the first three providers write."""
    with only(("google_cloud", "kubernetes"), (*SOURCES, *BASE)):
        yield


@pytest.fixture(scope="module")
def made(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  (patched while it writes)
    directory = tmp_path_factory.mktemp("simulated")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


def opened(directory: Path, pattern: str) -> list[Any]:
    """The documents of the files that match: one a file, or one a line."""
    found = []
    for path in sorted(directory.glob(pattern)):
        lines = "ndjson" in path.name or ".log" in path.name
        found += [json.loads(line) for line in content(path).splitlines()] if lines else [json.loads(content(path))]
    assert found, pattern
    return found


def entries(made: Path) -> list[Json]:
    """The audit entries of Google Cloud, copies and all."""
    plain = [entry for month in opened(made / "gcp_audit", "cloudaudit-*.json.gz") for entry in month]
    pulled = [json.loads(base64.b64decode(message["message"]["data"]))
              for pull in opened(made / "gcp_audit", "subscription.json.gz") for message in pull]
    return plain + pulled


def events(made: Path) -> list[Json]:
    """The audit events of the cluster, copies and all."""
    batched = [event for batch in opened(made / "k8s_audit", "*/webhook-*.gz") for event in batch["items"]]
    return opened(made / "k8s_audit", "*/audit-*.log.gz") + batched


def once(records: Iterable[Json], key: str) -> dict[str, Json]:
    return {record[key]: record for record in records}


def truth(made: Path, name: str) -> Any:
    if name.endswith(".csv"):
        return list(csv.DictReader((made / "truth" / name).open()))
    return json.loads((made / "truth" / name).read_text())


def story(made: Path, name: str) -> list[str]:
    where: list[str] = next(told["where"] for told in truth(made, "stories.json")["stories"] if told["name"] == name)
    return where


# --- files ---------------------------------------------------------------------------------------------------------


def test_every_file_family_says_that_it_is_synthetic(made: Path) -> None:
    for source in SOURCES:
        for path in (made / source).rglob("*.*"):
            assert b"ynthetic" in content(path), path


def test_the_same_seed_gives_the_same_bytes(alone: None, made: Path, tmp_path: Path) -> None:  # noqa: ARG001
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    for source in SOURCES:
        before = {path.relative_to(made): path.read_bytes() for path in (made / source).rglob("*.*")}
        again = {path.relative_to(tmp_path): path.read_bytes() for path in (tmp_path / source).rglob("*.*")}
        assert before == again, source


def test_distinct_log_records_are_as_many_as_the_truth_says_and_some_come_twice(made: Path) -> None:
    stated = truth(made, "records.json")
    for source, records, key in (("gcp_audit", entries(made), "insertId"), ("k8s_audit", events(made), "auditID")):
        distinct = once(records, key)
        assert len(distinct) == stated[source] < len(records)
        assert all(record == distinct[record[key]] for record in records)  # a copy says what the first one says


def test_distinct_objects_of_inventories_are_as_many_as_the_truth_says_and_some_come_twice(made: Path) -> None:
    stated = truth(made, "records.json")
    rbac = [item for listing in opened(made / "k8s_rbac", "*/*.json*") for item in listing["items"]]
    advice = made / "gcp_recommender"
    snapshots = [item for page in opened(advice, "recommendations-[0-9].json") for item in page["recommendations"]]
    advised = [*snapshots, *(item for page in opened(advice, "recommendations-before.json") for item in page),
               *(item for page in opened(advice, "insights.json") for item in page["insights"]),
               *(item for page in opened(advice, "actions.json") for item in page)]
    iam = made / "gcp_iam"
    listed = [*opened(iam, "policies.ndjson"), *(item for pattern in ("service-accounts.json", "keys-*", "roles.json",
              "projects.json") for page in opened(iam, pattern) for item in page),
              *(item for page in opened(iam, "service-accounts-page*") for item in page["accounts"]),
              *(item for page in opened(iam, "activities.json") for item in page["activities"])]
    for source, objects in (("k8s_rbac", rbac), ("gcp_recommender", advised), ("gcp_iam", listed)):
        distinct = {json.dumps(item, sort_keys=True) for item in objects}
        assert len(distinct) == stated[source], source
        assert len(objects) > stated[source], source


def test_some_entries_came_two_days_late_and_two_days_of_the_cluster_are_lost(made: Path) -> None:
    late = [entry for entry in entries(made) if entry["timestamp"][:10] in ("2026-06-11", "2026-06-12")]
    assert late
    for entry in late:
        delay = datetime.fromisoformat(entry["receiveTimestamp"]) - datetime.fromisoformat(entry["timestamp"])
        assert delay == timedelta(days=2)
    days = {event["requestReceivedTimestamp"][:10] for event in events(made)}
    assert len(days) == DAYS - 2
    assert not days & {"2026-05-16", "2026-05-17"}


# --- what the story holds together ---------------------------------------------------------------------------------


def over(resource: str) -> str:
    """A resource of a log entry or a policy by its last part."""
    return resource.rstrip("/").rpartition("/")[2]


def bound(made: Path) -> set[tuple[str, str, str, str]]:
    """Resource, role, member and condition of every binding the exported policies hold."""
    return {(over(policy["name"]), binding["role"], member, binding.get("condition", {}).get("expression", ""))
            for policy in opened(made / "gcp_iam", "policies.ndjson")
            for binding in policy["iam_policy"]["bindings"] for member in binding["members"]}


def test_the_policies_hold_what_the_log_gave_last_and_nothing_that_it_took_last(made: Path) -> None:
    last: dict[tuple[str, str, str, str], str] = {}
    for entry in sorted(once(entries(made), "insertId").values(), key=lambda entry: str(entry["timestamp"])):
        payload = entry["protoPayload"]
        for delta in payload.get("serviceData", {}).get("policyDelta", {}).get("bindingDeltas", ()):
            last[over(payload["resourceName"]), delta["role"], delta["member"], delta.get("condition", {}).get(
                "expression", "")] = delta["action"]
    assert {"ADD", "REMOVE"} <= set(last.values())
    held = bound(made)
    assert {binding for binding, action in last.items() if action == "ADD"} <= held
    assert not {binding for binding, action in last.items() if action == "REMOVE"} & held


def test_an_address_given_twice_is_two_numbers_and_the_policy_keeps_the_old_one(made: Path) -> None:
    old, new, deleted, created = story(made, "gcp_same_address_two_accounts")
    found = once(entries(made), "insertId")
    labels = [found[event]["resource"]["labels"] for event in (deleted, created)]
    assert [label["unique_id"] for label in labels] == [old, new]
    assert labels[0]["email_id"] == labels[1]["email_id"]
    numbers = {account["email"]: account["uniqueId"] for page in opened(made / "gcp_iam", "service-accounts.json")
               for account in page}
    assert numbers[labels[1]["email_id"]] == new
    members = {member for _, _, member, _ in bound(made)}
    assert f"deleted:serviceAccount:{labels[0]['email_id']}?uid={old}" in members


def test_the_address_given_twice_calls_before_the_old_account_ends_and_after_the_new_one_begins(made: Path) -> None:
    _, _, deleted, created = story(made, "gcp_same_address_two_accounts")
    found = once(entries(made), "insertId")
    address = found[created]["resource"]["labels"]["email_id"]
    calls = sorted(str(entry["timestamp"]) for entry in found.values()
                   if entry["protoPayload"]["authenticationInfo"].get("principalEmail") == address)
    window = [call for call in calls if call > "2026-06-01"]
    before = [call for call in window if call < found[deleted]["timestamp"]]
    after = [call for call in window if call > found[created]["timestamp"]]
    assert len(before) >= 10
    assert len(after) >= 10
    assert len(before) + len(after) == len(window)


def test_one_of_two_deleted_keys_stands_in_the_listing_that_was_taken_before(made: Path) -> None:
    late, late_end, brief, brief_end = story(made, "gcp_key_deleted_after_the_listing")
    found = once(entries(made), "insertId")
    ends = [found[event]["protoPayload"]["resourceName"].rpartition("/")[2] for event in (late_end, brief_end)]
    assert ends == [late, brief]
    listed = {key["name"].rpartition("/")[2] for page in opened(made / "gcp_iam", "keys-*") for key in page}
    assert late in listed
    assert brief not in listed
    taken = {one["observationPeriod"]["endTime"] for page in opened(made / "gcp_iam", "activities.json")
             for one in page["activities"]}
    assert max(taken) < found[late_end]["timestamp"]


def test_a_token_for_an_hour_has_ended_and_one_for_a_season_has_not(made: Path) -> None:
    told = story(made, "k8s_token_for_a_season")
    found = once(events(made), "auditID")
    for token, event, ended in ((told[0], told[1], True), (told[2], told[3], False)):
        assert found[event]["annotations"]["authentication.kubernetes.io/issued-credential-id"] == token
        answer = found[event]["responseObject"]["status"]
        assert (answer["expirationTimestamp"] < "2026-06-30") is ended
        assert "token" not in answer


def test_the_advice_was_claimed_followed_and_given_back(made: Path) -> None:
    insight, advice, claim, change, returned = story(made, "gcp_advice_taken_and_taken_back")
    found = once(entries(made), "insertId")
    actions = once(opened(made / "gcp_recommender", "actions-again.ndjson.gz"), "insertId")
    snapshot = once((item for page in opened(made / "gcp_recommender", "recommendations-[0-9].json")
                     for item in page["recommendations"]), "name")[advice]
    assert snapshot["associatedInsights"] == [{"insight": insight}]
    assert snapshot["stateInfo"]["state"] == "SUCCEEDED"
    assert (actions[claim]["jsonPayload"]["state"], actions[claim]["jsonPayload"]["recommendationName"]) == (
        "CLAIMED", advice)
    assert actions[claim]["timestamp"] < found[change]["timestamp"] < found[returned]["timestamp"]
    overview = snapshot["content"]["overview"]
    taken, given = ([(delta["role"], delta["member"]) for delta in found[event]["protoPayload"]["serviceData"][
        "policyDelta"]["bindingDeltas"] if delta["action"] == action] for event, action in (
            (change, "REMOVE"), (returned, "ADD")))
    assert taken == given == [(overview["removedRole"], overview["member"])]


def test_a_change_made_through_a_service_account_names_the_person_behind_it(made: Path) -> None:
    found = once(entries(made), "insertId")
    for event in story(made, "gcp_acting_as_a_service_account"):
        caller = found[event]["protoPayload"]["authenticationInfo"]
        assert caller["principalSubject"].startswith("serviceAccount:ci-deployer@")
        assert caller["serviceAccountDelegationInfo"][0]["principalSubject"].startswith("user:")


def test_changes_that_software_made_for_software_name_both(made: Path) -> None:
    by_night, repository = story(made, "gcp_role_given_by_software_at_night")
    caller = once(entries(made), "insertId")[by_night]["protoPayload"]["authenticationInfo"]
    assert [hop["principalSubject"] for hop in caller["serviceAccountDelegationInfo"]] == [repository]
    synced, software = story(made, "k8s_deployer_acting_as_an_application")
    event = once(events(made), "auditID")[synced]
    assert event["impersonatedUser"]["username"] == software
    assert event["user"]["username"].startswith("system:serviceaccount:argocd:")


def test_people_of_the_project_and_the_cluster_are_people_of_the_organisation(made: Path) -> None:
    logins = {row["account"] for row in csv.DictReader((made / "declared" / "persons.csv").open())}
    people = {entry["protoPayload"]["authenticationInfo"]["principalSubject"] for entry in entries(made)}
    users = {event["user"]["username"] for event in events(made)}
    named = {name.partition(":")[2] for name in people | users if name.startswith(("user:", "oidc:"))}
    persons = {row["native_id"].partition(":")[2] for row in truth(made, "identities.csv")
               if row["native_id"].startswith(("user:", "oidc:")) and row["person_or_workload"].startswith("P0")}
    assert named <= persons
    assert len(named & logins) >= 5


def test_the_listing_holds_every_binding_the_log_made_and_did_not_delete_with_its_number_and_time(made: Path) -> None:
    listed = {(item["kind"].lower() + "s", item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
              for listing in opened(made / "k8s_rbac", "*/all.json") for item in listing["items"]}
    created, deleted = {}, set()
    for event in once(events(made), "auditID").values():
        ref = event["objectRef"]
        place = ref["resource"], ref.get("namespace", ""), ref.get("name", "")
        if event["verb"] == "create" and "kind" in event.get("responseObject", ()):
            created[place] = event["responseObject"]
        elif event["verb"] == "delete":
            deleted.add(place)
    assert deleted
    assert deleted < set(created)
    assert not deleted & set(listed)
    assert {place: listed.get(place) for place in created if place not in deleted} == {
        place: item for place, item in created.items() if place not in deleted}


def test_the_night_left_no_trace_but_in_the_log(made: Path) -> None:
    found = once(events(made), "auditID")
    bound_at, read, gone = (found[event] for event in story(made, "k8s_cluster_admin_for_38_minutes"))
    assert bound_at["requestObject"]["roleRef"]["name"] == "cluster-admin"
    assert (read["verb"], read["objectRef"]) == ("list", {"resource": "secrets", "apiVersion": "v1"})
    minutes = datetime.fromisoformat(gone["requestReceivedTimestamp"]) - datetime.fromisoformat(
        bound_at["requestReceivedTimestamp"])
    assert minutes == timedelta(minutes=38)
    assert int(bound_at["requestReceivedTimestamp"][11:13]) < 4


# --- what is found -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any, pl.DataFrame]:
    """The counts of loading, the estate, its decisions and measures."""
    workspace = tmp_path_factory.mktemp("workspace")
    counts = load([made], Store.create(workspace)).counts
    estate = open_estate(workspace)
    decisions = decision_lineage(estate)
    return counts, estate, decisions, measure(estate, access_lineage(estate), decisions).measures


def test_every_record_is_accepted_once(made: Path, loaded: Any) -> None:
    stated = truth(made, "records.json")
    for source in SOURCES:
        count = loaded[0][source]
        assert (count.accepted, count.quarantined, count.rejected) == (stated[source], 0, 0), source
        assert count.duplicate > 0, source


def test_every_measure_has_the_numerator_and_denominator_that_were_planted(made: Path, loaded: Any) -> None:
    rows = {(row["metric_id"], row["scope"]): row for row in loaded[3].iter_rows(named=True)}
    planted = {(one["metric_id"], one["scope"]): (one["numerator"], one["denominator"], one["n_unknown"])
               for one in truth(made, "measures.json")["measures"]}
    found = {key: (rows[key]["numerator"] or 0, rows[key]["denominator"] or 0, rows[key]["n_unknown"])
             for key in planted}
    assert found == planted


def test_keys_and_tokens_that_ended_count_no_more_and_calls_are_their_accounts_in_their_time(
    made: Path, loaded: Any,
) -> None:
    held = loaded[1].credentials.filter(pl.col("status") == "revoked").select("credential_id").collect()
    late, _, brief, _ = story(made, "gcp_key_deleted_after_the_listing")
    assert sorted(held["credential_id"]) == sorted([late, brief])
    old, new, _, created = story(made, "gcp_same_address_two_accounts")
    begun = once(entries(made), "insertId")[created]["timestamp"]
    calls = loaded[1].activity.filter(pl.col("actor_id").is_in([f"gcp::{old}", f"gcp::{new}"])).select(
        "actor_id", later=pl.col("time") > datetime.fromisoformat(begun)).unique().collect()
    assert sorted(calls.iter_rows()) == sorted([(f"gcp::{old}", False), (f"gcp::{new}", True)])


def test_accounts_of_both_are_of_the_kind_they_are(made: Path, loaded: Any) -> None:
    kinds = {row["native_id"]: row["kind"] for row in truth(made, "identities.csv")}
    found = {identity.split(":", 2)[2]: kind for identity, kind in loaded[1].identities.filter(
        pl.col("id").str.contains("^(gcp|k8s):")).select("id", "kind").collect().iter_rows()}
    assert len(set(found) & set(kinds)) >= 25
    assert {native: kind for native, kind in found.items() if native in kinds} == {
        native: kinds[native] for native in found if native in kinds}


def test_every_provable_link_is_found_and_no_proved_link_is_invented(made: Path, loaded: Any) -> None:
    steps = loaded[2].steps.filter(pl.col("source").is_in(SOURCES))
    events_of = dict(steps.select("step_id", "event_id").iter_rows())
    proved = {(events_of[src], events_of[dst], rel) for src, dst, rel, tier in loaded[2].links.select(
        "src", "dst", "rel", "tier").iter_rows() if tier >= 3 and src in events_of}
    ours = set(events_of.values())
    planted = {(row["from_event_id"], row["to_event_id"], row["rel"]): row["provable"] == "true"
               for row in truth(made, "links.csv") if row["from_event_id"] in ours}
    assert {link for link, provable in planted.items() if provable} == proved
    assert not all(planted.values())
