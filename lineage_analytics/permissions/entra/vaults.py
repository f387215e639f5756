"""Key vaults that grant by access policies of their own, beside or instead of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.permissions.decision import ALLOWED, CONDITIONAL, DENIED, UNKNOWN, Because, Decision
from lineage_analytics.permissions.entra.objects import fields
from lineage_analytics.permissions.entra.scopes import path_of

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.memberships import Memberships

_VAULTS = "microsoft.keyvault/vaults/"
_KINDS = ("secrets", "keys", "certificates")
# What an access policy calls the operations that data actions of roles name.
_CALLED = {"getsecret": "get", "setsecret": "set", "readmetadata": "list"}


class Vaults:
    """Access policies by vault, and which vaults are known to use roles (true) or policies (false)."""

    def __init__(self, facts: Facts, groups: Memberships) -> None:
        self._groups = groups
        rights = facts.frame("entitlements").filter(
            (pl.col("grant_kind") == "right") & (pl.col("origin") == "access_policy")
        ).select("principal_id", "privilege", "scope", "record_id").drop_nulls(
            ["principal_id", "privilege", "scope"]).unique().sort(pl.all(), nulls_last=True)
        self._rights: dict[tuple[str, str, str], str] = {}
        for holder, right, vault, record in rights.iter_rows():
            self._rights.setdefault((holder, path_of(vault), right.lower()), record or "")
        self._roles: dict[str, bool] = {}
        rows = facts.frame("resources").filter(pl.col("kind") == "key_vault").select("id", "attributes").drop_nulls()
        for vault, attributes in rows.sort("id", "attributes").iter_rows():
            stated = fields(attributes).get("rbac")
            if isinstance(stated, bool):
                self._roles[path_of(vault)] = stated

    def weigh(self, found: Decision, place: str) -> Decision:
        """The decision by roles, with what access policies change of it: a vault that uses them ignores roles on data,
        and of one that may use them a denial by roles is none."""
        right = right_of(found.action)
        if right is None or "/providers/microsoft.keyvault/vaults/" not in place:
            return found
        vault = "/".join(place.split("/")[:9])
        roles = self._roles.get(vault)
        if roles or (roles is None and found.verdict in {ALLOWED, CONDITIONAL}):
            return found
        holders = (found.principal, *self._groups.above(found.principal))
        held = [(one, self._rights[one, vault, right]) for one in holders if (one, vault, right) in self._rights]
        if held:
            says = f"the vault's access policy lists {right} for {held[0][0]}"
            if roles is None:
                return self._answer(found, CONDITIONAL, "condition", f"{says}, if the vault uses access policies",
                                    held[0][1])
            return self._answer(found, ALLOWED, "allow", says, held[0][1])
        if roles is None and found.verdict == DENIED and found.because[0].effect != "deny":
            return self._answer(found, UNKNOWN, "missing", "whether the vault uses access policies is not loaded", "")
        if roles is False and any(vault == place for _, place, _ in self._rights):
            return self._answer(found, DENIED, "missing", "no access policy of the vault lists it", "")
        return found if roles is None else self._answer(
            found, UNKNOWN, "missing", "the access policies of the vault are not loaded", "")

    def _answer(self, found: Decision, verdict: str, effect: str, says: str, record: str) -> Decision:
        because = Because(effect, says, (record,) if record else ())
        return Decision(found.principal, found.action, found.resource, verdict, (because,))


def right_of(action: str) -> str | None:
    """The right of an access policy that an action on data stands for; None: it is no such action.

    Examples
    --------
    >>> right_of("Microsoft.KeyVault/vaults/secrets/getSecret/action"), right_of("Microsoft.KeyVault/vaults/write")
    ('secrets/get', None)
    """
    parts = action.casefold().removeprefix(_VAULTS).split("/")
    if not action.casefold().startswith(_VAULTS) or parts[0] not in _KINDS or len(parts) < 2:
        return None
    verb = parts[1] if parts[-1] == "action" else parts[-1]
    return f"{parts[0]}/{_CALLED.get(verb, verb)}"
