"""What every metric reads: the facts, both lineages, and the terms that several metrics share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access import AccessLineage
    from lineage_analytics.graphs.decisions import DecisionLineage

T = TypeVar("T")

NHI_KINDS = ("service_account", "workload", "app", "api_key", "ai_agent", "ai_assistant")
# These record changes and decisions, or use of one service among many: their silence is no sign of an idle account.
CHANGE_LOGS = (
    "entra_audit", "entra_pim", "entra_access_reviews", "entra_entitlement", "entra_risk", "aws_access_analyzer",
    "gcp_recommender", "github_reviews", "servicenow", "jira", "azure_activity", "entra_graph_activity")
VISIBLE_SHARE = 0.9
RECORDS_SHOWN = 20
_REGISTRATIONS = ("application", "agent_blueprint")
_EXCLUSIONS = {
    "provider_managed": "managed by the provider",
    "human_role": "a role that only people assume: an entitlement of theirs",
    "registration": "an application's registration: its service principals are the identities",
}
# Tables in which rows carry the time their inventory was taken.
_SNAPSHOTS = {"identities": "snapshot_at", "entitlements": "as_of", "credentials": "snapshot_at"}


@dataclass(frozen=True)
class Context:
    """Facts and lineages, with the shared terms of the design's section 2 computed once."""

    facts: Facts
    access: AccessLineage
    decisions: DecisionLineage
    _held: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    def has(self, table: str) -> bool:
        """Whether the table holds any row at all."""
        return bool(self.facts[table].head(1).collect().height)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What several metrics share, computed for the first of them; a name stands for one kind of thing."""
        if name not in self._held:
            self._held[name] = compute()
        return cast("T", self._held[name])

    # --- window and provenance ---------------------------------------------------------------------------------

    def start_of(self, kind: str) -> datetime | None:
        """Start of the window for processes; a census has a snapshot instead."""
        return self.facts.window_start if kind in ("process", "context") else None

    def in_window(self, column: str = "time") -> pl.Expr:
        return (pl.col(column) > self.facts.window_start) & (pl.col(column) <= self.facts.as_of)

    def sources(self, names: tuple[str, ...]) -> list[str]:
        """Loaders whose rows stand in these tables."""
        return sorted({source for name in names for source in self._sources_of(name)})

    def _sources_of(self, name: str) -> list[str]:
        key = f"sources:{name}"
        if key not in self._held:
            if name == "identities":
                found = self.identities["sources"].explode().drop_nulls()
            elif name == "steps":
                found = self.decisions.steps["source"].drop_nulls()
            else:
                found = self.facts[name].select(pl.col("source").unique()).collect()["source"].drop_nulls()
            self._held[key] = sorted(set(found))
        held = self._held[key]
        assert isinstance(held, list)  # noqa: S101  (narrows the type)
        return held

    def snapshot_of(self, table: str | None) -> datetime | None:
        """The oldest of the newest inventories per tenant: what a census is as of. Null: none, or not stated."""
        if table is None:
            return None
        column = _SNAPSHOTS[table]
        dated = self.facts.frame(table).filter(pl.col(column).is_not_null() & (pl.col(column) <= self.facts.as_of))
        if "source" in dated.columns:  # what a log says of one credential is no listing of them
            dated = dated.filter(~pl.col("source").is_in(self.received["source"].unique().implode()))
        newest = dated.group_by("provider", "tenant").agg(pl.col(column).max())[column].min()
        return newest if isinstance(newest, datetime) else None

    def snapshot_age(self, table: str | None) -> timedelta | None:
        taken = self.snapshot_of(table)
        return None if taken is None else self.facts.as_of - taken

    # --- identities --------------------------------------------------------------------------------------------

    @cached_property
    def identities(self) -> pl.DataFrame:
        """All identities, sorted; ``excluded`` says in words why one counts in no denominator (null: it counts).

        ``gone`` is that for a snapshot: also what was deleted by then. An actor that was deleted later still acted.
        """
        left = pl.col("excluded_reason")
        gone = pl.col("deleted_at").is_not_null() & (pl.col("deleted_at") <= self.facts.as_of)
        return self.facts.frame("identities").join(self._statements, on="id", how="left").with_columns(
            excluded=pl.when(left.is_not_null()).then(left.replace(_EXCLUSIONS))
            .when(pl.col("kind") == "role").then(pl.lit(_EXCLUSIONS["human_role"]))
            .when(pl.col("subkind").is_in(_REGISTRATIONS)).then(pl.lit(_EXCLUSIONS["registration"])),
            record_ids=pl.coalesce("listed_rows", pl.col("record_ids").fill_null([])).list.head(RECORDS_SHOWN),
            owner_rows=pl.coalesce("owner_rows", "listed_rows", pl.col("record_ids").fill_null([])).list.head(
                RECORDS_SHOWN),
        ).with_columns(
            gone=pl.coalesce("excluded", pl.when(gone).then(pl.lit("deleted"))),
        ).drop("listed_rows").sort("id")

    @cached_property
    def _statements(self) -> pl.DataFrame:
        """Per identity the records that list it (not those that merely name it), and those that state its owner."""
        aliases = self.facts.frame("aliases").group_by("alias").agg(to=pl.col("id").min())
        listing = self.facts["identity_facts"].filter(pl.col("basis") != "seen").select(
            "id", "record_id",
            owned=pl.col("owner").is_not_null() | pl.col("owner_confirmed_at").is_not_null()).collect()
        return listing.join(aliases, left_on="id", right_on="alias", how="left").group_by(
            pl.coalesce("to", "id").alias("id")).agg(
            listed_rows=pl.col("record_id").unique().sort(),
            owner_rows=pl.col("record_id").filter("owned").unique().sort(),
        ).with_columns(owner_rows=pl.when(pl.col("owner_rows").list.len() > 0).then("owner_rows"))

    @cached_property
    def nhis(self) -> pl.DataFrame:
        """Inventoried identities that are neither people nor groups; unknown kinds are excluded, never folded in."""
        return self.identities.filter(
            pl.col("inventoried").fill_null(value=False) & ~pl.col("kind").is_in(["human", "group"])
        ).with_columns(
            gone=pl.when(pl.col("gone").is_null() & ~pl.col("kind").is_in(NHI_KINDS))
            .then(pl.lit("kind unknown")).otherwise(pl.col("gone")))

    @cached_property
    def objects(self) -> pl.DataFrame:
        """``nhis`` as the objects of a population, with their permissions beside them (null where none are known)."""
        return as_objects(self.nhis).join(self.permissions, left_on="object_id", right_on="principal_id", how="left")

    @cached_property
    def permissions(self) -> pl.DataFrame:
        """Permissions per principal; ``grants`` are their records, ``doubt`` says why something is unknown.

        A doubt that begins with a code (``no_source: ...``) is taken apart: ``doubt_code`` and the words.
        """
        code = pl.col("reason").str.extract(r"^([a-z_]+): ")
        return self.access.permissions.with_columns(
            doubt_code=code, doubt=pl.col("reason").str.replace(r"^[a-z_]+: ", ""),
        ).rename({"record_ids": "grants"}).drop("reason").with_columns(
            grants=pl.when(pl.col("grants").list.len() > 0).then("grants"))

    # --- logs --------------------------------------------------------------------------------------------------

    @cached_property
    def received(self) -> pl.DataFrame:
        """Rows per source, tenant and day that were received, up to as_of."""
        return self.facts.frame("coverage").filter(
            (pl.col("basis") == "received") & (pl.col("day") <= self.facts.as_of.date())
        ).group_by("source", "tenant", "provider", "day").agg(
            pl.col("records").sum(), pl.col("record_id").drop_nulls().unique().sort(),
            pl.col("lateness_seconds").max()).sort("source", "tenant", "day", nulls_last=True)

    @cached_property
    def logs_of_use(self) -> pl.DataFrame:
        """Per provider and tenant: how many days its logs of use span up to as_of, and the share received of W and L.

        ``span`` counts days from the first received to the last; ``fresh`` says that the last is at most a week
        before as_of; ``in_lookback`` and ``in_window`` are shares of days.
        """
        today = self.facts.as_of.date()
        lookback, window = (today - timedelta(days=days) for days in (self.facts.lookback_days, self.facts.window_days))
        return self.received.filter(~pl.col("source").is_in(CHANGE_LOGS)).group_by("provider", "tenant").agg(
            span=(pl.col("day").max() - pl.col("day").min()).dt.total_days() + 1,
            fresh=pl.col("day").max() >= today - timedelta(days=7),
            in_lookback=pl.col("day").filter(pl.col("day") > lookback).n_unique() / self.facts.lookback_days,
            in_window=pl.col("day").filter(pl.col("day") > window).n_unique() / self.facts.window_days,
        ).sort("provider", "tenant", nulls_last=True)

    def with_logs_of_use(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with what ``logs_of_use`` says of the provider and tenant of each row; null where nothing was
        received. A tenant that nothing names has the log that nothing names either."""
        return frame.join(self.logs_of_use, on=["provider", "tenant"], how="left", nulls_equal=True)

    def spanned(self, days: int) -> pl.Expr:
        """On a frame from ``with_logs_of_use``: the logs of use reach ``days`` back and up to as_of."""
        return ((pl.col("span") >= days) & pl.col("fresh")).fill_null(value=False)

    @cached_property
    def last_use(self) -> pl.DataFrame:
        """Per identity the last use any source shows: events of any outcome, or a last use the provider states."""
        as_of = self.facts.as_of
        logged = self.facts["usage"].filter(pl.col("first") <= as_of).group_by("actor_id").agg(
            at=pl.min_horizontal(pl.col("last").max(), pl.lit(as_of))).rename({"actor_id": "id"})
        stated = self.facts["credentials"].select(id="identity_id", at="last_used_at")
        listed = self.identities.lazy().select("id", at="last_seen_at")
        return pl.concat([logged, stated, listed]).filter(
            pl.col("id").is_not_null() & (pl.col("at") <= as_of)).group_by("id").agg(
            last_use=pl.col("at").max()).sort("id").collect()


def as_objects(frame: pl.DataFrame) -> pl.DataFrame:
    """Identities as objects of a population: ``object_id, object_kind, excluded, source_rows`` and their fields."""
    return frame.select(
        pl.col("id").alias("object_id"), pl.col("kind").alias("object_kind"), pl.col("gone").alias("excluded"),
        pl.col("record_ids").alias("source_rows"), "display_name", "created_at", "enabled", "purpose", "owner",
        "owner_confirmed_at", "owner_rows", "tenant", "provider")
