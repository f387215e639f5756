"""Permission sets of IAM Identity Center: which roles a person or group enters through them.

An assignment names the set, the account and the user or group; the role it leads to is the one of that account whose
name is ``AWSReservedSSO_<set>_<16 hex digits>`` (IAM Identity Center User Guide, "Referencing permission sets").
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.memberships import in_force, memberships

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.aws.principals import Principal

_ROLE = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")
_SOURCE = "aws_identity_center"


@dataclass(frozen=True, slots=True)
class Assigned:
    """A permission set over an account as it reaches somebody: ``role`` null where no loaded export lists it,
    ``group`` null where the assignment names the user."""

    set_name: str
    account: str
    role: Principal | None
    group: str | None
    record_ids: tuple[str, ...]

    def says(self) -> str:
        """The assignment in words."""
        via = f", through group {self.group}" if self.group else ""
        return f"permission set {self.set_name} over account {self.account}{via}"


class PermissionSets:
    """Assignments of permission sets by user and group."""

    def __init__(self, facts: Facts, principals: Iterable[Principal]) -> None:
        self._roles: dict[tuple[str, str], Principal] = {}
        for principal in principals:
            found = _ROLE.fullmatch(principal.name) if principal.sort == "role" else None
            if found is not None:
                self._roles[principal.account, found[1]] = principal
        rows = facts.frame("entitlements").filter(
            (pl.col("source") == _SOURCE) & (pl.col("grant_kind") == "role") & in_force(facts)
        ).select("principal_id", "privilege", "scope", "record_id").drop_nulls(
            ["principal_id", "privilege", "scope"]).unique().sort(pl.all())
        self._assigned: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for holder, set_arn, scope, record in rows.iter_rows():
            self._assigned[holder].append((set_arn, scope.split(":")[1], record or ""))
        self._names = dict(facts.frame("resources").filter(pl.col("source") == _SOURCE).select(
            pl.col("id").str.extract(r"(arn:aws[^ ]*permissionSet/[^ ]+)$"), "display_name").drop_nulls().rows())
        self._groups = memberships(facts, ["aws"])
        self._labels = dict(facts.frame("identities").filter(pl.col("provider") == "aws").select(
            "id", "display_name").drop_nulls().rows())

    @property
    def loaded(self) -> bool:
        """Are any assignments loaded?"""
        return bool(self._assigned)

    @property
    def holders(self) -> list[str]:
        """Users and groups that hold a permission set themselves."""
        return sorted(self._assigned)

    def held(self, holder: str) -> list[Assigned]:
        """What a user or group holds itself."""
        return [self._made(one, None, ()) for one in self._assigned.get(holder, ())]

    def of(self, principal: str) -> list[Assigned]:
        """What reaches a user or group, itself or through its groups."""
        found = self.held(principal)
        for group in self._groups.above(principal):
            records = tuple(step.record_id for step in self._groups.chain(principal, group))
            found += [self._made(one, self._labels.get(group, group), records)
                      for one in self._assigned.get(group, ())]
        return found

    def _made(self, one: tuple[str, str, str], group: str | None, records: tuple[str, ...]) -> Assigned:
        set_arn, account, record = one
        name = self._names.get(set_arn, set_arn)
        return Assigned(name, account, self._roles.get((account, name)), group,
                        tuple(dict.fromkeys(r for r in (record, *records) if r)))
