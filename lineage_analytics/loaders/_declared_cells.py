"""What a cell of a customer's list says: dates, choices, and the identity it names in any of several ways."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lineage_analytics.loaders.common.ids import guid
from lineage_analytics.text import printable

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FOLDED = ("entra:", "m365:")  # their ids and logins are the same in any case
_CANONICAL = re.compile(
    r"(aws|entra|m365|okta|github|gcp|gworkspace|k8s|ad|servicenow|jira|otel|mcp|ocsf|anthropic|openai|declared)"
    r":[^:]*:.+", re.DOTALL)
_MEMBER = re.compile(r"(user|serviceAccount|group):([^:\s@]+@[^:\s@]+)", re.IGNORECASE)
_MEMBERS = {"user": "user", "serviceaccount": "serviceAccount", "group": "group"}
_GOOGLE_ACCOUNT = re.compile(r"[^\s:@]+@[^\s:@]+\.gserviceaccount\.com", re.IGNORECASE)
_SID = re.compile(r"(S-1-5-21-\d{1,10}-\d{1,10}-\d{1,10})-\d{1,10}", re.IGNORECASE)
_K8S = re.compile(r"system:serviceaccount:[^:\s]+:[^:\s]+")
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?=\D|$)")
Cells = dict[str, str]


class CellError(ValueError):
    """A cell that does not say what its column wants."""


def name(column: str) -> str:
    """A column or a choice as it is compared: lower case, words joined by one underscore."""
    return re.sub(r"[\s_/-]+", "_", column.strip().lower()).strip("_")


def wanted(cells: Cells, column: str) -> str:
    if not cells.get(column):
        raise CellError(f"wanted a value in column {column}, found none")
    return cells[column]


def date(cells: Cells, column: str) -> datetime | None:
    """A date with the year first, or an ISO time; others are ambiguous and not guessed at."""
    text = cells.get(column, "")
    if not text:
        return None
    iso = _YEAR_FIRST.sub(lambda found: f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}", text, count=1)
    try:
        parsed = datetime.fromisoformat(iso)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        asked = f"wanted an ISO date in column {column}, for example 2026-06-30"
        raise CellError(f"{asked}, found {shown(text)}") from None


def shown(text: str) -> str:
    return printable(text, 40)


def one_of(cells: Cells, column: str, values: tuple[str, ...], also: dict[str, str] | None = None) -> str:
    """One of the values in any spelling; ``also`` are other words that say the same."""
    text = wanted(cells, column)
    found = {name(value): value for value in values}.get(name(text)) or (also or {}).get(name(text))
    if found is None:
        raise CellError(f"wanted {' or '.join(values)} in column {column}, found {shown(text)}")
    return found


def identity_of(cell: str) -> tuple[str, list[dict[str, str]]]:
    """The id a cell names, and what it can be matched by."""
    if _CANONICAL.fullmatch(cell):
        return (cell.lower() if cell.startswith(_FOLDED) else cell), []
    if cell.startswith("arn:"):
        account = cell.split(":")[4] if cell.count(":") >= 5 else ""
        native = "root" if cell.endswith(":root") else cell
        return f"aws:{account}:{native}", [{"kind": "arn", "value": cell}]
    if _GUID.fullmatch(guid(cell)):
        return f"entra::{guid(cell)}", [{"kind": "object_id", "value": guid(cell)}]
    if (sid := _SID.fullmatch(cell)) is not None:
        return f"ad:{sid[1].upper()}:{cell.upper()}", [{"kind": "sid", "value": cell.upper()}]
    if (member := _member(cell)) is not None:
        return f"gcp::{member}", [{"kind": "principal_id", "value": member}]
    if _K8S.fullmatch(cell):
        return f"k8s::{cell}", [{"kind": "username", "value": cell}]
    login = cell.casefold()
    return f"declared::{login}", [{"kind": "login", "value": login}, {"kind": "upn", "value": login}]


def _member(cell: str) -> str | None:
    """A principal of Google Cloud as its policies write it; the address of a service account alone is one too."""
    found = _MEMBER.fullmatch(cell)
    if found is not None:
        return f"{_MEMBERS[found[1].lower()]}:{found[2].lower()}"
    return f"serviceAccount:{cell.lower()}" if _GOOGLE_ACCOUNT.fullmatch(cell) else None
