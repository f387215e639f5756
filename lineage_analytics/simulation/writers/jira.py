"""Jira: pages of a search with history, approvals a request at a time, the last histories again in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._tickets_jira import HOST, PROJECT, Board, Issue, account_cells
from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Account, Deed, World

_PAGE, _OVERLAP, _AGAIN = 100, 2, 15
_API = f"https://{HOST}/rest/api/3"
_DESK = f"https://{HOST}/rest/servicedeskapi"


class Log:
    """Issues are written whole at the end; no day has a file of its own."""

    def __init__(self, directory: Path, world: World) -> None:
        board: Board | None = world.cast.get("jira")
        self._directory = directory
        self._issues = board.issues if board else []

    def day(self, happened: object) -> None:
        """Nothing: see the class."""

    def end(self) -> None:
        issues = self._issues
        for number, start in enumerate(range(0, len(issues), _PAGE), 1):
            page = issues[max(start - _OVERLAP, 0):start + _PAGE]
            put(self._directory / f"search-{number:02d}.json.gz", as_json(
                {"expand": "schema,names", "issues": [_issue(issue, approvals=False) for issue in page],
                 "isLast": start + _PAGE >= len(issues)}))
        put(self._directory / "approvals.ndjson.gz", b"".join(
            as_json(_page(issue)) + b"\n" for issue in issues if issue.approval is not None))
        latest = issues[-_AGAIN:]
        put(self._directory / "again" / "changelog-bulkfetch.json.gz", as_json({"issueChangeLogs": [
            {"issueId": issue.native_id, "changeHistories": [
                _history(deed) | {"created": int(deed.time.timestamp() * 1000)} for deed in issue.history]}
            for issue in latest]}))
        put(self._directory / "again" / "issues-with-approvals.ndjson.gz", b"".join(
            as_json(_issue(issue, approvals=True)) + b"\n" for issue in latest))


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _account(deed: Deed) -> Account:
    assert deed.who is not None  # noqa: S101  (narrows the type)
    return deed.who  # type: ignore[return-value]


def _issue(issue: Issue, *, approvals: bool) -> dict[str, Any]:
    asked = account_cells(_account(issue.asked))
    fields: dict[str, Any] = {
        "summary": issue.what, "issuetype": {"id": "10014", "name": "Service Request with Approvals", "subtask": False},
        "project": {"id": "10003", "key": PROJECT, "name": "Access (synthetic)"},
        "status": {"id": "10100", "name": issue.status}, "labels": ["synthetic"], "reporter": asked, "creator": asked,
        "created": _written(issue.asked.time), "updated": _written(issue.latest)}
    if issue.text:
        fields["description"] = {"type": "doc", "version": 1, "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": issue.text}]}]}
    if approvals and issue.approval is not None:
        fields["customfield_10044"] = [_approval(issue, issue.approval)]
    found = {"id": issue.native_id, "key": issue.key, "self": f"{_API}/issue/{issue.native_id}", "fields": fields}
    if not approvals:
        histories = [_history(deed) for deed in reversed(issue.history)]
        found["changelog"] = {"startAt": 0, "maxResults": 100, "total": len(histories), "histories": histories}
    return found


def _history(deed: Deed) -> dict[str, Any]:
    details = deed.details
    item = {"field": details["field"], "fieldtype": "jira", "fieldId": details["field"],
            "from": details["from"], "fromString": details["from"], "to": details["to"], "toString": details["to"]}
    return {"id": deed.event_id, "author": account_cells(_account(deed)), "created": _written(deed.time),
            "items": [item]}


def _approval(issue: Issue, deed: Deed) -> dict[str, Any]:
    verdict = deed.details["verdict"]
    return {
        "id": deed.event_id, "name": "Waiting for approval", "finalDecision": verdict, "canAnswerApproval": False,
        "approvers": [{"approver": account_cells(_account(deed)), "approverDecision": verdict}],
        "createdDate": _date(deed.details["asked"]), "completedDate": _date(deed.time),
        "_links": {"self": f"{_DESK}/request/{issue.native_id}/approval/{deed.event_id}"}}


def _date(time: datetime) -> dict[str, Any]:
    return {"iso8601": time.strftime("%Y-%m-%dT%H:%M:%S+0000"), "jira": _written(time),
            "epochMillis": int(time.timestamp() * 1000)}


def _page(issue: Issue) -> dict[str, Any]:
    assert issue.approval is not None  # noqa: S101  (narrows the type)
    return {"size": 1, "start": 0, "limit": 50, "isLastPage": True, "values": [_approval(issue, issue.approval)],
            "_links": {"self": f"{_DESK}/request/{issue.native_id}/approval"}}
