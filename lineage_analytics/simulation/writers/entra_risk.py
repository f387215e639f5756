"""Identity Protection: detections and states as Graph pages, those of the last weeks again as diagnostic blobs."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import Person
from lineage_analytics.simulation.writers.entra_signins import stamp
from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "entra_risk"
_CATEGORIES = {"riskDetections": "UserRiskEvents", "servicePrincipalRiskDetections": "ServicePrincipalRiskEvents",
               "riskyUsers": "RiskyUsers", "riskyServicePrincipals": "RiskyServicePrincipals"}
_TWICE = timedelta(days=20)


class Log:
    """Few records, written at the end; a page holds the newest first."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._deeds: list[Deed] = []

    def day(self, happened: Happened) -> None:
        self._deeds += happened.deeds.get(SOURCE, ())

    def end(self) -> None:
        lists: dict[str, list[Deed]] = defaultdict(list)
        for deed in reversed(self._deeds):
            lists[_list_of(deed)].append(deed)
        for name, deeds in sorted(lists.items()):
            put(self._directory / f"{name}.json.gz", as_json({
                "@odata.context": f"https://graph.microsoft.com/v1.0/$metadata#identityProtection/{name}",
                "value": [_record(deed) for deed in deeds]}))
        newest = [d for d in self._deeds if d.time > max(self._world.midnights) - _TWICE]
        put(self._directory / "insights-logs-risk" / "risk.json.gz",
            b"".join(as_json(self._envelope(deed)) + b"\n" for deed in newest))

    def _envelope(self, deed: Deed) -> dict[str, Any]:
        return {
            "time": stamp(deed.time), "resourceId": f"/tenants/{self._world.tenant}/providers/Microsoft.aadiam",
            "operationName": "Identity Protection (synthetic)", "operationVersion": "1.0",
            "category": _CATEGORIES[_list_of(deed)], "tenantId": self._world.tenant, "resultSignature": "None",
            "durationMs": 0, "Level": 4, "properties": _record(deed)}


def _list_of(deed: Deed) -> str:
    person = isinstance(deed.details["of"], Person)
    if deed.action == "risky":
        return "riskyUsers" if person else "riskyServicePrincipals"
    return "riskDetections" if person else "servicePrincipalRiskDetections"


def _record(deed: Deed) -> dict[str, Any]:
    details = deed.details
    who = details["of"]
    record = {"id": deed.event_id, "riskLevel": details["level"], "riskState": details["state"],
              "riskDetail": details["detail"]}
    if deed.action == "risky":
        return record | {"riskLastUpdatedDateTime": stamp(deed.time), "isDeleted": False, "isProcessing": False} | (
            {"userPrincipalName": who.login, "userDisplayName": who.name} if isinstance(who, Person) else
            {"appId": who.app_id, "displayName": f"{who.name} (synthetic)", "servicePrincipalType": "Application"})
    record |= {
        "riskEventType": deed.action, "detectedDateTime": stamp(details["detected"]),
        "lastUpdatedDateTime": stamp(deed.time), "source": "IdentityProtection", "detectionTimingType": "offline",
        "tokenIssuerType": "AzureAD"}
    if not isinstance(who, Person):
        return record | {
            "activity": "servicePrincipal", "activityDateTime": stamp(details["detected"]),
            "servicePrincipalId": who.principal.native_id, "servicePrincipalDisplayName": f"{who.name} (synthetic)",
            "appId": who.app_id, "keyIds": [who.key.key_id]}
    signed_in = details["signed_in"]
    return record | {
        "activity": "signin", "activityDateTime": stamp(signed_in.time), "requestId": signed_in.event_id,
        "correlationId": signed_in.details["correlation"], "ipAddress": signed_in.details["ip"],
        "userId": who.object_id, "userDisplayName": who.name, "userPrincipalName": who.login,
        "additionalInfo": '[{"Key":"userAgent","Value":"Mozilla/5.0 (synthetic)"}]'}
