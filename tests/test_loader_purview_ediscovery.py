"""The eDiscovery item report. Items here are made up, except those under ``shared_data``."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders import recognise
from tests._documents import Loaded, member
from tests._microsoft import as_csv, as_json, as_lines, same

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "pineapple-canary-77"
ME = "Ana.Silva@Contoso.com"
CORE = "y1x6xg5KcfjXFBnvy9hzQNy23WhpzlwNALhrzVu-cO41"
THREAD = f"19:{CORE}@thread.v2"


def item(number: int, host: str = "Copilot.Word", core: str = CORE, **more: Any) -> dict[str, Any]:
    """A made-up item of a conversation, with everything people wrote set to the canary."""
    return {
        "File ID": "\ufeff", "Status": "Succeeded", "Added by": "IndexQuery", "Author": CANARY,
        "Compound path": f"{ME}/TeamsMessagesData/{CANARY}.html", "Conversation name": CANARY,
        "Date": f"2026-03-0{number} 10:00:00Z", "Email date sent": f"2026-03-0{number}T10:00:00Z", "File name": CANARY,
        "File extension": "html",
        "Immutable ID": f"Exchange/sourceE8/TEAMS/19{core}threadv2/2026030{number}/19{core}threadv2-x.html-m{number}-1",
        "Item class": f"IPM.SkypeTeams.Message.{host}", "Item source": ME, "Location sub type": "PrimaryMailBox",
        "Participants": f"{CANARY} <{ME}>;Copilot in Word;", "Sender": ME, "Source ID": ME, "Subject/Title": CANARY,
        "SPO unique ID": "00000000-0000-0000-0000-000000000000", "Sensitivity label": "", "To": CANARY,
        "Target path": f"x.zip\\{CANARY}", "Modern attachment parent ID": "", "Workload": "Exchange",
    } | more


ITEMS = [
    item(1), item(2, Sender="Copilot in Word"), item(3, "Copilot.BizChat", core=CORE[1:], Sender="Microsoft 365 Chat"),
    item(4, **{"Item class": "IPM.Note", "Immutable ID": "AAAAAB2E=="}),
    item(5, "Copilot.Excel", Sender="Copilot in Excel", Workload="SharePoint", **{
        "Immutable ID": "SharePoint/source_E8/item__b97d2dd2", "Item source": "ana_silva_contoso_com",
        "Source ID": "https://Contoso-my.sharepoint.com/personal/ana/", "File extension": "xlsx",
        "Compound path": "https://contoso-my.sharepoint.com/personal/ana/_layouts/15/Doc.aspx?sourcedoc="
                         "%7BB97D2DD2-5F82-4B3B-818B-C3AF36AA5EBF%7D&file=x.xlsx",
        "Modern attachment parent ID": f"Exchange/sourceE8/TEAMS/19{CORE}threadv2/2026030/x"}),
]
KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES: dict[str, bytes] = {
    "csv": as_csv(ITEMS),
    "columns_turned": as_csv([dict(reversed(row.items())) for row in ITEMS]),
    "headings_differ": as_csv([{key.upper().replace(" ", "_"): held for key, held in row.items()} for row in ITEMS]),
    "more_columns": as_csv([row | {f"Review {n}": "" for n in range(11)} for row in ITEMS]),
    "lines": as_lines(ITEMS),
    "array": as_json(ITEMS),
}


@pytest.mark.parametrize("shape", CONTRACT_FILES)
def test_every_shape_gives_the_same_rows(shape: str) -> None:
    plain, found = Loaded(CONTRACT_FILES["csv"]), Loaded(CONTRACT_FILES[shape])
    assert found.source == "purview_ediscovery"
    assert sorted(found.ids) == sorted(plain.ids)
    for table in ("assistant_access", "identity_facts"):
        assert same(found[table]) == same(plain[table]), table


def test_items_of_assistants_say_host_thread_time_and_user_and_other_mail_is_out_of_scope() -> None:
    found = Loaded(CONTRACT_FILES["csv"])
    me = "m365::ana.silva@contoso.com"
    assert found.rows("assistant_access", "app_host", "user_id", "thread_id", "trigger", "role") == [
        ("BizChat", me, f"19{CORE[1:]}threadv2", "unknown", "none"),
        ("Excel", None, THREAD, "unknown", "context"),
        ("Word", me, THREAD, "unknown", "none"), ("Word", me, THREAD, "user", "none")]
    assert [(fault.reason, fault.disposition, fault.position) for fault in found.faults] == [
        ("out_of_scope", "rejected", 3)]


def test_all_items_of_a_thread_are_one_interaction() -> None:
    found = Loaded(CONTRACT_FILES["csv"])
    assert found.rows("assistant_access", "interaction_id") == [(f"19{CORE[1:]}threadv2",), (THREAD,)]


def test_a_shared_file_is_context_under_the_id_audit_records_give_it() -> None:
    [row] = [row for row in Loaded(CONTRACT_FILES["csv"])["assistant_access"].to_dicts() if row["role"] == "context"]
    assert row["resource_id"] == ("https://contoso-my.sharepoint.com/personal/ana/_layouts/15/Doc.aspx"
                                  "#b97d2dd2-5f82-4b3b-818b-c3af36aa5ebf")
    assert (row["site_url"], row["resource_id_kind"], row["resource_type"]) == (
        "https://contoso-my.sharepoint.com/personal/ana", "spo_url", "xlsx")


@pytest.mark.parametrize(("kind", "host"), [
    ("ipm.skypeteams.message.copilot.bizchat", "bizchat"), ("IPM.SkypeTeams.Message.ConnectedAIApp.Acme", "Acme"),
    ("IPM.SkypeTeams.TeamCopilot", None),
])
def test_classes_of_other_assistants_are_taken_by_their_form(kind: str, host: str | None) -> None:
    [(found,)] = Loaded(as_csv([item(1, **{"Item class": kind})])).rows("assistant_access", "app_host")
    assert found == host


def test_nothing_people_wrote_is_kept() -> None:
    for data in CONTRACT_FILES.values():
        found = Loaded(data)
        kept = json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str) + str(found.faults)
        assert CANARY not in kept
        assert "Copilot in" not in kept


def test_an_item_without_an_immutable_id_goes_by_its_other_ids() -> None:
    bare = [item(n, **{"Immutable ID": "", "Internet message ID": "1753824715648"}) for n in (1, 2, 2)]
    found = Loaded(as_csv(bare))
    assert (len(found.ids), len(set(found.ids)), found.faults) == (3, 2, [])
    assert found.rows("assistant_access", "thread_id") == [(None,)]


def test_an_item_without_a_time_is_quarantined() -> None:
    bare = item(1, Date="", **{"Email date sent": "1980-01-02T00:00:00Z"})
    [fault] = Loaded(as_csv([bare])).faults
    assert (fault.reason, fault.disposition) == ("implausible_time", "quarantined")


@pytest.mark.parametrize("data", [b"Item class,Immutable ID\nIPM.Note,1\n", b"Subject,Item class,Sender\na,b,c\n"])
def test_other_lists_of_mail_are_not_claimed(data: bytes) -> None:
    assert recognise(member(data).sample) is None


def test_the_real_reports_count_as_plain_python_counts_them(shared_data: Path) -> None:
    files = sorted((shared_data / "ai_copilot" / "splunk_attack_data").glob("*.csv"))
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8-sig")
        real = list(csv.DictReader(io.StringIO(text, newline="")))
        copilot = [row for row in real if row["Item class"].startswith("IPM.SkypeTeams.Message.Copilot.")]
        found = Loaded(path.read_bytes())
        assert (len(found.ids), len(found.faults)) == (len(copilot), len(real) - len(copilot))
        assert {fault.disposition for fault in found.faults} == {"rejected"}
        access = found["assistant_access"]
        assert set(access["event_id"]) == {row["Immutable ID"] for row in copilot}
        hosts = {row["Item class"].rsplit(".", 1)[1] for row in copilot}
        assert set(access["app_host"]) == hosts
        users = {row["Item source"].lower() for row in copilot if "@" in row["Item source"]}
        assert {user.removeprefix("m365::") for user in access["user_id"].drop_nulls()} == users
        threads = {(row["Immutable ID"] + "/" + row["Modern attachment parent ID"]).split("/TEAMS/")[1].split("/")[0]
                   for row in copilot}
        assert access["thread_id"].n_unique() == len(threads)
