"""Events in the Open Cybersecurity Schema Framework: IAM, application, finding and remediation classes (sources 12).

Shapes  JSON objects, arrays, lines and wrapped lists with ``class_uid``; rows of a security lake (Parquet arrives here
        as lines); CloudEvents with the event in ``data``; test-suite envelopes with it in ``log``.
Maps    every event of categories IAM, application, findings and remediation to ``activity``; users and AI agents to
        ``identity_facts`` (User Inventory as an inventory); IAM changes, remediations, findings and their advice to
        ``decision_steps``; what an AI agent or a model call touched to ``assistant_access``.
Drops   ``raw_data``, ``message``, prompts and answers of ``message_context``, enrichments and observables. System,
        network and other discovery events are rejected as ``out_of_scope``, unless an AI agent acts in them.
Schema  OCSF 1.0 to 1.8, and ``ai_agent`` of the 1.9 development tree. ``class_uid`` and ``activity_id`` may be text;
        activities with unknown numbers are read by their caption. Fields not known, ``unmapped`` among them, are kept.

CloudTrail events out of Security Lake name their callers as the CloudTrail loader does, and have the record id it
gives them. No class models approval: nothing here is a decision.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _ocsf_classes as classes
from lineage_analytics.loaders._ocsf_principals import (
    PROVIDER,
    Principal,
    agent_of,
    fact,
    is_cloudtrail,
    tenant_of,
    user_of,
)
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, fold, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "identity_facts"})
SOURCE = "ocsf"
KNOWN = {
    "action": "string", "action_id": "number string", "activity_id": "number string", "activity_name": "string",
    "actor": "object", "ai_agent": "object", "ai_model": "object", "api": "object", "app": "object",
    "category_name": "string", "category_uid": "number string", "class_name": "string", "class_uid": "number string",
    "cloud": "object", "confidence": "", "confidence_id": "", "count": "", "databucket": "object", "database": "object",
    "device": "object", "disposition": "string", "disposition_id": "number string", "dst_endpoint": "object",
    "duration": "", "end_time": "", "enrichments": "", "entity": "object", "entity_result": "object", "file": "object",
    "finding": "object", "finding_info": "object", "finding_info_list": "array", "group": "object",
    "http_request": "object", "is_alert": "", "is_mfa": "", "is_remote": "", "logon_type": "", "logon_type_id": "",
    "message": "string", "message_context": "object", "metadata": "object", "observables": "", "osint": "",
    "policies": "array", "policy": "object", "privileges": "array", "raw_data": "", "raw_data_hash": "",
    "raw_data_size": "", "remediation": "object", "resource": "object", "resources": "array", "role": "object",
    "roles": "array", "service": "object", "session": "object", "severity": "string", "severity_id": "number string",
    "src_endpoint": "object", "start_time": "", "status": "string", "status_code": "", "status_detail": "",
    "status_id": "number string", "subgroup": "object", "table": "object", "time": "number string", "time_dt": "",
    "start_time_dt": "", "end_time_dt": "", "timezone_offset": "", "type_name": "string", "type_uid": "number string",
    "user": "object", "user_result": "object", "users": "array", "web_resources": "array",
}
_NESTS = ("log", "data", "detail", "event", "_raw")
_DENIALS = frozenset({"accessdenied", "accessdeniedexception", "unauthorizedoperation", "client.unauthorizedoperation",
                      "forbidden", "403", "denied", "permission_denied"})
_DENYING_DISPOSITIONS = frozenset({2, 6})  # blocked, dropped


def detect(sample: Sample) -> Match | None:
    """A numeric ``class_uid`` beside what OCSF requires of every event."""
    if sample.columns:
        return None
    if sample.first is None:
        keys = head_keys(sample)
        return Match("json", 0.8, "class_uid and metadata in a first record longer than the head") if {
            "class_uid", "metadata", "category_uid"} <= keys else None
    found = _event(fold(sample.first))
    if found is None:
        return None
    return Match("json", 0.95, f"class_uid {text(found.get('class_uid'))} with OCSF's base attributes")


def _event(record: Mapping[str, Any], depth: int = 2) -> Fields | None:
    """The OCSF event in a record, itself or nested by who delivered it; None when it holds none."""
    if (text(record.get("class_uid")) or "").isdecimal() and {
            "metadata", "category_uid", "type_uid", "activity_id"} & set(record):
        return {key: _by_name(held) if key == "unmapped" else held for key, held in record.items()}
    for key in _NESTS if depth else ():
        inner = embedded(record.get(key))
        if isinstance(inner, dict) and (found := _event(fold(inner), depth - 1)) is not None:
            return found
    return None


def _by_name(value: object) -> object:
    """Pairs of a map that a lake wrote as a list, as an object: what is secret is told by the name."""
    found = embedded(value)
    if isinstance(found, dict):
        return {key: embedded(held) for key, held in found.items()}
    if not isinstance(found, list):
        return found
    pairs = [(item.get("key"), item.get("value")) if isinstance(item, dict) else item for item in found]
    if all(isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        return {pair[0]: embedded(pair[1]) for pair in pairs}
    return found


def extract(document: Document) -> Iterator[Chunk]:
    """The JSON objects of the document."""
    return json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, steps and assistant access of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    record = _event(fold(entry.fields))
    if record is None:
        raise RecordFault("not_ocsf", "an object without class_uid and OCSF's base attributes")
    class_uid, activity_id = _number(record.get("class_uid")) or 0, _number(record.get("activity_id"))
    tenant, aws = tenant_of(record), is_cloudtrail(record)
    agent, asked_model = agent_of(record, tenant), bool(obj(record.get("ai_model")))
    if _is_foreign(class_uid) and agent is None and not asked_model:
        raise RecordFault("out_of_scope", f"class {class_uid} says nothing of identities or access", "rejected")
    time = entry.time(record.get("time") or record.get("time_dt"), "time")
    metadata = obj(record.get("metadata"))
    event_id = name(metadata.get("uid")) or name(record.get("event_uid"))
    entry.identify("aws" if aws else PROVIDER, tenant, event_id)
    if class_uid not in classes.CLASSES:
        entry.unknown_type(name(record.get("class_name")) or f"class {class_uid}")
    user = user_of(obj(record.get("actor")).get("user"), tenant, aws=aws)
    if user is None and class_uid == 3002:
        user = user_of(record.get("user"), tenant, aws=aws)
    facts = [user, agent, *(_subject(record, tenant, aws=aws) if class_uid != classes.INVENTORY else ())]
    for principal in {found.id: found for found in facts if found is not None}.values():
        entry.add(tables.IDENTITY_FACTS, **fact(principal))
    common = _who(user, agent) | {"time": time, "event_id": event_id}
    outcome = _outcome(record)
    _activity(entry, record, (class_uid, activity_id), common, outcome, agent)
    if class_uid == classes.INVENTORY:
        _inventory(entry, record, tenant, time, aws=aws)
    _steps(entry, record, (class_uid, activity_id), common, outcome)
    if agent is not None or asked_model:
        _access(entry, record, (class_uid, activity_id), common, agent)


def _number(value: object) -> int | None:
    shown = text(value) or ""
    return int(shown) if shown.isdecimal() and len(shown) < 10 else None


def _is_foreign(class_uid: int) -> bool:
    return class_uid // 1000 in classes.FOREIGN_CATEGORIES and class_uid != classes.INVENTORY


def _who(user: Principal | None, agent: Principal | None) -> dict[str, Any]:
    """A person's session used by an agent stays the person's; an agent without a person acts itself."""
    actor = user or agent
    return {"actor_id": actor.id if actor else None,
            "via_assistant_id": agent.id if user is not None and agent is not None else None,
            "_actor": actor}


def _subject(record: Fields, tenant: str | None, *, aws: bool) -> list[Principal | None]:
    return [user_of(record.get("user"), tenant, aws=aws)]


def _activity(entry: Entry, record: Fields, kind: tuple[int, int | None], common: Mapping[str, Any], outcome: str,
              agent: Principal | None) -> None:
    actor: Principal | None = common["_actor"]
    api, metadata, source = obj(record.get("api")), obj(record.get("metadata")), obj(record.get("src_endpoint"))
    request = obj(obj(record.get("actor")).get("session"))
    named = _resources(record)
    via = common["via_assistant_id"]
    entry.add(
        tables.ACTIVITY, time=common["time"], actor_id=common["actor_id"],
        actor_session_id=(actor.session if actor else None) or name(request.get("uid")) or (
            agent.session if agent else None),
        via_assistant_id=via, delegation_kind="platform_field" if via else None,
        delegation_trust="provider_asserted" if via else None,
        action=_action(record, kind), resource_id=named[0] if named else None,
        extra_resource_ids=sorted(set(named[1:]) - {named[0]}) or None if named else None,
        outcome=outcome, error_code=_error(record) if outcome in ("failure", "denied") else None,
        is_read=classes.is_read(*kind),
        ip=name(source.get("ip")) or name(source.get("domain")) or name(source.get("svc_name")),
        client=text(obj(record.get("http_request")).get("user_agent")),
        credential_id=actor.credential if actor else None,
        correlation_id=name(metadata.get("correlation_uid")) or name(obj(api.get("request")).get("uid")),
        event_id=common["event_id"], observed_time=parse_time(metadata.get("logged_time") or metadata.get(
            "processed_time")), unmapped=entry.leftovers(KNOWN, record))


def _action(record: Fields, kind: tuple[int, int | None]) -> str:
    """The API operation (``iam:AttachRolePolicy`` for AWS), else the type as OCSF captions it."""
    api = obj(record.get("api"))
    operation = name(api.get("operation"))
    if operation is not None:
        service = name(obj(api.get("service")).get("name")) or ""
        aws = service.endswith(".amazonaws.com")
        return f"{service.removesuffix('.amazonaws.com')}:{operation}" if aws else operation
    caption = name(record.get("type_name"))
    if caption is not None:
        return caption
    label = name(record.get("class_name")) or classes.CLASSES.get(kind[0], f"class {kind[0]}")
    return f"{label}: {name(record.get('activity_name')) or kind[1]}"


def _resources(record: Fields) -> list[str]:
    """What the event is about, by immutable id where there is one, in the order of the record."""
    found: list[str] = []
    for item in (*objects(record.get("resources")), *(obj(record.get(key)) for key in (
            "resource", "entity", "group", "role", "databucket", "database", "table", "file", "app", "service"))):
        held = name(item.get("uid")) or name(item.get("path")) or name(item.get("name"))
        if held is not None:
            found.append(held)
    found += [held for item in objects(record.get("web_resources"))
              if (held := name(item.get("url_string")) or name(item.get("uid")) or name(item.get("name")))]
    if not found:
        user = obj(record.get("user"))
        found = [held for held in (name(user.get("uid")) or name(user.get("name")),) if held]
    return list(dict.fromkeys(found))


def _outcome(record: Fields) -> str:
    status, word = _number(record.get("status_id")), (text(record.get("status")) or "").lower()
    if _number(record.get("action_id")) == 2 or _number(record.get("disposition_id")) in _DENYING_DISPOSITIONS:
        return "denied"
    if status == 2 or (status is None and word in ("failure", "failed", "error")):
        return "denied" if (_error(record) or "").lower() in _DENIALS else "failure"
    if status == 1 or (status is None and word in ("success", "succeeded")):
        return "success"
    return "unknown"


def _error(record: Fields) -> str | None:
    response = obj(obj(record.get("api")).get("response"))
    return name(response.get("error")) or name(record.get("status_code")) or name(response.get("code"))


def _inventory(entry: Entry, record: Fields, tenant: str | None, time: object, *, aws: bool) -> None:
    for item in (record.get("user"), *objects(record.get("users"))):
        found = user_of(item, tenant, aws=aws)
        if found is not None:
            user = obj(item)
            entry.add(tables.IDENTITY_FACTS, **fact(found) | {
                "basis": "inventory", "snapshot_at": time, "enabled": flag(user.get("is_enabled")),
                "created_at": parse_time(user.get("created_time"))})


def _steps(entry: Entry, record: Fields, kind: tuple[int, int | None], common: Mapping[str, Any], outcome: str) -> None:
    class_uid, activity_id = kind
    if class_uid in classes.FINDINGS:
        _finding(entry, record, activity_id, common)
        return
    effect = classes.effect_of(class_uid, activity_id, name(record.get("activity_name")))
    if class_uid == classes.REMEDIATION:
        effect = ("restore" if activity_id == 3 else "set", "")
    if effect is None:
        return
    verb, about = effect
    target = _target(entry, record, class_uid, about)
    failed = outcome in ("failure", "denied")
    done = "rollback" if verb == "restore" else "action"
    entry.step(
        "action", kind="attempt" if failed else done, time=common["time"], operation=_action(record, kind),
        status="failed" if failed else "succeeded" if outcome == "success" else "unknown",
        target_key=target, effect_key=f"{verb}({target})" if target else None,
        correlation_id=name(obj(record.get("metadata")).get("correlation_uid")),
        title=" ".join(filter(None, (_action(record, kind), target))), event_id=common["event_id"],
        **_agents(common))


def _agents(common: Mapping[str, Any]) -> dict[str, Any]:
    actor: Principal | None = common["_actor"]
    via = common["via_assistant_id"]
    own = actor is not None and actor.agent_class in ("workload", "ai_agent")
    return {"actor_id": common["actor_id"], "initiator_id": common["actor_id"], "via_assistant_id": via,
            "actor_class": actor.agent_class if actor else "unknown",
            "actor_class_basis": actor.kind_basis if actor else None,
            "authority_mode": "obo_user" if via else "own_identity" if own else "unknown"}


_HOLDERS = {3001: "user", 3004: "entity", 3005: "user", 3006: "group", 3007: "user", 3008: "role"}


def _target(entry: Entry, record: Fields, class_uid: int, about: str) -> str | None:
    """``provider:tenant:kind/id``, with what was given or taken as parameter, equal for a grant and its inverse."""
    holder = _HOLDERS.get(class_uid)
    held = _id(record.get(holder)) if holder else next(iter(_resources(record)), None)
    if held is None:
        return None
    label = holder or "resource"
    if holder == "entity":
        label = (name(obj(record.get("entity")).get("type")) or "entity").lower()
    given = _given(record, about) if about else None
    parameter = f"|{about}/{given}" if given else f"|{about}" if about else ""
    return f"{entry.provider}:{entry.tenant or ''}:{label}/{held}{parameter}"


def _id(value: object) -> str | None:
    found = obj(value)
    return name(found.get("uid")) or name(found.get("name"))


def _given(record: Fields, about: str) -> str | None:
    plural = {"policy": "policies"}.get(about, f"{about}s")
    lone = _id(record.get(about))
    if lone is not None and about != "credential":
        return lone
    listed = embedded(record.get(plural))
    if not isinstance(listed, list):
        return None
    named = {held for item in listed if (held := name(item) or _id(item))}
    return ",".join(sorted(named)) or None


def _finding(entry: Entry, record: Fields, activity_id: int | None, common: Mapping[str, Any]) -> None:
    info = obj(record.get("finding_info")) or obj(record.get("finding")) or next(
        iter(objects(record.get("finding_info_list"))), {})
    key = name(info.get("uid"))
    about = next(iter(_resources(record)), None)
    target = f"{entry.provider}:{entry.tenant or ''}:resource/{about}" if about else None
    label = name(info.get("title")) or name(record.get("class_name")) or "finding"
    operation = _action(record, (_number(record.get("class_uid")) or 0, activity_id))
    shared = {"time": common["time"], "operation": operation,
              "target_key": target, "native_key_kind": "finding_uid" if key else None, "native_key": key,
              "event_id": common["event_id"], "title": label[:200]}
    entry.step("finding", kind="outcome" if activity_id == 3 else "signal", actor_id=common["actor_id"], **shared)
    if obj(record.get("remediation")) and activity_id != 3:
        entry.step("advice", kind="recommendation", origin="rule", actor_class="automation",
                   actor_class_basis="remediation stated by the finding's product", **shared)


def _access(entry: Entry, record: Fields, kind: tuple[int, int | None], common: Mapping[str, Any],
            agent: Principal | None) -> None:
    context, model = obj(record.get("message_context")), obj(record.get("ai_model"))
    own = agent is not None and common["actor_id"] == agent.id
    assistant = agent.id if agent else None
    read = classes.is_read(*kind)
    named = _resources(record)
    listed = bool(named)
    for resource in named or (None,):
        entry.add(
            tables.ASSISTANT_ACCESS, time=common["time"], user_id=None if own else common["actor_id"],
            assistant_id=assistant, agent_id=assistant, app_host=name(context.get("application")) or name(
                obj(context.get("application")).get("name")),
            interaction_id=name(context.get("uid")), conversation_id=name(context.get("session_uid")),
            resource_id=resource, resource_type=classes.CLASSES.get(kind[0]), role="accessed" if listed else "none",
            model_provider=name(model.get("ai_provider")), policy_outcome="unknown", trigger="unknown",
            action="read" if read else "create" if read is False and kind[1] == 1 else "modify" if read is False
            else "unknown", completeness="listed" if listed else "absent", event_id=common["event_id"])
