"""An analysis made easy to quote: measures by id, names by identity, evidence by set. Nothing is computed twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import analysis
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from lineage_analytics.analysis import Analysis
    from lineage_analytics.maturity import Levels
    from lineage_analytics.metrics.pace import Pace

Row = dict[str, Any]
# Findings of a decision that weigh most, the heaviest first; the others follow.
_WEIGHTY = (
    "executed_after_denial", "executed_after_revocation", "no_approval", "retroactive_approval", "scope_exceeded",
    "stale_approval", "approval_expired", "quorum_not_met", "self_approval", "experimental_in_production",
    "class_exceeded", "approver_appointed_by_requester", "flagged_approver", "new_approver", "approver_shopping",
)


@dataclass(frozen=True)
class Reading:
    """One estate's analysis and levels, as the page reads them."""

    analysis: Analysis
    levels: Levels

    @cached_property
    def _measures(self) -> dict[tuple[str, str], Row]:
        return {(row["metric_id"], row["scope"]): row
                for row in self.analysis.measured.measures.iter_rows(named=True)}

    def measure(self, metric_id: str, scope: str = "all") -> Row | None:
        """The measure's row; None when no such measure exists."""
        return self._measures.get((metric_id, scope))

    def stated(self, metric_id: str, scope: str = "all") -> Row | None:
        """The measure's row when it is scored or provisional, else None."""
        row = self.measure(metric_id, scope)
        return row if row is not None and row["status"] != "not_scored" and row["value"] is not None else None

    def objects(self, metric_id: str, set_: str, scope: str = "all") -> pl.DataFrame:
        """Evidence rows of one set of one measure."""
        return self.analysis.measured.evidence.filter(
            (pl.col("metric_id") == metric_id) & (pl.col("scope") == scope) & (pl.col("set") == set_)
        ).sort("object_id")

    def members(self, metric_id: str, set_: str, scope: str = "all") -> set[str]:
        return set(self.objects(metric_id, set_, scope)["object_id"])

    @cached_property
    def _names(self) -> dict[str, tuple[str, str]]:
        frame = self.analysis.estate.frame("identities").select("id", "display_name", "kind")
        return {row[0]: (row[1] or _tail(row[0]), row[2]) for row in frame.iter_rows()}

    def name(self, identity: str | None) -> str:
        """The label a reader knows an identity by; its id's last part when it has none."""
        if identity is None:
            return "unknown"
        return printable(self._names.get(identity, (_tail(identity), ""))[0], 60)

    def kind(self, identity: str) -> str:
        return self._names.get(identity, ("", "unknown"))[1]

    @cached_property
    def permissions(self) -> dict[str, Row]:
        return {row["principal_id"]: row for row in self.analysis.access.permissions.iter_rows(named=True)}

    @cached_property
    def paths(self) -> pl.DataFrame:
        return self.analysis.access.paths()

    @cached_property
    def cuts(self) -> pl.DataFrame:
        return self.analysis.access.choke_points()

    @cached_property
    def radii(self) -> pl.DataFrame:
        return self.analysis.access.blast_radii()

    @cached_property
    def exposed(self) -> pl.DataFrame:
        """Who is outside tier 0 and has a proved way in."""
        return self.analysis.access.exposure().filter(pl.col("exposed"))

    @cached_property
    def longest_way(self) -> str | None:
        """Whose way in is the longest of those exposed: the one a list of holders shows least."""
        ways = self.exposed.sort("hops", "principal_id", descending=[True, False])
        return ways["principal_id"][0] if ways.height else None

    @cached_property
    def pace(self) -> Pace:
        """Whether assurance keeps up with AI."""
        return analysis.pace(self.analysis.estate)

    @cached_property
    def cases(self) -> pl.DataFrame:
        return self.analysis.decisions.cases

    @cached_property
    def to_review(self) -> pl.DataFrame:
        """Executed changes of the window that need review, what weighs most first: one row a change, with the columns
        of ``tables.CASES`` and ``finding``, ``reading`` and ``about`` (whom; null: nobody in particular)."""
        cases = self.window_cases
        found = self.analysis.decisions.decision_findings.select("case_id", "finding", "reading", about="agent_id")
        absent = cases.filter(pl.col("approval_verdict") == "absent").select(
            "case_id", finding=pl.lit("no_approval"), reading=pl.lit("none on record, and its source is covered"),
            about=pl.lit(None, dtype=pl.String))
        weight = pl.col("finding").replace_strict({name: n for n, name in enumerate(_WEIGHTY)}, default=len(_WEIGHTY),
                                                  return_dtype=pl.Int64)
        first = pl.concat([found, absent]).with_columns(weight=weight).sort(
            "weight", "finding", "reading", "about").unique("case_id", keep="first", maintain_order=True)
        return cases.join(first, on="case_id", how="inner").sort("weight", "time", "case_id")

    @cached_property
    def window_cases(self) -> pl.DataFrame:
        """Executed cases inside the reporting window."""
        estate = self.analysis.estate
        return self.cases.filter(
            pl.col("executed") & (pl.col("time") > estate.window_start) & (pl.col("time") <= estate.as_of))


def _tail(identity: str) -> str:
    return identity.rsplit(":", 1)[-1].rsplit("/", 1)[-1] or identity
