"""Ends of edges that are named by name or property, and the nodes they turn out to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, name, objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SOURCE, _DIRECTORY = "ad_opengraph", "ad_sharphound"
# Inventories of Entra, whose users BloodHound names by their user principal name.
_ENTRA, _ENTRA_USER = ("ad_azurehound", "entra_directory"), "azuser"
_PREFIX = "opengraph::match/"
_SEPARATORS = re.compile(r"[/=&]")
# A node's properties that are kept, and as what.
_KEPT = {"email": "email", "mail": "email", "login": "login", "username": "username", "userprincipalname": "upn",
         "upn": "upn", "node_id": "node_id", "samaccountname": "username", "name": "name", "displayname": "name"}


def placeholder(by: str, kind: str | None, end: Fields) -> str | None:
    """``opengraph::match/<kind>/<property>=<value>``, joined by ``&`` for several; None when nothing is stated."""
    if by == "name":
        stated = [("name", name(end.get("value")))]
    else:
        stated = [(name(item.get("key")) or "", name(item.get("value"))) for item in objects(
            end.get("property_matchers"))]
    terms = sorted(f"{_KEPT.get(key.lower(), key.lower())}={_SEPARATORS.sub('?', value).lower()}"
                   for key, value in stated if key and value)
    if not terms:
        return None
    return identity_id("opengraph", None, f"match/{_SEPARATORS.sub('?', kind or '').lower()}/{'&'.join(terms)}")


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Every end that exactly one node answers to becomes that node."""
    found = dict(tables)
    if "entitlements" not in found:
        return found
    named = _named(found)
    wanted = _wanted(found["entitlements"])
    if not wanted:
        return found
    meant = {end: next(iter(nodes)) for end in wanted if len(nodes := _meant(end, named)) == 1}
    found["entitlements"] = found["entitlements"].with_columns(
        pl.when(pl.col("source") == _SOURCE).then(pl.col(key).replace(meant)).otherwise(pl.col(key)).alias(key)
        for key in ("principal_id", "scope"))
    return found


def _wanted(entitlements: pl.LazyFrame) -> set[str]:
    mine = entitlements.filter(pl.col("source") == _SOURCE).select("principal_id", "scope").collect()
    return {end for key in ("principal_id", "scope") for end in mine[key].drop_nulls() if end.startswith(_PREFIX)}


def _named(tables: Mapping[str, pl.LazyFrame]) -> dict[tuple[str, str], set[str]]:
    """Nodes by kind and term, and by the term alone under an empty kind."""
    named: dict[tuple[str, str], set[str]] = {}
    for table, kind in (("identity_facts", "subkind"), ("resources", "kind")):
        if table not in tables:
            continue
        listed = tables[table].filter(pl.col("source").is_in([_SOURCE, _DIRECTORY]))
        columns = ["source", "id", kind, "display_name", *(["alt_ids"] if table == "identity_facts" else [])]
        for source, identity, sort, label, *rest in listed.select(columns).collect().iter_rows():
            terms = {(alt["kind"], alt["value"]) for held in rest for alt in held or ()}
            if source == _DIRECTORY:  # whose names are account and domain, as BloodHound writes them
                terms |= {("name", value) for key, value in terms if key == "username"}
            elif label:
                terms.add(("name", label))
            for key, value in terms:
                term = f"{key}={_SEPARATORS.sub('?', value).lower()}"
                for under in ((sort or "").lower(), ""):
                    named.setdefault((_SEPARATORS.sub("?", under), term), set()).add(identity)
    if "identity_facts" in tables:
        for term, identity in _entra_users(tables["identity_facts"]):
            named.setdefault((_ENTRA_USER, term), set()).add(identity)
    return named


def _entra_users(facts: pl.LazyFrame) -> Iterator[tuple[str, str]]:
    listed = facts.filter(pl.col("source").is_in(_ENTRA) & (pl.col("subkind") == "user")).select(
        "id", "alt_ids").collect()
    # An object id is one user's; a listing that does not say whose tenant it is of adds nobody to one that does.
    placed = {identity.split(":", 2)[2] for identity in listed["id"] if not identity.startswith("entra::")}
    for identity, held in listed.iter_rows():
        if identity.startswith("entra::") and identity.split(":", 2)[2] in placed:
            continue
        for alt in held or ():
            if alt["kind"] == "upn":
                value = _SEPARATORS.sub("?", alt["value"]).lower()
                yield from ((f"{key}={value}", identity) for key in ("upn", "name"))


def _meant(end: str, named: Mapping[tuple[str, str], set[str]]) -> set[str]:
    kind, _, terms = end.removeprefix(_PREFIX).partition("/")
    found = [named.get((kind, term), set()) for term in terms.split("&")]
    return set.intersection(*found) if found else set()
