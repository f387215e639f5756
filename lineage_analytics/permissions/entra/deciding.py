"""One question about Entra or Azure: may this principal do this there?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lineage_analytics.permissions.decision import DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.entra.book import estate
from lineage_analytics.permissions.entra.datafiles import on_data
from lineage_analytics.permissions.entra.languages import AZURE, DIRECTORY, language
from lineage_analytics.permissions.entra.objects import tenant_of
from lineage_analytics.permissions.entra.scopes import is_path, path_of

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.entra.book import Estate

_BY_DEFAULT = ("read", "createasowner", "inviteguest")


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict by directory roles, Azure roles and application permissions, as the action is written.

    Parameters
    ----------
    action : ``microsoft.directory/users/password/update``; ``Microsoft.Compute/virtualMachines/delete``, case means
        nothing; ``User.ReadWrite.All``, a permission of an application.
    resource : an object by any of its ids; a path of the resource manager; an API by its name or application id; ``*``:
        every resource.

    Returns
    -------
    decision : denied only where an inventory of the assignments of the directory is loaded, and for Azure of the
        resource's subscription; what every user may read or create by default is never denied: ``unknown``.
    """
    have, spoken = estate(facts), language(action)
    place, unknown = _place(have, tenant_of(principal), spoken, resource)
    if unknown is not None:
        return Decision(principal, action, resource, UNKNOWN, (Because("missing", unknown),))
    found = replace(have.books[spoken].decide(principal, action, f"{tenant_of(principal)}|{place}"), resource=resource)
    if spoken == AZURE:
        return have.vaults.weigh(found, place) if on_data(action) else found
    user = have.objects.by_id.get(principal)
    if (spoken == DIRECTORY and found.verdict == DENIED and user is not None and user.sort == "user"
            and action.casefold().rsplit("/", 1)[-1] in _BY_DEFAULT):
        return replace(found, verdict=UNKNOWN, because=(
            Because("missing", "what every user may do by default (authorizationPolicy) is in no file that is read"),
            *found.because))
    return found


def _place(have: Estate, tenant: str, spoken: str, resource: str) -> tuple[str, str | None]:
    """The resource as its language compares it, or why it cannot be."""
    if resource == "*":
        return resource, None
    if spoken == AZURE:
        return (path_of(resource), None) if is_path(resource) else (
            resource, "wanted a path of the resource manager, such as /subscriptions/<id>")
    meant = have.objects.meant(tenant, resource)
    if spoken != DIRECTORY:
        apis = [one for one in meant if have.objects.by_id[one].sort == "service principal"]
        return (apis[0], None) if apis else ("*", f"no service principal {resource} is loaded")
    if resource.startswith("entra:") and tenant_of(resource) != tenant:
        return resource, "the resource is of another directory"
    if len(meant) > 1 and resource not in meant:
        return resource, f"{len(meant)} objects carry the name {resource}"
    return (meant[0] if meant else resource), None
