"""Sensitivity labels: what ``Get-Label`` prints, and the same catalogue as Graph lists it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.writers.files import pretty, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.model import World

_RETIRED, _STAFF = "0e1d2c3b-0005-4a10-a000-5f6e7d8c9b05", "0e1d2c3b-0006-4a10-a000-5f6e7d8c9b06"
_TEXT = "A synthetic label; nothing real is marked with it."
_ENCRYPTS = json.dumps({"Type": "encrypt", "SubType": None, "Settings": [{"Key": "disabled", "Value": "false"}]})


def write(directory: Path, world: World) -> int:  # noqa: ARG001  (labels are the same in every organisation)
    """Two forms of one catalogue; they hold the same labels."""
    labels = _labels()
    put(directory / "Get-Label.json", pretty([_command(*label) for label in labels]))
    put(directory / "graph-sensitivity-labels.json", pretty({
        "@odata.context": "https://graph.microsoft.com/beta/$metadata#security/informationProtection/sensitivityLabels",
        "value": [_graph(*label) for label in labels]}))
    return len(labels)


def _labels() -> list[tuple[str, str, int, str, bool]]:
    """Id, name, rank, the label it is under, and whether it is in use; one was retired."""
    ranked = [*names.LABELS.items()]
    ranked.insert(3, ("All Employees", _STAFF))
    found = [("Internal Use", _RETIRED), *ranked]
    return [(guid, name, rank, names.LABELS["Confidential"] if guid == _STAFF else "", guid != _RETIRED)
            for rank, (name, guid) in enumerate(found)]


def _protects(guid: str) -> bool:
    return guid in (names.LABELS["Highly Confidential"], _STAFF)


def _command(guid: str, name: str, rank: int, parent: str, used: bool) -> dict[str, Any]:
    return {
        "Priority": rank, "ParentId": parent or None, "ParentLabelDisplayName": "Confidential" if parent else "",
        "Tooltip": _TEXT, "ContentType": "File, Email", "Settings": [f"[displayname, {name}]", "[color, #13A10E]"],
        "LocaleSettings": [], "LabelActions": [_ENCRYPTS] if _protects(guid) else [], "Conditions": "",
        "Disabled": not used, "Comment": _TEXT, "DisplayName": name, "Name": guid, "Guid": guid, "ImmutableId": guid,
    }


def _graph(guid: str, name: str, rank: int, parent: str, used: bool) -> dict[str, Any]:
    return {
        "id": guid, "name": name, "description": _TEXT, "color": "#13A10E", "sensitivity": rank, "tooltip": _TEXT,
        "isActive": used, "isAppliable": used and guid != names.LABELS["Confidential"],
        "contentFormats": ["file", "email"], "hasProtection": _protects(guid),
        "parent": {"id": parent, "name": "Confidential"} if parent else None,
    }
