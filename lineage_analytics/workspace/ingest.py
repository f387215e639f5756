"""Files in, canonical tables out: every byte counted as accepted, duplicate, quarantined or rejected."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from lineage_analytics import tables
from lineage_analytics.errors import LimitError
from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.containers import Member, members
from lineage_analytics.loaders.common.contract import Batch, Fault
from lineage_analytics.loaders.common.inputs import InputFile, Skipped
from lineage_analytics.loaders.common.places import existing, input_files
from lineage_analytics.text import printable
from lineage_analytics.workspace import integrity, rollup
from lineage_analytics.workspace.drifted import Drifted
from lineage_analytics.workspace.seen import Seen, fingerprints
from lineage_analytics.workspace.strays import Found, Strays

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from lineage_analytics.loaders.common.contract import Chunk, Loader, Match
    from lineage_analytics.workspace.store import Store

UNRECOGNISED = "unrecognised"
# What is held in memory is bounded by the first, how often a load becomes visible by the second.
BUFFER_BYTES = 1 << 19
COMMIT_BYTES = 64 << 20
_ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, LimitError,
        pl.exceptions.PolarsError)


@dataclass
class Count:
    """What became of the records of one source; seen is always the sum of the other four."""

    source: str
    files: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    rejected: int = 0
    first: datetime | None = None
    last: datetime | None = None
    truncated: bool = False
    shape: str = ""

    @property
    def seen(self) -> int:
        return self.accepted + self.duplicate + self.quarantined + self.rejected

    def shaped(self, shape: str) -> None:
        """Note the shape of a member; an archive may hold several."""
        self.shape = "+".join(sorted({*filter(None, self.shape.split("+")), shape}))

    def span(self, first: datetime | None, last: datetime | None) -> None:
        self.first = min((t for t in (self.first, first) if t is not None), default=None)
        self.last = max((t for t in (self.last, last) if t is not None), default=None)

    def add(self, other: Count) -> None:
        self.files += other.files
        for name in ("accepted", "duplicate", "quarantined", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.span(other.first, other.last)

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source, "files": self.files, "seen": self.seen, "accepted": self.accepted,
            "duplicate": self.duplicate, "quarantined": self.quarantined, "rejected": self.rejected,
            "first": _stamp(self.first), "last": _stamp(self.last),
        }


def _stamp(time: datetime | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


@dataclass
class Result:
    """Counts of one ingest by source, what was skipped by name, and the faults of this call."""

    counts: dict[str, Count] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)

    def count(self, source: str) -> Count:
        return self.counts.setdefault(source, Count(source))

    @property
    def degraded(self) -> bool:
        return any(c.quarantined or c.rejected for c in self.counts.values())

    @property
    def sources(self) -> list[dict[str, Any]]:
        return [self.counts[name].as_dict() for name in sorted(self.counts)]


Progress = Callable[[InputFile, int, int], None]


def load(paths: Iterable[Path | str], store: Store, progress: Progress | None = None) -> Result:
    """Load every file under the paths, globs and addresses into the workspace. The same bytes or records again change
    nothing.

    Raises
    ------
    UsageError : a path that does not exist, an address that cannot be read.
    """
    given = [found for path in paths for found in existing(path)]
    result = Result()
    entries = list(input_files(given))
    result.skipped = [entry for entry in entries if isinstance(entry, Skipped)]
    files = [entry for entry in entries if isinstance(entry, InputFile)]
    load = _Load(store, result)
    with _no_collector():
        for number, file in enumerate(files):
            if progress is not None:
                progress(file, number, len(files))
            load.file(file)
        load.finish(files)
    return result


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the search for cycles: records come and go by the thousand, and reference counts free them all."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Load:
    """One ingest: buffers canonical rows, writes a table when much of it is held, and commits in large pieces."""

    def __init__(self, store: Store, result: Result) -> None:
        self._store, self._result = store, result
        self._seen = Seen(store)
        self._buffer: dict[str, list[pl.DataFrame]] = {}
        self._held: dict[str, int] = {}
        self._uncommitted = 0
        self._faults: list[dict[str, Any]] = []
        self._alike: dict[tuple[str, str, str | None, str, str, str], dict[str, Any]] = {}
        ledger = store.scan("ledger").collect()
        self._ledger = ledger.partition_by("file_sha256", as_dict=True) if ledger.height else {}

    def file(self, file: InputFile) -> None:
        digest = file.sha256()
        known = self._ledger.get((digest,))
        if known is not None:
            self._repeat(file, known)
            return
        counts: dict[str, Count] = {}
        for member in members(file, digest):
            if isinstance(member, Skipped):
                self._unused(counts, file.name, None, digest, Fault(None, "unreadable", member.reason, "rejected"),
                             UNRECOGNISED)
            else:
                self._member(member, counts)
        self._book(file, digest, counts)

    def _repeat(self, file: InputFile, known: pl.DataFrame) -> None:
        """The same bytes as before: their good records are duplicates, the rest stays what it was."""
        for row in known.iter_rows(named=True):
            count = Count(row["source"], files=1, duplicate=row["accepted"] + row["duplicate"],
                          quarantined=row["quarantined"], rejected=row["rejected"])
            count.span(row["first"], row["last"])
            self._result.count(row["source"]).add(count)
            if row["quarantined"] or row["rejected"]:
                self._result.faults.append({
                    "source": row["source"], "file": printable(file.name), "member": None, "position": None,
                    "disposition": "quarantined" if row["quarantined"] else "rejected", "reason": "known_bytes",
                    "detail": f"same bytes as {row['file']}, listed when that was first loaded",
                    "records": row["quarantined"] + row["rejected"], "file_sha256": row["file_sha256"],
                })

    def _member(self, member: Member, counts: dict[str, Count]) -> None:
        found = recognise(member.sample)
        if found is None:
            self._unused(counts, member.file, member.member, member.file_sha256,
                         Fault(None, "unrecognised", _why_unrecognised(member), "rejected"), UNRECOGNISED)
            return
        source, match = found
        strays = Strays(source)
        for other in self._document(source, match, member, counts, strays):
            self._strayed(other, member, counts)

    def _document(self, source: str, match: Match, member: Member, counts: dict[str, Count], strays: Strays
                  ) -> Iterator[Found]:
        """Keep what the loader takes; gives what other loaders do."""
        loader, drifted = loaders()[source], Drifted(source)
        member.shape = match.shape
        count = counts.setdefault(source, Count(source))
        count.shaped(match.shape)
        for chunk, batch in self._read(loader, member, count):
            yield from strays.sort_out(chunk, batch)
            self._take(batch, member, count, drifted)
        yield from strays.rest()
        self._keep("drift", drifted.rows(member))

    def _strayed(self, found: Found, member: Member, counts: dict[str, Count]) -> None:
        """Records of another source than the document's, as a document of their own."""
        inside, loader, drifted = found.member(member), loaders()[found.source], Drifted(found.source)
        match = loader.detect(inside.sample)
        inside.shape = match.shape if match is not None else ""
        count = counts.setdefault(found.source, Count(found.source))
        count.shaped(inside.shape)
        for _, batch in self._read(loader, inside, count):
            self._take(found.placed(batch), inside, count, drifted)
        self._keep("drift", drifted.rows(inside))

    def _take(self, batch: Batch, member: Member, count: Count, drifted: Drifted) -> None:
        drifted.note(batch)
        if batch.sequences is not None:
            self._keep("sequences", batch.sequences)
        drifted.revised(self._store_batch(batch, member, count))

    def _read(self, loader: Loader, member: Member, count: Count) -> Iterator[tuple[Chunk, Batch]]:
        """The batches of a member. One odd file costs the others nothing; a failure to store is not its fault."""
        try:
            for chunk in loader.extract(member):
                count.truncated |= chunk.truncated
                for batch in _batches(loader, chunk, member):
                    yield chunk, batch
        except _ODD as error:
            detail = error.found if isinstance(error, LimitError) else f"the loader stopped: {type(error).__name__}"
            self._note(count, Fault(None, "unreadable", detail), member)

    def _store_batch(self, batch: Batch, member: Member, count: Count) -> list[int]:
        """Keep what is new; the places of records that say something else than one of the same native id."""
        found = self._seen.sort_out(batch.record_ids, _contents(batch))
        kept = found.fresh | found.other
        accepted = int(kept.sum())
        count.accepted += accepted
        count.duplicate += len(batch.record_ids) - accepted
        for fault in batch.faults:
            self._note(count, fault, member)
        if not accepted:
            return []
        frames = batch.frames
        if accepted < len(batch.record_ids):
            frames = _placed(frames, kept) if found.other.any() and _is_an_event_each(batch) else _only(
                frames, batch.record_ids.filter(pl.Series(kept)))
        activity = frames.get("activity")
        if activity is not None and activity.height:
            times = activity["time"]
            count.span(cast("datetime", times.min()), cast("datetime", times.max()))
        for name, frame in frames.items():
            self._keep(name, frame)
        return _offsets(batch, found.revised) if found.revised.any() else []

    def _note(self, count: Count, fault: Fault, member: Member) -> None:
        self._fault(count, fault, member.file, member.member, member.file_sha256)

    def _unused(
        self, counts: dict[str, Count], file: str, member: str | None, digest: str, fault: Fault, source: str
    ) -> None:
        self._fault(counts.setdefault(source, Count(source)), fault, file, member, digest)

    def _fault(self, count: Count, fault: Fault, file: str, member: str | None, digest: str) -> None:
        """Book a fault; of records that are not for us and alike in their reason, one row with how many they are."""
        setattr(count, fault.disposition, getattr(count, fault.disposition) + 1)
        alike = (count.source, file, member, fault.reason, fault.detail, digest)
        if fault.disposition == "rejected" and (row := self._alike.get(alike)) is not None:
            row["records"] += 1
            return
        row = {
            "source": count.source, "file": printable(file), "member": member and printable(member),
            "position": fault.position, "disposition": fault.disposition, "reason": fault.reason,
            "detail": printable(fault.detail), "records": 1, "file_sha256": digest,
        }
        self._result.faults.append(row)
        self._faults.append(row)
        if fault.disposition == "rejected":
            self._alike[alike] = row

    def _book_faults(self) -> None:
        if self._faults:
            self._keep("quarantine", pl.DataFrame(self._faults, schema=tables.QUARANTINE.schema))
        self._faults, self._alike = [], {}

    def _book(self, file: InputFile, digest: str, counts: dict[str, Count]) -> None:
        self._book_faults()
        rows = []
        for source, count in counts.items():
            count.files = 1
            self._result.count(source).add(count)
            rows.append({
                "file_sha256": digest, "file": printable(file.name), "bytes": file.size, "source": source,
                "shape": count.shape, "seen": count.seen, "accepted": count.accepted, "duplicate": count.duplicate,
                "quarantined": count.quarantined, "rejected": count.rejected, "truncated": count.truncated,
                "first": count.first, "last": count.last,
            })
        if rows:
            ledger = pl.DataFrame(rows, schema=tables.LEDGER.schema)
            self._ledger[(digest,)] = ledger
            self._keep("ledger", ledger)
        if self._uncommitted > COMMIT_BYTES:
            self._commit()

    def _keep(self, name: str, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        self._buffer.setdefault(name, []).append(frame)
        size = int(frame.estimated_size())
        self._uncommitted += size
        self._held[name] = self._held.get(name, 0) + size
        if self._held[name] > BUFFER_BYTES:
            self._write(name)

    def _write(self, name: str) -> None:
        """Append what is held of a table; it counts from the next commit."""
        # In one piece: the writer takes three times the memory for many small ones.
        frame = pl.concat(self._buffer.pop(name), rechunk=True)
        self._held.pop(name)
        if name == "activity":
            self._roll_up(frame)
        self._store.append(name, rollup.merged(name, frame))

    def _roll_up(self, activity: pl.DataFrame) -> None:
        self._keep("usage", rollup.usage(activity))
        self._keep("permission_use", rollup.permission_use(activity))
        days = activity.select("time", "source", "tenant", "provider").partition_by("source", as_dict=True)
        for (source,), rows in days.items():
            lateness = loaders()[str(source)].LATENESS
            self._keep("coverage", rollup.coverage(rows, int(lateness.total_seconds())))

    def _commit(self) -> None:
        """All tables, then one step that lets them count."""
        if not self._uncommitted:
            return
        # Activity sorts first and leaves its roll-ups among the rest.
        while self._buffer:
            self._write(min(self._buffer))
        self._seen.save()
        self._store.commit()
        self._uncommitted = 0

    def finish(self, files: Iterable[InputFile]) -> None:
        """Hash what signed digests speak of, and commit."""
        self._commit()
        listed = integrity.listed_names(self._store.scan("resources").select("kind", "display_name").collect())
        if listed:
            known = set(self._store.scan("content_hashes").collect()["file_sha256"])
            for file in files:
                name = file.name.rpartition("/")[2]
                if name in listed and (digest := file.sha256()) not in known:
                    known.add(digest)
                    self._keep("content_hashes", pl.DataFrame(
                        [(name, digest, integrity.content_hash(file))], schema=tables.CONTENT_HASHES.schema,
                        orient="row"))
            self._commit()


def _batches(loader: Loader, chunk: Chunk, member: Member) -> Iterator[Batch]:
    """The batch of a chunk. Where the loader stops at an odd record, that record alone is a fault."""
    try:
        batch = loader.transform(chunk, member)
    except _ODD as error:
        if len(chunk.raws) > 1:
            for half in chunk.halves():
                yield from _batches(loader, half, member)
            return
        if not chunk.raws:
            raise
        [(position, _)] = chunk.placed()
        odd = Fault(position, "unreadable", f"the loader stopped: {type(error).__name__}")
        batch = Batch(pl.Series("record_id", [], dtype=pl.String), {}, [*chunk.faults, odd])
    yield batch


def _is_an_event_each(batch: Batch) -> bool:
    activity = batch.frames.get("activity")
    return activity is not None and activity["record_id"].equals(batch.record_ids)


def _contents(batch: Batch) -> NDArray[np.int64]:
    """Fingerprints of the records that are one event; zero for others, where the record id names the content."""
    activity = batch.frames.get("activity")
    if activity is None or activity.is_empty():
        return np.zeros(len(batch.record_ids), dtype=np.int64)
    if _is_an_event_each(batch):
        return fingerprints(activity)
    single = activity.filter(pl.col("record_id").is_unique())
    told = pl.DataFrame({"record_id": single["record_id"], "content": fingerprints(single)})
    return batch.record_ids.to_frame("record_id").join(
        told, on="record_id", how="left", maintain_order="left")["content"].fill_null(0).to_numpy()


def _offsets(batch: Batch, revised: NDArray[np.bool_]) -> list[int]:
    """Where the revised records stand in their document."""
    activity = batch.frames["activity"]
    chosen = pl.Series(revised) if _is_an_event_each(batch) else pl.col("record_id").is_in(
        batch.record_ids.filter(pl.Series(revised)).implode())
    return activity.filter(chosen)["raw_ref"].struct.field("offset").to_list()


def _placed(frames: dict[str, pl.DataFrame], kept: NDArray[np.bool_]) -> dict[str, pl.DataFrame]:
    """The rows of the records at these places of ``activity``: of a batch in which two records share an id, by where
    each stood."""
    chosen = frames["activity"].filter(pl.Series(kept))
    offsets, ids = chosen["raw_ref"].struct.field("offset").implode(), chosen["record_id"].implode()
    place = pl.col("raw_ref").struct.field("offset")
    return {name: frame.filter(place.is_in(offsets) | (place.is_null() & pl.col("record_id").is_in(ids)))
            for name, frame in frames.items()}


def _only(frames: dict[str, pl.DataFrame], record_ids: pl.Series) -> dict[str, pl.DataFrame]:
    """The rows of these records; a record that stands twice in the chunk keeps the rows of its first place."""
    kept = {}
    for name, frame in frames.items():
        content = ["record_id"] if name == "activity" else [c for c in frame.columns if c != "raw_ref"]
        kept[name] = frame.filter(pl.col("record_id").is_in(record_ids.implode())).unique(
            content, keep="first", maintain_order=True)
    return kept


def _why_unrecognised(member: Member) -> str:
    sample = member.sample
    if member.damage is not None and sample.first is None:
        return member.damage
    if not sample.head.strip():
        return "the file is empty"
    if sample.head.strip() in (b"[]", b"{}"):
        return "it holds no records"
    if sample.columns:
        return "no loader knows a CSV with columns " + ", ".join(sample.columns[:8])
    keys = sorted(sample.first or sample.keys)[:8]
    return f"no loader knows records with keys {', '.join(keys)}" if keys else "neither JSON nor CSV"
