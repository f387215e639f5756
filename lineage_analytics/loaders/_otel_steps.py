"""Decision steps that home-grown agents state in ``lineage.*`` attributes of spans or span events (sources 11.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders._otel_spans import Span, flat_name
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.stated import stated as stated_keys
from lineage_analytics.loaders.common.values import flag, name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

PROVIDER = "otel"
# What a step may be called; an approval and a denial are decisions with a verdict.
STEPS = {
    "signal": "signal", "recommendation": "recommendation", "draft": "draft", "request": "request",
    "decision": "decision", "approval": "decision", "denial": "decision", "execution": "action", "action": "action",
    "attempt": "attempt", "outcome": "outcome", "rollback": "rollback", "expiry": "expiry",
}
VERDICTS = {"approval": "approve", "denial": "deny"}
_STATED_VERDICTS = {"approve": "approve", "approved": "approve", "accept": "approve", "deny": "deny", "denied": "deny",
                    "reject": "deny", "rejected": "deny", "decline": "deny", "withdraw": "withdraw", "modify": "modify"}
_DONE = frozenset({"action", "attempt", "rollback", "request"})  # what a call is made for
_EFFECT = re.compile(r"[a-z_]{2,20}\(.{1,500}\)", re.DOTALL)
_VERB = re.compile(r"[a-z_]{2,20}")
_CANONICAL = re.compile(r"(?:aws|entra|m365|okta|github|gcp|gworkspace|k8s|ad|servicenow|jira|otel|mcp|declared)"
                        r":[^:]*:.+", re.DOTALL)
# Attributes and answer headers in which clients keep the id a provider gave a request; ours is for all others.
_REQUESTS = (
    "lineage_request_id", "aws_request_id", "aws_requestid", "az_service_request_id", "azure_service_request_id", *(
    f"http_response_header_{header}" for name_of in (
        "x-amzn-requestid", "x-amz-request-id", "x-ms-request-id", "request-id", "x-github-request-id",
        "x-okta-request-id") for header in (name_of, name_of.replace("-", "_"))))
_KEYS = re.compile(r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b")


def principal(stated: str, service: str | None) -> str:
    """A principal as a step names it: an id in our form as it stands, anything else within the service."""
    return stated if _CANONICAL.fullmatch(stated) else identity_id(PROVIDER, service, stated)


def steps(span: Span, service: str | None, actor: str | None,
          requests: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each stated step with the part of the record it is: of the span itself, then of its events in time order.

    ``requests`` are the ids that providers gave to requests made inside the span.
    """
    own = _step(span.flat, span.time, span, service, actor, requests)
    if own is not None:
        yield "span", own
    found = []
    for when, label, attributes in span.events:
        flat = {flat_name(key): held for key, held in attributes.items()}
        if label is not None and label.startswith("lineage.") and "lineage_step" not in flat:
            flat["lineage_step"] = label.removeprefix("lineage.")
        stated = _step(flat, when or span.time, span, service, actor, requests)
        if stated is not None:
            found.append(stated)
    found.sort(key=lambda step: (str(step["time"]), repr(sorted(step.items(), key=str))))
    for number, stated in enumerate(found):
        yield f"event/{number}", stated


def _step(flat: Mapping[str, Any], when: datetime | None, span: Span, service: str | None,
          actor: str | None, requests: Sequence[str]) -> dict[str, Any] | None:
    stated = (name(flat.get("lineage_step")) or "").lower()
    kind = STEPS.get(stated)
    if kind is None:
        return None
    target, effect = name(flat.get("lineage_target")), name(flat.get("lineage_effect"))
    approver, case = name(flat.get("lineage_approver")), name(flat.get("lineage_case_id"))
    decided = kind == "decision"
    who = principal(approver, service) if decided and approver else None if decided else actor
    failed = span.status == "error"
    return {
        "kind": "attempt" if failed and kind in ("action", "rollback") else kind, "time": when,
        "operation": f"lineage.{stated}",
        "verdict": VERDICTS.get(stated) or _STATED_VERDICTS.get((name(flat.get("lineage_verdict")) or "").lower())
        if decided else None,
        "capacity": "approver" if decided else None, "status": "failed" if failed else "succeeded",
        "actor_id": who, "initiator_id": actor if kind in ("request", "action") else None,
        "actor_class": "ai_agent" if who is not None and who == actor else "unknown",
        "actor_class_basis": "OTel gen_ai.agent" if who is not None and who == actor else None,
        "authority_mode": "own_identity" if who is not None and who == actor else "unknown",
        "target_key": target, "effect_key": _effect(effect, target),
        "native_key_kind": "lineage_case" if case else None, "native_key": case, "correlation_id": span.trace,
        "quoted_keys": sorted(set(_KEYS.findall((name(flat.get("lineage_evidence_ref")) or "")[:4096]))),
        "stated_keys": stated_keys(
            trace=span.trace, request=[*requests_of(span), *requests] if kind in _DONE else None),
        "justification_present": flag(flat.get("lineage_justified")),
        "origin": "ai" if kind == "recommendation" and actor is not None else None,
        "title": " ".join(filter(None, (stated, target)))[:200],
    }


def requests_of(span: Span) -> list[str]:
    """The ids that providers gave the requests the span made."""
    return [found for key in _REQUESTS for found in _texts(span.flat.get(key))]


def states_step(span: Span) -> bool:
    """Whether the span or one of its events states a step."""
    own = (name(span.flat.get("lineage_step")) or "").lower() in STEPS
    return own or any((label or "").startswith("lineage.") or any(flat_name(key) == "lineage_step" for key in held)
                      for _, label, held in span.events)


def _texts(value: object) -> list[str]:
    held = value if isinstance(value, list) else [value]
    return [found for item in held if (found := name(item)) is not None]


def _effect(effect: str | None, target: str | None) -> str | None:
    """``verb(target)``; a verb alone is completed with the target stated beside it."""
    if effect is None:
        return None
    if _EFFECT.fullmatch(effect):
        return effect
    return f"{effect.lower()}({target})" if target and _VERB.fullmatch(effect.lower()) else None
