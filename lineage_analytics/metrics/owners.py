"""Whether a stated owner is a valid one: resolves, is active, is not the account itself, confirmed within a year."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from lineage_analytics.metrics.context import Context

CONFIRMED_WITHIN = timedelta(days=365)
# Whoever created an account, or manages its user, is not thereby its owner.
_NOT_OWNERS = ("created_by", "manager")
_PERSON_NAMES = ("email", "upn", "login")
_DIRECTORIES = {"entra": 0, "m365": 0, "okta": 1, "gworkspace": 2, "gcp": 2, "ad": 3, "aws": 4}


def owner_validity(context: Context) -> pl.DataFrame:
    """Per service account ``object_id, owner_valid`` (null: cannot be known) and ``owner_reason`` in words.

    Any valid owner makes it true; else any doubtful one unknown; else false. A tag carries no date of confirmation,
    so an account with a good owner in a tag alone is unknown (design section 2, owner, valid).
    """
    judged = _stated(context).join(
        _index(context), left_on=pl.col("owner_id").str.to_lowercase(), right_on="name", how="left")
    # Confirmations are given as days, so days are compared.
    confirmed = pl.col("owner_confirmed_at").dt.date() >= context.facts.as_of.date() - CONFIRMED_WITHIN
    itself = (pl.col("owner_id") == pl.col("id")) | (pl.col("found") == pl.col("id"))
    rules: list[tuple[pl.Expr, bool | None, pl.Expr]] = [
        (itself, False, pl.lit("the stated owner is the account itself")),
        (pl.col("ambiguous"), None, pl.format("owner {} could be several identities", "owner_id")),
        (pl.col("found").is_null() & pl.lit(_people_listed(context)), False,
         pl.format("owner {} matches no known person", "owner_id")),
        (pl.col("found").is_null(), None,
         pl.format("owner {} cannot be checked: no list of people is loaded", "owner_id")),
        (pl.col("active").not_(), False, pl.format("owner {} has left or is disabled", "owner_id")),
        (pl.col("active").is_null(), None, pl.format("whether owner {} is active is not known", "owner_id")),
        (pl.col("owner_confirmed_at").is_null(), None, pl.format("owner {} was never confirmed on record", "owner_id")),
        (confirmed, True, pl.format("owner {}, confirmed on {}", "owner_id", pl.col("owner_confirmed_at").dt.date())),
    ]
    stale = pl.format("owner {} was last confirmed on {}", "owner_id", pl.col("owner_confirmed_at").dt.date())
    valid, reason = pl.lit(value=False), stale
    for test, answer, words in reversed(rules):
        hit = test.fill_null(value=False)
        valid = pl.when(hit).then(pl.lit(answer, dtype=pl.Boolean)).otherwise(valid)
        reason = pl.when(hit).then(words).otherwise(reason)
    owners = judged.with_columns(valid=valid, why=reason).with_columns(
        rank=pl.when("valid").then(0).when(pl.col("valid").is_null()).then(1).otherwise(2))
    best = owners.sort("id", "rank", "owner_id").unique("id", keep="first", maintain_order=True)
    return context.nhis.select("id").join(best.select("id", "valid", "why"), on="id", how="left").select(
        pl.col("id").alias("object_id"),
        owner_valid=pl.when(pl.col("why").is_null()).then(pl.lit(value=False)).otherwise("valid"),
        owner_reason=pl.col("why").fill_null("no owner is stated"))


def _stated(context: Context) -> pl.DataFrame:
    return context.nhis.select("id", "owner", "owner_confirmed_at").explode("owner").with_columns(
        owner_id=pl.col("owner").struct.field("id"), basis=pl.col("owner").struct.field("basis"),
    ).filter(pl.col("owner_id").is_not_null() & ~pl.col("basis").is_in(_NOT_OWNERS)).drop("owner")


def _index(context: Context) -> pl.DataFrame:
    """Every name an identity goes by, lower case, with the identity and whether it is active.

    An address is asked of declared persons first, then of one directory after another: what a help desk or a code host
    calls by the same address adds nothing. A name several identities share there is ambiguous unless all of them are
    one person's.
    """
    identities = context.identities.select(
        "id", "alt_ids", "person_id", "enabled", "inventoried", "deleted_at", asked=_asked())
    names = [
        identities.select(name=pl.col("id"), id="id"),
        identities.select("id", "alt_ids").explode("alt_ids").select(
            name=pl.col("alt_ids").struct.field("value"), id="id"),
        identities.select(name=pl.col("person_id"), id="id"),
        context.facts.frame("aliases").select(name="alias", id="id"),
    ]
    active = (
        pl.when((pl.col("enabled") == pl.lit(value=False)) | (pl.col("deleted_at") <= context.facts.as_of))
        .then(pl.lit(value=False)).when(pl.col("inventoried").fill_null(value=False)).then(pl.lit(value=True)))
    spelled = pl.concat([frame.select("name", "id") for frame in names]).drop_nulls().with_columns(
        pl.col("name").str.to_lowercase()).unique().join(
        identities.with_columns(active=active, person=pl.coalesce("person_id", "id")).select(
            "id", "active", "person", "asked"), on="id", how="inner").filter(
        pl.col("asked") == pl.col("asked").min().over("name"))
    # One person's accounts: the person is active while any of them is.
    return spelled.group_by("name").agg(
        found=pl.col("id").min(), ambiguous=pl.col("person").n_unique() > 1,
        active=pl.when(pl.col("active").any(ignore_nulls=True)).then(pl.lit(value=True))
        .when(pl.col("active").is_null().any()).then(None).otherwise(pl.lit(value=False))).sort("name")


def _asked() -> pl.Expr:
    """Whose word on a name counts, smallest first."""
    listed = pl.col("inventoried").fill_null(value=False)
    place = pl.col("provider").replace_strict(_DIRECTORIES, default=len(_DIRECTORIES), return_dtype=pl.Int64)
    return pl.when(listed & pl.col("person_id").is_not_null()).then(-1).otherwise(
        place + pl.when(listed).then(0).otherwise(100))


def _people_listed(context: Context) -> bool:
    """Whether some inventory or declaration lists people by the names that owners are stated in."""
    people = context.identities.filter(
        pl.col("inventoried").fill_null(value=False) & (pl.col("kind") == "human"))
    named = pl.col("alt_ids").list.eval(pl.element().struct.field("kind").is_in(_PERSON_NAMES)).list.any()
    return bool(people.filter(pl.col("person_id").is_not_null() | named.fill_null(value=False)).height)
