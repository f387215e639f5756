"""ServiceNow: pages of the Table API in three forms, a CSV of the audit log, groups as an XML unload."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from lineage_analytics.simulation.chapters._tickets_servicenow import HOST, STATES, Desk, Ref, stamp
from lineage_analytics.simulation.writers.files import as_csv, as_json, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import Account, Deed, Happened, World

SOURCE = "servicenow"
_PAGE = 200
_AGAIN = 40
_AUDIT = ("sys_id", "tablename", "documentkey", "fieldname", "oldvalue", "newvalue", "user", "reason", "sys_created_on",
          "sys_created_by")
_DOMAIN = Ref("sys_user_group", "global", "global")
Row = dict[str, Any]


class Log:
    """All at the end: few rows. What changed last stands in two exports, in different forms."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory = directory
        self._rows: dict[str, list[Row]] = defaultdict(list)
        del world

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            self._rows[deed.details["table"]].append(_cells(deed))

    def end(self) -> None:
        for table in ("change_request", "sc_req_item"):
            for number, start in enumerate(range(0, len(self._rows[table]), _PAGE), 1):
                page = [_both(row) for row in self._rows[table][max(start - 3, 0):start + _PAGE]]
                put(self._directory / f"{table}-{number:02d}.json.gz", as_json({"result": page}))
        votes = [_linked(row) for row in self._rows["sysapproval_approver"]]
        put(self._directory / "sysapproval_approver.json.gz", as_json({"result": votes}))
        latest = [_linked(row) for row in self._rows["change_request"][-_AGAIN:]]
        put(self._directory / "nightly" / "change_request.ndjson.gz", b"".join(as_json(row) + b"\n" for row in latest))
        put(self._directory / "sys_audit.csv", as_csv(_AUDIT, [
            [row[key] for key in _AUDIT] for row in self._rows["sys_audit"]]))


def _cells(deed: Deed) -> Row:
    row = dict(deed.details["row"])
    if deed.details["table"] == "change_request":
        row["sys_domain"] = _DOMAIN
    return row


def _link(ref: Ref) -> str:
    return f"https://{HOST}/api/now/table/{ref.table}/{ref.native_id}"


def _stored(key: str, held: str | Ref) -> str:
    return held.native_id if isinstance(held, Ref) else STATES.get(held, held) if key == "state" else held


def _both(row: Row) -> Row:
    """With ``sysparm_display_value=all``."""
    found: Row = {}
    for key, held in row.items():
        if isinstance(held, Ref):
            found[key] = {"display_value": held.label, "link": _link(held), "value": held.native_id}
        else:
            shown = held.replace("_", " ").title() if key in ("state", "approval", "type", "close_code") else held
            found[key] = {"display_value": shown, "value": _stored(key, held)}
    return found


def _linked(row: Row) -> Row:
    """As the API gives a row by default."""
    return {key: {"link": _link(held), "value": held.native_id} if isinstance(held, Ref) else _stored(key, held)
            for key, held in row.items()}


def write(directory: Path, world: World) -> int:
    """The users, groups and members; their number."""
    desk: Desk | None = world.cast.get("servicenow")
    if desk is None:
        return 0
    people = [_user(account) for account in (*desk.accounts.values(), desk.machine) if account.listed]
    for number, start in enumerate(range(0, len(people), 1000), 1):
        put(directory / f"sys_user-{number:02d}.json.gz", as_json({"result": people[start:start + 1000]}))
    put(directory / "groups.xml", _unload(desk))
    return len(people) + len(desk.groups) + len(desk.members)


def _user(account: Account) -> Row:
    person = account.person
    row: Row = {
        "sys_id": account.native_id, "sys_class_name": "sys_user", "user_name": account.name,
        "name": person.name if person else "Release bridge (synthetic)", "email": person.login if person else "",
        "active": str(account.enabled).lower(), "identity_type": "human" if person else "machine",
        "web_service_access_only": str(person is None).lower(), "sys_created_on": stamp(account.created or _never()),
        "sys_mod_count": "2", "sys_domain": _DOMAIN}
    if "manager" in account.details:
        manager = account.details["manager"]
        row["manager"] = Ref("sys_user", manager.native_id, manager.person.name)
    return _linked(row)


def _never() -> Any:
    raise AssertionError("every listed account has a day on which it was made")


def _unload(desk: Desk) -> bytes:
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<unload unload_date="2026-06-30 05:00:00">\n']
    parts += [_element("sys_user_group", {
        "sys_id": group.native_id, "name": group.name, "description": "synthetic", "active": "true", "manager": "",
        "sys_created_on": stamp(group.created or _never()), "sys_mod_count": "1"}, {}) for group in desk.groups]
    for native_id, group, account in desk.members:
        name = account.person.name if account.person else account.name
        parts.append(_element("sys_user_grmember", {
            "sys_id": native_id, "group": group.native_id, "user": account.native_id, "sys_mod_count": "0",
            "sys_created_on": stamp(max(group.created or _never(), account.created or _never())),
            "sys_created_by": "admin"},
            {"group": group.name, "user": name}))
    return "".join([*parts, "</unload>\n"]).encode()


def _element(table: str, cells: dict[str, str], shown: dict[str, str]) -> str:
    inner = "".join(
        f'<{key} display_value="{escape(shown[key], {chr(34): "&quot;"})}">{escape(held)}</{key}>' if key in shown
        else f"<{key}>{escape(held)}</{key}>" for key, held in cells.items())
    return f'<{table} action="INSERT_OR_UPDATE">{inner}</{table}>\n'
