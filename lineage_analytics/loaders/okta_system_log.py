"""Okta System Log: activity, seen identities, grants, access requests, access reviews (sources 5).

Shapes  API arrays and pages; lines; log-streaming envelopes (the event in ``detail``); event-hook deliveries
        (``data.events``); the CSV of the admin console (flattened); SIEM re-exports with lower-cased keys or the event
        in ``log``, ``event`` or a Splunk or Elastic search result; ``debugData`` as object or as JSON text; rows of a
        table of a Log Analytics workspace (Okta_CL with ``eventType_s``, OktaV2_CL with ``EventOriginalType``,
        OktaSystemLogs), as JSON or CSV.
Maps    every event with a time to ``activity``; actors and targets to ``identity_facts``; grants, lifecycle and policy
        changes, both families of access requests and access reviews to ``decision_steps``; successful grants of roles,
        groups and applications to ``entitlements``; API tokens and client keys that are made or ended to
        ``credentials``.
Drops   geography, device and browser details, security context, display texts and why a request was made.
Schema  System Log API v1 ``LogEvent`` version 0; event types without a rule are activity, those of new families also
        drift.

Most events do not name their organisation; where the others name exactly one, they are of it. The record id leaves it
out, because the uuid is unique without it: the same event from the API and from a stream is one record.
``access.request.resolve`` is an approval or a denial only where the event says so; otherwise it is the ``outcome`` of
its request. A verdict is about the change its effect names: a review that takes access away approves the removal, and
``decided_value`` has its own word. An entitlement is what the log saw granted, not a listing: ``as_of`` is null, and a
later revoke shows in the decision steps.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _okta_steps as steps
from lineage_analytics.loaders._event_rows import (
    ENVELOPES,
    Event,
    code,
    delta,
    is_lines_of_pages,
    nested,
    page_records,
    seen,
    unwrapped,
    with_holders,
)
from lineage_analytics.loaders._okta_principals import PRINCIPALS, org_of, who
from lineage_analytics.loaders._query_export import OF_THE_WORKSPACE, names_of, renamed, untyped
from lineage_analytics.loaders._tenants import moved, only
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import csv_columns, head_keys, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.values import Fields, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from lineage_analytics.loaders._event_rows import Who
    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "okta"
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "credentials", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "okta_system_log"
KNOWN = {
    "uuid": "string", "published": "string", "timestamp": "string", "eventtype": "string", "version": "string",
    "severity": "string", "legacyeventtype": "string", "displaymessage": "string", "actor": "object",
    "client": "object", "device": "object", "outcome": "object", "target": "array", "transaction": "object",
    "debugcontext": "object", "authenticationcontext": "object", "securitycontext": "object", "request": "object",
    "_page": "object",
}
_ENVELOPES = (*ENVELOPES, "detail", "event", "okta")
_PAGES = ("data.events", "events")
_TIMES = ("published", "timestamp", "p_event_time", "timegenerated")
# First words of the documented event types.
_FAMILIES = frozenset({
    "access", "analytics", "app", "application", "certification", "core", "credential", "device", "directory",
    "event_hook", "framework", "group", "hook", "iam", "inline_hook", "iga", "integration", "master_application",
    "mim", "network_zone", "oauth2", "oidc", "org", "pam", "policy", "rate_limit", "scheduled_action", "security",
    "security_events_provider", "self_service", "support", "system", "task", "user", "workflows",
    "workload_principal", "zone",
})
_TYPE = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_-]+)+")
_SIGNS = frozenset({"published", "outcome", "actor", "displaymessage", "legacyeventtype", "debugcontext",
                    "securitycontext", "authenticationcontext"})
_OUTCOMES = {"success": "success", "allow": "success", "deny": "denied", "failure": "failure"}
_CSV = {"eventtype", "actor.id", "outcome.result"}
_ROWS = {"eventtype", "published", "actor", "outcome"}
# Columns of OktaV2_CL that hold what an event says; the others say it in the words of the workspace.
_RENAMED = {
    "timegenerated": "published", "eventoriginaltype": "eventtype", "eventoriginaluid": "uuid",
    "eventmessage": "displaymessage", "legacyeventtype": "legacyeventtype", "originalseverity": "severity",
    "version": "version", "originaluserid": "actor.id", "originalusertype": "actor.type",
    "originalactoralternateid": "actor.alternateid", "actordisplayname": "actor.displayname",
    "srcipaddr": "client.ipaddress", "httpuseragent": "client.useragent.rawuseragent",
    "originaloutcomeresult": "outcome.result", "eventoriginalresultdetails": "outcome.reason",
    "originaltarget": "target", "transactionid": "transaction.id", "transactiontype": "transaction.type",
    "transactiondetail": "transaction.detail", "debugdata": "debugcontext.debugdata",
    "actorsessionid": "authenticationcontext.externalsessionid",
}
_TABLE_V2 = {"eventoriginaltype", "eventoriginaluid", "originaloutcomeresult"}
_TABLE = {"eventtype_s", "actor_id_s", "outcome_result_s"}


def detect(sample: Sample) -> Match | None:
    """System Log events by a dotted event type with two or more of the fields every event has."""
    columns = frozenset(column.replace("_", "") for column in csv_columns(sample))
    if columns >= _CSV and columns & {"timestamp", "published"}:
        return Match("csv", 0.95, "eventType, actor.id and outcome.result columns")
    typed = names_of(csv_columns(sample)) or frozenset(key.lower() for key in sample.first or ())
    if typed >= _TABLE or typed >= _TABLE_V2:
        return Match("table_csv" if sample.columns else "table", 0.95, "typed columns of a table of System Log events")
    if columns >= _ROWS:
        return Match("rows", 0.95, "eventType, published, actor and outcome columns")
    if sample.first is None:
        long = {"eventtype", "published", "displaymessage", "actor"} <= head_keys(sample)
        return Match("json", 0.8, "eventType and published in a first record longer than the head") if long else None
    if is_lines_of_pages(sample, *_PAGES):
        return Match("pages", 0.95, "deliveries with events of the System Log") if any(
            _is_event(item) for item in objects((sample.first.get("data") or sample.first).get("events"))) else None
    return Match("json", 0.95, "a dotted eventType with actor, outcome and published") if _is_event(
        unwrapped(sample.first, *_ENVELOPES)) else None


def _is_event(row: Mapping[str, Any]) -> bool:
    kind = text(row.get("eventtype"))
    return kind is not None and _TYPE.fullmatch(kind) is not None and len(_SIGNS & row.keys()) > 1


def extract(document: Document) -> Iterator[Chunk]:
    """Events as they stand in the file; CSV rows as objects, deliveries opened."""
    if document.shape in ("csv", "table_csv", "rows"):
        yield from row_chunks(document)
    elif document.shape == "pages":
        yield from page_records(document, *_PAGES)
    else:
        yield from json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps, entitlements and credentials of one chunk."""
    read = {"csv": _read_row, "table": _read_typed, "table_csv": _read_typed}.get(document.shape or "", _read)
    return assemble(chunk, document, SOURCE, read)


def settle(found: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Events that name no organisation are of the one the others name; and the end of a token belongs to its maker."""
    org = only(found["coverage"], PROVIDER) if "coverage" in found else None
    return with_holders(moved(found, PROVIDER, {None: org}) if org else found, PROVIDER)


def _read_row(entry: Entry) -> None:
    _event(entry, nested(entry.fields, squeeze=True), None)


def _read_typed(entry: Entry) -> None:
    younger = any(key.strip().lower() == "eventoriginaltype" for key in entry.fields)
    row = nested(renamed(entry.fields, _RENAMED) if younger else untyped(entry.fields, dotted=True))
    _event(entry, {**row, "target": objects(row.get("target"))}, None)


def _read(entry: Entry) -> None:
    _event(entry, unwrapped(entry.fields, *_ENVELOPES), org_of(entry.fields))


def _event(entry: Entry, fields: Fields, org: str | None) -> None:
    kind = text(fields.get("eventtype"))
    if kind is None and text(fields.get("uuid")) is None and not fields.get("published"):
        raise RecordFault("no_event", "neither eventType nor uuid nor published")
    stored = OF_THE_WORKSPACE | {"timegenerated"} if "timegenerated" in fields else frozenset[str]()
    entry.fields = {key: value for key, value in fields.items() if key != "_page" and key not in stored}
    native = name(fields.get("uuid"))
    entry.identify(PROVIDER, org, native, within="")
    debug = obj(obj(fields.get("debugcontext")).get("debugdata"))
    transaction = obj(fields.get("transaction"))
    outcome, said = obj(fields.get("outcome")), text(obj(fields.get("outcome")).get("result"))
    actor = who(obj(fields.get("actor")), org)
    targets = objects(fields.get("target"))
    subject = _subject(kind or "", actor, targets, org)
    event = Event(
        entry.moment(_first(fields, *_TIMES), "published"), kind or "unknown",
        _OUTCOMES.get((said or "").lower(), "unknown"), actor, native,
        name(transaction.get("id")) or name(debug.get("requestid")), subject, request=name(debug.get("requestid")))
    client = obj(fields.get("client"))
    resources = _resources(kind or "", targets, org)
    changed = steps.steps_of(entry, event, targets, debug, org)
    if kind is not None and kind.partition(".")[0] not in _FAMILIES:
        entry.unknown_type(kind)
    entry.add(
        tables.ACTIVITY, time=event.time, actor_id=actor.id, action=event.operation, outcome=event.outcome,
        actor_session_id=name(obj(fields.get("authenticationcontext")).get("externalsessionid")),
        on_behalf_of_id=subject, delegation_kind=_delegation(kind or "") if subject else None,
        delegation_trust="provider_asserted" if subject else None,
        resource_id=resources[0] if resources else None, extra_resource_ids=resources[1:] or None,
        effect_delta=_delta(targets, debug),
        error_code=code(text(outcome.get("reason"))) if event.outcome != "success" else None,
        is_read=False if changed else None, ip=name(client.get("ipaddress")),
        client=name(obj(client.get("useragent")).get("rawuseragent")),
        credential_id=name(obj(transaction.get("detail")).get("requestapitokenid")),
        correlation_id=event.correlation, event_id=native, unmapped=entry.leftovers(KNOWN, entry.fields))
    seen(entry, actor)
    for target in targets:
        seen(entry, who(target, org))


def _first(fields: Fields, *keys: str) -> object:
    return next((held for key in keys if (held := fields.get(key))), None)


def _subject(kind: str, actor: Who, targets: list[Fields], org: str | None) -> str | None:
    """Whose authority the actor uses: the user a token was issued for, or the one support staff act as."""
    delegated = kind.startswith("app.oauth2.") and ".token.grant" in kind and actor.kind != "human"
    if not delegated and not kind.startswith("user.session.impersonation."):
        return None
    users = [who(target, org) for target in targets if (text(target.get("type")) or "").lower() == "user"]
    return next((user.id for user in users if user.id not in (None, actor.id)), None)


def _delegation(kind: str) -> str:
    return "obo_token" if kind.startswith("app.oauth2.") else "impersonation"


def _resources(kind: str, targets: list[Fields], org: str | None) -> list[str]:
    """Ids of the targets, the one the event is about first: of a membership the group or application."""
    about = {"group": "usergroup", "application": "appinstance"}.get(kind.partition(".")[0])
    ranked = sorted(targets, key=lambda t: _rank((text(t.get("type")) or "").lower(), about))
    found = [resource for target in ranked if (resource := _resource(target, org)) is not None]
    return list(dict.fromkeys(found))


def _rank(kind: str, about: str | None) -> int:
    return 0 if kind == about else 2 if kind == "appuser" else 1


def _resource(target: Fields, org: str | None) -> str | None:
    kind, native = (text(target.get("type")) or "object").lower(), name(target.get("id"))
    if kind.replace(" ", "") in PRINCIPALS:
        return who(target, org).id
    return f"{PROVIDER}:{org or ''}:{kind}/{native}" if native else None


def _delta(targets: list[Fields], debug: Fields) -> str | None:
    changes = [obj(target.get("changedetails")) for target in targets]
    return delta({
        "changes": [change for change in changes if change],
        "privilege": name(debug.get("privilegegranted")) or name(debug.get("privilegerevoked")),
        "scopes": name(debug.get("grantedscopes"))})


