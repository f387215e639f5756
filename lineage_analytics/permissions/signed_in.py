"""Groups of Active Directory that nobody lists members of: who signs in is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.aws.principals import native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.facts import Facts

PROVIDER = "ad"
_AUTHENTICATED, _EVERYONE = "S-1-5-11", "S-1-1-0"
_ACCOUNTS = ("513", "515")


def signed_in(facts: Facts) -> list[tuple[str, str, str]]:
    """Member, group and why: Domain Users and Domain Computers are authenticated users of their domain, and those are
    everyone. Only of domains whose name some record states, and of groups some record speaks of."""
    found: set[tuple[str, str, str]] = set()
    known = _spoken_of(facts)
    for sid, name in _names(facts):
        authenticated, everyone = (f"ad::{name}-{end}" for end in (_AUTHENTICATED, _EVERYONE))
        accounts = [one for end in _ACCOUNTS if (one := f"ad:{sid}:{sid}-{end}") in known]
        if authenticated in known or everyone in known:
            found |= {(one, authenticated, "every account that signs in is an authenticated user") for one in accounts}
        if everyone in known:
            found.add((authenticated, everyone, "every authenticated user is part of everyone"))
    return sorted(found)


def _spoken_of(facts: Facts) -> set[str]:
    grants = facts.frame("entitlements").filter(pl.col("provider") == PROVIDER)
    return {*facts.frame("identities").filter(pl.col("provider") == PROVIDER)["id"],
            *grants["principal_id"].drop_nulls(), *grants["scope"].drop_nulls()}


def _names(facts: Facts) -> Iterator[tuple[str, str]]:
    """Domain SIDs with the domain's name: as the domain states it, else as its principals' names end."""
    domains = facts.frame("resources").filter((pl.col("provider") == PROVIDER) & (pl.col("kind") == "domain"))
    found = {(native(identity)[1], label.upper()) for identity, label in
             domains.select("id", "display_name").drop_nulls().iter_rows()}
    named = facts.frame("identities").filter(pl.col("provider") == PROVIDER).select("id", "display_name").drop_nulls()
    found |= {(identity.split(":")[1], label.rpartition("@")[2].upper()) for identity, label in named.iter_rows()
              if "@" in label and identity.rpartition("-")[2] in _ACCOUNTS}
    yield from sorted(found)
