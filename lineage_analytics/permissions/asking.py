"""May this principal do this here? The question that an analyst asks, put to the provider of the principal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.errors import UsageError
from lineage_analytics.identities.who import SESSION, meant
from lineage_analytics.permissions.decision import UNKNOWN, Because, Decision
from lineage_analytics.permissions.providers import providers
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

_SHOWN = 5


def allowed(facts: Facts, principal: str, action: str, resource: str = "*") -> Decision:
    """Whether a principal may do an action on a resource, and why, by everything that is loaded.

    Parameters
    ----------
    principal : id, ARN, login or name; the ARN of a session means its role. Who nobody knows is ``unknown``, no error.
    action : as the provider writes it: ``s3:GetObject``, ``Microsoft.Compute/virtualMachines/delete``,
        ``storage.objects.get``, ``k8s:get:core/secrets``, ``m365:open``.
    resource : ARN or id; ``*``: every resource.

    Returns
    -------
    decision : ``.verdict`` in allowed, denied, conditional, unknown; ``.because`` the statements that decided, with
        their records. Conditions are neither assumed true nor false.

    Raises
    ------
    UsageError : a name that several principals carry, or an action of no provider's form.
    """
    if not action or not principal:
        raise UsageError("Wanted a principal and an action", "found an empty one", "for example s3:GetObject")
    found = sorted(meant(facts.frame("identities"), facts.frame("aliases"), principal))
    if len(found) > 1:
        listed = ", ".join(printable(one) for one in found[:_SHOWN])
        raise UsageError(f"Wanted one principal, got {printable(principal, 80)}", f"{len(found)} carry that name",
                         f"name one by its id: {listed}")
    who = found[0] if found else principal
    # Files of Microsoft 365 are opened by people of the directory.
    provider = providers().get("m365" if action.startswith("m365:") else who.split(":", 1)[0])
    if not found or provider is None:
        says = ("no inventory and no log of this estate names this principal" if not found else
                f"what principals of {who.split(':', 1)[0]} may do is in no file that is read")
        return Decision(who, action, resource, UNKNOWN, (Because("missing", says),))
    # A session may do less than its role: what limits it is known by the session's own ARN.
    return provider.decide(facts, principal if SESSION.fullmatch(principal) else who, action, resource)
