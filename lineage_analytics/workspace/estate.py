"""What an analyst holds: the loaded tables of one workspace, as of one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import identities
from lineage_analytics.errors import NothingAssessableError, UsageError, did_you_mean
from lineage_analytics.facts import Facts
from lineage_analytics.loaders import inventories, settled, superseded
from lineage_analytics.tables import ALL
from lineage_analytics.text import printable
from lineage_analytics.workspace import rollup, sequences
from lineage_analytics.workspace import sources as source_report
from lineage_analytics.workspace.store import Store
from lineage_analytics.workspace.superseded import without

if TYPE_CHECKING:
    from pathlib import Path

_LOADED = ("identity_facts", "credentials", "entitlements", "activity", "assistant_access", "decision_steps",
           "delegations", "resources", "coverage", "sequences", "quarantine", "drift", "content_hashes",
           "ledger", "usage", "permission_use")
_TIMES = {"activity": "time", "usage": "first", "permission_use": "first", "assistant_access": "time",
          "decision_steps": "time", "delegations": "time"}
_ID_COLUMNS = {
    "activity": ("actor_id", "on_behalf_of_id"),
    "usage": ("actor_id",),
    "permission_use": ("actor_id",),
    "credentials": ("identity_id", "held_by_id"),
    "entitlements": ("principal_id", "scope", "granted_by"),
    "assistant_access": ("user_id",),
    "decision_steps": ("actor_id", "initiator_id", "on_behalf_of_id"),
    "delegations": ("principal_id", "delegate_id"),
}


@dataclass(frozen=True)
class Estate(Facts):
    """The canonical tables of a workspace with every id resolved, and the moment and spans a reading is about.

    Each table is an attribute: ``estate.activity`` is a polars LazyFrame with the columns of
    ``lineage_analytics.tables.ACTIVITY``. ``as_of`` is the newest record unless given; it never comes from a clock.
    """

    directory: Path | None = None
    versions: dict[str, int] = field(default_factory=dict)

    def __getattr__(self, name: str) -> pl.LazyFrame:
        if name in ALL:
            return self[name]
        raise AttributeError(f"Estate has no {name!r}. {did_you_mean(name, list(ALL))}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.tables})

    @property
    def counts(self) -> list[dict[str, Any]]:
        """Counts per source over all files ever loaded, as in ``ingest --json``."""
        ledger = self.frame("ledger").group_by("source").agg(
            pl.len().alias("files"), *(pl.col(c).sum() for c in ("seen", "accepted", "duplicate", "quarantined",
                                                               "rejected")),
            pl.col("first").min(), pl.col("last").max(),
        ).sort("source")
        return [
            {**row, "first": _stamp(row["first"]), "last": _stamp(row["last"])} for row in ledger.iter_rows(named=True)
        ]

    @property
    def organisation(self) -> tuple[str, bool]:
        """The organisation the inputs declare (empty: none), and whether they declare themselves made up."""
        declared = self.frame("resources").filter(pl.col("kind") == "organisation").sort("display_name")
        made_up = declared["attributes"].fill_null("").str.contains('"synthetic": ?true').any()
        return ", ".join(declared["display_name"].drop_nulls().unique(maintain_order=True)), bool(made_up)

    @property
    def sources(self) -> pl.DataFrame:
        """Every source and tenant: span, missing days, lateness, expected or not, drift, what digests say of its files;
        columns as ``workspace.sources.SCHEMA``."""
        return source_report.sources(self)

    @property
    def new_in_formats(self) -> pl.DataFrame:
        """Record types, keys and types that loaders do not know, with counts and the first place; see table DRIFT."""
        return source_report.drift(self)

    @property
    def sequence_gaps(self) -> pl.DataFrame:
        """Numbers that a provider gave to records which are in no file; columns: ``workspace.sequences.SCHEMA``."""
        return sequences.sequence_gaps(self)

    def who(self, name: str) -> identities.Who:
        """Every account of the person or workload that an id or a name means, why each joined, and how sure that is.

        Raises
        ------
        UsageError : nobody goes by it; with the nearest names.

        Examples
        --------
        >>> estate.who("ana.silva@northwind.example")  # doctest: +SKIP
        """
        return identities.who(self, name)

    def __repr__(self) -> str:
        lines = ["Synthetic data: no real person, company or account"] if self.organisation[1] else []
        lines += [f"Estate as of {self.as_of:%Y-%m-%d %H:%M} UTC, window {self.window_days} d, look-back "
                 f"{self.lookback_days} d"]
        width = max((len(row["source"]) for row in self.counts), default=0)
        for row in self.counts:
            span = f"{row['first'][:10]} to {row['last'][:10]}" if row["first"] else "no dated records"
            lines.append(f"  {printable(row['source']):<{width}} {row['files']:>6,} files  "
                         f"{row['accepted']:>10,} records  {span}")
            unused = row["quarantined"] + row["rejected"]
            if unused:
                lines.append(f"  {'':<{width}} {unused:,} not used: see estate.quarantine")
        if not self.counts:
            lines.append("  nothing is loaded")
        return "\n".join(lines)


def _stamp(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def open_estate(
    directory: Path, as_of: str | datetime | None = None, window: int = 30, lookback: int = 90, *,
    undated: bool = False,
) -> Estate:
    """The estate of a workspace folder.

    Parameters
    ----------
    as_of : ISO date (its end) or time, UTC when no zone is given; default: the newest record.
    window, lookback : days, 1 to 3660.
    undated : where no record is dated, take the newest date that inventories state of their objects: they are no older
        than that, which is enough to ask who may do what and too little to measure ages by.

    Raises
    ------
    UsageError : no workspace there, or a bad value. NothingAssessableError : nothing was ever loaded.
    """
    for name, days in (("window", window), ("lookback", lookback)):
        if not 1 <= days <= 3660:
            raise UsageError(f"Wanted {name} as 1 to 3660 days", f"found {days}")
    store = Store.open(directory)
    scanned = {name: store.scan(name) for name in _LOADED}
    loaded = settled(without(scanned, superseded(scanned)))
    loaded["usage"] = rollup.merged_usage(loaded["usage"])
    loaded["coverage"] = rollup.merged_coverage(rollup.expectations(loaded["coverage"], inventories()))
    moment = parse_as_of(as_of) or _newest(loaded, undated=undated)
    facts = Facts(loaded, moment, window, lookback)
    resolution = identities.resolve(facts)
    resolved = {
        name: identities.apply_aliases(frame, _ID_COLUMNS[name], resolution.aliases, _TIMES.get(name))
        if name in _ID_COLUMNS else frame
        for name, frame in loaded.items()
    }
    resolved["usage"] = rollup.merged_usage(resolved["usage"])
    resolved["permission_use"] = rollup.merged_permission_use(resolved["permission_use"])
    resolved |= {"identities": resolution.identities.lazy(), "aliases": resolution.aliases.lazy(),
                 "accounts": resolution.accounts.lazy()}
    return Estate(resolved, moment, window, lookback, directory=directory, versions=dict(store.versions()))


def parse_as_of(value: str | datetime | None) -> datetime | None:
    """A moment from an ISO date (its last microsecond) or time; None for None or empty text."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        if len(value) == 10:
            day = datetime.fromisoformat(value).date()
            return datetime.combine(day + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise UsageError("Wanted as-of as an ISO date or time", f"found {printable(value, 60)!r}",
                         "for example 2026-06-30 or 2026-06-30T12:00:00Z") from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


_STATED = {"identity_facts": ("created_at", "last_seen_at"), "credentials": ("created_at", "last_used_at"),
           "entitlements": ("granted_at", "last_used_at")}


def _newest(loaded: dict[str, pl.LazyFrame], *, undated: bool) -> datetime:
    """The newest dated record of any fact table; inventories count by their snapshot."""
    newest = pl.concat([
        loaded["coverage"].filter(pl.col("basis") == "received").select(at=pl.col("last").max()),
        loaded["assistant_access"].select(at=pl.col("time").max()),
        loaded["decision_steps"].select(at=pl.col("time").max()),
        loaded["identity_facts"].select(at=pl.col("snapshot_at").max()),
        loaded["entitlements"].select(at=pl.col("as_of").max()),
    ]).collect()["at"].max()
    if newest is None and undated:
        newest = pl.concat([loaded[name].select(at=pl.col(column).max()) for name, columns in _STATED.items()
                            for column in columns]).collect()["at"].max()
    if isinstance(newest, datetime):
        return newest
    if loaded["ledger"].select(pl.len()).collect().item():
        raise NothingAssessableError("Wanted at least one dated record", "nothing loaded carries a time",
                                     "load a log or an inventory, or give --as-of")
    raise NothingAssessableError("Wanted at least one record", "nothing is loaded", "lineage ingest PATH...")


