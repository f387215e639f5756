"""Entitlement management: access packages, their policies, requests, approvals and assignments as pages of the API.

The last month of requests is exported twice, once as a script writes objects: keys with capitals, one a line.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._packages import group_of
from lineage_analytics.simulation.model import END
from lineage_analytics.simulation.writers.entra_pim import graph_time, pages
from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.chapters._packages import Package, Packages, Request, Stage
    from lineage_analytics.simulation.model import Person, World

Row = dict[str, Any]
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#identityGovernance/entitlementManagement/"
_CATALOGUE = "5f6e7d8c-0c0c-4a10-a000-0e1d2c3b4a5f"
_TWICE = timedelta(days=31)
_STATUS = {"delivered": "Delivered", "denied": "Denied", "canceled": "Canceled", "deliveryFailed": "DeliveryFailed",
           "pendingApproval": "PendingApproval"}


def write(directory: Path, world: World) -> int:
    """Every kind of object in its own pages; returns how many distinct ones there are."""
    found: Packages = world.cast["governance"].packages
    granting = [r for r in found.requests if r.sort != "systemRemove" and r.state == "delivered"]
    kinds: dict[str, list[Row]] = {
        "assignmentRequests": [_request(r) for r in reversed(found.requests)],
        "accessPackageAssignmentApprovals": [_approval(r) for r in found.requests if r.stages],
        "assignments": [_assignment(r) for r in granting],
        "accessPackages": [_package(p) for p in found.packages],
        "assignmentPolicies": [_policy(p) for p in found.packages],
    }
    for kind, rows in kinds.items():
        pages(directory, kind, _CONTEXT + kind, rows)
    recent = [r for r in found.requests if r.asked > END - _TWICE]
    put(directory / "assignmentRequests-script.json.gz",
        b"".join(as_json(_capital(_request(r))) + b"\n" for r in recent))
    return sum(map(len, kinds.values()))


def _capital(value: object) -> object:
    if isinstance(value, dict):
        return {key if "@" in key else key[:1].upper() + key[1:]: _capital(held) for key, held in value.items()}
    return [_capital(held) for held in value] if isinstance(value, list) else value


def _subject(person: Person) -> Row:
    """A subject of entitlement management has an id of its own."""
    guest = "#EXT#" in person.login
    return {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"synthetic/subject/{person.object_id}")),
            "objectId": person.object_id, "displayName": person.name, "email": None, "principalName": person.login,
            "subjectType": "user", "subjectLifecycle": "governed" if guest else "notGoverned",
            "connectedOrganization": None}


def _schedule(start: datetime | None, until: datetime | None) -> Row:
    return {"startDateTime": graph_time(start), "recurrence": None, "expiration": {
        "type": "afterDateTime" if until else "noExpiration", "endDateTime": graph_time(until), "duration": None}}


def _request(request: Request) -> Row:
    return {
        "id": request.request_id, "requestType": request.sort, "state": request.state,
        "status": _STATUS[request.state], "createdDateTime": graph_time(request.asked),
        "completedDateTime": graph_time(request.done), "justification": "synthetic" if request.asker else None,
        "answers": [], "customExtensionCalloutInstances": [], "schedule": _schedule(request.done, request.until),
        "requestor": _subject(request.asker) if request.asker else None, "accessPackage": _named(request.package),
        "assignment": {"id": request.assignment_id, "target": _subject(request.person)},
    }


def _named(package: Package) -> Row:
    return {"id": package.package_id, "displayName": package.name, "isHidden": False}


def _approval(request: Request) -> Row:
    return {"id": request.request_id, "stages": [_stage(stage) for stage in request.stages]}


def _stage(stage: Stage) -> Row:
    by = stage.approver
    return {"id": stage.stage_id, "displayName": None, "assignedToMe": False, "status": "Completed",
            "reviewResult": "Approve" if stage.approved else "Deny", "justification": "synthetic",
            "reviewedDateTime": graph_time(stage.time),
            "reviewedBy": {"id": by.object_id, "displayName": by.name, "userPrincipalName": by.login}}


def _assignment(request: Request) -> Row:
    over = request.until is not None and request.until <= END
    return {
        "id": request.assignment_id, "state": "expired" if over else "delivered",
        "status": "Expired" if over else "Delivered", "expiredDateTime": graph_time(request.until) if over else None,
        "schedule": _schedule(request.done, request.until), "target": _subject(request.person),
        "accessPackage": _named(request.package),
        "assignmentPolicy": {"id": request.package.policy_id, "displayName": "Initial policy"},
    }


def _package(package: Package) -> Row:
    return {
        "id": package.package_id, "displayName": package.name, "description": "synthetic", "isHidden": False,
        "createdDateTime": "2024-02-01T08:00:00.000Z", "modifiedDateTime": "2025-09-01T08:00:00.000Z",
        "catalog": {"id": _CATALOGUE, "displayName": "General (synthetic)"},
        "resourceRoleScopes": [{
            "id": f"{package.package_id}_synthetic",
            "role": {"displayName": "Member", "originSystem": "AadGroup"},
            "scope": {"displayName": package.group, "originSystem": "AadGroup", "originId": group_of(package)}}],
    }


def _policy(package: Package) -> Row:
    days = f"P{package.days}D" if package.days else None
    return {
        "id": package.policy_id, "displayName": "Initial policy", "description": "synthetic",
        "allowedTargetScope": "allMemberUsers", "createdDateTime": "2024-02-01T08:05:00.000Z",
        "modifiedDateTime": "2025-09-01T08:05:00.000Z", "accessPackage": _named(package),
        "expiration": {"type": "afterDuration" if days else "noExpiration", "endDateTime": None, "duration": days},
        "requestorSettings": {"enableTargetsToSelfAddAccess": True},
        "requestApprovalSettings": {
            "isApprovalRequiredForAdd": True, "isApprovalRequiredForUpdate": False,
            "stages": [{"durationBeforeAutomaticDenial": "P14D", "isApproverJustificationRequired": True,
                        "primaryApprovers": [{"@odata.type": "#microsoft.graph.singleUser", "userId": who.object_id}]}
                       for who in package.approvers]},
    }
