"""Whether a change has a way back on record, as the providers document their operations; told apart from our table.

``proved``: another documented call on the same thing takes it back, or the record holds the value that stood before.
``missing``: it cannot be taken back in full, and nobody else agreed to it beforehand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineage_analytics.simulation.model import Decision, World

_PROVED = {
    "gcp": ("SetIamPolicy", "storage.setIamPermissions", "google.iam.admin.v1.DeleteServiceAccount",
            "google.iam.admin.v1.CreateServiceAccount", "google.iam.admin.v1.CreateServiceAccountKey",
            "google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider"),
    "gworkspace": ("authorize", "revoke", "ADD_GROUP_MEMBER", "add_member", "CHANGE_APPLICATION_SETTING",
                   "AUTHORIZE_API_CLIENT_ACCESS", "ASSIGN_ROLE"),
    "k8s": ("create rolebindings", "create clusterrolebindings", "create serviceaccounts"),
    "ad": ("4728 A member was added to a security-enabled global group", "4720 A user account was created",
           "4729 A member was removed from a security-enabled global group", "4722 A user account was enabled",
           "4725 A user account was disabled"),
    "github": ("copilot.cfb_seat_assignment_created", "team.add_member", "team.remove_member", "org.update_member",
               "personal_access_token.access_granted", "public_key.create", "org.add_outside_collaborator",
               "protected_branch.update_admin_enforced"),
    "entra": ("microsoft.authorization/roleassignments/write", "microsoft.insights/diagnosticsettings/write",
              "adminAdd", "userAdd"),
    "openai": ("role.assignment.created", "api_key.created", "user.added"),
    "okta": ("user.account.privilege.grant", "system.api_token.create", "user.session.impersonation.grant"),
    "m365": ("AnonymousLinkCreated", "SharingSet"),
}
_LOST = {
    "gcp": ("google.iam.admin.v1.DeleteServiceAccountKey",), "gworkspace": ("CHANGE_PASSWORD",), "k8s": (
        "delete rolebindings", "delete clusterrolebindings"),
    "ad": ("4724 An attempt was made to reset an account's password", "4726 A user account was deleted"),
    "entra": ("microsoft.insights/diagnosticsettings/delete",), "openai": ("user.deleted",),
    "okta": ("system.api_token.revoke",),
}


def settle(world: World) -> None:
    """Fill in what the chapters left open: of changes undone for certain, and of operations known above."""
    undone = {link.target for link in world.links if link.rel == "rolls_back" and link.provable}
    for decision in world.decisions:
        if decision.rollback == "unknown":
            decision.rollback = "proved" if decision.event_id in undone else _of(decision)


def _of(decision: Decision) -> str:
    if any(_alike(decision.operation, known) for known in _PROVED.get(decision.provider, ())):
        return "proved"
    lost = any(_alike(decision.operation, known) for known in _LOST.get(decision.provider, ()))
    return "missing" if lost else "unknown"


def _alike(operation: str, known: str) -> bool:
    """The operation itself, or the known one's number where both are events of Windows."""
    return operation == known or (known[:4].isdigit() and operation.split(" ", maxsplit=1)[0] == known[:4])
