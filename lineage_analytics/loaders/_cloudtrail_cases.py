"""Calls that ask for a change, approve one or carry it out under a key of their own (sources 2.6).

AWS has no approval record of its own: change sets, change requests and pipeline approvals are where one is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._cloudtrail_keys import keys_in

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERDICTS = {"approved": "approve", "approve": "approve", "rejected": "deny", "reject": "deny", "revoke": "withdraw"}


class Part(NamedTuple):
    """What a call is in a case: its kind, the case's key and where the record states it, what it is about."""

    kind: str
    key_kind: str | None
    keys: tuple[str, ...]
    target: str
    verdict: str = ""
    reason: str = ""


PARTS: Mapping[str, Part] = {
    "access-analyzer:GenerateFindingRecommendation": Part("recommendation", "access_finding_id", ("id",), ""),
    "access-analyzer:UpdateFindings": Part("action", "access_finding_id", ("ids",), ""),
    "cloudformation:CreateChangeSet": Part("draft", "change_set_id", ("response.id",), "stack/{stackName}"),
    "cloudformation:ExecuteChangeSet": Part("action", "change_set_id", ("changeSetName",), "stack/{stackName}"),
    "codepipeline:PutApprovalResult": Part("decision", None, (), "pipeline/{pipelineName}", "result.status",
                                           "result.summary"),
    "ssm:StartChangeRequestExecution": Part("request", "automation_execution_id", ("response.automationExecutionId",),
                                            "runbook/{documentName}", reason="changeDetails"),
    "ssm:SendAutomationSignal": Part("decision", "automation_execution_id", ("automationExecutionId",), "",
                                     "signalType", "payload.Comment"),
}
"""Calls by action. A path begins in the request, with ``response.`` in the response."""


def cells(part: Part, request: Mapping[str, Any], response: Mapping[str, Any], tenant: str | None) -> dict[str, Any]:
    """Cells of DECISION_STEPS that the part states; of what somebody wrote only ticket keys and that it is there."""
    places = {"response": response, **request}
    stated = [_at(places, path) for path in part.keys]
    named = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in stated]
    key = next((value for value in named if isinstance(value, str) and value), None)
    if part.key_kind == "change_set_id" and key is not None and not key.startswith("arn:"):
        key = None  # a change set's name is given again and again, its ARN never
    target = _filled(part.target, request, tenant)
    found: dict[str, Any] = {
        "kind": part.kind, "native_key_kind": part.key_kind if key else None, "native_key": key, "verdict": None,
        "capacity": None, "target_key": target, "effect_key": f"set({target})" if target else None,
        "origin": "rule" if part.kind == "recommendation" else None}
    if part.verdict:
        said = str(_at(places, part.verdict) or "")
        found |= {"verdict": _VERDICTS.get(said.lower()), "decided_value": said or None, "capacity": "approver"}
        if found["verdict"] is None:
            found |= {"kind": "action", "capacity": None}
    if part.reason:
        written = _at(places, part.reason)
        text = " ".join(map(str, written)) if isinstance(written, list) else str(written or "")
        found |= {"justification_present": bool(text.strip()),
                  "quoted_keys": keys_in(text)}
    return found


def _at(places: Mapping[str, Any], path: str) -> Any:
    """The value at a path with dots, keys in any case; None where there is none."""
    value: Any = places
    for step in path.split("."):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            return None
        value = value[step] if step in value else next(
            (held for key, held in value.items() if key.lower() == step.lower()), None)
    return value


def _filled(template: str, request: Mapping[str, Any], tenant: str | None) -> str | None:
    kind, _, name = template.partition("/")
    value = _at(request, name.strip("{}")) if name else None
    if not isinstance(value, str) or not value:
        return None
    if value.startswith("arn:") and f":{kind}/" in value:  # arn:...:stack/<name>/<id>
        value = value.split(f":{kind}/", 1)[1].split("/", 1)[0]
    return f"aws:{tenant or ''}:{kind}/{value}"
