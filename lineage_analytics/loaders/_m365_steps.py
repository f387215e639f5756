"""Microsoft 365 sharing and permission changes as decision steps (inverse pairs of decision-lineage 9.2).

Modest on purpose: grants, their removals, requests for access and what was decided on them, changes of the rules that
guard access and of what assistants are made of. ``UniqueSharingId`` pairs the creation of a link with its removal, so
it is part of the target; as a native key it would make the two one case. Entra changes that the unified
log repeats (record types 8, 9 and 15) make no steps here, because the directory's own log states them better.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._m365_record import PROVIDER, parameters
from lineage_analytics.loaders._m365_types import NAMES
from lineage_analytics.loaders._m365_urls import resource_key
from lineage_analytics.loaders.common import stated as keys
from lineage_analytics.loaders.common.ids import derived_id
from lineage_analytics.loaders.common.values import Fields, first, name, objects, state_hash, text

if TYPE_CHECKING:
    from lineage_analytics.loaders._m365_actor import Actor
    from lineage_analytics.loaders._m365_record import Record

_ENTRA_COPIES = frozenset({8, 9, 15})
_SETTINGS = frozenset({325})
AGENT_SETTINGS = frozenset({384})
_TIMES = frozenset({"lastupdatedtimestamp", "modifieddatetime"})


class Effect(NamedTuple):
    """What an operation does: its verb, what kind of thing it changes, and which fields say what and for whom."""

    verb: str
    kind: str
    target: tuple[str, ...] = ("identity",)
    parameter: tuple[str, ...] = ()
    value: tuple[str, ...] = ()


_MAILBOX = (("identity",), ("user", "trustee"))
_POLICY = ("identity", "objectid")
_SHARE = ("targetuserorgroupname", "uniquesharingid")


def _grants(kind: str, add: str, remove: str, target: tuple[str, ...], parameter: tuple[str, ...]) -> dict[str, Effect]:
    return {add: Effect("grant", kind, target, parameter), remove: Effect("revoke", kind, target, parameter)}


# Operation in lower case. Exchange commands state parameters; SharePoint and Teams state fields of the record.
EFFECTS: dict[str, Effect] = {
    **_grants("mailbox", "add-mailboxpermission", "remove-mailboxpermission", *_MAILBOX),
    **_grants("mailbox_sender", "add-recipientpermission", "remove-recipientpermission", *_MAILBOX),
    **_grants("mailbox_folder", "add-mailboxfolderpermission", "remove-mailboxfolderpermission", *_MAILBOX),
    **_grants("role_group", "add-rolegroupmember", "remove-rolegroupmember", ("identity",), ("member",)),
    **_grants("sharing", "sharingset", "sharingrevoked", ("objectid",), _SHARE),
    **_grants("invitation", "sharinginvitationcreated", "sharinginvitationrevoked", ("objectid",), _SHARE),
    **_grants("invitation", "accessinvitationcreated", "accessinvitationrevoked", ("objectid",), _SHARE),
    **_grants("anonymous_link", "anonymouslinkcreated", "anonymouslinkremoved", ("objectid",), ("uniquesharingid",)),
    **_grants("company_link", "companylinkcreated", "companylinkremoved", ("objectid",), ("uniquesharingid",)),
    **_grants("secure_link", "securelinkcreated", "securelinkdeleted", ("objectid",), ("uniquesharingid",)),
    **_grants("secure_link_user", "addedtosecurelink", "removedfromsecurelink", ("objectid",),
              ("targetuserorgroupname",)),
    **_grants("site_group", "addedtogroup", "removedfromgroup", ("siteurl", "objectid"), ("targetuserorgroupname",)),
    **_grants("site_admin", "sitecollectionadminadded", "sitecollectionadminremoved", ("siteurl", "objectid"),
              ("targetuserorgroupname", "siteadmin")),
    **_grants("team", "memberadded", "memberremoved", ("teamguid",), ("members",)),
    "new-inboxrule": Effect("create", "inbox_rule", ("objectid", "name")),
    "remove-inboxrule": Effect("delete", "inbox_rule", ("objectid", "identity")),
    "enable-inboxrule": Effect("enable", "inbox_rule", ("objectid", "identity")),
    "disable-inboxrule": Effect("disable", "inbox_rule", ("objectid", "identity")),
    "new-managementroleassignment": Effect("create", "management_role", ("name", "objectid")),
    "remove-managementroleassignment": Effect("delete", "management_role", ("identity", "objectid")),
    "new-conditionalaccesspolicy": Effect("create", "conditional_access", _POLICY, (), ("policydetails",)),
    "set-conditionalaccesspolicy": Effect("set", "conditional_access", _POLICY, (), ("policydetails",)),
    "remove-conditionalaccesspolicy": Effect("delete", "conditional_access", _POLICY),
    "set-adminauditlogconfig": Effect("set", "audit_log", ("identity", "objectid"), (),
                                      ("unifiedauditlogingestionenabled", "adminauditlogenabled")),
    "new-transportrule": Effect("create", "transport_rule", ("name", "objectid")),
    "set-transportrule": Effect("set", "transport_rule", ("identity", "objectid")),
    "remove-transportrule": Effect("delete", "transport_rule", ("identity", "objectid")),
    "new-inboundconnector": Effect("create", "inbound_connector", ("name", "objectid")),
    "remove-inboundconnector": Effect("delete", "inbound_connector", ("identity", "objectid")),
    "sharingpolicychanged": Effect("set", "sharing_policy", ("siteurl", "objectid")),
    "anonymouslinkupdated": Effect("set", "anonymous_link", ("objectid",), ("uniquesharingid",)),
    "companylinkupdated": Effect("set", "company_link", ("objectid",), ("uniquesharingid",)),
    "securelinkupdated": Effect("set", "secure_link", ("objectid",), ("uniquesharingid",)),
    "sharinginheritancebroken": Effect("disable", "inheritance", ("objectid",)),
    "sharinginheritancereset": Effect("enable", "inheritance", ("objectid",)),
    "permissionleveladded": Effect("create", "permission_level", ("siteurl", "objectid")),
    "permissionlevelmodified": Effect("set", "permission_level", ("siteurl", "objectid")),
    "permissionlevelremoved": Effect("delete", "permission_level", ("siteurl", "objectid")),
    "botcreate": Effect("create", "bot", ("botid",)),
    "botdelete": Effect("delete", "bot", ("botid",)),
    "botdeletecleanup": Effect("delete", "bot", ("botid",)),
    "botupdateoperation-botpublish": Effect("set", "bot_publication", ("botid",)),
    "botcomponentcreate": Effect("create", "bot_component", ("botcomponentid",)),
    "botcomponentupdate": Effect("set", "bot_component", ("botcomponentid",)),
    "botcomponentdelete": Effect("delete", "bot_component", ("botcomponentid",)),
    "botupdateoperation-botshare": Effect("set", "bot_sharing", ("botid",)),
    "botupdateoperation-botauthupdate": Effect("set", "bot_authentication", ("botid",)),
}
# Asking for access to what is shared, and the answer: about the same effect as the sharing that follows.
_ACCESS = Effect("grant", "sharing", ("objectid",), ("targetuserorgroupname",))
_ASKED: dict[str, tuple[str, str | None, str]] = {
    "accessrequestcreated": ("request", None, "requester"),
    "accessrequestapproved": ("decision", "approve", "approver"),
    "accessrequestaccepted": ("decision", "approve", "approver"),
    "accessrequestdenied": ("decision", "deny", "approver"),
    "accessrequestrejected": ("decision", "deny", "approver"),
}
# Record types whose name is the change: create, update, delete, enable, disable a plugin, workspace or prompt book.
_VERBS = {"create": "create", "update": "set", "delete": "delete", "enable": "enable", "disable": "disable"}
_PARTS = {"copilotplugin": "copilot_plugin", "copilotworkspace": "copilot_workspace",
          "copilotpromptbook": "copilot_prompt_book"}
_NAMED = ("pluginid", "workspaceid", "promptbookid", "objectid", "resourceid")
COPILOT_ADMIN = {
    number: Effect(_VERBS[verb], kind, _NAMED) for number, name in NAMES.items() for part, kind in _PARTS.items()
    if name.lower().endswith(part) and (verb := name.lower().removesuffix(part)) in _VERBS}
_DELEGATES = ("grantsendonbehalfto", "forwardingsmtpaddress", "forwardingaddress")
_CLASSES = {"human": "human", "app": "workload", "workload": "automation"}
_PERMISSION = re.compile(r"<Permissions? granted>([^<]{1,80})</", re.IGNORECASE)
_GROUP = re.compile(r"<Group>([^<]{1,200})</Group>", re.IGNORECASE)


def step(record: Record, actor: Actor, record_id: str, outcome: str) -> dict[str, Any] | None:
    """The DECISION_STEPS columns of a change, without time and provenance; None when the record is no such change."""
    if record.record_type in _ENTRA_COPIES:
        return None
    stated = parameters(record)
    kind, verdict, capacity = _ASKED.get(record.operation.lower(), ("action", None, None))
    effect = _effect(record, stated)
    if effect is None:
        return None
    target = _target(record, effect, stated)
    before, after = _states(record, effect, stated)
    failed = outcome not in ("success", "partial")
    human = actor.kind == "human"
    return {
        "step_id": derived_id("step", record_id, kind),
        "kind": "attempt" if failed and kind == "action" else kind,
        "verdict": verdict,
        "capacity": capacity,
        "applied_value": _granted(record),
        "initiator_id": actor.id if kind == "request" else None,
        "operation": f"{PROVIDER}:{record.operation}",
        "status": {"success": "succeeded", "partial": "succeeded", "unknown": "unknown"}.get(outcome, "failed"),
        "actor_id": actor.id,
        "actor_class": _CLASSES.get(actor.kind, "unknown"),
        "actor_class_basis": actor.basis,
        "authority_mode": "self" if human else "unknown",
        "target_key": target,
        "effect_key": f"{effect.verb}({target})" if target else None,
        "before_state": before,
        "after_state": after,
        "correlation_id": name(record.fields.get("correlationid")) or name(record.context.get("correlationid")),
        "quoted_keys": [],
        "stated_keys": keys.stated(session=record.context.get("uniquetokenid")),
        "title": f"{record.operation} {(target or '').partition(':')[2].partition(':')[2]}".strip(),
        "event_id": record.native_id,
        "record_id": record_id,
    }


def _granted(record: Record) -> str | None:
    """The permission level that a sharing record names."""
    found = _PERMISSION.search(text(record.fields.get("eventdata")) or "") if record.record_type == 14 else None
    return found.group(1).strip() or None if found else None


def _effect(record: Record, stated: dict[str, list[str]]) -> Effect | None:
    found = EFFECTS.get(record.operation.lower())
    if found is not None:
        return found
    if record.operation.lower() in _ASKED:
        return _ACCESS
    if record.record_type in COPILOT_ADMIN:
        return COPILOT_ADMIN[record.record_type]
    if record.operation.lower() == "set-mailbox" and any(key in stated for key in _DELEGATES):
        return Effect("set", "mailbox_delegates", ("identity", "objectid"), (), _DELEGATES)
    if record.record_type in _SETTINGS | AGENT_SETTINGS:
        return Effect("set", "copilot_settings", ("agentid", "objectid", "operation"))
    return None


def _target(record: Record, effect: Effect, stated: dict[str, list[str]]) -> str | None:
    target = _value(record.fields, stated, effect.target)
    if target is None:
        return None
    key = f"{PROVIDER}:{record.tenant or ''}:{effect.kind}/{resource_key(target)}"
    if effect.kind == "site_group" and (group := _GROUP.search(text(record.fields.get("eventdata")) or "")):
        key += f"/{group.group(1).strip()}"
    if not effect.parameter:
        return key
    asked = effect is _ACCESS and record.operation.lower() == "accessrequestcreated"
    parameter = _value(record.fields, stated, (*effect.parameter, "userid") if asked else effect.parameter)
    if parameter is None:
        return None
    rights = first(stated, "accessrights")
    return f"{key}|{parameter.casefold()}" + (f"|{rights}" if rights else "")


def _value(fields: Fields, stated: dict[str, list[str]], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        found = _members(fields) if key == "members" else first(stated, key) or name(fields.get(key))
        if found is not None:
            return found
    return None


def _members(fields: Fields) -> str | None:
    found = sorted({who for member in objects(fields.get("members")) if (who := name(member.get("upn")))})
    return "+".join(found) or None


def _states(record: Record, effect: Effect, stated: dict[str, list[str]]) -> tuple[str | None, str | None]:
    """Hashes of the value before and after, where the record states them."""
    changed = objects(record.fields.get("modifiedproperties"))
    if changed and effect.verb == "set":
        before = {str(text(c.get("name"))): text(c.get("oldvalue")) for c in changed}
        after = {str(text(c.get("name"))): text(c.get("newvalue")) for c in changed}
        return (state_hash(before) if any(before.values()) else None,
                state_hash(after) if any(after.values()) else None)
    written = {key: stated[key] for key in effect.value if key in stated}
    return None, state_hash(written, _TIMES) if written else None
