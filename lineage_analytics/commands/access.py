"""``lineage allowed`` and ``paths``: who may do what, who reaches what, and by which statements."""

from __future__ import annotations

from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING

from lineage_analytics.commands import console
from lineage_analytics.text import printable

if TYPE_CHECKING:
    import argparse

    from lineage_analytics.workspace.estate import Estate

_LOOKED_AT = 5000


def _estate(given: argparse.Namespace) -> Estate:
    from lineage_analytics import analysis

    estate = analysis.open(given.workspace, given.as_of, given.window, given.lookback)
    if estate.organisation[1]:
        console.note("Synthetic data: no real person, company or account")
    return estate


def _nearest(estate: Estate, name: str) -> list[str]:
    """Names like one that nobody carries; none where somebody does."""
    from lineage_analytics.identities.who import meant

    identities = estate.frame("identities")
    if meant(identities, estate.frame("aliases"), name):
        return []
    names = identities["display_name"].drop_nulls().unique().sort().head(_LOOKED_AT).to_list()
    return get_close_matches(name, names, n=3, cutoff=0.6)


def allowed(given: argparse.Namespace) -> int:
    from lineage_analytics import analysis

    estate = _estate(given)
    found = analysis.allowed(estate, given.principal, given.action, given.resource)
    near = _nearest(estate, given.principal)
    if near:
        console.note(f"Nobody is known by that name; near it: {', '.join(printable(name) for name in near)}")
    if given.json:
        console.document(asdict(found))
    else:
        print(found)
    return 0


def paths(given: argparse.Namespace) -> int:
    import polars as pl

    from lineage_analytics import analysis

    access = analysis.access_lineage(_estate(given))
    found = access.paths(given.to)
    if given.anybody:
        found = found.filter(pl.col("principal_id") == access.node(given.anybody))
    if given.json:
        console.document({"to": given.to, "paths": found.head(given.limit).to_dicts(), "count": found.height})
        return 0
    labels = dict(access.nodes.select("node_id", "label").iter_rows())
    if found.is_empty():
        who = f"{printable(given.anybody)} has no known way" if given.anybody else "Nobody has a known way"
        print(f"{who} to {printable(given.to)}")
    for row in found.head(given.limit).iter_rows(named=True):
        sure = "" if row["state"] == "proved" else ", if a condition holds"
        hops = "is there" if not row["hops"] else f"{row['hops']} hop{'s' * (row['hops'] != 1)}{sure}"
        who = row["principal_id"]
        print(f"{printable(labels.get(who, who))} ({printable(who)}): {hops}")
        for node, technique in zip(row["path"][1:], row["techniques"], strict=False):
            print(f"  {printable(technique, 80)} -> {printable(labels.get(node, node), 100)}")
        for reason in row["evidence"]:
            print(f"    because {printable(reason, 300)}")
    if found.height > given.limit:
        print(f"and {found.height - given.limit:,} more")
    return 0
