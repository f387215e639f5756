"""Permissions of Google Cloud: bindings over the hierarchy, denials first (sources 7.2).

A condition is neither assumed true nor false, except one that only says until when. Not asked here, since no export
holds them: organization policies, access levels, the access lists of buckets, boundaries of principals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.errors import UsageError
from lineage_analytics.permissions.decision import DENIED, Because, Decision
from lineage_analytics.permissions.gcp.rules import book, is_permission
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by the policies of the resource and of what it lies in.

    Parameters
    ----------
    action : a permission, ``storage.objects.get`` or ``storage.googleapis.com/objects.get``.
    resource : a full name, ``cloudresourcemanager.googleapis.com/projects/p``, or ``projects/p``.

    Raises
    ------
    UsageError : an action of another form.
    """
    if not is_permission(action):
        raise UsageError(f"Wanted a permission of Google Cloud, got {printable(action, 80)}", "it has another form",
                         "write it as storage.objects.get")
    have = book(facts)
    if have.deleted(principal):
        return Decision(principal, action, resource, DENIED, (
            Because("limit", "policies name the principal as deleted: it can do nothing"),))
    return have.decide(principal, action, resource)
