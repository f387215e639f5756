"""What a Jira status means for a decision. Workflows are configured per site: this table is the place to add names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders.common.values import Fields, fold, name, obj, objects

if TYPE_CHECKING:
    from collections.abc import Sequence


class Meaning(NamedTuple):
    """The step that reaching a status is. ``telling``: also where nothing else shows that the issue is a request."""

    kind: str
    verdict: str | None = None
    status: str = "succeeded"
    telling: bool = True


STATUSES: dict[str, Meaning] = {
    **dict.fromkeys(("waiting for approval", "pending approval", "awaiting approval", "awaiting cab approval",
                     "peer review / change manager approval", "authorize"), Meaning("request", status="pending")),
    **dict.fromkeys(("approved", "authorized", "awaiting implementation"), Meaning("decision", "approve")),
    **dict.fromkeys(("declined", "rejected", "denied", "not approved"), Meaning("decision", "deny")),
    **dict.fromkeys(("canceled", "cancelled", "withdrawn"), Meaning("decision", "withdraw", telling=False)),
    **dict.fromkeys(("implementing", "in progress", "work in progress", "in implementation"),
                    Meaning("action", telling=False)),
    **dict.fromkeys(("completed", "done", "closed", "resolved", "implemented"), Meaning("outcome", telling=False)),
    **dict.fromkeys(("failed", "implementation failed"), Meaning("attempt", status="failed", telling=False)),
    **dict.fromkeys(("rolled back", "backed out", "reverted"), Meaning("rollback")),
    "draft": Meaning("draft", telling=False),
    "expired": Meaning("expiry"),
}
REQUEST_TYPES = frozenset({
    "change", "change request", "[system] change", "service request", "[system] service request",
    "service request with approvals", "[system] service request with approvals", "access request",
})


def meaning(status: str | None) -> Meaning | None:
    return STATUSES.get((status or "").strip().lower())


def is_gated(fields: Fields, histories: Sequence[dict[str, Any]]) -> bool:
    """Whether something shows that the issue is a request for a decision: its type, its status now or before."""
    if (name(obj(fields.get("issuetype")).get("name")) or "").lower() in REQUEST_TYPES:
        return True
    held = [name(obj(fields.get("status")).get("name"))]
    held += [name(item.get("tostring")) for entry in histories for item in objects(fold(entry).get("items"))
             if (name(item.get("field")) or "").lower() == "status"]
    return any(found is not None and found.telling for found in map(meaning, held))
