"""Privilege: what service accounts may do, beside what they were seen to do (design section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import as_objects
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.unknowns import decided, doubt, lack, part, young

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

_TABLES = ("identities", "entitlements")
_WEIGHT_TOP = 10
_HALF = 0.5


def unused_share(used: int, unused: int) -> float | None:
    """Unused of all permissions whose use could be seen; null when there is none. Unobservable ones are in neither."""
    return unused / (used + unused) if used + unused else None


@metric(
    "PRV-01", title="Service accounts with more privilege than they use",
    question="How many service accounts are over-privileged, by three definitions?",
    numerator="a: at least one unused permission, or a wildcard; b: at least one unused sensitive permission, or half "
              "of its permissions unused; c: holds or reaches administrator control",
    denominator="non-human identities whose permissions are known and, for a and b, whose use could be seen over the "
                "look-back. c does not depend on use and needs no log",
    kind="census", direction="lower", green=0.10, red=0.60, refs=("NHI5:2025", "PR.AA-05", "AC-6"),
    needs="account inventories with policies, and 90 days of activity logs", scopes=("a", "b", "c"),
    tables=("identities", "entitlements", "usage"), snapshot="entitlements")
def excess_privilege(context: Context) -> Mapping[str, Population]:
    """Three-valued: what the logs could not show makes an account unknown when it could tip the answer."""
    if not context.has("entitlements"):
        return {}
    found = context.objects
    granted, used, unused, hidden = (pl.col(c) for c in ("granted", "used", "unused", "unobservable"))
    seen, known = used.is_not_null() & unused.is_not_null(), granted.is_not_null()
    share, worst = part(unused, used + unused), part(unused + hidden, used + unused + hidden)
    wildcard = pl.col("wildcard")
    broad = decided(
        yes=wildcard.fill_null(value=False) | (seen & (unused > 0)),
        no=seen & (unused == 0) & (hidden.fill_null(0) == 0) & wildcard.not_().fill_null(value=False))
    shown = pl.sum_horizontal("sensitive_used", "sensitive_unused", "sensitive_too_young")
    tip = (hidden.fill_null(0) > 0) & ((worst >= _HALF) | (pl.col("sensitive_granted").fill_null(0) > shown))
    over = (pl.col("sensitive_unused") > 0) | (share >= _HALF).fill_null(value=False)
    standard = decided(yes=seen & over.fill_null(value=False), no=seen & over.not_().fill_null(value=False)
                        & tip.not_().fill_null(value=False))
    needs_use = {"a": known & seen, "b": known & seen}
    truths = {"a": broad, "b": standard, "c": pl.col("admin_equivalent")}
    fresh = pl.when(young(context)).then(pl.lit("younger than the look-back"))
    populations = {}
    for scope, truth in truths.items():
        assessable = needs_use.get(scope, known)
        populations[scope] = population(found.with_columns(
            excluded=pl.coalesce("excluded", fresh) if scope in needs_use else pl.col("excluded"),
            truth=pl.when(assessable).then(truth),
            reason=pl.when(~known).then(doubt("its permissions are not known"))
            .when(~assessable).then(doubt("use over the look-back cannot be seen"))
            .otherwise(_said(scope)),
            lack=lack(known, assessable), source_rows=pl.coalesce("grants", "source_rows")))
    return populations


def _said(scope: str) -> pl.Expr:
    if scope == "c":
        return pl.coalesce(pl.col("admin_reason"), pl.lit("holds or reaches no administrator control"))
    sensitive = pl.format(", {} of them sensitive", pl.col("sensitive_unused").fill_null(0))
    wild = pl.when(pl.col("wildcard").fill_null(value=False)).then(pl.lit("; holds a wildcard")).otherwise(pl.lit(""))
    return pl.concat_str(
        pl.format("{} of {} observable permissions unused", "unused", pl.col("used") + pl.col("unused")),
        sensitive if scope == "b" else pl.lit(""), wild,
        pl.format("; {} not observable", pl.col("unobservable").fill_null(0)),
        pl.when(pl.col("granted_basis") == "assigned").then(pl.lit("; counted as assigned, since what a role allows is "
                                                                   "not all known")).otherwise(pl.lit("")))


@metric(
    "PRV-02", title="Permissions that service accounts hold and do not use",
    question="Of what a service account may do and could be seen doing, how much did it not do?",
    numerator="unused permissions", denominator="used and unused permissions; unobservable ones are unknown, those "
    "younger than the look-back excluded. Scopes median and p90 are over accounts, pooled is over permissions",
    kind="census", direction="lower", green=0.3, red=0.8, refs=("AC-6(7)",),
    needs="account inventories with policies, and 90 days of activity logs", scopes=("median", "p90", "pooled"),
    tables=("identities", "entitlements", "usage"), snapshot="entitlements")
def unused_permissions(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    used, unused, hidden = pl.col("used"), pl.col("unused"), pl.col("unobservable").fill_null(0)
    assigned = (pl.col("granted_basis") == "assigned").fill_null(value=False)
    known = pl.col("granted").is_not_null()
    seen = used.is_not_null() & unused.is_not_null() & ~assigned
    some = known & seen & (used + unused > 0)
    nothing = (pl.col("granted") == 0).fill_null(value=False)
    fresh = known & seen & (used + unused + hidden == 0)
    excluded = pl.coalesce("excluded", pl.when(young(context)).then(pl.lit("younger than the look-back"))
                           .when(nothing).then(pl.lit("holds no permission"))
                           .when(fresh).then(pl.lit("all its permissions are younger than the look-back")))
    frame = context.objects.with_columns(excluded=excluded).with_columns(
        truth=pl.when(some).then(unused > 0),
        reason=pl.when(~known).then(doubt("its permissions are not known"))
        .when(~seen).then(doubt("use over the look-back cannot be seen"))
        .when(~some).then(pl.lit("the logs would show the use of none of its permissions")).otherwise(_said("a")),
        lack=lack(known, known & seen), source_rows=pl.coalesce("grants", "source_rows"))
    counts = some & pl.col("excluded").is_null()
    spread = population(frame.with_columns(
        value=pl.when(counts).then(part(unused, used + unused)),
        worst=pl.when(counts).then(part(unused + hidden, used + unused + hidden)),
        best=pl.when(counts).then(part(unused, used + unused + hidden))), "median", unit="ratio").frame
    pooled = population(frame.with_columns(
        num=pl.when(counts).then(unused).otherwise(0).cast(pl.Float64),
        den=pl.when(counts).then(used + unused).otherwise(0).cast(pl.Float64),
        # Assigned roles are no actions: of such an account an unknown number of actions is unknown, and it counts once.
        unk=pl.when(pl.col("excluded").is_not_null()).then(0).when(assigned).then(1).otherwise(hidden).cast(pl.Float64),
        exc=pl.when(pl.col("excluded").is_null()).then(pl.col("too_young").fill_null(0)).otherwise(0).cast(pl.Float64)),
        "pooled", unit="share")
    quantiles = {how: Population(spread, how, "ratio") for how in ("median", "p90")}
    return {**quantiles, "pooled": pooled}


@metric(
    "PRV-05", title="Service accounts with a wildcard or unbounded scope",
    question="How many service accounts may do anything, or on anything?",
    numerator="allows a wildcard action or scope without a narrowing condition",
    denominator="non-human identities whose permissions are known",
    kind="census", direction="lower", green=0.05, red=0.25, refs=("AC-6",), needs="account inventories with policies",
    tables=_TABLES, snapshot="entitlements")
def wildcard_scope(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    known = pl.col("granted").is_not_null()
    frame = context.objects.with_columns(
        truth=pl.when(known).then(pl.col("wildcard")),
        reason=pl.when(~known | pl.col("wildcard").is_null()).then(doubt("its permissions are not known"))
        .when("wildcard").then(pl.lit("allows a wildcard without a narrowing condition"))
        .otherwise(pl.lit("every grant names actions and scopes")),
        lack=lack(known, known), source_rows=pl.coalesce("grants", "source_rows"))
    return {"all": population(frame)}


@metric(
    "PRV-18", title="Privileged accounts nobody used",
    question="Which accounts with administrator-like rights were dormant for the whole look-back?",
    numerator="no use in the look-back: no event of any outcome, and no last use that the provider states",
    denominator="identities of every kind that hold a sensitive permission of weight 10 or reach administrator "
                "control, older than the look-back, whose account's log spans it",
    kind="census", direction="lower", green=0.01, red=0.15, refs=("AC-2(3)", "NHI1:2025"),
    needs="account inventories with policies, and 90 days of activity logs",
    tables=("identities", "entitlements", "usage"), snapshot="entitlements")
def dormant_privileged(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    facts = context.facts
    listed = context.identities.filter(pl.col("inventoried").fill_null(value=False) & (pl.col("kind") != "group"))
    top = pl.col("weight_max") >= _WEIGHT_TOP
    held = context.with_logs_of_use(as_objects(listed)).join(
        context.permissions, left_on="object_id", right_on="principal_id", how="inner").join(
        context.last_use, left_on="object_id", right_on="id", how="left").with_columns(
        privileged=pl.when(top | pl.col("admin_equivalent")).then(pl.lit(value=True))
        .when(pl.col("granted").is_not_null() & pl.col("admin_equivalent").is_not_null()).then(pl.lit(value=False)))
    # Identities of providers whose permissions no inventory lists are no members of this population, known or unknown.
    unlisted = pl.col("privileged").is_null() & pl.col("granted").is_null() & (pl.col("doubt_code") == "no_source")
    spanned = context.spanned(facts.lookback_days)
    frame = held.filter(pl.col("privileged").fill_null(value=True)).with_columns(
        excluded=pl.coalesce(
            "excluded", pl.when(unlisted).then("doubt"),
            pl.when(young(context)).then(pl.lit("younger than the look-back"))),
        truth=pl.when("privileged").then(pl.when(pl.col("last_use") > facts.lookback_start).then(
            pl.when(spanned).then(pl.lit(value=False))).when(spanned).then(pl.lit(value=True))),
        reason=pl.when(pl.col("privileged").is_null()).then(doubt("whether it is privileged is not known"))
        .when(~spanned).then(pl.lit("its log does not span the look-back"))
        .when(pl.col("last_use").is_null()).then(pl.lit("never seen in use"))
        .otherwise(pl.format("last used on {}", pl.col("last_use").dt.date())),
        lack=pl.when(pl.col("privileged").is_not_null() & ~spanned).then(pl.lit("lookback_too_short")),
        source_rows=pl.coalesce("grants", "source_rows"))
    return {"all": population(frame)}
