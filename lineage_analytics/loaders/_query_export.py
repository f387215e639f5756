"""Rows as a Log Analytics workspace holds and saves them: typed column names, and times of the reader's language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.times import shown_time

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lineage_analytics.loaders.common.values import Fields

_UTC = " [utc]"
_TYPED = re.compile(r"(.+)_[sdbtg]")
_CUSTOM = "_cf"
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
OF_THE_WORKSPACE = frozenset({"tenantid", "sourcesystem", "type", "mg", "managementgroupname", "computer", "rawdata",
                              "_resourceid", "_itemid", "_timereceived", "_billedsize", "_isbillable"})


def plain(row: Mapping[str, object]) -> Fields:
    """The row, keys in lower case and without ``[UTC]`` or ``_CF``, with the times of a saved query in ISO form."""
    found: Fields = {}
    own = {key: held for key, held in row.items() if key.strip().lower().endswith(_CUSTOM)}
    for key, held in (own | dict(row)).items():  # a custom column wins over one of the table itself
        low = key.strip().lower()
        shown = shown_time(held) or held if low.endswith(_UTC) and isinstance(held, str) else held
        found.setdefault(low.removesuffix(_UTC).removesuffix(_CUSTOM), shown)
    return found


def names_of(columns: Collection[str]) -> frozenset[str]:
    """Names of the columns of a saved query, as ``plain`` gives them."""
    return frozenset(plain(dict.fromkeys(columns)))


def untyped(row: Mapping[str, object], *, dotted: bool) -> Fields:
    """The row with names freed of the type a custom table puts behind them (``actor_id_s``); columns of the table
    itself have none and stay away. ``dotted``: an underscore stands for a level of the record, which becomes a dot."""
    found: Fields = {}
    for key, held in plain(row).items():
        typed = _TYPED.fullmatch(key)
        if typed is not None and held not in (None, ""):
            found.setdefault(typed[1].replace("_", ".") if dotted else typed[1], held)
    return found


def snake(row: Mapping[str, object]) -> Fields:
    """The row with names as the record has them (``ActorId``: ``actor_id``), without the columns of the workspace."""
    stated = {key: held for key, held in row.items() if held not in (None, "") and key.lower() not in OF_THE_WORKSPACE}
    return {_CAPITAL.sub("_", key).lower(): held for key, held in stated.items()}


def renamed(row: Mapping[str, object], paths: Mapping[str, str]) -> Fields:
    """The cells of a table with columns of its own under the dotted paths that ``paths`` gives for them."""
    return {paths[key]: held for key, held in plain(row).items() if key in paths and held not in (None, "")}
