"""Hand-made Active Directory: rows as SharpHound's loader writes them, in few words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.graphs.access.ad import edges
from lineage_analytics.graphs.access.parts import Builder
from tests import _entra

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

T = "S-1-5-21-1-2-3"
DOMAIN = f"ad:{T}:{T}"
PRINCIPALS = ("user", "group", "computer")


def sid(name: str) -> str:
    """An object of the domain; a whole id stays as it is."""
    return name if name.startswith("ad:") else f"ad:{T}:{T}-{name}"


def says(who: str, right: str | None, what: str, **more: Any) -> dict[str, Any]:
    """A right over an object; without a right a membership."""
    return {"principal_id": sid(who), "grant_kind": "right" if right else "membership", "privilege": right,
            "scope": sid(what), "effect": "allow", "state": "standing", "tenant": T, "provider": "ad",
            "source": "ad_sharphound", "record_id": f"rec-{who}-{right}-{what}", **more}


def object_(name: str, kind: str, label: str | None = None, **attributes: Any) -> dict[str, Any]:
    """An object that is no principal."""
    return {"id": sid(name), "kind": kind, "provider": "ad", "tenant": T, "record_id": f"rec-{name}",
            "display_name": label or name, "attributes": json.dumps(attributes) if attributes else None}


def principal(name: str, kind: str = "user", label: str | None = None) -> dict[str, Any]:
    return {"id": sid(name), "kind": {"group": "group", "computer": "workload"}.get(kind, "human"), "subkind": kind,
            "provider": "ad", "tenant": T, "display_name": label or name, "record_ids": [f"rec-{name}"]}


def facts(*grants: dict[str, Any], of: tuple[dict[str, Any], ...] = ()) -> Facts:
    people = [row for row in of if "record_ids" in row]
    return _entra.facts(grants, people, [row for row in of if "record_ids" not in row], listed=False)


def made(*grants: dict[str, Any], of: tuple[dict[str, Any], ...] = ()) -> Builder:
    build = Builder()
    edges(facts(*grants, of=of), build)
    return build


def ends(build: Builder, rel: str = "controls") -> set[tuple[str, str, str]]:
    """Source, target and state of the edges of a relation; objects of the domain by their short names."""
    rows = build.edges().filter(pl.col("rel") == rel).select("src", "dst", "state")
    return {(short(src), short(dst), state) for src, dst, state in rows.iter_rows()}


def short(identity: str) -> str:
    return identity.removeprefix(f"{DOMAIN}-") if identity != DOMAIN else "domain"


def behind(build: Builder, src: str, dst: str, rel: str = "controls") -> set[str]:
    """Records of one edge."""
    rows = build.edges().filter((pl.col("src") == sid(src)) & (pl.col("dst") == sid(dst)) & (pl.col("rel") == rel))
    return set(rows["record_ids"].explode().drop_nulls())
