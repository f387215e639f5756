"""Privileged assignments that stand for ever, against those one must activate or that end (PRV-06)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import NHI_KINDS
from lineage_analytics.metrics.population import Population, population

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

LOGS = ("entra_audit",)
"""Sources that tell of assignments as they are made: older ones stay unseen."""
_DIRECTORY = "entra"
_WEIGHT_TOP = 10
_EVERYWHERE = "/"
_KEY = ["principal_id", "role", "over"]
_STATES = {
    "standing": "permanent and active", "eligible": "must be activated", "timebound": "ends on its own",
    "activated": "active until its activation ends",
}


@cache
def privileged_roles() -> pl.DataFrame:
    """The roles whose assignments count: ``role`` (lower case), ``label``, ``role_id`` (null: none)."""
    text = (files(__package__) / "data" / "privileged_roles.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#"))
    return pl.DataFrame([(row["role"].lower(), row["role"], row["id"] or None) for row in rows],
                        schema={"role": pl.String, "label": pl.String, "role_id": pl.String}, orient="row")


@metric(
    "PRV-06", title="Privileged assignments that never end",
    question="Who holds power permanently that could be asked for when needed?",
    numerator="assignments that are permanent and active",
    denominator="assignments of privileged roles in force: permanent, eligible or time-bound. People: directory and "
                "resource roles. Service accounts: those, and each account that AWS policies give a sensitive "
                "permission of weight 10 (policies know no eligibility) counts as one permanent assignment. An "
                "assignment listed without saying whether it ends or was activated is unknown. Where "
                "assignments are known from change logs alone, older ones stay unseen and the measure is provisional",
    kind="census", direction="lower", green=0.05, red=0.60, refs=("MS.AAD.7.4",),
    needs="role assignments or privileged identity management events", scopes=("human", "nhi"),
    tables=("entitlements", "identities"), snapshot="entitlements")
def standing_share(context: Context) -> Mapping[str, Population]:
    roles = _roles(context)
    policies = _policies(context)
    people = roles.filter(pl.col("kind").is_in(["human", "unknown"]))
    machines = pl.concat([roles.filter(pl.col("kind").is_in([*NHI_KINDS, "unknown"])), policies])
    found = {}
    for scope, frame in (("human", people), ("nhi", machines)):
        if not frame.is_empty():
            unseen = bool((frame["logged"] & (frame["kind"] != "unknown")).any())
            found[scope] = population(frame, doubt="coverage_below_min" if unseen else None)
    return found


def _roles(context: Context) -> pl.DataFrame:
    """Assignments of privileged roles in force as objects of a population."""
    # Somebody who left and is listed with a role still holds it; of a log alone, the role ended with the account.
    known = context.identities.select("excluded", "gone", principal_id="id", kind="kind")
    return role_assignments(context).join(known, on="principal_id", how="left").select(
        pl.concat_str("principal_id", "privilege", "over", separator="|").alias("object_id"),
        pl.lit("assignment").alias("object_kind"), pl.col("kind").fill_null("unknown"),
        pl.coalesce(pl.when("logged").then("gone").otherwise("excluded"),
                    pl.when(pl.col("kind").fill_null("unknown") == "unknown").then(pl.lit("kind unknown")))
        .alias("excluded"),
        (pl.col("state") == "standing").alias("truth"),
        pl.format("{}: {}", "privilege", pl.col("state").replace(_STATES).fill_null(
            "whether it ends or must be activated is not listed")).alias("reason"), "source_rows", "logged",
    ).sort("object_id")


def role_assignments(context: Context) -> pl.DataFrame:
    """Assignments of privileged roles in force at as_of, one per holder (who may be a group), role and scope.

    Returns
    -------
    frame : ``principal_id role over``; ``state`` standing, eligible, timebound, activated or null (not listed);
        ``privilege``, the role as written; ``logged``: known from change logs alone; ``source_rows``.
    """
    as_of = context.facts.as_of
    began = pl.coalesce("granted_at", "as_of")
    stated = context.facts["entitlements"].filter(
        (pl.col("grant_kind") == "role") & (pl.col("effect").fill_null("allow") == "allow")
        & (pl.col("provider").fill_null(_DIRECTORY) == _DIRECTORY) & pl.col("principal_id").is_not_null()
        & (pl.col("state").is_in(list(_STATES)) | pl.col("state").is_null())
        & (began.is_null() | (began <= as_of))
    ).select("principal_id", "privilege", "state", "expires_at", "source", "record_id",
             over=pl.col("scope").fill_null(_EVERYWHERE), role=pl.col("privilege").str.to_lowercase()).join(
        privileged_roles().lazy().select("role"), on="role", how="semi").collect()
    direct = _direct(context).join(stated.select("record_id"), on="record_id", how="anti")
    grants = pl.concat([stated, direct.select(stated.columns)])
    ended = _ended(context, grants)
    live = grants.join(ended, on="record_id", how="anti").filter(
        pl.col("expires_at").is_null() | (pl.col("expires_at") > as_of))
    order = pl.col("state").replace_strict(
        {"standing": 0, "eligible": 1, "timebound": 2, "activated": 3}, default=4, return_dtype=pl.Int64)
    # An activation is the use of an assignment one was eligible for, not another assignment.
    return live.with_columns(order=order).sort(*_KEY, "order", "record_id").group_by(_KEY, maintain_order=True).agg(
        pl.col("state").first(), pl.col("privilege").first(), logged=pl.col("source").is_in(LOGS).all(),
        source_rows=pl.col("record_id").unique().sort())


def _direct(context: Context) -> pl.DataFrame:
    """Roles given directly, past privileged identity management: such an assignment stands until it is removed.

    The target of such a step reads ``<provider>:<tenant>:role/<template id>|<principal>[|<scope>]``.
    """
    parts = r"^(.+):role/([^|]+)\|([^|]+)(?:\|(.+))?$"
    target = pl.col("target_key")
    holder = pl.concat_str(target.str.extract(parts, 1), target.str.extract(parts, 3), separator=":")
    roles = privileged_roles().lazy().unique("role_id", keep="last", maintain_order=True)
    return context.facts["decision_steps"].filter(
        (pl.col("kind") == "action") & pl.col("effect_key").str.starts_with("grant(")
        & pl.col("native_key_kind").is_null() & (pl.col("status") == "succeeded")
        & (pl.col("time") <= context.facts.as_of) & target.str.contains(parts)
    ).select("record_id", "expires_at", "source", role_id=target.str.extract(parts, 2), alias=holder,
             over=target.str.extract(parts, 4).fill_null(_EVERYWHERE)).join(
        roles, on="role_id").join(
        context.facts["aliases"].group_by("alias").agg(pl.col("id").min()), on="alias", how="left").select(
        "expires_at", "record_id", "over", "role", "source", principal_id=pl.coalesce("id", "alias"), privilege="label",
        state=pl.when(pl.col("expires_at").is_null()).then(pl.lit("standing")).otherwise(pl.lit("timebound"))).collect()


def _ended(context: Context, grants: pl.DataFrame) -> pl.DataFrame:
    """Records of grants that a later removal took back: same effect, ``revoke(x)`` after ``grant(x)``."""
    as_of = context.facts.as_of
    steps = context.facts["decision_steps"].filter(
        pl.col("effect_key").is_not_null() & (pl.col("time") <= as_of)
        & (pl.col("status").fill_null("succeeded") == "succeeded")
    ).select("record_id", "time", verb=pl.col("effect_key").str.extract(r"^(\w+)\("),
             of=pl.col("effect_key").str.extract(r"^\w+(\(.*)$")).collect()
    given = steps.filter(pl.col("verb") == "grant").join(grants.select("record_id").unique(), on="record_id",
                                                         how="semi")
    taken = steps.filter(pl.col("verb") == "revoke").group_by("of").agg(until=pl.col("time").max())
    return given.join(taken, on="of").filter(pl.col("until") > pl.col("time")).select("record_id").unique()


def _policies(context: Context) -> pl.DataFrame:
    """Service accounts to which AWS policies give a permission of weight 10: one standing assignment each."""
    return context.objects.filter(
        (pl.col("provider") == "aws") & pl.col("object_kind").is_in(NHI_KINDS)
        & (pl.col("weight_max") >= _WEIGHT_TOP).fill_null(value=False)
    ).select(
        pl.concat_str("object_id", pl.lit("aws policies"), separator="|").alias("object_id"),
        pl.lit("assignment").alias("object_kind"), pl.col("object_kind").alias("kind"), "excluded",
        pl.lit(value=True).alias("truth"),
        pl.lit("AWS policies give it a sensitive permission of weight 10 for good").alias("reason"),
        pl.coalesce("grants", "source_rows").alias("source_rows"), pl.lit(value=False).alias("logged"))
