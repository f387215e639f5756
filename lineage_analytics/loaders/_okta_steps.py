"""Okta events as decision steps: changes of access, access requests of both families, access reviews (sources 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders._event_rows import step
from lineage_analytics.loaders._okta_principals import who
from lineage_analytics.loaders.common.values import Fields, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.loaders._event_rows import Event
    from lineage_analytics.loaders.common.assembly import Entry

# Beginning of the event type: what the change is about, and the target types that name it.
_SUBJECTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("user.account.privilege.", "role", ("user",)),
    ("group.privilege.", "role", ("usergroup",)),
    ("group.user_membership.", "group", ("usergroup",)),
    ("group.application_assignment.", "application", ("appinstance",)),
    ("application.user_membership.", "application", ("appinstance",)),
    ("application.lifecycle.", "application", ("appinstance",)),
    ("application.policy.sign_on.rule.", "rule", ("rule",)),
    ("system.api_token.", "token", ("token",)),
    ("app.oauth2.client.lifecycle.", "client", ("publicclientapp", "clientapp", "client", "appinstance")),
    ("app.oauth2.client.privilege.", "role", ("publicclientapp", "clientapp", "client", "appinstance")),
    ("app.oauth2.admin.consent.", "consent", ("appinstance", "publicclientapp", "client")),
    ("app.oauth2.as.consent.", "consent", ("appinstance", "publicclientapp", "client")),
    ("app.keys.", "application_key", ("appinstance", "publicclientapp", "client")),
    ("user.session.impersonation.", "impersonation", ("user",)),
    ("user.account.", "user_password", ("user",)),
    ("user.mfa.factor.", "user_factor", ("user",)),
    ("user.lifecycle.", "user", ("user",)),
    ("group.lifecycle.", "group_object", ("usergroup",)),
    ("iam.role.", "custom_role", ("role", "customrole", "iamrole")),
    ("iam.resourceset.", "resource_set", ("resourceset", "resource_set", "iamresourceset")),
    ("policy.rule.", "rule", ("rule", "policyrule")),
    ("policy.lifecycle.", "policy", ("policy", "policyentity")),
    ("system.idp.lifecycle.", "identity_provider", ("identityprovider", "idp")),
    ("zone.", "zone", ("zone", "networkzone")),
    ("workload_principal.", "workload", ()),
    ("access.request.condition.", "access_condition", ()),
    ("access.request.sequence.", "access_sequence", ()),
    ("access.request.settings.", "access_settings", ()),
)
_VERBS = {
    "grant": "grant", "revoke": "revoke", "add": "grant", "assign": "grant", "remove": "revoke", "unassign": "revoke",
    "create": "create", "generate": "create", "import": "create", "register": "create", "delete": "delete",
    "completed": "delete", "update": "set", "extend": "set", "rotate": "rotate", "activate": "enable",
    "enable": "enable", "reactivate": "enable", "unsuspend": "enable", "deactivate": "disable", "disable": "disable",
    "suspend": "disable", "reset_password": "set", "update_password": "set", "reset_all": "disable",
}
_MEMBERSHIPS = frozenset({"group", "application"})
_ROLES = frozenset({"role"})
_APPROVED = re.compile(r"\bapprove[ds]?\b|\bgrant(?:ed)?\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:den(?:y|ied|ies)|reject(?:ed|s)?|revoked?|decline[ds]?)\b", re.IGNORECASE)
_SAID = ("decision", "resolution", "requeststatus", "status", "resolutiontype", "reviewdecision", "result", "action")


class Stage(NamedTuple):
    """What one event of a request or review is: step kind, verdict, capacity."""

    kind: str
    verdict: str | None = None
    capacity: str | None = None


_STAGES = {
    "access.request.create": Stage("request"),
    "access.request.reject": Stage("decision", "deny"),
    "access.request.cancel": Stage("decision", "withdraw"),
    "access.request.expire": Stage("expiry"),
    "app.access_request.request": Stage("request"),
    "app.access_request.approver.approve": Stage("decision", "approve", "approver"),
    "app.access_request.approver.deny": Stage("decision", "deny", "approver"),
    "app.access_request.deny": Stage("decision", "deny"),
    "app.access_request.delete": Stage("decision", "withdraw"),
    "app.access_request.expire": Stage("expiry"),
    "access.review.create": Stage("draft"),
    "access.review.start": Stage("signal"),
    "access.review.close": Stage("outcome"),
}


def steps_of(entry: Entry, event: Event, targets: Sequence[Fields], debug: Fields, org: str | None) -> bool:
    """Adds the steps, entitlements and credentials of an event; whether there were any."""
    kind = event.operation
    if kind in _STAGES or kind in _SPECIAL:
        _stage(entry, event, targets, debug, org)
        return True
    found = next(((what, types) for start, what, types in _SUBJECTS if kind.startswith(start)), None)
    verb = _VERBS.get(kind.rsplit(".", 1)[-1])
    if found is None or verb is None:
        return False
    what, types = found
    if what == "impersonation" and verb == "create":
        return False
    _change(entry, event, what, verb, _Targets(targets, debug, org, types))
    return True


class _Targets:
    """The targets of an event by type."""

    def __init__(self, targets: Sequence[Fields], debug: Fields, org: str | None, types: Sequence[str]) -> None:
        self.all, self.debug, self.org = targets, debug, org
        self.main = self.of(*types) or (targets[0] if targets and not types else None)

    def of(self, *types: str) -> Fields | None:
        wanted = [t for t in self.all if _type(t) in types and name(t.get("id"))]
        return min(wanted, key=lambda t: types.index(_type(t))) if wanted else None

    def key(self, what: str, parameter: str | None = None) -> str | None:
        native = name(self.main.get("id")) if self.main else None
        return f"okta:{self.org or ''}:{what}/{native}" + (f"|{parameter}" if parameter else "") if native else None


def _type(target: Fields) -> str:
    return re.sub(r"\s", "", text(target.get("type")) or "").lower()


def _change(entry: Entry, event: Event, what: str, verb: str, held: _Targets) -> None:
    if what in _ROLES:
        _roles(entry, event, verb, held)
        return
    member = held.of("user", "usergroup", "appuser") if what in _MEMBERSHIPS | {"consent"} else None
    if what in _MEMBERSHIPS and member is held.main:
        member = held.of("user", "appuser")
    if what in _MEMBERSHIPS and verb not in ("grant", "revoke"):
        member = None
    shown, parameter = _named(what, held, member)
    target = held.key(shown, parameter)
    step(entry, event, "action", verb=verb, target=target)
    if event.outcome == "success" and target and what in _MEMBERSHIPS and member and verb == "grant":
        _granted(entry, event, what, held, member)
    if event.outcome == "success" and target and what in ("token", "application_key"):
        _credential(entry, event, what, verb, held)


def _named(what: str, held: _Targets, member: Fields | None) -> tuple[str, str | None]:
    if what.startswith("user_"):
        return "user", what.removeprefix("user_")
    if what == "application_key":
        return "application", "key"
    if what == "group_object":
        return "group", None
    if what == "consent":
        scopes = name(held.debug.get("grantedscopes"))
        return what, name(member.get("id")) if member else scopes
    return what, name(member.get("id")) if member else None


def _roles(entry: Entry, event: Event, verb: str, held: _Targets) -> None:
    """One step a privilege: the event names several in one text."""
    holder = who(held.main, held.org).id if held.main else None
    said = name(held.debug.get("privilegegranted")) or name(held.debug.get("privilegerevoked"))
    roles = sorted({role.strip() for role in re.split(r",(?![^(]*\))", said or "") if role.strip()})
    native = name(held.main.get("id")) if held.main else None
    for at, role in enumerate(roles or [""]):
        target = f"okta:{held.org or ''}:role/{role.lower()}|{native}" if role and native else None
        step(entry, event, f"action/{role.lower()}" if at else "action", verb=verb, target=target)
        if target and holder and verb == "grant" and event.outcome == "success":
            entry.add(tables.ENTITLEMENTS, principal_id=holder, grant_kind="role", privilege=role,
                      scope=f"okta:{held.org or ''}:org", effect="allow", state="standing", granted_at=event.time,
                      granted_by=event.actor.id, origin="direct")


def _granted(entry: Entry, event: Event, what: str, held: _Targets, member: Fields) -> None:
    principal = who(member, held.org).id
    scope = who(held.main, held.org).id if held.main else None
    if principal and scope:
        grant, privilege = ("membership", "member") if what == "group" else ("app_role", "user")
        entry.add(tables.ENTITLEMENTS, principal_id=principal, grant_kind=grant, privilege=privilege, scope=scope,
                  effect="allow", state="standing", granted_at=event.time, granted_by=event.actor.id, origin="direct")


def _credential(entry: Entry, event: Event, what: str, verb: str, held: _Targets) -> None:
    """A token belongs to who made it; a client key to the application."""
    main = held.main or {}
    native = name(main.get("id"))
    made = verb in ("create", "rotate")
    maker = event.actor.id if made else None  # who revokes a token need not be who made it
    holder = maker if what == "token" else who(main, held.org).id
    status = {"create": "active", "rotate": "active", "enable": "active", "revoke": "revoked", "delete": "revoked",
              "disable": "inactive"}.get(verb)
    if native and status:
        entry.add(tables.CREDENTIALS, identity_id=holder, kind="token" if what == "token" else "key",
                  credential_id=native if what == "token" else f"{native}/key", status=status,
                  created_at=event.time if made else None, snapshot_at=event.time)


_SPECIAL = frozenset({
    "access.request.resolve", "app.access_request.grant", "access.review.action", "access.review.remediate",
    "access.review.update",
})


def _stage(entry: Entry, event: Event, targets: Sequence[Fields], debug: Fields, org: str | None) -> None:
    kind = event.operation
    review = kind.startswith("access.review.")
    item = next((t for t in targets if ("review" if review else "request") in _type(t) and name(t.get("id"))), None)
    item = item or (targets[0] if targets and kind.startswith("access.") else None)
    key = name(item.get("id")) if item else None
    joined = {"native_key_kind": ("okta_review_item" if review else "okta_access_request") if key else None,
              "native_key": key}
    access = _access(targets, item, org)
    stage, value = _STAGES.get(kind), None
    if stage is None:
        stage, value = _said(kind, item, debug, event)
    removes = kind == "access.review.remediate" or (review and stage.verdict == "deny")
    if removes and stage.verdict == "deny":  # a verdict is about the change: who takes access away approves the removal
        stage = stage._replace(verdict="approve")
    verb = "revoke" if removes else None if review else "grant"
    asked = event.actor.id if stage.kind == "request" else None
    step(entry, event, stage.kind, stage.kind, verb=verb, target=access, verdict=stage.verdict,
         capacity=stage.capacity, decided_value=value, initiator_id=asked, **joined)


def _said(kind: str, item: Fields | None, debug: Fields, event: Event) -> tuple[Stage, str | None]:
    """The stage of an event whose name leaves open what was decided: only what the event states."""
    if kind in ("app.access_request.grant", "access.review.remediate", "access.review.update"):
        return Stage("action"), None
    verdict, value = _verdict(item, debug)
    capacity = "system" if event.actor.automation else "reviewer" if kind.startswith("access.review.") else None
    if verdict is None:
        return (Stage("decision", None, capacity) if kind == "access.review.action" else Stage("outcome")), None
    return Stage("decision", verdict, capacity), value


def _verdict(item: Fields | None, debug: Fields) -> tuple[str | None, str | None]:
    detail = obj(item.get("detailentry")) if item else {}
    changed = obj(obj(item.get("changedetails")).get("to")) if item else {}
    for place in (debug, changed, detail):
        for key in _SAID:
            said = name(place.get(key))
            if said is not None and len(said) <= 40:
                if _DENIED.search(said):
                    return "deny", said
                if _APPROVED.search(said):
                    return "approve", said
    return None, None


def _access(targets: Sequence[Fields], item: Fields | None, org: str | None) -> str | None:
    """Which access the request or review is about: ``application/<app>|<user>`` or ``group/<group>|<user>``."""
    by_type = {_type(target): name(target.get("id")) for target in reversed(targets) if target is not item}
    user = by_type.get("user")
    for kind, what in (("appinstance", "application"), ("usergroup", "group")):
        if by_type.get(kind):
            return f"okta:{org or ''}:{what}/{by_type[kind]}" + (f"|{user}" if user else "")
    return None
