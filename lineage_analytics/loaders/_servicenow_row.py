"""One row of a ServiceNow table in whatever form it was exported: values, display values, references (sources 10)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.times import ASSUMED, parse_time
from lineage_analytics.loaders.common.values import flag, fold, name, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

PROVIDER = "servicenow"
_SYS_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"\b[A-Z]{2,10}[0-9]{4,12}\b")  # a word of its own: a sys_id may hold what looks like one
_QUOTED = re.compile(r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b")
_TEXT_READ = 4_096
_RELATED = ("parent", "change_request", "request", "request_item", "rfc", "caused_by", "parent_incident", "problem_id")
_DIGITS = 9
# List exports head their columns with labels; these differ from the name of the field by more than blanks.
LABELS = {
    "opened": "opened_at", "created": "sys_created_on", "updated": "sys_updated_on", "created_by": "sys_created_by",
    "updated_by": "sys_updated_by", "updates": "sys_mod_count", "approval_for": "sysapproval",
    "approving": "document_id", "configuration_item": "cmdb_ci", "actual_start_date": "work_start",
    "actual_start": "work_start", "actual_end_date": "work_end", "actual_end": "work_end", "closed": "closed_at",
    "planned_start_date": "start_date", "planned_end_date": "end_date", "task_type": "sys_class_name",
    "user_id": "user_name", "field_name": "fieldname", "old_value": "oldvalue", "new_value": "newvalue",
    "table_name": "tablename", "document_key": "documentkey", "class": "sys_class_name", "item": "cat_item",
    "last_login_time": "last_login_time", "web_service_access_only": "web_service_access_only",
}
_KINDS = ("change_request", "sysapproval_approver", "sysapproval_group", "sc_request", "sc_req_item", "sys_audit",
          "sys_history_line", "sys_user", "sys_user_group", "sys_user_grmember", "sys_user_has_role")
_CLASS_LABELS = {"change request": "change_request", "request": "sc_request", "requested item": "sc_req_item",
                 "group approval": "sysapproval_group", "incident": "incident", "problem": "problem",
                 "user": "sys_user", "group": "sys_user_group", "catalog task": "sc_task"}
_PREFIXES = {"CHG": "change_request", "RITM": "sc_req_item", "REQ": "sc_request", "INC": "incident", "PRB": "problem",
             "SCTASK": "sc_task", "CTASK": "change_task"}


def field_name(column: str, *, labels: bool) -> str:
    """The field a column holds: its name, or the one its label stands for."""
    folded = re.sub(r"[\s-]+", "_", column.strip().lower())
    return LABELS.get(folded, folded) if labels else folded


class Row:
    """A row with every field readable as value, label, reference, time or flag."""

    def __init__(self, fields: Mapping[str, Any], *, labels: bool = False) -> None:
        self.fields: dict[str, Any] = {}
        self._shown = labels
        for key, held in fields.items():
            named = field_name(key, labels=labels)
            if named not in self.fields or self.fields[named] in (None, ""):
                self.fields[named] = fold(held) if isinstance(held, dict) else held
        self.instance = self._instance()
        self.table = self._table()

    def text(self, *keys: str) -> str | None:
        """The value as stored, else as displayed, of the first field that has one."""
        for key in keys:
            held = self.fields.get(key)
            if isinstance(held, dict):
                held = text(held.get("value")) or text(held.get("display_value"))
            if (found := name(held)) is not None:
                return found
        return None

    def label(self, key: str) -> str | None:
        """What people see: the display value; a plain text that is no id."""
        held = self.fields.get(key)
        if isinstance(held, dict):
            return name(held.get("display_value"))
        found = name(held)
        return None if found is None or _SYS_ID.fullmatch(found) else found

    def id(self, key: str) -> str | None:
        """The sys_id of a reference, out of its value or its link."""
        held = self.fields.get(key)
        stated: list[Any] = [held]
        if isinstance(held, dict):
            stated = [held.get("value"), (text(held.get("link")) or "").rstrip("/").rsplit("/", 1)[-1]]
        for value in stated:
            found = (text(value) or "").lower()
            if _SYS_ID.fullmatch(found):
                return found
        return None

    def time(self, *keys: str) -> datetime | None:
        """UTC as the API gives it; display values are in the zone of whoever exported, which nothing states."""
        return next((found for key in keys if (found := parse_time(self.text(key))) is not None), None)

    def zone(self, *keys: str) -> str | None:
        """``assumed`` where the time under the first of the keys that has one is as displayed: in nobody's zone."""
        for key in keys:
            if parse_time(self.text(key)) is None:
                continue
            held = self.fields[key]
            if self._shown or (isinstance(held, dict) and text(held.get("value")) is None):
                return ASSUMED
            return None
        return None

    def flag(self, key: str) -> bool | None:
        held = self.fields.get(key)
        return flag(held.get("value", held.get("display_value")) if isinstance(held, dict) else held)

    def word(self, key: str) -> str:
        """A choice in lower case with underscores: ``not requested``, ``Not Yet Requested``."""
        return re.sub(r"[\s-]+", "_", (self.text(key) or "").lower())

    def principal(self, key: str) -> str | None:
        """Who a reference names: by sys_id; where the export holds nothing better, by what is displayed."""
        native = self.id(key) or (self.label(key) or "").lower()
        return identity_id(PROVIDER, self.instance, native) if native else None

    def login(self, key: str) -> str | None:
        """Who a field with a user name names; ``system`` is nobody."""
        found = (self.text(key) or "").lower()
        return identity_id(PROVIDER, self.instance, found) if found and found != "system" else None

    def number(self, key: str) -> str | None:
        """A ticket number in a field or in what a reference displays."""
        for found in (self.label(key), self.text(key)):
            match = _NUMBER.search((found or "").upper())
            if match is not None:
                return match.group()
        return None

    def quoted(self, *keys: str) -> list[str]:
        """Keys of other tickets somebody wrote into free text; the text itself goes nowhere."""
        own = self.text("number")
        written = " ".join((self.text(key) or "")[:_TEXT_READ] for key in keys)
        return sorted(set(_QUOTED.findall(written)) - {own})

    def stated(self) -> list[str]:
        """Other tickets in the fields for them: what the ticket belongs to, and its key in another system."""
        found = stated(ticket=[held for key in _RELATED if (held := self.number(key)) is not None]
                       + [self.text("correlation_id")])
        return [key for key in found if key != f"ticket:{self.text('number')}"]

    def whole(self, key: str) -> int | None:
        """A whole number of up to nine digits; None for anything else."""
        found = self.text(key) or ""
        return int(found) if found.isdecimal() and len(found) <= _DIGITS else None

    def _instance(self) -> str | None:
        for held in self.fields.values():
            if isinstance(held, dict) and (link := text(held.get("link"))) is not None:
                host = _host(link)
                if host is not None:
                    return host.removesuffix(".service-now.com")
        return None

    def _table(self) -> str | None:
        """Which table the row is of: as stated, by its ticket number, by fields only that table has."""
        stated = (self.text("sys_class_name") or "").lower()
        asked = (self.text("table_name") or "").lower()  # collectors note the table they asked for
        if stated:
            known = _CLASS_LABELS.get(stated)
            return known or (asked if asked and "_" not in stated else stated.replace(" ", "_"))
        if asked:
            return asked
        held = set(self.fields)
        if {"fieldname", "newvalue"} <= held:
            return "sys_audit"
        if {"field", "update_time"} <= held and {"new", "new_value", "newvalue"} & held:
            return "sys_history_line"
        if "approver" in held:
            return "sysapproval_approver"
        number = self.number("number") or ""
        found = next((table for prefix, table in _PREFIXES.items() if re.fullmatch(prefix + "[0-9]+", number)), None)
        if found is not None:
            return found
        if {"group", "user"} <= held:
            return "sys_user_grmember"
        if {"user", "role"} <= held:
            return "sys_user_has_role"
        if "user_name" in held:
            return "sys_user"
        if "approval" in held and "assignment_group" in held and "number" not in held:
            return "sysapproval_group"
        return "sys_user_group" if "name" in held and {"manager", "active", "type", "parent", "email"} & held else None


def _host(link: str) -> str | None:
    try:
        return (urlsplit(link).hostname or "").lower() or None
    except ValueError:
        return None
