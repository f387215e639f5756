"""Exposure reports of SharePoint and Purview. All sites here are made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lineage_analytics.loaders import recognise
from tests._documents import Loaded, member
from tests._microsoft import as_csv, as_json, as_lines, same

TENANT = "408e31c8-8f05-410a-9221-84335f0ce512"
HR = "https://contoso.sharepoint.com/sites/HR"


def site(number: int, **more: Any) -> dict[str, Any]:
    """A made-up row of the site permissions report, under the headings of one of its versions."""
    return {
        "Tenant ID": TENANT, "Site ID": f"0000000{number}-aaaa-4bbb-8ccc-dddddddddddd", "Site name": f"Site {number}",
        "Site URL": f"https://Contoso.sharepoint.com/sites/S{number}/", "Site template": "Team site",
        "Primary admin": "Ana Silva", "Primary admin email": "Ana.Silva@Contoso.com", "External sharing": "Yes",
        "Site privacy": "Private", "Site sensitivity": "", "Number of users having access": "1,204",
        "Guest user permissions": "3", "External participant permissions": "0", "Entra group count": "2",
        "File count": "100", "Items with unique permissions count": "7", "PeopleInYourOrg link count": "5",
        "Anyone link count": "1", "EEEU permission count": "0", "Everyone permission count": "",
        "Report date": "2026-03-01T06:00:00Z",
    } | more


SITES = [site(1), site(2, **{"Anyone link count": "0"})]
LATER = {"Tenant ID": "TenantID", "Site name": "Site Name", "External sharing": "ExternalSharing",
         "Entra group count": "Microsoft Entra group count", "PeopleInYourOrg link count": "People In Your Org link count",
         "Report date": "Report Date"}
CONTRACT_FILES: dict[str, bytes] = {
    "site_permissions": as_csv(SITES),
    "headings_drift": as_csv([{LATER.get(key, key): held for key, held in row.items()} for row in SITES]),
    "semicolons": as_csv(SITES).replace(b'"1,204"', b"1204").replace(b",", b";"),
    "json": as_json(SITES),
    "lines": as_lines(SITES),
    "sharing_links": as_csv([{"Site ID": "", "Site name": "HR", "Site URL": HR, "Anyone link count": "4"}]),
    "eeeu_items": as_csv([{"Site URL": HR, "Item URL": f"{HR}/Docs/Pay.xlsx?web=1", "EEEU permission count": "1"}]),
    "labels": as_csv([{"Site ID": "00000001-aaaa-4bbb-8ccc-dddddddddddd", "Site URL": HR, "Labeled files": "12"}]),
    "content_management": as_csv([{"Site name": "HR", "URL": HR, "Is inactive": "False", "Is ownerless": "True",
                                   "Owner email": "", "Storage used (GB)": "8"}]),
    "data_risk": as_csv([{"Assessment Date": "2026-03-02", "Site URL": HR, "Potentially overshared items": "0",
                          "Unlabeled sensitive item count": "2"}]),
}


def only(data: bytes) -> dict[str, Any]:
    [row] = Loaded(data)["resources"].to_dicts()
    return row


def attributes(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(only(data)["attributes"])
    return found


@pytest.mark.parametrize("shape", ["site_permissions", "headings_drift", "semicolons", "json", "lines"])
def test_a_site_is_the_same_row_under_every_heading_and_packaging(shape: str) -> None:
    plain, found = Loaded(CONTRACT_FILES["site_permissions"]), Loaded(CONTRACT_FILES[shape])
    assert (found.source, found.faults) == ("purview_exposure", [])
    assert sorted(found.ids) == sorted(plain.ids)
    assert same(found["resources"]) == same(plain["resources"])


def test_a_site_goes_by_its_address_and_says_only_what_its_row_says() -> None:
    row = only(as_csv([site(1)]))
    assert (row["id"], row["kind"], row["tenant"], row["display_name"], row["unmapped"]) == (
        "https://contoso.sharepoint.com/sites/S1", "site", TENANT, "Site 1", None)
    assert row["snapshot_at"] == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert json.loads(row["attributes"]) == {
        "anyone_links": 1, "eeeu_permissions": 0, "entra_groups": 2, "external_permissions": 0,
        "external_sharing": "yes", "files": 100, "guest_permissions": 3, "organisation_links": 5,
        "primary_admin": "ana.silva@contoso.com", "privacy": "Private", "report": "site_permissions",
        "site_id": "00000001-aaaa-4bbb-8ccc-dddddddddddd", "template": "Team site", "unique_permission_items": 7,
        "users_with_access": 1204}


@pytest.mark.parametrize(("shape", "wanted"), [
    ("sharing_links", {"report": "sharing_links", "anyone_links": 4}),
    ("labels", {"report": "labelled_files", "labelled_files": 12, "site_id": "00000001-aaaa-4bbb-8ccc-dddddddddddd"}),
    ("content_management", {"report": "content_management", "inactive": False, "ownerless": True}),
    ("data_risk", {"report": "data_risk", "overshared_items": 0, "unlabelled_sensitive_items": 2}),
])
def test_the_other_reports_speak_of_sites_in_the_same_words(shape: str, wanted: dict[str, Any]) -> None:
    assert attributes(CONTRACT_FILES[shape]) == wanted
    assert only(CONTRACT_FILES[shape])["id"] == HR


def test_an_item_is_a_file_of_its_site() -> None:
    row = only(CONTRACT_FILES["eeeu_items"])
    assert (row["id"], row["kind"], row["parent_id"]) == (f"{HR}/Docs/Pay.xlsx", "file", HR)


@pytest.mark.parametrize("cell", ["", "n/a", "many", "1.2E+17", "-1"])
def test_what_is_no_count_is_unknown_and_not_zero(cell: str) -> None:
    assert "anyone_links" not in attributes(as_csv([site(1, **{"Anyone link count": cell})]))


def test_a_blank_owner_is_not_ownerless() -> None:
    blank = {"Site URL": HR, "Is inactive": "True", "Is ownerless": "", "Owner email": ""}
    assert attributes(as_csv([blank])) == {"report": "content_management", "inactive": True}


def test_a_date_in_the_form_of_a_country_stays_text() -> None:
    row = only(as_csv([site(1, **{"Report date": "03/04/2026"})]))
    assert row["snapshot_at"] is None
    assert json.loads(row["attributes"])["report_date"] == "03/04/2026"


def test_a_new_heading_is_kept_as_it_stands() -> None:
    row = only(as_csv([site(1, **{"Agents with access count": "9"})]))
    assert json.loads(row["unmapped"]) == {"agentswithaccesscount": 9}


def test_a_row_without_a_site_is_quarantined_and_one_without_a_measure_is_out_of_scope() -> None:
    blank = dict.fromkeys(site(1), "")
    found = Loaded(as_csv([site(1), blank | {"Report date": "2026-02-01"}, blank | {"Site URL": HR}]))
    assert [(fault.reason, fault.disposition, fault.position) for fault in found.faults] == [
        ("no_site", "quarantined", 1), ("out_of_scope", "rejected", 2)]


def test_two_reports_of_one_site_are_two_rows_and_the_same_report_twice_is_one_record() -> None:
    older, newer = site(1, **{"Report date": "2026-02-01"}), site(1)
    assert len(set(Loaded(as_csv([older, newer, newer])).ids)) == 2


@pytest.mark.parametrize("data", [
    b"Site URL,Owner\nhttps://a.example,b\n", b"Site ID,File count\n1,2\n", b"url,title,link count\nhttps://a.example,x,3\n",
    b"Site name,Everyone permission count\nHR,1\n",
])
def test_other_lists_of_sites_are_not_claimed(data: bytes) -> None:
    assert recognise(member(data).sample) is None
