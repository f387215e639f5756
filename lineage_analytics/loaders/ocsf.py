"""Events in the Open Cybersecurity Schema Framework: IAM, application, finding and remediation classes (sources 12).

Shapes  JSON objects, arrays, lines and wrapped lists with ``class_uid``; rows of a security lake (Parquet arrives here
        as lines); CloudEvents with the event in ``data``; test-suite envelopes with it in ``log``.
Maps    every event of categories IAM, application, findings and remediation to ``activity``; users and AI agents to
        ``identity_facts`` (User Inventory as an inventory); IAM changes, remediations, findings and their advice to
        ``decision_steps``; what an AI agent or a model call touched to ``assistant_access``; the ``delegation`` under
        which it did to ``delegations``.
Drops   ``raw_data``, ``message``, prompts and answers of ``message_context``, enrichments and observables. System,
        network and other discovery events are rejected as ``out_of_scope``, unless an AI agent acts in them.
Schema  OCSF 1.0 to 1.8, and ``ai_agent`` and ``delegation`` of the 1.9 development tree. ``class_uid`` and
        ``activity_id`` may be text; activities with unknown numbers are read by their caption. Fields not known,
        ``unmapped`` among them, are kept.

CloudTrail events out of a lake have the record id, the callers and the changes that the CloudTrail loader gives
them: loaded both ways they are one record. No class models approval: nothing here is a decision.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _ocsf_classes as classes
from lineage_analytics.loaders import _ocsf_cloudtrail as cloudtrail
from lineage_analytics.loaders._ocsf_principals import (
    PROVIDER,
    Principal,
    agent_of,
    fact,
    service_of,
    tenant_of,
    user_of,
)
from lineage_analytics.loaders._ocsf_record import action_of, class_of, error_of, number, outcome_of, resources_of
from lineage_analytics.loaders._ocsf_steps import change, effect_of, finding
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.delegated import lend
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, fold, name, obj, objects, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "decision_steps", "delegations", "identity_facts"})
SOURCE = "ocsf"
# Documented of the classes and profiles read here, and not mapped.
_UNREAD = """access_list access_mask analytic app_dispositions application assignee assignee_group attacks auth_factors
    auth_protocol auth_protocol_id authentication_token authorizations certificate cis_csc command_uid comment
    compliance component confidence_score connection_info container countermeasures data_security data_sources desc
    evidence evidences expiration_time file_diff file_result files firewall_rule http_response impact impact_id
    impact_score is_cleartext is_new_logon is_suspected_breach kill_chain load_balancer logon_process malware nist
    num_detections num_files num_resources num_skipped_items priority priority_id process proxy_endpoint query_info
    query_result query_result_id risk_details risk_level risk_level_id risk_score scan schedule_uid share share_type
    share_type_id src_url state state_id ticket tickets tls total trace traffic type type_id vendor_attributes verdict
    verdict_id vulnerabilities"""
KNOWN = {
    **dict.fromkeys(_UNREAD.split(), ""),
    "action": "string", "action_id": "number string", "activity_id": "number string", "activity_name": "string",
    "actor": "object", "ai_agent": "object", "ai_model": "object", "api": "object", "app": "object",
    "category_name": "string", "category_uid": "number string", "class_name": "string", "class_uid": "number string",
    "cloud": "object", "confidence": "", "confidence_id": "", "count": "", "databucket": "object", "database": "object",
    "delegation": "object",
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
    class_uid, activity_id = kind = class_of(record), number(record.get("activity_id"))
    aws = cloudtrail.is_cloudtrail(record)
    tenant = cloudtrail.account_of(record) if aws else tenant_of(record)
    session = obj(obj(record.get("actor")).get("session")) if aws else None
    agent, asked_model = agent_of(record, tenant), bool(obj(record.get("ai_model")))
    if _is_foreign(class_uid) and agent is None and not asked_model:
        raise RecordFault("out_of_scope", f"class {class_uid} says nothing of identities or access", "rejected")
    time = entry.moment(record.get("time") or record.get("time_dt"), "time")
    metadata = obj(record.get("metadata"))
    event_id = name(metadata.get("uid")) or name(record.get("event_uid"))
    entry.identify("aws" if aws else PROVIDER, tenant, event_id)
    if class_uid not in classes.CLASSES:
        entry.unknown_type(name(record.get("class_name")) or f"class {class_uid}")
    user = user_of(obj(record.get("actor")).get("user"), tenant, session=session)
    if user is None and class_uid == 3002:
        user = user_of(record.get("user"), tenant, session=session)
    if user is None and aws:
        user = service_of(obj(record.get("actor")).get("invoked_by"))
    facts = [user, agent]
    if class_uid != classes.INVENTORY and not aws:
        facts.append(user_of(record.get("user"), tenant))
    for principal in {found.id: found for found in facts if found is not None}.values():
        entry.add(tables.IDENTITY_FACTS, **fact(principal))
    common = _who(user, agent) | {"time": time, "event_id": event_id}
    outcome = (cloudtrail.outcome_of(record) if aws else None) or outcome_of(record)
    _activity(entry, record, kind, common, outcome, agent)
    if class_uid == classes.INVENTORY:
        _inventory(entry, record, tenant, time)
    if time is None:  # what has no place in time is no step of a decision
        pass
    elif class_uid in classes.FINDINGS:
        finding(entry, record, activity_id, common)
    else:
        effect = (cloudtrail.change_of(record, action_of(record, kind), tenant) if aws
                  else effect_of(entry, record, kind))
        change(entry, record, kind, effect, common, outcome)
        _lent(entry, record, user, agent, common, steps=("action",) if effect is not None else ())
    if agent is not None or asked_model:
        _access(entry, record, kind, common, agent)


def _is_foreign(class_uid: int) -> bool:
    return class_uid // 1000 in classes.FOREIGN_CATEGORIES and class_uid != classes.INVENTORY


def _who(user: Principal | None, agent: Principal | None) -> dict[str, Any]:
    """A person's session used by an agent stays the person's; an agent without a person acts itself."""
    actor = user or agent
    return {"actor_id": actor.id if actor else None,
            "via_assistant_id": agent.id if user is not None and agent is not None else None,
            "_actor": actor}


def _activity(entry: Entry, record: Fields, kind: tuple[int, int | None], common: Mapping[str, Any], outcome: str,
              agent: Principal | None) -> None:
    actor: Principal | None = common["_actor"]
    api, metadata, source = obj(record.get("api")), obj(record.get("metadata")), obj(record.get("src_endpoint"))
    request = obj(obj(record.get("actor")).get("session"))
    named = resources_of(record)
    via = common["via_assistant_id"]
    entry.add(
        tables.ACTIVITY, time=common["time"], actor_id=common["actor_id"],
        actor_session_id=(actor.session if actor else None) or name(request.get("uid")) or (
            agent.session if agent else None),
        via_assistant_id=via, delegation_kind="platform_field" if via else None,
        delegation_trust="provider_asserted" if via else None,
        action=action_of(record, kind), resource_id=named[0] if named else None,
        extra_resource_ids=sorted(set(named[1:]) - {named[0]}) or None if named else None,
        outcome=outcome, error_code=error_of(record) if outcome in ("failure", "denied") else None,
        is_read=classes.is_read(*kind),
        ip=name(source.get("ip")) or name(source.get("domain")) or name(source.get("svc_name")),
        client=text(obj(record.get("http_request")).get("user_agent")),
        credential_id=actor.credential if actor else None,
        correlation_id=name(metadata.get("correlation_uid")) or name(obj(api.get("request")).get("uid")),
        event_id=common["event_id"], observed_time=parse_time(metadata.get("logged_time") or metadata.get(
            "processed_time")), unmapped=entry.leftovers(KNOWN, record))


def _lent(entry: Entry, record: Fields, user: Principal | None, agent: Principal | None, common: Mapping[str, Any], *,
          steps: tuple[str, ...]) -> None:
    """The delegation under which an event says that it was done: the user's to the agent."""
    held = obj(record.get("delegation"))
    uid = name(held.get("uid"))
    if uid is None:
        return
    audience = name(held.get("audience"))
    lend(entry, [(user.id if user else None, agent.id if agent else None)], kind="stated", uid=uid, steps=steps,
         parent=name(held.get("parent_uid")), time=common["time"], event_id=common["event_id"],
         issuer=name(held.get("issuer_uid")), scopes=texts(held.get("scopes")) or None,
         audience=texts(held.get("audience")) or ([audience] if audience else None),
         created_at=parse_time(held.get("created_time") or held.get("created_time_dt")),
         expires_at=parse_time(held.get("expiration_time") or held.get("expiration_time_dt")))


def _inventory(entry: Entry, record: Fields, tenant: str | None, time: object) -> None:
    for item in (record.get("user"), *objects(record.get("users"))):
        found = user_of(item, tenant)
        if found is not None:
            user = obj(item)
            entry.add(tables.IDENTITY_FACTS, **fact(found) | {
                "basis": "inventory", "snapshot_at": time, "enabled": flag(user.get("is_enabled")),
                "created_at": parse_time(user.get("created_time"))})


def _access(entry: Entry, record: Fields, kind: tuple[int, int | None], common: Mapping[str, Any],
            agent: Principal | None) -> None:
    context = obj(record.get("message_context"))
    model = obj(record.get("ai_model")) or obj(obj(record.get("ai_agent")).get("ai_model"))
    blocked, policy = outcome_of(record) == "denied", name(obj(record.get("policy")).get("uid"))
    own = agent is not None and common["actor_id"] == agent.id
    assistant = agent.id if agent else None
    read = classes.is_read(*kind)
    named = resources_of(record)
    listed = bool(named)
    for resource in named or (None,):
        entry.add(
            tables.ASSISTANT_ACCESS, time=common["time"], user_id=None if own else common["actor_id"],
            assistant_id=assistant, agent_id=assistant, app_host=name(context.get("application")) or name(
                obj(context.get("application")).get("name")),
            interaction_id=name(context.get("uid")), conversation_id=name(context.get("session_uid")),
            resource_id=resource, resource_type=classes.CLASSES.get(kind[0]), role="accessed" if listed else "none",
            model_provider=name(model.get("ai_provider")), policy_ids=[policy] if policy else None,
            policy_outcome="blocked" if blocked else "unknown", trigger="unknown",
            action="read" if read else "create" if read is False and kind[1] == 1 else "modify" if read is False
            else "unknown", completeness="listed" if listed else "absent", event_id=common["event_id"])
