"""What an AWS principal may do by its own policies, within its boundary and its organisation's policies.

Counted: attached and inline policies, those of its groups, explicit deny, NotAction, NotResource, the permissions
boundary and the organisation's service control policies. A condition is neither assumed true nor false: an allow under
a condition is granted and ``conditional``; a deny under a condition takes nothing away and makes ``conditional`` what
it touches. What a resource's own policy grants is of that resource: ``deciding`` and the access graph ask for it.

A deny takes an action away only where it covers every resource of the allow; where it covers some of them the action
stays granted (on the others) and ``allows`` answers for one resource. A boundary keeps an action only where some
statement of it may speak of the same resources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lineage_analytics.permissions.aws.catalogue import catalogue

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.permissions.aws.organisation import Limit
    from lineage_analytics.permissions.aws.policies import Grants, Scope, Statement


@dataclass(frozen=True, slots=True)
class Grant:
    """What is left of one allow statement: ``mask`` granted, of it ``sure`` without any unevaluated condition."""

    statement: Statement
    via: str
    mask: int
    sure: int
    granted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Effective:
    """Assigned permissions of one principal.

    ``granted`` and ``sure`` are masks over the catalogue, ``reason`` says why the whole is not known (null: it is).
    ``bounds`` holds the statements of the boundary, null when there is none; ``walls`` the allow statements of each
    level of its organisation that does not allow everything; ``stated`` the allow statements before any limit, each
    with what it is held through. ``boundary_known`` is false where a boundary is set whose text is not there.
    """

    principal_id: str
    granted: int
    sure: int
    reason: str | None
    grants: tuple[Grant, ...]
    denies: tuple[Statement, ...]
    bounds: tuple[Statement, ...] | None
    record_ids: tuple[str, ...]
    walls: tuple[tuple[Statement, ...], ...] = ()
    stated: tuple[tuple[Statement, str], ...] = ()
    boundary_known: bool = True

    @property
    def within(self) -> tuple[tuple[Statement, ...], ...]:
        """Everything each allow has to lie within."""
        return self.walls if self.bounds is None else (self.bounds, *self.walls)

    @property
    def conditional(self) -> bool:
        return self.granted != self.sure

    @property
    def wildcard(self) -> bool | None:
        """PRV-05, as metrics.md has it, literally: some effective allow without a condition whose action holds ``*``
        or ``?`` (or is a NotAction), or whose resource is ``*`` (or a NotResource). A resource of ``*`` counts also for
        actions that know no narrower one; a longer pattern such as ``arn:aws:s3:::logs-*`` does not. Null: some policy
        could not be read and no other shows a wildcard."""
        if any(grant.statement.wildcard and grant.mask for grant in self.grants):
            return True
        return None if self.reason is not None else False

    def allows(self, bit: int, resource: str) -> str:
        """``allowed``, ``conditional`` or ``denied`` for one action (a mask of one bit) on one resource (an ARN).

        Policies that could not be read are left out: only ``allowed`` is sure when ``reason`` is set.
        """
        grants = [g for g in self.grants if g.mask & bit and g.statement.scope.matches(resource)]
        denies = [d for d in self.denies if d.mask & bit and d.scope.matches(resource)]
        if not grants or any(not d.conditional for d in denies):
            return "denied"
        sure = any(not g.statement.conditional for g in grants) and not denies
        for wall in self.within:
            bounds = [b for b in wall if b.allow and b.mask & bit and b.scope.matches(resource)]
            if not bounds:
                return "denied"
            sure = sure and any(not b.conditional for b in bounds)
        return "allowed" if sure else "conditional"


def effective(
    grants: Grants, principal_id: str, name: str | None = None, limits: tuple[Limit, ...] = ()
) -> Effective:
    """Permissions of a user, role or group; ``name`` fills ``${aws:username}`` and is null for roles, ``limits`` are
    the levels of its organisation."""
    held = [(policy, "") for policy in grants.held.get(principal_id, [])]
    records, reasons = [], []
    for group, label, record in grants.groups.get(principal_id, []):
        records.append(record)
        if group not in grants.known:
            reasons.append(f"policy_missing: group {label} is not in the export")
        held += [(policy, label) for policy in grants.held.get(group, [])]
    statements: list[tuple[Statement, str, datetime | None]] = []
    if principal_id in grants.statements:
        statements += [(s, "inline", None) for s in grants.statements[principal_id]]
    for policy, group in held:
        records.append(policy.record_id)
        if not grants.readable(policy.policy_id):
            reasons.append(f"policy_missing: policy {policy.name} is attached but missing or unreadable in the export")
        via = f"group {group}" if group else policy.via
        statements += [(s, via, policy.granted_at) for s in grants.statements.get(policy.policy_id, [])]
    bounds: tuple[Statement, ...] | None = None
    boundary_known = all(grants.readable(b.policy_id) for b in grants.boundaries.get(principal_id, []))
    for boundary in grants.boundaries.get(principal_id, []):
        if not grants.readable(boundary.policy_id):
            reasons.append(f"policy_missing: boundary {boundary.name} is set but missing or unreadable in the export")
        bounds = (bounds or ()) + tuple(s.for_user(name) for s in grants.statements.get(boundary.policy_id, []))
    said = [(s.for_user(name), via, since) for s, via, since in statements]
    records += [s.record_id for s, _, _ in said] + [s.record_id for s in bounds or ()]
    reasons += [f"policy_missing: {limit.unread}" for limit in limits if limit.unread]
    walls = tuple(limit.allows for limit in limits if not limit.unread and not any(map(_everything, limit.allows)))
    denies = (*(s for s, _, _ in said if not s.allow), *(s for s in bounds or () if not s.allow),
              *(s for limit in limits for s in limit.denies))
    found = Effective(principal_id, 0, 0, "; ".join(sorted(set(reasons))) or None, (), denies, bounds,
                      tuple(sorted({record for record in records if record})), walls,
                      tuple((s, via) for s, via, _ in said if s.allow), boundary_known)
    return _resolved(found, said)


def _everything(statement: Statement) -> bool:
    return statement.scope.everything and not statement.conditional and statement.mask == catalogue().every


def _resolved(found: Effective, said: list[tuple[Statement, str, datetime | None]]) -> Effective:
    """With what every allow still grants within the limits and after the denies."""
    granted = sure = 0
    grants = []
    limits: dict[Scope, tuple[int, int]] = {}
    for statement, via, since in said:
        if not statement.allow:
            continue
        mask, certain = _limited(statement, found.within, limits)
        mask, certain = _denied(statement, mask, certain, found.denies)
        if mask:
            grants.append(Grant(statement, via, mask, certain, since))
            granted |= mask
            sure |= certain
    return replace(found, granted=granted, sure=sure, grants=tuple(grants))


def _limited(statement: Statement, within: tuple[tuple[Statement, ...], ...],
             limits: dict[Scope, tuple[int, int]]) -> tuple[int, int]:
    """The statement's mask within every limit, and what of it is sure."""
    if statement.scope not in limits:
        most = least = catalogue().every
        for wall in within:
            wide = narrow = 0
            for bound in wall:
                if bound.allow and not bound.scope.disjoint(statement.scope):
                    wide |= bound.mask
                    narrow |= 0 if bound.conditional else bound.mask
            most, least = most & wide, least & narrow
        limits[statement.scope] = (most, least)
    most, least = limits[statement.scope]
    return most & statement.mask, 0 if statement.conditional else least & statement.mask


def _denied(statement: Statement, mask: int, sure: int, denies: tuple[Statement, ...]) -> tuple[int, int]:
    """What a statement still grants after the denies, and what of it is sure."""
    for deny in denies:
        if not deny.mask & mask:
            continue
        if deny.conditional:
            if not deny.scope.disjoint(statement.scope):
                sure &= ~deny.mask
        elif deny.scope.contains(statement.scope):
            mask &= ~deny.mask
            sure &= ~deny.mask
    return mask, sure & mask
