"""One module per native format, found by its name, which is the source's: they spell out what happened and know nothing
of the answers.

A log has a class ``Log(directory, world)`` with ``day(happened)``, called for the days in order, and ``end()``; an
inventory has a function ``write(directory, world)``, called after the last day, which gives the number of distinct
records it wrote or None. A module may have both.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any


@cache
def writers() -> dict[str, Any]:
    """Every writer by the name of its source, in order of name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names
            if name != "files" and not name.startswith("_")}
