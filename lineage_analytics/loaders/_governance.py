"""What exports of Entra governance objects have in common: packings, principals, tickets (sources 3.4 to 3.6).

Graph objects do not say which directory they come from; ids are then ``entra::<object id>`` and are completed over all
that is loaded, as with the directory audit (``_entra_directory``).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.packings import (
    csv_columns,
    head_keys,
    is_page,
    json_or_array_chunks,
    page_chunks,
    row_chunks,
)
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import (
    CONTENT,
    Fields,
    embedded,
    fold,
    guid,
    name,
    native,
    obj,
    state_hash,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

PROVIDER = "entra"

_TEXT_READ = 4_096
_QUOTED = re.compile(
    r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b"
    r"|19:[A-Za-z0-9_-]{8,128}@thread\.(?:v2|tacv2|skype)"
)
_TYPES = {
    "user": ("human", "user"), "useridentity": ("human", "user"), "auditinguseridentity": ("human", "user"),
    "serviceprincipal": ("app", "service_principal"), "serviceprincipalidentity": ("app", "service_principal"),
    "application": ("app", "service_principal"), "group": ("group", None), "foreigngroup": ("group", None),
    "groupmembers": ("group", None), "msi": ("workload", "managed_identity"),
    "managedidentity": ("workload", "managed_identity"),
    "agentidentity": ("ai_agent", "agent_identity"), "agentuser": ("ai_agent", "agent_user"),
    "agentidentityblueprintprincipal": ("ai_agent", "agent_blueprint_principal"),
}
_CLASSES = {"human": "human", "app": "workload", "workload": "workload", "ai_agent": "ai_agent", "group": "group"}
_AUTHORITIES = {"human": "self", "workload": "own_identity", "ai_agent": "own_identity"}


def known(texts: str, others: str = "") -> dict[str, str]:
    """What a loader states as known keys: those that hold text, and those that hold anything."""
    return {**dict.fromkeys(others.split(), ""), **dict.fromkeys(("_origin", "log"), ""),
            **dict.fromkeys(texts.split(), "string")}


class Who(NamedTuple):
    """A principal a record names; ``id`` None where it names nobody."""

    id: str | None
    kind: str = "unknown"
    basis: str | None = None

    @property
    def agent_class(self) -> str:
        return _CLASSES.get(self.kind, "unknown")

    def acting(self) -> dict[str, Any]:
        """The cells of a decision step that say who acted."""
        if self.id is None:
            return {}
        return {"actor_id": self.id, "actor_class": self.agent_class, "actor_class_basis": self.basis,
                "authority_mode": _AUTHORITIES.get(self.agent_class, "unknown")}


NOBODY = Who(None)


def opened(fields: Mapping[str, Any]) -> Fields:
    """The record with folded keys, out of a test-suite envelope where it is in one."""
    row = fold(fields)
    log = embedded(row.get("log"))
    return fold(log) if isinstance(log, dict) and "_origin" in row else row


def first_of(sample: Sample) -> Fields:
    """The first record of a file, folded, out of a page on the first line; empty when there is none."""
    row = opened(sample.first or {})
    for key in ("value", "records"):
        inner = row.get(key)
        if isinstance(inner, list) and sample.wrapper == "lines":
            return next((opened(item) for item in inner if isinstance(item, dict)), {})
    return row


def keys_of(sample: Sample) -> frozenset[str]:
    """The folded keys of the first record, of a CSV's header, or of a head too short for one record."""
    return csv_columns(sample) or frozenset(first_of(sample)) or head_keys(sample)


def raw_chunks(document: Document) -> Iterator[Chunk]:
    """The records of a document in any packing: CSV rows, pages on lines, JSON."""
    sample = document.sample
    if csv_columns(sample):
        return row_chunks(document)
    if sample.wrapper == "lines" and is_page(sample.first):
        return page_chunks(document)
    return json_or_array_chunks(document)


def odata_type(fields: Fields) -> str:
    """The entity's type without its namespace, folded; empty when not stated."""
    return (text(fields.get("@odata.type")) or "").rsplit(".", 1)[-1].lstrip("#").lower()


def identity(tenant: str | None, value: object) -> str | None:
    """The identity id of a principal; None for nobody, which logs also write as an all-zero GUID."""
    found = native(name(value))
    return identity_id(PROVIDER, tenant, found) if found else None


def seen(entry: Entry, native_id: object, sort: str = "", label: object = None, upn: object = None,
         basis: str | None = None) -> Who:
    """A principal named by a record, noted as seen; ``sort`` is its type as the record states it."""
    found = identity(entry.tenant, native_id)
    if found is None:
        return NOBODY
    kind, subkind = _TYPES.get(sort.lower(), ("unknown", None))
    evidence = f"{basis or 'type'} {sort}" if kind != "unknown" else None
    login = name(upn)
    login = login.lower() if login and "@" in login else None
    alt = {("object_id", guid(name(native_id))), ("upn", login), ("login", login)}
    entry.add(tables.IDENTITY_FACTS, provider=PROVIDER, id=found, kind=kind, subkind=subkind,
              display_name=name(label) or login, basis="seen", kind_basis=evidence,
              alt_ids=[{"kind": k, "value": v} for k, v in sorted((k, v) for k, v in alt if v)])
    return Who(found, kind, evidence)


def principal(entry: Entry, value: object, sort: str = "", basis: str | None = None) -> Who:
    """The principal in an expanded object (id, displayName, userPrincipalName), noted as seen."""
    held = obj(value)
    stated = odata_type(held) or (text(held.get("type")) or "").lower() or sort
    return seen(entry, held.get("id") or held.get("objectid"), stated, held.get("displayname"),
                held.get("userprincipalname") or held.get("principalname") or held.get("email"), basis)


def identity_set(entry: Entry, value: object, basis: str) -> Who:
    """The one named in an identity set: its user, else its application."""
    held = obj(value)
    for sort in ("user", "application", "serviceprincipal"):
        inner = obj(held.get(sort))
        if name(inner.get("id")):
            return principal(entry, inner, sort, basis)
    return principal(entry, held, "", basis) if name(held.get("id")) else NOBODY


def when(value: object) -> datetime | None:
    """A time at which something stands or ends, or None for one that is not stated or not plausible; for the time of
    a step ``parse_time`` is right: a record that states an impossible one is refused as a whole."""
    found = parse_time(value)
    return found if found is not None and 2000 <= found.year < 2090 else None


def quoted(*written: object) -> list[str]:
    """Ticket and conversation keys in what somebody wrote: hints, never proof; the text is not kept."""
    return sorted({key for value in written for key in _QUOTED.findall((text(value) or "")[:_TEXT_READ])})


def tickets(fields: Fields) -> dict[str, list[str]]:
    """The cells of a request's keys: its ticket where the field for it holds one, and what the reason quotes."""
    number = text(obj(fields.get("ticketinfo")).get("ticketnumber")) or text(fields.get("ticketnumber"))
    found = stated(ticket=number)
    return {"stated_keys": found, "quoted_keys": quoted(fields.get("justification"), None if found else number)}


def reason_given(fields: Fields) -> bool | None:
    """Whether a reason stands in the record; None where it has no such field."""
    return text(fields["justification"]) is not None if "justification" in fields else None


def end_of(schedule: object) -> datetime | None:
    """The end a schedule states: a date, or a start with an ISO duration in hours, minutes or days."""
    held = obj(schedule)
    expiration = obj(held.get("expiration"))
    fixed = when(expiration.get("enddatetime"))
    start = when(held.get("startdatetime"))
    span = duration(expiration.get("duration"))
    if fixed is not None or start is None or span is None:
        return fixed
    return start + span


_DURATION = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")


def duration(value: object) -> timedelta | None:
    """An ISO duration of days, hours, minutes and seconds; None for anything else."""
    found = _DURATION.fullmatch(text(value) or "")
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def revision(native_id: str | None, kind: str, row: Fields) -> str:
    """The id of a record that says how an object stood when it was exported: kind, id and a hash of what is said.

    The same object exported again, unchanged, is the same record; changed, it is another, and neither is lost.
    """
    return f"{kind}/{native_id or ''}#{state_hash(_plain(row), CONTENT) or ''}"


def _plain(value: object) -> object:
    """A value as CSV and JSON, in any case of keys, write it alike: texts, without what states nothing."""
    found = embedded(value)
    if isinstance(found, dict):
        held = {key: _plain(item) for key, item in fold(found).items() if "@" not in key and not key.startswith("p_")}
        return {key: item for key, item in held.items() if item not in (None, "", [], {})}
    if isinstance(found, list):
        return [_plain(item) for item in found]
    said = text(found)
    return said.lower() if said in ("True", "False") else said


def without_annotations(row: Fields) -> Fields:
    """The record without the annotations OData puts beside its properties."""
    return {key: held for key, held in row.items() if "@" not in key}


def keep_new(entry: Entry, known_keys: Mapping[str, str], row: Fields, kind: str, native_id: str | None) -> None:
    """Keys of a record that no row of it has a place for: a resource that is this record, only where there are any."""
    left = entry.leftovers(known_keys, without_annotations(row))
    if left is not None:
        entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"{kind}/{native_id or entry.record_id}"),
                  kind=kind, unmapped=left)
