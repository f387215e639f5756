"""GitHub reviews and pull requests. Records here are made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.loaders._event_rows import quoted
from lineage_analytics.loaders.github_audit import settle
from tests._documents import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = dict[str, Any]
ANA: Json = {"login": "ana", "id": 11, "node_id": "U_1", "type": "User"}
BO: Json = {"login": "Bo", "id": 12, "node_id": "U_2", "type": "User"}
BOT: Json = {"login": "Copilot", "id": 198982749, "type": "Bot"}
ORG: Json = {"login": "Acme", "id": 77, "type": "Organization"}
REPO: Json = {"id": 5, "full_name": "Acme/Web", "owner": ORG}
HEAD, MERGED, CANARY = "a" * 40, "b" * 40, "pineapple-canary"


def pull(**more: Any) -> Json:
    return {"id": 900, "number": 12, "url": "https://api.github.com/repos/Acme/Web/pulls/12", "state": "open",
            "html_url": "https://github.com/Acme/Web/pull/12", "title": f"OPS-31 {CANARY}", "body": CANARY, "user": ANA,
            "created_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T12:00:00Z", "closed_at": None,
            "merged_at": None, "merge_commit_sha": None, "draft": False,
            "head": {"ref": "fix", "sha": HEAD}, "base": {"ref": "main", "sha": "c" * 40, "repo": REPO}} | more


def review(state: str, number: int = 1, user: Json = BO, **more: Any) -> Json:
    return {"id": number, "node_id": "R", "user": user, "body": CANARY, "state": state, "commit_id": HEAD,
            "submitted_at": f"2026-03-01T11:00:{number:02d}Z", "author_association": "MEMBER",
            "pull_request_url": "https://api.github.com/repos/Acme/Web/pulls/12"} | more


def reviewed(state: str, number: int = 1, user: Json = BO, sender: Json | None = None, **more: Any) -> Json:
    """A review delivery; the review in it has the state in lower case."""
    return {"action": "dismissed" if state == "dismissed" else "submitted", "review": review(state, number, user, **more),
            "pull_request": pull(), "repository": REPO, "organization": ORG, "sender": sender or user}


def delivered(action: str, sender: Json = ANA, **more: Any) -> Json:
    return {"action": action, "number": 12, "pull_request": pull(**more), "repository": REPO, "organization": ORG,
            "sender": sender}


MERGE: Json = {"state": "closed", "merged": True, "merged_by": BO, "merged_at": "2026-03-01T12:00:00Z",
               "closed_at": "2026-03-01T12:00:00Z", "merge_commit_sha": MERGED}
RECORDS = [delivered("opened"), reviewed("approved"), reviewed("commented", 2, BOT), delivered("closed", BO, **MERGE)]


def as_array(records: list[Json]) -> bytes:
    return json.dumps(records).encode()


def as_lines(records: list[Json]) -> bytes:
    return b"".join(json.dumps(held).encode() + b"\n" for held in records)


SHAPES: Mapping[str, Callable[[list[Json]], bytes]] = {
    "splunk": lambda records: as_lines([{"preview": False, "result": {"_time": "1", "_raw": json.dumps(held)}}
                                       for held in records]),
    "array": as_array, "lines": as_lines,
    "deliveries": lambda records: as_lines([{"event": "x", "guid": "g", "payload": held} for held in records]),
}
LISTED: Json = {
    "number": 12, "url": "https://github.com/Acme/Web/pull/12", "title": f"OPS-31 {CANARY}", "state": "MERGED",
    "author": {"id": "U_1", "is_bot": False, "login": "ana", "name": "Ana"}, "isDraft": False,
    "mergedBy": {"id": "U_2", "is_bot": False, "login": "Bo"}, "createdAt": "2026-03-01T10:00:00Z",
    "mergedAt": "2026-03-01T12:00:00Z", "closedAt": "2026-03-01T12:00:00Z", "headRefOid": HEAD, "headRefName": "fix",
    "mergeCommit": {"oid": MERGED}, "reviews": [
        {"id": "PRR_1", "author": {"login": "Bo"}, "body": CANARY, "state": "APPROVED", "commit": {"oid": HEAD},
         "submittedAt": "2026-03-01T11:00:00Z"},
        {"id": "PRR_2", "author": {"login": "Cy"}, "body": "", "state": "COMMENTED", "commit": {"oid": HEAD},
         "submittedAt": "2026-03-01T11:10:00Z"}]}
CONTRACT_FILES: dict[str, bytes] = {name: write(RECORDS) for name, write in SHAPES.items()} | {
    "rest_reviews": as_array([review("APPROVED"), review("COMMENTED", 2, BOT)]), "rest_pulls": as_array([pull(**MERGE)]),
    "command_line": as_array([LISTED])}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_deliveries_give_the_same_rows_in_every_packaging(shape: str) -> None:
    plain, packed = Loaded(as_array(RECORDS)), Loaded(SHAPES[shape](RECORDS))
    assert (packed.source, packed.faults) == ("github_reviews", [])
    for table in ("activity", "identity_facts", "decision_steps"):
        assert plain[table].height
        assert sorted(packed[table].drop("raw_ref").rows(), key=repr) == sorted(
            plain[table].drop("raw_ref").rows(), key=repr), table


def steps(*records: Json) -> list[Json]:
    return sorted(Loaded(as_array(list(records)))["decision_steps"].to_dicts(), key=lambda s: (s["time"], s["kind"]))


def test_a_pull_request_goes_from_request_over_its_verdicts_to_the_merge_in_one_case() -> None:
    found = steps(*RECORDS)
    assert [(s["kind"], s["verdict"], s["actor_id"], s["operation"]) for s in found] == [
        ("request", None, "github:77:11", "pull_request.create"),
        ("decision", "approve", "github:77:12", "pull_request_review.submit"),
        ("signal", None, "github:77:198982749", "pull_request_review.submit"),
        ("action", None, "github:77:12", "pull_request.merge")]
    assert {(s["native_key_kind"], s["native_key"]) for s in found} == {("github_pull_request", "acme/web#12")}
    assert {s["initiator_id"] for s in found if s["kind"] in ("request", "action")} == {"github:77:11"}


def test_the_commit_reviewed_and_the_head_merged_can_be_compared() -> None:
    same, stale, merge = steps(reviewed("approved"), reviewed("approved", 2, commit_id="d" * 40), RECORDS[3])
    assert same["decided_value"] == merge["applied_value"] == HEAD
    assert stale["decided_value"] != merge["applied_value"]
    assert merge["after_state"] == MERGED


@pytest.mark.parametrize("record", [RECORDS[3], LISTED])
def test_a_merge_states_its_head_and_the_commit_it_made_and_nothing_else_does(record: Json) -> None:
    assert {s["kind"]: s["stated_keys"] for s in steps(record) if s["kind"] != "signal"} == {
        **{s["kind"]: [] for s in steps(record) if s["kind"] in ("request", "decision")},
        "action": sorted([f"commit:{HEAD}", f"commit:{MERGED}"])}


@pytest.mark.parametrize(("state", "kind", "verdict", "capacity"), [
    ("approved", "decision", "approve", "approver"), ("changes_requested", "decision", "deny", "approver"),
    ("commented", "signal", None, "reviewer"), ("something_new", "signal", None, "reviewer")])
def test_the_verdict_is_the_state_in_either_case(state: str, kind: str, verdict: str | None, capacity: str) -> None:
    for held in (reviewed(state), review(state.upper())):
        [found] = steps(held)
        assert (found["kind"], found["verdict"], found["capacity"]) == (kind, verdict, capacity)


def test_a_comment_by_a_bot_approves_nothing_and_its_name_makes_it_no_agent() -> None:
    found = Loaded(as_array([reviewed("commented", 1, BOT)]))
    assert found["decision_steps"]["kind"].to_list() == ["signal"]
    assert ("github:77:198982749", "app") in found.rows("identity_facts", "id", "kind")


def test_a_review_has_one_record_id_from_the_delivery_and_from_the_api() -> None:
    assert Loaded(as_array([reviewed("approved")])).ids == Loaded(as_array([review("APPROVED")])).ids


AUDITED: Json = {"@timestamp": 1_772_366_500_000, "_document_id": "d1", "action": "pull_request.merge", "actor": "bo",
                 "org": "Acme", "org_id": 77, "pull_request_url": "https://github.com/Acme/Web/pull/12"}


def test_a_review_of_the_api_and_a_merge_of_the_audit_log_are_one_case_of_one_organisation() -> None:
    audit, listed = Loaded(as_array([AUDITED])), Loaded(as_array([review("APPROVED")]))
    assert listed["decision_steps"]["tenant"].to_list() == ["acme"]
    together = {table: pl.concat([audit[table], listed[table]]).lazy()
                for table in ("activity", "identity_facts", "decision_steps")}
    found = {table: frame.collect() for table, frame in settle(together).items()}
    assert found["decision_steps"].select("tenant", "native_key", "target_key").unique().rows() == [
        ("77", "acme/web#12", "github:77:pull_request/acme/web#12")]
    assert set(found["activity"]["actor_id"]) == {"github:77:bo", "github:77:12"}
    assert "github:77:12" in found["identity_facts"]["id"].to_list()


def test_an_organisation_known_under_two_ids_is_left_as_it_is_named() -> None:
    other = Loaded(as_array([AUDITED | {"org_id": 78, "_document_id": "d2"}]))
    audit, listed = Loaded(as_array([AUDITED])), Loaded(as_array([review("APPROVED")]))
    facts = pl.concat([found["identity_facts"] for found in (audit, other, listed)]).lazy()
    found = settle({"identity_facts": facts, "decision_steps": listed["decision_steps"].lazy()})
    assert found["decision_steps"].collect()["tenant"].to_list() == ["acme"]


def test_a_dismissal_withdraws_by_who_sent_it_when_the_pull_request_changed() -> None:
    [found] = steps(reviewed("dismissed", sender=ANA))
    assert (found["kind"], found["verdict"], found["actor_id"], f"{found['time']:%H:%M}") == (
        "decision", "withdraw", "github:77:11", "12:00")
    [listed] = steps(review("DISMISSED"))
    assert (listed["verdict"], listed["actor_id"]) == ("withdraw", None)


def test_a_closure_without_merge_is_a_denial_and_an_object_tells_request_and_end() -> None:
    [closed] = steps(delivered("closed", BO, state="closed", closed_at="2026-03-01T12:00:00Z"))
    assert (closed["kind"], closed["verdict"], closed["actor_id"]) == ("decision", "deny", "github:77:12")
    assert [(s["kind"], s["actor_id"]) for s in steps(pull(**MERGE))] == [
        ("request", "github:77:11"), ("action", "github:77:12")]


def test_a_listing_of_the_command_line_tells_request_reviews_and_merge_in_one_record() -> None:
    found = Loaded(as_array([LISTED, {**LISTED, "number": 13, "url": "https://github.com/Acme/Web/pull/13",
                                      "state": "OPEN", "mergedAt": None, "closedAt": None, "mergedBy": None,
                                      "reviews": []}]))
    rows = found["decision_steps"].sort("native_key", "time").to_dicts()
    assert [(s["native_key"], s["kind"], s["verdict"], s["actor_id"], s["decided_value"] or s["applied_value"])
            for s in rows] == [
        ("acme/web#12", "request", None, "github:acme:ana", None),
        ("acme/web#12", "decision", "approve", "github:acme:bo", HEAD),
        ("acme/web#12", "signal", None, "github:acme:cy", HEAD),
        ("acme/web#12", "action", None, "github:acme:bo", HEAD),
        ("acme/web#13", "request", None, "github:acme:ana", None)]
    assert len(found.ids) == found["activity"].height == 2
    assert found["activity"]["unmapped"].null_count() == 2


def test_a_draft_is_no_request_yet() -> None:
    assert [s["kind"] for s in steps(delivered("opened", draft=True))] == ["draft"]


def test_a_revert_branch_names_the_pull_request_it_undoes() -> None:
    [found] = steps(delivered("opened", head={"ref": "revert-9-fix", "sha": HEAD}))
    assert found["quoted_keys"] == ["OPS-31", "acme/web#9"]


def test_what_people_wrote_is_not_stored() -> None:
    found = Loaded(as_array(RECORDS))
    assert CANARY not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)
    assert found["decision_steps"].sort("time")["justification_present"].to_list()[1] is True


def test_pending_reviews_are_out_of_scope_and_other_objects_are_not_understood() -> None:
    found = Loaded(as_array([reviewed("approved"), review("PENDING", submitted_at=None), {"action": "opened"}]))
    assert [(f.position, f.reason, f.disposition) for f in found.faults] == [
        (1, "out_of_scope", "rejected"), (2, "no_pull_request", "quarantined")]


def test_a_comment_on_a_review_is_activity_of_who_wrote_it_and_no_event_of_the_pull_request() -> None:
    said = {"id": 71, "body": CANARY, "user": BO, "created_at": "2026-03-01T11:30:00Z",
            "updated_at": "2026-03-01T11:30:00Z"}
    settled = {"node_id": "T_1", "comments": [said]}
    found = Loaded(as_array([delivered("created", BO) | {"comment": said},
                             delivered("resolved") | {"thread": settled}]))
    assert found.rows("activity", "action", "actor_id", "event_id") == [
        ("pull_request_review_comment.create", "github:77:12", "71"),
        ("pull_request_review_thread.resolve", "github:77:11", "T_1")]
    assert found["decision_steps"].height == 0
    assert CANARY not in str(found.frames)


def test_other_webhook_actions_are_activity() -> None:
    found = Loaded(as_array([delivered("synchronize")]))
    assert found["activity"]["action"].to_list() == ["pull_request.synchronize"]
    assert found["decision_steps"].height == 0


def test_ticket_keys_are_found_and_sorted_and_prose_has_none() -> None:
    assert quoted("see OPS-31 and CHG0001234", None, "OPS-31") == ["CHG0001234", "OPS-31"]
    assert quoted("nothing here, not even ops-31") == []
