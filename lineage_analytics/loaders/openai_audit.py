"""OpenAI organisation audit log: activity, role assignments, keys, service accounts, settings (sources 11.3).

Shapes  pages of ``/v1/organization/audit_logs`` (``data``), also one page a line; arrays; lines; single objects;
        records in ``log`` or in Splunk or Elastic search results. The details stand under the type, with dots or with
        underscores.
Maps    every record with a time to ``activity``; users, service accounts, groups and keys to ``identity_facts``; every
        change to ``decision_steps``; role assignments to ``entitlements``; API keys and their end to ``credentials``.
Drops   names, titles and descriptions of what was changed, error sentences, geography and TLS fingerprints.
Schema  audit log object of 2026; types without a rule are activity and noted as drift.

No record names its organisation: the tenant is null unless a pipeline added ``organization_id``. An API key is a
principal of its own (``openai:<org>:<key id>``), because a record does not say for whom a new key is; a call made with
a key belongs to the user or service account that the record says the key has.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders._event_rows import (
    ENVELOPES,
    NOBODY,
    Event,
    Who,
    code,
    delta,
    is_lines_of_pages,
    page_records,
    seen,
    step,
    unwrapped,
)
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import json_or_array_chunks
from lineage_analytics.loaders.common.values import Fields, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "openai"
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "credentials", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "openai_audit"
KNOWN = {"id": "string", "type": "string", "effective_at": "number string", "object": "string", "actor": "object",
         "project": "object", "organization_id": "string", "_page": "object"}
_OBJECT = "organization.audit_log"
_PAGES = ("data",)
_ROLE = re.compile(r"role_assignment_(.+?)__")
_VERBS = {
    "created": "create", "added": "create", "sent": "create", "registered": "create", "updated": "set",
    "deleted": "delete", "removed": "delete", "archived": "disable", "activated": "enable", "deactivated": "disable",
    "enabled": "enable", "disabled": "disable",
}
_KEY_STATUS = {"create": "active", "delete": "revoked"}
_KINDS = {"user": "human", "group": "group", "service_account": "service_account"}


def detect(sample: Sample) -> Match | None:
    """Records that call themselves ``organization.audit_log``, or audit log ids with type and effective_at."""
    page = is_lines_of_pages(sample, *_PAGES)
    held = objects((sample.first or {}).get("data")) if page else [unwrapped(sample.first or {}, *ENVELOPES)]
    if held and _is_record(held[0]):
        return Match("pages" if page else "json", 0.95, "audit log records with type, actor and effective_at")
    return None


def _is_record(row: Mapping[str, Any]) -> bool:
    named = row.get("object") == _OBJECT or (text(row.get("id")) or "").startswith("audit_log")
    return named and "effective_at" in row and text(row.get("type")) is not None


def extract(document: Document) -> Iterator[Chunk]:
    """Records as they stand in the file, pages opened."""
    yield from page_records(document, *_PAGES) if document.shape == "pages" else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps, entitlements and credentials of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    fields = {key: held for key, held in unwrapped(entry.fields, *ENVELOPES).items() if held is not None}
    kind, native = text(fields.get("type")), name(fields.get("id"))
    if kind is None and native is None:
        raise RecordFault("no_event", "neither type nor id")
    kind = kind or "unknown"
    entry.fields = {key: held for key, held in fields.items() if key != "_page"}
    org = name(fields.get("organization_id"))
    entry.identify(PROVIDER, org, native, within="")
    actor, credential, session = _actor(obj(fields.get("actor")), org)
    detail_keys = (kind, kind.replace(".", "_"))
    detail = next((found for key in detail_keys if (found := obj(fields.get(key)))), {})
    failed = kind.endswith(".failed")
    event = Event(entry.moment(fields.get("effective_at"), "effective_at"), kind, "failure" if failed else "success",
                  actor, native)
    target = _target(kind, detail, org)
    changed = _change(entry, event, kind, detail, target, org)
    if not changed and kind.partition(".")[0] not in ("login", "logout"):
        entry.unknown_type(kind)
    project = name(obj(fields.get("project")).get("id"))
    scope = f"{PROVIDER}:{org or ''}:project/{project}" if project else None
    entry.add(
        tables.ACTIVITY, time=event.time, actor_id=actor.id, action=kind, outcome=event.outcome,
        resource_id=target or scope, extra_resource_ids=[scope] if scope and target else None,
        effect_delta=delta(_stated(detail)), error_code=code(text(detail.get("error_code"))) if failed else None,
        is_read=False if changed else None, ip=name(session.get("ip_address")), client=name(session.get("user_agent")),
        credential_id=credential, event_id=native,
        unmapped=entry.leftovers({**KNOWN, **dict.fromkeys(detail_keys, "object")}, entry.fields))
    seen(entry, actor)


def _actor(said: Fields, org: str | None) -> tuple[Who, str | None, Fields]:
    """Who acted, with which key, and the session."""
    session, key = obj(said.get("session")), obj(said.get("api_key"))
    credential = name(key.get("id"))
    for place in (session, key, said):
        for field, kind, what in (("user", "human", "user"), ("service_account", "service_account", "service account")):
            found = obj(place.get(field))
            if name(found.get("id")):
                return _principal(found, kind, f"the record names a {what}", org), credential, session
    if credential is not None:
        return _principal(key, "api_key", "the record names only the API key", org), credential, session
    return NOBODY, None, session


def _principal(said: Fields, kind: str, basis: str, org: str | None) -> Who:
    mail = name(said.get("email"))
    return Who(f"{PROVIDER}:{org or ''}:{name(said.get('id'))}", kind, basis, mail,
               (("email", mail.lower()),) if mail else (), kind if kind != "human" else "user")


def _target(kind: str, detail: Fields, org: str | None) -> str | None:
    """``<object>/<id>``: the object is the type without its last part."""
    configs = objects(detail.get("configs"))
    native = name(detail.get("id")) or (name(configs[0].get("id")) if configs else None)
    about = kind.rpartition(".")[0].replace(".", "_").removesuffix("_config")
    return f"{PROVIDER}:{org or ''}:{about}/{native}" if native and about else None


def _stated(detail: Fields) -> Fields:
    """Of what was changed only what is no text that somebody wrote."""
    data = {**obj(detail.get("data")), **obj(detail.get("changes_requested")), **detail}
    kept = ("scopes", "role", "allowed_ips", "principal_id", "principal_type", "resource_id", "resource_type",
            "permissions", "permissions_added", "permissions_removed", "role_id", "role_name")
    return {key: data[key] for key in kept if key in data}


def _change(entry: Entry, event: Event, kind: str, detail: Fields, target: str | None, org: str | None) -> bool:
    about, _, last = kind.rpartition(".")
    verb = _VERBS.get(last)
    if kind == "invite.accepted":
        step(entry, event, "outcome", "outcome", target=target)
        return True
    if verb is None or not about or about in ("login", "logout"):
        return False
    if about == "role.assignment":
        _assignment(entry, event, {"create": "grant", "delete": "revoke"}.get(verb, verb), detail, target, org)
        return True
    stated = _stated(detail)
    part = "|role" if about == "user" and verb == "set" and "role" in stated else ""
    step(entry, event, "action", verb=verb, target=f"{target}{part}" if target else None,
         after_state=text(stated.get("role")))
    native = name(detail.get("id"))
    if native and about in ("api_key", "service_account", "user", "group"):
        who = f"{PROVIDER}:{org or ''}:{native}"
        made = event.time if verb == "create" and about != "user" else None
        seen(entry, Who(who, _KINDS.get(about, "api_key"), f"an event about a {about}", subkind=about), created_at=made)
        if about == "api_key" and verb in _KEY_STATUS:
            scopes = stated.get("scopes")
            entry.add(tables.CREDENTIALS, identity_id=who, credential_id=native, kind="key", created_at=made,
                      status=_KEY_STATUS[verb], snapshot_at=event.time,
                      scopes=sorted(map(str, scopes)) if isinstance(scopes, list) else None)
    return True


def _assignment(entry: Entry, event: Event, verb: str, detail: Fields, target: str | None, org: str | None) -> None:
    step(entry, event, "action", verb=verb, target=target)
    principal, native = name(detail.get("principal_id")), name(detail.get("id"))
    if principal is None:
        return
    holder, sort = f"{PROVIDER}:{org or ''}:{principal}", name(detail.get("principal_type"))
    basis = f"principal_type {sort}" if sort in _KINDS else None
    seen(entry, Who(holder, _KINDS.get(sort or "", "unknown"), basis, subkind=sort))
    resource, over = name(detail.get("resource_id")), name(detail.get("resource_type"))
    if verb == "grant" and event.outcome == "success":
        role = _ROLE.match(native or "")
        entry.add(tables.ENTITLEMENTS, principal_id=holder, grant_kind="role",
                  privilege=name(detail.get("role_name")) or (role[1] if role else native),
                  scope=f"{PROVIDER}:{org or ''}:{over or 'resource'}/{resource}" if resource else None,
                  effect="allow", state="standing", granted_at=event.time, granted_by=event.actor.id,
                  grant_id=native, origin="direct")
