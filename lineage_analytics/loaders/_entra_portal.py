"""CSV downloads of the Entra admin center as the objects they show: flattened, numbered columns, times in UTC."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders.common.values import name, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

_PROPERTY = re.compile(r"target(\d{1,2})modifiedproperty(\d{1,2})(name|oldvalue|newvalue)")
_TARGET = re.compile(r"target(\d{1,2})(type|displayname|objectid|userprincipalname)")
_DETAIL = re.compile(r"additionaldetail(\d{1,2})(key|value)")
_TARGET_KEYS = {"type": "type", "displayname": "displayname", "objectid": "id",
                "userprincipalname": "userprincipalname"}
_SIGN_IN = {
    "date (utc)": "createddatetime", "request id": "id", "user agent": "useragent", "correlation id": "correlationid",
    "user id": "userid", "user": "userdisplayname", "username": "userprincipalname", "user type": "usertype",
    "cross tenant access type": "crosstenantaccesstype", "incoming token type": "incomingtokentype",
    "authentication protocol": "authenticationprotocol", "unique token identifier": "uniquetokenidentifier",
    "original transfer method": "originaltransfermethod", "client credential type": "clientcredentialtype",
    "application": "appdisplayname", "application id": "appid", "app owner tenant id": "appownertenantid",
    "resource": "resourcedisplayname", "resource id": "resourceid", "resource tenant id": "resourcetenantid",
    "resource owner tenant id": "resourceownertenantid", "home tenant id": "hometenantid",
    "home tenant name": "hometenantname", "ip address": "ipaddress", "client app": "clientappused",
    "authentication requirement": "authenticationrequirement", "sign-in identifier": "signinidentifier",
    "session id": "sessionid", "flagged for review": "flaggedforreview", "token issuer type": "tokenissuertype",
    "token issuer name": "tokenissuername", "conditional access": "conditionalaccessstatus",
    "service principal id": "serviceprincipalid", "service principal name": "serviceprincipalname",
    "managed identity id": "serviceprincipalid", "managed identity name": "serviceprincipalname",
    "managed identity type": "managedidentitytype", "associated resource id": "associatedresourceid",
    "credential key id": "serviceprincipalcredentialkeyid",
    "credential thumbprint": "serviceprincipalcredentialthumbprint",
    "resource service principal id": "resourceserviceprincipalid", "sign-in error code": "resulttype",
}
# Columns whose content the record does not need: places, devices, latencies, how a second factor was asked for.
_UNUSED = frozenset({
    "location", "status", "failure reason", "device id", "browser", "operating system", "compliant", "managed",
    "join type", "multifactor authentication result", "multifactor authentication auth method",
    "multifactor authentication auth detail", "ip address (seen by resource)", "through global secure access",
    "global secure access ip address", "autonomous system number", "latency", "federated token id",
    "federated token issuer", "token protection - sign in session", "token protection - sign in session statuscode",
})


def is_portal(row: Fields) -> bool:
    """Whether the row is one of a download."""
    return "date (utc)" in row


def sign_in(row: Fields) -> Fields:
    """The sign-in a row shows, with the keys of a Graph object in lower case."""
    made: Fields = {}
    for column, value in row.items():
        plain = " ".join(column.split())
        if plain in _SIGN_IN:
            made.setdefault(_SIGN_IN[plain], _stated(value))
        elif plain not in _UNUSED:
            made[plain] = value
    if made.get("resulttype") is None:
        made["resulttype"] = "0" if (text(row.get("status")) or "").lower() == "success" else text(row.get("status"))
    made["status"] = None
    return {key: value for key, value in made.items() if value is not None}


def _stated(value: object) -> str | None:
    found = text(value)
    return None if found is None or found.lower() in ("none", "n/a") else found


def audit(row: Fields) -> Fields:
    """The directory audit a row shows, with the keys of a Graph object in lower case. It states no record id."""
    targets: dict[int, dict[str, Any]] = {}
    details: dict[int, dict[str, str | None]] = {}
    for column, value in row.items():
        said = text(value)
        if said is None:
            continue
        if found := _PROPERTY.fullmatch(column):
            held = targets.setdefault(int(found[1]), {}).setdefault("properties", {}).setdefault(int(found[2]), {})
            held["displayname" if found[3] == "name" else found[3]] = said
        elif found := _TARGET.fullmatch(column):
            targets.setdefault(int(found[1]), {})[_TARGET_KEYS[found[2]]] = said
        elif found := _DETAIL.fullmatch(column):
            details.setdefault(int(found[1]), {})[found[2]] = said
    for target in targets.values():
        target["modifiedproperties"] = [held for _, held in sorted(target.pop("properties", {}).items())]
    return {
        "activitydatetime": row.get("date (utc)"), "correlationid": row.get("correlationid"),
        "loggedbyservice": row.get("service"), "category": row.get("category"),
        "activitydisplayname": row.get("activity"),
        "result": row.get("result"), "resultreason": row.get("resultreason"),
        "useragent": row.get("user agent") or row.get("useragent"), "initiatedby": _initiated(row),
        "targetresources": [target for _, target in sorted(targets.items())],
        "additionaldetails": [detail for _, detail in sorted(details.items())],
    }


def _initiated(row: Fields) -> Fields:
    """The actor: an application where the row says so by its type or by a service principal, else a user."""
    label, object_id = text(row.get("actordisplayname")), name(row.get("actorobjectid"))
    service, login = name(row.get("actorserviceprincipalid")), name(row.get("actoruserprincipalname"))
    kind = (text(row.get("actortype")) or "").lower().replace(" ", "")
    if login is None and (service is not None or kind.startswith(("app", "serviceprincipal"))):
        return {"app": {"serviceprincipalid": service or object_id, "displayname": label,
                        "serviceprincipalname": row.get("actorserviceprincipalname")}}
    return {"user": {"id": object_id, "userprincipalname": login, "displayname": label,
                     "ipaddress": row.get("ipaddress")}}
