"""Jira's audit log, of Cloud and of Data Center: who administered what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders._jira_records import site_of
from lineage_analytics.loaders.common.values import Fields, fold, name, obj, objects

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOUD = frozenset({"summary", "created", "category"})
_CLOUD_TOO = frozenset({"objectitem", "associateditems", "authorkey", "authoraccountid", "remoteaddress"})
_SERVER = frozenset({"timestamp", "author", "type", "affectedobjects"})
# Read below, or names and texts of what was changed, which may be what people wrote.
KNOWN = _CLOUD | _CLOUD_TOO | _SERVER | {
    "id", "eventsource", "changedvalues", "extraattributes", "source", "system", "method", "node", "description",
    "version"}
_WRITES = re.compile(r"\b(?:creat|add|updat|chang|delet|remov|releas|archiv|restor|renam|assign|copied|enabl|disabl)")
_READS = re.compile(r"\b(?:search performed|searched|viewed|exported|downloaded)\b")
_MEMBERSHIP = {"user added to group": "grant", "user removed from group": "revoke"}


class Audited(NamedTuple):
    """One entry of the audit log. ``author`` is empty where the system or nobody known did it."""

    id: str | None
    time: object
    action: str
    author: Fields
    address: str | None
    site: str | None
    things: list[Fields]

    @property
    def is_read(self) -> bool | None:
        low = self.action.lower()
        return True if _READS.search(low) else False if _WRITES.search(low) else None

    @property
    def about(self) -> str | None:
        """The first thing it names, by kind and id or name."""
        found = next(((_kind(one), name(one.get("id")) or name(one.get("name"))) for one in self.things), ("", None))
        return f"{found[0]}/{found[1]}" if all(found) else None

    @property
    def membership(self) -> tuple[str, str, Fields] | None:
        """Granted or revoked, the group, and the user as an account."""
        verb = _MEMBERSHIP.get(self.action.lower())
        group = next((name(one.get("name")) for one in self.things if _kind(one) == "group"), None)
        user = next((one for one in self.things if _kind(one) == "user"), None)
        native = (name(user.get("id")) or name(user.get("name"))) if user else None
        if not (verb and group and user and native):
            return None
        login = name(user.get("name"))
        return verb, group, {"key": native, "name": login if login != native else None}


def _kind(thing: Fields) -> str:
    return (name(thing.get("typename")) or name(thing.get("type")) or "").lower()


def is_audit(record: Fields) -> bool:
    if "fields" in record:
        return False
    held = set(record)
    return (held >= _CLOUD and bool(held & _CLOUD_TOO)) or (held >= _SERVER and "action" in obj(record.get("type")))


def audits(record: Fields) -> Iterator[dict[str, Any]]:
    """The entries in an object with folded keys: itself, or those of a page of Data Center's API."""
    for one in [record] if is_audit(record) else objects(record.get("entities")):
        if is_audit(one):
            yield {"kind": "audit", "audit": one}


def audited(record: Fields) -> Audited:
    if "affectedobjects" in record:
        author, said = obj(record.get("author")), obj(record.get("type"))
        known = not (name(author.get("id")) or "").startswith("-")  # the system and anonymous visitors
        things = objects(record.get("affectedobjects"))
        address = (name(record.get("source")) or "").split(",")[0].strip() or None
        site = site_of(record.get("system"), author.get("uri"))
        return Audited(None, record.get("timestamp"), name(said.get("action")) or "unknown",
                       {"name": author.get("name")} if known else {}, address, site, things)
    things = [thing for thing in (obj(record.get("objectitem")), *objects(record.get("associateditems"))) if thing]
    account = {"accountid": record.get("authoraccountid"), "key": record.get("authorkey")}
    return Audited(name(record.get("id")), record.get("created"), name(record.get("summary")) or "unknown", account,
                   name(record.get("remoteaddress")), None, [fold(thing) for thing in things])
