"""One AWS question: may this principal do this action on this resource?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.table import permissions
from lineage_analytics.permissions.decision import ALLOWED, CONDITIONAL, DENIED, UNKNOWN, Because, Decision

if TYPE_CHECKING:
    from lineage_analytics.permissions.aws.effective import Effective
    from lineage_analytics.tables import Facts


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by the principal's identity policies, groups and boundary."""
    have = permissions(facts)
    found, known = have.effective.get(principal), have.principals.get(principal)
    at = catalogue().index(action)
    if found is None or known is None or not known.listed:
        return Decision(principal, action, resource, UNKNOWN, (
            Because("missing", "no account authorization export lists what it is granted"),))
    if at is None:
        return Decision(principal, action, resource, UNKNOWN, (
            Because("missing", f"the catalogue of AWS actions knows no {action}"),))
    bit = 1 << at
    verdict = found.allows(bit, resource)
    if verdict != ALLOWED and found.reason is not None:
        return Decision(principal, action, resource, UNKNOWN, (Because("missing", found.reason),))
    return Decision(principal, action, resource, verdict, _because(found, bit, resource, verdict))


def _because(found: Effective, bit: int, resource: str, verdict: str) -> tuple[Because, ...]:
    denies = [d for d in found.denies if d.mask & bit and d.scope.matches(resource)]
    grants = [g.statement for g in found.grants if g.mask & bit and g.statement.scope.matches(resource)]
    said = [Because("condition" if s.conditional else "deny", s.says(bit), (s.record_id,)) for s in denies]
    if verdict in {ALLOWED, CONDITIONAL}:
        said += [Because("condition" if s.conditional else "allow", s.says(bit), (s.record_id,)) for s in grants]
    return tuple(said) or (Because("missing", "no policy allows it"),) if verdict == DENIED else tuple(said)
