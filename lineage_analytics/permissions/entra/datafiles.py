"""The data files about Entra and Azure, each read once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lineage_analytics.errors import ConfigurationError
from lineage_analytics.permissions.datafiles import rows
from lineage_analytics.permissions.entra.languages import azure_covers, directory_covers

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = frozenset({"0", "1", "3", "10"})
EVERYBODY = ("all_users", "tenant")


@dataclass(frozen=True, slots=True)
class Reach:
    """Something a holder can take over; ``sure`` is false where that hangs on conditions that are not evaluated."""

    what: str
    sure: bool
    technique: str


@dataclass(frozen=True, slots=True)
class Power:
    """A directory role, an application permission or an action: how much it weighs and what it gives control of."""

    name: str
    weight: int
    reaches: tuple[Reach, ...]
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AzureRole:
    """A built-in role of Azure; ``whole`` is false where only a part of what it allows is known."""

    name: str
    actions: tuple[str, ...]
    excluded: tuple[str, ...]
    data: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class AzureAction:
    """An action over Azure resources that matters; ``controls`` empty: it gives control of nobody."""

    pattern: str
    weight: int
    controls: str
    technique: str
    data: bool


def _reaches(controls: str, technique: str) -> tuple[Reach, ...]:
    return tuple(Reach(what.removesuffix("?"), not what.endswith("?"), technique) for what in controls.split())


def _weight(row: Mapping[str, str], name: str) -> int:
    if row["weight"] not in WEIGHTS:
        raise ConfigurationError(f"Wanted weight 0, 1, 3 or 10 in {name}.csv", f"found {row['weight']!r}")
    return int(row["weight"])


@lru_cache(maxsize=1)
def directory_roles() -> dict[str, Power]:
    """``entra_roles.csv`` by template id and by name, both in lower case."""
    found = {}
    for row in rows("entra_roles", ("template_id", "name", "weight", "controls", "technique")):
        power = Power(row["name"], _weight(row, "entra_roles"), _reaches(row["controls"], row["technique"]))
        found[row["name"].casefold()] = power
        if row["template_id"] != "-":
            found[row["template_id"]] = power
    return found


@lru_cache(maxsize=1)
def role_actions() -> dict[str, tuple[str, ...]]:
    """``entra_role_actions.csv``: directory actions by role in lower case."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows("entra_role_actions", ("role", "action")):
        found[row["role"].casefold()].append(row["action"])
    return {role: tuple(actions) for role, actions in found.items()}


@lru_cache(maxsize=1)
def resets() -> dict[str, frozenset[str]]:
    """``entra_password_resets.csv``: by role of the user in lower case (empty: none), who can set the password."""
    return {"" if row["role"] == "-" else row["role"].casefold(): frozenset(row["by"].split(";"))
            for row in rows("entra_password_resets", ("role", "by"))}


@lru_cache(maxsize=1)
def control_actions() -> tuple[Power, ...]:
    """``entra_control_actions.csv``."""
    table = rows("entra_control_actions", ("action", "weight", "controls", "technique"))
    return tuple(Power(row["action"], _weight(row, "entra_control_actions"),
                       _reaches(row["controls"], row["technique"])) for row in table)


@lru_cache(maxsize=1)
def graph_permissions() -> dict[str, Power]:
    """``graph_permissions.csv`` by permission in lower case and by app role id."""
    found = {}
    for row in rows("graph_permissions", ("permission", "id", "weight", "controls", "technique", "actions")):
        power = Power(row["permission"], _weight(row, "graph_permissions"),
                      _reaches(row["controls"], row["technique"]), tuple(row["actions"].split()))
        found[row["permission"].casefold()] = power
        if row["id"] != "-":
            found[row["id"]] = power
    return found


@lru_cache(maxsize=1)
def azure_roles() -> dict[str, AzureRole]:
    """``azure_roles.csv`` by id and by name, both in lower case."""
    found = {}
    for row in rows("azure_roles", ("id", "role", "actions", "not_actions", "data_actions", "whole")):
        role = AzureRole(row["role"], tuple(row["actions"].split()), tuple(row["not_actions"].split()),
                         tuple(row["data_actions"].split()), row["whole"] == "yes")
        found[row["role"].casefold()] = found[row["id"]] = role
    return found


@lru_cache(maxsize=1)
def azure_actions() -> tuple[AzureAction, ...]:
    """``azure_actions.csv``."""
    table = rows("azure_actions", ("pattern", "weight", "controls", "technique", "plane"))
    return tuple(AzureAction(row["pattern"], _weight(row, "azure_actions"), row["controls"], row["technique"],
                             row["plane"] == "data") for row in table)


@lru_cache(maxsize=65536)
def on_data(action: str) -> bool:
    """Is an Azure action on data, which a role's plain actions never cover? By ``azure_actions.csv``."""
    return any(one.data and azure_covers(one.pattern, action) for one in azure_actions())


@lru_cache(maxsize=65536)
def azure_weight(pattern: str, data: bool) -> int:
    """Heaviest weight of the actions an Azure pattern covers; 0 for none that matters."""
    return max((one.weight for one in azure_actions()
                if one.data == data and (azure_covers(pattern, one.pattern) or azure_covers(one.pattern, pattern))),
               default=0)


@lru_cache(maxsize=65536)
def directory_power(action: str) -> tuple[Power, ...]:
    """The directory actions that matter and that a pattern covers."""
    return tuple(power for power in control_actions() if directory_covers(action, power.name))


@lru_cache(maxsize=65536)
def permission_weight(permission: str) -> int:
    """Weight of an application permission: as listed, else 3 where it writes everywhere, else 0."""
    listed = graph_permissions().get(permission.casefold())
    if listed is not None:
        return listed.weight
    return 3 if ".readwrite." in permission.casefold() and permission.casefold().endswith(".all") else 0
