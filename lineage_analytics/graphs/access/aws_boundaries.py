"""Who may take away or replace its own permissions boundary, and what that leads to.

A boundary that one can lift limits nothing. Where something stands behind it, a node of our own,
``aws:<account>:beyond_boundary:<native id>`` (kind resource), has the edges the principal would have without it, and
lifting the boundary is the step that leads there. Where nothing by which one controls or becomes another stands behind
it, there is none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from lineage_analytics.graphs.access.aws import Accounts, Control
from lineage_analytics.graphs.access.aws_escalation import Ways, needed
from lineage_analytics.graphs.access.aws_passing import PASSING, Takers
from lineage_analytics.graphs.access.aws_trust import Assuming, read_trusts
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.datafiles import controls, sensitive
from lineage_analytics.permissions.aws.effective import effective
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.aws.table import permissions

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.aws.effective import Effective
    from lineage_analytics.permissions.aws.principals import Principal
    from lineage_analytics.permissions.aws.table import Permissions

_LIFTS = {"user": ("iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary"),
          "role": ("iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary")}
_TAKES = "take away or replace its own permissions boundary"


def edges(facts: Facts, build: Builder) -> None:
    """Controls edges to what a principal would be without its boundary, and the edges from there."""
    have = permissions(facts)
    lifted = [(principal, found) for principal in have.principals.values()
              if (found := have.effective[principal.id]).bounds is not None and _lifts(principal, found)]
    if not lifted:
        return
    trusts = read_trusts(facts)
    accounts, assuming = Accounts(have, trusts), Assuming(have, trusts, build)
    ways = Ways(have, Takers.of(facts, have, trusts), build)
    for principal, found in lifted:
        without = _without(have, principal)
        if not without.granted & ~found.granted & _leading():
            continue
        node = build.node(f"aws:{principal.account}:beyond_boundary:{native(principal.id)[1]}", "resource",
                          f"{principal.label or principal.id} without its boundary", principal.account, "aws")
        for bit, arn in _lifts(principal, found):
            for grant in found.grants:
                if grant.mask & bit and grant.statement.scope.matches(arn):
                    proved = found.allows(bit, arn) == "allowed"
                    build.edge(principal.id, "controls", node, f"{_TAKES}: {grant.statement.says(bit)}",
                               [grant.statement.record_id], proved=proved, technique=_TAKES)
        Control(principal, node, without, have, accounts, build).edges()
        assuming.edges(principal, node, without)
        ways.edges(principal, node, without)


def _lifts(principal: Principal, found: Effective) -> list[tuple[int, str]]:
    """Actions by which it may lift its own boundary, each with its ARN."""
    bits = [catalogue().mask(action) for action in _LIFTS.get(principal.sort, ())]
    return [(bit, principal.arn) for bit in bits
            if principal.arn is not None and found.granted & bit and found.allows(bit, principal.arn) != "denied"]


def _without(have: Permissions, principal: Principal) -> Effective:
    limits = have.organisation.limits(principal.account)
    return effective(replace(have.grants, boundaries={}), principal.id, principal.username, limits)


@lru_cache(maxsize=1)
def _leading() -> int:
    """Actions by which one controls or becomes another."""
    single = catalogue().union([PASSING, "sts:AssumeRole", *(control.action for control in controls())])
    return single | needed() | sensitive().by_weight[10]
