"""Microsoft 365 unified audit: portal exports as CSV by month, one day again in the management API's form."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import SITES, Person
from lineage_analytics.simulation.writers.files import Packed, as_csv, as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import (
        Access,
        Deed,
        File,
        FileEvent,
        Happened,
        Interaction,
        World,
    )

SOURCE = "m365_audit"
ASSISTANT = "Copilot.MicrosoftCopilot.Microsoft365Copilot"
_HEADER = ("RecordId", "CreationDate", "RecordType", "Operation", "UserId", "AuditData", "AssociatedAdminUnits",
           "AssociatedAdminUnitsNames")
BLOCK = {"PolicyId": "5c1d9a10-aaaa-4c10-a000-00000000b10c", "PolicyName": "Keep labelled content out (synthetic)",
          "Rules": [{"RuleId": "5c1d9a10-aaaa-4c10-a000-00000000b10d", "RuleName": "Highly Confidential",
                     "Severity": "High", "RuleMode": "Enforce", "Actions": ["ExcludeFromProcessing"]}]}


class Log:
    """A portal export a month; exports overlap by a day. One day stands again in the management API's form."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._dice = Dice(world.seed, "m365 files")
        self._last = max(world.midnights)
        self._months: dict[str, Packed] = {}

    def day(self, happened: Happened) -> None:
        asked = [i for i in happened.asked if i.audited]
        found = _in_order([
            *((e.time, e.event_id, _file_record(self._world, e)) for e in happened.files),
            *((i.time, i.event_id, copilot_record(self._world, i)) for i in asked if i.apart is None)])
        for *_, record in found:
            if self._dice.chance(0.02):  # the same person's login, as another service writes it
                record["UserId"] = record["UserId"].upper()
        found += [(i.time, i.event_id, copilot_record(self._world, i)) for i in asked if i.apart is not None]
        found += [(d.time, d.event_id, _deed_record(self._world, d)) for d in happened.deeds.get(SOURCE, ())]
        records = [record for *_, record in _in_order(found)]
        following = happened.day + timedelta(days=1)
        days = {happened.day, following} if following <= self._last else {happened.day}
        for month in sorted({f"{day:%Y-%m}" for day in days}) if records else ():
            if month not in self._months:
                self._months[month] = Packed(self._directory / f"AuditLog_{month}.csv.gz")
                self._months[month].write(as_csv(_HEADER, ()))
            self._months[month].write(as_csv((), map(_row, records)))
        if (self._last - happened.day).days == 4:
            put(self._directory / "management-api" / "audit.general.json.gz", as_json(records))

    def end(self) -> None:
        for month in self._months.values():
            month.close()


def _in_order(found: list[tuple[datetime, str, dict[str, Any]]]) -> list[tuple[datetime, str, dict[str, Any]]]:
    return sorted(found, key=lambda row: row[:2])


def _row(record: dict[str, Any]) -> list[Any]:
    return [record["Id"], record["CreationTime"] + ".0000000Z", record["RecordType"], record["Operation"],
            record["UserId"], json.dumps(record, separators=(",", ":")), "", ""]


def _envelope(world: World, person: Person, **more: object) -> dict[str, Any]:
    return {"OrganizationId": world.tenant, "UserType": 10 if "#EXT#" in person.login else 0, "Version": 1,
            "UserId": person.login, "UserKey": person.object_id} | more


def address(file: File) -> str:
    """Where a document lies."""
    return f"{SITES}/sites/{file.site}/Shared%20Documents/{quote(file.name)}"


def _file_record(world: World, event: FileEvent) -> dict[str, Any]:
    file = event.file
    record = _envelope(
        world, event.person, CreationTime=event.time.strftime("%Y-%m-%dT%H:%M:%S"), Id=event.event_id,
        Operation=event.operation, RecordType=6, Workload="SharePoint", ClientIP="198.51.100.7",
        ObjectId=address(file), ItemType="File", SiteUrl=f"{SITES}/sites/{file.site}/", SourceFileName=file.name,
        ListItemUniqueId=file.item_id)
    if file.label:
        record["SensitivityLabelId"] = file.label
    return record


def copilot_record(world: World, asked: Interaction) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"Id": asked.prompt, "isPrompt": True},
                                      {"Id": str(int(asked.prompt) + 900), "isPrompt": False}]
    if asked.jailbreak is not None:
        messages[0]["JailbreakDetected"] = asked.jailbreak
    data: dict[str, Any] = {"AppHost": asked.host, "Messages": messages, "MessageIds": [], "Contexts": []}
    if asked.thread:
        data["ThreadId"] = asked.thread
    if asked.context is not None:
        data["Contexts"] = [{"Id": address(asked.context), "Type": asked.context.name.rpartition(".")[2]}]
    if asked.accessed is not None:
        data["AccessedResources"] = [_resource(access) for access in asked.accessed]
        deferred = any(a.outcome == "deferred" for a in asked.accessed)
        if deferred:
            data["DLPEvaluationDeferred"] = 4
    if asked.web is not None:
        data["AISystemPlugin"] = [{"Id": "BingWebSearch", "Name": "BuiltIn"}] if asked.web else []
    return _envelope(
        world, asked.person, CreationTime=asked.time.strftime("%Y-%m-%dT%H:%M:%S"), Id=asked.event_id,
        Operation="CopilotInteraction", RecordType=261, Workload="Copilot", ClientRegion="SE",
        AppIdentity=ASSISTANT, CopilotEventData=data) | (asked.apart or {})


def _deed_record(world: World, deed: Deed) -> dict[str, Any]:
    """A record that a chapter tells, by its own fields."""
    person = deed.who
    if not isinstance(person, Person):
        raise TypeError(f"only people act in this log, found {person!r}")
    record = _envelope(world, person, CreationTime=deed.time.strftime("%Y-%m-%dT%H:%M:%S"), Id=deed.event_id,
                       Operation=deed.action, ResultStatus="Succeeded" if deed.outcome == "success" else "Failed")
    if deed.admin:
        record |= {"UserId": person.admin_login, "UserKey": person.admin_id}
    return record | deed.details


def _resource(access: Access) -> dict[str, Any]:
    file = access.file
    body: dict[str, Any] = {
        "Id": file.item_id, "Name": file.name, "Type": file.name.rpartition(".")[2], "SiteUrl": address(file),
        "listItemUniqueId": file.item_id, "Action": "Read"}
    if file.label:
        body["SensitivityLabelId"] = file.label
    if access.xpia is not None:
        body["XPIADetected"] = access.xpia
    if access.outcome == "blocked":
        body |= {"Status": "failure", "PolicyDetails": [BLOCK]}
    elif access.outcome == "audited":
        rule = BLOCK["Rules"][0] | {"RuleMode": "Audit only"}  # type: ignore[operator]
        body["PolicyDetails"] = [BLOCK | {"Rules": [rule]}]
    return body
