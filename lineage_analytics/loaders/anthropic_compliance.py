"""Anthropic compliance activity feed: activity, role grants, keys, sharing and settings (sources 11.3).

Shapes  pages of ``/v1/compliance/activities`` (``data``), also one page a line; arrays; lines; single objects;
        records in ``log`` or in Splunk or Elastic search results; rows that a Log Analytics workspace saved as CSV.
Maps    every record with a time to ``activity``; actors and those who get a role to ``identity_facts``; changes of
        access, keys, sharing, members and settings to ``decision_steps``; granted roles to ``entitlements``; keys to
        ``credentials`` where the record states their id.
Drops   chat and file contents (the feed holds none), names and titles, and what a type tells that no column holds.
Schema  activity feed of 2026; types without a rule are activity. Fields that are not documented are kept in
        ``unmapped``.

Work in chats, files and projects is activity and no decision step. A record about a key without the key's id gives
the step but no credential. Requests carry no id of their own: what asks and what decides are steps without a common
key.
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
    delta,
    is_lines_of_pages,
    page_records,
    seen,
    step,
    unwrapped,
)
from lineage_analytics.loaders._query_export import names_of, plain
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import csv_columns, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.values import Fields, embedded, flag, guid, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "anthropic"
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "credentials", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "anthropic_compliance"
_MAPPED = {"id": "string", "created_at": "string", "organization_id": "string", "organization_uuid": "string",
           "type": "string", "actor": "object", "target_id": "string", "target_type": "string", "role": "string",
           "resource_type": "string", "resource_id": "string", "audience": "array", "_page": "object",
           **dict.fromkeys(("claude_chat_id", "claude_project_id", "claude_file_id", "claude_artifact_id",
                            "admin_api_key_id", "api_key_id", "service_key_id"), "string")}
# Documented of one type or another.
_DETAILS = """abuse_session_id access_level account_id action added_seats algorithm api_key_name approved artifact_type
    auth_method billing_interval cadence certificate_fingerprint certificate_id claude_artifact_version_id
    claude_chat_snapshot_id claude_project_document_id claude_project_sync_source_id claude_published_artifact_id
    cli_name compliance_api_enabled compliance_api_logging_enabled config_id connection_id connection_type consent_id
    consent_type current_role current_value decision deleted_user_email deleted_user_id design_project_id domain enabled
    entity_id entity_type environment_id export_type extension_id federation_issuer_id federation_rule_id file_id
    filename folder_id from_date ghe_configuration_id github_webhook_id grant_type group_id group_name
    idp_saml_config_updated installation_preference integration_id integration_type invite_id invited_email invited_role
    invitee_email is_enabled is_service_created key_backing_type key_group_identifier key_name limit_action limit_usd
    magic_link_enabled magic_link_toggled marketplace_id max_permission mcp_server_id mcp_server_name member_ids
    mfa_method model new_limit_usd new_mode new_owner_id new_plan new_quantity new_signing_key_id old_plan
    old_signing_key_id op_name organization_name per_review_limit_usd plan_type plugin_id plugin_name previous_mode
    previous_owner_id previous_quantity previous_role previous_value principal_id principal_type provider reason
    repo_name repo_owner repository_name request_id request_method request_type requester_user_id resolved_count
    resync_uuid role_id role_name scan_id scan_project_id scopes seat_count service_account_id service_name session_id
    share_id signing_key_id skill_id skill_name spend_limit_id status status_code sync_destinations taint title to_date
    token_id token_name tool_name trigger_mode tunnel_id tunnel_token_id updated_fields updates url user_email user_id
    version webhook_id workspace_id"""
KNOWN = {**dict.fromkeys(_DETAILS.split(), ""), **_MAPPED}
_COLUMNS = {"id", "type", "created_at", "organization_id", "actor"}
_TABLE = frozenset({"timegenerated", "tenantid", "sourcesystem", "_resourceid"})
_PAGES = ("data",)
_VERBS = {
    "created": "create", "added": "grant", "granted": "grant", "assigned": "grant", "revoked": "revoke",
    "removed": "revoke", "unassigned": "revoke", "deleted": "delete", "updated": "set", "changed": "set",
    "transferred": "set", "enabled": "enable", "activated": "enable", "disabled": "disable", "deactivated": "disable",
    "archived": "disable", "rotated": "rotate", "sent": "create", "toggled": "set", "regenerated": "rotate",
    "generated": "create", "minted": "create",
}
# What is asked for, and how it ends; where the type leaves that open, the record may say.
_REQUEST = re.compile(r"(.+_(?:requests?|proposal))_(.+)")
_ENDS = {"created": ("request", None), "approved": ("decision", "approve"), "instant_approved": ("decision", "approve"),
         "dismissed": ("decision", "deny"), "bulk_dismissed": ("decision", "deny"), "rejected": ("decision", "deny"),
         "denied": ("decision", "deny"), "withdrawn": ("decision", "withdraw"), "cancelled": ("decision", "withdraw"),
         "expired": ("expiry", None), "resolved": ("outcome", None), "decided": ("outcome", None)}
_DECIDED = {"approved": "approve", "approve": "approve", "denied": "deny", "deny": "deny", "rejected": "deny",
            "dismissed": "deny", "declined": "deny"}
_SHOWN = ("role", "resource_type", "target_type", "audience", "scopes", "decision", "approved", "enabled",
          "previous_role", "current_role", "max_permission", "principal_type", "previous_mode", "new_mode")
# Words of a type that say it is about who may do what; chats, files, projects and prompts are work, not access.
_ACCESS = frozenset({
    "role", "key", "owner", "limit", "sharing", "member", "invite", "user", "sso", "scim", "domain", "setting",
    "settings", "group", "workspace", "integration", "connector", "mcp", "permission", "permissions", "policy",
    "allowlist", "account", "organization", "org", "token", "session", "seat", "audit", "compliance",
})
_READS = ("_viewed", "_listed", "_downloaded", "_exported", "_retrieved")
_KEY_WORDS = ("api_key", "service_key", "access_key", "admin_key")
_IDS = ("user_id", "service_account_id", "agent_id", "admin_api_key_id", "api_key_id", "service_key_id", "id")


def detect(sample: Sample) -> Match | None:
    """Activities: an organisation, a type, and an actor whose type ends in ``_actor``."""
    if names_of(csv_columns(sample)) >= _COLUMNS:
        return Match("csv", 0.9, "columns of activities with their actor")
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
    if document.shape == "csv":
        yield from row_chunks(document)
    else:
        yield from page_records(document, *_PAGES) if document.shape == "pages" else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps, entitlements and credentials of one chunk."""
    return assemble(chunk, document, SOURCE, _read_row if document.shape == "csv" else _read)


def _read_row(entry: Entry) -> None:
    _activity(entry, {key: embedded(held) for key, held in plain(entry.fields).items()
                      if held not in (None, "") and key not in _TABLE})


def _read(entry: Entry) -> None:
    _activity(entry, unwrapped(entry.fields, *ENVELOPES))


def _activity(entry: Entry, fields: Fields) -> None:
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
    asked = _REQUEST.fullmatch(kind)
    subject, verb = (asked[1], None) if asked and asked[2] in _ENDS else _subject(kind)
    if kind.endswith("_toggled") and (on := flag(fields.get("enabled"))) is not None:
        verb = "enable" if on else "disable"
    target = _target(subject, fields, org, verb)
    changed = verb is not None and bool(_ACCESS & set(subject.split("_")))
    if verb is not None and changed:
        _change(entry, event, subject, verb, fields, target, org)
    elif asked and asked[2] in _ENDS:
        changed = True
        _request(entry, event, asked[2], fields, target)
    entry.add(
        tables.ACTIVITY, time=event.time, actor_id=actor.id, action=kind, outcome=event.outcome, resource_id=target,
        effect_delta=delta({key: fields.get(key) for key in _SHOWN}),
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


def _target(subject: str, fields: Fields, org: str | None, verb: str | None) -> str | None:
    """``kind/id[|part][|whom]``: the object whose id the record states in the words of its type, what of it, and for
    or from whom; a switch of the organisation by its name."""
    start = f"{PROVIDER}:{org or ''}:"
    if subject == "primary_owner":
        return f"{start}organization/{org}|primary_owner" if org else None
    holder, resource, role = (name(fields.get(key)) for key in ("target_id", "resource_id", "role"))
    if role and holder:
        return f"{start}role/{role}|{holder}" + (f"|{resource}" if resource else "")
    about, native, part = _object(subject, fields)
    if native is not None:
        pieces = [native, part, *_whom(part, fields)] if verb else [native]
        return f"{start}{about}/" + "|".join(filter(None, pieces))
    native = holder or resource
    if native:
        return f"{start}{subject}/{native}"
    switch = subject.startswith("org_") and verb in ("enable", "disable", "set") and org
    return f"{start}organization/{org}|{subject.removeprefix('org_')}" if switch else None


def _object(subject: str, fields: Fields) -> tuple[str, str | None, str]:
    """Kind and id of what a type is about, and the words that remain: of ``platform_workspace_member`` the
    workspace, and ``member``."""
    words = subject.split("_")
    if words[0] == "mcp" and name(fields.get("mcp_server_id")):
        return "mcp_server", name(fields.get("mcp_server_id")), "_".join(w for w in words[1:] if w != "server")
    spans = [(at, end) for size in range(len(words), 0, -1) for at in range(len(words) - size + 1)
             for end in (at + size,)]
    for at, end in sorted(spans, key=lambda span: span[0] > 0):
        about = "_".join(words[at:end])
        native = name(fields.get(f"{about}_id")) or name(fields.get(f"deleted_{about}_id"))
        if native and about not in ("organization", "org"):
            return ("rbac_role" if about == "role" else about), native, "_".join(words[end:])
    return subject, None, ""


def _whom(part: str, fields: Fields) -> list[str | None]:
    keys = ["principal_id"]
    for word, more in (("member", ["user_id"]), ("workspace", ["workspace_id"]), ("tool", ["tool_name"]),
                       ("permission", ["action", "resource_type", "resource_id"])):
        keys += more if word in part else []
    return [name(fields.get(key)) for key in keys]


def _request(entry: Entry, event: Event, end: str, fields: Fields, target: str | None) -> None:
    kind, verdict = _ENDS[end]
    if kind == "outcome":
        said = name(fields.get("decision")) or {"true": "approved", "false": "denied"}.get(
            text(fields.get("approved")) or "")
        verdict = _DECIDED.get((said or "").lower())
        kind = "decision" if verdict else kind
    step(entry, event, kind, kind, target=target, verdict=verdict,
         capacity="approver" if verdict in ("approve", "deny") else None,
         initiator_id=event.actor.id if kind == "request" else None)


def _change(entry: Entry, event: Event, subject: str, verb: str, fields: Fields, target: str | None,
            org: str | None) -> None:
    step(entry, event, "action", verb=verb, target=target, before_state=name(fields.get("previous_role")),
         after_state=name(fields.get("current_role")))
    if verb == "grant" and event.outcome == "success":
        _granted(entry, event, subject, fields, org)
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
    _key(entry, event, subject, verb, fields, org)


def _granted(entry: Entry, event: Event, subject: str, fields: Fields, org: str | None) -> None:
    """What a member of a group or workspace, and who gets a role of the organisation's own, has from now on."""
    start = f"{PROVIDER}:{org or ''}:"
    machine = name(fields.get("service_account_id"))
    who = Who(f"{start}{machine}", "service_account", "service_account_id") if machine else _named(
        name(fields.get("user_id")), None, start)
    role, group, workspace = (name(fields.get(f"{key}_id")) for key in ("role", "group", "workspace"))
    if subject == "rbac_role" and role:
        who = _named(name(fields.get("principal_id")), name(fields.get("principal_type")), start)
        grant, privilege, scope = "role", name(fields.get("role_name")) or role, f"organization/{org or ''}"
    elif subject == "group_member" and group:
        grant, privilege, scope = "membership", "member", f"group/{group}"
    elif subject.endswith("workspace_member") and workspace:
        grant, privilege, scope = "role", name(fields.get("role")) or "member", f"workspace/{workspace}"
    else:
        return
    seen(entry, who)
    if who.id is not None:
        entry.add(tables.ENTITLEMENTS, principal_id=who.id, grant_kind=grant, privilege=privilege,
                  scope=f"{start}{scope}", effect="allow", state="standing", granted_at=event.time,
                  granted_by=event.actor.id, origin="direct")


def _named(native: str | None, sort: str | None, start: str) -> Who:
    if native is None:
        return NOBODY
    return Who(f"{start}{native}", "group", "principal_type group") if sort == "group" else Who(f"{start}{native}")


def _key(entry: Entry, event: Event, subject: str, verb: str, fields: Fields, org: str | None) -> None:
    word = next((word for word in _KEY_WORDS if subject.endswith(word)), None)
    native = name(fields.get(f"{subject}_id")) or (name(fields.get(f"{word}_id")) if word else None)
    status = {"create": "active", "rotate": "active", "revoke": "revoked", "delete": "revoked", "enable": "active",
              "disable": "inactive"}.get(verb)
    scopes = embedded(fields.get("scopes"))
    if word and native and status:
        made = event.time if verb in ("create", "rotate") else None
        key = Who(f"{PROVIDER}:{org or ''}:{native}", "api_key", f"an event about a key ({subject})", subkind=subject)
        seen(entry, key)
        entry.add(tables.CREDENTIALS, identity_id=key.id, credential_id=native, kind="key", created_at=made,
                  status=status, snapshot_at=event.time,
                  scopes=sorted(map(str, scopes)) if isinstance(scopes, list) and scopes else None)
