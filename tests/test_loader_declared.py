"""What customers write by hand is read whatever the order and case of columns, and unclear cells are named."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_analytics.loaders import declared, recognise
from lineage_analytics.loaders.declared import identity_of, templates
from tests._documents import Loaded, member

OWNERS = "identity,owner,confirmed_on,purpose\narn:aws:iam::111122223333:role/etl,bo@northwind.example,2026-03-01,loads\n"
PERSONS = ("person,account,display_name,status,left_on\n7,Ana@Northwind.example,Ana,active,\n"
           "8,bbbbbbbb-0000-4000-8000-000000000001,Bo,left,2026-02-01\n")
JEWELS = "id,kind,reason\narn:aws:iam::111122223333:role/deploy,role,deploys all\n"
WORKFLOWS = ("workflow,assistant,identity,declared_class,owner,description\n"
             "tickets,Helper,bbbbbbbb-0000-4000-8000-000000000001,executes_approved,ana@northwind.example,roles\n"
             "chat,Helper,,advises,,\n")
SOURCES = "source,tenant,since\naws_cloudtrail,111122223333,2026-01-01\n"
ENVIRONMENTS = "identity,environment\naws:111122223333:AROAEXAMPLE,prod\n"
TENANTS = "organisation,tenant\nNorthwind,111122223333\nNorthwind,aaaaaaaa-0000-4000-8000-00000000000t\n"
ITEMS = ("ci,instance,target\n0a1b2c3d4e5f60718293a4b5c6d7e8f9,dev1,arn:aws:iam::111122223333:role/deploy\n"
         "CI-7,,group/7\n")
BREAK_GLASS = "account,review_within_hours\nbreak@northwind.example,24\naws:111122223333:AIDAEXAMPLE,\n"
RULES = "target,approvers_required,reason\n*,1,everything\narn:aws:iam::111122223333:role/deploy,2,deploys all\n"
ORGANISATION = "organisation,synthetic\nNorthwind,yes\n"
CONTRACT_FILES = {name: text.encode() for name, text in {
    "owners": OWNERS, "persons": PERSONS, "crown_jewels": JEWELS, "workflows": WORKFLOWS, "sources": SOURCES,
    "environments": ENVIRONMENTS, "organisation": ORGANISATION, "tenants": TENANTS, "items": ITEMS,
    "break_glass": BREAK_GLASS, "rules": RULES, "json": json.dumps([{
        "person": "7", "accounts": ["a@b.example", "c@b.example"]}]), "lists": json.dumps({
            "owners": [{"identity": "a@b.example", "owner": "x"}], "Crown Jewels": [
                {"id": "arn:aws:iam::111122223333:role/deploy", "kind": "role", "reason": "x"}]})}.items()}


def test_an_owner_names_its_account_by_arn_with_the_day_it_was_confirmed() -> None:
    [row] = Loaded(OWNERS)["identity_facts"].to_dicts()
    assert row["id"] == "aws:111122223333:arn:aws:iam::111122223333:role/etl"
    assert row["owner"] == [{"id": "bo@northwind.example", "basis": "owner"}]
    assert (f"{row['owner_confirmed_at']:%Y-%m-%d}", row["purpose"], row["basis"]) == ("2026-03-01", "loads", "declared")


def test_persons_map_accounts_and_say_who_left() -> None:
    assert Loaded(PERSONS).rows("identity_facts", "id", "person_id", "enabled", "kind") == [
        ("declared::ana@northwind.example", "person:7", True, "human"),
        ("entra::bbbbbbbb-0000-4000-8000-000000000001", "person:8", False, "human")]


def test_a_crown_jewel_is_tier_0() -> None:
    assert Loaded(JEWELS).rows("resources", "id", "kind", "tier0") == [
        ("aws:111122223333:arn:aws:iam::111122223333:role/deploy", "crown_jewel", True)]


def test_a_workflow_with_an_account_declares_an_agent_and_one_without_does_not() -> None:
    found = Loaded(WORKFLOWS)
    assert found["resources"].height == 2
    assert found.rows("identity_facts", "id", "kind") == [("entra::bbbbbbbb-0000-4000-8000-000000000001", "ai_agent")]


def test_an_expected_source_is_coverage_without_days() -> None:
    assert Loaded(SOURCES).rows("coverage", "basis", "source", "tenant", "day") == [
        ("expected", "aws_cloudtrail", "111122223333", None)]


def _attributes(text: str) -> list[dict[str, object]]:
    return [json.loads(held) for (held,) in Loaded(text).rows("resources", "attributes")]


def test_a_workflow_says_who_runs_it_what_it_may_do_and_read_and_its_stage() -> None:
    text = ("workflow,runs_by,assistant,identity,declared_class,approver,data,stage,workstream,owner,description,"
            "evidence\nroles,it ops,Helper,svc-a; svc-b ;svc-a,Executes with approval,lead,tickets; group members,pilot,"
            "Identity operations,ana,,OTel GenAI\n")
    assert _attributes(text) == [{
        "assistant": "Helper", "identity": "declared::svc-a", "identities": ["declared::svc-a", "declared::svc-b"],
        "declared_class": "executes_approved", "runs_by": "it ops", "approver": "lead",
        "data": ["tickets", "group members"], "stage": "experimental", "workstream": "identity_operations",
        "owner": "ana", "description": None, "evidence": ["otel_genai"]}]
    assert Loaded(text).rows("identity_facts", "id", "kind") == [
        ("declared::svc-a", "ai_agent"), ("declared::svc-b", "ai_agent")]


def test_what_an_older_list_of_workflows_does_not_say_is_unknown() -> None:
    other, one = sorted(_attributes(WORKFLOWS), key=lambda held: bool(held["identity"]))
    assert {one[key] for key in ("runs_by", "approver", "data", "stage", "workstream", "evidence")} == {None}
    assert (other["identity"], other["identities"]) == (None, [])


@pytest.mark.parametrize(("written", "meant"), [
    ("executes alone", "executes_autonomous"), ("Executes with approval", "executes_approved"),
    ("executes-autonomous", "executes_autonomous"), ("Drafts", "drafts"), ("advises", "advises")])
def test_what_a_workflow_may_do_is_said_in_plain_words_too(written: str, meant: str) -> None:
    assert [a["declared_class"] for a in _attributes(f"workflow,declared_class\na,{written}\n")] == [meant]


def test_tenants_of_one_organisation_are_told() -> None:
    assert Loaded(TENANTS).rows("resources", "id", "kind") == [
        ("declared::tenant/Northwind/111122223333", "tenant"),
        ("declared::tenant/Northwind/aaaaaaaa-0000-4000-8000-00000000000t", "tenant")]
    assert _attributes(TENANTS)[0] == {"organisation": "Northwind", "tenant": "111122223333"}


def test_a_configuration_item_is_what_the_list_says_it_is() -> None:
    assert sorted(_attributes(ITEMS), key=str) == [
        {"ci": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "instance": "dev1",
         "target": "aws:111122223333:arn:aws:iam::111122223333:role/deploy",
         "target_written": "arn:aws:iam::111122223333:role/deploy"},
        {"ci": "CI-7", "instance": None, "target": "declared::group/7", "target_written": "group/7"}]


def test_an_account_for_emergencies_has_hours_until_review_or_unknown_ones() -> None:
    assert sorted(_attributes(BREAK_GLASS), key=str) == [
        {"account": "aws:111122223333:AIDAEXAMPLE", "review_within_hours": None},
        {"account": "declared::break@northwind.example", "review_within_hours": 24}]
    assert Loaded(BREAK_GLASS.replace("24", "0.5")).rows("resources", "id", "kind") == [
        ("declared::break_glass/aws:111122223333:AIDAEXAMPLE", "break_glass"),
        ("declared::break_glass/declared::break@northwind.example", "break_glass")]


def test_a_rule_of_approval_says_for_what_and_how_many() -> None:
    assert sorted(_attributes(RULES), key=str) == [
        {"target": "*", "target_written": "*", "approvers_required": 1, "reason": "everything"},
        {"target": "aws:111122223333:arn:aws:iam::111122223333:role/deploy", "approvers_required": 2,
         "target_written": "arn:aws:iam::111122223333:role/deploy", "reason": "deploys all"}]


def test_synthetic_data_says_so() -> None:
    [(kind, attributes)] = Loaded(ORGANISATION).rows("resources", "kind", "attributes")
    assert (kind, json.loads(attributes)) == ("organisation", {"synthetic": True})


@pytest.mark.parametrize("text", [
    "OWNER;Identity;Purpose;Confirmed On;note\nbo@northwind.example;arn:aws:iam::111122223333:role/etl;loads;2026-03-01;x\n",
    "owner\tidentity\tconfirmed_on\tpurpose\nbo@northwind.example\tarn:aws:iam::111122223333:role/etl\t2026-03-01\tloads\n",
    "\ufeff" + OWNERS.replace("\n", "\r\n"),
    json.dumps([{"identity": "arn:aws:iam::111122223333:role/etl", "owner": "bo@northwind.example",
                 "confirmed_on": "2026-03-01", "purpose": "loads"}]),
])
def test_order_case_delimiter_and_json_change_nothing(text: str) -> None:
    def shown(data: str) -> pl.DataFrame:
        return Loaded(data)["identity_facts"].drop("record_id", "raw_ref", "unmapped")

    assert shown(text).equals(shown(OWNERS))


@pytest.mark.parametrize(("row", "enabled", "gone"), [
    ("7,a@b.example,active,", True, False), ("7,a@b.example,left,2026-01-01", False, True),
    ("7,a@b.example,LEFT,", False, False), ("7,a@b.example,,", None, False), ("7,a@b.example,,2026-01-01", None, True),
    ("7,a@b.example,active,2026-01-01", True, False),
])
def test_an_account_is_enabled_only_where_the_list_says_so(row: str, enabled: bool | None, gone: bool) -> None:
    [(found, deleted)] = Loaded(f"person,account,status,left_on\n{row}\n").rows(
        "identity_facts", "enabled", "deleted_at")
    assert (found, deleted is not None) == (enabled, gone)


def test_a_list_without_a_column_of_status_says_nothing_of_it() -> None:
    assert Loaded("person,account\n7,a@b.example\n").rows("identity_facts", "enabled") == [(None,)]


@pytest.mark.parametrize(("cell", "identity", "matched_by"), [
    ("aws:111122223333:AROAEXAMPLE", "aws:111122223333:AROAEXAMPLE", []),
    ("entra:T:AAAAAAAA-0000-4000-8000-000000000001", "entra:t:aaaaaaaa-0000-4000-8000-000000000001", []),
    ("m365:Org:Ana@Northwind.example", "m365:org:ana@northwind.example", []),
    ("arn:aws:iam::111122223333:user/Ana", "aws:111122223333:arn:aws:iam::111122223333:user/Ana", ["arn"]),
    ("arn:aws:iam::111122223333:root", "aws:111122223333:root", ["arn"]),
    ("arn:aws:s3:::ledger", "aws::arn:aws:s3:::ledger", ["arn"]),
    ("{AAAAAAAA-0000-4000-8000-000000000001}", "entra::aaaaaaaa-0000-4000-8000-000000000001", ["object_id"]),
    ("Ana@Northwind.example", "declared::ana@northwind.example", ["login", "upn"]),
    ("svc-backup", "declared::svc-backup", ["login", "upn"]),
    ("s-1-5-21-1-2-3-1105", "ad:S-1-5-21-1-2-3:S-1-5-21-1-2-3-1105", ["sid"]),
    ("serviceaccount:ETL@p.iam.gserviceaccount.com", "gcp::serviceAccount:etl@p.iam.gserviceaccount.com",
     ["principal_id"]),
    ("etl@p.iam.gserviceaccount.com", "gcp::serviceAccount:etl@p.iam.gserviceaccount.com", ["principal_id"]),
    ("user:Ana@Northwind.example", "gcp::user:ana@northwind.example", ["principal_id"]),
    ("system:serviceaccount:ci:deployer", "k8s::system:serviceaccount:ci:deployer", ["username"]),
    ("jira:northwind:acc-1", "jira:northwind:acc-1", []),
])
def test_a_cell_names_its_identity_in_any_of_its_forms(cell: str, identity: str, matched_by: list[str]) -> None:
    found, alternatives = identity_of(cell)
    assert (found, [alt["kind"] for alt in alternatives]) == (identity, matched_by)


@pytest.mark.parametrize(("text", "table", "column", "value"), [
    ("identity,environment\nx,Non Prod\n", "identity_facts", "environment", "non-prod"),
    ("identity,environment\nx,PROD\n", "identity_facts", "environment", "prod"),
    ("identity,environment\nx,Production\n", "identity_facts", "environment", "prod"),
    ("identity,environment\nx,staging\n", "identity_facts", "environment", "non-prod"),
    ("source,since\nAWS CloudTrail,2026/1/1\n", "coverage", "source", "aws_cloudtrail"),
    ("id,kind,reason\nx,Role,\n", "resources", "tier0", True),
])
def test_case_and_hyphens_of_a_value_are_forgiven(text: str, table: str, column: str, value: object) -> None:
    assert Loaded(text).rows(table, column) == [(value,)]


def test_a_class_may_be_written_with_hyphens() -> None:
    [(attributes,)] = Loaded("workflow,declared_class\na,Executes-Approved\n").rows("resources", "attributes")
    assert json.loads(attributes)["declared_class"] == "executes_approved"


def test_rows_after_a_broken_one_keep_their_position() -> None:
    found = Loaded("identity,owner\n,b\na@b.example,x\nshort\nz@b.example,y\n")
    assert sorted((f.position, f.reason) for f in found.faults) == [(0, "unclear_cell"), (2, "broken_csv")]
    assert found["identity_facts"].select("id", pl.col("raw_ref").struct.field("offset")).rows() == [
        ("declared::a@b.example", 1), ("declared::z@b.example", 3)]


def test_a_spreadsheet_saved_in_another_encoding_costs_only_the_rows_it_spoils() -> None:
    found = Loaded((PERSONS + "9,c@d.example,Ren\xe9,active,\n").encode("cp1252"))
    assert [(f.position, f.detail) for f in found.faults] == [
        (2, "wanted UTF-8 text, found other bytes; save the file as UTF-8")]
    assert len(found.ids) == 2


def test_json_rows_are_plain_and_others_are_not_taken_for_them() -> None:
    rows = [{"identity": "a@b.example", "owner": "x"}, {"identity": {"a": 1}, "owner": "x"}, 5]
    found = Loaded(rows)
    assert (len(found.ids), sorted((f.position, f.reason) for f in found.faults)) == (
        1, [(1, "unclear_cell"), (2, "not_an_object")])
    assert recognise(member([{"id": "x", "kind": "Event", "reason": {"code": 1}}]).sample) is None


@given(st.permutations(range(3)), st.integers(1, 3))
def test_order_splits_and_repetition_change_no_row(order: list[int], size: int) -> None:
    lines = [f"{n},a{n}@b.example,active" for n in range(3)]
    header = "person,account,status"
    mixed = [lines[i] for i in order] + [lines[order[0]]]
    files = ["\n".join([header, *mixed[i:i + size]]) for i in range(0, len(mixed), size)]
    wanted = Loaded("\n".join([header, *lines]))
    found = [Loaded(text) for text in files]
    assert {i for one in found for i in one.ids} == set(wanted.ids)
    assert {repr(r) for one in found for r in one["identity_facts"].drop("raw_ref").rows()} == {
        repr(r) for r in wanted["identity_facts"].drop("raw_ref").rows()}


@pytest.mark.parametrize(("text", "said"), [
    (OWNERS.replace("2026-03-01", "soon"), "ISO date"),
    (OWNERS.replace("2026-03-01", "soon"), "found soon"),
    (OWNERS.replace("2026-03-01", "0001-01-01T00:00:00+14:00"), "ISO date"),
    (JEWELS.replace(",role,", ",castle,"), "found castle"),
    (PERSONS.replace(",left,", ",\u202egone,"), r"found \u{202e}gone"),
    (PERSONS.replace(",left,", ",gone,"), "active or left"),
    (WORKFLOWS.replace("executes_approved", "does it"), "advises or drafts"),
    (WORKFLOWS.replace("owner,", "stage,").replace("ana@northwind.example", "live"), "experimental or production"),
    (WORKFLOWS.replace("owner,", "workstream,").replace("ana@northwind.example", "sales"), "identity_operations or"),
    (TENANTS.replace("Northwind,1", ",1"), "a value in column organisation"),
    (BREAK_GLASS.replace("24", "soon"), "a number of at least 0.01"), (BREAK_GLASS.replace("24", "0"), "a number of"),
    (BREAK_GLASS.replace("24", "-1"), "found -1"), (RULES.replace("*,1", "*,1.5"), "a whole number of at least 0"),
    (RULES.replace("*,1", "*,"), "a value in column approvers_required"),
    (RULES.replace("*,1", "*,\u0662"), "a whole number"),
    (ENVIRONMENTS.replace("prod", "live"), "prod or non-prod"),
    (OWNERS.replace("arn:aws:iam::111122223333:role/etl", ""), "a value in column identity"),
])
def test_an_unclear_cell_is_quarantined_with_what_was_wanted(text: str, said: str) -> None:
    found = Loaded(text)
    [fault] = found.faults
    assert fault.reason == "unclear_cell"
    assert said in fault.detail


@pytest.mark.parametrize("name", templates())
def test_a_template_has_the_documented_columns_and_loads_to_nothing(name: str) -> None:
    text = templates()[name]
    found = recognise(member(text).sample)
    assert found is not None
    assert (found[0], found[1].shape) == ("declared", name)
    assert (Loaded(text).ids, Loaded(text).faults) == ([], [])
    header = text.split("\n", 1)[0].split(",")
    assert f"    {name:<20}{header[0]}" in (declared.__doc__ or "")
    assert all(column in (declared.__doc__ or "") for column in header)


@pytest.mark.parametrize(("name", "row"), [
    ("owners", "a@b.example,x,2026-03-01,loads,sponsor"), ("persons", "7,a@b.example,Ana,active,"),
    ("crown_jewels", "arn:aws:iam::111122223333:role/deploy,role,x"), ("environments", "a@b.example,prod"),
    ("workflows", "tickets,,Helper,,advises,,,,,,,"), ("expected_sources", "okta_system_log,,2026-01-01"),
    ("organisation", "Northwind,no"), ("tenants", "Northwind,1"), ("configuration_items", "CI-7,,group/7"),
    ("break_glass", "a@b.example,24"), ("approval_rules", "*,2,"),
])
def test_a_row_below_a_templates_hints_is_loaded(name: str, row: str) -> None:
    found = Loaded(templates()[name] + row + "\n")
    assert (len(found.ids), found.faults) == (1, [])


def test_rows_of_empty_cells_are_no_records_and_do_not_shift_faults() -> None:
    found = Loaded("identity,owner\n,\na@b.example,x\n , \nshort\nz@b.example,y\n")
    assert (len(found.ids), [(f.position, f.reason) for f in found.faults]) == (2, [(1, "broken_csv")])


def test_one_object_may_hold_several_lists() -> None:
    found = Loaded(CONTRACT_FILES["lists"])
    assert found.rows("identity_facts", "id") == [("declared::a@b.example",)]
    assert found.rows("resources", "kind", "tier0") == [("crown_jewel", True)]


def test_a_list_of_another_name_in_the_object_is_refused_by_name() -> None:
    data = {"owners": [{"identity": "a", "owner": "b"}], "pets": [{"identity": "a", "owner": "b"}]}
    assert recognise(member(data).sample) is None


def test_a_person_may_have_a_list_of_accounts() -> None:
    found = Loaded(CONTRACT_FILES["json"])
    assert found.rows("identity_facts", "id", "person_id") == [
        ("declared::a@b.example", "person:7"), ("declared::c@b.example", "person:7")]


@pytest.mark.parametrize("text", [
    "sep=;\r\nIdentity ;OWNER\r\na@b.example;x\r\n", "  Identity\tOwner\na@b.example\tx\n",
    '{"Identity": "a@b.example", "OWNER": "x"}', '{"identity": "a@b.example", "owner": "x"}\n{}\n'])
def test_headings_are_forgiven_in_every_form(text: str) -> None:
    assert Loaded(text).rows("identity_facts", "id") == [("declared::a@b.example",)]


@pytest.mark.parametrize(("value", "wanted"), [(True, True), ("TRUE", True), ("No", False), (0, False)])
def test_yes_and_no_may_be_booleans(value: object, wanted: bool) -> None:
    [(attributes,)] = Loaded({"Organization": "N", "synthetic": value}).rows("resources", "attributes")
    assert json.loads(attributes) == {"synthetic": wanted}


@pytest.mark.parametrize("day", ["2026-03-01", "2026/03/01", "2026.3.1", "2026-03-01T00:00:00Z", "2026/03/01 00:00:00"])
def test_a_date_has_the_year_first(day: str) -> None:
    assert [f"{at:%d %m %Y}" for (at,) in Loaded(f"identity,owner,confirmed_on\na,x,{day}\n").rows(
        "identity_facts", "owner_confirmed_at")] == ["01 03 2026"]


@pytest.mark.parametrize("day", ["01/03/2026", "1.3.2026", "March 2026"])
def test_a_date_that_could_be_two_days_is_not_guessed(day: str) -> None:
    assert [f.reason for f in Loaded(f"identity,owner,confirmed_on\na,x,{day}\n").faults] == ["unclear_cell"]


def test_a_sponsor_is_told_from_an_owner() -> None:
    assert Loaded("identity,owner,basis\na,x,Sponsor\n")["identity_facts"]["owner"].to_list() == [
        [{"id": "x", "basis": "sponsor"}]]


def test_columns_without_a_rule_are_kept_without_secrets() -> None:
    [(kept,)] = Loaded("identity,owner,team,api key\na,x,core,12345678901234567890\n").rows("identity_facts", "unmapped")
    assert json.loads(kept) == {"team": "core", "api_key": "[secret removed]"}


def test_lists_in_an_object_longer_than_the_head_are_recognised() -> None:
    rows = [{"identity": f"a{n}@b.example", "owner": "x"} for n in range(3_000)]
    found = Loaded({"owners": rows, "persons": []})
    assert (len(found.ids), found.faults) == (3_000, [])
