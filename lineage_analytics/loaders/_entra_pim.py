"""What the activities of Privileged Identity Management mean: request, decision, action, expiry, rollback."""

from __future__ import annotations

import re
from typing import NamedTuple

_MEMBER = re.compile(r"(add|remove|restore|update) (eligible )?member\b")
_QUALIFIER = re.compile(r"\(([^()]{1,40})\)$")


class Phase(NamedTuple):
    """One phase of a case.

    ``verb`` is what the case is about (grant, revoke, set ...); ``state`` the grant state it leads to, else None;
    ``activation`` whether a person activates for themselves; ``what`` names the object when it is no assignment;
    ``capacity`` in which somebody decides.
    """

    kind: str
    verb: str
    verdict: str | None = None
    state: str | None = None
    activation: bool = False
    what: str = "role"
    pending: bool = False
    capacity: str | None = None


_OTHER: dict[str, Phase] = {
    "cancel request": Phase("decision", "grant", "withdraw", capacity="requester"),
    "remove request": Phase("decision", "grant", "withdraw", capacity="requester"),
    "pim activation request expired": Phase("expiry", "request", activation=True),
    "remove permanent direct role assignment": Phase("rollback", "revoke", state="standing"),
    "remove permanent eligible role assignment": Phase("rollback", "revoke", state="eligible"),
    "restore permanent direct role assignment": Phase("rollback", "grant", state="standing"),
    "restore permanent eligible role assignment": Phase("rollback", "grant", state="eligible"),
    "add member to role outside of pim (permanent)": Phase("action", "grant", state="standing"),
    "approve request - direct role assignment": Phase("decision", "grant", "approve", "standing", capacity="approver"),
    "process request": Phase("outcome", "grant"),
    "process role removal request": Phase("outcome", "revoke"),
    "process role update request": Phase("outcome", "set"),
    "update role setting in pim": Phase("action", "set", what="role_setting"),
    "pim policy removed": Phase("action", "delete", what="role_setting"),
    "triggered pim alert": Phase("signal", "raise", what="alert"),
    "refresh pim alert": Phase("signal", "raise", what="alert"),
    "resolve pim alert": Phase("decision", "close", "modify", what="alert"),
    "deactivate pim alert": Phase("decision", "close", "modify", what="alert"),
    "disable pim alert": Phase("action", "disable", what="alert"),
    "enable pim alert": Phase("action", "enable", what="alert"),
}
_DECISIONS = (
    ("request approved", "approve"), ("approved by admin", "approve"), ("request denied", "deny"),
    ("denied by admin", "deny"), ("canceled", "withdraw"), ("cancelled", "withdraw"),
)


def phase_of(operation: str) -> Phase | None:
    """The phase an activity stands for; None when it is none of PIM's, as with plain ``add member to role``."""
    known = _OTHER.get(operation)
    member = _MEMBER.match(operation)
    if known is not None or member is None:
        return known
    qualifier = found.group(1) if (found := _QUALIFIER.search(operation)) else ""
    word, eligible = member.group(1), member.group(2) is not None
    verb = "revoke" if word == "remove" else "grant"
    activation = qualifier.startswith("pim ")
    if qualifier.endswith("expired"):
        return Phase("expiry", verb, state="activated", activation=True)
    state = _state(qualifier, word, eligible=eligible)
    for words, verdict in _DECISIONS:
        if words in operation:
            capacity = "requester" if verdict == "withdraw" else "approver"
            return Phase("decision", verb, verdict, state, activation, capacity=capacity)
    if "approval requested" in operation:
        return Phase("request", verb, None, state, activation, pending=True)
    if "requested" in operation:
        return Phase("request", verb, None, state, activation)
    if "completed" in operation or word == "restore":
        return Phase("rollback" if word in ("remove", "restore") else "action", verb, None, state, activation)
    return None


def _state(qualifier: str, word: str, *, eligible: bool) -> str | None:
    if eligible:
        return "eligible"
    if qualifier.startswith(("pim activat", "pim deactivat")):
        return "activated"
    if qualifier in ("timebound", "renew", "extend", "extend/renew"):
        return "timebound"
    return "standing" if qualifier == "permanent" or word == "restore" else None
