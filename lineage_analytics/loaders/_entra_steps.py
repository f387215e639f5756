"""Directory changes and PIM phases as decision steps, and the PIM assignments they complete as entitlements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders import _entra_targets as at
from lineage_analytics.loaders._entra_governance_log import PACKAGE_KEY, governance_phase, governance_target
from lineage_analytics.loaders._entra_pim import Phase, phase_of
from lineage_analytics.loaders._entra_record import PROVIDER, kind_of, target_id
from lineage_analytics.loaders.common.ids import derived_id, identity_id
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import first, native, text

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders._entra_actor import Actor
    from lineage_analytics.loaders._entra_record import Record

_TEXT_READ = 4_096
_QUOTED = re.compile(
    r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b"
    r"|19:[A-Za-z0-9_-]{8,128}@thread\.(?:v2|tacv2|skype)"
)
_TICKETS = ("ticketnumber", "ticketid", "ticket number")
_UPDATES = frozenset({"add", "assign", "update", "unassign", "delete", "create", "remove"})
_GUARDED = frozenset({"rolemanagement", "policy", "authorizationpolicy", "authorization"})
_INERT = frozenset({"enabledforreportingbutnotenforced", "reporting", "disabled"})
_MIRRORED = frozenset({"add policy", "update policy", "delete policy"})

# Activity in lower case: verb, and what the change is about.
EFFECTS: dict[str, tuple[str, str]] = {
    "add member to role": ("grant", "role"), "remove member from role": ("revoke", "role"),
    "add eligible member to role": ("grant", "role"), "remove eligible member from role": ("revoke", "role"),
    "add scoped member to role": ("grant", "role"), "remove scoped member from role": ("revoke", "role"),
    "add role assignment to role definition": ("grant", "role"),
    "remove role assignment from role definition": ("revoke", "role"),
    "add member to group": ("grant", "group"), "remove member from group": ("revoke", "group"),
    "add owner to group": ("grant", "owner:group"), "remove owner from group": ("revoke", "owner:group"),
    "add owner to application": ("grant", "owner:application"),
    "remove owner from application": ("revoke", "owner:application"),
    "add owner to service principal": ("grant", "owner:service_principal"),
    "remove owner from service principal": ("revoke", "owner:service_principal"),
    "add app role assignment to service principal": ("grant", "app_role"),
    "remove app role assignment from service principal": ("revoke", "app_role"),
    "add app role assignment grant to user": ("grant", "app_role"),
    "remove app role assignment from user": ("revoke", "app_role"),
    "add app role assignment to group": ("grant", "app_role"),
    "remove app role assignment from group": ("revoke", "app_role"),
    "add delegated permission grant": ("grant", "delegated"),
    "remove delegated permission grant": ("revoke", "delegated"),
    "consent to application": ("grant", "object:consent"),
    "add service principal credentials": ("create", "credential"),
    "remove service principal credentials": ("delete", "credential"),
    "update application - certificates and secrets management": ("set", "credential"),
    "add conditional access policy": ("create", "object:policy"),
    "update conditional access policy": ("set", "object:policy"),
    "delete conditional access policy": ("delete", "object:policy"),
    "add policy": ("create", "object:policy"), "update policy": ("set", "object:policy"),
    "delete policy": ("delete", "object:policy"),
    "add user": ("create", "object:user"), "delete user": ("delete", "object:user"),
    "hard delete user": ("destroy", "object:user"), "restore user": ("restore", "object:user"),
    "disable account": ("disable", "object:user"), "enable account": ("enable", "object:user"),
    "reset user password": ("set", "object:user_password"),
    "reset password (by admin)": ("set", "object:user_password"),
    "add service principal": ("create", "object:service_principal"),
    "remove service principal": ("delete", "object:service_principal"),
    "hard delete service principal": ("destroy", "object:service_principal"),
    "add application": ("create", "object:application"), "delete application": ("delete", "object:application"),
    "restore application": ("restore", "object:application"),
    "hard delete application": ("destroy", "object:application"),
    "add group": ("create", "object:group"), "delete group": ("delete", "object:group"),
    "restore group": ("restore", "object:group"), "hard delete group": ("destroy", "object:group"),
    "add role definition": ("create", "object:role_definition"),
    "update role definition": ("set", "object:role_definition"),
    "delete role definition": ("delete", "object:role_definition"),
    "set federation settings on domain": ("set", "object:domain"),
    "set domain authentication": ("set", "object:domain"),
    "add unverified domain": ("create", "object:domain"), "add verified domain": ("create", "object:domain"),
    "remove unverified domain": ("delete", "object:domain"), "remove verified domain": ("delete", "object:domain"),
    "update authentication methods policy": ("set", "object:policy"),
    "authentication methods policy update": ("set", "object:policy"),
    "authentication methods policy reset": ("set", "object:policy"),
    "add bypass user": ("grant", "object:mfa_bypass"), "remove bypassed user": ("revoke", "object:mfa_bypass"),
    "user has elevated their access to user access administrator for their azure resources": ("grant", "caller_role"),
}
# Decisions on a rule's recommendation.
_RECOMMENDATIONS = {
    "dismiss recommendation": "deny", "postpone recommendation": "modify", "mark recommendation as complete": "approve",
}


class Change(NamedTuple):
    """What a record changes: phase, normalised target and parameter, values before and after."""

    phase: Phase
    target: str | None
    assigned: at.Assignment | None = None
    before: str | None = None
    after: str | None = None
    native_kind: str | None = None
    native_key: str | None = None
    applied: str | None = None


def change_of(record: Record, actor: Actor) -> Change | None:
    """The change a record states; None when it is not about identities, access or the rules on them."""
    phase = phase_of(record.operation)
    if phase is not None:
        request = native(first(record.details, "requestid")) or _request_target(record)
        assigned = at.assignment(record)
        return Change(phase, _pim_target(record, phase, assigned), assigned, *_pim_states(record, phase),
                      "pim_request_id" if request else None, request)
    phase = governance_phase(record)
    if phase is not None:
        target, request = governance_target(record, phase)
        return Change(phase, target, native_kind=PACKAGE_KEY if request else None, native_key=request)
    if record.operation in _RECOMMENDATIONS:
        verdict = _RECOMMENDATIONS[record.operation]
        advice = at.object_target(record, "recommendation")
        return Change(Phase("decision", "close", verdict, what="recommendation", capacity="reviewer"), advice,
                      native_kind="entra_recommendation" if advice else None,
                      native_key=advice.partition("/")[2] if advice else None)
    verb, what = EFFECTS.get(record.operation, (None, None))
    if verb is None or what is None:
        if record.category not in _GUARDED or record.operation_type not in _UPDATES:
            return None
        verb, what = "set", f"object:{record.category}"
    return _core(record, actor, verb, what)


def _core(record: Record, actor: Actor, verb: str, what: str) -> Change:
    before: str | None = None
    after: str | None = None
    assigned: at.Assignment | None = None
    if what == "role":
        assigned = at.assignment(record)
        target = assigned.target
    elif what == "group":
        target = at.group_target(record)
    elif what == "app_role":
        target = at.app_role_target(record)
    elif what == "caller_role":
        target = at.caller_role_target(record)
    elif what == "delegated":
        target, before, after = at.delegated_target(record)
    elif what == "credential":
        target, found = at.credential_target(record)
        verb = found if target else verb
    elif what.startswith("owner:"):
        target = at.owner_target(record, what.removeprefix("owner:"))
    else:
        target = at.object_target(record, what.removeprefix("object:"))
        before, after = at.states(record)
    mirror = _mirror_kind(record, actor)
    key = record.correlation if mirror else None
    enforced = at.policy_states(record) if what == "object:policy" else (None, None)
    phase = Phase("draft" if _is_draft(verb, *enforced) else "action", verb)
    return Change(phase, target, assigned, before, after, mirror, key, enforced[1])


def _is_draft(verb: str, before: str | None, after: str | None) -> bool:
    """Whether a policy that enforces nothing was written: one that reports only or is off, and was so before.

    Enforcing it, or ceasing to, takes effect; where the record does not say how it was before, it may have done either.
    """
    inert = (after or "").lower() in _INERT
    return inert and (verb == "create" or (verb == "set" and (before or "").lower() in _INERT))


def _mirror_kind(record: Record, actor: Actor) -> str | None:
    """Core-directory records that repeat what PIM or Conditional Access log themselves; a linker folds them."""
    if actor.is_pim and (record.service or "").casefold() != "pim":
        return "pim_mirror"
    return "ca_mirror" if record.operation in _MIRRORED and at.is_conditional_access(record) else None


def _request_target(record: Record) -> str | None:
    return next((target_id(t) for t in record.targets if kind_of(t) == "request"), None)


def _pim_target(record: Record, phase: Phase, assigned: at.Assignment) -> str | None:
    if phase.what == "role":
        return assigned.target
    if phase.what == "role_setting" and assigned.role:
        return f"role_setting/{assigned.role}"
    return at.object_target(record, phase.what)


def _pim_states(record: Record, phase: Phase) -> tuple[str | None, str | None]:
    return at.states(record) if phase.what == "role_setting" else (None, None)


def step(record: Record, actor: Actor, change: Change, record_id: str, outcome: str) -> dict[str, Any]:
    """The DECISION_STEPS columns of a change, without time and provenance. Reasons given are never kept, only keys."""
    phase = change.phase
    failed = outcome == "failure" or phase.kind == "attempt"
    kind = "attempt" if failed and phase.kind in ("action", "rollback") else phase.kind
    target = at.key_of(record, change.target)
    parameter = "|eligible" if phase.state == "eligible" else ""
    status = "failed" if failed else ("pending" if phase.pending else "succeeded")
    return {
        "step_id": derived_id("step", record_id, phase.kind),
        "kind": kind,
        "operation": record.activity,
        "verdict": phase.verdict if phase.kind == "decision" else None,
        "capacity": phase.capacity,
        "applied_value": change.applied,
        "status": status if outcome in ("success", "failure") else "unknown",
        "initiator_id": _initiator(record, actor, change),
        "actor_id": actor.id,
        "actor_class": actor.agent_class,
        "actor_class_basis": actor.basis,
        "via_assistant_id": actor.via,
        "authority_mode": _authority(actor),
        "target_key": target,
        "effect_key": f"{phase.verb}({target}{parameter})" if target else None,
        "before_state": change.before,
        "after_state": change.after,
        "native_key_kind": change.native_kind,
        "native_key": change.native_key,
        "correlation_id": record.correlation,
        **keys(record),
        "justification_present": justified(record),
        "expires_at": expiry(record) if phase.verb == "grant" and phase.kind in ("request", "action") else None,
        "origin": "rule" if phase.what == "recommendation" else None,
        "title": " ".join(part for part in (record.activity, _about(change)) if part),
        "event_id": record.native_id,
        "record_id": record_id,
    }


def _about(change: Change) -> str | None:
    found = change.assigned
    if found is not None and found.role_label and found.principal_label:
        return f"{found.role_label} for {found.principal_label}"
    return change.target


def _initiator(record: Record, actor: Actor, change: Change) -> str | None:
    """Who asked. An activation is always asked for by the person it is for, whoever carries the phase out."""
    phase = change.phase
    principal = change.assigned.principal if change.assigned else None
    beneficiary = identity_id(PROVIDER, record.tenant, principal) if principal else None
    if phase.kind in ("expiry", "signal", "outcome") or "outside of pim" in record.operation:
        return None
    if phase.activation and (phase.kind == "decision" or actor.is_pim or actor.id is None):
        return beneficiary
    return None if phase.kind == "decision" or actor.is_pim else actor.id


def _authority(actor: Actor) -> str:
    if actor.via is not None:
        return "obo_user"
    by_class = {"human": "self", "ai_agent": "agent_user" if actor.subkind == "agent_user" else "own_identity"}
    return by_class.get(actor.agent_class, "unknown")


def keys(record: Record) -> dict[str, list[str]]:
    """The cells of a record's keys: tickets in the field for them, and what people quote in a reason: hints."""
    fields = [value for key in _TICKETS for value in record.details.get(key, ())]
    found = stated(ticket=fields)
    written = [*record.details.get("justification", ()), text(record.fields.get("resultreason")) or "",
               *(value for value in fields if not stated(ticket=value))]
    quoted = sorted({key for value in written for key in _QUOTED.findall(value[:_TEXT_READ])})
    return {"stated_keys": found, "quoted_keys": quoted}


def justified(record: Record) -> bool | None:
    """Whether a reason was given; None for records of services that ask for none."""
    if (record.service or "").casefold() != "pim" and "justification" not in record.details:
        return None
    written = any(value.strip() for value in record.details.get("justification", ()))
    return written or (record.result == "success" and text(record.fields.get("resultreason")) is not None)


def expiry(record: Record) -> datetime | None:
    """End of the authority granted, where the record states one."""
    return parse_time(first(record.details, "expirationtime", "endtime", "enddatetime"))


def entitlement(record: Record, change: Change, actor: Actor, outcome: str) -> dict[str, Any] | None:
    """The assignment a completed PIM phase leaves, from the event, not from a snapshot; else None."""
    phase = change.phase
    if outcome != "success" or phase.verb != "grant" or phase.what != "role" or phase.state is None:
        return None
    if phase.kind not in ("action", "rollback") or change.native_kind in ("pim_mirror", "ca_mirror"):
        return None
    found = change.assigned
    if found is None or found.principal is None or change.target is None:
        return None
    group = identity_id(PROVIDER, record.tenant, found.group) if found.group else None
    return {
        "principal_id": identity_id(PROVIDER, record.tenant, found.principal),
        "grant_kind": "membership" if group else "role",
        "privilege": found.role_label or found.role,
        "scope": group or found.scope or "/",
        "effect": "allow",
        "state": phase.state,
        "expires_at": expiry(record),
        "granted_by": actor.id,
        "grant_id": change.native_key or change.target,
        "origin": "pim",
    }
