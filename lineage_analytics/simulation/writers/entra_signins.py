"""Entra sign-ins: diagnostic settings write each category by month; the newest stand again in Graph pages and a table.

Graph pages overlap and run from the newest back; the table is what a query of Log Analytics saves as CSV. One day came
late, in a file of its own.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._directory_cast import GRAPH
from lineage_analytics.simulation.chapters.directory import OFFICE, STRANGER, token
from lineage_analytics.simulation.model import DOMAIN, Account, Agent, Person
from lineage_analytics.simulation.writers.files import Packed, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "entra_signins"
CATEGORIES = {"user": "SignInLogs", "silent": "NonInteractiveUserSignInLogs",
              "principal": "ServicePrincipalSignInLogs", "managed": "ManagedIdentitySignInLogs"}
_EVENTS = {"user": "interactiveUser", "silent": "nonInteractiveUser", "principal": "servicePrincipal",
           "managed": "managedIdentity"}
_REASONS = {0: "Other.", 50126: "Error validating credentials due to invalid username or password.",
            50034: "The user account does not exist in the directory."}
_POLICY = {"id": "0e1d2c3b-0101-4c0a-a000-5f6e7d8c9b01", "displayName": "Ask for a second factor (synthetic)",
           "enforcedGrantControls": ["Mfa"], "enforcedSessionControls": [], "result": "success"}
_PAGE = 40
_OVERLAP = 2
_LATE = 11


class Log:
    """A file a month and category; ``_pages`` and ``_table`` hold the last week only."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._last = max(world.midnights)
        self._open: dict[str, tuple[str, Packed]] = {}
        self._late: list[Deed] = []
        self._pages: list[Deed] = []
        self._table: list[Deed] = []

    def day(self, happened: Happened) -> None:
        back = (self._last - happened.day).days
        for deed in happened.deeds.get(SOURCE, ()):
            if back == _LATE and deed.action == "silent":
                self._late.append(deed)
            else:
                self._write(deed)
            if back < 7 and deed.action == "user":
                self._pages.append(deed)
            if back < 7 and deed.action == "principal":
                self._table.append(deed)

    def _write(self, deed: Deed) -> None:
        month = f"{deed.time:%Y-%m}"
        held = self._open.get(deed.action)
        if held is None or held[0] != month:
            if held is not None:
                held[1].close()
            self._open[deed.action] = month, Packed(self._path(deed.action, month))
        self._open[deed.action][1].write(as_json(envelope(self._world, deed)) + b"\n")

    def _path(self, kind: str, name: str) -> Path:
        return self._directory / f"insights-logs-{CATEGORIES[kind].lower()}" / f"{name}.json.gz"

    def end(self) -> None:
        for kind in sorted(self._open):
            self._open[kind][1].close()
        if self._late:
            put(self._path("silent", "late"),
                b"".join(as_json(envelope(self._world, deed)) + b"\n" for deed in self._late))
        newest = self._pages[::-1]
        for number, start in enumerate(range(0, len(newest), _PAGE), 1):
            page: dict[str, Any] = {"@odata.context": "https://graph.microsoft.com/beta/$metadata#auditLogs/signIns"}
            if start + _PAGE < len(newest):
                page["@odata.nextLink"] = f"https://graph.microsoft.com/beta/auditLogs/signIns?$skiptoken={number}"
            page["value"] = [sign_in(self._world, d) for d in newest[max(start - _OVERLAP, 0):start + _PAGE]]
            put(self._directory / f"signIns-{number:02d}.json.gz", as_json(page))
        put(self._directory / "AADServicePrincipalSignInLogs.csv.gz", _table(self._world, self._table))


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(world: World, deed: Deed) -> dict[str, Any]:
    """The record as a diagnostic setting writes it."""
    record = sign_in(world, deed)
    return {
        "time": stamp(deed.time + timedelta(seconds=200)), "resourceId": f"/tenants/{world.tenant}/providers/"
        "Microsoft.aadiam", "operationName": "Sign-in activity", "operationVersion": "1.0",
        "category": CATEGORIES[deed.action], "tenantId": world.tenant, "resultType": str(deed.details["code"]),
        "resultSignature": "None", "durationMs": 0, "callerIpAddress": deed.details["ip"],
        "correlationId": deed.details["correlation"], "Level": 4, "properties": record}


def sign_in(world: World, deed: Deed) -> dict[str, Any]:
    """The Graph object of a sign-in."""
    details = deed.details
    risk = details.get("risk")
    code = details["code"]
    record: dict[str, Any] = {
        "id": deed.event_id, "createdDateTime": stamp(deed.time), **_application(deed), "ipAddress": details["ip"],
        "correlationId": details["correlation"], "isInteractive": deed.action == "user",
        "signInEventTypes": [_EVENTS[deed.action]],
        "status": {"errorCode": code, "failureReason": _REASONS[code], "additionalDetails": None},
        "location": {"city": "Utrecht" if details["ip"] == OFFICE else "", "state": "", "countryOrRegion":
                     {OFFICE: "NL", STRANGER: ""}.get(details["ip"], "SG" if risk else "IE")},
        "resourceDisplayName": "Microsoft Graph", "resourceId": GRAPH, "resourceTenantId": world.tenant,
        "resourceServicePrincipalId": world.cast["directory"].graph.native_id, "homeTenantId": world.tenant,
        "uniqueTokenIdentifier": token(deed.event_id),
    }
    if deed.action in ("principal", "managed"):
        return record | _software(world, deed)
    state, level, kind = risk or ("none", "none", "")
    return record | _person(deed) | {
        "userType": "member",
        "clientAppUsed": "Browser" if deed.action == "user" else "Mobile Apps and Desktop clients",
        "deviceDetail": {"operatingSystem": "Windows", "browser": "Edge", "isCompliant": True, "trustType": "Hybrid"},
        "conditionalAccessStatus": "success" if code == 0 else "notApplied",
        "appliedConditionalAccessPolicies": [_POLICY] if code == 0 else [],
        "authenticationRequirement": "multiFactorAuthentication", "riskDetail": "none", "riskState": state,
        "riskLevelDuringSignIn": level, "riskLevelAggregated": level, "riskEventTypes_v2": [kind] if kind else []}


def _application(deed: Deed) -> dict[str, Any]:
    """The client; of people who go to AWS it is the gallery's application, which no list here holds."""
    app = deed.details["app"]
    if app is not None:
        return {"appId": app.app_id, "appDisplayName": f"{app.name} (synthetic)"}
    if isinstance(deed.who, Agent):
        return {"appId": deed.who.app_id, "appDisplayName": deed.who.name}
    if isinstance(deed.who, Account):
        return {"appId": deed.who.details["app_id"], "appDisplayName": deed.who.name}
    return {"appId": "0e1d2c3b-0102-4c0a-a000-5f6e7d8c9b01", "appDisplayName": deed.details["name"]}


def _person(deed: Deed) -> dict[str, Any]:
    who = deed.who
    if not isinstance(who, Person):
        return {"userId": "", "userPrincipalName": f"{deed.details['typed']}@{DOMAIN}", "userDisplayName": ""}
    name = who.name + (" (admin)" if deed.admin else "")
    return {"userId": who.admin_id if deed.admin else who.object_id, "userDisplayName": name,
            "userPrincipalName": who.admin_login if deed.admin else who.login}


def _software(world: World, deed: Deed) -> dict[str, Any]:
    who, app = deed.who, deed.details["app"]
    record: dict[str, Any] = {"conditionalAccessStatus": "notApplied", "appliedConditionalAccessPolicies": []}
    if isinstance(who, Agent):
        blueprint = world.cast["directory"].blueprint.details
        return record | {
            "servicePrincipalId": who.object_id, "servicePrincipalName": who.name, "clientCredentialType":
            "federatedIdentityCredential", "federatedCredentialId": blueprint["federated"],
            "agent": {"agentType": "agenticAppInstance", "parentAppId": blueprint["app_id"]}}
    assert isinstance(who, Account)  # noqa: S101  (narrows the type)
    record |= {"servicePrincipalId": who.native_id, "servicePrincipalName": who.name}
    if deed.action == "managed":
        return record | {"managedServiceIdentity": {
            "msiType": "userAssigned" if who.details["explicit"] else "systemAssigned",
            "associatedResourceId": who.details["host"], "federatedTokenId": None, "federatedTokenIssuer": None}}
    if app.federated:
        return record | {"clientCredentialType": "federatedIdentityCredential", "federatedCredentialId": app.federated}
    sort = "certificate" if app.key.kind == "cert" else "clientSecret"
    return record | {"clientCredentialType": sort, "servicePrincipalCredentialKeyId": app.key.key_id}


def _table(world: World, deeds: list[Deed]) -> bytes:
    """Rows of the table of service principals, with dynamic columns as text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("TimeGenerated [UTC]", "Type", "AADTenantId", "Id", "CreatedDateTime [UTC]", "ResultType", "AppId",
                     "AppDisplayName", "CorrelationId", "IPAddress", "ServicePrincipalId", "ServicePrincipalName",
                     "ServicePrincipalCredentialKeyId", "FederatedCredentialId", "ResourceIdentity",
                     "ResourceDisplayName", "UniqueTokenIdentifier", "Agent", "LocationDetails"))
    for record in (sign_in(world, deed) for deed in deeds):
        writer.writerow((
            record["createdDateTime"], "AADServicePrincipalSignInLogs", world.tenant, record["id"],
            record["createdDateTime"], record["status"]["errorCode"], record["appId"], record["appDisplayName"],
            record["correlationId"], record["ipAddress"], record["servicePrincipalId"], record["servicePrincipalName"],
            record.get("servicePrincipalCredentialKeyId", ""), record.get("federatedCredentialId", ""),
            record["resourceId"], record["resourceDisplayName"], record["uniqueTokenIdentifier"],
            json.dumps(record.get("agent", {})), json.dumps(record["location"])))
    return out.getvalue().encode()
