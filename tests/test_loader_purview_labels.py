"""Sensitivity labels. All labels here are made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage_analytics.loaders import recognise
from tests._documents import Loaded, member
from tests._microsoft import as_csv, as_json, as_lines, same

TOP, SUB, PLAIN = (f"0000000{n}-aaaa-4bbb-8ccc-dddddddddddd" for n in (1, 2, 3))
CANARY = "pineapple-canary-77"


def command(guid: str, name: str, rank: int, parent: str | None = None, **more: Any) -> dict[str, Any]:
    """A made-up row of ``Get-Label``."""
    return {
        "Priority": rank, "ParentId": parent, "Tooltip": CANARY, "ContentType": "File, Email", "Comment": CANARY,
        "LabelActions": [], "Disabled": False, "DisplayName": name, "Name": f"n-{rank}", "Guid": guid.upper(),
        "ImmutableId": guid.upper(), "Settings": ["[color, #fff]"],
    } | more


ENCRYPTS = [json.dumps({"Type": "encrypt", "SubType": None, "Settings": []})]
LABELS = [command(TOP, "Confidential", 5), command(SUB, "All staff", 6, TOP, LabelActions=ENCRYPTS),
          command(PLAIN, "Public", 0, Disabled=True)]


def csv_rows(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Export-Csv makes of them."""
    return [row | {"LabelActions": json.dumps(row["LabelActions"]), "ParentId": row["ParentId"] or "",
                   "Settings": "[color, #fff]"} for row in labels]


def graph_old(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": row["Guid"].lower(), "name": row["DisplayName"], "description": CANARY, "color": "", "tooltip": CANARY,
             "sensitivity": row["Priority"], "isActive": not row["Disabled"], "isAppliable": True,
             "contentFormats": ["file", "email"], "hasProtection": bool(row["LabelActions"]),
             "parent": {"id": row["ParentId"], "name": "x"} if row["ParentId"] else None} for row in labels]


def graph_new(labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    top, sub, plain = ({"id": row["Guid"].lower(), "name": row["DisplayName"], "priority": row["Priority"],
                        "isEnabled": not row["Disabled"], "applicableTo": "email,file", "toolTip": CANARY,
                        "hasProtection": bool(row["LabelActions"]), "actionSource": "manual", "sublabels": []}
                       for row in labels)
    return [top | {"sublabels": [sub]}, plain]


KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES: dict[str, bytes] = {
    "command_json": as_json(LABELS),
    "command_lines": as_lines(LABELS),
    "command_csv": as_csv(csv_rows(LABELS)),
    "command_csv_5": b"#TYPE Microsoft.Office.Label\r\n" + as_csv(csv_rows(LABELS)),
    "graph": as_json({"@odata.context": "x#sensitivityLabels", "value": graph_old(LABELS)}),
    "graph_pages": as_lines([{"value": graph_old(LABELS)[:2]}, {"value": graph_old(LABELS)[2:]}]),
    "graph_new": as_json({"value": graph_new(LABELS)}),
}


@pytest.mark.parametrize("shape", CONTRACT_FILES)
def test_every_shape_gives_the_same_catalogue(shape: str) -> None:
    found = Loaded(CONTRACT_FILES[shape])
    assert (found.source, found.faults) == ("purview_labels", [])
    assert found.rows("resources", "id", "kind", "parent_id", "display_name", "attributes") == [
        (TOP, "sensitivity_label", None, "Confidential",
         '{"content_types":["email","file"],"enabled":true,"protects":false,"rank":5}'),
        (SUB, "sensitivity_label", TOP, "All staff",
         '{"content_types":["email","file"],"enabled":true,"protects":true,"rank":6}'),
        (PLAIN, "sensitivity_label", None, "Public",
         '{"content_types":["email","file"],"enabled":false,"protects":false,"rank":0}')]


def test_the_packagings_of_one_command_give_the_same_ids() -> None:
    ids = {tuple(sorted(Loaded(CONTRACT_FILES[name]).ids)) for name in CONTRACT_FILES if name.startswith("command")}
    assert len(ids) == 1
    assert same(Loaded(CONTRACT_FILES["graph"])["resources"]) == same(Loaded(CONTRACT_FILES["graph_pages"])["resources"])


@pytest.mark.parametrize(("actions", "protects"), [
    ({}, None), ({"LabelActions": None}, None), ({"LabelActions": "see portal"}, None), ({"LabelActions": []}, False),
    ({"LabelActions": ['{"Type":"applycontentmarking"}']}, False),
    ({"LabelActions": ['{"Type":"applycontentmarking"}', '{"Type":"Encrypt"}']}, True),
    ({"HasProtection": "True"}, True),
])
def test_whether_a_label_protects_is_unknown_unless_stated(actions: dict[str, Any], protects: bool | None) -> None:
    row = {key: held for key, held in LABELS[0].items() if key != "LabelActions"} | actions
    [(attributes,)] = Loaded(as_json([row])).rows("resources", "attributes")
    assert json.loads(attributes).get("protects") is protects


def test_an_all_zero_parent_is_none_and_a_rank_not_stated_is_unknown() -> None:
    row = LABELS[0] | {"ParentId": "00000000-0000-0000-0000-000000000000", "Priority": ""}
    [(parent, attributes)] = Loaded(as_json([row])).rows("resources", "parent_id", "attributes")
    assert parent is None
    assert "rank" not in json.loads(attributes)


def test_a_label_without_a_guid_is_quarantined_and_what_admins_wrote_is_not_kept() -> None:
    found = Loaded(as_json([*LABELS, LABELS[0] | {"Guid": "", "ImmutableId": None}]))
    assert [(fault.reason, fault.position) for fault in found.faults] == [("not_a_label", 3)]
    for data in CONTRACT_FILES.values():
        assert CANARY not in str(Loaded(data)["resources"].to_dicts())
    [(odd,)] = Loaded(as_json([LABELS[0] | {"NewKnob": 3, "NewNote": CANARY}])).rows("resources", "unmapped")
    assert json.loads(odd) == {"newknob": 3, "newnote": "[content not stored]"}
    known = graph_old(LABELS)[0] | {"parent@odata.context": "x#labels/parent/$entity"}
    assert Loaded(as_json([known])).rows("resources", "unmapped") == [(None,)]


@pytest.mark.parametrize("data", [
    b"Name,Priority,Labels\na,1,b\n", b'[{"id":"1","name":"bug","color":"f29513","priority":1}]',
    b'[{"Guid":"x","Name":"policy","Priority":1,"Labels":[]}]',
])
def test_other_labels_and_policies_are_not_claimed(data: bytes) -> None:
    assert recognise(member(data).sample) is None
