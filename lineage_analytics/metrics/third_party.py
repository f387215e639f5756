"""Others' software with sensitive permissions: PRV-17 (design section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.unknowns import doubt
from lineage_analytics.permissions.aws.principals import account_of, native

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.metrics.context import Context

PUBLISHER = "publisher"
_PUBLISHED = ("app", "ai_agent", "ai_assistant")


@metric(
    "PRV-17", title="Others' software with sensitive permissions",
    question="Which suppliers could hurt us?",
    numerator="holds a sensitive permission",
    denominator="non-human identities of an external publisher: service principals of the directory whose application "
                "belongs to another directory, and AWS roles that an account outside the loaded ones may become under "
                "an external id, which is how suppliers do it. A service principal whose publisher is not listed, and "
                "a role that such an account may become without an external id, are unknown: it may be one's own",
    kind="census", direction="lower", green=0.10, red=0.40, refs=("NHI3:2025", "GV.SC-07"),
    needs="a directory listing with the publishers of applications, or role trust policies",
    tables=("identities", "entitlements", "resources"), snapshot="entitlements")
def third_party_privileged(context: Context) -> Mapping[str, Population]:
    external = _external(context)
    if external.is_empty():
        return {}
    known, sensitive = pl.col("granted").is_not_null(), pl.col("sensitive_granted")
    weighs = (pl.col("weight_max") > 0) | (sensitive > 0)
    frame = context.objects.join(external, on="object_id", how="inner")
    # Nobody's: an own account is no member; one that may be another's is unknown only where it would matter.
    frame = frame.filter(pl.col("external").fill_null(value=True))
    holds = pl.when(weighs.fill_null(value=False)).then(pl.lit(value=True)).when(
        known & (sensitive.is_not_null() | pl.col("weight_max").is_not_null())).then(pl.lit(value=False))
    return {"all": population(frame.with_columns(
        truth=pl.when("external").then(holds),
        reason=pl.concat_str("whose", pl.lit(": "), pl.when(holds).then(
            pl.format("holds sensitive permissions (weight {})", pl.col("weight_max").fill_null(1)))
            .when(holds.not_()).then(pl.lit("holds no sensitive permission"))
            .otherwise(doubt("its permissions are not known"))),
        lack=pl.when(pl.col("external").is_null()).then(pl.lit("definition_not_met"))
        .when(holds.is_null()).then(pl.lit("no_source")),
        source_rows=pl.concat_list(pl.col("rows").fill_null([]), pl.coalesce("grants", "source_rows").fill_null([]))
        .list.unique(maintain_order=True).list.head(RECORDS_SHOWN)))}


def _external(context: Context) -> pl.DataFrame:
    """``object_id``, ``external`` (null: not known), ``whose`` in words, ``rows``."""
    rows = [*_applications(context), *_roles(context)]
    return pl.DataFrame(sorted(rows), orient="row", schema={
        "object_id": pl.String, "external": pl.Boolean, "whose": pl.String, "rows": pl.List(pl.String)}).unique(
        "object_id", keep="first", maintain_order=True)


def _applications(context: Context) -> list[tuple[str, bool | None, str, list[str]]]:
    """Service principals of the directory; managed identities and registrations are the directory's own."""
    stated: dict[str, tuple[str | None, str | None]] = {}
    resources = context.facts.frame("resources").filter(pl.col("kind") == PUBLISHER).sort("parent_id", "record_id")
    for name, attributes, record in resources.select("parent_id", "attributes", "record_id").iter_rows():
        stated.setdefault(native(name or "")[1], (_directory(attributes), record))
    found: list[tuple[str, bool | None, str, list[str]]] = []
    software = context.nhis.filter((pl.col("provider") == "entra") & pl.col("kind").is_in(_PUBLISHED)
                                   & (pl.col("subkind") == "service_principal"))
    for name, tenant in software.select("id", "tenant").iter_rows():
        directory, record = stated.get(native(name)[1], (None, None))
        rows = [record] if record else []
        if directory is None or tenant is None:
            found.append((name, None, "its publisher is not listed" if tenant else
                          "the directory that lists it is not stated", rows))
        else:
            own = directory == tenant
            found.append((name, not own, "its application is this directory's" if own else
                          f"its application belongs to directory {directory}", rows))
    return found


def _directory(attributes: str | None) -> str | None:
    try:
        said = msgspec.json.decode(attributes or "{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    found = said.get("directory") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None


def _roles(context: Context) -> list[tuple[str, bool | None, str, list[str]]]:
    """AWS roles that an account may become of which nothing is loaded."""
    loaded = set(context.identities.filter(
        (pl.col("provider") == "aws") & pl.col("inventoried").fill_null(value=False))["tenant"].drop_nulls())
    trusts = context.facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust") & (pl.col("provider") == "aws")
        & (pl.col("effect").fill_null("allow") == "allow")
    ).select("principal_id", "scope", "condition", "record_id").drop_nulls(["principal_id", "scope"])
    found: dict[str, tuple[bool | None, str, list[str]]] = {}
    for trusted, role, condition, record in trusts.sort(pl.all()).iter_rows():
        key = native(trusted)[1]
        account = key if key.isdigit() else account_of(key)
        if account is None or not account.isdigit() or account in loaded or "-provider/" in key:
            continue
        outside = "sts:externalid" in (condition or "").lower()
        words = (f"account {account} may become it, under an external id" if outside else
                 f"account {account} may become it; whose account that is is not known")
        if role not in found or (outside and not found[role][0]):
            found[role] = (True if outside else None, words, [record] if record else [])
    return [(role, *said) for role, said in found.items()]
