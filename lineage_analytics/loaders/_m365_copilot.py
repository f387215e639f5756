"""Copilot and AI-app interactions to ``assistant_access`` (sources 4.4). Ids, flags and times only: no text is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders._m365_actor import INTERACTIONS, Actor
from lineage_analytics.loaders._m365_urls import document_address, file_name, id_kind, resource_key, site_address
from lineage_analytics.loaders.common.values import Fields, embedded, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders._m365_record import Record

_OPERATIONS = frozenset({
    "copilotinteraction", "aiappinteraction", "connectedaiappinteraction", "teamcopilotinteraction",
})
# Agents at work under Agent 365, in records of the same family whatever their type.
_AGENT_WORK = frozenset({"aiinvokeagent", "aiexecutetool", "aiinferencecall"})
_ALL_OPERATIONS = _OPERATIONS | _AGENT_WORK
# Work that a schedule, an automation or an event begins; an interaction only where the record holds one.
_TRIGGERS = {363: "schedule", 373: "automation", 383: "agent"}
_HELD = frozenset({"apphost", "threadid", "conversationid", "messages", "accessedresources", "contexts"})
_ACTIONS = frozenset({"read", "create", "modify"})
_BLOCKS = frozenset({"blockaccess", "block"})
_DEFERRALS = ("prompt", "response", "grounding", "webgrounding")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,40}")
# Types whose name, and perhaps whose id, is what somebody wrote: searched for, sent, said.
_WRITTEN = re.compile("query|search|mail|message|chat", re.IGNORECASE)
_FLATTENED = re.compile(r"copiloteventdata[._]")
_GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_STUDIO = re.compile(rf"copilot\.studio\.(?:default-)?{_GUID}-(.+)", re.IGNORECASE)
_CUSTOM_ENGINE = re.compile(r"copilot\.studio\.customengine\.(t_.+)", re.IGNORECASE)
_TITLE_AND_APP = re.compile(rf"t_{_GUID}\.({_GUID})", re.IGNORECASE)
_VERSION = re.compile(r"v?[0-9]{1,9}(?:\.[0-9]{1,9}){0,5}", re.IGNORECASE)
_FIRST_PARTY = "copilot.m365copilot."
# Applications of Microsoft's own assistants, by the published id: evidence of the fourth rank.
ASSISTANT_APPS = {
    "fb8d773d-7ef8-4ec0-a117-179f88add510": "Enterprise Copilot Platform",
    "bb5ffd56-39eb-458c-a53a-775ba21277da": "Security Copilot",
}
_SHAREPOINT_AGENT = "sharepointagents.declarative."


def is_interaction(record: Record) -> bool:
    """Whether the record is an assistant at work, by record type or operation."""
    if record.record_type in INTERACTIONS or record.operation.lower() in _ALL_OPERATIONS:
        return True
    return record.record_type in _TRIGGERS and not _HELD.isdisjoint(payload_of(record))


def payload_of(record: Record) -> Fields:
    """The interaction's fields, wherever the export left them: in ``CopilotEventData``, as its text, or flattened."""
    fields = record.fields
    nested = obj(fields.get("copiloteventdata")) or obj(fields.get("llmeventdata"))
    if nested:
        return obj(nested.get("copiloteventdata")) or nested
    dotted = {_FLATTENED.sub("", key, count=1): held for key, held in fields.items() if _FLATTENED.match(key)}
    return dotted or fields


def agent_of(record: Record, payload: Fields) -> str | None:
    """The agent inside the assistant in its one canonical form; None where none is stated.

    In order: AgentId, TargetPlatformAgentId, a first-party app identity, the schema name of a Studio app identity.
    """
    stated = _agent_id(record, payload) or _either(record, payload, "targetplatformagentid")
    if stated is not None:
        return canonical_agent(stated)
    app = _either(record, payload, "appidentity")
    if app is None:
        return None
    if app.lower().startswith(_FIRST_PARTY):
        return app
    found = _STUDIO.fullmatch(app) or _CUSTOM_ENGINE.fullmatch(app)
    return canonical_agent(found.group(1)) if found else None


def _agent_id(record: Record, payload: Fields) -> str | None:
    """``AgentId``, unless it holds a version, as Sentinel describes its column of that name."""
    listed = (name(record.fields.get("agentid")), name(payload.get("agentid")))
    return next((found for found in listed if found is not None and not _VERSION.fullmatch(found)), None)


def named_agent(record: Record) -> str | None:
    """The agent that a record names though it is no interaction."""
    stated = _agent_id(record, record.fields)
    return canonical_agent(stated) if stated is not None else None


def acting_assistant(record: Record) -> str | None:
    """The application of an assistant through which the token of this call was got."""
    app = guid(name(record.context.get("clientappid")))
    return app if app in ASSISTANT_APPS else None


def canonical_agent(stated: str) -> str:
    """One id for the several ways a record names an agent: ``SPO_...`` alone, the app id of ``T_<title>.<app>``."""
    found = stated.strip()
    if found.lower().startswith(_SHAREPOINT_AGENT + "spo_"):
        return found[len(_SHAREPOINT_AGENT):]
    if (pair := _TITLE_AND_APP.fullmatch(found)) is not None:
        return pair.group(1).lower()
    return native(found) or found


def assistant_of(record: Record, payload: Fields) -> str | None:
    """``AppIdentity`` as stated; None on the many records that have none."""
    return _either(record, payload, "appidentity")


def _either(record: Record, payload: Fields, key: str) -> str | None:
    """Vendor text does not say whether some fields stand beside the payload or inside it."""
    return name(record.fields.get(key)) or name(payload.get(key))


def accesses(record: Record, actor: Actor) -> Iterator[dict[str, Any]]:
    """The ASSISTANT_ACCESS columns of one interaction, without time and provenance; equal rows once."""
    payload = payload_of(record)
    listed = _listed(payload.get("accessedresources"))
    contexts = _listed(payload.get("contexts")) or []
    deferred = _deferred(record, payload)
    common = _interaction(record, payload, actor)
    common["completeness"] = "absent" if listed is None else ("listed" if listed else "empty")
    rows = [_accessed(item, deferred=deferred) for item in listed or []]
    rows += [_context(item) for item in contexts]
    if not rows:
        rows = [_nothing(deferred=deferred, absent=listed is None)]
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        values = tuple(str(value) for value in row.values())
        if values not in seen:
            seen.add(values)
            yield common | row


def accessed_ids(record: Record) -> list[str]:
    """The resources an interaction lists as accessed, in the order listed."""
    listed = _listed(payload_of(record).get("accessedresources")) or []
    named = (_resource(item, text(item.get("siteurl")))[0] for item in listed)
    return [found for found in named if found is not None]


def _interaction(record: Record, payload: Fields, actor: Actor) -> dict[str, Any]:
    messages = objects(payload.get("messages"))
    thread, prompt = name(payload.get("threadid")), _prompt_id(messages)
    return {
        "user_id": actor.id,
        "assistant_id": assistant_of(record, payload),
        "agent_id": agent_of(record, payload),
        "app_host": name(payload.get("apphost")),
        # Prompt ids count milliseconds, so two people can share one; a turn logged twice shares thread and prompt.
        "interaction_id": f"{thread}/{prompt}" if thread and prompt else None,
        "thread_id": thread,
        "conversation_id": name(payload.get("conversationid")),
        "model_provider": _providers(payload),
        "jailbreak": _any([flag(m["jailbreakdetected"]) for m in messages if "jailbreakdetected" in m]),
        "web_grounding": _web(payload),
        "trigger": _trigger(record, payload, actor),
        "event_id": record.native_id,
    }


def _prompt_id(messages: list[Fields]) -> str | None:
    prompts = [m for m in messages if flag(m.get("isprompt"))]
    return next((found for m in prompts if (found := name(m.get("id"))) is not None), None)


def _any(flags: list[bool | None]) -> bool | None:
    """True when any is; None when the field stands nowhere or only with values that say nothing."""
    known = [value for value in flags if value is not None]
    return any(known) if known else None


def _providers(payload: Fields) -> str | None:
    """Who provides the models, where the record says; the names of models are not stored."""
    listed = objects(payload.get("modeltransparencydetails"))
    return ", ".join(sorted({found for model in listed if (found := name(model.get("modelprovidername")))})) or None


def _web(payload: Fields) -> bool | None:
    plugins = embedded(payload.get("aisystemplugin"))
    if isinstance(plugins, dict):
        plugins = [plugins]
    if not isinstance(plugins, list):
        return None
    return any((name(p.get("id")) or "").lower() == "bingwebsearch" for p in objects(plugins))


def _trigger(record: Record, payload: Fields, actor: Actor) -> str:
    if _either(record, payload, "automationid") or _either(record, payload, "triggermode"):
        return "schedule"
    if record.record_type in _TRIGGERS:
        return _TRIGGERS[record.record_type]
    if record.operation.lower() in _OPERATIONS and actor.kind == "human":
        return "user"
    return "unknown"


def _listed(value: object) -> list[Fields] | None:
    """The entries of a resource list; None when the field is absent or null, which is not an empty list."""
    found = embedded(value)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        return None
    entries = [embedded(item) for item in found]
    return [obj(item) if isinstance(item, dict) else {"id": item} for item in entries if item not in (None, "", {})]


def _accessed(item: Fields, *, deferred: bool) -> dict[str, Any]:
    """An accessed resource. A document with an address goes by it, as in file records; others by the id listed."""
    address = text(item.get("siteurl"))
    found, kind = _resource(item, address)
    action = (text(item.get("action")) or "").lower()
    policies = objects(item.get("policydetails"))
    return {
        "resource_id": found,
        "resource_id_kind": kind,
        "resource_type": name(item.get("type")),
        "site_url": site_address(address),
        "label_id": _label(item),
        "access_status": _status(item),
        "policy_ids": sorted({native(held) or held for one in policies if (held := name(one.get("policyid")))}) or None,
        "role": "accessed",
        "action": action if action in _ACTIONS else "unknown",
        "policy_outcome": _policy(item, deferred=deferred),
        "xpia": flag(item.get("xpiadetected")),
    }


def _resource(item: Fields, address: str | None) -> tuple[str | None, str | None]:
    """The id of a resource and what sort of id it is. A bare name is one only where it names a file."""
    label = name(item.get("name"))
    document = document_address(address, label)
    if document is not None:
        return document, id_kind(document)
    listed, unique = name(item.get("id")), name(item.get("listitemuniqueid"))
    if _WRITTEN.search(text(item.get("type")) or ""):
        listed, label = (None if listed and " " in listed else listed), None
    if listed is not None:
        return resource_key(listed), "list_item_id" if listed == unique else id_kind(listed)
    if unique is not None:
        return resource_key(unique), "list_item_id"
    if address is not None:
        return resource_key(address), id_kind(address)
    return (label, "name_only") if file_name(label) else (None, None)


def _status(item: Fields) -> str | None:
    """The status in one case, so that one word is one value."""
    found = name(item.get("status"))
    return found.lower() if found and _WORD.fullmatch(found) else None


def _label(item: Fields) -> str | None:
    found = name(item.get("sensitivitylabelid"))
    return guid(found) or found


def _context(item: Fields) -> dict[str, Any]:
    """What was open during the interaction; nothing says it was read."""
    found = name(item.get("id")) or name(item.get("containerid"))
    return {
        "resource_id": resource_key(found), "resource_id_kind": _context_kind(item, found),
        "resource_type": name(item.get("type")), "site_url": site_address(found), "label_id": None,
        "access_status": None, "policy_ids": None, "role": "context", "action": "unknown", "policy_outcome": "none",
        "xpia": None,
    }


def _context_kind(item: Fields, found: str | None) -> str | None:
    kind = id_kind(found)
    return "teams_id" if kind is None and found and (text(item.get("type")) or "").lower().startswith("teams") else kind


def _nothing(*, deferred: bool, absent: bool) -> dict[str, Any]:
    outcome = "deferred" if deferred else ("unknown" if absent else "none")
    return {
        "resource_id": None, "resource_id_kind": None, "resource_type": None, "site_url": None, "label_id": None,
        "access_status": None, "policy_ids": None, "role": "none", "action": "unknown", "policy_outcome": outcome,
        "xpia": None,
    }


def _policy(item: Fields, *, deferred: bool) -> str:
    """blocked, audited, deferred, none; unknown when the details say something that cannot be read."""
    details = embedded(item.get("policydetails"))
    if details in (None, "", [], {}):
        return "deferred" if deferred else "none"
    policies = objects(details)
    if not policies:
        return "unknown"
    if (text(item.get("status")) or "").lower() == "failure" or any(map(_blocks, policies)):
        return "blocked"
    return "deferred" if deferred else "audited"


def _blocks(policy: Fields) -> bool:
    rules = objects(policy.get("rules")) or [policy]
    return any(
        (text(rule.get("rulemode")) or "").lower() == "enforce" and _BLOCKS & _words(rule.get("actions"))
        for rule in rules
    )


def _words(value: object) -> set[str]:
    found = embedded(value)
    items = found if isinstance(found, list) else [found]
    return {word.strip().lower() for item in items if isinstance(item, str) for word in item.split(",")}


def _deferred(record: Record, payload: Fields) -> bool:
    """Whether any part of the policy evaluation was put off (a bit mask, or the names of its bits)."""
    for value in (payload.get("dlpevaluationdeferred"), record.fields.get("dlpevaluationdeferred")):
        stated = (text(value) or "").lower()
        if stated.isdecimal():
            if int(stated[:9]) & 0b1111:
                return True
        elif stated == "true" or any(part.strip() in _DEFERRALS for part in stated.split(",")):
            return True
    return False
