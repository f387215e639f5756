"""AWS IAM Access Analyzer: findings of outside and unused access, and what it recommends (sources 2.4, 2.6).

Shapes  ``list-findings-v2`` pages, ``get-finding-v2`` objects, both of the older ``list-findings`` and ``get-finding``;
        ``get-finding-recommendation`` objects; arrays and lines of any of them; EventBridge envelopes (``detail``).
Maps    a finding to a ``signal`` in ``decision_steps`` and, once it is resolved or archived, an ``outcome``; each
        recommended step to a ``recommendation`` of origin ``rule``; unused permissions to ``entitlements`` (``right``)
        with their last use; unused keys and passwords to ``credentials``; the role or user concerned to
        ``identity_facts``.
Drops   recommended policies but for their hash; conditions and sources of outside access; access previews.
Schema  API of 2019-11-01, findings v1 and v2; new details and unknown keys are kept in ``unmapped`` of the resource.

A finding and a recommendation are rows of ``resources`` as well, with type and status. Findings change in
place: each state exported is a record of its own, joined by the finding's id (``native_key``). A list holds no details.
A recommendation does not name its finding unless the export was saved with ``id`` or ``findingId`` beside it; it is
joined by its target otherwise. Who archived a finding is not stated: a rule or a person. A permission without a last
use was not used within the tracking period, which is not never: ``last_used_at`` is null.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._aws_names import Caller, account, account_of, caller, opened, target
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.leftovers import changed_types, unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, fold, name, obj, objects, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(hours=24)
FEEDS = frozenset({"credentials", "decision_steps", "entitlements", "identity_facts", "resources"})
SOURCE = "aws_access_analyzer"

_FINDING = frozenset({"resourcetype", "status"})
_PREVIEW = frozenset({"accesspreviewid", "configuredresources"})
_ADVICE = frozenset({"recommendedsteps", "recommendationtype", "resourcearn"})
_TYPES = frozenset({
    "ExternalAccess", "InternalAccess", "UnusedIAMRole", "UnusedIAMUserAccessKey", "UnusedIAMUserPassword",
    "UnusedPermission"})
KNOWN = {
    "id": "string", "findingid": "string", "analyzerarn": "string", "resource": "string", "resourcetype": "string",
    "resourceowneraccount": "string number", "status": "string", "createdat": "string number",
    "analyzedat": "string number", "updatedat": "string number", "findingtype": "string", "findingdetails": "array",
    "error": "", "principal": "object string", "action": "array string", "condition": "object", "ispublic": "boolean",
    "sources": "array", "resourcecontrolpolicyrestriction": "string", "nexttoken": "", "accountid": "string number",
    "region": "string", "version": "", "isdeleted": "boolean",
    "startedat": "string number", "completedat": "string number", "resourcearn": "string", "recommendedsteps": "array",
    "recommendationtype": "string", "numberofunusedservices": "number", "numberofunusedactions": "number",
    "accesspreviewid": "string", "previousstatus": "string", "accesstype": "string",
    "principaltype": "string", "principalowneraccount": "string number",
    "resourcecontrolpolicyrestrictiontype": "string", "servicecontrolpolicyrestrictiontype": "string",
}
_DETAILS = frozenset({
    "externalaccessdetails", "internalaccessdetails", "unusediamroledetails", "unusediamuseraccesskeydetails",
    "unusediamuserpassworddetails", "unusedpermissiondetails"})
_ACTIVE = {"ACTIVE": "pending", "RESOLVED": "succeeded", "ARCHIVED": "succeeded"}


def detect(sample: Sample) -> Match | None:
    """Findings by an analyzer's types or an analysed resource with its owner; recommendations by their steps."""
    if sample.first is None:
        keys = head_keys(sample)
        long = keys >= _FINDING | {"analyzedat", "id"} or keys >= _ADVICE
        return Match("json", 0.9, "a finding or a recommendation longer than the head") if long else None
    found = opened(dict(sample.first), _is_known)
    if found is None:
        return None
    return Match("json", 0.95, "a recommendation with recommendedSteps" if found.keys() >= _ADVICE else
                 "an access preview" if found.keys() >= _PREVIEW else
                 "a finding with its resource, its type and its status")


def _is_record(row: Fields) -> bool:
    if row.keys() >= _ADVICE:
        return True
    typed = row.get("findingtype") in _TYPES or "findingdetails" in row
    named = "id" in row or "findingid" in row  # events of unused access say ``findingId``
    return named and row.keys() >= _FINDING and (typed or {"analyzedat", "resource"} <= row.keys())


def _is_known(row: Fields) -> bool:
    return _is_record(row) or row.keys() >= _PREVIEW


def extract(document: Document) -> Iterator[Chunk]:
    """Findings and recommendations as they stand in the file."""
    yield from json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Steps, grants, credentials, identities and resources of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    said = opened(entry.fields, _is_known)
    if said is None:
        raise RecordFault("not_a_finding", "neither a finding nor a recommendation")
    if said.keys() >= _PREVIEW:
        raise RecordFault("out_of_scope", "an access preview: what a policy would allow, not what one does", "rejected")
    entry.drift += changed_types(said, KNOWN, entry.position)
    if said.keys() >= _ADVICE:
        _advice(entry, said)
    else:
        _finding(entry, said)


def _key(said: Fields) -> str | None:
    found = name(said.get("id")) or name(said.get("findingid"))
    return found.rpartition("/")[2] if found else None


def _digest(said: Fields) -> str:
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:24]


def _finding(entry: Entry, said: Fields) -> None:
    key, resource = _key(said), name(said.get("resource"))
    if key is None:
        raise RecordFault("no_id", "a finding without id")
    tenant = account(said.get("resourceowneraccount")) or account_of(resource) or account(said.get("accountid"))
    moments = {at: parse_time(said.get(at)) for at in ("createdat", "analyzedat", "updatedat")}
    created = moments["createdat"] or moments["updatedat"] or moments["analyzedat"]
    began = entry.time(created.isoformat() if created else None, "createdAt")
    entry.identify(PROVIDER, tenant, f"finding/{key}#{_digest(said)}")
    event = fold(entry.fields)
    kind = text(said.get("findingtype")) or _older_type(said, text(event.get("detail-type")))
    status = (text(said.get("status")) or "").upper()
    if kind not in _TYPES:
        entry.unknown_type(kind)
    details = [obj(detail.get(at)) | {"": at} for detail in objects(said.get("findingdetails"))
               for at in detail if isinstance(embedded(detail[at]), dict)]
    subject = target(resource, tenant)
    common = {"native_key_kind": "access_finding_id", "native_key": key, "event_id": key, "actor_class": "automation",
              "actor_class_basis": "a finding of IAM Access Analyzer", "target_key": subject,
              "operation": f"access-analyzer:{kind}"}
    shown = (resource or "").rpartition(":")[2]
    entry.step("signal", kind="signal", time=began, origin="rule", title=f"{kind} {shown}".strip(), **common)
    ended = moments["updatedat"] or moments["analyzedat"]
    if status in ("RESOLVED", "ARCHIVED") and ended is not None:
        entry.step("outcome", kind="outcome", time=ended, decided_value=status,
                   title=f"{kind} {status.lower()} {shown}".strip(), **common)
    _subject(entry, resource, details)
    for detail in details:
        _detail(entry, detail, caller(resource), key, moments["analyzedat"])
    entry.add(
        tables.RESOURCES, id=f"aws:{tenant or ''}:access-finding/{key}", kind="access_finding", display_name=kind,
        parent_id=subject, snapshot_at=moments["analyzedat"], unmapped=_unmapped(said, details), attributes=_json({
            "status": status or None, "resource": resource, "resource_type": text(said.get("resourcetype")),
            "public": _public(said, details), "analyzer": name(said.get("analyzerarn")) or _analyzer(event)}))


def _analyzer(event: Fields) -> str | None:
    """The analyzer, which an event of the bus names beside the finding."""
    listed = embedded(event.get("resources"))
    return next((found for item in (listed if isinstance(listed, list) else [])
                 if (found := name(item)) is not None and ":analyzer/" in found), None)


def _older_type(said: Fields, event: str | None) -> str:
    """Findings of the first version were all of outside access and did not say so."""
    outside = event == "Access Analyzer Finding" or "principal" in said or "ispublic" in said
    return "ExternalAccess" if outside else "unknown"


def _public(said: Fields, details: list[Fields]) -> bool | None:
    stated = [flag(one.get("ispublic")) for one in (said, *details)]
    return next((found for found in stated if found is not None), None)


def _unmapped(said: Fields, details: list[Fields]) -> str | None:
    new = {detail[""]: detail for detail in details if detail[""] not in _DETAILS}
    return unmapped({**said, **new} if new else said, KNOWN)


def _subject(entry: Entry, resource: str | None, details: list[Fields]) -> None:
    """The user or role a finding is about; its last use only where the finding states one."""
    who = caller(resource)
    if who is None:
        return
    used = max((moment for detail in details if detail[""] != "unusedpermissiondetails"
                and (moment := parse_time(detail.get("lastaccessed"))) is not None), default=None)
    entry.add(tables.IDENTITY_FACTS, **who.fact(
        last_seen_at=used, last_seen_basis="report" if used else None, kind_basis="named in a finding by its ARN"))


def _detail(entry: Entry, detail: Fields, who: Caller | None, key: str, at: datetime | None) -> None:
    if who is None:
        return
    used = parse_time(detail.get("lastaccessed"))
    if detail[""] == "unusedpermissiondetails":
        for permission, last in _permissions(detail):
            entry.add(
                tables.ENTITLEMENTS, principal_id=who.id, grant_kind="right", privilege=permission, effect="allow",
                last_used_at=last, origin="access_analyzer", as_of=at, grant_id=key)
    elif detail[""] == "unusediamuseraccesskeydetails" and (held := name(detail.get("accesskeyid"))):
        entry.add(tables.CREDENTIALS, identity_id=who.id, credential_id=held, kind="key", last_used_at=used,
                  last_used_basis="report" if used else None, snapshot_at=at)
    elif detail[""] == "unusediamuserpassworddetails":
        entry.add(tables.CREDENTIALS, identity_id=who.id, credential_id=f"{who.id}/password", kind="password",
                  last_used_at=used, last_used_basis="report" if used else None, snapshot_at=at)


def _permissions(detail: Fields) -> list[tuple[str, datetime | None]]:
    """Unused permissions: the actions listed, or the service as a whole where none is."""
    service = name(detail.get("servicenamespace"))
    actions = [(found if ":" in found else f"{service}:{found}", parse_time(action.get("lastaccessed")))
               for action in objects(detail.get("actions")) if (found := name(action.get("action"))) is not None]
    if not actions and service is not None:
        return [(service, parse_time(detail.get("lastaccessed")))]
    return sorted(actions, key=lambda pair: (pair[0], str(pair[1])))


def _advice(entry: Entry, said: Fields) -> None:
    resource, key = name(said.get("resourcearn")), _key(said)
    tenant = account_of(resource)
    asked = parse_time(said.get("completedat")) or parse_time(said.get("startedat"))
    time = entry.time(asked.isoformat() if asked else None, "completedAt")
    entry.identify(PROVIDER, tenant, f"recommendation/{key or resource or ''}#{_digest(said)}")
    status = (text(said.get("status")) or "").upper()
    subject, who = target(resource, tenant), caller(resource)
    if who is not None:
        entry.add(tables.IDENTITY_FACTS, **who.fact(kind_basis="named in a recommendation by its ARN"))
    common = {
        "time": time, "origin": "rule", "actor_class": "automation", "operation": "access-analyzer:Recommendation",
        "actor_class_basis": "a recommendation of IAM Access Analyzer",
        "native_key_kind": "access_finding_id" if key else None, "native_key": key, "event_id": key or entry.record_id}
    entry.add(
        tables.RESOURCES, id=f"aws:{tenant or ''}:access-recommendation/{key or resource or ''}", parent_id=subject,
        kind="access_recommendation", snapshot_at=time, unmapped=unmapped(said, KNOWN),
        attributes=_json({"status": status or None, "type": text(said["recommendationtype"])}))
    steps = [found for step in objects(said["recommendedsteps"])
             if (found := obj(step.get("unusedpermissionsrecommendedstep")))]
    if status in ("FAILED", "IN_PROGRESS") or not steps:
        entry.step("recommendation", kind="recommendation", status="failed" if status == "FAILED" else "pending",
                   target_key=subject, title=f"no recommendation {status.lower()}".strip(), **common)
        return
    for at, step in enumerate(sorted(steps, key=_json)):
        action, policy = text(step.get("recommendedaction")), name(step.get("existingpolicyid"))
        over = f"{subject}|{policy}" if subject and policy else subject
        entry.step(
            f"recommendation-{at}", kind="recommendation", recommended_value=action, target_key=over,
            effect_key=f"revoke({over})" if action == "DETACH_POLICY" and over and policy else None,
            after_state=state_hash(step.get("recommendedpolicy")),
            title=f"{action or 'recommendation'} {(resource or '').rpartition(':')[2]}".strip(), **common)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
