"""How many hold the highest role of a directory: PRV-08 (design section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.assignments import LOGS, role_assignments
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.lists import listed
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.permissions.memberships import memberships

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_DIRECTORY = "entra"
_WHOLE = "/"
_STATES = {"standing": "permanent", "eligible": "may activate it", "timebound": "for a time",
           "activated": "activated it"}
_LIST = "declared emergency account"


@metric(
    "PRV-08", title="Holders of the highest role", question="How many people can change everything in the directory?",
    numerator="accounts that hold the highest role over the whole directory, active or eligible, directly or through "
              "groups. Nobody is left out; scope break_glass counts those of them that are declared as emergency "
              "accounts",
    denominator="none: a count, good between 2 and 8. Of several directories the one with most holders is counted; the "
                "others are listed as excluded. A holding group whose members are not loaded is unknown",
    kind="census", unit="count", direction="band", green=2, red=8, refs=("MS.AAD.7.1",),
    needs="role assignments or privileged identity management events", scopes=("all", "break_glass"),
    tables=("entitlements", "identities"), snapshot="entitlements")
def top_role_holders(context: Context) -> Mapping[str, Population]:
    top = pl.col("role").is_in([row["role"].lower() for row in listed("top_roles")]) & (pl.col("over") == _WHOLE)
    held = role_assignments(context).filter(top)
    listed_roles = context.facts["entitlements"].filter(
        (pl.col("grant_kind") == "role") & (pl.col("provider") == _DIRECTORY) & (pl.col("scope") == _WHOLE)
        & ~pl.col("source").is_in(LOGS)).head(1).collect().height
    if held.is_empty() and not listed_roles:
        return {}
    frame = _holders(context, held)
    sizes = frame.filter(pl.col("excluded").is_null()).group_by("directory").len().sort(
        ["len", "directory"], descending=[True, False])
    largest = sizes["directory"][0] if sizes.height else ""
    frame = frame.with_columns(excluded=pl.coalesce("excluded", pl.when(pl.col("directory") != largest).then(
        pl.lit("of another directory, which has fewer holders"))))
    emergency = frame["emergency"]
    doubt = None if listed_roles else "coverage_below_min"
    return {
        "all": population(frame, "count", doubt=doubt, base=1.0),
        "break_glass": population(frame.with_columns(truth=pl.when("truth").then(emergency)), "count", doubt=doubt,
                                  base=1.0, lack=None if listed("break_glass") else "definition_not_met"),
    }


def _holders(context: Context, held: pl.DataFrame) -> pl.DataFrame:
    """One row per account that holds the role, through whatever groups, with the records behind it."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    kinds = dict(context.identities.select("id", "kind").iter_rows())
    grants = {who: (state, rows) for who, state, rows in held.select(
        "principal_id", "state", "source_rows").iter_rows()}
    through = set()
    groups = memberships(context.facts, (_DIRECTORY,), eligible=True)
    for who, (state, rows) in grants.items():
        if kinds.get(who) != "group":
            _note(found, who, _STATES.get(state, "whether for good is not listed"), rows)
    members = sorted({step.member for step in groups.steps()})
    for member in members:
        if kinds.get(member) == "group":
            continue
        for group in set(groups.above(member)) & grants.keys():
            through.add(group)
            _note(found, member, f"{_STATES.get(grants[group][0], 'holds it')}, through the group {group}",
                  [*grants[group][1], *(step.record_id for step in groups.chain(member, group))])
    unread = {who: rows for who, (_, rows) in grants.items() if kinds.get(who) == "group" and who not in through}
    rows = [(who, True, "; ".join(sorted(words)), sorted(records)[:RECORDS_SHOWN])
            for who, (words, records) in sorted(found.items())]
    rows += [(who, None, "a group that holds it; its members are not loaded", sorted(records)[:RECORDS_SHOWN])
             for who, records in sorted(unread.items())]
    frame = pl.DataFrame(rows, orient="row", schema={
        "object_id": pl.String, "truth": pl.Boolean, "reason": pl.String, "source_rows": pl.List(pl.String)})
    known = context.identities.select(
        "display_name", "gone", "excluded_reason", "alt_ids", object_id="id", object_kind="kind")
    names = {row["name"].strip().lower() for row in listed("break_glass")}
    return frame.join(known, on="object_id", how="left").with_columns(
        object_kind=pl.col("object_kind").fill_null("unknown"),
        directory=pl.col("object_id").str.extract(r"^([^:]*:[^:]*):"),
        excluded=pl.when(pl.col("gone") == "deleted").then(pl.lit("deleted")),
        emergency=pl.Series([_named(row, names) for row in frame.join(known, on="object_id", how="left").iter_rows(
            named=True)], dtype=pl.Boolean),
    ).with_columns(reason=pl.when("emergency").then(pl.concat_str("reason", pl.lit(f"; {_LIST}"))).otherwise("reason"))


def _note(found: dict[str, tuple[set[str], set[str]]], who: str, words: str, records: list[str]) -> None:
    said, rows = found.setdefault(who, (set(), set()))
    said.add(words)
    rows.update(record for record in records if record)


def _named(row: Mapping[str, object], names: set[str]) -> bool:
    alternatives = row["alt_ids"] if isinstance(row["alt_ids"], list) else []
    own = [row["object_id"], row["display_name"], *(alternative["value"] for alternative in alternatives)]
    return any(str(name).lower() in names for name in own if name)
