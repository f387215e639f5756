"""The three languages of action: of the directory, of Azure resources, of application permissions."""

from __future__ import annotations

from functools import lru_cache

from lineage_analytics.permissions.patterns import matches

DIRECTORY, AZURE, PERMISSION = "directory", "azure", "permission"
# Namespaces of directory roles besides microsoft.directory; Azure's resource providers have one dot.
_OFFICE = ("microsoft.aad.", "microsoft.azure.", "microsoft.commerce.", "microsoft.office365.", "microsoft.viva.",
           "microsoft.windows.")


def language(action: str) -> str:
    """Which language an action is of.

    Examples
    --------
    >>> language("microsoft.directory/users/create"), language("Microsoft.Compute/virtualMachines/delete")
    ('directory', 'azure')
    >>> language("User.Read.All"), language("microsoft.office365.webPortal/allEntities/standard/read")
    ('permission', 'directory')
    """
    parts = action.casefold().split("/")
    if len(parts) == 1 and action != "*":
        return PERMISSION
    space = parts[0]
    if space == "microsoft.directory" or "allentities" in parts or space.startswith(_OFFICE):
        return DIRECTORY
    return AZURE


@lru_cache(maxsize=65536)
def azure_covers(pattern: str, action: str) -> bool:
    """Does an Azure pattern cover an action, or everything another pattern covers? Case means nothing."""
    return "?" not in pattern and matches(pattern.casefold(), action.casefold())


@lru_cache(maxsize=65536)
def directory_covers(pattern: str, action: str) -> bool:
    """Does a directory permission cover an action?

    ``allEntities``, ``allProperties`` and ``allTasks`` stand for every entity, property set and task; an entity covers
    its narrower sorts (``groups.unified``).

    Examples
    --------
    >>> directory_covers("microsoft.directory/users/allProperties/allTasks", "microsoft.directory/users/create")
    True
    >>> directory_covers("microsoft.directory/users/allProperties/read", "microsoft.directory/users/password/update")
    False
    """
    if pattern == "*":
        return True
    wanted, asked = pattern.casefold().split("/"), action.casefold().split("/")
    if len(wanted) < 2 or len(asked) < 2 or wanted[0] != asked[0]:
        return wanted == asked
    if wanted[1] not in ("allentities", asked[1]) and not asked[1].startswith(f"{wanted[1]}."):
        return False
    middle, task = wanted[2:-1], wanted[-1]
    if len(wanted) == 2:
        return wanted == asked
    if task not in ("alltasks", asked[-1]):
        return False
    held = asked[2:-1]
    return middle in (["allproperties"], held) or (task == "alltasks" and held[: len(middle)] == middle)
