"""What the activities of entitlement management and access reviews mean in the directory audit (sources 3.5, 3.6).

How their records name request, package and reviewer is not documented: targets are taken by what their type says, and
what is not found stays null. The objects themselves say more (``entra_entitlement``, ``entra_access_reviews``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.loaders._entra_pim import Phase
from lineage_analytics.loaders._entra_record import kind_of, target_id
from lineage_analytics.loaders.common.values import first, native

if TYPE_CHECKING:
    from lineage_analytics.loaders._entra_record import Record

PACKAGE_KEY = "access_package_request_id"
_PACKAGE, _REVIEW = "package", "review"


def _package(kind: str, verb: str = "grant", verdict: str | None = None, capacity: str | None = None,
             *, pending: bool = False) -> Phase:
    return Phase(kind, verb, verdict, what=_PACKAGE, capacity=capacity, pending=pending)


def _review(verdict: str, capacity: str = "reviewer") -> Phase:
    return Phase("decision", "grant", verdict, what=_REVIEW, capacity=capacity)


PHASES: dict[str, Phase] = {
    "approve access package assignment request": _package("decision", verdict="approve", capacity="approver"),
    "approval stage completed for access package assignment request":
        _package("decision", verdict="approve", capacity="approver"),
    "auto approve access package assignment request": _package("decision", verdict="approve", capacity="policy"),
    "deny access package assignment request": _package("decision", verdict="deny", capacity="approver"),
    "cancel access package assignment request": _package("decision", verdict="withdraw", capacity="requester"),
    "access package assignment request timed out (no approver action taken)": _package("expiry", "request"),
    "ready to fulfill access package assignment request": _package("outcome", pending=True),
    "fulfill access package assignment request": _package("action"),
    "fulfill access package assignment": _package("action"),
    "fulfill access package resource assignment": _package("outcome"),
    "partially fulfill access package assignment request": _package("action"),
    "failed access package assignment request": _package("attempt"),
    "administrator directly assigns user to access package": _package("action"),
    "administrator directly removes user access package assignment": _package("action", "revoke"),
    "entitlement management removes access package assignment request for user": _package("action", "revoke"),
    "remove access package assignment": _package("action", "revoke"),
    "remove access package resource assignment": _package("outcome", "revoke"),
    "approve decision": _review("approve"), "deny decision": _review("deny"),
    "bulk approve decisions": _review("approve"), "bulk deny decisions": _review("deny"),
    "reset decision": _review("withdraw"), "bulk reset decisions": _review("withdraw"),
    "auto review": Phase("decision", "grant", "modify", what=_REVIEW, capacity="system"),
    "apply decision": Phase("action", "set", what=_REVIEW), "apply review": Phase("action", "set", what=_REVIEW),
    "auto apply review": Phase("action", "set", what=_REVIEW),
    "request approved": _review("approve", "approver"), "request denied": _review("deny", "approver"),
    "request expired": Phase("expiry", "request", what=_REVIEW),
    "create access review": Phase("action", "create", what=_REVIEW),
    "access review ended": Phase("outcome", "close", what=_REVIEW),
}
_SERVICES = frozenset({"access reviews", "entitlement management"})
_ASKS = "user requests "


def governance_phase(record: Record) -> Phase | None:
    """The phase of a request for access or of a review; None for everything else."""
    operation = record.operation
    if operation.startswith(_ASKS) and "access package assignment" in operation:
        return _package("request", "revoke" if " remove " in operation else "grant", capacity="requester")
    found = PHASES.get(operation)
    if found is None or (found.what == _REVIEW and (record.service or "").casefold() not in _SERVICES):
        return None
    return found


def governance_target(record: Record, phase: Phase) -> tuple[str | None, str | None]:
    """What the phase is about, and the request it belongs to."""
    stated = first(record.details, "requestid", "accesspackageassignmentrequestid")
    request = native(stated) or _typed(record, "request")
    who = _typed(record, "user") or _typed(record, "serviceprincipal")
    if phase.what == _REVIEW:
        about = next((found for t in record.targets if (found := target_id(t)) is not None), None)
        return (f"access_review/{about}" if about else None), None
    package = native(first(record.details, "accesspackageid")) or _typed(record, "accesspackage")
    return (f"access_package/{package}|{who}" if package and who else None), request


def _typed(record: Record, kind: str) -> str | None:
    """The first target whose type ends on the word, such as ``AccessPackageAssignmentRequest`` on ``request``."""
    return next((found for t in record.targets if kind_of(t).endswith(kind) and (found := target_id(t))), None)
