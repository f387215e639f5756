"""Who OCSF records name: users, roles behind sessions, services, AI agents, as canonical ids (sources 12)."""

from __future__ import annotations

from typing import Any, NamedTuple

from lineage_analytics.loaders import _ocsf_cloudtrail as cloudtrail
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, guid, name, obj, text

PROVIDER = "ocsf"
# user.type_id: 1 (user) and 2 (admin) do not tell a person from a machine's account.
_KINDS = {3: ("service_account", "system"), 4: ("service_account", "service")}


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
        return {"service_account": "workload", "workload": "workload", "ai_agent": "ai_agent",
                "human": "human"}.get(self.kind, "unknown")


def tenant_of(record: Fields) -> str | None:
    """The account, tenant or organisation the event belongs to, the nearest stated first."""
    cloud, metadata = obj(record.get("cloud")), obj(record.get("metadata"))
    user = obj(obj(record.get("actor")).get("user"))
    found = (name(obj(cloud.get("account")).get("uid")) or name(cloud.get("account_uid"))
             or name(metadata.get("tenant_uid")) or name(obj(cloud.get("org")).get("uid"))
             or name(obj(user.get("account")).get("uid")) or name(obj(user.get("org")).get("uid")))
    return guid(found) or cloudtrail.account_in(found) or found  # some producers put a caller's ARN there


def user_of(value: object, tenant: str | None, *, session: Fields | None = None) -> Principal | None:
    """A ``user`` object; None when it names nobody. ``session``: it is a CloudTrail caller, and this its session."""
    user = obj(value)
    if not user:
        return None
    caller = None if session is None else cloudtrail.caller_of(user, session, tenant)
    if caller is None:
        return _plain_user(user, tenant)
    return Principal(**caller, label=name(user.get("name")), credential=name(user.get("credential_uid")))


def service_of(invoked_by: object) -> Principal | None:
    """The AWS service that calls by itself, as the CloudTrail loader names it; None when the record states none."""
    stated = name(invoked_by)
    return None if stated is None else Principal(
        f"aws:service:{stated}", None, "service_account", "an AWS service calling by itself", "aws_service", stated, [])


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
    service = principal.subkind == "aws_service"
    managed = service or any("/aws-service-role/" in alt["value"] for alt in principal.alt_ids)
    return {"id": principal.id, "kind": principal.kind, "kind_basis": principal.kind_basis,
            "subkind": principal.subkind, "display_name": principal.label, "alt_ids": principal.alt_ids,
            "basis": "seen", "provider": principal.id.partition(":")[0],
            "tenant": None if service else principal.id.split(":")[1] or None,
            "excluded_reason": "provider_managed" if managed else None}


def _alternatives(*pairs: tuple[str, str | None]) -> list[dict[str, str]]:
    lowered = {"login", "email", "upn"}
    return [{"kind": kind, "value": value.lower() if kind in lowered else value} for kind, value in pairs if value]
