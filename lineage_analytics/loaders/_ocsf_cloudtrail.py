"""CloudTrail events that a lake keeps in OCSF, with the callers, accounts and changes of the CloudTrail loader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders._cloudtrail_steps import EFFECTS, is_change
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, embedded, flag, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = re.compile(r"((?:AIDA|AROA)[A-Z0-9]{5,60})(?::(.+))?")
_ACCOUNT = re.compile(r"[0-9]{12,13}")
_FIELD = re.compile(r"\{([^{}]+)\}")


def is_cloudtrail(record: Fields) -> bool:
    product = obj(obj(record.get("metadata")).get("product"))
    stated = " ".join(filter(None, (text(product.get("name")), text(product.get("vendor_name"))))).lower()
    return "cloudtrail" in stated and "aws" in stated


def account_of(record: Fields) -> str | None:
    """The account that received the event, as CloudTrail says it, else the cloud account, else the caller's."""
    cloud, user = obj(record.get("cloud")), obj(obj(record.get("actor")).get("user"))
    for stated in (obj(record.get("unmapped")).get("recipientaccountid"), obj(cloud.get("account")).get("uid"),
                   cloud.get("account_uid"), obj(user.get("account")).get("uid"), user.get("account_uid")):
        found = name(stated)
        if found is not None:
            return account_in(found) or found
    return None


def account_in(arn: str | None) -> str | None:
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and _ACCOUNT.fullmatch(parts[4]) else None


def caller_of(user: Fields, session: Fields, tenant: str | None) -> dict[str, Any] | None:
    """Id, session, kind and other ids of a caller; None when the fields hold none that CloudTrail knows."""
    stated = [found for key in ("uid_alt", "uid", "uuid") if (found := text(user.get(key)))]
    arn = next((found for found in stated if found.startswith("arn:")), None)
    account = name(obj(user.get("account")).get("uid")) or name(user.get("account_uid")) or account_in(arn) or tenant
    issuer = text(session.get("issuer"))
    role = issuer if issuer is not None and ":role/" in issuer else None
    if (text(user.get("type")) or "").lower() == "root" or (arn or "").endswith(":root"):
        return _caller(account, "root", "human", "the account's root user", "root", arn)
    for found in stated:
        if (match := _ID.fullmatch(found)) is None:
            continue
        if match.group(1).startswith("AIDA"):
            return _caller(account, match.group(1), "unknown", "an IAM user; nothing here shows a person or software",
                           "iam_user", arn)
        made = _caller(account_in(role) or account, match.group(1), "unknown",
                       "a role; nothing here shows who assumes it", "iam_role", role)
        return made | {"session": match.group(2)}
    if arn is None:
        return None
    return _caller(account, role or arn, "unknown", "named by ARN alone", "iam_role" if role else None, role or arn)


def _caller(account: str | None, native: str, kind: str, basis: str, subkind: str | None,
            arn: str | None) -> dict[str, Any]:
    return {"id": identity_id("aws", account, native), "session": None, "kind": kind, "kind_basis": basis,
            "subkind": subkind, "alt_ids": [{"kind": "arn", "value": arn}] if arn else []}


def outcome_of(record: Fields) -> str | None:
    """An API call without an error succeeded, also where the lake states no status; None for other events."""
    api = obj(record.get("api"))
    response = obj(api.get("response"))
    if not name(api.get("operation")) or name(response.get("error")) is not None:
        return None
    login = (text(obj(response.get("data")).get("consolelogin")) or "").lower()
    return "failure" if login == "failure" else "success"


def change_of(record: Fields, action: str, tenant: str | None) -> tuple[str, str | None] | None:
    """Verb and target of an identity change, comparable with those of the CloudTrail loader; None when it is none."""
    left = obj(record.get("unmapped"))
    if not is_change(action, flag(left.get("readonly"))):
        return None
    api = obj(record.get("api"))
    request = obj(obj(api.get("request")).get("data")) or obj(left.get("requestparameters"))
    response = obj(obj(api.get("response")).get("data")) or obj(left.get("responseelements"))
    effect = EFFECTS.get(action)
    if effect is None:
        return "set", None
    places = [request, response, *(obj(inner) for inner in response.values() if isinstance(embedded(inner), dict))]
    places.append({"username": obj(record.get("user")).get("name")})  # whose account a change of accounts is about
    target, parameter = _filled(effect.target, places), _filled(effect.parameter, places)
    if target is None or parameter is None:
        return effect.verb, None
    return effect.verb, f"aws:{tenant or ''}:{target}" + (f"|{parameter}" if parameter else "")


def _filled(template: str, places: list[Fields]) -> str | None:
    """The template with ``{name}`` or ``{first|second}`` replaced; None when a value is missing."""
    filled, at = "", 0
    for field in _FIELD.finditer(template):
        value = next(_stated(places, field[1].split("|")), None)
        if value is None:
            return None
        filled += template[at:field.start()] + value.replace("{", "(").replace("}", ")")
        at = field.end()
    return filled + template[at:]


def _stated(places: list[Fields], keys: list[str]) -> Iterator[str]:
    for key in keys:
        for place in places:
            if (found := text(place.get(key.lower()))) is not None:
                yield found
