"""Governance of the made-up directory and its Azure: native in form, one story with the audit log, true answers.

Files are read here with the standard library, not with our loaders.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import simulate
from lineage_analytics.workspace import Store, load, open_estate
from tests._simulated import content

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
SOURCES = ("entra_pim", "entra_access_reviews", "entra_entitlement", "azure_activity", "azure_rbac")
END = datetime.fromisoformat("2026-06-30T23:59:59+00:00")
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated")
    simulate(directory, seed=5, people=25, days=95)
    return directory


def files(made: Path, source: str) -> list[Path]:
    return sorted(path for path in (made / source).rglob("*") if path.is_file())


def pages(made: Path, source: str, kind: str) -> list[Json]:
    """Objects of the pages of one kind, each once."""
    rows = [row for path in files(made, source) if path.name.startswith(kind) and ".json" in path.name
            and "script" not in path.name for row in json.loads(content(path))["value"]]
    assert rows, kind
    return list({row["id"]: row for row in rows}.values())


def rows(made: Path, source: str, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content(made / source / name).decode())))


def truth(made: Path, name: str) -> Any:
    return json.loads((made / "truth" / name).read_text())


def story(made: Path, name: str) -> list[str]:
    where: list[str] = next(s["where"] for s in truth(made, "stories.json")["stories"] if s["name"] == name)
    return where


def at(text: str) -> datetime:
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


def audited(made: Path) -> dict[str, list[Json]]:
    """Records of the directory audit by the request they are about."""
    found: dict[str, dict[str, Json]] = {}
    for path in files(made, "entra_audit"):
        if path.name.startswith("directoryAudits"):
            for record in json.loads(content(path))["value"]:
                request = next(d["value"] for d in record["additionalDetails"] if d["key"] == "RequestId")
                found.setdefault(request, {})[record["id"]] = record
    return {request: list(records.values()) for request, records in found.items()}


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_every_file_says_that_it_is_synthetic(made: Path, source: str) -> None:
    assert files(made, source)
    assert [path.name for path in files(made, source) if b"ynthetic" not in content(path)] == []


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        simulate(tmp_path / name, seed=8, people=20, days=35)
        digests.append({path.relative_to(tmp_path / name): hashlib.sha256(path.read_bytes()).hexdigest()
                        for source in SOURCES for path in files(tmp_path / name, source)})
    assert len(digests[0]) > 30
    assert digests[0] == digests[1]


def test_the_truth_counts_each_object_once_however_often_it_is_exported(made: Path) -> None:
    stated = truth(made, "records.json")
    for source in ("entra_pim", "entra_access_reviews", "entra_entitlement"):
        objects: set[tuple[str, str]] = set()
        for path in files(made, source):
            if path.name.endswith((".csv.gz", "script.json.gz")):
                continue
            page = json.loads(content(path))
            objects |= {(page["@odata.context"], row["id"]) for row in page["value"]}
        assert stated[source] == len(objects), source
    rbac = {(kind, row["id"]) for path in files(made, "azure_rbac") if ".json" in path.name
            for kind, held in [(path.name, json.loads(content(path)))]
            for row in (held if isinstance(held, list) else held["value"])}
    assert stated["azure_rbac"] == len(rbac)
    assert stated["azure_activity"] == len(activity(made)) + len(vault(made)) + len(storage(made))


def activity(made: Path) -> list[Json]:
    found = [row for path in files(made, "azure_activity") if path.name.startswith("activity-log")
             for row in json.loads(content(path))["value"]]
    assert len({row["eventDataId"] for row in found}) == len(found)
    return found


def vault(made: Path) -> list[Json]:
    return [json.loads(line) for path in files(made, "azure_activity") if path.parent.name.endswith("auditevent")
            for line in content(path).splitlines()]


def storage(made: Path) -> list[Json]:
    return [row for path in files(made, "azure_activity") if path.parent.name == "event-hub"
            for row in json.loads(content(path))["records"]]


def test_second_packagings_repeat_what_the_pages_hold(made: Path) -> None:
    held = {row["id"] for row in pages(made, "entra_pim", "roleAssignmentScheduleInstances")}
    assert {row["id"] for row in rows(made, "entra_pim", "roleAssignmentScheduleInstances.csv.gz")} == held
    decided = {row["id"] for row in pages(made, "entra_access_reviews", "decisions-0")}
    assert {row["id"] for row in rows(made, "entra_access_reviews", "decisions-closed.csv.gz")} < decided
    week = {row["EventDataId"] for row in rows(made, "azure_activity", "AzureActivity.csv.gz")}
    late = {row["eventDataId"] for row in activity(made) if row["eventTimestamp"] >= "2026-06-24"}
    assert week == late != set()


# --- one story with the audit log ----------------------------------------------------------------------------------


def test_requests_are_those_of_the_audit_log_and_stand_as_it_tells(made: Path) -> None:
    requests = {row["id"]: row for kind in ("roleAssignmentScheduleRequests", "roleEligibilityScheduleRequests")
                for row in pages(made, "entra_pim", kind)}
    records = audited(made)
    assert requests.keys() == records.keys()
    for request, told in records.items():
        names = " ".join(record["activityDisplayName"].lower() for record in told)
        state = "Provisioned" if " completed" in names else "Denied" if " denied" in names else "PendingApproval"
        assert requests[request]["status"] == state, request
        first = min(at(record["activityDateTime"]) for record in told)
        assert timedelta(0) < at(requests[request]["createdDateTime"]) - first < timedelta(seconds=1)
    answered = {r for r, told in records.items() if any(
        word in record["activityDisplayName"].lower() for record in told for word in ("approve", "denied"))}
    assert {row["id"] for row in pages(made, "entra_pim", "roleAssignmentApprovals")} == answered


def test_instances_are_what_is_in_force_at_the_end_and_older_ones(made: Path) -> None:
    held = pages(made, "entra_pim", "roleAssignmentScheduleInstances")
    assert all(row["endDateTime"] is None or at(row["endDateTime"]) > END for row in held)
    older = {row["principalId"] for row in held if at(row["startDateTime"]) < END - timedelta(days=400)}
    assert older == set(story(made, "roles_older_than_the_log"))
    told = {record["targetResources"][2]["id"] for told in audited(made).values() for record in told}
    eligible = pages(made, "entra_pim", "roleEligibilityScheduleInstances")
    assert {row["principalId"] for row in eligible} <= told
    assert all("assignmentType" not in row for row in eligible)


def test_one_reviewer_follows_the_advice_within_seconds(made: Path) -> None:
    decisions = {row["id"]: row for row in pages(made, "entra_access_reviews", "decisions-0")}
    stamped = [decisions[item] for item in story(made, "review_by_rubber_stamp")]
    assert len(stamped) == 8
    assert all(row["decision"] == row["recommendation"] for row in stamped)
    times = sorted(at(row["reviewedDateTime"]) for row in stamped)
    assert times[-1] - times[0] < timedelta(minutes=1)
    (left,) = (decisions[item] for item in story(made, "review_nobody_did"))
    assert (left["reviewedBy"]["id"], left["appliedBy"]["id"], left["applyResult"]) == (
        NOBODY, NOBODY, "AppliedSuccessfully")
    (kept,) = (decisions[item] for item in story(made, "review_denied_and_not_applied"))
    assert (kept["decision"], kept["applyResult"], kept["appliedDateTime"]) == ("Deny", "New", None)


def test_packages_pass_their_stages_before_they_are_delivered(made: Path) -> None:
    requests = {row["id"]: row for row in pages(made, "entra_entitlement", "assignmentRequests")}
    approvals = {row["id"]: row["stages"] for row in pages(made, "entra_entitlement", "accessPackageAssignmentApprovals")}
    delivered = [row for row in requests.values() if row["state"] == "delivered" and row["requestType"] == "userAdd"]
    assert {len(approvals[row["id"]]) for row in delivered} == {1, 2}
    for row in delivered:
        times = [at(stage["reviewedDateTime"]) for stage in approvals[row["id"]]]
        assert [at(row["createdDateTime"]), *times] == sorted([at(row["createdDateTime"]), *times])
        assert times[-1] < at(row["completedDateTime"])
    ended = [row for row in pages(made, "entra_entitlement", "assignments-") if row["state"] == "expired"]
    removed = {row["assignment"]["id"] for row in requests.values() if row["requestType"] == "systemRemove"}
    assert {row["id"] for row in ended} == removed != set()
    denied, given = (requests[request] for request in story(made, "package_given_past_its_approvers"))
    assert (denied["state"], given["requestType"], given["state"]) == ("denied", "adminAdd", "delivered")
    assert given["assignment"]["target"] == denied["requestor"]
    assert given["id"] not in approvals


def test_the_night_stands_in_all_logs_of_azure(made: Path) -> None:
    granted, opened, *reads, off, on, thief = story(made, "vault_read_at_night")
    log = {row["eventDataId"]: row for row in activity(made)}
    name = log[granted]["resourceId"].rsplit("/", 1)[-1]
    listed = json.loads(content(made / "azure_rbac" / "role-assignments.json"))
    owner = next(row for row in listed if row["name"] == name)
    assert (owner["principalId"], owner["roleDefinitionName"]) == (thief, "Owner")
    assert [log[e]["operationName"]["value"].rsplit("/", 1)[-1] for e in (opened, off, on)] == [
        "write", "delete", "write"]
    night = [row for row in vault(made) if row["identity"]["claim"]["oid"] == thief]
    assert len(night) == len(reads) == 3
    assert {row["time"][11:13] for row in night} == {"02"}
    assert at(log[opened]["eventTimestamp"]) < at(night[0]["time"]) < at(log[off]["eventTimestamp"])
    silent = (at(log[off]["eventTimestamp"]), at(log[on]["eventTimestamp"]))
    assert not any(silent[0] < at(row["time"]) < silent[1] for row in [*vault(made), *storage(made)])


# --- what is found in it -------------------------------------------------------------------------------------------


@dataclass
class Found:
    accepted: dict[str, int]
    faults: dict[str, int]
    decisions: DecisionLineage
    measures: pl.DataFrame


@pytest.fixture(scope="module")
def found(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    workspace = tmp_path_factory.mktemp("workspace")
    result = load([made], Store.create(workspace))
    estate = open_estate(workspace)
    decisions = decision_lineage(estate)
    return Found({source: result.counts[source].accepted for source in SOURCES},
                 {source: result.counts[source].quarantined + result.counts[source].rejected for source in SOURCES},
                 decisions, measure(estate, access_lineage(estate), decisions).measures)


def test_the_loaders_accept_every_distinct_record_once(made: Path, found: Found) -> None:
    stated = truth(made, "records.json")
    assert found.accepted == {source: stated[source] for source in SOURCES}
    assert set(found.faults.values()) == {0}


def test_every_measure_is_what_was_thought_up(made: Path, found: Found) -> None:
    measured = {(row["metric_id"], row["scope"]): row for row in found.measures.iter_rows(named=True)}
    wrong = []
    for planted in truth(made, "measures.json")["measures"]:
        row = measured[planted["metric_id"], planted["scope"]]
        counted: tuple[float, ...] = (row["numerator"] or 0, row["denominator"] or 0, row["n_unknown"])
        wanted: tuple[float, ...] = (planted["numerator"], planted["denominator"], planted["n_unknown"])
        if counted != wanted:
            wrong.append((planted["metric_id"], planted["scope"], "planted", wanted, "measured", counted))
    assert wrong == []


def case(found: Found, event_id: str) -> Json:
    cases = found.decisions.steps.filter(pl.col("event_id") == event_id)["case_id"].unique()
    return found.decisions.cases.row(by_predicate=pl.col("case_id") == cases[0], named=True)


def test_a_request_told_by_audit_and_export_is_one_decision(made: Path, found: Found) -> None:
    steps = found.decisions.steps
    for request, told in list(audited(made).items())[::10]:
        events = [request, *(record["id"] for record in told)]
        assert steps.filter(pl.col("event_id").is_in(events))["case_id"].n_unique() == 1, request


def test_stories_of_governance_read_as_they_are(made: Path, found: Found) -> None:
    (left,) = (case(found, item) for item in story(made, "review_nobody_did"))
    assert (left["executed"], left["approval_verdict"]) == (True, "automated_policy")
    (kept,) = (case(found, item) for item in story(made, "review_denied_and_not_applied"))
    assert not kept["executed"]
    denied, given = (case(found, request) for request in story(made, "package_given_past_its_approvers"))
    assert (denied["status"], given["status"], given["approval_verdict"]) == ("denied", "executed", "unknown")
    granted, *_, thief = story(made, "vault_read_at_night")
    owner = case(found, granted)
    assert (owner["executed"], owner["approval_verdict"]) == (True, "unknown")
    assert owner["initiator_id"] is not None
    assert not owner["initiator_id"].endswith(thief)
