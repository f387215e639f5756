"""A batch out of records that are read one at a time: what every loader without a fast path of its own is made of.

    def transform(chunk, document):
        return assemble(chunk, document, SOURCE, read)

    def read(entry):                                     # once per raw record
        entry.identify(PROVIDER, tenant, native_id)      # or raise RecordFault(reason, detail)
        entry.add(tables.ACTIVITY, time=entry.time(entry.fields.get("published"), "published"), action=...)
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders.common import origin, secrets
from lineage_analytics.loaders.common.contract import Batch, Fault
from lineage_analytics.loaders.common.ids import derived_id, record_id
from lineage_analytics.loaders.common.leftovers import Drift, changed_types, unmapped
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.sequences import Counted
from lineage_analytics.loaders.common.times import implausible, parse_time
from lineage_analytics.loaders.common.values import synthetic_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Chunk, Document
    from lineage_analytics.loaders.common.leftovers import Known

Row = dict[str, Any]


class RecordFault(ValueError):  # noqa: N818  (what a loader says of a record, named as what it becomes)
    """A record that is not used: a reason code, a sentence without values that could be secret, a disposition."""

    def __init__(self, reason: str, detail: str, disposition: str = "quarantined") -> None:
        super().__init__(detail)
        self.reason, self.detail, self.disposition = reason, detail, disposition


class Entry:
    """One raw record while a loader reads it, and the rows it becomes.

    ``fields`` is the decoded object, ``tag`` and ``context`` what the extraction said of it, ``record_id`` known from
    ``identify`` on; ``counted`` takes the number with which its provider counts it, whatever becomes of the record.
    """

    __slots__ = ("_source", "_where", "context", "counted", "drift", "fields", "position", "provider", "record_id",
                 "rows", "tag", "tenant")

    def __init__(
        self, source: str, where: Row, position: int, fields: Row, tag: str, context: Mapping[str, Any],
        counted: Counted,
    ) -> None:
        self._source, self._where = source, where
        self.position, self.fields, self.tag, self.context = position, fields, tag, context
        self.counted = counted
        self.provider: str | None = None
        self.tenant: str | None = None
        self.record_id = ""
        self.rows: list[tuple[tables.Table, Row]] = []
        self.drift: list[Drift] = []

    def identify(self, provider: str, tenant: str | None, native_id: str | None, *, within: str | None = None) -> str:
        """Whose record it is and its id; without a native id the content stands for it. Gives the record id.

        ``within`` replaces the tenant in the record id where exports of one record differ in naming the tenant.
        """
        self.provider, self.tenant = provider, tenant
        native = native_id or synthetic_id(provider, self.fields)
        self.record_id = record_id(provider, tenant if within is None else within, native)
        return self.record_id

    def time(self, value: object, key: str) -> datetime:
        """The value as time; RecordFault ``no_time`` or ``implausible_time`` when it is none between 2000 and 2089."""
        found = parse_time(value)
        if found is None:
            raise RecordFault("no_time", f"{key} is missing or not a time")
        _wanted_plausible(key, found)
        return found

    def moment(self, value: object, key: str) -> datetime | None:
        """As ``time`` for an event; None where the record states no time: it is kept, and of no day."""
        return None if value is None or value == "" else self.time(value, key)

    def leftovers(self, known: Known, fields: Mapping[str, Any] | None = None) -> str | None:
        """The ``unmapped`` text of the record's unknown keys; notes known keys that changed their type."""
        held = self.fields if fields is None else fields
        self.drift += changed_types(held, known, self.position)
        return unmapped(held, known)

    def unknown_type(self, name: str) -> None:
        """Note a type of record for which the loader has no rule."""
        self.drift.append(Drift(self.position, "record_type", name))

    def add(self, table: tables.Table, **cells: Any) -> None:
        """A row of the table; provider, tenant, source, record id and place are filled in unless given.

        A record of which any row lies at a time that no event can have is refused as ``implausible_time``.
        """
        _wanted_plausible("a time of the record", cells.get("time"), cells.get("observed_time"))
        odd = cells.keys() - table.schema.keys()
        if odd:
            raise KeyError(f"table {table.name} has no column {sorted(odd)}")
        self.rows.append((table, cells))

    def step(self, part: str, **cells: Any) -> None:
        """A row of DECISION_STEPS; ``part`` tells the steps of one record apart (``action``, ``approval`` ...)."""
        self.add(tables.DECISION_STEPS, **{
            "step_id": derived_id("step", self.record_id, part), "quoted_keys": [], "stated_keys": [],
            "status": "succeeded", "actor_class": "unknown", "authority_mode": "unknown", **cells})

    def finished(self) -> list[tuple[tables.Table, Row]]:
        if not self.record_id:
            raise LookupError("a loader read a record without identifying it")
        origin = {"provider": self.provider, "tenant": self.tenant, "source": self._source,
                  "record_id": self.record_id, "raw_ref": {**self._where, "offset": self.position}}
        return [(table, {**{k: v for k, v in origin.items() if k in table.schema}, **cells})
                for table, cells in self.rows]


def _wanted_plausible(key: str, when: datetime | None, received: datetime | None = None) -> None:
    why = implausible(when, received)
    if why is not None:
        raise RecordFault("implausible_time", f"{key} {why}")


def assemble(chunk: Chunk, document: Document, source: str, read: Callable[[Entry], None]) -> Batch:
    """The batch of a chunk: ``read`` gets every raw record as an Entry and adds its rows, or raises RecordFault."""
    where = {"file_sha256": document.file_sha256, "member": document.member}
    owner = origin.owner_of(document)
    ids: list[str] = []
    faults, drift, counted = list(chunk.faults), list[Drift](), Counted()
    rows: dict[str, list[Row]] = {}
    for (position, raw), tag in zip(chunk.placed(), chunk.tags or repeat("")):  # noqa: B905  (tags may be endless)
        fields = decode_object(raw)
        if fields is None:
            faults.append(Fault(position, "broken_json", "not a JSON object in valid UTF-8"))
            continue
        entry = Entry(source, where, position, fields, tag, chunk.context, counted)
        try:
            read(entry)
            if owner is not None and owner.contradicts(entry.provider, entry.tenant):
                raise RecordFault(origin.REASON, origin.why(entry.tenant, owner.tenant))
            finished = entry.finished()
        except RecordFault as odd:
            faults.append(Fault(position, odd.reason, odd.detail, odd.disposition))
            continue
        except RecursionError:
            faults.append(Fault(position, "too_deep", "values nested too deeply"))
            continue
        ids.append(entry.record_id)
        drift += entry.drift
        for table, row in finished:
            rows.setdefault(table.name, []).append(row)
    frames = {name: _frame(tables.ALL[name], found) for name, found in sorted(rows.items())}
    return Batch(pl.Series("record_id", ids, dtype=pl.String), frames, faults, drift,
                 counted.rows(source, document.file_sha256))


def _frame(table: tables.Table, rows: list[Row]) -> pl.DataFrame:
    if table is tables.IDENTITY_FACTS:
        rows = _statements(rows)
    frame = pl.DataFrame(rows, schema=table.schema, orient="row")
    return frame.with_columns(pl.col(pl.String).str.replace_all(secrets.SHAPES, secrets.MARKER))


def _statements(rows: list[Row]) -> list[Row]:
    """Of identities seen in logs one row per distinct statement, under the smallest record id that makes it."""
    listed = [row for row in rows if row.get("basis") != "seen"]
    best: dict[str, Row] = {}
    for row in rows:
        if row.get("basis") == "seen":
            key = repr([(k, row[k]) for k in sorted(row) if k not in ("record_id", "raw_ref")])
            if key not in best or row["record_id"] < best[key]["record_id"]:
                best[key] = {**row, "raw_ref": None}
    return listed + [best[key] for key in sorted(best)]
