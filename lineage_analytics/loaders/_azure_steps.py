"""Azure events that change access, credentials or what watches over them, as decision steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import Fields, guid, name, native, obj, state_hash, text

if TYPE_CHECKING:
    from lineage_analytics.loaders._azure_record import Caller, Event
    from lineage_analytics.loaders.common.assembly import Entry

_VERBS = {"write": "set", "delete": "delete"}
# Resource type in lower case: what the change is about, and the verb of a write.
_TYPES: dict[str, tuple[str, str]] = {
    "microsoft.authorization/roleassignments": ("role_assignment", "grant"),
    "microsoft.authorization/roledefinitions": ("role_definition", "set"),
    "microsoft.authorization/denyassignments": ("deny_assignment", "set"),
    "microsoft.authorization/policyassignments": ("policy_assignment", "set"),
    "microsoft.authorization/policydefinitions": ("policy_definition", "set"),
    "microsoft.authorization/policyexemptions": ("policy_exemption", "set"),
    "microsoft.authorization/locks": ("lock", "create"),
    "microsoft.authorization/rolemanagementpolicies": ("role_setting", "set"),
    "microsoft.keyvault/vaults": ("key_vault", "set"),
    "microsoft.keyvault/vaults/accesspolicies": ("key_vault_policy", "set"),
    "microsoft.keyvault/vaults/secrets": ("secret", "set"),
    "microsoft.keyvault/vaults/keys": ("key", "set"),
    "microsoft.managedidentity/userassignedidentities": ("managed_identity", "create"),
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials": ("federated_credential", "create"),
    "microsoft.insights/diagnosticsettings": ("diagnostic_setting", "set"),
    "microsoft.security/alertssuppressionrules": ("alert_suppression", "set"),
}
_ACTIONS: dict[str, tuple[str, str]] = {
    "microsoft.storage/storageaccounts/regeneratekey/action": ("storage_key", "rotate"),
    "microsoft.keyvault/vaults/keys/rotate/action": ("key", "rotate"),
    "microsoft.keyvault/vaults/keys/purge/action": ("key", "destroy"),
    "microsoft.keyvault/vaults/keys/recover/action": ("key", "restore"),
    "microsoft.keyvault/vaults/keys/restore/action": ("key", "restore"),
    "microsoft.keyvault/vaults/secrets/purge/action": ("secret", "destroy"),
    "microsoft.keyvault/vaults/secrets/recover/action": ("secret", "restore"),
    "microsoft.managedidentity/userassignedidentities/assign/action": ("managed_identity", "grant"),
}
_SCHEDULES = {"microsoft.authorization/roleassignmentschedulerequests": "",
              "microsoft.authorization/roleeligibilityschedulerequests": "|eligible"}
_VAULT = re.compile(r"(Secret|Key|Certificate)(Set|Create|Import|Update|Delete|Purge|Recover|Restore|Rotate)")
_VAULT_VERBS = {"set": "set", "create": "create", "import": "create", "update": "set", "delete": "delete",
                "purge": "destroy", "recover": "restore", "restore": "restore", "rotate": "rotate"}
_OBJECT = re.compile(r"https://([^/]{1,128})/(?:deleted)?(secrets|keys|certificates)/([^/?]{1,128})", re.IGNORECASE)
_CLASSES = {"human": "human", "app": "workload", "workload": "workload", "ai_agent": "ai_agent"}
_AUTHORITY = {"human": "self", "workload": "own_identity"}
_ELEVATION = "microsoft.authorization/elevateaccess/action"


def add_steps(entry: Entry, event: Event, caller: Caller, time: Any) -> None:
    """The step an event states, if it is about access, credentials or surveillance; begun work is none yet."""
    if event.category.lower() in ("recommendation", "security"):
        _advice(entry, event, time)
        return
    found = _change(event, caller)
    if found is None or event.outcome == "unknown":
        return
    verb, target, more = found
    done = event.outcome == "success"
    kind = more.pop("kind", "action")
    key = f"{PROVIDER}:{event.tenant or ''}:{target}" if target else None
    entry.step(kind, kind=kind if done or kind == "request" else "attempt", time=time,
               status="succeeded" if done else "failed",
               operation=event.operation, initiator_id=caller.id, target_key=key,
               effect_key=f"{verb}({key}{more.pop('parameter', '')})" if key else None,
               correlation_id=correlation_of(event), event_id=event.event_id or entry.record_id,
               title=" ".join(part for part in (event.operation, more.pop("about", None) or target) if part),
               **{**acting(caller), **more, "stated_keys": sorted([*more.get("stated_keys", ()), *_keys(event)])})


def _keys(event: Event) -> list[str]:
    """The service's id of the request, and the token it came with."""
    return stated(request=event.properties.get("servicerequestid"), session=event.claims.get("uti"))


def acting(caller: Caller) -> dict[str, Any]:
    """The cells that say who acted."""
    sort = _CLASSES.get(caller.kind, "unknown")
    return {"actor_id": caller.id, "actor_class": sort, "actor_class_basis": caller.basis,
            "via_assistant_id": caller.via,
            "authority_mode": caller.authority or _AUTHORITY.get(sort, "unknown")}


def correlation_of(event: Event) -> str | None:
    """The operation's own id over its records, compared without case."""
    return native(name(event.fields.get("correlationid")))


def _advice(entry: Entry, event: Event, time: Any) -> None:
    """A recommendation of the advisor or an alert: what a change may go back to."""
    advised = event.category.lower() == "recommendation"
    key = f"{PROVIDER}:{event.tenant or ''}:resource/{event.resource}" if event.resource else None
    entry.step("recommendation" if advised else "signal", kind="recommendation" if advised else "signal", time=time,
               operation=event.operation, target_key=key, origin="rule" if advised else None,
               correlation_id=correlation_of(event), event_id=event.event_id or entry.record_id,
               recommended_value=text(event.properties.get("recommendationcategory")) if advised else None,
               actor_class="automation", actor_class_basis=f"category {event.category} of the activity log",
               title=" ".join(part for part in (event.operation, event.resource) if part))


def _change(event: Event, caller: Caller) -> tuple[str, str | None, dict[str, Any]] | None:
    """Verb, target and further cells of a change; None when the event is none of interest."""
    operation = event.change
    if operation == _ELEVATION:
        who = caller.id.split(":", 2)[2] if caller.id else None
        return "grant", f"role/user access administrator|{who}|azure-root" if who else None, {}
    vault = _VAULT.match(event.operation)
    if vault is not None and "/" not in operation:
        return _VAULT_VERBS[vault.group(2).lower()], _vault_object(event), {}
    if operation in _ACTIONS:
        what, verb = _ACTIONS[operation]
        return verb, _named(what, event), {}
    sort, _, last = operation.rpartition("/")
    if sort in _SCHEDULES and last == "write":
        return _scheduled(event, _SCHEDULES[sort])
    if sort not in _TYPES or last not in _VERBS:
        return None
    what, verb = _TYPES[sort]
    if last == "delete":
        verb = "revoke" if verb == "grant" else "delete"
    if what == "role_assignment":
        return _assigned(event, verb)
    after = state_hash(event.properties.get("requestbody")) if last == "write" else None
    return verb, _named(what, event), {"after_state": after}


def _named(what: str, event: Event) -> str | None:
    return f"{what}/{event.resource}" if event.resource else None


def _vault_object(event: Event) -> str | None:
    """A vault's object without its version: what is set and deleted is the object."""
    stated = text(event.properties.get("id")) or text(event.fields.get("id_s")) or text(event.fields.get("id"))
    found = _OBJECT.match(stated or "")
    return f"{found.group(2).lower().rstrip('s')}/{found.group(1).lower()}/{found.group(3)}" if found else None


def body(event: Event) -> Fields:
    """What was asked for, else what was answered: of a role assignment or a request for one."""
    for key in ("requestbody", "responsebody"):
        held = obj(event.properties.get(key))
        inner = obj(held.get("properties")) or held
        if inner.keys() & {"principalid", "roledefinitionid"}:
            return inner
    return {}


def _assigned(event: Event, verb: str) -> tuple[str, str | None, dict[str, Any]]:
    """A role assignment goes by its own id: a deletion states nothing else."""
    held = body(event)
    role = (text(held.get("roledefinitionid")) or "").rsplit("/", 1)[-1].lower()
    principal = guid(text(held.get("principalid")))
    about = f"{role} for {principal}" if role and principal else None
    target = _named("role_assignment", event)
    return verb, target.replace(event.resource or "", _last(event.resource)) if target else None, {"about": about}


def _last(resource: str | None) -> str:
    return (resource or "").rsplit("/", 1)[-1]


def _scheduled(event: Event, parameter: str) -> tuple[str, str | None, dict[str, Any]]:
    """A request of privileged identity management for a resource: joins its objects by the request's id."""
    held = body(event)
    principal = guid(text(held.get("principalid")))
    role = (text(held.get("roledefinitionid")) or "").rsplit("/", 1)[-1].lower()
    sort = (text(held.get("requesttype")) or "").lower()
    scope = (event.resource or "").split("/providers/microsoft.authorization/", 1)[0]
    verb = "revoke" if "remove" in sort or "deactivate" in sort else "grant"
    return verb, f"role/{role}|{principal}|{scope}" if role and principal and scope else None, {
        "kind": "request", "native_key_kind": "pim_request_id", "native_key": guid(_last(event.resource)),
        "parameter": parameter, "capacity": "requester", **gov.tickets(held),
        "justification_present": gov.reason_given(held)}
