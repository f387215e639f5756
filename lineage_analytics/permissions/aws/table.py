"""Permissions of every AWS principal: computed once per estate, as a table and in detail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.permissions.aws.catalogue import catalogue, positions
from lineage_analytics.permissions.aws.datafiles import WEIGHTS, sensitive
from lineage_analytics.permissions.aws.effective import Effective, effective
from lineage_analytics.permissions.aws.organisation import Organisation
from lineage_analytics.permissions.aws.permission_sets import PermissionSets
from lineage_analytics.permissions.aws.policies import Grants, narrowest, read_grants
from lineage_analytics.permissions.aws.principals import Principal, aws_principals
from lineage_analytics.permissions.aws.resource_policies import ResourcePolicies
from lineage_analytics.permissions.aws.usage import Log, States, Used, account_logs, split, used
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

_UNLISTED = "no_source: no account authorization export lists it"
_ROOT = "no_source: policies do not bind the root user, so no export lists what it may do"
_SERVICE = "no_source: an AWS service acts by the roles it is given, not by policies of its own"
_MOST = 20


@dataclass(frozen=True)
class Permissions:
    """Effective permissions of an estate's AWS principals, by id."""

    facts: Facts
    principals: dict[str, Principal]
    grants: Grants
    organisation: Organisation
    effective: dict[str, Effective]

    @cached_property
    def logs(self) -> dict[str, Log]:
        return account_logs(self.facts)

    @cached_property
    def permission_sets(self) -> PermissionSets:
        return PermissionSets(self.facts, self.principals.values())

    @cached_property
    def resource_policies(self) -> ResourcePolicies:
        return ResourcePolicies(self.facts)

    @cached_property
    def used(self) -> Used:
        return used(self.facts)

    def behind(self, session: str) -> Principal | None:
        """The role of a session's ARN, which leaves out the role's path."""
        return self._sessions.get(session.rpartition("/")[0])

    @cached_property
    def _sessions(self) -> dict[str, Principal]:
        return {f"{arn.split(':role/')[0].replace(':iam:', ':sts:')}:assumed-role/{arn.rsplit('/', 1)[-1]}": principal
                for principal in self.principals.values() for arn in principal.arns if ":role/" in arn}

    def states(self, principal: Principal) -> States:
        """The states of what the principal is granted."""
        start = self.facts.lookback_start
        found = self.effective[principal.id]
        old = 0
        for grant in found.grants:
            if grant.granted_at is None or grant.granted_at <= start:
                old |= grant.mask
        return split(found.granted, self.used.masks.get(principal.id, 0), self.logs.get(principal.account),
                     principal.account, principal.created_at, old, start)


def permissions(facts: Facts) -> Permissions:
    """Permissions of the estate, computed once and kept in ``facts.parts``."""
    if "permissions" not in facts.parts:
        identities = facts.frame("identities")
        found = aws_principals(identities)
        grants = read_grants(facts.frame("entitlements"), (p.id for p in found if p.listed))
        organisation = Organisation(facts)
        limits = {account: organisation.limits(account) for account in sorted({p.account for p in found})}
        facts.parts["permissions"] = Permissions(
            facts, {p.id: p for p in found}, grants, organisation,
            {p.id: effective(grants, p.id, p.username, () if p.service_linked else limits[p.account])
             for p in found})
    return cast("Permissions", facts.parts["permissions"])


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of the AWS identities of the estate.

    ``granted`` is known (not null) for users, roles and groups that an account authorization export lists and whose
    policies could all be read. ``reason`` begins with a code: ``policy_missing``, ``no_source``,
    ``lookback_too_short``, ``age_unknown``.
    """
    have = permissions(facts)
    rows = [_row(have, p) for p in have.principals.values()]
    services = facts.frame("identities").filter(
        (pl.col("provider") == "aws") & ~pl.col("id").is_in(list(have.principals)))["id"]
    rows += [{"principal_id": identity, "reason": _SERVICE} for identity in services]
    frame = pl.DataFrame(rows, schema_overrides=dict(tables.PERMISSIONS.schema), infer_schema_length=None,
                         schema=None if rows else tables.PERMISSIONS.schema)
    return tables.conform(frame, tables.PERMISSIONS)


def _row(have: Permissions, principal: Principal) -> dict[str, Any]:
    found = have.effective[principal.id]
    row: dict[str, Any] = {"principal_id": principal.id, "last_used_at": have.used.last.get(principal.id),
                           "record_ids": narrowest(found.record_ids, _MOST)}
    weight = sensitive().weight(found.granted)
    unknown = _ROOT if principal.root else found.reason if principal.listed else _UNLISTED
    if unknown is not None:
        proved = found.wildcard if found.grants else None
        return row | {"reason": unknown, "wildcard": proved or None, "conditional": found.conditional or None,
                      "weight_max": weight if weight == max(WEIGHTS) else None}
    states = have.states(principal)
    row |= {name: None if mask is None else mask.bit_count() for name, mask in (
        ("granted", found.granted), ("used", states.used), ("unused", states.unused),
        ("unobservable", states.unobservable), ("too_young", states.too_young),
        ("sensitive_granted", found.granted & sensitive().every))}
    row |= {"granted_basis": "effective", "weight_max": weight, "wildcard": found.wildcard,
            "conditional": found.conditional, "reason": states.reason}
    if states.unused is not None:
        idle = states.unused & sensitive().every
        row |= {"sensitive_unused": idle.bit_count(), "unused_sensitive_actions": _heaviest(idle)}
        row |= {name: (mask & sensitive().every).bit_count() for name, mask in (
            ("sensitive_used", states.used), ("sensitive_too_young", states.too_young)) if mask is not None}
    return row


def _heaviest(mask: int) -> list[str]:
    named: list[str] = []
    for weight in WEIGHTS:
        named += catalogue().actions(mask & sensitive().by_weight[weight])
    return named[:_MOST]


DETAIL = pl.Schema([("action", pl.String), ("state", pl.String), ("weight", pl.Int64), ("via", pl.String),
                    ("record_ids", tables.TEXTS)])


def detail(facts: Facts, principal_id: str) -> pl.DataFrame:
    """Each action a principal is granted.

    Returns
    -------
    frame : ``action``; ``state``, one of used, unused, unobservable, too_young, or null where the log cannot say;
        ``weight`` 0, 1, 3 or 10; ``via``, the policies that grant it, ``;`` between; ``record_ids`` of them.
        Sorted by weight, heaviest first, then action. Empty when nothing is granted or known: the table has the reason.

    Raises
    ------
    UsageError : no such AWS principal.
    """
    have = permissions(facts)
    if principal_id not in have.principals:
        raise UsageError(f"Wanted an AWS principal of this estate, got {printable(principal_id)}",
                         "there is none of that id", did_you_mean(principal_id, have.principals))
    principal = have.principals[principal_id]
    states = have.states(principal)
    masks = {"used": states.used, "unused": states.unused, "too_young": states.too_young,
             "unobservable": states.unobservable}
    rows = []
    for at in positions(have.effective[principal_id].granted):
        bit = 1 << at
        grants = [g for g in have.effective[principal_id].grants if g.mask & bit]
        state = next((name for name, mask in masks.items() if mask is not None and mask & bit), None)
        via = sorted({f"{g.statement.policy} ({g.via})" + ("" if g.sure & bit else ", under a condition")
                      for g in grants})
        rows.append((catalogue().names[at], state, sensitive().weight(bit), "; ".join(via),
                     narrowest(g.statement.record_id for g in grants)))
    return pl.DataFrame(rows, schema=DETAIL, orient="row").sort("weight", "action", descending=[True, False])
