"""Activity Explorer: results of the export command a week, a page a day, the last days again as the portal's CSV."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import SITES
from lineage_analytics.simulation.writers.files import Packed, as_csv, as_json, put
from lineage_analytics.simulation.writers.m365_audit import ASSISTANT, BLOCK

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Deed, File, Happened, Interaction, World

SOURCE = "purview_activity_explorer"
_WORDS = {"CopilotInteraction": "Copilot interaction", "LabelApplied": "Label applied", "LabelChanged": "Label changed",
          "DLPRuleMatch": "DLP rule matched", "FileCopiedToRemovableMedia": "File copied to removable media"}


class Log:
    """A file a week of result objects; some rows come a day late, and each file begins with the page before it."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._dice = Dice(world.seed, "activity explorer files")
        self._last = max(world.midnights)
        self._week: tuple[int, Packed] | None = None
        self._late: list[dict[str, Any]] = []
        self._before: list[dict[str, Any]] = []
        self._portal: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        rows = [_row(self._world, deed) for deed in happened.deeds.get(SOURCE, ())]
        if not rows and not self._late:
            return
        back = (self._last - happened.day).days
        page, self._late = [*self._late], []
        for row in rows:
            (self._late if back and self._dice.chance(0.02) else page).append(row)
        self._write(back // 7, page)
        if back < 4:
            self._portal += rows

    def _write(self, week: int, page: list[dict[str, Any]]) -> None:
        if self._week is None or self._week[0] != week:
            self._close()
            until = self._last - timedelta(days=7 * week)
            self._week = week, Packed(self._directory / f"ActivityExplorer-{until:%Y-%m-%d}.jsonl.gz")
            if self._before:
                self._week[1].write(_result(self._before))
        self._week[1].write(_result(page))
        self._before = page

    def _close(self) -> None:
        if self._week is not None:
            self._week[1].close()

    def end(self) -> None:
        self._close()
        if not self._portal:
            return
        headings = list(dict.fromkeys(key for row in self._portal for key in row))
        put(self._directory / "portal" / "Activity explorer.csv", as_csv(
            headings, ([_cell(row.get(key, "")) for key in headings] for row in self._portal)))


def _result(rows: list[dict[str, Any]]) -> bytes:
    return as_json({"TotalResultCount": len(rows), "RecordCount": len(rows), "ResultData": as_json(rows).decode(),
                    "WaterMark": "synthetic", "LastPage": False}) + b"\n"


def _cell(value: object) -> str:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else str(value)


def _row(world: World, deed: Deed) -> dict[str, Any]:
    person = deed.who
    row = {
        "RecordIdentity": deed.event_id, "Activity": _WORDS[deed.action], "ActivityId": deed.action,
        "Happened": deed.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "User": person.login, "UserKey": person.object_id, "UserType": "Regular",  # type: ignore[union-attr]
        "OrganizationId": world.tenant,
    }
    asked: Interaction | None = deed.details.get("asked")
    return row | (_interaction(asked) if asked is not None else _other(deed))


def _interaction(asked: Interaction) -> dict[str, Any]:
    """Flags and labels instead of lists: Activity Explorer does not say which documents there were."""
    apart = asked.apart or {}
    files = [access.file for access in asked.accessed or ()]
    labels = sorted({file.label for file in files if file.label})
    prompt: dict[str, Any] = {"Id": asked.prompt, "isPrompt": True}
    if asked.jailbreak is not None:
        prompt["JailbreakDetected"] = asked.jailbreak
    row: dict[str, Any] = {
        "Workload": "Copilot", "DataPlatform": "Purview", "AppHost": asked.host, "AppLocation": "Microsoft 365 Copilot",
        "AppIdentity": apart.get("AppIdentity", ASSISTANT), "AppIdentityCategory": "Copilot experiences & agents",
        "Messages": [prompt], "AreFilesReferenced": bool(files), "AreSensitiveFilesReferenced": bool(labels),
        "SensitivityLabelIdsReferenced": labels,
    }
    if asked.thread:
        row["ThreadId"] = asked.thread
    if asked.web is not None:
        row["HasWebsearchQuery"] = asked.web
    if any(access.outcome == "deferred" for access in asked.accessed or ()):
        row["DLPEvaluationDeferred"] = 4
    if any(access.outcome in ("blocked", "audited") for access in asked.accessed or ()):
        row["PolicyMatchInfo"] = {key: BLOCK[key] for key in ("PolicyId", "PolicyName")}
    return row | {key: apart[key] for key in ("AgentId", "AgentName") if key in apart}


def _other(deed: Deed) -> dict[str, Any]:
    """A document on a site or on somebody's device, its label, the policy that matched."""
    file: File | None = deed.details.get("file")
    name: str = file.name if file else deed.details["name"]
    where = f"{SITES}/sites/{file.site}/Shared Documents/{name}" if file else f"C:\\Users\\synthetic\\{name}"
    row: dict[str, Any] = {"Workload": "SharePoint" if file else "Endpoint", "FilePath": where, "ItemName": name,
                           "Location": "SharePoint" if file else "Endpoint devices"}
    for key, column in (("label", "SensitivityLabel"), ("old", "OldSensitivityLabel")):
        if deed.details.get(key):
            row[column] = deed.details[key]
    if deed.action == "DLPRuleMatch":
        row["PolicyMatchInfo"] = {key: BLOCK[key] for key in ("PolicyId", "PolicyName")}
    return row
