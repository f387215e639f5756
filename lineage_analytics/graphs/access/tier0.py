"""What is tier 0 by default, and how much each kind of node weighs: data files an analyst edits."""

from __future__ import annotations

import re
from functools import lru_cache

from lineage_analytics.permissions.datafiles import rows


@lru_cache(maxsize=1)
def _rules() -> dict[tuple[str, str], re.Pattern[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows("tier0", ("provider", "kind", "match", "reason"), room="graphs"):
        pattern = re.escape(row["match"].casefold()).replace(re.escape("*"), ".*")
        found.setdefault((row["provider"], row["kind"]), []).append(pattern)
    return {key: re.compile("|".join(f"(?:{one})" for one in patterns), re.DOTALL) for key, patterns in found.items()}


@lru_cache(maxsize=65536)
def is_tier0(provider: str, kind: str, name: str) -> bool:
    """Is a role, group or resource of this name tier 0 by default? Case means nothing."""
    rule = _rules().get((provider, kind))
    return rule is not None and rule.fullmatch(name.casefold()) is not None


@lru_cache(maxsize=1)
def _weights() -> dict[str, int]:
    return {row["kind"]: int(row["weight"]) for row in rows("criticality", ("kind", "weight", "reason"), room="graphs")}


def weight(kind: str, *, tier0: bool) -> int:
    """The criticality of a node; of a kind the file does not name, 0."""
    return _weights()["tier0"] if tier0 else _weights().get(kind, 0)
