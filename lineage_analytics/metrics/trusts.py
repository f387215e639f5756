"""Trusts across a boundary that tie nobody down: PRV-20 (design section 3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.lists import listed
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.permissions.aws.principals import account_of, is_service, native

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.metrics.context import Context

# Operators by which a value has to be one of those listed; what is negated or asks for a null ties nobody.
_TYING = re.compile(r"(?i)^(?:For(?:AnyValue|AllValues):)?(?:String(?:Equals|EqualsIgnoreCase|Like)|Arn(?:Equals|Like))"
                    r"(IfExists)?$")
_ACCOUNT = re.compile(r"\d{12}")
_POOL = re.compile(r"^principal(?:Set)?://iam\.googleapis\.com/.*/workloadIdentityPools/[^/]+/(.+)$")
_GOOGLE_ROLES = ("roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator")


@dataclass(frozen=True)
class Trust:
    """Who may become what across which boundary, and what ties it (null: nothing; unknown: cannot be told)."""

    trusted: str
    target: str
    boundary: str
    tie: str | None
    record: str
    unknown: str | None = None


@metric(
    "PRV-20", title="Trusts across a boundary without a condition",
    question="Who outside may become one of ours with nothing to tie it to them?",
    numerator="no condition on an external id, an audience or a subject",
    denominator="trusts across a boundary: a role that trusts another account, everybody or a federation provider; an "
                "application's federated credential; a service account that trusts a workload identity pool of Google "
                "Cloud (of a whole pool it is unknown: the pool's own condition is not loaded). A condition that is "
                "negated, matches everything or passes where the key is absent ties nobody. One trust per pair; of "
                "several statements the open one counts. Services of the provider are no other side",
    kind="census", direction="lower", green=0.0, red=0.10, refs=("NHI6:2025",),
    needs="trust policies of roles or federated credentials", tables=("entitlements", "credentials"),
    snapshot="entitlements")
def trusts_without_condition(context: Context) -> Mapping[str, Population]:
    found = [*_aws(context), *_google(context), *_federated(context)]
    if not found and not _read(context):
        return {}
    outside = context.identities.select("excluded_reason", "gone", target="id")
    frame = pl.DataFrame(
        [(t.trusted, t.target, t.boundary, t.tie, t.record, t.unknown) for t in found], orient="row",
        schema={"trusted": pl.String, "target": pl.String, "boundary": pl.String, "tie": pl.String,
                "record": pl.String, "unknown": pl.String})
    open_ = pl.col("tie").is_null() & pl.col("unknown").is_null()
    merged = frame.group_by("trusted", "target", "boundary").agg(
        open=open_.any(), tie=pl.col("tie").drop_nulls().unique().sort().str.join(", "),
        unknown=pl.col("unknown").drop_nulls().sort().first(),
        source_rows=pl.col("record").filter(pl.col("record") != "").unique().sort().head(RECORDS_SHOWN))
    return {"all": population(merged.join(outside, on="target", how="left").with_columns(
        object_id=pl.concat_str("trusted", "target", separator="|"), object_kind=pl.lit("trust"),
        excluded=pl.when(pl.col("excluded_reason") == "provider_managed").then(pl.lit("managed by the provider"))
        .when(pl.col("gone") == "deleted").then(pl.lit("deleted")),
        truth=pl.when("open").then(pl.lit(value=True)).when(pl.col("unknown").is_null()).then(pl.lit(value=False)),
        reason=pl.concat_str("boundary", pl.lit(": "), pl.when("open").then(
            pl.lit("no condition on an external id, an audience or a subject"))
            .when(pl.col("unknown").is_not_null()).then("unknown")
            .otherwise(pl.format("tied by {}", "tie"))),
        lack=pl.when(~pl.col("open") & pl.col("unknown").is_not_null()).then(pl.lit("no_source"))))}


def _read(context: Context) -> bool:
    """Is there any trust policy, so that none across a boundary is a finding?"""
    trusts = context.facts["entitlements"].filter(pl.col("grant_kind") == "trust").head(1).collect()
    return bool(trusts.height)


def _aws(context: Context) -> Iterator[Trust]:
    rows = context.facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust") & (pl.col("provider") == "aws")
        & (pl.col("effect").fill_null("allow") == "allow")
        & (pl.col("privilege").is_null() | pl.col("privilege").str.contains(r"(?i)assumerole|\*"))
    ).select("principal_id", "scope", "privilege", "condition", "record_id").drop_nulls(["principal_id", "scope"])
    for trusted, role, privilege, condition, record in rows.iter_rows():
        boundary = _boundary(trusted, native(role)[0], privilege or "")
        if boundary is not None:
            yield Trust(trusted, role, boundary, ties(condition), record or "")


def _boundary(trusted: str, account: str, privilege: str) -> str | None:
    """What a trust goes across, in words; null where both sides are one account, or the other is a service of AWS."""
    key = native(trusted)[1]
    if key == "*":
        return "everybody"
    if ":saml-provider/" in key or ":oidc-provider/" in key or re.search(r"(?i)with(saml|webidentity)", privilege):
        return f"federation by {key.split('-provider/')[-1]}"
    if is_service(trusted):
        return None
    other = key if _ACCOUNT.fullmatch(key) else account_of(key) or native(trusted)[0]
    return f"account {other}" if _ACCOUNT.fullmatch(other) and other != account else None


def ties(condition: str | None) -> str | None:
    """Which keys of a condition tie a trust to somebody, by name; null: none. An unreadable condition ties nobody."""
    try:
        said = msgspec.json.decode(condition or "{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(said, dict) and isinstance(said.get("Condition"), dict):  # beside a NotPrincipal
        said = said["Condition"]
    found: set[str] = set()
    for operator, keys in said.items() if isinstance(said, dict) else ():
        tying = _TYING.fullmatch(operator)
        if tying is None or not isinstance(keys, dict):
            continue
        lenient = bool(tying[1]) or operator.lower().startswith("forallvalues:")
        found.update(key for key, values in keys.items() if _named(values) and _tying(key, lenient=lenient))
    return ", ".join(sorted(found)) or None


def _named(values: object) -> bool:
    """Do the values name anybody? One of nothing but wildcards does not."""
    held = values if isinstance(values, list) else [values]
    return bool(held) and all(str(value).strip("*?") for value in held)


def _tying(key: str, *, lenient: bool) -> bool:
    return any(pattern.fullmatch(key) and not (lenient and passes) for pattern, passes in _keys())


@cache
def _keys() -> tuple[tuple[re.Pattern[str], bool], ...]:
    return tuple((re.compile(re.escape(row["key"]).replace(r"\*", ".*"), re.IGNORECASE), row["absent"] == "passes")
                 for row in listed("trust_conditions"))


def _google(context: Context) -> Iterator[Trust]:
    rows = context.facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "role") & (pl.col("provider") == "gcp") & pl.col("privilege").is_in(_GOOGLE_ROLES)
        & (pl.col("effect").fill_null("allow") == "allow")
        & pl.col("principal_id").str.contains("workloadIdentityPools/")
    ).select("principal_id", "scope", "condition", "record_id").drop_nulls(["principal_id", "scope"])
    for trusted, target, condition, record in rows.iter_rows():
        pool = _POOL.fullmatch(native(trusted)[1])
        if pool is None:
            continue
        whole = pool[1] == "*" and not condition
        yield Trust(trusted, target, "a workload identity pool", None if whole else pool[1], record or "",
                    "the whole pool, whose own condition is not loaded" if whole else None)


def _federated(context: Context) -> Iterator[Trust]:
    rows = context.facts.frame("credentials").filter(
        (pl.col("kind") == "federated") & pl.col("issuer").is_not_null()
        & (pl.col("status").fill_null("active") == "active")
    ).select("identity_id", "issuer", "subject", "record_id").drop_nulls("identity_id")
    for target, issuer, subject, record in rows.iter_rows():
        named = subject if subject and subject.strip("*") else None
        yield Trust(issuer, target, f"federation by {issuer.split('://')[-1]}", f"subject {named}" if named else None,
                    record or "", None if named else "no subject is listed")
