"""Rights of principals that only a BloodHound OpenGraph file names, through memberships and roles.

An action is ``opengraph:`` with the kind of an edge, such as ``opengraph:GH_AdminTo``; a resource is the id of a node.
A file lists what its collector could see, and does not say what that is: what is not in it is unknown, not denied.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.decision import ALLOWED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.memberships import Memberships, Step, in_force

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.facts import Facts

PROVIDER = "opengraph"
PROVIDERS = frozenset({PROVIDER})
SOURCE = "ad_opengraph"
HEADER = ("kind", "followed", "rel", "state", "technique")
_HOLDING = ("hasrole", "hasbaserole")
_RECORDS = 20


@dataclass(frozen=True, slots=True)
class Right:
    """One edge that is neither membership nor a role held."""

    kind: str
    resource: str
    record: str


class Rights:
    """Edges of the files: what leads to a group or role, and what holders of them may do."""

    def __init__(self, facts: Facts) -> None:
        direct: dict[str, list[Step]] = defaultdict(list)
        self._held: dict[str, list[Right]] = defaultdict(list)
        listed = facts.frame("entitlements").filter((pl.col("source") == SOURCE) & in_force(facts)).select(
            "principal_id", "privilege", "scope", "grant_kind", "record_id").drop_nulls(
            ["principal_id", "privilege", "scope"]).unique().sort(pl.all(), nulls_last=True)
        for holder, kind, scope, sort, record in listed.iter_rows():
            if sort == "membership" or kind.casefold().endswith(_HOLDING):
                direct[holder].append(Step(scope, holder, record or "", conditional=False))
            else:
                self._held[holder].append(Right(kind, scope, record or ""))
        self._groups = Memberships(direct)

    def of(self, principal: str) -> Iterator[tuple[Right, tuple[Step, ...]]]:
        """Every right that reaches the principal, with the steps to who holds it."""
        for holder in (principal, *self._groups.above(principal)):
            for right in self._held.get(holder, ()):
                yield right, tuple(self._groups.chain(principal, holder))


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    """Kinds whose meaning is in the data file, in lower case."""
    return frozenset(row["kind"].casefold() for row in rows("opengraph_rights", HEADER, room="graphs"))


def rights(facts: Facts) -> Rights:
    """Rights of the estate, read once."""
    if "opengraph_rights" not in facts.parts:
        facts.parts["opengraph_rights"] = Rights(facts)
    return cast("Rights", facts.parts["opengraph_rights"])


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """Allowed where an edge of that kind reaches the resource; else unknown."""
    asked = action.removeprefix(f"{PROVIDER}:").casefold()
    found = []
    for right, chain in rights(facts).of(principal):
        if right.kind.casefold() == asked and resource in (right.resource, right.resource.split(":", 2)[-1]):
            via = f", through {' in '.join(step.group for step in chain)}" if chain else ""
            records = tuple(record for record in (right.record, *(step.record_id for step in chain)) if record)
            found.append(Because("allow", f"{right.kind} on {right.resource}{via}", tuple(dict.fromkeys(records))))
    if found:
        return Decision(principal, action, resource, ALLOWED, tuple(found[:_RECORDS]))
    says = "no edge of that kind is in the files; what their collector could not see is not in them"
    return Decision(principal, action, resource, UNKNOWN, (Because("missing", says),))


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the accounts and applications of the files.

    ``granted`` counts kinds of edges with the node each is on, basis ``assigned``; null, with the reason
    ``kind_unknown``, where it holds a kind that the data file does not know. ``used`` is null: a file is no log.
    """
    people = facts.frame("identities").filter(
        (pl.col("provider") == PROVIDER) & ~pl.col("kind").fill_null("unknown").is_in(["group", "role"])
    )["id"].unique().sort()
    have = rights(facts)
    found: list[dict[str, Any]] = []
    for person in people:
        held = list(have.of(person))
        records = {record for right, chain in held for record in (right.record, *(step.record_id for step in chain))}
        odd = sorted({right.kind for right, _ in held if right.kind.casefold() not in _known()})
        row: dict[str, Any] = {"principal_id": person, "record_ids": sorted(records - {""})[:_RECORDS]}
        if odd:
            row["reason"] = f"kind_unknown: what {', '.join(odd[:3])} gives is in no data file"
        else:
            row |= {"granted": len({(right.kind, right.resource) for right, _ in held}), "granted_basis": "assigned",
                    "reason": "no_source: no log of the use of these rights is read"}
        found.append(row)
    frame = pl.DataFrame(found, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if found else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS)
