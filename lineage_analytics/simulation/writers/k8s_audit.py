"""Audit of the API server: a file a month as the log backend writes it, two days in a file that came late, and the
webhook's batches of the last days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._kubernetes_cluster import AUDIT, CLUSTER
from lineage_analytics.simulation.writers.files import Packed, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Account, Deed, Happened, World

_BATCHED = 4
_BATCH = 20
_LATE = (18, 19)


class Log:
    """One file of lines a month."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._last = directory / CLUSTER, max(world.midnights)
        self._month: tuple[str, Packed] | None = None
        self._late: list[dict[str, Any]] = []
        self._batched: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        back = (self._last - happened.day).days
        for deed in happened.deeds.get(AUDIT, ()):
            event = _event(deed)
            if back in _LATE:
                self._late.append(event)
            else:
                self._write(f"{happened.day:%Y-%m}", event)
            if back < _BATCHED:
                self._batched.append(event)

    def _write(self, month: str, event: dict[str, Any]) -> None:
        if self._month is None or self._month[0] != month:
            self._close()
            self._month = month, Packed(self._directory / f"audit-{month}.log.gz")
        self._month[1].write(as_json(event) + b"\n")

    def _close(self) -> None:
        if self._month is not None:
            self._month[1].close()

    def end(self) -> None:
        self._close()
        if self._late:
            put(self._directory / "audit-came-late.log.gz", b"".join(as_json(event) + b"\n" for event in self._late))
        batches = [self._batched[at:at + _BATCH] for at in range(0, len(self._batched), _BATCH)]
        if batches:
            put(self._directory / "webhook-batches.ndjson.gz", b"".join(as_json(
                {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": batch}) + b"\n"
                for batch in batches))


def _event(deed: Deed) -> dict[str, Any]:
    details = deed.details
    caller: Account = details["caller"]
    denied = deed.outcome == "denied"
    event: dict[str, Any] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse" if "request" in details else
        "Metadata", "auditID": deed.event_id, "stage": "ResponseComplete", "requestURI": _address(details),
        "verb": deed.action, "user": {"username": caller.native_id, "groups": _groups(caller)},
        "sourceIPs": ["192.0.2.17"], "userAgent": "kubectl/v1.33.1 (linux/amd64) kubernetes/synthetic",
        "objectRef": _ref(details), "responseStatus": {"metadata": {}, "code": details["code"]},
        "requestReceivedTimestamp": _micro(deed.time), "stageTimestamp": _micro(deed.time),
        "annotations": {"authorization.k8s.io/decision": "forbid" if denied else "allow",
                        "authorization.k8s.io/reason": ""},
    }
    if "issued" in details:
        event["annotations"]["authentication.kubernetes.io/issued-credential-id"] = details["issued"]
    if denied:
        event["responseStatus"] |= {"status": "Failure", "reason": "Forbidden"}
    if details["impersonated"]:
        event["impersonatedUser"] = {"username": deed.who.native_id,  # type: ignore[union-attr]
                                     "groups": _groups(deed.who)}  # type: ignore[arg-type]
    for key in ("request", "response"):
        if key in details:
            event[f"{key}Object"] = details[key]
    return event


def _groups(who: Account) -> list[str]:
    parts = who.native_id.split(":")
    if who.kind == "service_account":
        return ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", "system:authenticated"]
    if parts[:2] == ["system", "node"]:
        return ["system:nodes", "system:authenticated"]
    return [*(["system:masters"] if who.native_id == "kubernetes-admin" else []), "system:authenticated"]


def _ref(details: dict[str, Any]) -> dict[str, str]:
    stated = {"resource": details["resource"], "namespace": details["namespace"], "name": details["name"],
              "apiGroup": details["group"], "apiVersion": "v1", "subresource": details["sub"]}
    return {key: held for key, held in stated.items() if held}


def _address(details: dict[str, Any]) -> str:
    base = f"/apis/{details['group']}/v1" if details["group"] else "/api/v1"
    where = f"/namespaces/{details['namespace']}" if details["namespace"] else ""
    parts = [details["resource"], details["name"], details["sub"]]
    return base + where + "/" + "/".join(part for part in parts if part)


def _micro(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
