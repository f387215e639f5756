"""Anthropic compliance activity feed: activity, role grants, keys, sharing and settings (sources 11.3).

Shapes  pages of ``/v1/compliance/activities`` (``data``), also one page a line; arrays; lines; single objects;
        records in ``log`` or in Splunk or Elastic search results.
Maps    every record with a time to ``activity``; actors and those who get a role to ``identity_facts``; changes of
        access, keys, sharing, members and settings to ``decision_steps``; granted roles to ``entitlements``; keys to
        ``credentials`` where the record states their id.
Drops   chat and file contents (the feed holds none), names and titles.
Schema  activity feed of 2026; types without a rule are activity. Fields that a type adds are kept in ``unmapped``.

Work in chats, files and projects is activity and no decision step. A record about a key without the key's id gives
the step but no credential.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders._event_rows import (
    ENVELOPES,
    NOBODY,
    Event,
    Who,
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
from lineage_analytics.loaders.common.values import Fields, guid, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "anthropic"
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "credentials", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "anthropic_compliance"
KNOWN = {"id": "string", "created_at": "string", "organization_id": "string", "organization_uuid": "string",
         "type": "string", "actor": "object", "target_id": "string", "target_type": "string", "role": "string",
         "resource_type": "string", "resource_id": "string", "audience": "array", "_page": "object",
         **dict.fromkeys(("claude_chat_id", "claude_project_id", "claude_file_id", "claude_artifact_id",
                          "admin_api_key_id", "api_key_id", "service_key_id"), "string")}
_PAGES = ("data",)
_VERBS = {
    "created": "create", "added": "grant", "granted": "grant", "assigned": "grant", "revoked": "revoke",
    "removed": "revoke", "unassigned": "revoke", "deleted": "delete", "updated": "set", "changed": "set",
    "transferred": "set", "enabled": "enable", "activated": "enable", "disabled": "disable", "deactivated": "disable",
    "archived": "disable", "rotated": "rotate", "sent": "create", "toggled": "set", "regenerated": "rotate",
}
# Words of a type that say it is about who may do what; chats, files, projects and prompts are work, not access.
_ACCESS = frozenset({
    "role", "key", "owner", "limit", "sharing", "member", "invite", "user", "sso", "scim", "domain", "setting",
    "settings", "group", "workspace", "integration", "connector", "mcp", "permission", "permissions", "policy",
    "allowlist", "account", "organization", "org", "token", "session", "seat", "audit", "compliance",
})
_READS = ("_viewed", "_listed", "_downloaded", "_exported", "_retrieved")
_HAPPENED = frozenset({"access_failed", "access_denied", "viewed", "listed", "downloaded", "exported", "retrieved"})
_KEY_WORDS = ("api_key", "service_key", "access_key", "admin_key")
_IDS = ("user_id", "service_account_id", "agent_id", "admin_api_key_id", "api_key_id", "service_key_id", "id")


def detect(sample: Sample) -> Match | None:
    """Activities: an organisation, a type, and an actor whose type ends in ``_actor``."""
    page = is_lines_of_pages(sample, *_PAGES)
    held = objects((sample.first or {}).get("data")) if page else [unwrapped(sample.first or {}, *ENVELOPES)]
    if held and _is_record(held[0]):
        return Match("pages" if page else "json", 0.95, "organization_id, type and an actor of a type ending in _actor")
    return None


def _is_record(row: Mapping[str, Any]) -> bool:
    actor = text(obj(row.get("actor")).get("type")) or ""
    return actor.endswith("_actor") and "created_at" in row and text(row.get("type")) is not None and bool(
        row.keys() & {"organization_id", "organization_uuid"})


def extract(document: Document) -> Iterator[Chunk]:
    """Records as they stand in the file, pages opened."""
    yield from page_records(document, *_PAGES) if document.shape == "pages" else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps, entitlements and credentials of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    fields = unwrapped(entry.fields, *ENVELOPES)
    kind, native = text(fields.get("type")), name(fields.get("id"))
    if kind is None and native is None:
        raise RecordFault("no_event", "neither type nor id")
    kind = kind or "unknown"
    entry.fields = {key: held for key, held in fields.items() if key != "_page"}
    org = name(fields.get("organization_id")) or guid(text(fields.get("organization_uuid")))
    entry.identify(PROVIDER, org, native)
    said = obj(fields.get("actor"))
    actor, credential = _actor(said, org)
    event = Event(entry.moment(fields.get("created_at"), "created_at"), kind, _outcome(kind), actor, native)
    subject, verb = _subject(kind)
    target = _target(subject, fields, org)
    changed = verb is not None and bool(_ACCESS & set(subject.split("_")))
    if verb is not None and changed:
        _change(entry, event, subject, verb, fields, target, org)
    entry.add(
        tables.ACTIVITY, time=event.time, actor_id=actor.id, action=kind, outcome=event.outcome, resource_id=target,
        effect_delta=delta({key: fields.get(key) for key in ("role", "resource_type", "target_type", "audience")}),
        is_read=True if kind.endswith(_READS) else False if changed else None, ip=name(said.get("ip_address")),
        client=name(said.get("user_agent")), credential_id=credential, event_id=native,
        unmapped=entry.leftovers(KNOWN, entry.fields))
    seen(entry, actor)


def _outcome(kind: str) -> str:
    if kind.endswith(("_failed", "_failure")):
        return "failure"
    return "denied" if kind.endswith(("_denied", "_blocked")) else "success"


def _actor(said: Fields, org: str | None) -> tuple[Who, str | None]:
    """Who acted, by the type of the actor, and the key used."""
    kind = (text(said.get("type")) or "").lower()
    key = name(said.get("admin_api_key_id")) or name(said.get("api_key_id")) or name(said.get("service_key_id"))
    native = next((found for field in _IDS if (found := name(said.get(field)))), None)
    mail = name(said.get("email_address"))
    if native is None and (kind.startswith("unauthenticated") or not kind or (mail is None and "user" in kind)):
        return NOBODY, key
    sort, automation = _sort(kind)
    native = native or (mail.lower() if mail else kind.removesuffix("_actor"))
    alt = (("email", mail.lower()),) if mail else ()
    return Who(f"{PROVIDER}:{org or ''}:{native}", sort, f"actor type {kind}" if sort != "unknown" else None,
               mail, alt, kind.removesuffix("_actor") or None, automation), key


def _sort(kind: str) -> tuple[str, bool]:
    """The kind an actor type says, and whether it is the vendor's or a directory's own machinery."""
    if "agent" in kind:
        return "ai_agent", False
    if "service_account" in kind or "service_key" in kind:
        return "service_account", False
    if "api" in kind:
        return "api_key", False
    if "scim" in kind or "system" in kind or kind.startswith("anthropic"):
        return "app", True
    return ("human" if kind == "user_actor" else "unknown"), False


def _subject(kind: str) -> tuple[str, str | None]:
    """What a type is about and the verb: ``role_assignment_granted`` is (role_assignment, grant)."""
    subject, _, last = kind.rpartition("_")
    return (subject, _VERBS[last]) if subject and last in _VERBS else (kind, None)


def _target(subject: str, fields: Fields, org: str | None) -> str | None:
    start = f"{PROVIDER}:{org or ''}:"
    if subject == "primary_owner":
        return f"{start}organization/{org}|primary_owner" if org else None
    holder, resource, role = (name(fields.get(key)) for key in ("target_id", "resource_id", "role"))
    if role and holder:
        return f"{start}role/{role}|{holder}" + (f"|{resource}" if resource else "")
    words = subject.split("_")
    named = ["_".join(words[:end]) for end in range(len(words), 0, -1)]
    for about in named:
        native = name(fields.get(f"{about}_id"))
        if native and about not in ("organization", "org"):
            part = subject.removeprefix(about).strip("_")
            return f"{start}{about}/{native}" + (f"|{part}" if part and part not in _HAPPENED else "")
    native = holder or resource
    return f"{start}{subject}/{native}" if native else None


def _change(entry: Entry, event: Event, subject: str, verb: str, fields: Fields, target: str | None,
            org: str | None) -> None:
    step(entry, event, "action", verb=verb, target=target)
    holder, role = name(fields.get("target_id")), name(fields.get("role"))
    if subject == "role_assignment" and holder:
        member = (name(fields.get("target_type")) or "").lower()
        sort = "group" if "group" in member else "unknown"
        who = Who(f"{PROVIDER}:{org or ''}:{holder}", sort, f"target_type {member}" if sort != "unknown" else None)
        seen(entry, who)
        if verb == "grant" and event.outcome == "success":
            over, resource = name(fields.get("resource_type")), name(fields.get("resource_id"))
            entry.add(tables.ENTITLEMENTS, principal_id=who.id, grant_kind="role", privilege=role,
                      scope=f"{PROVIDER}:{org or ''}:{over or 'resource'}/{resource}" if resource else None,
                      effect="allow", state="standing", granted_at=event.time, granted_by=event.actor.id,
                      origin="direct")
    word = next((word for word in _KEY_WORDS if subject.endswith(word)), None)
    native = name(fields.get(f"{subject}_id")) or (name(fields.get(f"{word}_id")) if word else None)
    status = {"create": "active", "rotate": "active", "revoke": "revoked", "delete": "revoked", "enable": "active",
              "disable": "inactive"}.get(verb)
    if word and native and status:
        made = event.time if verb in ("create", "rotate") else None
        key = Who(f"{PROVIDER}:{org or ''}:{native}", "api_key", f"an event about a key ({subject})", subkind=subject)
        seen(entry, key)
        entry.add(tables.CREDENTIALS, identity_id=key.id, credential_id=native, kind="key", created_at=made,
                  status=status, snapshot_at=event.time)
