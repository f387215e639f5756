"""Azure's activity log as pages of the API a month, its last week again as rows of a workspace, and resource logs.

The vault's log is what a diagnostic setting stores, line by line; that of the storage account comes from an event hub.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import Account, Person
from lineage_analytics.simulation.writers.files import Packed, as_csv, as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._subscriptions import Azure
    from lineage_analytics.simulation.model import Deed, Happened, World

Row = dict[str, Any]
SOURCE = "azure_activity"
_CLAIMS = "http://schemas.microsoft.com/identity/claims/"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_WEEK = 7
_PORTAL = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"


class Log:
    """Each log month by month; the rows of the last week at the end."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._cast: Azure = world.cast["azure"]
        self._last = max(world.midnights)
        self._open: dict[str, tuple[str, Packed]] = {}
        self._week: list[Row] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            log = deed.details["log"]
            if log == "activity":
                record = self._activity(deed)
                self._write(log, f"{deed.time:%Y-%m}", record)
                if (self._last - happened.day).days < _WEEK:
                    self._week.append(_row(record))
            else:
                self._write(log, f"{deed.time:%Y-%m}", self._vault(deed) if log == "vault" else self._blob(deed))

    def _write(self, log: str, month: str, record: Row) -> None:
        held = self._open.get(log)
        if held is None or held[0] != month:
            self._close(log)
            packed = Packed(self._directory / _NAMES[log].format(month=month))
            self._open[log] = month, packed
            packed.write(_HEADS[log] + as_json(record) + _TAILS[log])
        else:
            held[1].write(_BETWEEN[log] + as_json(record) + _TAILS[log])

    def _close(self, log: str) -> None:
        held = self._open.pop(log, None)
        if held is not None:
            held[1].write(_FEET[log])
            held[1].close()

    def end(self) -> None:
        for log in sorted(self._open):
            self._close(log)
        rows = sorted(self._week, key=lambda row: row["EventDataId"])
        put(self._directory / "AzureActivity.csv.gz", as_csv(_COLUMNS, [[row[c] for c in _COLUMNS] for row in rows]))

    # --- records -----------------------------------------------------------------------------------------------------

    def _token(self, deed: Deed) -> Row:
        """Claims of the caller's token under their short names."""
        who = deed.who
        if isinstance(who, Person):
            login, native = (who.admin_login, who.admin_id) if deed.admin else (who.login, who.object_id)
            return {"oid": native, "tid": self._world.tenant, "upn": login, "name": who.name, "idtyp": "user",
                    "appid": _PORTAL, "scp": "user_impersonation"}
        if not isinstance(who, Account):
            return {}
        host = who.details.get("host")
        app = who.details.get("app_id") or self._cast.app_id
        more = {"xms_mirid": host} if host else {"appidacr": "1"}
        return {"oid": who.native_id, "tid": self._world.tenant, "idtyp": "app", "appid": app, **more}

    def _activity(self, deed: Deed) -> Row:
        token, details = self._token(deed), deed.details
        claims = {_LONG.get(key, key): value for key, value in token.items()}
        stated = deed.time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
        received = (deed.time + timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        failed = deed.outcome != "success"
        code = "Forbidden" if failed else "" if details["status"] == "Started" else "OK"
        subscription = _part(details["resource"], 2) if details["resource"].startswith("/subscriptions/") else ""
        return {
            "authorization": {"action": deed.action, "scope": details["resource"]},
            "caller": token.get("upn") or token.get("oid") or "Microsoft.Advisor", "channels": "Operation",
            "claims": claims, "correlationId": details["correlation"], "eventDataId": deed.event_id,
            "eventName": _said("BeginRequest" if details["status"] == "Started" else "EndRequest"),
            "category": _said(details["category"]), "eventTimestamp": stated, "submissionTimestamp": received,
            "operationName": _said(deed.action), "resourceId": details["resource"],
            "resourceGroupName": "ledger-synthetic", "status": _said(details["status"]),
            "subStatus": _said(f"{code} (HTTP Status Code: {403 if failed else 200})" if code else ""),
            "subscriptionId": subscription, "tenantId": self._world.tenant, "level": "Informational",
            "httpRequest": {"clientIpAddress": "203.0.113.88", "method": "PUT"},
            "properties": {"entity": details["resource"], "statusCode": code,
                           **({"requestbody": as_json(details["body"]).decode()} if details.get("body") else {})},
        }

    def _vault(self, deed: Deed) -> Row:
        details, token = deed.details, self._token(deed)
        claim = {"oid": token["oid"], "appid": token["appid"], "idtyp": token["idtyp"]}
        claim |= {key: token[key] for key in ("upn", "xms_mirid") if key in token}
        return {
            "time": _stamp(deed), "category": "AuditEvent", "operationName": deed.action, "resultType": "Success",
            "resultDescription": "", "correlationId": details["correlation"], "callerIpAddress": "203.0.113.88",
            "identity": {"claim": claim}, "tenantId": self._world.tenant, "operationVersion": "7.4", "durationMs": "9",
            "properties": {"id": details["object"], "clientInfo": "synthetic/1.0", "httpStatusCode": 200,
                           "requestUri": details["object"] + "?api-version=7.4"},
            "resourceId": details["resource"].upper(), "resultSignature": "OK",
        }

    def _blob(self, deed: Deed) -> Row:
        details, token = deed.details, self._token(deed)
        return {
            "time": _stamp(deed), "resourceId": f"{details['resource']}/blobServices/default",
            "category": "StorageRead", "operationName": deed.action, "operationVersion": "2024-08-04",
            "schemaVersion": "1.0", "statusCode": 200, "statusText": "Success", "durationMs": 11,
            "callerIpAddress": "203.0.113.88:44210", "correlationId": details["correlation"],
            "identity": {"type": "OAuth", "requester": {"objectId": token["oid"], "upn": token["upn"],
                                                        "tenantId": token["tid"], "appId": token["appid"]}},
            "location": "westeurope", "protocol": "HTTPS",
            "uri": f"https://stledger.blob.azure.example/{details['object']}?synthetic",
            "properties": {"accountName": "stledger", "serviceType": "blob", "userAgentHeader": "synthetic/1.0",
                           "objectKey": f"/stledger/{details['object']}"},
        }


_LONG = {"oid": f"{_CLAIMS}objectidentifier", "tid": f"{_CLAIMS}tenantid", "scp": f"{_CLAIMS}scope", "upn": _UPN}
_NAMES = {"activity": "activity-log-{month}.json.gz", "vault": "insights-logs-auditevent/{month}.json.gz",
          "storage": "event-hub/storage-read-{month}.json.gz"}
_HEADS = {"activity": b'{"value":[', "vault": b"", "storage": b'{"records":['}
_BETWEEN = {"activity": b",", "vault": b"", "storage": b","}
_TAILS = {"activity": b"", "vault": b"\n", "storage": b""}
_FEET = {"activity": b"]}", "vault": b"", "storage": b"]}"}
_COLUMNS = (
    "TenantId", "TimeGenerated", "Type", "OperationNameValue", "ActivityStatusValue", "ActivitySubstatusValue",
    "CategoryValue", "Caller", "CorrelationId", "EventDataId", "EventSubmissionTimestamp", "Authorization", "Claims",
    "Properties", "HTTPRequest", "ResourceGroup", "SubscriptionId", "_ResourceId", "Level",
)
_WORKSPACE = "5f6e7d8c-0d0d-4a10-a000-0e1d2c3b4a5f"


def _row(record: Row) -> Row:
    """The record as a row of a workspace's table; its tenant is the workspace, not the directory."""
    return {
        "TenantId": _WORKSPACE, "TimeGenerated": record["eventTimestamp"], "Type": "AzureActivity",
        "OperationNameValue": record["operationName"]["value"].upper(),
        "ActivityStatusValue": record["status"]["value"], "ActivitySubstatusValue": record["subStatus"]["value"],
        "CategoryValue": record["category"]["value"], "Caller": record["caller"],
        "CorrelationId": record["correlationId"], "EventDataId": record["eventDataId"],
        "EventSubmissionTimestamp": record["submissionTimestamp"], "ResourceGroup": record["resourceGroupName"],
        "SubscriptionId": record["subscriptionId"], "_ResourceId": record["resourceId"].lower(),
        "Level": record["level"], **{column: as_json(record[key]).decode() for column, key in (
            ("Authorization", "authorization"), ("Claims", "claims"), ("Properties", "properties"),
            ("HTTPRequest", "httpRequest"))},
    }


def _said(value: str) -> Row:
    return {"value": value, "localizedValue": value}


def _part(path: str, number: int) -> str:
    return path.split("/")[number]


def _stamp(deed: Deed) -> str:
    return deed.time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
