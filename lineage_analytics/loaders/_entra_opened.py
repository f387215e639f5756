"""A record of an Entra log out of what carries it: a Graph object, a diagnostic envelope, a row of a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders._entra_hunting import as_logged
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.times import shown_time
from lineage_analytics.loaders.common.values import Fields, embedded, fold, name, native, obj, text
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROVIDER = "entra"
FAMILIES = {
    "audit": "directory audits (activityDisplayName, initiatedBy, targetResources)",
    "signin": "sign-ins (createdDateTime, appId, status)",
    "graph": "Microsoft Graph activity (requestUri, requestMethod, responseStatusCode)",
    "risk": "risk of users and service principals (riskState, riskLevel)",
}
_SIGN_INS = (
    "signinlogs", "noninteractiveusersigninlogs", "serviceprincipalsigninlogs", "managedidentitysigninlogs",
    "microsoftserviceprincipalsigninlogs", "adfssigninlogs", "aadnoninteractiveusersigninlogs",
    "aadserviceprincipalsigninlogs", "aadmanagedidentitysigninlogs", "aadmicrosoftserviceprincipalsigninlogs",
)
_RISKS = (
    "userriskevents", "serviceprincipalriskevents", "riskyusers", "riskyserviceprincipals", "agentriskevents",
    "riskyagents", "aaduserriskevents", "aadserviceprincipalriskevents", "aadriskyusers", "aadriskyserviceprincipals",
)
# Categories of diagnostic settings and tables of Log Analytics, in lower case.
FAMILY_BY_CATEGORY: dict[str, str] = {
    "auditlogs": "audit", "microsoftgraphactivitylogs": "graph", "azureadgraphactivitylogs": "graph",
    "aadgraphactivitylogs": "graph",
    **dict.fromkeys(_SIGN_INS, "signin"), **dict.fromkeys(_RISKS, "risk"),
}
_BY_TYPE = {
    "directoryaudit": "audit", "signin": "signin", "riskdetection": "risk", "serviceprincipalriskdetection": "risk",
    "agentriskdetection": "risk", "riskyuser": "risk", "riskyserviceprincipal": "risk", "riskyagent": "risk",
    "riskyuserhistoryitem": "risk", "riskyserviceprincipalhistoryitem": "risk",
}
_TENANT_PATH = re.compile(r"/tenants/([^/]{1,64})", re.IGNORECASE)
UTC_COLUMN = " [utc]"
_SIGNED_IN = frozenset({"appid", "userid", "userprincipalname", "serviceprincipalid"})
_SIGN_IN_KEYS = frozenset({
    "signineventtypes", "appliedconditionalaccesspolicies", "conditionalaccesspolicies", "conditionalaccessstatus",
    "isinteractive", "clientcredentialtype", "clientappused", "uniquetokenidentifier", "authenticationprotocol",
})


class Opened(NamedTuple):
    """A record: ``row`` as it stands in the file and ``payload``, the Graph object in it; keys folded."""

    row: Fields
    payload: Fields

    @property
    def category(self) -> str:
        """Category of the diagnostic setting or table of the workspace, in lower case; empty when not stated."""
        found = (text(self.row.get("category")) or "").lower()
        return found if found in FAMILY_BY_CATEGORY else (text(self.row.get("type")) or "").lower()

    @property
    def tenant(self) -> str | None:
        """The directory as the envelope or the record states it. ``TenantId`` of a table is its workspace."""
        table = "timegenerated" in self.row
        path = _TENANT_PATH.search(text(self.row.get("resourceid")) or "")
        stated = (
            self.row.get("aadtenantid"), None if table else self.row.get("tenantid"), path.group(1) if path else None,
            None if table else self.payload.get("tenantid"),
        )
        return native(next((found for value in stated if (found := name(value)) is not None), None))

    def get(self, *keys: str) -> object:
        """The first stated value under any of the keys, in the payload before the envelope."""
        for held in (self.payload, self.row):
            for key in keys:
                if held.get(key) not in (None, ""):
                    return held[key]
        return None

    def name(self, *keys: str) -> str | None:
        """As ``get``, for an id or a name: GUIDs in lower case, the ways logs write 'nobody' as None."""
        for held in (self.payload, self.row):
            for key in keys:
                if (found := name(held.get(key))) is not None:
                    return native(found)
        return None


def opened(fields: Mapping[str, Any]) -> Opened:
    """The record in a raw object, out of test-suite envelopes and diagnostic envelopes."""
    row = fold(fields)
    log = embedded(row.get("log"))
    if isinstance(log, dict) and "id" not in row and "time" not in row:
        row = fold(log)
    row = as_logged(in_utc(flattened(row)))
    if isinstance(row.get("time"), str):
        row["time"] = iso_of(row["time"])
    payload = obj(row.get("properties"))
    return Opened(row, payload or row)


def flattened(row: Fields) -> Fields:
    """The record with what PowerShell's Graph modules put under ``AdditionalProperties`` beside the rest."""
    if "additionalproperties" not in row:
        return row
    more = obj(row["additionalproperties"])
    return {**more, **{key: held for key, held in row.items() if key != "additionalproperties" and (
        held not in (None, "") or key not in more)}}


def in_utc(row: Fields) -> Fields:
    """The row with plain names and ISO times where a query's result was saved as CSV (``TimeGenerated [UTC]``)."""
    if not any(key.endswith(UTC_COLUMN) for key in row):
        return row
    return {key.removesuffix(UTC_COLUMN): iso_of(held) if key.endswith(UTC_COLUMN) else held
            for key, held in row.items()}


def iso_of(value: object) -> object:
    """A time as a browser shows it in ISO form; anything else as it is."""
    return shown_time(value) or value if isinstance(value, str) else value


def family_of(record: Opened) -> str | None:
    """Which log the record belongs to: by category, by type, else by its keys."""
    found = FAMILY_BY_CATEGORY.get(record.category)
    if found is None:
        kind = (text(record.payload.get("@odata.type")) or "").lower().rsplit(".", 1)[-1]
        found = _BY_TYPE.get(kind)
    return found or _by_keys(record.payload)


def _by_keys(payload: Fields) -> str | None:
    keys = payload.keys()
    if "riskstate" in keys and ({"riskeventtype", "risktype", "risklastupdateddatetime"} & keys):
        return "risk"
    if {"initiatedby", "targetresources"} & keys or (
            "activitydisplayname" in keys and {"loggedbyservice", "activitydatetime"} & keys):
        return "audit"
    if {"date (utc)", "activity", "actortype"} <= keys:
        return "audit"
    if {"requesturi", "requestmethod"} <= keys or {"requesturi", "httpmethod", "httpstatuscode"} <= keys:
        return "graph"
    if {"createddatetime", "appid"} <= keys and keys & _SIGN_IN_KEYS:
        return "signin"
    if "createddatetime" in keys and keys & _SIGNED_IN and "errorcode" in obj(payload.get("status")):
        return "signin"  # of which a query selected a few properties
    if {"date (utc)", "request id"} <= keys:
        return "signin"
    return "signin" if {"resulttype", "appid", "timegenerated"} <= keys and "riskstate" in keys else None


def what(record: Opened) -> str:
    """What a record says it is, for a fault."""
    stated = text(record.row.get("category")) or text(record.row.get("type")) or text(record.row.get("@odata.type"))
    return "a record without a category" if stated is None else f"category {printable(stated, 60)}"


def wanted(fields: Mapping[str, Any], family: str) -> Opened:
    """The record, which must be of this family.

    Raises
    ------
    RecordFault : ``out_of_scope``, it is of another one or of none.
    """
    found = opened(fields)
    if family_of(found) != family:
        raise RecordFault("out_of_scope", f"no record of {FAMILIES[family].partition(' (')[0]}: {what(found)}",
                          "rejected")
    return found
