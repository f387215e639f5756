"""GitHub audit log of organisations and enterprises: activity, who acted for whom, access changes (sources 6).

Shapes  REST pages and UI exports (array); streams (lines); the CSV of the UI with ``data.`` columns; SIEM
        re-exports with ``at_sign_timestamp``, records in ``log`` or in Splunk or Elastic search results; rows of a
        custom table of a Log Analytics workspace (GitHubAuditLogPolling_CL with ``action_s``, GitHubAuditLogsV2_CL
        and V3 with ``DocumentId``), as JSON or CSV; the Copilot usage stream. Times in epoch milliseconds, as number
        or as text, or ISO.
Maps    every event with a time to ``activity``; actors and affected accounts to ``identity_facts``; pull requests,
        bypasses, deployments, token and app requests, members, seats, rules and settings to ``decision_steps``; granted
        memberships, roles and seats to ``entitlements``; keys and tokens that are made or ended to ``credentials``; the
        requests of the Copilot usage stream to ``assistant_access``.
Drops   prompts and answers (``body``), webhook addresses and other configuration, titles, locations.
Schema  audit log of 2026; actions without a rule are activity, unknown keys ``unmapped``.

An agent is one because the row says ``actor_is_agent``; then ``user`` is the person who started it. Elsewhere ``user``
is the account affected. A review row does not say how the review ended: it is a ``signal`` (``github_reviews`` has the
verdict). An organisation goes by its id where any record loaded states both id and login. The record id leaves it out,
because exports differ in naming it and ``_document_id`` is unique.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders import _github_steps as steps
from lineage_analytics.loaders._event_rows import ENVELOPES, Event, Who, delta, nested, seen, unwrapped, with_holders
from lineage_analytics.loaders._github_names import (
    PROVIDER,
    account,
    agentic,
    by_id,
    moment,
    number,
    see_organisation,
    tenant_of,
)
from lineage_analytics.loaders._query_export import names_of, snake, untyped
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import csv_columns, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, flag, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import polars as pl

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(hours=24)
FEEDS = frozenset({"activity", "assistant_access", "credentials", "decision_steps", "entitlements", "identity_facts"})
SOURCE = "github_audit"
_TEXTS = """_document_id action actor actor_ip business external_identity_nameid external_identity_username user
    user_agent request_id operation_type org repo repository programmatic_access_type hashed_token token_scopes
    agent_session_id branch name team permission old_permission visibility previous_visibility integration event
    head_branch pull_request_title pull_request_url topic ruleset_name ruleset_enforcement
    ruleset_old_enforcement ruleset_source_type repository_selection job_workflow_ref head_sha title fingerprint
    oauth_application_name application_client_id environment_name blocked_user invitee transport_protocol_name
    protocol_name owner commit_id merge_commit_sha started_at completed_at conclusion endpoint type
    github_request_id event_id"""
_NUMBERS = """actor_id business_id user_id org_id repo_id repository_id token_id oauth_application_id pull_request_id
    @timestamp at_sign_timestamp created_at hook_id ruleset_id workflow_id run_number run_attempt integration_id
    installation_id public_key_id deploy_key_id team_id number transport_protocol enterprise_id
    user_programmatic_access_id user_programmatic_access_request_id pull_request_number"""
_OTHERS = """audit_log_stream_enabled audit_log_stream_id audit_log_stream_sink audit_log_stream_sink_details
    workflow_run_id external_id multi_repo oauth_application publicly_leaked query_string rate_limit_remaining
    request_access_security_header request_body request_category request_method route ruleset_bypass_actors_added
    ruleset_bypass_actors_deleted ruleset_bypass_actors_updated ruleset_conditions_added ruleset_conditions_deleted
    ruleset_conditions_updated ruleset_old_name ruleset_rules_added ruleset_rules_deleted secret_type
    secret_type_display_name secrets_updated status_code url_path"""
KNOWN: dict[str, str] = {
    **dict.fromkeys(_TEXTS.split(), "string"), **dict.fromkeys(_NUMBERS.split(), "number string"),
    **dict.fromkeys(("actor_is_bot", "actor_is_agent", "public_repo", "repository_public", "active", "read_only",
                     "truncated"), "boolean string"),
    "actor_location": "object", "data": "object", "config": "", "config_was": "", "body": "", "reasons": "array string",
    "overridden_codes": "array string", "old_value": "", "new_value": "", "changes": "", "org": "string array",
    "repositories_added_names": "", "repositories_removed_names": "", "repositories_added": "",
    "repositories_removed": "", **dict.fromkeys(
        ("ruleset_bypass_actors", "ruleset_conditions", "ruleset_rules", "ruleset_rules_updated"), "array"),
    "secrets_passed": "", "events": "", "events_were": "",
    **dict.fromkeys(_OTHERS.split(), ""),
}
_TABLE = {"action_s", "actor_s", "created_at_d"}
_TABLE_V2 = {"action", "actor", "createdat", "documentid", "operationtype"}
# What a column cannot be called, or is called otherwise.
_RENAMED = {"_timestamp": "@timestamp", "time_generated": "@timestamp", "document_id": "_document_id",
            "activity_type": "type"}
_PLACES = ("actor_location_", "country_code")
_ACTION = re.compile(r"[a-z][a-z0-9_]{1,60}\.[a-z0-9_]{1,80}")
_SIGNS = frozenset({"_document_id", "actor", "actor_id", "org", "org_id", "repo", "repo_id", "business", "business_id",
                    "repository", "user", "actor_location"})
_USAGE = frozenset({"endpoint", "github_request_id", "user_id"})
_TIMES = ("@timestamp", "at_sign_timestamp", "created_at", "p_event_time")
_CODES = frozenset({"org", "repo", "business", "actor_location.country_code", "_document_id"})
_METHODS = {"get": True, "head": True, "put": False, "patch": False, "delete": False}  # a query may be a POST
_OPERATIONS = {"access": True, "create": False, "modify": False, "remove": False, "transfer": False, "restore": False}
_READS = frozenset({"git.clone", "git.fetch", "repo.download_zip"})
_SHOWN = ("old_value", "new_value", "old_permission", "permission", "previous_visibility", "visibility",
          "ruleset_old_enforcement", "ruleset_enforcement", "overridden_codes", "repository_selection",
          "repositories_added_names", "repositories_removed_names", "changes", "token_scopes")


def detect(sample: Sample) -> Match | None:
    """A ``category.operation`` action with two or more of the fields audit rows have; or Copilot usage records."""
    columns = csv_columns(sample)
    named = names_of(columns) or {key.lower() for key in sample.first or ()}
    if named >= _TABLE or named >= _TABLE_V2:
        return Match("table_csv" if columns else "table", 0.95, "columns of a table of audit rows")
    if {"action", "actor", "created_at"} <= columns and columns & _CODES:
        return Match("csv", 0.9, "action, actor, created_at with org or repo columns")
    row = unwrapped(sample.first or {}, *ENVELOPES)
    if _is_usage(row):
        return Match("json", 0.95, "Copilot usage records: endpoint, user_id and github_request_id")
    action = text(row.get("action"))
    if action is None or _ACTION.fullmatch(action) is None or len(_SIGNS & row.keys()) < 2:
        return None
    return Match("json", 0.95 if "_document_id" in row else 0.9, "a dotted action with actor, org or repository")


def _is_usage(row: Mapping[str, object]) -> bool:
    return row.keys() >= _USAGE and "action" not in row


def extract(document: Document) -> Iterator[Chunk]:
    """Rows as they stand in the file; CSV rows as objects."""
    yield from row_chunks(document) if document.shape in ("csv", "table_csv") else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps, entitlements, credentials and Copilot requests of one chunk."""
    read = {"csv": _read_row, "table": _read_typed, "table_csv": _read_typed}.get(document.shape, _read)
    return assemble(chunk, document, SOURCE, read)


def settle(found: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Organisations by their id; and the end of a token belongs to who holds it, though its row need not say who."""
    return with_holders(by_id(found), PROVIDER)


def _read_row(entry: Entry) -> None:
    _event(entry, nested(entry.fields))


def _read_typed(entry: Entry) -> None:
    younger = any(key.lower() == "documentid" for key in entry.fields)
    row = snake(entry.fields) if younger else untyped(entry.fields, dotted=False)
    for column, key in _RENAMED.items():
        if column in row:
            row[key] = row.pop(column)
    _event(entry, {key: held for key, held in row.items() if not key.startswith(_PLACES)})


def _read(entry: Entry) -> None:
    _event(entry, unwrapped(entry.fields, *ENVELOPES))


def _event(entry: Entry, fields: Fields) -> None:
    entry.fields = fields
    if _is_usage(fields):
        _usage(entry, fields)
        return
    action, native = text(fields.get("action")), name(fields.get("_document_id"))
    if action is None and native is None:
        raise RecordFault("no_event", "neither action nor _document_id")
    held = {**obj(fields.get("data")), **{key: value for key, value in fields.items() if value not in (None, "")}}
    tenant = tenant_of(held)
    entry.identify(PROVIDER, tenant, native, within="")
    actor = _actor(held, tenant)
    user = _user(held, tenant)
    starter = user if agentic(held) and user.id != actor.id else None
    action = action or "unknown"
    event = Event(_time(entry, held), action, _outcome(action, held), actor, native, name(held.get("request_id")),
                  starter.id if starter else None, request=name(held.get("request_id")),
                  session=name(held.get("agent_session_id")))
    subject = None if starter or user.id is None else user
    target, changed = steps.steps_of(entry, event, held, tenant, subject)
    resources = [found for found in (target, _repository(held, tenant), subject.id if subject else None) if found]
    entry.add(
        tables.ACTIVITY, time=event.time, actor_id=actor.id, actor_session_id=name(held.get("agent_session_id")),
        on_behalf_of_id=event.on_behalf_of, delegation_kind="platform_field" if starter else None,
        delegation_trust="provider_asserted" if starter else None, action=action, outcome=event.outcome,
        resource_id=resources[0] if resources else None, extra_resource_ids=resources[1:] or None,
        effect_delta=_delta(held), is_read=_is_read(action, held, changed=changed), ip=name(held.get("actor_ip")),
        client=name(held.get("user_agent")),
        credential_id=number(held.get("token_id")) or name(held.get("hashed_token")),
        correlation_id=event.correlation, event_id=native, unmapped=entry.leftovers(KNOWN, fields))
    seen(entry, actor)
    if user.id not in (None, actor.id):
        seen(entry, user)
    see_organisation(entry, number(held.get("org_id")), name(held.get("org")))


def _time(entry: Entry, held: Fields) -> datetime | None:
    stated = [moment(held.get(key)) for key in _TIMES if held.get(key) not in (None, "")]
    readable = next((value for value in stated if parse_time(value) is not None), next(iter(stated), None))
    return entry.moment(readable, "@timestamp and created_at")


def _outcome(action: str, held: Fields) -> str:
    answer = (number(held.get("status_code")) or "")[:3]
    if action == "api.request" and answer.isdecimal():
        return "success" if answer < "400" else "denied" if answer in ("401", "403") else "failure"
    if action.endswith(".rejected_ref_update"):
        return "denied"
    return "failure" if "failed" in action.rpartition(".")[2] else "success"


def _actor(held: Fields, tenant: str | None) -> Who:
    """Who acted, by the flags of the row and by what authenticated, never by the login."""
    login, native = name(held.get("actor")), number(held.get("actor_id"))
    access = (text(held.get("programmatic_access_type")) or "").lower()
    mail, user = name(held.get("external_identity_nameid")), name(held.get("external_identity_username"))
    alt = tuple((kind, value.lower()) for kind, value in (
        ("email" if mail and "@" in mail else "username", mail), ("external_id", mail), ("username", user)) if value)
    if agentic(held):
        kind: tuple[str, str | None, str | None] = ("ai_agent", "actor_is_agent", "agent")
    elif flag(held.get("actor_is_bot")) is True:
        kind = ("app", "actor_is_bot", "bot")
    elif "server-to-server" in access:
        kind = ("app", "acted with the token of an app installation", "github_app")
    elif login == "deploy_key" and native is None:
        kind = ("api_key", "a push by deploy key, which is no account", "deploy_key")
    elif native is not None and native == number(held.get("org_id")):
        kind = ("group", "actor_id is the id of the organisation", "organization")
    elif flag(held.get("actor_is_bot")) is False:
        kind = ("human", "actor_is_bot is false: a user account", "user")
    elif "user-to-server" in access:
        kind = ("human", "acted with a token an app got from a user account", "user")
    else:
        kind = ("unknown", None, None)
    return account(tenant, login, native, *kind, alt)


def _user(held: Fields, tenant: str | None) -> Who:
    login = name(held.get("user")) or name(held.get("blocked_user")) or name(held.get("invitee"))
    native = number(held.get("user_id")) if name(held.get("user")) else None
    return account(tenant, login, native or (number(held.get("user_id")) if login is None else None), "unknown", None)


def _repository(held: Fields, tenant: str | None) -> str | None:
    native = number(held.get("repo_id")) or number(held.get("repository_id"))
    label = name(held.get("repo")) or name(held.get("repository"))
    found = native or (label.lower() if label else None)
    return f"{PROVIDER}:{tenant or ''}:repo/{found}" if found else None


def _delta(held: Fields) -> str | None:
    reasons = [name(reason.get("code")) for reason in objects(held.get("reasons"))]
    return delta({**{key: held[key] for key in _SHOWN if key in held}, "reasons": [code for code in reasons if code]})


def _is_read(action: str, held: Fields, *, changed: bool) -> bool | None:
    if action in _READS:
        return True
    stated = _OPERATIONS.get((text(held.get("operation_type")) or "").lower())
    if action == "api.request":
        return _METHODS.get((text(held.get("request_method")) or "").lower())
    return False if changed or action == "git.push" else stated


def _usage(entry: Entry, fields: Fields) -> None:
    """One request to Copilot or its response; who asked is on record, what was asked is not stored."""
    tenant, native = number(fields.get("enterprise_id")), name(fields.get("event_id"))
    entry.identify(PROVIDER, tenant, native, within="")
    time = entry.moment(fields.get("@timestamp"), "@timestamp")
    start = f"{PROVIDER}:{tenant or ''}:"
    person = account(tenant, None, number(fields.get("user_id")), "unknown", None)
    assistant = Who(f"{start}copilot", "ai_assistant", "the Copilot usage stream", "GitHub Copilot")
    correlation, kind = name(fields.get("github_request_id")), (text(fields.get("type")) or "").lower()
    entry.add(
        tables.ACTIVITY, time=time, actor_id=person.id, via_assistant_id=assistant.id, delegation_kind="platform_field",
        delegation_trust="provider_asserted", action=f"copilot_usage.{kind or 'record'}", outcome="success",
        resource_id=f"{start}endpoint/{name(fields.get('endpoint'))}", correlation_id=correlation, event_id=native,
        unmapped=entry.leftovers(KNOWN, fields))
    if kind == "request":
        entry.add(
            tables.ASSISTANT_ACCESS, time=time, user_id=person.id, assistant_id=assistant.id,
            app_host=name(fields.get("endpoint")), interaction_id=entry.record_id, role="none", action="unknown",
            policy_outcome="unknown", trigger="unknown", completeness="absent", event_id=native)
    seen(entry, person)
    seen(entry, assistant)
