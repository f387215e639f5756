"""Who acted: a CloudTrail ``userIdentity`` resolved to the role or user behind a session (sources 2.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage_analytics.loaders._aws_names import caller
from lineage_analytics.loaders._cloudtrail_structure import structure
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.sampling import decode_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.loaders._cloudtrail_record import Record

ASSISTANTS = {"q.amazonaws.com": "aws:assistant:q-developer"}
_CACHE_ENTRIES = 50_000
Text = str | None


class _Issuer(msgspec.Struct, gc=False, rename="camel"):
    type: Text = None
    principal_id: Text = None
    arn: Text = None
    account_id: Text = None
    user_name: Text = None


class _Session(msgspec.Struct, gc=False, rename="camel"):
    session_issuer: _Issuer | None = None
    source_identity: Text = None
    web_id_federation_data: dict[str, object] | None = None


class _OnBehalfOf(msgspec.Struct, gc=False, rename="camel"):
    user_id: Text = None
    identity_store_arn: Text = None


class _Identity(msgspec.Struct, gc=False, rename="camel"):
    type: Text = None
    principal_id: Text = None
    arn: Text = None
    account_id: Text = None
    access_key_id: Text = None
    user_name: Text = None
    invoked_by: Text = None
    session_context: _Session | None = None
    on_behalf_of: _OnBehalfOf | None = None
    credential_id: Text = None
    identity_provider: Text = None


class Actor(NamedTuple):
    """A resolved caller. ``kind`` is what this record alone proves; ``unknown`` where it proves nothing."""

    id: str | None
    session: str | None
    kind: str
    kind_basis: str
    subkind: str | None
    name: str | None
    arn: str | None
    native_id: str | None
    account: str | None
    credential: str | None
    on_behalf_of: str | None
    via_assistant: str | None
    delegation: str | None
    trust: str | None = None


_NOBODY = Actor(None, None, "unknown", "the record names no caller", *([None] * 9))
_UNREADABLE = _NOBODY._replace(kind_basis="the caller cannot be read: it is no valid text")
_UNNAMED = _NOBODY._replace(kind_basis="an anonymous caller")
_ANONYMOUS = frozenset({"anonymous", "anonymous_principal"})
_decoder = msgspec.json.Decoder(_Identity)


class Actors:
    """Resolves ``userIdentity`` objects; equal bytes are resolved once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, str | None], Actor] = {}

    def resolve(self, found: Sequence[Record]) -> list[Actor]:
        """The caller of each record."""
        known = self._known.get
        return [known(key := (bytes(record.user_identity), record.account)) or self._new(key) for record in found]

    def _new(self, key: tuple[bytes, str | None]) -> Actor:
        if len(self._known) >= _CACHE_ENTRIES:
            self._known.clear()
        raw, account = key
        who = _identity(raw)
        actor = self._known[key] = _UNREADABLE if who is None else _resolve(who, account)
        return actor


# Keys that only a pipeline writes: CloudTrail's own are in camel case.
_LOWERED = re.compile(rb'"(?:principalid|accountid|accesskeyid|username|sessioncontext|invokedby|onbehalfof)"')
_PARTS: dict[str, type[msgspec.Struct]] = {
    "session_context": _Session, "session_issuer": _Issuer, "on_behalf_of": _OnBehalfOf}


def _identity(raw: bytes) -> _Identity | None:
    """The caller as written; empty when the record states none, None when it cannot be read."""
    try:
        if _LOWERED.search(raw) is None:
            return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    found = structure(raw) if raw[:1] == b'"' else decode_object(raw)
    if found is None and raw[:1] == b"{":
        return None
    who = _built(_Identity, found or {})
    return who if isinstance(who, _Identity) else None


def _built(kind: type[msgspec.Struct], found: Mapping[str, Any]) -> msgspec.Struct:
    """The struct from a mapping with keys in any case and values of any type."""
    lowered = {key.lower(): value for key, value in found.items()}
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        value = lowered.get(field.encode_name.lower())
        if field.name in _PARTS:
            values[field.name] = _built(_PARTS[field.name], value) if isinstance(value, dict) else None
        elif field.name == "web_id_federation_data":
            values[field.name] = value if isinstance(value, dict) else None
        elif value is not None and not isinstance(value, (bool, dict, list)):
            values[field.name] = str(value) or None
    return kind(**values)


def _resolve(who: _Identity, recipient: str | None) -> Actor:
    account = who.account_id or recipient
    native = who.principal_id or ""
    issuer = who.session_context.session_issuer if who.session_context else None
    if who.arn is None and not _ANONYMOUS.isdisjoint(((who.account_id or "").lower(), native.lower())):
        return _UNNAMED
    if who.type == "Root" or (who.arn or "").endswith(":root"):
        return _actor(who, "root", account, "human", "the account's root user", "root")
    if native.startswith("AROA") or (
            who.type == "AssumedRole" and (":assumed-role/" in (who.arn or "") or not native.startswith("AIDA"))):
        return _role_session(who, issuer, account)
    if who.type == "FederatedUser" and issuer and issuer.principal_id:
        return _actor(who, issuer.principal_id, account, "unknown", "a federated session of this principal", None,
                      arn=issuer.arn, name=issuer.user_name)
    if native.startswith("AIDA") or who.type == "IAMUser":
        key = native.split(":")[0] or who.arn or (f"user/{who.user_name}" if who.user_name else "")
        return _actor(who, key, account, "unknown", "an IAM user; nothing here shows a person or software", "iam_user")
    if who.type == "IdentityCenterUser" and who.on_behalf_of and who.on_behalf_of.user_id:
        store = (who.on_behalf_of.identity_store_arn or "").rpartition("/")[2]
        return _actor(who, who.on_behalf_of.user_id, store or account, "human", "an Identity Center user", "idc_user")
    if who.invoked_by and (who.type in (None, "AWSService") and not native):
        return Actor(f"aws:service:{who.invoked_by}", None, "service_account", "an AWS service calling by itself",
                     "aws_service", who.invoked_by, None, None, None, None, None, None, None)
    if not native and not who.arn and not who.user_name and not account:
        return _NOBODY
    subkind = "web_identity" if who.type == "WebIdentityUser" else "saml_user" if who.type == "SAMLUser" else None
    return _actor(who, native or who.arn or who.user_name or "account", account, "unknown",
                  f"userIdentity type {who.type or 'missing'}", subkind)


def _role_session(who: _Identity, issuer: _Issuer | None, account: str | None) -> Actor:
    """A session belongs to the role that issued it; the session's own ARN drops the role's path (sources 2.3)."""
    native = who.principal_id or ""
    role_id = (issuer.principal_id if issuer else None) or native.split(":")[0]
    role_account = (issuer.account_id if issuer else None) or account
    behind = caller(who.arn)
    arn = (issuer.arn if issuer else None) or (behind.arn if behind and behind.session else None)
    name = (issuer.user_name if issuer else None) or _role_name(who.arn)
    if not role_id:
        role_id = arn or (f"arn:aws:iam::{role_account}:role/{name}" if name else who.arn or "unknown-role")
        arn = arn or (role_id if role_id.startswith("arn:") else None)
    kind, basis = _role_kind(who, arn)
    return _actor(who, role_id, role_account, kind, basis, "iam_role", arn=arn, name=name,
                  session=native.partition(":")[2] or (who.arn or "").rpartition("/")[2] or None)


def _role_kind(who: _Identity, arn: str | None) -> tuple[str, str]:
    federation = who.session_context.web_id_federation_data if who.session_context else None
    if federation and any(federation.values()):
        return "workload", "the session was federated from a workload identity"
    if "/aws-service-role/" in (arn or ""):
        return "workload", "a service-linked role"
    if who.invoked_by and who.invoked_by not in ("AWS Internal", *ASSISTANTS):
        return "unknown", f"a role session used by {who.invoked_by}"
    return "unknown", "a role; nothing here shows who assumes it"


def _role_name(session_arn: str | None) -> str | None:
    parts = (session_arn or "").split(":assumed-role/")
    return parts[1].split("/")[0] if len(parts) == 2 else None


def _actor(
    who: _Identity, native: str, account: str | None, kind: str, basis: str, subkind: str | None, *,
    arn: str | None = None, name: str | None = None, session: str | None = None,
) -> Actor:
    on_behalf, delegation, trust = _delegation(who, account, arn, session)
    assistant = ASSISTANTS.get(who.invoked_by or "")
    if (assistant or (who.invoked_by and who.invoked_by.endswith(".amazonaws.com"))) and delegation is None:
        delegation, trust = "forward_access_session", "provider_asserted"
    return Actor(
        identity_id("aws", account, native), session, kind, basis, subkind, name or who.user_name, arn or who.arn,
        native, account, who.access_key_id or who.credential_id or None, on_behalf, assistant, delegation, trust,
    )


def _delegation(
    who: _Identity, account: str | None, arn: str | None, session: str | None
) -> tuple[str | None, str | None, str | None]:
    """On whose behalf, how that is known, and who says so: a source identity is what the first caller of a chain
    wrote; the session name of a permission-set role is what Identity Center wrote."""
    if who.on_behalf_of and who.on_behalf_of.user_id:
        store = (who.on_behalf_of.identity_store_arn or "").rpartition("/")[2]
        return identity_id("aws", store or account, who.on_behalf_of.user_id), "platform_field", "provider_asserted"
    if who.session_context and who.session_context.source_identity:
        source = identity_id("aws", account, f"source-identity/{who.session_context.source_identity}")
        return source, "role_chain", "caller_asserted"
    if "AWSReservedSSO_" in (arn or "") and session:
        return identity_id("aws", account, f"sso-user/{session}"), "role_chain", "provider_asserted"
    return None, None, None
