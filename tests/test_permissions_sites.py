"""Who can open what: links, groups, administration, inheritance, and counts that name nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage_analytics as la
from lineage_analytics.facts import Facts
from lineage_analytics.permissions.asking import allowed
from lineage_analytics.permissions.site_shares import above, key
from lineage_analytics.permissions.sites import ITEMS, OPENS, decide_site, items, opens, permission_rows, who_can_open
from lineage_analytics.tables import (
    ACTIVITY,
    DECISION_STEPS,
    ENTITLEMENTS,
    IDENTITIES,
    RESOURCES,
    Table,
    conform,
)

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
SITE = "https://acme.sharepoint.com/sites/Board"
DOC = f"{SITE}/Shared Documents/Plan.docx"
ANN, BOB, GUEST, APP, TEAM = (f"entra:t:{name}" for name in ("ann", "bob", "guest", "app", "team"))
PEOPLE: list[dict[str, Any]] = [
    {"id": ANN, "kind": "human", "subkind": "user", "alt_ids": [{"kind": "upn", "value": "ann@acme.com"}]},
    {"id": BOB, "kind": "human", "subkind": "user", "alt_ids": [{"kind": "upn", "value": "bob@acme.com"}]},
    {"id": GUEST, "kind": "human", "subkind": "guest", "alt_ids": [{"kind": "email", "value": "eve@other.com"}]},
    {"id": APP, "kind": "app", "subkind": "service_principal", "alt_ids": []},
    {"id": TEAM, "kind": "group", "display_name": "Board members", "alt_ids": []},
]


def table(rows: list[dict[str, Any]], of: Table) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, infer_schema_length=None), of) if rows else of.empty()


def shared(effect: str, days: float = 9, **more: Any) -> dict[str, Any]:
    return {"kind": "action", "time": AS_OF - timedelta(days=days), "effect_key": effect, "status": "succeeded",
            "provider": "m365", "record_id": f"rec-{days:g}", **more}


def given_to(what: str, whom: str | None = None, on: str = DOC, verb: str = "grant") -> str:
    return f"{verb}(m365:t:{what}/{on}" + (f"|{whom})" if whom else ")")


def report(address: str = SITE, kind: str = "site", **said: Any) -> dict[str, Any]:
    return {"id": address, "kind": kind, "provider": "m365", "source": "purview_exposure",
            "attributes": msgspec.json.encode(said).decode(), "snapshot_at": AS_OF, "record_id": "rec-report"}


def facts(*steps: dict[str, Any], reports: list[dict[str, Any]] | None = None, grants: list[dict[str, Any]] | None = None,
          activity: list[dict[str, Any]] | None = None) -> Facts:
    people = [{"provider": "entra", "tenant": "t", **one} for one in PEOPLE]
    return Facts.of(AS_OF, identities=table(people, IDENTITIES), decision_steps=table(list(steps), DECISION_STEPS),
                    resources=table(reports or [], RESOURCES), entitlements=table(grants or [], ENTITLEMENTS),
                    activity=table(activity or [], ACTIVITY))


def verdicts(held: Facts, resource: str = DOC) -> dict[str, str]:
    return {who.rsplit(":", 1)[-1]: decide_site(held, who, resource).verdict for who in (ANN, BOB, GUEST, APP)}


def only(**known: str) -> dict[str, str]:
    return {"ann": "unknown", "bob": "unknown", "guest": "unknown", "app": "unknown"} | known


def test_nothing_on_record_is_unknown_for_everybody() -> None:
    held = facts()
    assert verdicts(held) == only()
    assert who_can_open(held, DOC).schema == OPENS
    assert items(held).schema == ITEMS
    assert (who_can_open(held, DOC).height, opens(held, ANN).height, items(held).height) == (0, 0, 0)


def test_who_a_file_was_shared_with_may_open_it_and_a_claim_means_the_login_in_it() -> None:
    assert verdicts(facts(shared(given_to("sharing", "ann@acme.com")))) == only(ann="allowed")
    assert verdicts(facts(shared(given_to("sharing", "i:0#.f|membership|ann@acme.com")))) == only(ann="allowed")
    assert verdicts(facts(shared(given_to("sharing", "eve@other.com")))) == only(guest="allowed")


def test_sharing_taken_back_is_gone_and_sharing_again_stands() -> None:
    grant, revoke = given_to("sharing", "ann@acme.com"), given_to("sharing", "ann@acme.com", verb="revoke")
    assert verdicts(facts(shared(grant, 9), shared(revoke, 5))) == only()
    assert verdicts(facts(shared(grant, 9), shared(revoke, 5), shared(grant, 2))) == only(ann="allowed")
    assert verdicts(facts(shared(grant, -1))) == only()  # after as_of
    assert verdicts(facts(shared(grant, status="failed"))) == only()


def test_a_link_takes_the_link_and_one_for_the_organisation_no_guest() -> None:
    anyone = facts(shared(given_to("anonymous_link", "id-1")))
    assert verdicts(anyone) == dict.fromkeys(("ann", "bob", "guest", "app"), "conditional")
    assert verdicts(facts(shared(given_to("company_link", "id-1")))) == only(ann="conditional", bob="conditional")
    [row] = who_can_open(anyone, DOC).to_dicts()
    assert (row["principal_id"], row["audience"], row["through"], row["state"]) == (
        None, "anyone", "link for anyone", "conditional")


def test_a_link_for_specific_people_lets_those_in_it_names() -> None:
    assert verdicts(facts(shared(given_to("secure_link_user", "bob@acme.com")))) == only(bob="allowed")


@pytest.mark.parametrize(("claim", "guest"), [
    ("everyone except external users", "unknown"), ("c:0-.f|rolemanager|spo-grid-all-users/aaaa", "unknown"),
    ("everyone", "allowed"), ("c:0(.s|true", "allowed")])
def test_everyone_is_everyone_and_everyone_except_external_users_no_guest_and_no_application(
        claim: str, guest: str) -> None:
    assert verdicts(facts(shared(given_to("sharing", claim)))) == only(ann="allowed", bob="allowed", guest=guest)


def test_members_of_a_group_come_in_through_it_with_the_records_of_both() -> None:
    member = {"principal_id": ANN, "grant_kind": "membership", "scope": TEAM, "effect": "allow", "provider": "entra",
              "record_id": "rec-member"}
    held = facts(shared(given_to("sharing", "board members")), grants=[member])
    assert verdicts(held) == only(ann="allowed")
    assert decide_site(held, ANN, DOC).because[0].record_ids == ("rec-9", "rec-member")
    [row] = opens(held, ANN).to_dicts()
    assert (row["audience"], row["granted_on"], row["state"]) == ("group", DOC, "proved")
    assert row["reason"].startswith(f"through {TEAM}")


def test_what_lies_in_a_shared_folder_inherits_until_inheritance_is_broken() -> None:
    folder = shared(given_to("sharing", "ann@acme.com", f"{SITE}/Shared Documents"))
    assert verdicts(facts(folder)) == only(ann="allowed")
    assert verdicts(facts(folder), f"{SITE}/Shared Documents 2/Plan.docx") == only()
    broken = shared(f"disable(m365:t:inheritance/{DOC})", 5)
    assert verdicts(facts(folder, broken)) == only(ann="conditional")
    restored = shared(f"enable(m365:t:inheritance/{DOC})", 2)
    assert verdicts(facts(folder, broken, restored)) == only(ann="allowed")


def test_an_administrator_of_the_site_opens_all_in_it_inheritance_broken_or_not() -> None:
    admin = shared(given_to("site_admin", "ann@acme.com", SITE))
    assert verdicts(facts(admin, shared(f"disable(m365:t:inheritance/{DOC})", 5))) == only(ann="allowed")


def test_a_group_of_the_site_opens_what_the_log_does_not_say() -> None:
    held = facts(shared(given_to("site_group", "ann@acme.com", f"{SITE}/Board Visitors")))
    assert verdicts(held) == only(ann="conditional")
    assert who_can_open(held, DOC)["through"].to_list() == ["group Board Visitors of the site"]


def test_a_count_stays_a_count_and_names_nobody() -> None:
    held = facts(reports=[report(users_with_access=189)])
    assert verdicts(held) == only()
    [row] = who_can_open(held, DOC).to_dicts()
    assert (row["principal_id"], row["audience"], row["people"], row["state"]) == (None, "unnamed", 189, "unknown")
    assert "189 people have access" in decide_site(held, ANN, DOC).because[0].says
    assert opens(held, ANN).height == 0


def test_everyone_on_an_item_is_proved_by_its_own_row_and_on_a_site_only_possible() -> None:
    item = facts(reports=[report(DOC, "file", eeeu_permissions=1)])
    assert verdicts(item) == only(ann="allowed", bob="allowed")
    assert verdicts(facts(reports=[report(eeeu_permissions=3)])) == only(ann="conditional", bob="conditional")
    assert verdicts(facts(reports=[report(eeeu_permissions=0)])) == only()


def test_whom_a_report_names_primary_administrator_opens_everything() -> None:
    assert verdicts(facts(reports=[report(primary_admin="bob@acme.com")])) == only(bob="allowed")


def test_who_opened_it_could_then() -> None:
    seen = {"time": AS_OF - timedelta(days=3), "actor_id": ANN, "action": "m365:FileAccessed", "outcome": "success",
            "resource_id": DOC.lower(), "provider": "m365", "record_id": "rec-seen"}
    found = decide_site(facts(activity=[seen]), ANN, DOC)
    assert (found.verdict, found.because[0].record_ids) == ("conditional", ("rec-seen",))


def test_items_say_open_to_everybody_only_where_a_record_does_and_false_only_where_all_is_counted() -> None:
    none: dict[str, Any] = dict.fromkeys(("eeeu_permissions", "everyone_permissions", "anyone_links", "organisation_links"), 0)
    held = facts(shared(given_to("anonymous_link", "id-1")), reports=[
        report(**none), report("https://acme.sharepoint.com/sites/Open", eeeu_permissions=2, anyone_links=0),
        report("https://acme.sharepoint.com/sites/Half", anyone_links=0, users_with_access=4)])
    found = {row["resource_id"].rsplit("/", 1)[-1]: (row["everybody"], row["people"], row["anyone_links"])
             for row in items(held).to_dicts()}
    assert found == {"Board": (False, None, 0), "Open": (True, None, 0), "Half": (None, 4, 0), "Plan.docx": (
        True, None, None)}


def test_the_newest_report_of_a_measure_counts() -> None:
    older = report(users_with_access=5) | {"snapshot_at": AS_OF - timedelta(days=9)}
    for reports in ([older, report(users_with_access=7)], [report(users_with_access=7), older]):
        assert items(facts(reports=reports))["people"].to_list() == [7]


def test_a_report_as_it_is_exported_and_a_record_as_it_is_logged_answer_together(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text(
        "Tenant ID,Site ID,Site name,Site URL,Primary admin email,Number of users having access,Guest user permissions,"
        "Anyone link count,PeopleInYourOrg link count,EEEU permission count,Everyone permission count,Report date\n"
        f"0e1d2c3b-0001-4a10-a000-5f6e7d8c9b01,0e1d2c3b-0002-4a10-a000-5f6e7d8c9b02,Board,{SITE},bob@acme.com,12,0,0,3,0,"
        "0,2026-06-28\n", encoding="utf-8")
    (tmp_path / "log.json").write_bytes(msgspec.json.encode([
        {"CreationTime": f"2026-06-2{at}T05:19:01", "Id": f"16124be1-d537-4f99-bdbc-08d59ea2924{at}",
         "Operation": operation, "OrganizationId": "0e1d2c3b-0001-4a10-a000-5f6e7d8c9b01", "RecordType": 14,
         "UserType": 0, "Version": 1, "Workload": "SharePoint", "ObjectId": DOC, "UserId": "bob@acme.com",
         "SiteUrl": SITE, "TargetUserOrGroupName": target}
        for at, (operation, target) in enumerate([
            ("SharingSet", "ann@acme.com"), ("SharingSet", "eve@other.com"), ("SharingRevoked", "eve@other.com")])]))
    estate = la.read(tmp_path, as_of=AS_OF)
    tenant = "m365:0e1d2c3b-0001-4a10-a000-5f6e7d8c9b01"
    found = {(row["principal_id"], row["audience"], row["through"], row["state"], row["people"])
             for row in who_can_open(estate, DOC).to_dicts()}
    assert found == {
        (None, "organisation", "link for the organisation", "conditional", None),
        (None, "unnamed", "permissions of any sort", "unknown", 12),
        ("ann@acme.com", "name", "shared with them", "proved", None),
        (f"{tenant}:bob@acme.com", "person", "administrator of the site", "proved", None)}
    assert decide_site(estate, f"{tenant}:bob@acme.com", DOC).verdict == "allowed"


def test_the_public_question_answers_for_a_person_of_the_directory() -> None:
    held = facts(shared(given_to("sharing", "ann@acme.com")))
    assert allowed(held, "ann@acme.com", "m365:open", DOC).verdict == "allowed"
    assert allowed(held, BOB, "m365:open", DOC).verdict == "unknown"


def test_rows_of_identities_only_microsoft_365_names_have_a_reason_and_no_count() -> None:
    named = table([{"id": "m365:t:x", "kind": "human", "provider": "m365"}], IDENTITIES)
    [row] = permission_rows(Facts.of(AS_OF, identities=named)).to_dicts()
    assert (row["granted"], row["reason"].startswith("no_source")) == (None, True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 2)), max_size=12), st.randoms())
def test_the_last_word_on_a_sharing_decides_whatever_order_the_steps_come_in(
        words: list[tuple[bool, int, int]], order: Any) -> None:
    who = ["ann@acme.com", "bob@acme.com", "eve@other.com"]
    files = [f"{SITE}/{at}.docx" for at in range(3)]
    steps = [shared(given_to("sharing", who[person], files[file], "grant" if on else "revoke"), 20 - at)
             for at, (on, person, file) in enumerate(words)]
    last = {(person, file): on for on, person, file in words}
    order.shuffle(steps)
    held = facts(*steps)
    for person, principal in enumerate((ANN, BOB, GUEST)):
        assert set(opens(held, principal)["granted_on"]) == {
            files[file] for (one, file), on in last.items() if one == person and on}


def test_addresses_are_compared_without_case_query_and_slash_and_lie_in_what_is_above_them() -> None:
    assert key("https://A.example/Sites/X/?web=1") == "https://a.example/sites/x"
    assert above("https://a.example/sites/x") == [
        "https://a.example/sites/x", "https://a.example/sites", "https://a.example"]
    assert len(above("https://a.example" + "/d" * 10_000)) == 10_001


def test_sharing_in_a_real_log_is_who_it_was_shared_with(shared_data: Path) -> None:
    estate = la.read(shared_data / "o365_ual" / "pnp_analytics" / "SharePoint_Permission_Change.json")
    raw = msgspec.json.decode((shared_data / "o365_ual/pnp_analytics/SharePoint_Permission_Change.json").read_bytes())
    [row] = who_can_open(estate, raw[0]["ObjectId"]).to_dicts()
    assert (row["state"], row["through"]) == ("proved", "shared with them, Osallistuja")
    assert row["principal_id"].endswith("first.last@customer.com")
