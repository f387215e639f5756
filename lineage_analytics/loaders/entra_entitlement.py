"""Entra entitlement management: requests for access packages, their approvals, assignments, packages and policies
(sources 3.6).

Shapes  Graph objects in pages (``value``), arrays, lines or alone, keys in any case, as CSV with nested values as JSON
        text: assignment requests and assignments of v1.0 and beta, access packages, assignment policies, approvals.
Maps    requests to ``decision_steps`` (the request, the denial or withdrawal, the delivery) and approval stages to
        decisions, all under the request's id (``access_package_request_id``); assignments to ``entitlements``; packages
        and policies to ``resources``; requestors, targets and reviewers to ``identity_facts``.
Drops   reasons and answers (only whether a reason was given and the ticket keys in it); descriptions; requests that
        only validate, rejected as ``out_of_scope``.
Schema  Graph v1.0 and beta; unknown keys of assignments, packages and policies are ``unmapped``.

An assignment is the ``right`` to a package; what the package holds is in the package's ``attributes`` where it was
expanded. A subject's own id is no principal: its ``objectId`` is. The page tells approvals of packages from those of
roles; a bare approval is read as one of roles.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import NOBODY, PROVIDER, Who
from lineage_analytics.loaders._pim_objects import APPROVAL, add_stages
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(0)
FEEDS = frozenset({"decision_steps", "entitlements", "identity_facts", "resources"})
SOURCE = "entra_entitlement"
KEY = "access_package_request_id"

_HEAD_READ = 4_096
_ASSIGNMENT = gov.known(
    "id state status assignmentstate assignmentstatus accesspackageid assignmentpolicyid targetid catalogid "
    "expireddatetime tenantid",
    "schedule accesspackage target assignmentpolicy accesspackageassignmentpolicy isextended "
    "customextensioncalloutinstances customextensionhandlerinstances accesspackageassignmentresourceroles "
    "assignmentrequests accesspackageassignmentrequests")
_PACKAGE = gov.known(
    "id displayname description createddatetime modifieddatetime createdby modifiedby catalogid tenantid uniquename",
    "ishidden catalog resourcerolescopes accesspackageresourcerolescopes assignmentpolicies "
    "accesspackageassignmentpolicies isrolescopesvisible accesspackagecatalog accesspackagesincompatiblewith")
_POLICY = gov.known(
    "id displayname description allowedtargetscope createddatetime modifieddatetime accesspackageid tenantid createdby "
    "modifiedby expirationdatetime",
    "requestapprovalsettings requestorsettings expiration accesspackage specificallowedtargets reviewsettings "
    "automaticrequestsettings notificationsettings questions customextensionstagesettings accessreviewsettings "
    "catalog canextend durationindays accesspackagecatalog customextensionhandlers")
_REQUEST = gov.known(
    "id requesttype state status requeststate requeststatus createddatetime completeddatetime completeddate "
    "expirationdatetime justification accesspackageid tenantid history",
    "answers schedule requestor accesspackage assignment accesspackageassignment isvalidationonly "
    "customextensioncalloutinstances customextensionhandlerinstances verifiedcredentialsdata target targetid")
_DELIVERED = {"actor_class": "automation", "actor_class_basis": "the service delivers what is asked for"}
_PENDING = frozenset({"submitted", "pendingapproval", "pendingnotbefore"})


def _kind(keys: frozenset[str]) -> str | None:
    if "requesttype" in keys and "principalid" not in keys:
        return "request" if keys & {"state", "requeststate", "requeststatus"} else None
    if keys & {"assignmentstate", "assignmentstatus"} or (
        {"state", "schedule"} <= keys and keys & {"target", "accesspackage", "assignmentpolicy"}
    ):
        return "assignment"
    if "requestapprovalsettings" in keys and keys & {"requestorsettings", "expiration", "accesspackage",
                                                     "accesspackageid"}:
        return "policy"
    if {"ishidden", "displayname"} <= keys and keys & {"catalog", "catalogid", "modifieddatetime",
                                                       "resourcerolescopes"}:
        return "package"
    return "approval" if keys & {"stages", "steps"} and "id" in keys and len(keys) <= 8 else None


def detect(sample: Sample) -> Match | None:
    """Objects of entitlement management by the keys only they have together; approvals by the page they came on."""
    kind = _kind(frozenset(key for key in gov.keys_of(sample) if "@" not in key))
    head = sample.head[:_HEAD_READ].lower()
    if kind is None or (kind == "approval" and b"entitlementmanagement" not in head and b"accesspackage" not in head):
        return None
    return Match(kind, 0.92, f"keys of an access package {kind}")


def extract(document: Document) -> Iterator[Chunk]:
    """Objects as they stand in the file."""
    return gov.raw_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Steps, entitlements, resources and identities out of entitlement management."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    row = gov.opened(entry.fields)
    kind = _kind(frozenset(key for key in row if "@" not in key))
    native_id = native(text(row.get("id")))
    if kind is None:
        raise RecordFault("unknown_object", "not an object of entitlement management that this loader knows")
    if native_id is None:
        raise RecordFault("no_id", f"an access package {kind} without id")
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), gov.revision(native_id, f"access_package_{kind}", row),
                   within="")
    _READERS[kind](entry, row, native_id)


def _subject(entry: Entry, value: object) -> Who:
    """The principal behind a subject of entitlement management, by its object id."""
    held = obj(value)
    if not name(held.get("objectid")):
        return NOBODY
    return gov.seen(entry, held.get("objectid"), text(held.get("subjecttype")) or "", held.get("displayname"),
                    held.get("principalname") or held.get("email"), "subjectType")


def _request(entry: Entry, row: Fields, native_id: str) -> None:
    if flag(row.get("isvalidationonly")):
        raise RecordFault("out_of_scope", "a request that only validates", "rejected")
    asked = entry.time(row.get("createddatetime"), "createdDateTime")
    gov.keep_new(entry, _REQUEST, row, "access_package_request", native_id)
    sort = text(row.get("requesttype")) or "unknown"
    state = (text(row.get("state")) or text(row.get("requeststate")) or "").lower()
    by = _subject(entry, row.get("requestor"))
    package, label = _package_of(row)
    verb = _verb(sort)
    target = _target(entry, _beneficiary(entry, row, by, sort), package)
    base: dict[str, Any] = {
        "operation": sort, "initiator_id": by.id, "target_key": target,
        "effect_key": f"{verb}({target})" if target else None, "native_key_kind": KEY, "native_key": native_id,
        "event_id": native_id, "quoted_keys": gov.quoted(row.get("justification")),
        "justification_present": gov.reason_given(row), "title": f"{sort}: {label or package or 'access package'}",
        "expires_at": (gov.end_of(row.get("schedule")) or gov.when(row.get("expirationdatetime")))
        if verb == "grant" else None}
    own = {"actor_class": "automation", "actor_class_basis": f"requestType {sort}: the service asked itself",
           } if sort.lower().startswith("system") and by.id is None else by.acting()
    entry.step("request", kind="request", time=asked, capacity="system" if sort.lower().startswith("system") else
               "requester", **{**base, **own, "status": "pending" if state in _PENDING else "succeeded"})
    ending = _ending(state)
    if ending is not None:
        done = parse_time(row.get("completeddatetime")) or parse_time(row.get("completeddate")) or asked
        entry.step(ending["kind"], time=done, **{**base, **ending})


def _verb(sort: str) -> str:
    low = sort.lower()
    return "revoke" if low.endswith("remove") else "set" if low.endswith("update") else "grant"


def _ending(state: str) -> dict[str, Any] | None:
    """What became of a request, by its state; None while it is open or when the state is not known."""
    if state in ("delivered", "partiallydelivered"):
        return {"kind": "action", "status": "succeeded", "applied_value": state, **_DELIVERED}
    if state == "deliveryfailed":
        return {"kind": "attempt", "status": "failed", "applied_value": state, **_DELIVERED}
    verdict = {"denied": "deny", "canceled": "withdraw", "cancelled": "withdraw"}.get(state)
    return {"kind": "decision", "verdict": verdict, "decided_value": state, "expires_at": None} if verdict else None


def _package_of(row: Fields) -> tuple[str | None, str | None]:
    """Id and name of the package, from the record or from the assignment in it."""
    assignment = obj(row.get("assignment")) or obj(row.get("accesspackageassignment"))
    package = obj(row.get("accesspackage")) or obj(assignment.get("accesspackage"))
    found = package.get("id") or row.get("accesspackageid") or assignment.get("accesspackageid")
    return native(name(found)), name(package.get("displayname"))


def _beneficiary(entry: Entry, row: Fields, by: Who, sort: str) -> Who:
    """Whom the access is for: the assignment's target, else who asked for themselves."""
    assignment = obj(row.get("assignment")) or obj(row.get("accesspackageassignment"))
    who = _subject(entry, assignment.get("target") or row.get("target"))
    if who.id is None:
        who = gov.seen(entry, assignment.get("targetid") or row.get("targetid"))
    return by if who.id is None and sort.lower().startswith("user") else who


def _target(entry: Entry, who: Who, package: str | None) -> str | None:
    if who.id is None or package is None:
        return None
    return f"{PROVIDER}:{entry.tenant or ''}:access_package/{package}|{who.id.split(':', 2)[2]}"


def _assignment(entry: Entry, row: Fields, native_id: str) -> None:
    package, label = _package_of(row)
    who = _beneficiary(entry, row, NOBODY, "")
    if who.id is None:
        raise RecordFault("no_principal", "an assignment without its target; export it with $expand=target")
    schedule = obj(row.get("schedule"))
    end = gov.end_of(schedule) or gov.when(row.get("expireddatetime"))
    state = (text(row.get("state")) or text(row.get("assignmentstate")) or "").lower()
    endless = (text(obj(schedule.get("expiration")).get("type")) or "").lower() == "noexpiration"
    held = "timebound" if end else "standing" if endless else None
    entry.add(
        tables.ENTITLEMENTS, principal_id=who.id, grant_kind="right", privilege=label or "access package",
        scope=_id(entry, "access_package", package) if package else None, effect="allow",
        state={"delivered": held, "partiallydelivered": held, "expired": "expired", "delivering": "pending",
               "pendingapproval": "pending"}.get(state),
        granted_at=gov.when(schedule.get("startdatetime")), expires_at=end, grant_id=native_id, origin="access_package",
        unmapped=entry.leftovers(_ASSIGNMENT, gov.without_annotations(row)))


def _id(entry: Entry, kind: str, native_id: str) -> str:
    return identity_id(PROVIDER, entry.tenant, f"{kind}/{native_id}")


def _package(entry: Entry, row: Fields, native_id: str) -> None:
    scopes = objects(row.get("resourcerolescopes")) or objects(row.get("accesspackageresourcerolescopes"))
    grants = [grant for scope in scopes if (grant := _grant(scope))]
    catalog = obj(row.get("catalog")) or obj(row.get("accesspackagecatalog"))
    _resource(entry, row, "access_package", native_id, _PACKAGE, {
        "hidden": flag(row.get("ishidden")), "created_at": text(row.get("createddatetime")),
        "catalog": name(row.get("catalogid")) or name(catalog.get("id")),
        "grants": sorted(grants) if scopes else None})


def _grant(scope: Fields) -> str | None:
    """``<system>:<role>:<id>`` of one resource role in a package."""
    role = obj(scope.get("role")) or obj(scope.get("accesspackageresourcerole"))
    place = obj(scope.get("scope")) or obj(scope.get("accesspackageresourcescope"))
    parts = (name(role.get("originsystem")) or name(place.get("originsystem")), name(role.get("displayname")),
             native(name(place.get("originid"))))
    return ":".join(part or "" for part in parts) if any(parts) else None


def _policy(entry: Entry, row: Fields, native_id: str) -> None:
    settings, requestors = obj(row.get("requestapprovalsettings")), obj(row.get("requestorsettings"))
    stages = objects(settings.get("stages")) or objects(settings.get("approvalstages"))
    approvers = sorted({who for stage in stages for person in objects(stage.get("primaryapprovers"))
                        if (who := native(text(person.get("userid")) or text(person.get("groupid"))
                                          or text(person.get("id"))))})
    needed = flag(settings.get("isapprovalrequiredforadd"))
    _resource(entry, row, "access_package_policy", native_id, _POLICY, {
        "access_package": _package_of(row)[0], "stages": len(stages), "approvers": approvers,
        "approval_required": flag(settings.get("isapprovalrequired")) if needed is None else needed,
        "who": text(row.get("allowedtargetscope")) or text(requestors.get("scopetype")),
        "expiration": text(obj(row.get("expiration")).get("type"))})


def _resource(entry: Entry, row: Fields, kind: str, native_id: str, known: dict[str, str],
              attributes: dict[str, Any]) -> None:
    entry.add(tables.RESOURCES, id=_id(entry, kind, native_id), kind=kind, display_name=name(row.get("displayname")),
              attributes=msgspec.json.encode(attributes, order="sorted").decode(),
              unmapped=entry.leftovers(known, gov.without_annotations(row)))


def _approval(entry: Entry, row: Fields, native_id: str) -> None:
    """The approval of a request has the request's id."""
    stages = objects(row.get("stages") if "stages" in row else row.get("steps"))
    gov.keep_new(entry, APPROVAL, row, "approval", native_id)
    add_stages(entry, stages, KEY, native_id, "approval")


_READERS: dict[str, Callable[[Entry, Fields, str], None]] = {
    "request": _request, "assignment": _assignment, "package": _package, "policy": _policy, "approval": _approval,
}
