"""Names of a room that are imported when first used, so that starting up costs nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lineage_analytics.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazily(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module ``__getattr__`` for ``room``: ``homes`` maps each public name to the module that defines or is it."""

    def __getattr__(name: str) -> Any:  # noqa: N807  (the name the import system asks for)
        if name not in homes:
            message = f"{room} has no {name!r}."
            if not name.startswith("_"):
                message += f" {did_you_mean(name, homes)}"
            raise AttributeError(message)
        home = importlib.import_module(homes[name])
        return home if homes[name].endswith(f".{name}") else getattr(home, name)

    return __getattr__
