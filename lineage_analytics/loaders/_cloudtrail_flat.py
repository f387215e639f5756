"""CloudTrail rows whose nested fields became columns: dotted paths, glued names, the table of a SIEM (sources 2.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

_USER, _ISSUER = "userIdentity", ("userIdentity", "sessionContext", "sessionIssuer")
_ATTRIBUTES = ("userIdentity", "sessionContext", "attributes")
_NESTED = {
    name.lower(): name for name in (
        _USER, "requestParameters", "responseElements", "additionalEventData", "tlsDetails", "serviceEventDetails")}
_USER_FIELDS = ("type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy")
_ISSUER_FIELDS = ("type", "principalId", "arn", "accountId", "userName")
# Columns by their letters alone. ``Aws...``, ``Session...`` and ``TimeGenerated`` are those of Microsoft Sentinel.
_COLUMNS: dict[str, tuple[str, ...]] = {
    **{f"useridentity{field.lower()}": (_USER, field) for field in _USER_FIELDS},
    **{f"useridentitysessioncontextsessionissuer{field.lower()}": (*_ISSUER, field) for field in _ISSUER_FIELDS},
    **{f"sessionissuer{field.lower()}": (*_ISSUER, field) for field in _ISSUER_FIELDS},
    "useridentitysessioncontextattributesmfaauthenticated": (*_ATTRIBUTES, "mfaAuthenticated"),
    "useridentitysessioncontextattributescreationdate": (*_ATTRIBUTES, "creationDate"),
    "sessionmfaauthenticated": (*_ATTRIBUTES, "mfaAuthenticated"),
    "sessioncreationdate": (*_ATTRIBUTES, "creationDate"),
    "awseventid": ("eventID",), "awsrequestid": ("requestID",), "eventtypename": ("eventType",),
    "timegenerated": ("eventTime",), "timegeneratedutc": ("eventTime",),
}
_SENTINEL = "awseventid"
_OF_THE_WORKSPACE = frozenset({
    "tenantid", "sourcesystem", "type", "operationname", "cidrip", "cidrport", "category", "ipprotocol", "_itemid",
    "_resourceid", "_timereceived", "_billedsize", "mg"})
_PORTAL_TIMES = ("%m/%d/%Y, %I:%M:%S.%f %p", "%m/%d/%Y, %I:%M:%S %p")
_NO_ERROR = frozenset({"noerror", "none"})
_NOT_LETTERS = re.compile(r"[^a-z]")
_GLUED = re.compile(r"requestparameters[._]?(?=.)", re.IGNORECASE)
_FLOAT = re.compile(r"(\d{12})\.0")


def is_caller(column: str) -> bool:
    """Whether the column holds a part of the caller: ``userIdentity.arn``, ``userIdentityarn``."""
    path = _path(column)
    return path is not None and path[0] == _USER


@lru_cache(maxsize=4_096)
def _path(column: str) -> tuple[str, ...] | None:
    """Where in a record the column belongs; None where it is a field of its own."""
    head, dot, rest = column.partition(".")
    if dot and rest and head.lower() in _NESTED:
        return (_NESTED[head.lower()], *rest.split("."))
    known = _COLUMNS.get(_NOT_LETTERS.sub("", column.lower()))
    if known is not None or column.lower() == "requestparameters":
        return known
    glued = _GLUED.match(column)
    return ("requestParameters", column[glued.end():]) if glued else None


def nested(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row as the record it was made from; the row itself where no field of it is part of another."""
    paths = [(column, path) for column in row if (path := _path(column)) is not None]
    if not paths:
        return row
    moved = {column for column, _ in paths}
    sentinel = any(_NOT_LETTERS.sub("", column.lower()) == _SENTINEL for column in moved)
    made: dict[str, Any] = {}
    for column, held in row.items():
        if column in moved or (sentinel and column.lower() in _OF_THE_WORKSPACE):
            continue
        if column.lower() == "errorcode" and str(held).lower() in _NO_ERROR:
            continue
        made[column] = held
    stated = {column.lower() for column, held in made.items() if held not in (None, "")}
    made = {column: held for column, held in made.items() if column.lower() in stated}
    for column, path in paths:
        if row[column] not in (None, "") and path[0].lower() not in stated:
            _put(made, path, row[column])
    return made


def _put(made: dict[str, Any], path: tuple[str, ...], held: Any) -> None:
    at = made
    for part in path[:-1]:
        inner = at.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        at = inner
    last = path[-1]
    if last == "accountId":
        whole = _FLOAT.fullmatch(str(held))  # a column of numbers with gaps, as data frames write it
        held = whole[1] if whole else held
    elif path == ("eventTime",):
        held = _moment(held)
    at.setdefault(last, held)


def _moment(held: Any) -> Any:
    """A time in ISO form, also where the portal saved it in the reader's language."""
    found = parse_time(held)
    for form in _PORTAL_TIMES if found is None and isinstance(held, str) else ():
        try:
            return datetime.strptime(held.strip().replace("\u202f", " "), form).replace(tzinfo=UTC).isoformat()
        except ValueError:
            continue
    return found.isoformat() if found else held
