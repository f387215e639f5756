"""What loaders of one-event-a-record audit logs share: unpacking, who acted, and the rows an event becomes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders.common.packings import json_or_array_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.secrets import cleaned
from lineage_analytics.loaders.common.spread import spread
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import CONTENT, Fields, embedded, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

ENVELOPES = ("log", "result", "_raw", "_source", "message")
"""Where pipelines and search exports put the record: a test suite, Splunk (text in ``_raw``), Elastic."""

_TEXT_READ = 4_096
_QUOTED = re.compile(
    r"\b(?:CHG|INC|RITM|REQ|SCTASK|TASK|PRB|CTASK)[0-9]{4,12}\b|\b[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}\b")
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_LISTED = re.compile(r"(.*?)[\[.]?(\d{1,3})\]?")
_CLASSES = {"human": "human", "app": "workload", "workload": "workload", "service_account": "workload",
            "api_key": "workload", "ai_agent": "ai_agent", "ai_assistant": "ai_instance", "group": "group"}


class Who(NamedTuple):
    """A principal as a record names it. ``id`` None: the record names nobody."""

    id: str | None
    kind: str = "unknown"
    basis: str | None = None
    label: str | None = None
    alt: tuple[tuple[str, str], ...] = ()
    subkind: str | None = None
    automation: bool = False
    owner: str | None = None

    @property
    def agent_class(self) -> str:
        return "automation" if self.automation else _CLASSES.get(self.kind, "unknown")


NOBODY = Who(None)


class Event(NamedTuple):
    """What the steps of one record have in common."""

    time: datetime | None
    operation: str
    outcome: str
    actor: Who
    event_id: str | None
    correlation: str | None = None
    on_behalf_of: str | None = None
    via: str | None = None
    request: str | None = None
    """The id the provider gave the request, by which the caller knows it too."""
    session: str | None = None
    """The token or the run of an agent that the call came from."""

    @property
    def failed(self) -> bool:
        return self.outcome in ("failure", "denied")

    @property
    def authority(self) -> str:
        if self.on_behalf_of is not None and self.actor.kind != "human":
            return "obo_user"
        if self.via is not None:
            return "obo_user"
        if self.actor.agent_class == "human":
            return "self"
        return "unknown" if self.actor.agent_class in ("unknown", "group") else "own_identity"


def step(entry: Entry, event: Event, part: str, kind: str = "action", *, verb: str | None = None,
         target: str | None = None, **cells: Any) -> None:
    """A decision step of the event. An action that failed is an attempt; effect and target where both are known."""
    keys = sorted({*cells.pop("stated_keys", ()), *stated(request=event.request, session=event.session)})
    status = "failed" if event.failed else "unknown" if event.outcome == "unknown" else "succeeded"
    entry.step(part, **{
        "kind": "attempt" if event.failed and kind in ("action", "rollback") else kind, "time": event.time,
        "operation": event.operation, "status": status, "actor_id": event.actor.id,
        "actor_class": event.actor.agent_class, "actor_class_basis": event.actor.basis,
        "on_behalf_of_id": event.on_behalf_of, "via_assistant_id": event.via, "authority_mode": event.authority,
        "target_key": target, "effect_key": f"{verb}({target})" if verb and target else None,
        "correlation_id": event.correlation, "event_id": event.event_id, "stated_keys": keys,
        "title": " ".join(part for part in (event.operation, _short(target)) if part), **cells})


def _short(target: str | None) -> str | None:
    return target.split(":", 2)[-1] if target else None


def seen(entry: Entry, who: Who, **cells: Any) -> None:
    """An identity as a log names it; nothing when the record names nobody."""
    if who.id is not None:
        owner = [{"id": who.owner, "basis": "owner"}] if who.owner else None
        entry.add(tables.IDENTITY_FACTS, **{
            "id": who.id, "kind": who.kind, "kind_basis": who.basis, "subkind": who.subkind,
            "display_name": who.label, "basis": "seen", "owner": owner,
            "alt_ids": [{"kind": kind, "value": value} for kind, value in sorted(set(who.alt)) if value], **cells})


def quoted(*texts: str | None) -> list[str]:
    """Ticket keys in free text: hints that anybody may write, never proof."""
    return sorted({key for held in texts if held for key in _QUOTED.findall(held[:_TEXT_READ])})


def code(value: str | None) -> str | None:
    """An error code; None for a sentence, which may hold what somebody wrote."""
    return value if value is not None and _CODE.fullmatch(value) else None


def delta(value: Mapping[str, Any]) -> str | None:
    """What changed as JSON text, without secrets and written text; None when nothing is stated."""
    held = {key: found for key, found in value.items() if found not in (None, "", [], {})}
    return msgspec.json.encode(cleaned(held, CONTENT), order="sorted").decode() if held else None


def unwrapped(record: Mapping[str, Any], *keys: str, depth: int = 3) -> Fields:
    """The record inside envelopes such as ``{"_origin": ..., "log": {...}}``, keys folded; ``keys`` name them."""
    held = fold(record)
    for _ in range(depth):
        inner = next((found for key in keys if isinstance(found := embedded(held.get(key)), dict)), None)
        if inner is None:
            break
        held = fold(inner)
    return held


def nested(row: Mapping[str, Any], *, squeeze: bool = False) -> Fields:
    """Flattened columns as objects: ``actor.id`` and ``target0.id`` become ``{"actor": {...}, "target": [{...}]}``.

    ``squeeze`` also takes underscores out of names. Empty cells are not stated.
    """
    found: Fields = {}
    lists: dict[str, dict[int, Fields]] = {}
    for name, value in row.items():
        if value in (None, ""):
            continue
        key = name.strip().lower()
        head, _, rest = (key.replace("_", "") if squeeze else key).partition(".")
        if not rest:
            found.setdefault(head, value)
            continue
        numbered = _LISTED.fullmatch(head)
        first, _, after = rest.partition(".")
        if numbered is None and after and first.isdigit():
            numbered, rest = _LISTED.fullmatch(f"{head}.{first}"), after
        place = (found.setdefault(head, {}) if numbered is None
                 else lists.setdefault(numbered[1], {}).setdefault(int(numbered[2]), {}))
        _put(place, rest.split("."), value)
    for head, items in lists.items():
        found.setdefault(head, [items[at] for at in sorted(items)])
    return found


def _put(place: object, path: Sequence[str], value: object) -> None:
    for part in path[:-1]:
        if not isinstance(place, dict):
            return
        place = place.setdefault(part, {})
    if isinstance(place, dict):
        place.setdefault(path[-1], value)


def listed(record: Mapping[str, Any] | None, *paths: str) -> list[Any] | None:
    """The list of records a page holds under the first of the dotted paths that leads to one."""
    for path in paths:
        held: object = record
        for part in path.split("."):
            held = embedded(fold(held).get(part)) if isinstance(held, dict) else None
        if isinstance(held, list) and all(isinstance(item, dict) for item in held):
            return held
    return None


def page_records(document: Document, *paths: str) -> Iterator[Chunk]:
    """Records out of pages or deliveries, each an object with a list under one of the dotted paths.

    What an outer object says of all its records is passed on with each of them under ``_page``.
    """
    def inside(raw: bytes | msgspec.Raw) -> list[bytes | msgspec.Raw]:
        page = decode_object(raw)
        held = listed(page, *paths)
        if page is None or held is None:
            return [raw]
        around = {key: value for key, value in page.items() if isinstance(value, str)}
        return [msgspec.json.encode({**item, "_page": around}) for item in held]

    return spread(json_or_array_chunks(document), inside)


def is_lines_of_pages(sample: Sample, *paths: str) -> bool:
    """Whether the records stand in pages the common unwrapping does not open."""
    return listed(sample.first, *paths) is not None


def with_holders(found: Mapping[str, pl.LazyFrame], provider: str) -> dict[str, pl.LazyFrame]:
    """The tables with the holder of every credential that one record names and another, its revocation, does not."""
    if "credentials" not in found:
        return dict(found)
    known = pl.col("identity_id").drop_nulls().min().over("provider", "tenant", "credential_id")
    holder = pl.when(pl.col("provider") == provider).then(pl.coalesce("identity_id", known)).otherwise("identity_id")
    return {**found, "credentials": found["credentials"].with_columns(identity_id=holder)}
