"""Rows of Defender's hunting tables as the records of Entra they were made from.

    EntraIdSignInEvents, AADSignInEventsBeta          sign-ins of users
    EntraIdSpnSignInEvents, AADSpnSignInEventsBeta    sign-ins of service principals and managed identities
    GraphAPIAuditEvents                               requests to Microsoft Graph
    IdentityInfo                                      users, with the names of their directory roles
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import embedded, flag, name, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

USER_SIGN_IN = frozenset({"applicationid", "errorcode", "requestid", "logontype"})
WORKLOAD_SIGN_IN = frozenset({"applicationid", "errorcode", "requestid", "ismanagedidentity"})
GRAPH_REQUEST = frozenset({"requesturi", "requestmethod", "applicationid", "responsestatuscode"})
IDENTITY = frozenset({"accountobjectid", "accountupn", "isaccountenabled"})

_SIGN_IN = {
    "timestamp": "createddatetime", "application": "appdisplayname", "applicationid": "appid", "requestid": "id",
    "accountdisplayname": "userdisplayname", "accountobjectid": "userid", "accountupn": "userprincipalname",
    "alternatesigninname": "signinidentifier", "errorcode": "resulttype", "uniquetokenid": "uniquetokenidentifier",
    "logontype": "signineventtypes",
}
_GRAPH = {"timestamp": "time", "applicationid": "appid", "uniquetokenidentifier": "signinactivityid",
          "requestduration": "durationms"}
_USER = {
    "accountobjectid": "id", "accountupn": "userprincipalname", "accountdisplayname": "displayname",
    "accountsid": "onpremisessecurityidentifier", "mailaddress": "mail", "emailaddress": "mail",
    "isaccountenabled": "accountenabled", "usertype": "usertype", "accountcreationtime": "createddatetime",
    "createddatetime": "createddatetime", "deleteddatetime": "deleteddatetime",
}
# Where and with what somebody signed in, and what the table says of itself; a workspace's TenantId is its own.
_LEFT = """
    reportid tenantid timegenerated type sourcesystem country state city latitude longitude devicename osplatform
    aaddeviceid entraiddeviceid devicetrusttype ismanaged iscompliant browser isexternaluser entitytype
    lastpasswordchangetimestamp ismanagedidentity targetworkload
"""
_UNUSED = frozenset(_LEFT.split())
# Figures that the tables write for what the log has words for.
_RISK_STATES = {"0": "none", "1": "confirmedSafe", "2": "remediated", "3": "dismissed", "4": "atRisk",
                "5": "confirmedCompromised"}
_RISK_LEVELS = {"0": "none", "1": "none", "10": "low", "50": "medium", "100": "high"}
_POLICIES = {"0": "success", "1": "failure", "2": "notApplied"}
_FIGURES = {"riskstate": _RISK_STATES, "risklevelduringsignin": _RISK_LEVELS, "risklevelaggregated": _RISK_LEVELS,
            "conditionalaccessstatus": _POLICIES}


def as_logged(row: Fields) -> Fields:
    """The sign-in or request that a row of a hunting table shows; any other record as it is. Keys folded."""
    keys = row.keys()
    if keys >= USER_SIGN_IN or keys >= WORKLOAD_SIGN_IN:
        return _sign_in(row)
    return _request(row) if keys >= GRAPH_REQUEST else row


def _renamed(row: Fields, names: dict[str, str]) -> Fields:
    made = {names.get(key, key): held for key, held in row.items() if key not in _UNUSED and held not in (None, "")}
    if "timegenerated" in row and "timestamp" not in row:
        made[names["timestamp"]] = row["timegenerated"]
    return made


def _sign_in(row: Fields) -> Fields:
    made = _renamed(row, _SIGN_IN)
    if "ismanagedidentity" in row:
        made["signineventtypes"] = ["managedIdentity" if flag(row["ismanagedidentity"]) else "servicePrincipal"]
    if text(row.get("isguestuser")) is not None:
        made["usertype"] = "guest" if flag(made.pop("isguestuser", None)) else "member"
    for key, words in _FIGURES.items():
        if (stated := text(made.get(key))) is not None:
            made[key] = words.get(stated, stated)
    return made


def _request(row: Fields) -> Fields:
    """Whose id the account's is depends on what asked; where the row does not say, nobody is named."""
    made = _renamed(row, _GRAPH)
    account, sort = made.pop("accountobjectid", None), (text(row.get("entitytype")) or "").lower()
    holder = {"user": "userid", "serviceprincipal": "serviceprincipalid", "application": "serviceprincipalid"}.get(sort)
    return made if account is None or holder is None else made | {holder: account}


def as_user(row: Fields) -> Fields:
    """The user that a row of IdentityInfo shows, its directory roles by name; any other record as it is."""
    if not row.keys() >= IDENTITY:
        return row
    made = {_USER[key]: held for key, held in row.items() if key in _USER and held not in (None, "")}
    for key in made.keys() & {"createddatetime", "deleteddatetime"}:
        made[key] = str(parse_time(made[key]))  # tables spell one time in several ways
    roles = embedded(row.get("assignedroles"))
    made["memberof"] = [{"@odata.type": "#microsoft.graph.directoryRole", "id": label, "displayname": label}
                        for held in (roles if isinstance(roles, list) else []) if (label := name(held)) is not None]
    return made
