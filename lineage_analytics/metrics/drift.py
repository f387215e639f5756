"""Sensitive grants against sensitive removals: PRV-19 (design section 3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.activations import ACTIVATION
from lineage_analytics.metrics.assignments import privileged_roles
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.gates import MIN_DENOMINATOR
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.permissions.aws.datafiles import sensitive
from lineage_analytics.permissions.aws.table import permissions
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.entra.datafiles import directory_roles
from lineage_analytics.permissions.gcp.rules import known_roles
from lineage_analytics.permissions.gcp.rules import weight as google_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_TARGET = re.compile(r"^(?P<provider>[^:]+):(?P<tenant>[^:]*):(?P<kind>[a-z_]+)/(?P<rest>.*)$", re.DOTALL)
_ROLE_FILES = {"okta": "okta_roles", "gworkspace": "workspace_roles", "github": "github_roles"}
_ROLE_COLUMNS = ("role", "names", "complete", "weight", "actions", "controls")
_FLOWS = {"grants": ("grant",), "removals": ("revoke",), "net": ("grant", "revoke")}


@metric(
    "PRV-19", title="Drift of sensitive privilege",
    question="Does sensitive privilege come faster than it goes?",
    numerator="grants of a role or policy that holds a sensitive permission, less removals of such, in the window; "
              "scopes grants and removals are the two flows, net is what is left. A grant that ended on its own in the "
              "window is a removal",
    denominator="identities the inventories list, of every kind but groups. Activations of an eligible role are "
                "excluded: they end on their own. A change whose role or policy is not known, or has no weight we "
                "know, is unknown; edits of a policy's text are neither flow",
    kind="process", unit="per_100", direction="lower", green=0.0, red=5.0, refs=("AC-6(7)",),
    needs="change logs, and an inventory of identities", scopes=("grants", "removals", "net"),
    tables=("decision_steps", "identities"))
def drift(context: Context) -> Mapping[str, Population]:
    listed = context.identities.filter(
        pl.col("inventoried").fill_null(value=False) & (pl.col("kind") != "group") & pl.col("gone").is_null())
    if context.decisions.cases.is_empty() or listed.is_empty():
        return {}
    changes = _changes(context)
    lack = "denominator_below_min" if listed.height < MIN_DENOMINATOR else None
    found = {}
    for scope, verbs in _FLOWS.items():
        sign = pl.when(pl.col("verb") == "revoke").then(-1.0 if scope == "net" else 1.0).otherwise(1.0)
        unknown = pl.when(pl.col("state") == "unknown").then(sign)
        held = changes.filter(pl.col("verb").is_in(verbs)).with_columns(
            num=pl.when(pl.col("state") == "in").then(sign).otherwise(0.0),
            worst=unknown.clip(lower_bound=0.0), best=unknown.clip(upper_bound=0.0),
            cluster=pl.col("time").dt.date().cast(pl.String))
        found[scope] = population(held, "balance" if scope == "net" else "flow", lack=lack, base=float(listed.height),
                                  days=context.facts.window_days)
    return found


def _changes(context: Context) -> pl.DataFrame:
    """Grants and removals of the window, each sensitive (in), not (out), unknown or excluded."""
    start, end = context.facts.window_start, context.facts.as_of
    cases = context.decisions.cases.filter(
        pl.col("executed") & pl.col("change_class").is_in(["grant", "revoke"]) & (pl.col("time") <= end))
    ends = context.facts["decision_steps"].filter(
        (pl.col("kind") == "action") & pl.col("expires_at").is_not_null()).select("record_id", "expires_at").collect()
    records = context.decisions.steps.filter(pl.col("kind") == "action").join(
        cases.select("case_id"), on="case_id", how="semi").select("case_id", "record_ids").explode("record_ids").join(
        ends, left_on="record_ids", right_on="record_id", how="left").group_by("case_id").agg(
        pl.col("expires_at").max(), source_rows=pl.col("record_ids").drop_nulls().unique().sort().head(RECORDS_SHOWN))
    known = cases.join(records, on="case_id", how="left").with_columns(source_rows=pl.col("source_rows").fill_null([]))
    done = known.filter(pl.col("time") > start).select(
        "case_id", "time", "operation", "target_key", "source_rows", verb="change_class", ended=pl.lit(value=False))
    taken = cases.filter(pl.col("change_class") == "revoke").select("target_key", until="time")
    early = known.join(taken, on="target_key").filter(
        (pl.col("until") > pl.col("time")) & (pl.col("until") <= pl.col("expires_at"))).select("case_id").unique()
    ended = known.join(early, on="case_id", how="anti").filter(
        (pl.col("change_class") == "grant") & (pl.col("expires_at") > start) & (pl.col("expires_at") <= end)).select(
        "case_id", "operation", "target_key", "source_rows", time="expires_at", verb=pl.lit("revoke"),
        ended=pl.lit(value=True))
    weigher = _Weigher(context)
    both = pl.concat([done, ended.select(done.columns)])
    weighed = [weigher.weigh(target) for target in both["target_key"]]
    sensitive_ = pl.Series("sensitive", [one[0] for one in weighed], dtype=pl.Boolean)
    what = pl.Series("what", [one[1] for one in weighed], dtype=pl.String)
    activation = pl.col("operation").str.contains(ACTIVATION).fill_null(value=False)
    return both.with_columns(sensitive_, what).select(
        pl.concat_str("case_id", pl.when("ended").then(pl.lit("|ended")).otherwise(pl.lit(""))).alias("object_id"),
        pl.lit("decision").alias("object_kind"), "verb", "time", "source_rows",
        state=pl.when(activation).then(pl.lit("excluded")).when(pl.col("sensitive").is_null()).then(pl.lit("unknown"))
        .when("sensitive").then(pl.lit("in")).otherwise(pl.lit("out")),
        reason=pl.when(activation).then(pl.lit("an activation, which ends on its own")).otherwise(pl.concat_str(
            pl.when("ended").then(pl.lit("ended on its own: ")).when(pl.col("verb") == "grant").then(
                pl.lit("granted: ")).otherwise(pl.lit("removed: ")), "what")))


@dataclass
class _Weigher:
    """Whether what a change gives or takes is sensitive, by the role or policy its target names."""

    context: Context
    _known: dict[str | None, tuple[bool | None, str]] = field(default_factory=dict)

    def weigh(self, target: str | None) -> tuple[bool | None, str]:
        """Sensitive or not, null where it cannot be told; and what it is, in words."""
        if target not in self._known:
            self._known[target] = self._weigh(target)
        return self._known[target]

    def _weigh(self, target: str | None) -> tuple[bool | None, str]:
        parts = _TARGET.fullmatch(target or "")
        if parts is None:
            return None, "what it is about is not stated" if not target else "its target names no role or policy"
        provider, kind, named = parts["provider"], parts["kind"], parts["rest"].split("|")
        if provider == "entra" and kind == "role":
            return _directory_role(named[0])
        if provider == "gcp" and kind == "binding" and len(named) > 1:
            return _google_role(named[1])
        if provider == "aws" and kind in ("role", "user", "group") and len(named) > 1:
            return self._policy(parts["tenant"], named[1])
        if provider in _ROLE_FILES and kind in ("role", "org"):
            weight = _named_roles(provider).get(named[0].casefold())
            return (None if weight is None else weight > 0), f"role {named[0]}" + (
                ", of which no weight is known" if weight is None else "")
        return None, f"{kind} {named[0][:60]}: what it allows is not known here"

    def _policy(self, account: str, arn: str) -> tuple[bool | None, str]:
        grants = permissions(self.context.facts).grants
        for policy in (f"aws:{account}:{arn}", arn, f"aws:aws:{arn}"):
            if grants.readable(policy):
                mask = 0
                for statement in grants.statements[policy]:
                    mask |= statement.mask if statement.allow else 0
                return bool(mask & sensitive().every), f"policy {arn.rsplit('/', 1)[-1]}"
        return None, f"policy {arn.rsplit('/', 1)[-1]}, whose text is not loaded"


def _directory_role(role: str) -> tuple[bool | None, str]:
    named = privileged_roles().filter(
        (pl.col("role_id") == role.lower()) | (pl.col("role") == role.lower()))["label"].to_list()
    known = directory_roles().get(role.casefold())
    label = known.name if known else named[-1] if named else role
    if named or (known is not None and known.weight > 0):
        return True, f"role {label}"
    return (False, f"role {label}") if known is not None else (None, f"role {label}, of which no weight is known")


def _google_role(role: str) -> tuple[bool | None, str]:
    known = known_roles().get(role)
    if known is not None and any(google_weight(name) for name in known.permissions):
        return True, f"role {role}"
    return (False, f"role {role}") if known is not None and known.complete else (
        None, f"role {role}, of which no weight is known")


@cache
def _named_roles(provider: str) -> dict[str, int]:
    found = {}
    for row in rows(_ROLE_FILES[provider], _ROLE_COLUMNS):
        for name in (row["role"], *row["names"].split("|")):
            found[name.casefold()] = int(row["weight"])
    return found
