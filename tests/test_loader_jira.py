"""Jira issues become cases by their key: who asked, who decided, what came of it, in every export."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.loaders.jira import settle
from tests._documents import Loaded

SITE = "https://northwind.atlassian.net/rest/api/3"
WRITTEN = "raise the salary of Bo, see CHG0030001 and SEC-7"


def account(native: str, label: str, kind: str = "atlassian") -> dict[str, Any]:
    return {"self": f"{SITE}/user?accountId={native}", "accountId": native, "displayName": label, "accountType": kind}


ANA, BO, BOT = account("acc-1", "Ana"), account("acc-2", "Bo"), account("acc-9", "Automation", "app")


def moved(number: int, author: dict[str, Any], time: str, before: str, after: str) -> dict[str, Any]:
    return {"id": str(number), "author": author, "created": time, "items": [
        {"field": "assignee", "fromString": None, "toString": "Bo"},
        {"field": "status", "fieldtype": "jira", "from": "1", "fromString": before, "to": "2", "toString": after}]}


HISTORY = [
    moved(501, ANA, "2026-03-01T09:00:00.000+0100", "Open", "Waiting for approval"),
    moved(502, BO, "2026-03-01T10:00:00.000+0100", "Waiting for approval", "Approved"),
    moved(503, BOT, "2026-03-01T11:00:00.000+0100", "Approved", "Implementing"),
    moved(504, ANA, "2026-03-01T12:00:00.000+0100", "Implementing", "Done"),
    {"id": "505", "author": ANA, "created": "2026-03-01T13:00:00.000+0100", "items": [
        {"field": "description", "fromString": WRITTEN, "toString": WRITTEN}]},
]
APPROVAL = {
    "id": "71", "name": "CAB", "finalDecision": "approved", "canAnswerApproval": False,
    "createdDate": {"iso8601": "2026-03-01T09:00:00+0100", "epochMillis": 1772352000000},
    "completedDate": {"iso8601": "2026-03-01T10:00:00+0100", "epochMillis": 1772355600000},
    "approvers": [{"approver": BO, "approverDecision": "approved"}, {"approver": ANA, "approverDecision": "pending"}],
    "_links": {"self": "https://northwind.atlassian.net/rest/servicedeskapi/request/IT-12/approval/71"}}
ISSUE = {
    "expand": "changelog", "id": "10012", "self": f"{SITE}/issue/10012", "key": "IT-12",
    "fields": {"summary": WRITTEN, "description": {"type": "doc", "content": [{"text": WRITTEN}]}, "creator": ANA,
               "reporter": ANA, "created": "2026-03-01T08:00:00.000+0100", "issuetype": {"name": "[System] Change"},
               "status": {"name": "Done"}, "customfield_10100": [APPROVAL],
               "issuelinks": [{"outwardIssue": {"key": "OPS-3"}}]},
    "changelog": {"startAt": 0, "maxResults": 5, "total": 5, "histories": HISTORY}}
DEFECT = {**ISSUE, "id": "10013", "key": "DEV-1", "self": f"{SITE}/issue/10013", "changelog": {"histories": [
    moved(601, ANA, "2026-03-02T09:00:00.000+0100", "Open", "In Progress")]},
    "fields": {**{k: v for k, v in ISSUE["fields"].items() if k != "customfield_10100"},  # type: ignore[attr-defined]
               "issuetype": {"name": "Bug"}, "status": {"name": "In Progress"}}}
LIST = ("Summary,Issue key,Issue id,Issue Type,Status,Creator,Creator Id,Reporter,Reporter Id,Created,Comment,Comment\n"
        f'"{WRITTEN}",IT-12,10012,Change,Done,Ana,acc-1,Ana,acc-1,01/Mar/26 7:00 AM,"{WRITTEN}",second\n')
PIPELINE = ("id,issue_id,changelog_id,author_id,created_date,field,from_string,to_string\n"
            "1,10012,502,acc-2,2026-03-01T09:00:00Z,status,Waiting for approval,Approved\n")
PAGE = {"self": f"{SITE}/issue/IT-12/changelog?startAt=0", "maxResults": 100, "values": HISTORY}
WEBHOOK = {"timestamp": 1772355600000, "webhookEvent": "jira:issue_updated", "user": BO, "issue": {
    key: held for key, held in ISSUE.items() if key != "changelog"}, "changelog": {
        "id": "502", "items": HISTORY[1]["items"]}}
CREATED = {**WEBHOOK, "webhookEvent": "jira:issue_created", "changelog": None, "user": ANA}
JOINED = {"id": 81, "summary": "User added to group", "created": "2026-03-01T08:00:00.000+0000", "category": "group",
          "authorAccountId": "acc-1", "authorKey": "ug:1", "remoteAddress": "192.0.2.7", "objectItem": {
              "name": "Jira-Admins", "typeName": "GROUP"}, "associatedItems": [
                  {"id": "ug:2", "name": "ug:2", "typeName": "USER"}]}
LEFT = {**JOINED, "id": 82, "summary": "User removed from group", "created": "2026-03-02T08:00:00.000+0000"}


def on_server(action: str, author: dict[str, str], *things: dict[str, str]) -> dict[str, Any]:
    return {"timestamp": "2026-03-01T08:00:00.000Z", "author": author, "type": {
        "category": "c", "categoryI18nKey": "jira.auditing.category.c", "action": action}, "affectedObjects": [*things],
        "changedValues": [{"key": "Description", "from": "", "to": WRITTEN}], "source": "192.0.2.7,192.0.2.8",
        "system": "https://jira.northwind.example", "extraAttributes": [{"name": "Query", "value": WRITTEN}]}


KNOWN_AUTHOR = {"id": "10000", "name": "ana", "type": "ApplicationUser"}
NOBODY = {"id": "-2", "name": "Anonymous", "type": "user"}
SERVER = [
    on_server("User added to group", KNOWN_AUTHOR, {"name": "ops", "type": "GROUP"},
              {"name": "bo", "type": "USER", "id": "JIRAUSER10001"}),
    on_server("Audit Log search performed", KNOWN_AUTHOR), on_server("Custom field created", NOBODY)]
KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES = {
    "audit": json.dumps({"offset": 0, "total": 2, "records": [JOINED, LEFT]}).encode(),
    "server": "\n".join(map(json.dumps, SERVER)).encode(),
    "webhooks": "\n".join(map(json.dumps, (WEBHOOK, CREATED))).encode(),
    "search": json.dumps({"startAt": 0, "issues": [ISSUE, DEFECT]}).encode(), "page": json.dumps(PAGE).encode(),
    "approvals": json.dumps({"size": 1, "values": [APPROVAL]}).encode(), "list": LIST.encode(),
    "pipeline": PIPELINE.encode(), "lines": (json.dumps(ISSUE) + "\n" + json.dumps(DEFECT) + "\n").encode(),
}
STEPS = ("kind", "verdict", "capacity", "actor_id", "native_key", "status", "actor_class")


def _shown(found: Loaded) -> dict[str, list[str]]:
    return {table: sorted({repr(row) for row in frame.drop("raw_ref").rows()}) for table, frame in found.frames.items()}


@pytest.mark.parametrize("packed", [
    json.dumps({"issues": [ISSUE]}), json.dumps([ISSUE]), json.dumps(ISSUE, indent=1), json.dumps(ISSUE) + "\n\n",
    json.dumps({"_origin": "x", "log": ISSUE}), "\n".join(json.dumps({"issues": [ISSUE]}) for _ in range(2)),
], ids=["search", "array", "pretty", "line", "envelope", "pages"])
def test_every_packaging_of_an_issue_gives_the_same_rows(packed: str) -> None:
    assert _shown(Loaded(packed)) == _shown(Loaded(ISSUE))


def test_a_case_is_named_by_the_key_and_holds_who_asked_decided_and_did() -> None:
    ana, bo, bot = (f"jira:northwind:{n}" for n in ("acc-1", "acc-2", "acc-9"))
    assert Loaded(ISSUE).rows("decision_steps", *STEPS) == sorted([
        ("request", None, None, ana, "IT-12", "succeeded", "human"),
        ("request", None, None, ana, "IT-12", "pending", "human"),
        ("decision", "approve", None, bo, "IT-12", "succeeded", "human"),
        ("decision", "approve", "approver", bo, "IT-12", "succeeded", "human"),
        ("action", None, None, bot, "IT-12", "succeeded", "automation"),
        ("outcome", None, None, ana, "IT-12", "succeeded", "human")], key=repr)


def test_an_issue_its_history_and_its_approvals_are_records_of_their_own() -> None:
    found = Loaded(ISSUE)
    assert len(found.ids) == len(set(found.ids)) == found["activity"].height == 1 + len(HISTORY) + 1
    assert found.rows("activity", "action") == sorted([
        ("approval:approved",), ("issue:create",), ("issue:transition",), ("issue:update description",)])


def test_a_defect_is_activity_and_no_decision() -> None:
    found = Loaded(DEFECT)
    assert (found["activity"].height, found["decision_steps"].height) == (2, 0)


def test_times_have_their_zone() -> None:
    times = Loaded(ISSUE)["activity"].filter(pl.col("action") == "issue:create")["time"]
    assert [f"{time:%d %H:%M}" for time in times] == ["01 07:00"]


def test_a_page_of_history_and_a_csv_list_say_the_same_as_the_issue() -> None:
    whole, page, rows = Loaded(ISSUE), Loaded(PAGE), Loaded(LIST)
    assert set(page.ids) < set(whole.ids)
    assert set(page.rows("decision_steps", "kind", "verdict", "actor_id", "native_key")) < set(
        whole.rows("decision_steps", "kind", "verdict", "actor_id", "native_key"))
    [row] = rows["decision_steps"].to_dicts()
    assert (row["kind"], row["actor_id"], row["native_key"], f"{row['time']:%d %H:%M}") == (
        "request", "jira::acc-1", "IT-12", "01 07:00")


def test_keys_in_texts_and_links_are_kept_and_the_texts_are_not() -> None:
    found = Loaded(ISSUE)
    assert found["decision_steps"].filter(pl.col("operation") == "issue:create")["quoted_keys"].to_list() == [
        ["CHG0030001", "SEC-7"]]
    for name, data in CONTRACT_FILES.items():
        loaded = Loaded(data)
        assert "salary" not in json.dumps([f.to_dicts() for f in loaded.frames.values()], default=str), name


def test_a_vote_keeps_the_word_it_was_given_in() -> None:
    one = {**APPROVAL, "finalDecision": "declined", "approvers": [{"approver": BO, "approverDecision": "declined"}]}
    assert Loaded({"values": [one]}).rows("decision_steps", "verdict", "decided_value", "capacity") == [
        ("deny", "declined", "approver")]


@pytest.mark.parametrize(("final", "completed", "wanted"), [
    ("declined", True, [("decision", "deny", "succeeded")]), ("pending", False, [("request", None, "pending")])])
def test_an_approval_is_decided_when_it_is_complete(final: str, completed: bool, wanted: list[Any]) -> None:
    one = {**APPROVAL, "finalDecision": final, "approvers": [{"approver": BO, "approverDecision": final}]}
    if not completed:
        one = {k: v for k, v in one.items() if k != "completedDate"}
    assert Loaded({"values": [one]}).rows("decision_steps", "kind", "verdict", "status") == wanted


@pytest.mark.parametrize(("after", "wanted"), [
    ("Rejected", [("decision", "deny", "succeeded")]), ("ROLLED BACK", [("rollback", None, "succeeded")]),
    ("Implementation failed", [("attempt", None, "failed")]), ("Cancelled", [("decision", "withdraw", "succeeded")]),
    ("Having lunch", []),
])
def test_statuses_mean_what_the_table_says(after: str, wanted: list[Any]) -> None:
    issue = {**ISSUE, "changelog": {"histories": [moved(1, ANA, "2026-03-01T09:00:00.000+0000", "Open", after)]},
             "fields": {**ISSUE["fields"], "customfield_10100": None}}  # type: ignore[dict-item]
    steps = Loaded(issue)["decision_steps"].filter(pl.col("operation") != "issue:create")
    assert steps.select("kind", "verdict", "status").rows() == wanted


@pytest.mark.parametrize(("kind", "wanted"), [("app", "app"), ("atlassian", "human"), ("customer", "human"),
                                              (None, "unknown"), ("robot", "unknown")])
def test_the_account_type_alone_tells_people_from_apps(kind: str | None, wanted: str) -> None:
    issue = {**ISSUE, "changelog": None, "fields": {**ISSUE["fields"], "creator": {**ANA, "accountType": kind},  # type: ignore[dict-item]
                                                    "reporter": None, "customfield_10100": None}}
    assert Loaded(issue).rows("identity_facts", "id", "kind") == [("jira:northwind:acc-1", wanted)]


def test_history_that_knows_only_the_issues_id_finds_its_key_and_site() -> None:
    loaded = [Loaded(ISSUE), Loaded(PIPELINE)]
    assert loaded[1].rows("decision_steps", "native_key_kind", "native_key") == [("issue_id", "10012")]
    covered = pl.DataFrame([{"basis": "received", "provider": "jira", "tenant": tenant} for tenant in ("northwind", None)],
                           schema=tables.COVERAGE.schema)
    steps = settle({"decision_steps": pl.concat([one["decision_steps"] for one in loaded]).lazy(),
                    "coverage": covered.lazy()})["decision_steps"].collect()
    assert set(steps.select("native_key_kind", "native_key", "tenant").rows()) == {("issue_key", "IT-12", "northwind")}


def test_a_server_without_account_ids_names_people_by_key() -> None:
    issue = {**DEFECT, "changelog": None, "self": "https://jira.northwind.example/rest/api/2/issue/1", "fields": {
        **DEFECT["fields"], "creator": {"name": "Ana", "key": "JIRAUSER100"}, "reporter": None}}  # type: ignore[dict-item]
    assert Loaded(issue).rows("identity_facts", "id") == [("jira:jira.northwind.example:JIRAUSER100",)]


def test_the_bulk_form_of_histories_is_read() -> None:
    found = Loaded({"issueChangeLogs": [{"issueId": "10012", "changeHistories": HISTORY}], "nextPageToken": "x"})
    assert len(found.ids) == len(HISTORY)
    assert set(found["decision_steps"]["native_key_kind"]) == {"issue_id"}
    assert set(found.ids) < set(Loaded(ISSUE).ids)


def test_histories_in_bulk_and_approvals_by_the_issues_id_are_the_records_of_the_issue() -> None:
    """Also what they say of the issue: else one record would have two contents."""
    bulk = json.dumps({"issueChangeLogs": [{"issueId": "10012", "changeHistories": HISTORY}]})
    link = {"self": "https://northwind.atlassian.net/rest/servicedeskapi/request/10012/approval/71"}
    page = json.dumps({"size": 1, "values": [{**APPROVAL, "_links": link}]})
    whole = Loaded(json.dumps(ISSUE))
    said = ("record_id", "time", "actor_id", "action", "resource_id", "outcome")
    for part in (bulk, page):
        assert set(Loaded(part).rows("activity", *said)) < set(whole.rows("activity", *said))


def test_fields_without_a_rule_are_kept_without_what_people_wrote() -> None:
    issue = {**DEFECT, "changelog": None, "fields": {**DEFECT["fields"], "customfield_1": WRITTEN, "customfield_2": 5}}  # type: ignore[dict-item]
    [(kept,)] = Loaded(issue).rows("activity", "unmapped")
    assert json.loads(kept) == {"customfield_1": "[content not stored]", "customfield_2": 5}


def test_a_day_in_words_of_another_language_is_refused_and_no_day_at_all_is_kept() -> None:
    for written, reasons in (("01/M\u00e4r/26 7:00 AM", ["no_time"]), ("", [])):
        assert [f.reason for f in Loaded(LIST.replace("01/Mar/26 7:00 AM", written)).faults] == reasons


def test_a_webhook_is_the_entry_of_history_or_the_creation_it_is_about() -> None:
    of_issue = Loaded(ISSUE)
    moved_again, created = Loaded(WEBHOOK), Loaded(CREATED)
    assert len(moved_again.ids) == len(created.ids) == 1
    assert set(moved_again.ids) | set(created.ids) < set(of_issue.ids)
    assert set(moved_again.rows("decision_steps", "step_id", *STEPS)) < set(of_issue.rows("decision_steps", "step_id", *STEPS))
    commented = Loaded({"webhookEvent": "comment_created", "comment": {"body": WRITTEN}, "issue": {"key": "IT-12"}})
    assert [fault.disposition for fault in commented.faults] == ["rejected"]


def test_issues_asked_for_without_fields_tell_their_history() -> None:
    bare = {key: held for key, held in ISSUE.items() if key != "fields"}
    still = {"key": "IT-13", "changelog": {"total": 0, "histories": []}}
    found = Loaded({"issues": [bare, still]})
    assert len(found.ids) == len(HISTORY)
    assert set(found.ids) < set(Loaded(ISSUE).ids)
    assert [fault.disposition for fault in found.faults] == ["rejected"]


def test_members_added_to_and_removed_from_a_group_have_the_same_target() -> None:
    found = Loaded({"records": [JOINED, LEFT]})
    assert found.rows("decision_steps", "actor_id", "effect_key") == [
        ("jira::acc-1", "grant(jira::group/jira-admins|ug:2)"), ("jira::acc-1", "revoke(jira::group/jira-admins|ug:2)")]
    assert set(found["activity"]["ip"]) == {"192.0.2.7"}


def test_data_center_names_its_author_by_login_and_nobody_where_nobody_is_known() -> None:
    found = Loaded({"entities": SERVER, "pagingInfo": {"lastPage": True}})
    ana = "jira:jira.northwind.example:ana"
    assert found.rows("activity", "action", "actor_id", "is_read") == [
        ("audit:Audit Log search performed", ana, True), ("audit:Custom field created", None, False),
        ("audit:User added to group", ana, False)]
    assert found["decision_steps"]["target_key"].to_list() == ["jira:jira.northwind.example:group/ops|JIRAUSER10001"]
    assert WRITTEN not in repr(found.frames)
