"""Permissions of Kubernetes: RBAC of every cluster, additive, each cluster for itself (sources 8).

What passes RBAC by: members of ``system:masters`` may do everything. Not asked here, since no dump holds them: what a
webhook or a cloud decides besides, and the groups a user's certificate or token carries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lineage_analytics.errors import UsageError
from lineage_analytics.permissions.decision import ALLOWED, DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.k8s.rules import MASTERS, book, is_action, namespace_of, place, split
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by the role bindings of the principal's cluster.

    Parameters
    ----------
    action : ``k8s:<verb>:<group>/<resource>[/<sub>]``, ``core`` for the group without a name, or ``k8s:<verb>:/path``.
    resource : ``k8s:<cluster>:<resource>/<namespace>/<name>``, ``namespaces/<namespace>`` for all in it, ``*`` for all
        in the cluster.

    Raises
    ------
    UsageError : an action of another form.
    """
    if not is_action(action):
        raise UsageError(f"Wanted an action of Kubernetes, got {printable(action, 80)}", "it has another form",
                         "write it as k8s:get:core/secrets, or k8s:get:/metrics")
    where = place(resource)
    cluster = split(principal)[0]
    if where.cluster is not None and where.cluster != cluster:
        return Decision(principal, action, resource, UNKNOWN, (Because(
            "missing", f"the principal is of cluster {cluster or 'without a name'}, the resource of "
            f"{where.cluster or 'one without a name'}: each cluster has its own"),))
    have = book(facts)
    masters = have.masters(principal)
    if masters is not None:
        return Decision(principal, action, resource, ALLOWED, (
            Because("allow", f"is in {MASTERS}, whose members may do everything", masters),))
    found = have.decide(principal, action, resource)
    if where.whole and found.verdict in (DENIED, UNKNOWN):
        return replace(found, because=(*found.because, *_in_parts(facts, principal, action)))
    return found


def _in_parts(facts: Facts, principal: str, action: str) -> list[Because]:
    """Where less than the whole cluster is allowed, when that was asked for."""
    have = book(facts)
    found = []
    for held in have.held(principal):
        over = namespace_of(held.assignment.scope)
        blocks = have.rules.blocks(held.assignment) or ()
        if over is not None and any(have.covers(block, action, f"namespaces/{over}") for block in blocks):
            records = tuple(record for record in (held.assignment.record_id, *held.records) if record)
            found.append(Because("limit", f"{held.says()}: there it is allowed, not in the whole cluster", records))
    return found
