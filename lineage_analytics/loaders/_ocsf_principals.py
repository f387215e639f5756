"""Who OCSF records name: users, roles behind sessions, services, AI agents, as canonical ids (sources 12)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, guid, name, obj, text

PROVIDER = "ocsf"
_AWS_ID = re.compile(r"((?:AIDA|AROA)[A-Z0-9]{5,60})(?::(.+))?")
_AWS_ACCOUNT = re.compile(r"[0-9]{12}")
# user.type_id: 1 (user) and 2 (admin) do not tell a person from a machine's account.
_KINDS = {3: ("service_account", "system"), 4: ("service_account", "service")}
_AWS_KINDS = {"iamuser": ("unknown", "iam_user"), "root": ("unknown", "root"),
              "assumedrole": ("role", "assumed_role_session"), "awsservice": ("workload", "aws_service")}


class Principal(NamedTuple):
    """Somebody a record names: canonical id, session if any, kind with the evidence, other ids."""

    id: str
    session: str | None
    kind: str
    kind_basis: str
    subkind: str | None
    label: str | None
    alt_ids: list[dict[str, str]]
    credential: str | None = None

    @property
    def agent_class(self) -> str:
        return {"service_account": "workload", "workload": "workload", "ai_agent": "ai_agent"}.get(self.kind, "unknown")


def tenant_of(record: Fields) -> str | None:
    """The account, tenant or organisation the event belongs to, the nearest stated first."""
    cloud, metadata = obj(record.get("cloud")), obj(record.get("metadata"))
    user = obj(obj(record.get("actor")).get("user"))
    found = (name(obj(cloud.get("account")).get("uid")) or name(cloud.get("account_uid"))
             or name(metadata.get("tenant_uid")) or name(obj(cloud.get("org")).get("uid"))
             or name(obj(user.get("account")).get("uid")) or name(obj(user.get("org")).get("uid")))
    return guid(found) or found


def is_cloudtrail(record: Fields) -> bool:
    product = obj(obj(record.get("metadata")).get("product"))
    stated = " ".join(filter(None, (text(product.get("name")), text(product.get("vendor_name"))))).lower()
    return "cloudtrail" in stated and "aws" in stated


def user_of(value: object, tenant: str | None, *, aws: bool) -> Principal | None:
    """A ``user`` object; None when it names nobody."""
    user = obj(value)
    if not user:
        return None
    found = _aws_user(user, tenant) if aws else None
    return found or _plain_user(user, tenant)


def _plain_user(user: Fields, tenant: str | None) -> Principal | None:
    uid, label, mail = name(user.get("uid")), name(user.get("name")), name(user.get("email_addr"))
    native = guid(uid) or uid or (label or mail or "").lower()
    if not native:
        return None
    kind, subkind = _kind(user)
    basis = f"user.type_id {text(user.get('type_id'))}" if kind != "unknown" else "the record states no telling type"
    alt_ids = _alternatives(("login", label), ("email", mail), ("object_id", name(user.get("uid_alt"))))
    return Principal(identity_id(PROVIDER, tenant, native), None, kind, basis, subkind, label or mail, alt_ids,
                     name(user.get("credential_uid")))


def _kind(user: Fields) -> tuple[str, str | None]:
    number = text(user.get("type_id")) or ""
    return _KINDS.get(int(number), ("unknown", None)) if number.isdecimal() and len(number) < 4 else ("unknown", None)


def _aws_user(user: Fields, tenant: str | None) -> Principal | None:
    """CloudTrail's callers as the CloudTrail loader names them, so that both exports mean one principal."""
    stated = [found for key in ("uid_alt", "uid") if (found := text(user.get(key)))]
    arn = next((found for found in stated if found.startswith("arn:")), None)
    account = name(obj(user.get("account")).get("uid")) or name(user.get("account_uid")) or _account(arn) or tenant
    kind, subkind = _AWS_KINDS.get((text(user.get("type")) or "").lower(), ("unknown", None))
    label = name(user.get("name"))
    credential = name(user.get("credential_uid"))
    basis = f"user.type {text(user.get('type'))}" if subkind else "the record states no telling type"
    for found in stated:
        if (match := _AWS_ID.fullmatch(found)) is not None:
            native, session = match.group(1), found if match.group(2) else None
            if native.startswith("AROA"):
                kind, subkind, basis = "role", "assumed_role_session", "an AROA id"
                arn = None
            return Principal(identity_id("aws", account, native), session, kind, basis, subkind, label,
                             _alternatives(("arn", arn)), credential)
    if subkind == "root" and account:
        return Principal(identity_id("aws", account, "root"), None, kind, basis, subkind, label,
                         _alternatives(("arn", arn)), credential)
    if arn:
        return Principal(identity_id("aws", account, arn), None, kind, basis, subkind, label,
                         _alternatives(("arn", arn)), credential)
    return None


def _account(arn: str | None) -> str | None:
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and _AWS_ACCOUNT.fullmatch(parts[4]) else None


def agent_of(record: Fields, tenant: str | None) -> Principal | None:
    """The AI agent of the ``ai_operation`` profile; a type of its own, so the kind is evident."""
    for holder in (record, obj(record.get("actor"))):
        agent = obj(holder.get("ai_agent"))
        native = name(agent.get("uid")) or (name(agent.get("name")) or "").lower()
        if native:
            return Principal(identity_id(PROVIDER, tenant, guid(native) or native), name(agent.get("instance_uid")),
                             "ai_agent", "OCSF ai_agent object", None, name(agent.get("name")), [])
    return None


def fact(principal: Principal) -> dict[str, Any]:
    """The IDENTITY_FACTS columns of somebody seen in a log."""
    return {"id": principal.id, "kind": principal.kind, "kind_basis": principal.kind_basis,
            "subkind": principal.subkind, "display_name": principal.label, "alt_ids": principal.alt_ids,
            "basis": "seen", "provider": principal.id.partition(":")[0], "tenant": principal.id.split(":")[1] or None}


def _alternatives(*pairs: tuple[str, str | None]) -> list[dict[str, str]]:
    lowered = {"login", "email", "upn"}
    return [{"kind": kind, "value": value.lower() if kind in lowered else value} for kind, value in pairs if value]
