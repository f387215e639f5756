"""How far sensitive permissions outgrew their use: PRV-03 pooled, PRV-04 a score per account (design section 3.1)."""

from __future__ import annotations

import csv
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import log2
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.unknowns import doubt, lack, part, young
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import WEIGHTS, sensitive
from lineage_analytics.permissions.aws.principals import account_of, native
from lineage_analytics.permissions.aws.table import permissions
from lineage_analytics.permissions.patterns import compiled, is_pattern, literal_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.metrics.context import Context
    from lineage_analytics.permissions.aws.effective import Grant
    from lineage_analytics.permissions.aws.policies import Scope
    from lineage_analytics.permissions.aws.principals import Principal
    from lineage_analytics.permissions.aws.table import Permissions

_NEEDS = "account inventories with policies, and 90 days of activity logs"
_TABLES = ("identities", "entitlements", "usage")
_NO_SENSITIVE = "holds no sensitive permission"
_SCORES = pl.Schema([("principal_id", pl.String), ("unused_load", pl.Float64), ("used_load", pl.Float64),
                     ("hidden_load", pl.Float64), ("heaviest", pl.String)])


@metric(
    "PRV-03", title="Sensitive permissions held and not used",
    question="Of the sensitive permissions whose use could be seen, how many were not used?",
    numerator="unused sensitive permissions",
    denominator="used and unused sensitive permissions of non-human identities whose use could be seen over the "
                "look-back; unobservable ones are unknown, those younger than the look-back excluded. Providers count "
                "permissions in units of their own (actions, or actions over a scope); where use is known of more than "
                "one provider, the reason says which counts an account's are",
    kind="census", direction="lower", green=0.10, red=0.50, refs=("PR.AA-05", "AC-6"), needs=_NEEDS, tables=_TABLES,
    snapshot="entitlements")
def unused_sensitive(context: Context) -> Mapping[str, Population]:
    """Only accounts whose used and unused permissions are both known weigh in; every other account is unknown."""
    if not context.has("entitlements"):
        return {}
    granted, used, unused = (pl.col(f"sensitive_{name}") for name in ("granted", "used", "unused"))
    known = pl.col("granted").is_not_null()
    assigned = (pl.col("granted_basis") == "assigned").fill_null(value=False)
    seen = pl.col("used").is_not_null() & used.is_not_null() & unused.is_not_null() & ~assigned
    hidden = (granted - used - unused - pl.col("sensitive_too_young").fill_null(0)).clip(lower_bound=0)
    frame = context.objects.with_columns(excluded=pl.coalesce(
        "excluded", pl.when(young(context)).then(pl.lit("younger than the look-back"))
        .when(known & (granted == 0)).then(pl.lit(_NO_SENSITIVE))
        .when(seen & (used + unused + hidden == 0)).then(pl.lit("all its sensitive permissions are too young"))))
    counts = seen & (used + unused > 0) & pl.col("excluded").is_null()
    kept = pl.col("excluded").is_null()
    # An account of which no actions are known holds an unknown number of them: it counts once, as an account.
    unknown = pl.when(~kept).then(0).when(seen).then(hidden).when(assigned).then(1).otherwise(
        pl.max_horizontal(granted.fill_null(1), 1))
    return {"all": population(frame.with_columns(
        truth=pl.when(counts).then(unused > 0),
        reason=pl.when(~known).then(doubt("its permissions are not known"))
        .when(~seen).then(doubt("use over the look-back cannot be seen"))
        .when(~counts).then(pl.lit("the logs would show the use of none of its sensitive permissions"))
        .otherwise(pl.concat_str(
            pl.format("{} of {} observable sensitive permissions unused", unused, used + unused),
            pl.when(pl.col("unused_sensitive_actions").list.len() > 0).then(pl.concat_str(
                pl.lit(": "), pl.col("unused_sensitive_actions").list.head(3).list.join(", ")))
            .otherwise(pl.lit("")))),
        lack=lack(known, known & seen), source_rows=pl.coalesce("grants", "source_rows"),
        num=pl.when(counts).then(unused).otherwise(0).cast(pl.Float64),
        den=pl.when(counts).then(used + unused).otherwise(0).cast(pl.Float64),
        unk=unknown.cast(pl.Float64),
        exc=pl.when(kept).then(pl.col("sensitive_too_young").fill_null(0)).otherwise(0).cast(pl.Float64),
    ), "pooled", unit="share")}


@metric(
    "PRV-04", title="Creep score of service accounts",
    question="How much of its sensitive power, weighed by how far it reaches, does a service account leave unused?",
    numerator="100 times the sum of w times r over unused sensitive permissions",
    denominator="the same sum over used and unused ones: w is the permission's weight (10, 3 or 1), r is log2(1 + "
                "resources in scope). Resources in scope are those of the estate that some statement granting the "
                "permission covers; * covers all of its account, a pattern that covers none we know of counts as one. "
                "Scopes median and p90 are over accounts, pooled over all of them. Read for AWS, whose statements name "
                "resources; accounts elsewhere are unknown. Own formula: not Microsoft's index",
    kind="census", unit="points", direction="lower", green=33, red=68, refs=("PR.AA-05", "AC-6"), needs=_NEEDS,
    tables=(*_TABLES, "resources"), scopes=("median", "p90", "pooled"), snapshot="entitlements")
def creep_score(context: Context) -> Mapping[str, Population]:
    """A score per account in its evidence; unobservable permissions widen it both ways."""
    if not context.has("entitlements"):
        return {}
    used, unused, hidden = pl.col("used_load"), pl.col("unused_load"), pl.col("hidden_load")
    known = pl.col("granted").is_not_null()
    seen, has = unused.is_not_null(), used + unused > 0
    frame = context.objects.join(_loads(context.facts), left_on="object_id", right_on="principal_id", how="left")
    frame = frame.with_columns(excluded=pl.coalesce(
        "excluded", pl.when(young(context)).then(pl.lit("younger than the look-back"))
        .when(known & (pl.col("sensitive_granted") == 0)).then(pl.lit(_NO_SENSITIVE))
        .when(seen & (used + unused + hidden == 0)).then(pl.lit("all its sensitive permissions are too young"))))
    counts = seen & has & pl.col("excluded").is_null()
    score = part(unused, used + unused)
    frame = frame.with_columns(
        truth=pl.when(counts).then(unused > 0),
        reason=pl.when(~known).then(doubt("its permissions are not known"))
        .when(~seen).then(doubt("use over the look-back, or the resources of its permissions, cannot be seen"))
        .when(~has).then(pl.lit("the logs would show the use of none of its sensitive permissions"))
        .otherwise(pl.concat_str(
            pl.format("score {} ({})", (score * 100).round(0).cast(pl.Int64), _band(score * 100)),
            pl.when(unused > 0).then(pl.format("; heaviest unused: {}", "heaviest")).otherwise(pl.lit("")))),
        lack=lack(known, known & seen), source_rows=pl.coalesce("grants", "source_rows"))
    value = {"value": score, "worst": part(unused + hidden, used + unused + hidden),
             "best": part(unused, used + unused + hidden)}
    spread = population(frame.with_columns(
        **{name: pl.when(counts).then(one) for name, one in value.items()}), "median", unit="points").frame
    pooled = population(frame.with_columns(
        num=pl.when(counts).then(unused).otherwise(0.0), den=pl.when(counts).then(used + unused).otherwise(0.0),
        unk=pl.when(pl.col("excluded").is_not_null()).then(0.0).otherwise(hidden.fill_null(1.0)),
        exc=pl.lit(0.0)), "pooled", unit="points")
    return {**{how: Population(spread, how, "points") for how in ("median", "p90")}, "pooled": pooled}


@cache
def bands() -> tuple[tuple[str, float], ...]:
    """Bands of the score, lowest first, each with its lowest score in points."""
    text = (files(__package__) / "data" / "creep_bands.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(sorted(((row["band"], float(row["from"])) for row in rows), key=lambda band: band[1]))


def _band(points: pl.Expr) -> pl.Expr:
    (name, _), *others = bands()
    found = pl.lit(name)
    for name, start in others:
        found = pl.when(points.round(0) >= start).then(pl.lit(name)).otherwise(found)
    return found


def _loads(facts: Facts) -> pl.DataFrame:
    """Per AWS account the sums of w times r over its unused, used and unobservable sensitive permissions."""
    have = permissions(facts)
    estate = Estate.of(facts, have)
    rows = [_load(have, estate, principal) for principal in have.principals.values() if principal.listed]
    return pl.DataFrame([row for row in rows if row is not None], schema=_SCORES, orient="row")


def _load(have: Permissions, estate: Estate, principal: Principal) -> tuple[str, float, float, float, str] | None:
    found = have.effective[principal.id]
    if found.reason is not None:
        return None
    states = have.states(principal)
    if states.unused is None or states.used is None:
        return None
    sums = dict.fromkeys(("unused", "used", "hidden"), 0.0)
    heaviest = (0.0, "")
    masks = {"unused": states.unused, "used": states.used, "hidden": states.unobservable or 0}
    for mask, grants in _alike(found.grants, found.granted & sensitive().every):
        resources = estate.covered(principal.account, [grant.statement.scope for grant in grants])
        reach = log2(1 + resources)
        for weight in WEIGHTS:
            of_weight = mask & sensitive().by_weight[weight]
            for state, held in masks.items():
                sums[state] += weight * reach * (of_weight & held).bit_count()
            idle = of_weight & states.unused
            if idle and weight * reach > heaviest[0]:
                heaviest = (weight * reach, f"{_named(idle)}, weight {weight}, over {resources:,} resources")
    return principal.id, sums["unused"], sums["used"], sums["hidden"], heaviest[1]


def _named(mask: int) -> str:
    """The first of a mask's actions, and how many more there are."""
    names = catalogue().actions(mask)
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _alike(grants: Iterable[Grant], mask: int) -> list[tuple[int, list[Grant]]]:
    """The actions of a mask, those together that the same statements grant."""
    parts: list[tuple[int, list[Grant]]] = [(mask, [])]
    for grant in grants:
        split = []
        for held, by in parts:
            if held & grant.mask:
                split.append((held & grant.mask, [*by, grant]))
            if held & ~grant.mask:
                split.append((held & ~grant.mask, by))
        parts = split
    return [(held, by) for held, by in parts if held and by]


@dataclass
class Estate:
    """The resources we know of, as ARNs: what inventories and declarations list, identities and policies among them.

    ``covered`` counts those that patterns cover. A resource is of the account its ARN names, or of the account that
    lists it where the ARN names none (buckets).
    """

    names: list[str]
    accounts: Mapping[str, int]
    _masks: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(facts: Facts, have: Permissions) -> Estate:
        listed = facts.frame("resources").filter(pl.col("provider") == "aws").select("id", "tenant").drop_nulls("id")
        found = {native(name)[1] if name.startswith("aws:") else name: tenant for name, tenant in listed.iter_rows()}
        found |= {principal.arn: principal.account for principal in have.principals.values() if principal.arn}
        policies = facts.frame("entitlements").filter(
            (pl.col("grant_kind") == "attachment") & (pl.col("provider") == "aws"))["scope"].drop_nulls().unique()
        found |= {arn: account_of(arn) for arn in (native(policy)[1] for policy in policies.sort()) if arn not in found}
        names = sorted(name for name in found if name.startswith("arn:"))
        accounts: dict[str, int] = {}
        for at, name in enumerate(names):
            account = account_of(name) or found[name]
            if account:
                accounts[account] = accounts.get(account, 0) | 1 << at
        return Estate(names, accounts)

    def covered(self, account: str, scopes: Iterable[Scope]) -> int:
        """How many known resources the scopes cover between them, at least one."""
        mask = 0
        for scope in scopes:
            own = self.accounts.get(account, 0)
            if scope.everything:
                mask |= own
                continue
            named = 0
            for pattern in scope.patterns:
                named |= self._mask(pattern)
            mask |= own & ~named if scope.inverted else named
        return max(mask.bit_count(), 1)

    def _mask(self, pattern: str) -> int:
        if pattern not in self._masks:
            prefix = literal_prefix(pattern)
            if not is_pattern(pattern):
                at = bisect_left(self.names, pattern)
                here = at < len(self.names) and self.names[at] == pattern
                self._masks[pattern] = 1 << at if here else 0
            else:
                start, end = bisect_left(self.names, prefix), bisect_right(self.names, prefix + "\U0010ffff")
                fits = compiled(pattern).fullmatch
                self._masks[pattern] = sum(1 << at for at in range(start, end) if fits(self.names[at]))
        return self._masks[pattern]
