"""GitHub audit actions as decision steps, grants and credentials (sources 6, 13.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders._event_rows import Who, quoted, step
from lineage_analytics.loaders._github_names import PROVIDER, agentic, number, pull_key
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import Fields, name, text

if TYPE_CHECKING:
    from lineage_analytics.loaders._event_rows import Event
    from lineage_analytics.loaders.common.assembly import Entry


class Stage(NamedTuple):
    """What an action of a request is: step kind, verdict, capacity."""

    kind: str
    verdict: str | None = None
    capacity: str | None = None


_PULLS = {
    "pull_request.create": Stage("request"), "pull_request.ready_for_review": Stage("request"),
    "pull_request.create_review_request": Stage("request"), "pull_request.reopen": Stage("request"),
    "pull_request.converted_to_draft": Stage("draft"), "pull_request_review.submit": Stage("signal"),
    "pull_request_review.dismiss": Stage("decision", "withdraw", "reviewer"),
    "pull_request_review.delete": Stage("decision", "withdraw", "reviewer"),
    "pull_request.merge": Stage("action"), "pull_request.indirect_merge": Stage("action"),
    "pull_request.close": Stage("decision", "deny"),
    "protected_branch.policy_override": Stage("action"), "protected_branch.rejected_ref_update": Stage("action"),
}
_RUNS = {
    "workflows.approve_workflow_job": Stage("decision", "approve", "approver"),
    "workflows.reject_workflow_job": Stage("decision", "deny", "approver"),
}
_REQUESTS = {
    "personal_access_token.request_created": Stage("request"),
    "personal_access_token.access_granted": Stage("decision", "approve", "approver"),
    "personal_access_token.request_denied": Stage("decision", "deny", "approver"),
    "personal_access_token.request_cancelled": Stage("decision", "withdraw", "requester"),
    "org.oauth_app_access_requested": Stage("request"),
    "org.oauth_app_access_approved": Stage("decision", "approve", "approver"),
    "org.oauth_app_access_denied": Stage("decision", "deny", "approver"),
    "integration_installation_request.create": Stage("request"),
    "integration_installation_request.close": Stage("outcome"),
}
_STATES = {"approved": "approve", "changes_requested": "deny"}
# What an operation does, by its first word or its last.
_VERBS = {
    "add": "grant", "added": "grant", "grant": "grant", "granted": "grant", "assign": "grant", "promote": "grant",
    "remove": "revoke", "removed": "revoke", "revoke": "revoke", "revoked": "revoke", "unassign": "revoke",
    "demote": "revoke", "deauthorize": "revoke", "unassigned": "revoke", "cancelled": "revoke",
    "create": "create", "created": "create", "register": "create", "destroy": "delete", "delete": "delete",
    "deleted": "delete", "update": "set", "updated": "set", "set": "set", "change": "set", "changed": "set",
    "transfer": "set", "rename": "set", "modify": "set", "config_changed": "set",
    "enable": "enable", "enabled": "enable", "unsuspend": "enable", "unblock": "enable", "unarchived": "enable",
    "disable": "disable", "disabled": "disable", "suspend": "disable", "block": "disable", "archived": "disable",
    "regenerate": "rotate", "regenerated": "rotate", "rotate": "rotate", "invite": "create", "clear": "delete",
}
_WHOLE = {"copilot.access_revoked": "revoke", "repo.access": "set"}
_ACCESS = re.compile(
    r"(?:org|team|repo|business|enterprise|hook|role|copilot|environment|external_group|external_identity"
    r"|protected_branch|repository_ruleset|organization_role|custom_(?:repository|organization)_role|public_key|sso\w*"
    r"|personal_access_token|oauth_\w+|integration\w*|org_credential_authorization|ip_allow_list\w*|members_can_\w+"
    r"|two_factor\w*|\w*secret_scanning\w*|\w*required_status_check\w*|auto_approve_personal_access_token_requests"
    r"|private_repository_forking|enterprise_\w+|organization_\w+|dependabot_\w+"
    r"|audit_log_streaming|repository_vulnerability_alerts|marketplace\w*|gpg_key|passkey|security_key|team_sync\w*|external_\w+)$")
_FOUND = re.compile(r"_alert$|_label$")  # what a scanner found, and what issues are sorted by, changes nobody's access
_PEOPLE = ("member", "admin", "outside_collaborator", "maintainer", "collaborator", "billing_manager", "owner",
           "seat", "user", "security_manager")
_SEATS = re.compile(r"copilot\.(?:cfb_|cfi_)?(?:seat|access_revoked)")
_CREDENTIALS = {
    "public_key": "ssh_key", "gpg_key": "key", "passkey": "passkey", "personal_access_token": "token",
    "oauth_access": "token", "org_credential_authorization": "token", "oauth_authorization": "token",
}
_MADE = {"create": "active", "grant": "active", "rotate": "active", "revoke": "revoked", "delete": "revoked"}


def steps_of(entry: Entry, event: Event, held: Fields, tenant: str | None, user: Who | None) -> tuple[str | None, bool]:
    """Adds steps, entitlements and credentials of a row; its target and whether it changes or decides anything."""
    start = f"{PROVIDER}:{tenant or ''}:"
    if event.operation in _PULLS:
        return _pull(entry, event, held, start), True
    if event.operation in _RUNS:
        return _run(entry, event, held, start), True
    if event.operation in _REQUESTS:
        return _request(entry, event, held, start, user), True
    return _change(entry, event, held, start, user)


def pull_of(held: Fields) -> str | None:
    found = pull_key(text(held.get("pull_request_url")), text(held.get("url")))
    repo, at = name(held.get("repo")) or name(held.get("repository")), number(held.get("pull_request_number"))
    return found or (f"{repo.lower()}#{at}" if repo and at else None)


def run_of(held: Fields) -> str | None:
    """``owner/name/123`` of a workflow run, which states it alike wherever it is named."""
    repo, run = name(held.get("repo")) or name(held.get("repository")), number(held.get("workflow_run_id"))
    return f"{repo.lower()}/{run}" if repo and "/" in repo and run else None


def _repo(held: Fields) -> str | None:
    label = name(held.get("repo")) or name(held.get("repository"))
    return number(held.get("repo_id")) or number(held.get("repository_id")) or (label.lower() if label else None)


def _pull(entry: Entry, event: Event, held: Fields, start: str) -> str | None:
    stage, key = _PULLS[event.operation], pull_of(held)
    target = f"{start}pull_request/{key}" if key else None
    verb: str | None = "set" if stage.kind == "action" else None
    if event.operation.startswith("protected_branch."):
        repo, branch = _repo(held), name(held.get("branch")) or name(held.get("name"))
        target = f"{start}branch/{repo}|{branch or '*'}" if repo else target
        verb = None  # the way round a rule has no inverse
    if event.operation == "pull_request_review.submit":
        said = (text(held.get("review_state")) or text(held.get("state")) or "").lower()
        stage = Stage("decision", _STATES[said], "reviewer") if said in _STATES else stage
    asked = (event.on_behalf_of or event.actor.id) if stage.kind in ("request", "draft") else None
    merge = event.operation in ("pull_request.merge", "pull_request.indirect_merge")
    common: dict[str, Any] = {
        "target": target, "initiator_id": asked, "native_key": key,
        "native_key_kind": "github_pull_request" if key else None,
        "quoted_keys": quoted(text(held.get("pull_request_title")), text(held.get("head_branch")))}
    if event.operation == "pull_request.create" and agentic(held):
        step(entry, event, "draft", "draft", origin="ai", **common)  # the agent wrote it, and with it asks to merge it
    step(entry, event, stage.kind, stage.kind, verb=verb, verdict=stage.verdict, capacity=stage.capacity,
         applied_value=name(held.get("head_sha")) if stage.kind == "action" else None,
         decided_value=_reviewed(held) if stage.capacity == "reviewer" else None,
         stated_keys=stated(commit=(held.get("head_sha"), held.get("merge_commit_sha"))) if merge else [], **common)
    return target


def _reviewed(held: Fields) -> str | None:
    return name(held.get("commit_id")) or name(held.get("head_sha"))


def _run(entry: Entry, event: Event, held: Fields, start: str) -> str | None:
    stage, run, repo = _RUNS[event.operation], number(held.get("workflow_run_id")), _repo(held)
    where = name(held.get("environment_name")) or name(held.get("environment"))
    key = f"{repo}/{run}" if repo and run else None
    target = f"{start}environment/{repo}|{where}" if repo and where else f"{start}workflow_run/{key}" if key else None
    step(entry, event, stage.kind, stage.kind, target=target, verdict=stage.verdict, capacity=stage.capacity,
         native_key_kind="github_workflow_run" if key else None, native_key=key,
         stated_keys=stated(commit=held.get("head_sha"), run=run_of(held)))
    return target


def _request(entry: Entry, event: Event, held: Fields, start: str, user: Who | None) -> str | None:
    """Requests for personal access tokens and for apps. A granted token is decided and carried out by one row."""
    stage, token = _REQUESTS[event.operation], event.operation.startswith("personal_access_token.")
    ids = ("user_programmatic_access_request_id", "personal_access_token_request_id",
           "integration_installation_request_id")
    key = next((found for field in ids if (found := number(held.get(field)))), None)
    native = _credential_id(held) if token else number(held.get("integration_id")) or name(held.get("integration"))
    what = "token" if token else "app"
    if event.operation.startswith("org.oauth_app"):
        what, native = "oauth_app", number(held.get("oauth_application_id")) or name(
            held.get("oauth_application_name")) or name(held.get("application_client_id"))
    target = f"{start}{what}/{native}" if native else None
    key = key or (native if token else None)  # an app may be asked for again; a token is asked for once
    kind = "github_token_request" if token else "github_app_request"
    joined: dict[str, Any] = {"native_key_kind": kind if key else None, "native_key": key}
    owner = user.id if user else None
    asked = (owner or event.actor.id) if stage.kind == "request" else owner
    step(entry, event, stage.kind, stage.kind, target=target, verb="create" if what == "app" else "grant",
         verdict=stage.verdict, capacity=stage.capacity, initiator_id=asked, **joined)
    if event.operation == "personal_access_token.access_granted":
        step(entry, event, "action", verb="grant", target=target, initiator_id=owner, **joined)
        _credential(entry, event, held, "token", "grant", owner)
    return target


def _change(entry: Entry, event: Event, held: Fields, start: str, user: Who | None) -> tuple[str | None, bool]:
    category, _, operation = event.operation.partition(".")
    words = operation.split("_")
    verb = _VERBS.get(operation) or _VERBS.get(words[0]) or _VERBS.get(words[-1])
    if event.operation in _WHOLE:
        verb = _WHOLE[event.operation]
    elif _SEATS.match(event.operation) and verb == "create":
        verb = "grant"
    if verb is None or "topic" in words or not _ACCESS.match(category) or _FOUND.search(category):
        return None, False
    about = _object(category, operation, held, user)
    target = start + "/".join(about) if about else None
    seen = ("visibility",) if "previous_visibility" in held or operation in ("access", "create") else ()
    step(entry, event, "action", verb=verb, target=target,  # every row about a repository states its visibility
         before_state=_state(held, "old_permission", "ruleset_old_enforcement", "previous_visibility", "old_value"),
         after_state=_state(held, "permission", "ruleset_enforcement", *seen, "new_value"))
    changes = verb == "set" and operation.startswith("update") and name(held.get("permission")) is not None
    if (verb == "grant" or changes) and user is not None and not event.failed:
        _entitlement(entry, event, category, operation, held, start, user)
    if (verb == "grant" or changes) and category == "team" and "repository" in operation and not event.failed:
        _team_entitlement(entry, event, operation, held, start)
    if category in _CREDENTIALS:
        holder = user.id if user else event.actor.id if verb in ("create", "rotate") else None
        _credential(entry, event, held, _CREDENTIALS[category], verb, holder)
    return target, True


def _state(held: Fields, *keys: str) -> str | None:
    return next((found for key in keys if (found := name(held.get(key))) and len(found) <= 80), None)


def _object(category: str, operation: str, held: Fields, user: Who | None) -> tuple[str, ...]:
    """What a change is about, as ``kind, id[|parameter]``; the same for an operation and its inverse."""
    member = user.id.split(":", 2)[2] if user is not None and user.id is not None else None
    org = number(held.get("org_id")) or (name(held.get("org")) or "").lower()
    org = org or number(held.get("business_id")) or (name(held.get("business")) or "").lower()
    if _SEATS.match(f"{category}.{operation}"):
        return ("copilot_seat", f"{org}|{member}") if org and member else ()
    if category in _CREDENTIALS:
        found = _credential_id(held)
        return ("credential" if _CREDENTIALS[category] != "token" else "token", found) if found else ()
    person = member if any(word in operation for word in _PEOPLE) else None
    about = person or _feature(operation)
    native: str | None  # of what is changed
    match category:
        case "team":
            native = number(held.get("team_id")) or (name(held.get("team")) or "").lower()
            about = (_repo(held) if "repository" in operation else None) or about
        case "repo" | "protected_branch" | "environment":
            native = _repo(held)
            about = about if category == "repo" else _part(category, held)
        case "hook" | "repository_ruleset":
            native = number(held.get({"hook": "hook_id"}.get(category, "ruleset_id"))) or _repo(held)
            about = None
        case "integration_installation" | "integration":
            category, about = "app", None
            native = number(held.get("integration_id")) or name(held.get("integration")) or name(held.get("name"))
        case "audit_log_streaming":
            native = number(held.get("audit_log_stream_id"))
        case "org" | "business" | "enterprise":
            category, native = ("org" if category == "org" else "enterprise"), org
        case _:
            native = number(held.get(f"{category}_id")) or _repo(held) or org
    return (category, native + (f"|{about}" if about else "")) if native else ()


def _part(category: str, held: Fields) -> str | None:
    if category == "protected_branch":
        return name(held.get("branch")) or name(held.get("name"))
    return name(held.get("environment_name")) or name(held.get("name"))


def _feature(operation: str) -> str | None:
    """The operation without its verb: ``two_factor_requirement`` of both enable and disable."""
    words = [word for word in operation.split("_") if word not in _VERBS]
    return "_".join(words) or None


def _entitlement(entry: Entry, event: Event, category: str, operation: str, held: Fields, start: str,
                 user: Who) -> None:
    common = {"principal_id": user.id, "effect": "allow", "state": "standing", "granted_at": event.time,
              "granted_by": event.actor.id, "origin": "direct"}
    stated = name(held.get("permission"))
    about = _object(category, operation, held, user)
    where = about[1].partition("|")[0] if about else None
    if where is None:
        return
    person = any(word in operation for word in _PEOPLE)
    if _SEATS.match(event.operation):
        entry.add(tables.ENTITLEMENTS, grant_kind="app_role", privilege="copilot_seat", scope=f"{start}copilot",
                  **common)
    elif category == "team" and person:
        entry.add(tables.ENTITLEMENTS, grant_kind="membership", privilege=_feature(operation),
                  scope=f"{start}team/{where}", **common)
    elif category in ("org", "repo", "business", "enterprise") and person:
        entry.add(tables.ENTITLEMENTS, grant_kind="role", privilege=stated or _feature(operation),
                  scope=f"{start}{about[0]}/{where}", **common)


def _team_entitlement(entry: Entry, event: Event, operation: str, held: Fields, start: str) -> None:
    """A repository given to a team, or with another role than before."""
    team = number(held.get("team_id")) or (name(held.get("team")) or "").lower()
    repo = _repo(held)
    if team and repo:
        entry.add(tables.ENTITLEMENTS, principal_id=f"{start}team/{team}", grant_kind="role",
                  privilege=name(held.get("permission")) or _feature(operation), scope=f"{start}repo/{repo}",
                  effect="allow", state="standing", granted_at=event.time, granted_by=event.actor.id, origin="direct")


def _credential_id(held: Fields) -> str | None:
    """The key or token a row is about. What authenticated the caller stands in token_id and hashed_token too."""
    ids = ("user_programmatic_access_id", "public_key_id", "deploy_key_id", "oauth_access_id",
           "credential_authorization_id")
    found = next((found for field in ids if (found := number(held.get(field)))), None) or name(held.get("fingerprint"))
    if found is None and name(held.get("programmatic_access_type")) is None:
        found = number(held.get("token_id")) or name(held.get("hashed_token"))
    return found


def _credential(entry: Entry, event: Event, held: Fields, kind: str, verb: str, holder: str | None) -> None:
    native = _credential_id(held)
    if native is None or event.failed or verb not in _MADE:
        return
    scopes = sorted(part.strip() for part in (text(held.get("token_scopes")) or "").split(",") if part.strip())
    entry.add(tables.CREDENTIALS, identity_id=holder, credential_id=native, kind=kind, status=_MADE[verb],
              created_at=event.time if verb in ("create", "rotate") else None, scopes=scopes or None,
              snapshot_at=event.time)
