"""ServiceNow rows become decisions with who, what and when, whatever form their fields were exported in."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import polars as pl
import pytest

from lineage_analytics import tables
from lineage_analytics.loaders import _servicenow_xml, recognise
from lineage_analytics.loaders.servicenow import settle
from tests._documents import Loaded, member

Row = dict[str, str]
CHG, ANA, BO, CI, APPROVAL, GROUP = (f"{n:032x}" for n in range(0xA1, 0xA7))
NAMES = {CHG: "CHG0030001", ANA: "Ana Example", BO: "Bo Example", CI: "ledger", GROUP: "CAB"}
HOST = "https://northwind.service-now.com/api/now/table"
WRITTEN = "because the salary of Bo is wrong, see INC0010009"

CHANGE: Row = {
    "sys_id": CHG, "number": "CHG0030001", "sys_class_name": "change_request", "type": "normal", "state": "3",
    "approval": "approved", "requested_by": ANA, "opened_by": ANA, "assigned_to": BO, "cmdb_ci": CI,
    "opened_at": "2026-03-01 08:00:00", "work_start": "2026-03-02 10:00:00", "work_end": "2026-03-02 11:00:00",
    "closed_at": "2026-03-02 12:00:00", "closed_by": BO, "close_code": "successful", "short_description": WRITTEN,
    "justification": WRITTEN, "sys_mod_count": "7", "sys_created_by": "ana", "sys_created_on": "2026-03-01 08:00:00",
    "sys_updated_on": "2026-03-02 12:00:00"}
DECIDED: Row = {
    "sys_id": APPROVAL, "sysapproval": CHG, "approver": BO, "state": "approved", "comments": WRITTEN,
    "source_table": "change_request", "sys_mod_count": "2", "sys_created_on": "2026-03-01 09:00:00",
    "sys_updated_on": "2026-03-02 07:30:00", "sys_updated_by": "bo"}
AUDIT: Row = {
    "sys_id": f"{0xB1:032x}", "tablename": "sysapproval_approver", "documentkey": APPROVAL, "fieldname": "state",
    "oldvalue": "requested", "newvalue": "approved", "user": "bo", "sys_created_on": "2026-03-01 15:00:00"}
USER: Row = {"sys_id": BO, "user_name": "Bo", "name": "Bo Example", "email": "Bo@Northwind.example", "active": "true",
             "sys_created_on": "2025-01-01 00:00:00", "last_login_time": "2026-03-01 07:00:00", "sys_mod_count": "3"}
TEAM: Row = {"sys_id": GROUP, "name": "CAB", "manager": ANA, "active": "true", "sys_mod_count": "1",
             "sys_created_on": "2025-01-01 00:00:00"}
MEMBER: Row = {"sys_id": f"{0xB2:032x}", "group": GROUP, "user": BO, "sys_created_on": "2025-02-01 00:00:00",
               "sys_created_by": "ana", "sys_mod_count": "0"}
REFERENCES = frozenset({"requested_by", "opened_by", "assigned_to", "cmdb_ci", "closed_by", "sysapproval", "approver",
                        "group", "user", "manager"})


def linked(row: Row) -> dict[str, Any]:
    """As the Table API gives a row by default: references as link and value."""
    return {key: {"link": f"{HOST}/x/{held}", "value": held} if key in REFERENCES and len(held) == 32 else held
            for key, held in row.items()}


def both(row: Row) -> dict[str, Any]:
    """As with ``sysparm_display_value=all``."""
    return {key: {"display_value": NAMES.get(held, held), "value": held, **(
        {"link": f"{HOST}/x/{held}"} if key in REFERENCES and len(held) == 32 else {})} for key, held in row.items()}


def api(*rows: Row) -> str:
    return json.dumps({"result": [linked(row) for row in rows]})


def as_csv(*rows: Row, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_xml(table: str, *rows: Row, root: str = "unload") -> str:
    def field(key: str, held: str) -> str:
        shown = f" display_value={quoteattr(NAMES[held])}" if held in NAMES and key in REFERENCES else ""
        return f"<{key}{shown}>{escape(held)}</{key}>"

    body = "".join(f'<{table} action="INSERT_OR_UPDATE">{"".join(field(*pair) for pair in row.items())}</{table}>'
                   for row in rows)
    return f'<?xml version="1.0" encoding="UTF-8"?><{root} unload_date="2026-03-03 00:00:00">{body}</{root}>'


LABELLED = ("Number,Type,State,Approval,Requested by,Opened,Actual start date,Closed,Close code,Short description\n"
            "CHG0030002,Standard,Closed,Approved,Ana Example,2026-03-01 08:00:00,2026-03-02 10:00:00,"
            f"2026-03-02 12:00:00,Successful,\"{WRITTEN}\"\n")
CONTRACT_FILES = {
    "api": api(CHANGE, DECIDED).encode(), "both": json.dumps({"result": [both(DECIDED), both(CHANGE)]}).encode(),
    "people": api(USER, TEAM, MEMBER).encode(), "audit": as_csv(AUDIT).encode(), "labels": LABELLED.encode(),
    "xml": as_xml("change_request", CHANGE, {**CHANGE, "sys_mod_count": "8"}).encode(),
}
STEPS = ("kind", "verdict", "capacity", "actor_id", "native_key", "status")


def _rows(found: Loaded) -> list[Any]:
    """Steps without what an export may leave out: the instance and labels."""
    return [tuple(cell.replace(":northwind:", "::") if isinstance(cell, str) else cell for cell in row)
            for row in found.rows("decision_steps", *STEPS, "time", "quoted_keys", "justification_present", "target_key")]


@pytest.mark.parametrize("packed", [
    json.dumps({"result": [both(CHANGE)]}), json.dumps([CHANGE]), json.dumps(CHANGE), json.dumps(linked(CHANGE)),
    as_csv(CHANGE), as_csv(CHANGE, delimiter=";"), as_xml("change_request", CHANGE),
    as_xml("change_request", CHANGE, root="xml"), json.dumps({"_origin": "x", "log": linked(CHANGE)}),
    json.dumps({"result": [{key.upper(): held for key, held in CHANGE.items()}]}),
    "\ufeff" + as_csv(CHANGE).replace("\n", "\r\n"), api(CHANGE) + "\n" + api(CHANGE) + "\n",
], ids=["both", "values", "object", "one", "csv", "semicolons", "unload", "list", "envelope", "upper", "bom", "pages"])
def test_every_form_of_a_change_gives_the_same_steps(packed: str) -> None:
    assert sorted(_rows(Loaded(packed)), key=repr) == sorted(_rows(Loaded(api(CHANGE))), key=repr)
    assert set(Loaded(packed).ids) == set(Loaded(api(CHANGE)).ids)


def test_a_change_is_asked_carried_out_and_ended_under_its_number() -> None:
    found = Loaded(api(CHANGE))
    ana, bo = f"servicenow:northwind:{ANA}", f"servicenow:northwind:{BO}"
    assert found.rows("decision_steps", *STEPS) == [
        ("action", None, None, bo, "CHG0030001", "succeeded"), ("outcome", None, None, bo, "CHG0030001", "succeeded"),
        ("request", None, None, ana, "CHG0030001", "succeeded")]
    assert set(found["decision_steps"]["native_key_kind"]) == {"change_number"}
    assert found.rows("decision_steps", "target_key", "quoted_keys") == [
        (f"servicenow:northwind:ci/{CI}", ["INC0010009"])]


def test_a_standard_change_is_approved_by_policy() -> None:
    found = Loaded(LABELLED)
    assert ("decision", "approve", "policy", None, "CHG0030002", "succeeded") in found.rows("decision_steps", *STEPS)
    assert {a for (a,) in found.rows("activity", "actor_id")} == {"servicenow::ana example"}


@pytest.mark.parametrize(("changes", "kinds"), [
    ({"close_code": "unsuccessful"}, ["attempt:failed", "outcome:failed", "request:succeeded"]),
    ({"close_code": "Backed out"}, ["action:succeeded", "outcome:failed", "request:succeeded", "rollback:succeeded"]),
    ({"state": "4", "close_code": "", "work_start": ""}, ["decision:succeeded", "request:succeeded"]),
    ({"state": "Canceled", "close_code": "", "work_start": ""}, ["decision:succeeded", "request:succeeded"]),
    ({"state": "-4", "close_code": "", "work_start": "", "closed_at": ""}, ["request:succeeded"]),
    ({"approval_set": "2026-03-01 10:00:00"},
     ["action:succeeded", "decision:succeeded", "outcome:succeeded", "request:succeeded"]),
])
def test_how_a_change_ended(changes: Row, kinds: list[str]) -> None:
    assert [f"{kind}:{status}" for kind, status in Loaded(api({**CHANGE, **changes})).rows(
        "decision_steps", "kind", "status")] == kinds


@pytest.mark.parametrize(("state", "wanted"), [
    ("approved", [("decision", "approve", "approver", f"servicenow:northwind:{BO}", "succeeded")]),
    ("Rejected", [("decision", "deny", "approver", f"servicenow:northwind:{BO}", "succeeded")]),
    ("requested", [("request", None, None, None, "pending")]),
    ("not_required", []), ("Not Yet Requested", []), ("cancelled", []), ("duplicate", []),
])
def test_an_approvers_row_is_a_decision_only_when_it_decided(state: str, wanted: list[Any]) -> None:
    found = Loaded(api({**DECIDED, "state": state}))
    assert found.rows("decision_steps", "kind", "verdict", "capacity", "actor_id", "status") == wanted
    assert len(found.ids) == found["activity"].height == 1


def test_an_approval_that_displays_its_ticket_is_named_by_number_and_another_by_sys_id() -> None:
    wanted = ("native_key_kind", "native_key")
    assert Loaded({"result": [both(DECIDED)]}).rows("decision_steps", *wanted) == [("change_number", "CHG0030001")]
    assert Loaded(api(DECIDED)).rows("decision_steps", *wanted) == [("ticket_sys_id", CHG)]
    walked = {**DECIDED, "sysapproval.number": "RITM0010001", "source_table": "sc_req_item"}
    assert Loaded(api(walked)).rows("decision_steps", *wanted) == [("request_number", "RITM0010001")]


def test_what_looks_like_a_number_inside_a_sys_id_is_none() -> None:
    other = "343f9eb2697bece1212d1a28e171dd46"
    assert Loaded(api({**DECIDED, "sysapproval": other})).rows("decision_steps", "native_key_kind", "native_key") == [
        ("ticket_sys_id", other)]


def test_a_delegate_decides_as_themselves_where_the_export_shows_it() -> None:
    found = Loaded(api({**DECIDED, "approver.user_name": "bo", "sys_updated_by": "cleo"}))
    assert found.rows("decision_steps", "actor_id", "capacity") == [("servicenow:northwind:cleo", "delegate")]
    found = Loaded(api({**DECIDED, "approver.user_name": "Bo", "sys_updated_by": "bo"}))
    assert found.rows("decision_steps", "actor_id", "capacity") == [(f"servicenow:northwind:{BO}", "approver")]


def _settled(*files: str) -> pl.DataFrame:
    loaded = [Loaded(text) for text in files]
    steps = pl.concat([one["decision_steps"] for one in loaded])
    covered = pl.DataFrame([{"basis": "received", "provider": "servicenow", "tenant": tenant} for tenant in {
        t for one in loaded for t in one["activity"]["tenant"]}], schema=tables.COVERAGE.schema)
    return settle({"decision_steps": steps.lazy(), "coverage": covered.lazy()})["decision_steps"].collect()


def test_the_audit_log_gives_the_moment_of_the_decision_and_the_change_its_number() -> None:
    """The approval row was touched on the 2nd; the decision fell on the 1st."""
    steps = _settled(api(CHANGE), api(DECIDED), as_csv(AUDIT))
    decisions = steps.filter(pl.col("kind") == "decision")
    assert [f"{time:%d %H}" for time in decisions["time"]] == ["01 15"]
    assert decisions["native_key"].to_list() == ["CHG0030001"]


def test_without_the_audit_log_the_row_stands_and_finds_its_change() -> None:
    steps = _settled(api(CHANGE), api(DECIDED)).filter(pl.col("kind") == "decision")
    assert steps.select("native_key_kind", "native_key").rows() == [("change_number", "CHG0030001")]


@pytest.mark.parametrize(("concluded", "capacities"), [
    ("2026-03-02 07:30:02", ["approver"]), ("2026-03-02 09:30:00", ["approver", "system"])])
def test_what_the_workflow_concluded_of_a_vote_is_no_second_decision(concluded: str, capacities: list[str]) -> None:
    """A conclusion hours later rests on votes that are not loaded, and stands."""
    steps = _settled(api({**CHANGE, "approval_set": concluded}), api(DECIDED)).filter(pl.col("kind") == "decision")
    assert sorted(steps["capacity"]) == capacities


def test_a_row_without_links_is_of_the_one_instance_loaded() -> None:
    steps = _settled(api(CHANGE), as_csv(DECIDED))
    assert set(steps["tenant"]) == {"northwind"}
    assert f"servicenow:northwind:{BO}" in set(steps["actor_id"])


def test_people_are_an_inventory_and_nobody_is_human_for_having_an_account() -> None:
    found = Loaded(api(USER, TEAM, MEMBER))
    bo, cab = f"servicenow:northwind:{BO}", f"servicenow:northwind:{GROUP}"
    assert sorted((i.rsplit(":", 1)[1], kind, basis) for i, kind, basis in found.rows(
        "identity_facts", "id", "kind", "basis")) == [(BO, "unknown", "inventory"), (GROUP, "group", "inventory")]
    assert found.rows("entitlements", "principal_id", "grant_kind", "scope", "state") == [
        (bo, "membership", cab, "standing")]


@pytest.mark.parametrize(("more", "kind", "enabled"), [
    ({"web_service_access_only": "true"}, "service_account", True), ({"identity_type": "machine"}, "service_account", True),
    ({"identity_type": "human"}, "human", True), ({"active": "false"}, "unknown", False),
    ({"locked_out": "true"}, "unknown", False), ({"active": ""}, "unknown", None),
])
def test_an_account_is_what_its_row_says(more: Row, kind: str, enabled: bool | None) -> None:
    [row] = Loaded(api({**USER, **more}))["identity_facts"].to_dicts()
    assert (row["kind"], row["enabled"]) == (kind, enabled)
    assert {"kind": "login", "value": "bo"} in row["alt_ids"]


@pytest.mark.parametrize("name", CONTRACT_FILES)
def test_nothing_anybody_wrote_is_kept(name: str) -> None:
    found = Loaded(CONTRACT_FILES[name])
    assert "salary" not in json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)


def test_custom_fields_are_kept_without_their_texts() -> None:
    [(kept,)] = Loaded({"result": [{**CHANGE, "u_note": WRITTEN, "u_count": 3}]}).rows("activity", "unmapped")
    assert json.loads(kept) == {"u_note": "[content not stored]", "u_count": 3}


def test_a_row_changed_since_is_another_record_of_the_same_ticket() -> None:
    assert len(set(Loaded(api(CHANGE, {**CHANGE, "sys_mod_count": "8"}, CHANGE)).ids)) == 2


@pytest.mark.parametrize("head", ['<!DOCTYPE unload [<!ENTITY a "b">]>', '<!DOCTYPE unload SYSTEM "file:///etc/passwd">'])
def test_xml_with_a_document_type_is_refused(head: str) -> None:
    data = as_xml("change_request", CHANGE)
    found = Loaded(data.replace("</unload>", "") + head + "</unload>")
    assert (len(found.ids), [(f.position, f.reason) for f in found.faults]) == (1, [(1, "broken_xml")])
    before = data.replace("?><unload", f"?>{head}<unload")
    assert recognise(member(before).sample) is None
    [chunk] = _servicenow_xml.chunks(member(before))
    assert ([f.reason for f in chunk.faults], chunk.raws) == (["refused_xml"], [])


def test_an_incident_is_activity_and_noted_as_a_table_without_a_rule() -> None:
    found = Loaded({"result": [{**linked(CHANGE), "sys_class_name": "incident", "number": "INC0010001"}]})
    assert found.rows("activity", "action") == [("incident:update",)]
    assert found["decision_steps"].is_empty()


@pytest.mark.parametrize(("more", "action", "actor", "time"), [
    ({"sys_updated_by": "cleo"}, "change_request:update", "servicenow:northwind:cleo", "02 12:00"),
    ({"sys_updated_by": "system"}, "change_request:update", None, "02 12:00"),
    ({"sys_mod_count": "0"}, "change_request:create", f"servicenow:northwind:{ANA}", "02 12:00"),
    ({"sys_updated_on": ""}, "change_request:create", f"servicenow:northwind:{ANA}", "02 12:00"),
])
def test_a_version_of_a_row_was_written_by_whoever_updated_it_and_is_as_late_as_what_it_tells(
    more: Row, action: str, actor: str | None, time: str) -> None:
    found = Loaded(api({**CHANGE, **more}))
    assert [(a, b, f"{at:%d %H:%M}") for a, b, at in found.rows("activity", "action", "actor_id", "time")] == [
        (action, actor, time)]
    assert found["decision_steps"]["time"].max() <= found["activity"]["time"].max()  # type: ignore[operator]


ITEM: Row = {"sys_id": f"{0xC1:032x}", "number": "RITM0010001", "sys_class_name": "sc_req_item", "state": "3",
             "requested_for": ANA, "opened_by": BO, "cat_item": CI, "opened_at": "2026-03-01 08:00:00",
             "closed_at": "2026-03-02 08:00:00", "closed_by": BO, "sys_updated_on": "2026-03-02 08:00:00"}


def test_a_catalogue_item_is_asked_for_somebody_by_somebody_and_ends() -> None:
    assert Loaded(as_csv(ITEM)).rows("decision_steps", "kind", "actor_id", "initiator_id", "native_key_kind", "status") == [
        ("outcome", f"servicenow::{BO}", f"servicenow::{ANA}", "request_number", "succeeded"),
        ("request", f"servicenow::{BO}", f"servicenow::{ANA}", "request_number", "succeeded")]
    assert Loaded(as_csv({**ITEM, "state": "Closed Incomplete"})).rows("decision_steps", "kind", "status") == [
        ("outcome", "failed"), ("request", "succeeded")]


def test_a_groups_approval_is_what_the_workflow_concluded_of_its_members() -> None:
    row = {"sys_id": f"{0xC2:032x}", "sys_class_name": "sysapproval_group", "parent": CHG, "assignment_group": GROUP,
           "approval": "rejected", "sys_updated_on": "2026-03-01 10:00:00", "sys_mod_count": "1"}
    assert Loaded(as_csv(row)).rows("decision_steps", "kind", "verdict", "capacity", "actor_id", "actor_class") == [
        ("decision", "deny", "system", f"servicenow::{GROUP}", "group")]


def test_a_history_line_that_names_its_record_says_the_same_as_the_audit_row() -> None:
    line = {"sys_id": f"{0xC3:032x}", "set.id": APPROVAL, "set.table": "sysapproval_approver", "field": "state",
            "old": "Requested", "new": "Approved", "user_name": "bo", "update_time": "2026-03-01 15:00:00"}
    wanted = ("kind", "verdict", "actor_id", "native_key", "time")
    assert Loaded(as_csv(line)).rows("decision_steps", *wanted) == Loaded(as_csv(AUDIT)).rows("decision_steps", *wanted)


@pytest.mark.parametrize(("table", "field"), [("change_request", "state"), ("sysapproval_approver", "comments")])
def test_other_audited_changes_are_activity_without_their_values(table: str, field: str) -> None:
    found = Loaded(as_csv({**AUDIT, "tablename": table, "fieldname": field, "newvalue": WRITTEN}))
    assert found.rows("activity", "action", "actor_id") == [(f"{table}:update {field}", "servicenow::bo")]
    assert found["decision_steps"].is_empty()
    assert "salary" not in json.dumps(found["activity"].to_dicts(), default=str)


def test_a_role_held_through_a_group_says_so() -> None:
    row = {"sys_id": f"{0xC4:032x}", "user": BO, "role": f"{0xC5:032x}", "granted_by": GROUP, "inherited": "true",
           "sys_created_on": "2025-01-01 00:00:00", "sys_mod_count": "0"}
    [grant] = Loaded(as_csv(row))["entitlements"].to_dicts()
    assert (grant["grant_kind"], grant["privilege"], grant["origin"], grant["via"]) == (
        "role", f"{0xC5:032x}", "group_inherited", [f"servicenow::{GROUP}"])


def test_a_time_that_cannot_be_read_is_refused_and_none_at_all_is_kept() -> None:
    for written, reasons in (("03-01-2026 8:00", ["no_time"]), ("", [])):
        assert [f.reason for f in Loaded(as_csv({**AUDIT, "sys_created_on": written})).faults] == reasons


def test_the_answer_to_a_question_for_one_row_is_that_row() -> None:
    assert Loaded({"result": linked(CHANGE)}).ids == Loaded({"result": [linked(CHANGE)]}).ids != []
    named = Loaded({"table_name": "change_request", **linked(CHANGE)})
    assert named["activity"]["unmapped"].to_list() == [None]


def test_a_class_shown_by_its_label_is_the_table_that_was_asked_for() -> None:
    asset = {"sys_id": CI, "sys_class_name": "Hardware", "table_name": "alm_hardware", "sys_mod_count": "2,000",
             "sys_created_on": "2026-03-01 08:00:00", "sys_updated_on": "2026-03-02 08:00:00", "sys_updated_by": "bo"}
    stored = {**asset, "sys_class_name": "alm_hardware", "sys_mod_count": "2000"}
    assert Loaded({"result": [asset]}).ids == Loaded({"result": [stored]}).ids
    assert Loaded({"result": [asset]})["activity"]["action"].to_list() == ["alm_hardware:update"]
    person = Loaded({"result": [{**USER, "sys_class_name": "User"}]})
    assert person["identity_facts"]["basis"].to_list() == ["inventory"]
