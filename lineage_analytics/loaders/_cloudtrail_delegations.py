"""Sessions that were opened, as delegations: who took on which role, from which session, until when (sources 2.3).

These calls are frequent: services take on roles all day. The bodies are read by a decoder that builds nothing but the
fields wanted; bodies in another form, as pipelines and query engines write them, are read field by field.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._aws_names import account_of, caller
from lineage_analytics.loaders._cloudtrail_structure import structure
from lineage_analytics.loaders.common.ids import derived_id, identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, fold, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.loaders._cloudtrail_actor import Actor
    from lineage_analytics.loaders._cloudtrail_record import Record

_KINDS = {
    "AssumeRole": "assumed", "AssumeRoot": "assumed", "AssumeRoleWithSAML": "federated",
    "AssumeRoleWithWebIdentity": "federated", "GetFederationToken": "federated",
}
_TEMPORARY = "ASIA"
_STS = "sts.amazonaws.com"
_WRITTEN, _WRITTEN_BEFORE = "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p"
_KEPT = ("time", "event_id", "tenant", "provider", "source", "record_id", "raw_ref")
_LONGEST = 129_600
"""Seconds that a session may last: a federated user's thirty-six hours."""
Text = str | None


class _Arn(msgspec.Struct, gc=False):
    arn: Text = None


class _Request(msgspec.Struct, gc=False, rename="camel"):
    role_arn: Text = None
    duration_seconds: int | None = None
    source_identity: Text = None
    policy: Text = None
    policy_arns: list[_Arn] | None = None
    target_principal: Text = None
    task_policy_arn: _Arn | None = None


class _Key(msgspec.Struct, gc=False, rename="camel"):
    access_key_id: Text = None
    expiration: Text = None


class _User(msgspec.Struct, gc=False, rename={"id": "assumedRoleId"}):
    id: Text = None
    arn: Text = None


class _Response(msgspec.Struct, gc=False, rename="camel"):
    credentials: _Key | None = None
    assumed_role_user: _User | None = None
    federated_user: _Arn | None = None
    issuer: Text = None
    provider: Text = None
    source_identity: Text = None


class _Opened(NamedTuple):
    """What one call says of the session it opened."""

    uid: Text
    delegate: Text
    origin: Text
    issuer: Text
    ends: Text
    seconds: int | None
    scopes: list[str] | None


_request, _response = msgspec.json.Decoder(_Request).decode, msgspec.json.Decoder(_Response).decode


def delegations(found: Sequence[Record], actors: Sequence[Actor], activity: pl.DataFrame) -> pl.DataFrame:
    """The DELEGATIONS rows of the calls that opened a session."""
    rows = [row for row, record in enumerate(found)
            if record.event_name in _KINDS and record.event_source == _STS and not record.error_code]
    if not rows:
        return tables.DELEGATIONS.empty()
    place = pl.Series(rows, dtype=pl.UInt32)
    # As values of their own: a part of a column keeps all of its text in memory until the part is written.
    kept = {name: pl.Series(activity[name][place].to_list(), dtype=activity.schema[name]) for name in _KEPT}
    said = [_opened(found[row], actors[row], event) for row, event in zip(rows, kept["event_id"], strict=True)]
    uids, delegates, origins, issuers, ends, seconds, scopes = zip(*said, strict=True)
    keys = [actors[row].credential for row in rows]
    columns: dict[str, Any] = {
        **kept, "created_at": kept["time"], "expires_at": _ends(ends, seconds, kept["time"]),
        "uid": [uid or derived_id("dlg", record) for uid, record in zip(uids, kept["record_id"], strict=True)],
        "kind": [_KINDS[found[row].event_name or ""] for row in rows],
        "issuer": issuers, "principal_id": [actors[row].id for row in rows], "delegate_id": delegates,
        "origin_id": origins, "trust": ["provider_asserted"] * len(rows), "scopes": scopes,
        "parent_uid": [key if key and key.startswith(_TEMPORARY) else None for key in keys],
    }
    nothing = [None] * len(rows)
    return pl.DataFrame([
        held.alias(name) if isinstance(held := columns.get(name, nothing), pl.Series)
        else pl.Series(name, held, dtype=dtype) for name, dtype in tables.DELEGATIONS.schema.items()])


def _opened(record: Record, actor: Actor, event: str) -> _Opened:
    request, response = _bodies(record)
    key, user = response.credentials or _Key(), response.assumed_role_user or _User()
    owner = account_of(user.arn) or account_of(request.role_arn) or record.account or actor.account
    named = response.source_identity or request.source_identity
    origin = identity_id("aws", owner, f"source-identity/{named}") if named else actor.on_behalf_of
    uid = key.access_key_id if key.access_key_id and key.access_key_id.startswith(_TEMPORARY) else None
    seconds = request.duration_seconds
    return _Opened(uid, _delegate(request, response, owner), origin, response.issuer or response.provider or _STS,
                   key.expiration, seconds if seconds is not None and 0 < seconds <= _LONGEST else None,
                   _scopes(request, event))


def _delegate(request: _Request, response: _Response, owner: str | None) -> str | None:
    """Who acts in the session: the role by its id, else by its ARN; a federated user; the root user of an account."""
    user = response.assumed_role_user or _User()
    role = (user.id or "").partition(":")[0]
    if role.startswith("AROA"):
        return identity_id("aws", owner, role)
    if response.federated_user is not None and response.federated_user.arn:
        return identity_id("aws", account_of(response.federated_user.arn) or owner, response.federated_user.arn)
    if request.target_principal:
        return identity_id("aws", account_of(request.target_principal) or request.target_principal, "root")
    known = caller(request.role_arn) or caller(user.arn)
    return known.id if known is not None else None


def _scopes(request: _Request, event: str) -> list[str] | None:
    """Policies the session was started with; None where it has all that its role has."""
    arns = [held.arn for held in request.policy_arns or () if held.arn]
    if request.task_policy_arn is not None and request.task_policy_arn.arn:
        arns.append(request.task_policy_arn.arn)
    return sorted([*arns, *([f"session-policy/{event}"] if request.policy else [])]) or None


def _bodies(record: Record) -> tuple[_Request, _Response]:
    try:
        request, response = _request(record.request), _response(record.response)
        if response.credentials is not None and response.credentials.access_key_id is not None:
            return request, response
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return _tolerant(_folded(record.request), _folded(record.response))


def _folded(raw: msgspec.Raw) -> Fields:
    """The body as an object, out of JSON, JSON text or the text of a structure; empty when it is none."""
    whole = bytes(raw)
    return obj(whole.decode("utf-8", "replace")) or fold(structure(whole) or {})


def _tolerant(request: Fields, response: Fields) -> tuple[_Request, _Response]:
    """The bodies with keys in any case, values of any type and JSON inside text."""
    key, user = obj(response.get("credentials")), obj(response.get("assumedroleuser"))
    arns = [_Arn(text(held.get("arn"))) for held in objects(request.get("policyarns"))]
    seconds = text(request.get("durationseconds")) or ""
    stated = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(_LONGEST)) else None
    return _Request(
        text(request.get("rolearn")), stated,
        text(request.get("sourceidentity")), text(request.get("policy")), arns, text(request.get("targetprincipal")),
        _Arn(text(obj(request.get("taskpolicyarn")).get("arn"))),
    ), _Response(
        _Key(text(key.get("accesskeyid")), text(key.get("expiration"))),
        _User(text(user.get("assumedroleid")), text(user.get("arn"))),
        _Arn(text(obj(response.get("federateduser")).get("arn"))), text(response.get("issuer")),
        text(response.get("provider")), text(response.get("sourceidentity")))


def _ends(stated: Sequence[str | None], seconds: Sequence[int | None], opened: pl.Series) -> pl.Series:
    """When each session ends: as the answer states it, else after the time that was asked for."""
    texts = pl.Series(stated, dtype=pl.String)
    times = texts.str.to_datetime(_WRITTEN, time_unit="us", time_zone="UTC", strict=False)
    odd = times.is_null().arg_true()
    if not len(odd):
        return times
    return times.scatter(odd, [_end(texts[at], seconds[at], opened[at]) for at in odd.to_list()])


def _end(stated: str | None, seconds: int | None, opened: datetime | None) -> datetime | None:
    if stated is not None:
        try:
            return datetime.strptime(stated, _WRITTEN_BEFORE).replace(tzinfo=UTC)
        except ValueError:
            return parse_time(stated)
    return opened + timedelta(seconds=seconds) if opened is not None and seconds is not None else None
