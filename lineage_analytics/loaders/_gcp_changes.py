"""Changes of identities, access and the rules on it in Cloud Audit Logs, as steps (sources 7.1, 13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders import _gcp_directory as directory
from lineage_analytics.loaders._gcp_bindings import Delta, binding_key, resource
from lineage_analytics.loaders._gcp_entry import LogEntry, labels, squeezed
from lineage_analytics.loaders._gcp_members import member
from lineage_analytics.loaders.common.values import Fields, name, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders._principals import Principal

_IAM = "iam.googleapis.com"
POLICY_METHODS = frozenset({"setiampolicy", "setiampermissions", "setorgpolicy"})
_VERBS = (("create", "create"), ("upload", "create"), ("insert", "create"), ("undelete", "create"),
          ("delete", "delete"), ("disable", "disable"), ("enable", "enable"), ("update", "set"), ("patch", "set"),
          ("set", "set"))
# Last part of a method name without its verb -> what it is about; for the services that govern access.
_OBJECTS = {
    "serviceaccount": "service_account", "serviceaccountkey": "service_account_key", "role": "role",
    "workloadidentitypool": "identity_pool", "workloadidentitypoolprovider": "identity_pool_provider",
    "workforcepool": "identity_pool", "workforcepoolprovider": "identity_pool_provider", "policy": "policy",
    "sink": "log_sink", "exclusion": "log_exclusion", "bucket": "log_bucket", "apikey": "api_key", "key": "api_key",
    "client": "oauth_client", "oauthclient": "oauth_client", "oauthclientcredential": "oauth_client_credential",
    "accesslevel": "access_level", "serviceperimeter": "service_perimeter", "entitlement": "pam_entitlement",
}
_GUARDED = frozenset({
    _IAM, "orgpolicy.googleapis.com", "logging.googleapis.com", "apikeys.googleapis.com",
    "accesscontextmanager.googleapis.com", "privilegedaccessmanager.googleapis.com", "clientauthconfig.googleapis.com",
})
_PAM = {"creategrant": ("request", None), "approvegrant": ("decision", "approve"), "denygrant": ("decision", "deny"),
        "withdrawgrant": ("decision", "withdraw"), "revokegrant": ("action", None)}
_VOLATILE = frozenset({"etag", "@type", "at_sign_type", "updatetime", "version"})


class Change(NamedTuple):
    """One change a record states; ``part`` tells the changes of one record apart."""

    part: str
    verb: str
    target: str | None
    kind: str = "action"
    verdict: str | None = None
    after: str | None = None
    native_kind: str | None = None
    native_key: str | None = None
    expires_at: Any = None
    about: str | None = None


def last_part(method: str) -> str:
    """``SetIamPolicy`` of ``google.iam.admin.v1.SetIAMPolicy``, in lower case."""
    return method.rsplit(".", 1)[-1].lower()


def changes(found: LogEntry, service: str | None, method: str, delta: list[Delta]) -> Iterator[Change]:
    """The changes a record states; none when it is not about identities, access or the rules on them."""
    word = last_part(method)
    over = over_of(found, service)
    if delta:
        for one in delta:
            key = binding_key(over, one.role, one.member, one.condition)
            yield Change(f"{'add' if one.added else 'remove'}:{one.role}:{one.member.id}:{one.condition or ''}",
                         "grant" if one.added else "revoke", key, expires_at=one.expires_at if one.added else None,
                         about=f"{one.role} for {one.member.label}")
    elif word in POLICY_METHODS:
        policy = squeezed(found.audit.get("request")).get("policy", squeezed(found.audit.get("response")) or None)
        yield Change("policy", "set", f"gcp::policy/{over}" if over else None, after=state_hash(policy, _VOLATILE))
    elif service == "privilegedaccessmanager.googleapis.com" and word in _PAM:
        yield _elevation(found, word)
    elif service in directory.SERVICES and (said := directory.effect(found, word)) is not None:
        yield Change("directory", *said, about=said[1].partition("/")[2].replace("|", " ") if said[1] else None)
    elif service in _GUARDED and (change := _object_change(found, service, word)) is not None:
        yield change


def over_of(found: LogEntry, service: str | None) -> str | None:
    """The full name of what a record is about; of a project also where only the monitored resource names it."""
    stated = name(found.audit.get("resourcename"))
    if stated is None and text(squeezed(found.fields.get("resource")).get("type")) == "project":
        project = name(labels(found).get("projectid"))
        stated = f"projects/{project}" if project else None
    return resource(service, stated)


def _elevation(found: LogEntry, word: str) -> Change:
    kind, verdict = _PAM[word]
    key = name(squeezed(found.audit.get("response")).get("name")) or name(found.audit.get("resourcename"))
    target = f"gcp::pam_grant/{key}" if key else None
    return Change("pam", "revoke" if word in ("revokegrant", "withdrawgrant", "denygrant") else "grant", target, kind,
                  verdict, native_kind="pam_grant" if key else None, native_key=key)


def _object_change(found: LogEntry, service: str, word: str) -> Change | None:
    for prefix, verb in _VERBS:
        if word.startswith(prefix):
            what = _OBJECTS.get(word.removeprefix(prefix).removesuffix("async"))
            if what is None and service != _IAM:
                return None
            target = _object_key(found, service, what or "iam")
            body = found.audit.get("request") if verb == "set" else None
            return Change("object", verb, target, after=state_hash(body, _VOLATILE),
                          about=target.partition("/")[2] if target else None)
    return None


def _object_key(found: LogEntry, service: str, what: str) -> str | None:
    stated = text(found.audit.get("resourcename"))
    answer = squeezed(found.audit.get("response"))
    if what in ("service_account", "service_account_key"):
        account = account_id(found) or account_email(found)
        if account is None:
            return None
        key = key_id(name(answer.get("name"))) or key_id(stated)
        if what == "service_account_key":
            return f"gcp::service_account/{account}|key/{key}" if key else None
        return f"gcp::service_account/{account}"
    own = name(answer.get("name"))
    path = own if own and "/" in own else stated
    return f"gcp::{what}/{resource(service, path)}" if path else None


def account_id(found: LogEntry) -> str | None:
    """The number of the service account a record is about, which a later account of that address does not have."""
    stated = name(squeezed(found.audit.get("response")).get("uniqueid")) or name(labels(found).get("uniqueid"))
    parts = (text(found.audit.get("resourcename")) or "").split("/")
    own = parts[parts.index("serviceAccounts") + 1] if "serviceAccounts" in parts[:-1] else ""
    return stated or (own if own.isdigit() else None)


def account_email(found: LogEntry) -> str | None:
    """The service account a record is about: its address, else the last part of its name."""
    email = name(squeezed(found.audit.get("response")).get("email")) or name(labels(found).get("emailid"))
    if email is not None:
        return email.lower()
    for holder in (found.audit.get("resourcename"), squeezed(found.audit.get("response")).get("name"),
                   squeezed(found.audit.get("request")).get("name")):
        parts = (text(holder) or "").split("/")
        if "serviceAccounts" in parts[:-1]:
            return parts[parts.index("serviceAccounts") + 1].lower()
    return None


def key_id(full: str | None) -> str | None:
    """The key's own id out of ``.../serviceAccounts/x/keys/<id>``."""
    parts = (full or "").split("/")
    return parts[parts.index("keys") + 1] or None if "keys" in parts[:-1] else None


def as_step(change: Change, operation: str, outcome: str) -> Fields:
    """The DECISION_STEPS columns of a change, without who did it."""
    failed = outcome in ("failure", "denied")
    return {
        "kind": "attempt" if failed and change.kind == "action" else change.kind, "verdict": change.verdict,
        "capacity": "approver" if change.kind == "decision" else None, "operation": operation,
        "status": "failed" if failed else "succeeded" if outcome == "success" else "pending",
        "target_key": change.target, "effect_key": f"{change.verb}({change.target})" if change.target else None,
        "after_state": change.after, "native_key_kind": change.native_kind, "native_key": change.native_key,
        "expires_at": change.expires_at, "title": " ".join(filter(None, (last_word(operation), change.about))),
    }


def last_word(operation: str) -> str:
    """The readable end of a method name."""
    return operation.rsplit(".", 1)[-1]


def principals_of(change: Change) -> list[Principal]:
    """The principals a directory event is about."""
    if change.part != "directory" or change.target is None:
        return []
    kind, _, rest = change.target.removeprefix("gcp::").partition("/")
    whose, _, what = rest.partition("|")
    if kind not in ("user", "group"):
        return []
    return [member(f"{kind}:{whose}")] + ([member(what)] if kind == "group" and what else [])
