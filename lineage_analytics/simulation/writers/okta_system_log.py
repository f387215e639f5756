"""Okta System Log: pages of the API a month, the last days again as the log stream delivers them; the first days are
left only as the CSV of the admin console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.writers.files import Monthly, as_csv, as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, Happened, World

SOURCE = "okta_system_log"
ORGANISATION = "northwind-crm-synthetic"
_TYPES = {"human": "User", "app": "PublicClientApp"}
_STREAMED, _CONSOLE = 4, 6
"""Days before the last that the stream repeats, days after the first that only the console's export holds."""


class Log:
    """One array a month but for the first days; the stream repeats the last ones."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory = directory
        self._last, self._start = max(world.midnights), world.start
        self._console: list[dict[str, Any]] = []
        self._months = Monthly(directory, "system-log-{month}.json.gz")
        self._streamed: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            event = _event(deed)
            if (happened.day - self._start).days < _CONSOLE:
                self._console.append(_row(event))
                continue
            self._months.write(happened.day, event)
            if (self._last - happened.day).days < _STREAMED:
                self._streamed.append(event)

    def end(self) -> None:
        self._months.close()
        if self._console:
            columns = list(dict.fromkeys(column for row in self._console for column in row))
            put(self._directory / "console" / "system-log.csv.gz", as_csv(columns, (
                [row.get(column, "") for column in columns] for row in self._console)))
        put(self._directory / "log-stream.ndjson.gz", b"".join(as_json({
            "version": "0", "detail-type": "SystemLog", "source": f"aws.partner/okta.com/{ORGANISATION}/synthetic",
            "detail": event}) + b"\n" for event in self._streamed))


def _event(deed: Deed) -> dict[str, Any]:
    who, details = deed.who, deed.details
    kind = "SystemPrincipal" if who.name == "Okta System" else _TYPES[who.kind]  # type: ignore[union-attr]
    return {
        "uuid": deed.event_id, "published": deed.time.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "eventType": deed.action,
        "version": "0", "severity": "INFO", "legacyEventType": None, "displayMessage": f"synthetic: {deed.action}",
        "actor": {"id": who.native_id, "type": kind, "alternateId": who.name,  # type: ignore[union-attr]
                  "displayName": who.name, "detailEntry": None},  # type: ignore[union-attr]
        "client": {"userAgent": {"rawUserAgent": "Mozilla/5.0 (X11; Linux x86_64)", "os": "Linux",
                                 "browser": "FIREFOX"},
                   "zone": "null", "device": "Computer", "id": None, "ipAddress": "203.0.113.24",
                   "geographicalContext": None},
        "outcome": {"result": deed.outcome.upper(), "reason": None},
        "target": [{"id": native, "type": of, "alternateId": name, "displayName": name, "detailEntry": None}
                   for of, native, name in details.get("targets", ())],
        "transaction": {"type": "WEB", "id": details["transaction"],
                        "detail": {"requestApiTokenId": details["token"]} if "token" in details else {}},
        "authenticationContext": {"authenticationProvider": None, "credentialProvider": None, "credentialType": None,
                                  "issuer": None, "interface": None, "authenticationStep": 0,
                                  "externalSessionId": details.get("session", "unknown")},
        "securityContext": {"asNumber": None, "asOrg": None, "isp": None, "domain": None, "isProxy": None},
        "debugContext": {"debugData": {"requestUri": "/synthetic", **details.get("debug", {})}},
        "request": {"ipChain": []},
    }


def _row(event: dict[str, Any]) -> dict[str, Any]:
    """The event as the console exports it: flattened, and less of it."""
    row = {
        "timestamp": event["published"], "uuid": event["uuid"], "event_type": event["eventType"],
        "display_message": event["displayMessage"], "severity": event["severity"],
        "actor.id": event["actor"]["id"], "actor.type": event["actor"]["type"],
        "actor.alternate_id": event["actor"]["alternateId"], "actor.display_name": event["actor"]["displayName"],
        "client.ip_address": event["client"]["ipAddress"], "outcome.result": event["outcome"]["result"],
        "transaction.id": event["transaction"]["id"],
        "authentication_context.external_session_id": event["authenticationContext"]["externalSessionId"]}
    for place, target in enumerate(event["target"]):
        row |= {f"target{place}.id": target["id"], f"target{place}.type": target["type"],
                f"target{place}.alternate_id": target["alternateId"],
                f"target{place}.display_name": target["displayName"]}
    for key, value in event["debugContext"]["debugData"].items():
        row[f"debug_context.debug_data.{key}"] = value
    return row
