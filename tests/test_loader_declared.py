"""What customers write by hand is read whatever the order and case of columns, and unclear cells are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests._documents import Loaded

if TYPE_CHECKING:
    import polars as pl

OWNERS = "identity,owner,confirmed_on,purpose\narn:aws:iam::111122223333:role/etl,bo@northwind.example,2026-03-01,loads\n"
PERSONS = ("person,account,display_name,status,left_on\n7,Ana@Northwind.example,Ana,active,\n"
           "8,bbbbbbbb-0000-4000-8000-000000000001,Bo,left,2026-02-01\n")
JEWELS = "id,kind,reason\narn:aws:iam::111122223333:role/deploy,role,deploys all\n"
WORKFLOWS = ("workflow,assistant,identity,declared_class,owner,description\n"
             "tickets,Helper,bbbbbbbb-0000-4000-8000-000000000001,executes_approved,ana@northwind.example,roles\n"
             "chat,Helper,,advises,,\n")
SOURCES = "source,tenant,since\naws_cloudtrail,111122223333,2026-01-01\n"
ENVIRONMENTS = "identity,environment\naws:111122223333:AROAEXAMPLE,prod\n"
ORGANISATION = "organisation,synthetic\nNorthwind,yes\n"
CONTRACT_FILES = {name: text.encode() for name, text in {
    "owners": OWNERS, "persons": PERSONS, "crown_jewels": JEWELS, "workflows": WORKFLOWS, "sources": SOURCES,
    "environments": ENVIRONMENTS, "organisation": ORGANISATION}.items()}


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
        return Loaded(data)["identity_facts"].drop("record_id", "raw_ref")

    assert shown(text).equals(shown(OWNERS))


@pytest.mark.parametrize(("text", "said"), [
    (OWNERS.replace("2026-03-01", "soon"), "ISO date"),
    (PERSONS.replace(",left,", ",gone,"), "active or left"),
    (WORKFLOWS.replace("executes_approved", "does it"), "advises or drafts"),
    (ENVIRONMENTS.replace("prod", "live"), "prod or non-prod"),
    (OWNERS.replace("arn:aws:iam::111122223333:role/etl", ""), "a value in column identity"),
])
def test_an_unclear_cell_is_quarantined_with_what_was_wanted(text: str, said: str) -> None:
    found = Loaded(text)
    [fault] = found.faults
    assert fault.reason == "unclear_cell"
    assert said in fault.detail
