"""Access Analyzer: findings as listed twice, pages that overlap, some in detail, advice, and events of what changed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._aws_findings import EXPORTED
from lineage_analytics.simulation.model import AWS_ACCOUNT
from lineage_analytics.simulation.writers.files import as_json, pretty, put, zulu

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.chapters._aws_findings import Advice, Finding, Findings
    from lineage_analytics.simulation.model import World

Row = dict[str, Any]
_DETAILED = 6
"""Findings of unused roles that were looked at one by one; of other sorts all were."""


def write(directory: Path, world: World) -> int:
    """All exports; the number of distinct records."""
    made: Findings | None = world.cast.get("aws_findings")
    if made is None:
        return 0
    before, now = ([_listed(finding, at) for finding in made.found if finding.created <= at] for at in EXPORTED)
    half = len(now) // 2
    put(directory / "list-findings-v2-before.json.gz", as_json({"findings": before, "nextToken": None,
                                                                "analyzer": "synthetic"}))
    put(directory / "list-findings-v2-1.json.gz", as_json({"findings": now[:half], "nextToken": "synthetic-2"}))
    put(directory / "list-findings-v2-2.json.gz", as_json({"findings": now[max(half - 2, 0):]}))
    detailed = [_listed(finding, EXPORTED[1]) | {"findingDetails": _details(finding)} for finding in _looked_at(made)]
    put(directory / "get-finding-v2.ndjson.gz", b"".join(as_json(row) + b"\n" for row in detailed))
    advice = [_advice(one) for one in made.advice]
    for number, row in enumerate(advice, 1):
        put(directory / f"get-finding-recommendation-{number}.json", pretty(row))
    put(directory / "events.ndjson.gz", b"".join(
        as_json(_event(row)) + b"\n" for row in now if row["status"] != "ACTIVE"))
    return len({as_json(row) for row in (*before, *now, *detailed, *advice)})


def _looked_at(made: Findings) -> list[Finding]:
    roles = [finding for finding in made.found if finding.kind == "UnusedIAMRole"][:_DETAILED]
    return [*roles, *(finding for finding in made.found if finding.kind != "UnusedIAMRole")]


def _listed(finding: Finding, at: datetime) -> Row:
    status, updated = finding.standing(at)
    about = finding.about
    return {
        "analyzedAt": zulu(updated if status == "ARCHIVED" else at - timedelta(hours=2)),
        "createdAt": zulu(finding.created), "id": finding.finding_id, "resource": about.arn,
        "resourceType": "AWS::IAM::Role" if about.is_role else "AWS::IAM::User", "resourceOwnerAccount": AWS_ACCOUNT,
        "status": status, "updatedAt": zulu(updated), "findingType": finding.kind,
    }


def _details(finding: Finding) -> list[Row]:
    """Details in the form of each type; a last use only where there was one that IAM states too."""
    about = finding.about
    if finding.kind == "UnusedPermission":
        return [{"unusedPermissionDetails": {"serviceNamespace": service, "actions": [
            {"action": action} for action in actions]}} for service, actions in finding.unused.items()]
    if finding.kind == "UnusedIAMRole":
        used = {"lastAccessed": zulu(about.stated_use)} if about.stated_use else {}
        return [{"unusedIamRoleDetails": used}]
    if finding.kind == "UnusedIAMUserPassword":
        last = about.password.last_used if about.password else None
        return [{"unusedIamUserPasswordDetails": {"lastAccessed": zulu(last)} if last else {}}]
    statement = about.trust[0]
    narrowed = {key: value for one in statement.get("Condition", {}).values() for key, value in one.items()}
    return [{"externalAccessDetails": {
        "action": [statement["Action"]], "condition": narrowed, "isPublic": False, "principal": statement["Principal"],
        "sources": [{"type": "POLICY"}]}}]


def _advice(advice: Advice) -> Row:
    began, done = (zulu(advice.asked + timedelta(seconds=seconds)) for seconds in (1, 40))
    return {
        "startedAt": began, "completedAt": done,
        "resourceArn": advice.finding.about.arn, "recommendationType": "UnusedPermissionRecommendation",
        "recommendedSteps": [{"unusedPermissionsRecommendedStep": {
            "recommendedAction": "DETACH_POLICY", "existingPolicyId": advice.policy}}],
        "status": "SUCCEEDED", "findingId": advice.finding.finding_id,
    }


def _event(row: Row) -> Row:
    """The event bus tells the same of a finding that changed."""
    return {"version": "0", "id": row["id"][::-1].replace("-", "")[:32], "detail-type": "Access Analyzer Finding",
            "source": "synthetic", "account": AWS_ACCOUNT, "time": row["updatedAt"], "region": "eu-west-1",
            "resources": [row["resource"]], "detail": row}
