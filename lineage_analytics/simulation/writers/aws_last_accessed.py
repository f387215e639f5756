"""Reports of when services were last used: of a handful of principals, and of who may use IAM by one policy.

They were made some hours before the end and agree with what the trail shows until then.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Principal
from lineage_analytics.simulation.writers.files import as_json, pretty, put, zulu

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import AwsEvent, Happened, World

Row = dict[str, Any]
_MADE = END.replace(hour=18, minute=0, second=0)
_SERVICES = {
    "cloudformation": "AWS CloudFormation", "ec2": "Amazon EC2", "ecs": "Amazon Elastic Container Service",
    "iam": "AWS Identity and Access Management", "kms": "AWS Key Management Service", "lambda": "AWS Lambda",
    "logs": "Amazon CloudWatch Logs", "rds": "Amazon RDS", "s3": "Amazon S3", "secretsmanager": "AWS Secrets Manager",
    "ssm": "AWS Systems Manager", "sts": "AWS Security Token Service",
}
"""Those a report of a principal that may use everything shows here; the synthetic report ends there."""
_TRACKED = frozenset({"iam", "ec2", "s3", "lambda"})
"""Services whose reports go down to actions."""
Uses = dict[tuple[str, str], dict[str, "AwsEvent"]]


class Log:
    """Watches the days for what those reported on do; the reports themselves are written at the end."""

    def __init__(self, directory: Path, world: World) -> None:
        del directory
        self._uses: Uses = {}
        self._wanted: frozenset[str] = frozenset()
        if "aws_reported" in world.cast:
            self._wanted = frozenset(who.native_id for who in world.cast["aws_reported"])
            world.cast["aws_reported_uses"] = self._uses

    def day(self, happened: Happened) -> None:
        """Any attempt counts as use, be it denied."""
        for event in happened.aws:
            who = event.principal
            if who is not None and who.native_id in self._wanted and event.time <= _MADE:
                self._uses.setdefault((who.native_id, event.service), {})[event.name] = event

    def end(self) -> None:
        """Nothing yet: the inventory's own last uses come first."""


def write(directory: Path, world: World) -> int:
    """A report a principal, all of them again on lines, one by policy with those who may use IAM."""
    reported: list[Principal] = world.cast.get("aws_reported", [])
    if not reported:
        return 0
    uses: Uses = world.cast["aws_reported_uses"]
    reports = [_report(who, uses, number) for number, who in enumerate(reported)]
    for who, report in zip(reported, reports, strict=True):
        put(directory / f"service-last-accessed-{who.name}.json", pretty(report))
    put(directory / "all.ndjson.gz", b"".join(as_json(report) + b"\n" for report in reports))
    policy = world.policies["AdministratorAccess"]
    put(directory / "with-entities-iam.json", pretty({"Arn": policy.arn} | _job(len(reports)) | {
        "EntityDetailsList": [_entity(who, uses) for who in reported if policy in who.policies], "IsTruncated": False}))
    return len(reports) + 1


def _job(number: int) -> Row:
    made, done = (zulu(_MADE + timedelta(seconds=7 * number + more)) for more in (0, 3))
    return {"JobId": f"synthetic-{number:04d}", "JobStatus": "COMPLETED", "JobCreationDate": made,
            "JobCompletionDate": done}


def _report(who: Principal, uses: Uses, number: int) -> Row:
    return {"Arn": who.arn} | _job(number) | {
        "JobType": "ACTION_LEVEL", "ServicesLastAccessed": [_service(who, name, uses) for name in _may_use(who, uses)],
        "IsTruncated": False}


def _may_use(who: Principal, uses: Uses) -> list[str]:
    """Services its policies name, or a dozen where they name all; and those it tried."""
    named = {a.partition(":")[0] for p in who.policies for s in p.statements for a in s.actions}
    tried = {service for native, service in uses if native == who.native_id}
    return sorted((set(_SERVICES) if "*" in named else named) | tried)


def _service(who: Principal, name: str, uses: Uses) -> Row:
    held = uses.get((who.native_id, name), {})
    found: Row = {"ServiceName": _SERVICES.get(name, name), "ServiceNamespace": name, "TotalAuthenticatedEntities": 0}
    if held:
        last = max(event.time for event in held.values())
        found |= {"LastAuthenticated": zulu(last), "LastAuthenticatedEntity": who.arn,
                  "LastAuthenticatedRegion": "eu-west-1", "TotalAuthenticatedEntities": 1}
    if name in _TRACKED and held:
        found["TrackedActionsLastAccessed"] = [
            {"ActionName": event.name, "LastAccessedEntity": who.arn, "LastAccessedTime": zulu(event.time),
             "LastAccessedRegion": event.region} for _, event in sorted(held.items())]
    return found


def _entity(who: Principal, uses: Uses) -> Row:
    last = _last(who, uses)
    return {"EntityInfo": {"Arn": who.arn, "Name": who.name, "Type": "ROLE" if who.is_role else "USER",
                           "Id": who.native_id, "Path": who.path}} | ({"LastAuthenticated": zulu(last)} if last else {})


def _last(who: Principal, uses: Uses) -> datetime | None:
    return max((event.time for event in uses.get((who.native_id, "iam"), {}).values()), default=None)
