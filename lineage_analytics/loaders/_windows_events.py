"""Which Windows Security events are read, what they are called, and what each one changes.

``verb`` and ``what`` are those of the effect key; events without a verb are activity alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """How to read one event: its title, what it changes, and what it says of whether it succeeded."""

    title: str
    group: str
    verb: str = ""
    what: str = ""
    always: bool | None = None
    read: bool | None = False


def _groups() -> dict[int, Rule]:
    """Created, changed, deleted, member added, member removed, for each sort of group."""
    kinds = {
        "security-enabled global": (4727, 4737, 4730, 4728, 4729), "security-enabled local": (
            4731, 4735, 4734, 4732, 4733),
        "security-enabled universal": (4754, 4755, 4758, 4756, 4757), "security-disabled local": (
            4744, 4745, 4748, 4746, 4747),
        "security-disabled global": (4749, 4750, 4753, 4751, 4752), "security-disabled universal": (
            4759, 4760, 4763, 4761, 4762),
    }
    found: dict[int, Rule] = {}
    for kind, (created, changed, deleted, added, removed) in kinds.items():
        found[created] = Rule(f"A {kind} group was created", "object", "create", "group", always=True)
        found[changed] = Rule(f"A {kind} group was changed", "change", "set", "group", always=True)
        found[deleted] = Rule(f"A {kind} group was deleted", "object", "delete", "group", always=True)
        found[added] = Rule(f"A member was added to a {kind} group", "member", "grant", "group", always=True)
        found[removed] = Rule(f"A member was removed from a {kind} group", "member", "revoke", "group", always=True)
    return found


RULES: dict[int, Rule] = {
    # sign-in
    4624: Rule("An account was successfully logged on", "signin", always=True, read=None),
    4625: Rule("An account failed to log on", "signin", always=False, read=None),
    4648: Rule("A logon was attempted using explicit credentials", "explicit", read=None),
    4768: Rule("A Kerberos authentication ticket (TGT) was requested", "ticket", read=None),
    4769: Rule("A Kerberos service ticket was requested", "ticket", read=None),
    4770: Rule("A Kerberos service ticket was renewed", "ticket", always=True, read=None),
    4771: Rule("Kerberos pre-authentication failed", "ticket", always=False, read=None),
    4772: Rule("A Kerberos authentication ticket request failed", "ticket", always=False, read=None),
    4773: Rule("A Kerberos service ticket request failed", "ticket", always=False, read=None),
    4776: Rule("The computer attempted to validate the credentials for an account", "ticket", read=None),
    # accounts
    4720: Rule("A user account was created", "object", "create", "user", always=True),
    4722: Rule("A user account was enabled", "object", "enable", "user", always=True),
    4723: Rule("An attempt was made to change an account's password", "object", "set", "user_password"),
    4724: Rule("An attempt was made to reset an account's password", "object", "set", "user_password"),
    4725: Rule("A user account was disabled", "object", "disable", "user", always=True),
    4726: Rule("A user account was deleted", "object", "delete", "user", always=True),
    4738: Rule("A user account was changed", "change", "set", "user", always=True),
    4740: Rule("A user account was locked out", "plain", always=True),
    4767: Rule("A user account was unlocked", "object", "set", "user_lockout", always=True),
    4765: Rule("SID History was added to an account", "history", "grant", "user", always=True),
    4766: Rule("An attempt to add SID History to an account failed", "history", "grant", "user", always=False),
    4780: Rule("The ACL was set on accounts which are members of administrators groups", "plain", always=True),
    4781: Rule("The name of an account was changed", "rename", "set", "user", always=True),
    4794: Rule("An attempt was made to set the Directory Services Restore Mode administrator password", "here", "set",
               "dsrm_password"),
    4741: Rule("A computer account was created", "object", "create", "computer", always=True),
    4742: Rule("A computer account was changed", "change", "set", "computer", always=True),
    4743: Rule("A computer account was deleted", "object", "delete", "computer", always=True),
    # groups
    **_groups(),
    4764: Rule("A group's type was changed", "change", "set", "group", always=True),
    4798: Rule("A user's local group membership was enumerated", "plain", always=True, read=True),
    4799: Rule("A security-enabled local group membership was enumerated", "plain", always=True, read=True),
    # rights, policies, trusts
    4704: Rule("A user right was assigned", "right", "grant", "right", always=True),
    4705: Rule("A user right was removed", "right", "revoke", "right", always=True),
    4717: Rule("System security access was granted to an account", "right", "grant", "right", always=True),
    4718: Rule("System security access was removed from an account", "right", "revoke", "right", always=True),
    4719: Rule("System audit policy was changed", "policy", "set", "audit_policy", always=True),
    4713: Rule("Kerberos policy was changed", "here", "set", "kerberos_policy", always=True),
    4739: Rule("Domain Policy was changed", "domain", "set", "domain_policy", always=True),
    4706: Rule("A new trust was created to a domain", "trust", "create", "trust", always=True),
    4707: Rule("A trust to a domain was removed", "trust", "delete", "trust", always=True),
    4716: Rule("Trusted domain information was modified", "trust", "set", "trust", always=True),
    1102: Rule("The audit log was cleared", "here", "delete", "audit_log", always=True),
    # directory objects
    4662: Rule("An operation was performed on an object", "access", read=None),
    5136: Rule("A directory service object was modified", "attribute", "set", "object", always=True),
    5137: Rule("A directory service object was created", "directory", "create", "object", always=True),
    5138: Rule("A directory service object was undeleted", "directory", "restore", "object", always=True),
    5139: Rule("A directory service object was moved", "directory", "set", "object", always=True),
    5141: Rule("A directory service object was deleted", "directory", "delete", "object", always=True),
    # what runs with an account's authority
    4697: Rule("A service was installed in the system", "plain", always=True),
    4698: Rule("A scheduled task was created", "plain", always=True),
    4699: Rule("A scheduled task was deleted", "plain", always=True),
    4700: Rule("A scheduled task was enabled", "plain", always=True),
    4701: Rule("A scheduled task was disabled", "plain", always=True),
    4702: Rule("A scheduled task was updated", "plain", always=True),
}
COMPUTER_ACCOUNTS = frozenset({4741, 4742, 4743})
