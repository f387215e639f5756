"""Access reviews: definitions, rounds and decisions as pages of the API; decisions of closed rounds as a table too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END
from lineage_analytics.simulation.writers.entra_pim import graph_time
from lineage_analytics.simulation.writers.files import as_csv, as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._reviews import Item, Review
    from lineage_analytics.simulation.model import Person, World

Row = dict[str, Any]
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#identityGovernance/accessReviews/definitions"
_NOBODY = "00000000-0000-0000-0000-000000000000"


def write(directory: Path, world: World) -> int:
    """A file a definition for its decisions; returns how many distinct objects there are."""
    reviews: list[Review] = world.cast["governance"].reviews
    definitions = {review.definition_id: review for review in reviews}
    _page(directory / "definitions.json.gz", _CONTEXT, [_definition(review) for review in definitions.values()])
    _page(directory / "instances.json.gz", f"{_CONTEXT}/instances", [_instance(review) for review in reviews])
    closed: list[Row] = []
    for number, definition in enumerate(definitions, 1):
        rounds = [review for review in reviews if review.definition_id == definition]
        rows = [_decision(review, item) for review in rounds for item in review.items]
        _page(directory / f"decisions-{number:02d}.json.gz", f"{_CONTEXT}('{definition}')/instances/decisions", rows)
        closed += [_decision(review, item) for review in rounds if review.end <= END for item in review.items]
    put(directory / "decisions-closed.csv.gz", as_csv(list(closed[0]), [
        [as_json(v).decode() if isinstance(v, (dict, list)) else v for v in row.values()] for row in closed]))
    return len(definitions) + len(reviews) + sum(len(review.items) for review in reviews)


def _page(path: Path, context: str, rows: list[Row]) -> None:
    put(path, as_json({"@odata.context": context, "value": rows}))


def _who(person: Person | None, label: str = "") -> Row:
    if person is None:
        return {"id": _NOBODY, "displayName": label, "userPrincipalName": ""}
    return {"id": person.object_id, "displayName": person.name, "userPrincipalName": person.login}


def _decision(review: Review, item: Item) -> Row:
    decided_by = "AAD Access Reviews" if item.reviewed else ""
    insight = {"@odata.type": "#microsoft.graph.userSignInInsight", "id": item.item_id[::-1],
               "insightCreatedDateTime": graph_time(item.advised), "lastSignInDateTime": graph_time(item.seen)}
    return {
        "id": item.item_id, "accessReviewId": review.review_id, "recommendation": item.advice,
        "decision": item.decision, "justification": "synthetic" if item.reviewer else "",
        "reviewedDateTime": graph_time(item.reviewed), "reviewedBy": _who(item.reviewer, decided_by),
        "appliedDateTime": graph_time(item.applied), "appliedBy": _who(item.applier), "applyResult": item.result,
        "principalLink": f"https://graph.microsoft.com/v1.0/users/{item.person.object_id}",
        "resourceLink": f"https://graph.microsoft.com/v1.0/{review.kind}s/{review.resource_id}",
        "principal": {"@odata.type": "#microsoft.graph.userIdentity", **_who(item.person)},
        "resource": {"id": review.resource_id, "displayName": review.resource, "type": review.kind},
        "insights": [insight],
    }


def _definition(review: Review) -> Row:
    return {
        "id": review.definition_id, "displayName": review.name, "status": review.status,
        "createdDateTime": "2024-03-01T08:00:00.000Z", "lastModifiedDateTime": "2025-11-02T08:00:00.000Z",
        "descriptionForAdmins": "synthetic", "descriptionForReviewers": "synthetic",
        "createdBy": {**_who(review.reviewer), "type": "user"}, "scope": _scope(review),
        "instanceEnumerationScope": None, "reviewers": _reviewers(review), "fallbackReviewers": [],
        "stageSettings": [], "additionalNotificationRecipients": [],
        "settings": {
            "mailNotificationsEnabled": True, "reminderNotificationsEnabled": True, "recommendationsEnabled": True,
            "justificationRequiredOnApproval": False, "defaultDecisionEnabled": review.automatic,
            "defaultDecision": "Deny" if review.automatic else "None", "instanceDurationInDays": 14,
            "autoApplyDecisionsEnabled": review.automatic,
            "recurrence": {"pattern": {"type": "absoluteMonthly", "interval": 3}, "range": {"type": "noEnd"}}},
    }


def _instance(review: Review) -> Row:
    return {"id": review.review_id, "startDateTime": graph_time(review.start), "endDateTime": graph_time(review.end),
            "status": review.status, "scope": _scope(review), "reviewers": _reviewers(review), "fallbackReviewers": []}


def _scope(review: Review) -> Row:
    tail = "transitiveMembers" if review.kind == "group" else "appRoleAssignedTo"
    return {"@odata.type": "#microsoft.graph.accessReviewQueryScope", "queryRoot": None, "queryType": "MicrosoftGraph",
            "query": f"/v1.0/{review.kind}s/{review.resource_id}/{tail}"}


def _reviewers(review: Review) -> list[Row]:
    return [{"query": f"/v1.0/users/{review.reviewer.login}", "queryType": "MicrosoftGraph", "queryRoot": None}]
