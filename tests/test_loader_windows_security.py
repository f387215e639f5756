"""The Windows Security log. Events here are made up, except those under ``shared_data``."""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import pytest

from lineage_analytics.loaders import loaders, recognise
from tests._documents import Loaded, member
from tests._evtx import Element, evtx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]
DOMAIN = "S-1-5-21-111-222-333"
ADMIN, ALICE, BACKUP = f"{DOMAIN}-500", f"{DOMAIN}-1101", f"{DOMAIN}-1200"
ADMIN_ID, ALICE_ID, BACKUP_ID = (f"ad:{DOMAIN}:{sid}" for sid in (ADMIN, ALICE, BACKUP))
PROVIDER, HOST = "Microsoft-Windows-Security-Auditing", "DC1.corp.local"
BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
OBJECT, OPERATION = "A0000000-0000-4000-8000-00000000000A", "B0000000-0000-4000-8000-00000000000B"
GUESSED = "Winter2024-canary!"
SUBJECT: Json = {"SubjectUserSid": ADMIN, "SubjectUserName": "Administrator", "SubjectDomainName": "CORP",
                 "SubjectLogonId": "0x5ab1"}
NOBODY: Json = {"SubjectUserSid": "S-1-0-0", "SubjectUserName": "-", "SubjectDomainName": "-", "SubjectLogonId": "0x0"}


def on(sid: str, name: str, domain: str = "CORP") -> Json:
    return {"TargetUserName": name, "TargetDomainName": domain, "TargetSid": sid}


Event = tuple[int, Json, bool, str]


def event(number: int, *data: Json, success: bool = True, provider: str = PROVIDER) -> Event:
    return number, {key: value for part in data for key, value in part.items()}, success, provider


EVENTS: list[Event] = [
    event(4624, NOBODY, {"TargetUserSid": ALICE, "TargetUserName": "alice", "TargetDomainName": "CORP.LOCAL",
                         "TargetLogonId": "0x77", "LogonType": "3", "IpAddress": "::ffff:198.51.100.7",
                         "LogonGuid": "{C0000000-0000-4000-8000-00000000000C}"}),
    event(4625, NOBODY, {"TargetUserSid": "S-1-0-0", "TargetUserName": GUESSED, "TargetDomainName": "CORP",
                         "Status": "0xc000006d", "SubStatus": "0xc0000064", "IpAddress": "203.0.113.9"}, success=False),
    event(4769, {"TargetUserName": "alice@CORP.LOCAL", "TargetDomainName": "CORP.LOCAL", "ServiceName": "DC1$",
                 "ServiceSid": f"{DOMAIN}-1000", "Status": "0x0", "IpAddress": "198.51.100.7"}),
    event(4720, SUBJECT, on(BACKUP, "backup$"), {"SamAccountName": "backup$", "OldUacValue": "0x0",
                                                 "NewUacValue": "0x15", "PrivilegeList": "-"}),
    event(4738, SUBJECT, on(BACKUP, "backup$"), {"SamAccountName": "-", "PasswordLastSet": "-", "OldUacValue": "0x15",
                                                 "NewUacValue": "0x2015"}),
    event(4732, SUBJECT, on("S-1-5-32-544", "Administrators", "Builtin"), {"MemberSid": BACKUP, "MemberName": "-"}),
    event(4733, SUBJECT, on("S-1-5-32-544", "Administrators", "Builtin"), {"MemberSid": BACKUP, "MemberName": "-"}),
    event(4724, SUBJECT, on(ALICE, "alice"), success=False),
    event(5136, SUBJECT, {"OpCorrelationID": OPERATION, "DSName": "corp.local", "ObjectGUID": OBJECT, "ObjectDN":
                          "CN=alice,DC=corp,DC=local", "ObjectClass": "user", "AttributeLDAPDisplayName": "description",
                          "AttributeValue": GUESSED, "OperationType": "%%14674"}),
    event(5136, SUBJECT, {"OpCorrelationID": OPERATION, "DSName": "corp.local", "ObjectGUID": OBJECT, "ObjectDN":
                          "CN=ops,DC=corp,DC=local", "ObjectClass": "group", "AttributeLDAPDisplayName": "member",
                          "AttributeValue": "CN=Alice,DC=corp,DC=local", "OperationType": "%%14675"}),
    event(4662, SUBJECT, {"ObjectServer": "DS", "ObjectName": f"%{{{OBJECT}}}", "AccessMask": "0x100", "Properties":
                          "%%7688 {1131f6aa-9c07-11d1-f79f-00c04fc2dcd2}"}),
    event(4726, SUBJECT | {"SubjectUserSid": "S-1-5-18", "SubjectUserName": "DC1$"}, on(BACKUP, "backup$")),
    event(1, {"Image": "C:\\x.exe"}, provider="Microsoft-Windows-Sysmon"),
    event(4688, SUBJECT, {"CommandLine": f"net user x {GUESSED}"}),
]


def moment(number: int) -> datetime:
    return BEGIN + timedelta(seconds=number)


def zulu(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def keywords(success: bool) -> str:
    return "0x8020000000000000" if success else "0x8010000000000000"


def channel(provider: str) -> str:
    return "Security" if provider == PROVIDER else f"{provider}/Operational"


def as_xml_json(number: int, said: Event, *, listed: bool = False) -> Json:
    code, data, success, provider = said
    named: Json = {"Data": [{"#attributes": {"Name": k}, "#text": v} for k, v in data.items()]} if listed else data
    return {"Event": {"#attributes": {"xmlns": "x"}, "System": {
        "Provider": {"#attributes": {"Name": provider}}, "EventID": {"#text": str(code)} if listed else code,
        "Keywords": keywords(success), "TimeCreated": {"#attributes": {"SystemTime": zulu(moment(number))}},
        "EventRecordID": number, "Correlation": None, "Channel": channel(provider), "Computer": HOST}, "EventData": named}}


def as_beat(number: int, said: Event) -> Json:
    code, data, success, provider = said
    return {"@timestamp": zulu(moment(number)), "event": {"outcome": "success" if success else "failure"}, "winlog": {
        "event_id": code, "provider_name": provider, "channel": channel(provider), "computer_name": HOST.lower(),
        "record_id": number, "event_data": data}}


def as_nxlog(number: int, said: Event) -> Json:
    code, data, success, provider = said
    local = moment(number) - timedelta(hours=4)
    return {"EventID": code, "SourceName": provider, "Channel": channel(provider), "Hostname": HOST,
            "RecordNumber": number, "EventTime": f"{local:%Y-%m-%d %H:%M:%S}", "EventReceivedTime":
            f"{local + timedelta(seconds=9):%Y-%m-%d %H:%M:%S}", "@timestamp": zulu(moment(number) + timedelta(
                seconds=11)), "EventType": "AUDIT_SUCCESS" if success else "AUDIT_FAILURE", "Message": GUESSED, **data}


def as_sentinel(number: int, said: Event) -> Json:
    code, data, success, provider = said
    return {"TimeGenerated": zulu(moment(number)), "Computer": HOST, "EventID": code, "EventSourceName": provider,
            "Channel": channel(provider), "Type": "SecurityEvent", "EventRecordId": number,
            "Keywords": keywords(success), **data}


def as_element(number: int, said: Event) -> Element:
    code, data, success, provider = said
    system: list[Element] = [
        ("Provider", {"Name": provider}, ""), ("EventID", {}, str(code)), ("Keywords", {}, keywords(success)),
        ("TimeCreated", {"SystemTime": zulu(moment(number))}, ""), ("EventRecordID", {}, str(number)),
        ("Channel", {}, channel(provider)), ("Computer", {}, HOST)]
    held: list[Element] = [("Data", {"Name": key}, value) for key, value in data.items()]
    return "Event", {"xmlns": "x"}, [("System", {}, system), ("EventData", {}, held)]


def as_text(element: Element) -> str:
    tag, attributes, held = element
    stated = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{tag}{stated}>{escape(held) if isinstance(held, str) else ''.join(map(as_text, held))}</{tag}>"


def as_xml(number: int, said: Event) -> str:
    tag, _, held = as_element(number, said)
    return as_text((tag, {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}, held))


def lines(*records: Json) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def as_csv(*records: Json) -> bytes:
    out = io.StringIO()
    columns = sorted({key for record in records for key in record}, key=lambda key: (key != "TimeGenerated", key))
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


NUMBERED = list(enumerate(EVENTS, 1))
EVTX = evtx([(number, moment(number), as_element(number, said)) for number, said in NUMBERED])
CONTRACT_FILES = {
    "evtx": EVTX,
    "xml": f"<?xml version='1.0'?><Events>{''.join(as_xml(number, said) for number, said in NUMBERED)}</Events>".encode(),
    "xml_json": lines(*(as_xml_json(number, said) for number, said in NUMBERED)),
    "xml_listed": json.dumps([as_xml_json(number, said, listed=True) for number, said in NUMBERED]).encode(),
    "winlogbeat": lines(*(as_beat(number, said) for number, said in NUMBERED)),
    "nxlog": lines(*(as_nxlog(number, said) for number, said in NUMBERED)),
    "sentinel": json.dumps([as_sentinel(number, said) for number, said in NUMBERED]).encode(),
    "sentinel_csv": as_csv(*(as_sentinel(number, said) for number, said in NUMBERED)),
}


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_every_shape_gives_the_same_records_and_rows(name: str) -> None:
    first, other = Loaded(CONTRACT_FILES["xml_json"]), Loaded(CONTRACT_FILES[name])
    assert other.ids == first.ids
    assert len(first.ids) == 12
    told = ("activity", "time", "actor_id", "action", "resource_id", "outcome", "ip", "actor_session_id", "error_code")
    assert other.rows(*told) == first.rows(*told)
    steps = ("decision_steps", "kind", "effect_key", "status", "before_state", "after_state", "native_key")
    assert other.rows(*steps) == first.rows(*steps)
    assert other.rows("identity_facts", "id", "kind") == first.rows("identity_facts", "id", "kind")


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_other_events_are_rejected_by_name_and_nothing_is_quarantined(name: str) -> None:
    faults = Loaded(CONTRACT_FILES[name]).faults
    assert [(fault.reason, fault.detail, fault.disposition) for fault in faults] == [
        ("out_of_scope", "event 1 of microsoft-windows-sysmon", "rejected"),
        ("out_of_scope", "event 4688 of microsoft-windows-security-auditing", "rejected")]


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_the_numbers_of_every_event_are_told_by_log_also_of_those_that_are_not_for_us(name: str) -> None:
    runs = Loaded(CONTRACT_FILES[name]).sequences
    assert runs.select("stream", "first_number", "last_number", "records").rows() == [
        (f"{HOST}/microsoft-windows-sysmon/operational".lower(), 13, 13, 1), (f"{HOST}/security".lower(), 1, 12, 12),
        (f"{HOST}/security".lower(), 14, 14, 1)]


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_typed_names_descriptions_and_command_lines_are_stored_nowhere(name: str) -> None:
    loaded = Loaded(CONTRACT_FILES[name])
    assert GUESSED not in json.dumps([frame.to_dicts() for frame in loaded.frames.values()], default=str)


def found(number: int) -> Json:
    [row] = [row for row in Loaded(CONTRACT_FILES["xml_json"])["activity"].to_dicts()
             if row["event_id"] == f"{HOST.lower()}/{number}"]
    return row


def step(number: int) -> Json:
    [row] = [row for row in Loaded(CONTRACT_FILES["xml_json"])["decision_steps"].to_dicts()
             if row["event_id"] == f"{HOST.lower()}/{number}"]
    return row


def test_a_sign_in_is_by_the_account_that_signed_in() -> None:
    row = found(1)
    assert (row["actor_id"], row["outcome"], row["ip"], row["resource_id"]) == (
        ALICE_ID, "success", "198.51.100.7", "ad::host/dc1.corp.local")
    assert row["actor_session_id"] == f"{HOST.lower()}/0x77"
    assert row["correlation_id"] == "c0000000-0000-4000-8000-00000000000c"


def test_a_failed_sign_in_without_a_sid_names_nobody_and_says_why() -> None:
    row = found(2)
    assert (row["actor_id"], row["outcome"], row["error_code"]) == (None, "failure", "0xc0000064")


def test_a_service_ticket_names_the_account_by_name_and_the_service_by_sid() -> None:
    row = found(3)
    assert (row["actor_id"], row["resource_id"]) == ("ad::alice@corp.local", f"ad:{DOMAIN}:{DOMAIN}-1000")


def test_membership_given_and_taken_back_have_the_same_target() -> None:
    given, taken = step(6), step(7)
    target = f"ad::group/DC1.CORP.LOCAL-S-1-5-32-544|{BACKUP}"
    assert (given["effect_key"], taken["effect_key"]) == (f"grant({target})", f"revoke({target})")
    assert given["actor_id"] == ADMIN_ID
    assert found(6)["extra_resource_ids"] == [BACKUP_ID]


def test_creation_change_and_deletion_of_an_account_have_its_sid() -> None:
    user = f"ad:{DOMAIN}:user/{BACKUP}"
    assert step(4)["effect_key"] == f"create({user})"
    changed = step(5)
    assert (changed["effect_key"], changed["before_state"], changed["after_state"]) == (
        f"set({user}|useraccountcontrol)", "0x15", "0x2015")
    deleted = step(12)
    assert deleted["effect_key"] == f"delete({user})"
    assert (deleted["actor_class"], deleted["authority_mode"]) == ("workload", "own_identity")


def test_a_dollar_sign_does_not_make_a_computer() -> None:
    kinds = dict(Loaded(CONTRACT_FILES["xml_json"]).rows("identity_facts", "id", "kind"))
    assert kinds[BACKUP_ID] == "unknown"
    computer = Loaded([as_xml_json(1, event(4741, SUBJECT, on(BACKUP, "PC1$")))])
    assert dict(computer.rows("identity_facts", "id", "kind"))[BACKUP_ID] == "workload"


def test_a_failed_change_is_an_attempt() -> None:
    row = step(8)
    assert (row["kind"], row["status"], row["effect_key"]) == (
        "attempt", "failed", f"set(ad:{DOMAIN}:user_password/{ALICE})")


def test_directory_attributes_are_known_by_object_and_attribute_and_joined_by_their_operation() -> None:
    described, left = step(9), step(10)
    assert (described["effect_key"], described["after_state"]) == (
        f"set(ad::object/{OBJECT.lower()}|description)", None)
    assert left["effect_key"] == f"revoke(ad::object/{OBJECT.lower()}|member/cn=alice,dc=corp,dc=local)"
    assert {row["native_key"] for row in (described, left)} == {OPERATION.lower()}


def test_use_of_a_directory_object_names_the_rights_used() -> None:
    row = found(11)
    assert (row["resource_id"], row["is_read"]) == (f"ad::{OBJECT.lower()}", None)
    assert row["extra_resource_ids"] == ["ad::schema/1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"]


def test_a_local_time_whose_zone_cannot_be_learned_is_taken_as_utc() -> None:
    record = as_nxlog(1, EVENTS[0])
    del record["@timestamp"]
    [(time,)] = Loaded([record]).rows("activity", "time")
    assert time == moment(1) - timedelta(hours=4)


def test_old_and_dotted_winlogbeat_read_like_the_new_one() -> None:
    number, (code, data, _, provider) = 4, EVENTS[3]
    old = {"@timestamp": zulu(moment(4)), "event_id": code, "source_name": provider, "log_name": "Security",
           "computer_name": HOST, "record_number": "4", "keywords": ["Audit Success"], "event_data": data}
    dotted = {"@timestamp": zulu(moment(4)), "winlog.event_id": code, "winlog.provider_name": provider,
              "winlog.channel": "Security", "winlog.computer_name": HOST, "winlog.record_id": 4,
              "winlog.keywords": "Audit Success", **{f"winlog.event_data.{key}": value for key, value in data.items()}}
    expected = Loaded([as_beat(number, EVENTS[3])])
    for record in (old, dotted, {"_index": "x", "_source": as_beat(number, EVENTS[3])}):
        assert Loaded([record]).ids == expected.ids
        assert Loaded([record]).rows("decision_steps", "effect_key", "actor_id") == expected.rows(
            "decision_steps", "effect_key", "actor_id")


def test_an_event_read_out_of_a_file_has_its_own_time_and_not_that_of_the_reader() -> None:
    record = as_beat(0, EVENTS[0])
    record["winlog"]["time_created"] = record["@timestamp"]
    late = record | {"@timestamp": "2026-05-01T00:00:00Z"}
    bare = {key: held for key, held in record.items() if key != "@timestamp"}
    for shown in (record, late, bare):
        assert Loaded(shown)["activity"]["time"].to_list() == [moment(0)]
    assert Loaded(record).ids == Loaded(late).ids == Loaded(bare).ids


def test_values_in_lists_as_kibana_shows_them_are_read() -> None:
    plain = as_beat(0, EVENTS[0])
    data = {f"winlog.event_data.{key}": [held] for key, held in plain["winlog"]["event_data"].items()}
    flat = {f"winlog.{key}": [str(held)] for key, held in plain["winlog"].items() if key != "event_data"}
    host = {"agent.name": ["a"], "agent.name.text": ["a"], "host.ip": ["192.0.2.1", "192.0.2.2"]}
    shown = {"@timestamp": [plain["@timestamp"]], "event.outcome": ["success"], **flat, **data, **host}
    for record in (shown, {"_index": "logs", "_id": "1", "fields": shown}):
        assert Loaded(record).ids == Loaded(plain).ids
        assert Loaded(record).rows("activity", "actor_id", "outcome", "ip", "unmapped") == [
            (ALICE_ID, "success", "198.51.100.7", None)]


def test_xml_without_a_root_and_cut_xml_keep_their_whole_events() -> None:
    told = [as_xml(number, said) for number, said in NUMBERED]
    assert Loaded("\r\n".join(told)).ids == Loaded(CONTRACT_FILES["xml"]).ids
    browser = "- " + told[0].replace("<System>", "\n- <System>").replace("<EventData>", "\n- <EventData>")
    assert Loaded(browser).ids == Loaded(told[0]).ids
    cut = Loaded("".join(told)[:-40])
    assert (cut.truncated, [fault.reason for fault in cut.faults if fault.disposition == "quarantined"]) == (
        True, ["truncated"])
    mixed = Loaded(told[0] + told[1].replace("</System>", "</Sistem>") + told[2])
    assert (len(mixed.ids), [fault.reason for fault in mixed.faults]) == (2, ["broken_record"])
    cleared = Loaded(as_text(("Event", {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}, [
        ("System", {}, [("Provider", {"Name": "Microsoft-Windows-Eventlog"}, ""), ("EventID", {}, "1102"),
                        ("TimeCreated", {"SystemTime": zulu(moment(0))}, ""), ("Channel", {}, "Security"),
                        ("Computer", {}, HOST)]),
        ("UserData", {}, [("LogFileCleared", {"xmlns": "y"}, [("SubjectUserSid", {}, ADMIN)])])])))
    assert cleared.rows("activity", "actor_id", "action") == [(ADMIN_ID, "1102 The audit log was cleared")]


def test_wazuh_and_parsers_that_wrap_the_event_are_read() -> None:
    number, (code, data, success, provider) = 5, EVENTS[5]
    plain = as_xml_json(number, EVENTS[5])
    sent = {"win": {"system": {
        "providerName": provider, "eventID": str(code), "keywords": keywords(success), "computer": HOST,
        "systemTime": zulu(moment(number)), "eventRecordID": str(number), "channel": channel(provider), "message": GUESSED,
        "severityValue": "AUDIT_SUCCESS"}, "eventdata": {key[0].lower() + key[1:]: held for key, held in data.items()}}}
    system = {key: held for key, held in plain["Event"]["System"].items() if key not in ("Provider", "TimeCreated")}
    apart = {"Event_attributes": {"xmlns": "x"}, "Event": {**plain["Event"], "System": {
        **system, "Provider_attributes": {"Name": provider}, "TimeCreated_attributes": {
            "SystemTime": zulu(moment(number))}}}}
    alert = {"timestamp": "2026-03-02T00:00:00Z", "rule": {"id": "60154"}, "agent": {"name": "x"}, "data": sent}
    wrapped = {"event_record_id": number, "timestamp": "2026-03-02 00:00:00 UTC", "data": plain}
    wanted = {table: frame.drop("raw_ref").rows() for table, frame in Loaded(plain).frames.items()}
    for record in (sent, {**sent, "location": "EventChannel"}, alert, wrapped, {**wrapped, "data": json.dumps(plain)}, apart):
        found = Loaded(record)
        assert found.ids == Loaded(plain).ids
        assert {table: frame.drop("raw_ref").rows() for table, frame in found.frames.items()} == wanted


def test_a_directory_attribute_is_added_or_deleted_in_words_too() -> None:
    for said, code in (("Value Added", "%%14674"), ("Value Deleted", "%%14675")):
        attribute = event(5136, EVENTS[9][1], {"OperationType": code})
        words = event(5136, EVENTS[9][1], {"OperationType": said})
        columns = ("effect_key", "target_key", "before_state", "after_state")
        assert Loaded(as_beat(9, words)).rows("decision_steps", *columns) == Loaded(
            as_beat(9, attribute)).rows("decision_steps", *columns)


def test_the_portals_way_of_writing_times_into_csv_is_read() -> None:
    record = as_sentinel(4, EVENTS[3])
    del record["TimeGenerated"]
    record["TimeGenerated [UTC]"] = f"{moment(4):%-m/%-d/%Y}, {moment(4):%-I:%M:%S}.000 AM"
    loaded = Loaded(as_csv(record, record))
    assert set(loaded.ids) == set(Loaded([as_sentinel(4, EVENTS[3])]).ids)
    assert loaded.rows("activity", "time") == [(moment(4),)]


def test_the_portals_way_of_writing_times_is_read_in_json_too() -> None:
    record = as_sentinel(0, EVENTS[0]) | {"TimeGenerated": "3/1/2026, 10:00:00.000 AM", "AuthenticationLevel": ""}
    assert Loaded(record).rows("activity", "time", "unmapped") == [(moment(0), None)]


def test_keys_in_lower_case_and_services_of_windows_are_understood() -> None:
    lowered = {key.lower(): value for key, value in as_sentinel(4, EVENTS[3]).items()}
    assert Loaded([lowered]).ids == Loaded([as_sentinel(4, EVENTS[3])]).ids
    service = as_sentinel(1, event(4724, SUBJECT | {"SubjectUserSid": "S-1-5-80-1-2-3-4-5"}, on(ALICE, "alice")))
    assert ("ad::DC1.CORP.LOCAL-S-1-5-80-1-2-3-4-5", "service_account", "virtual_account") in Loaded([service]).rows(
        "identity_facts", "id", "kind", "subkind")


def test_without_the_extra_an_evtx_file_is_one_fault_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evtx", None)
    loaded = Loaded(EVTX)
    assert loaded.ids == []
    [fault] = loaded.faults
    assert (fault.reason, fault.position) == ("missing_extra", None)
    assert "lineage-analytics[evtx]" in fault.detail


def test_a_cut_log_keeps_its_whole_events_and_says_that_it_is_cut() -> None:
    used = EVTX.rstrip(b"\0")
    loaded = Loaded(used[: 4096 + (len(used) - 4096) // 2])
    assert 0 < len(loaded.ids) < 12
    assert loaded.truncated
    assert loaded.faults[-1].reason == "truncated"


def test_binary_bytes_reach_the_loader_unchanged() -> None:
    assert b"".join(member(EVTX).chunks()) == EVTX


def test_blocks_are_read_one_by_one_and_unused_room_holds_no_events() -> None:
    block = EVTX[4096:]
    loaded = Loaded(EVTX + block + b"\0" * 65_536)
    assert sorted(loaded.ids) == sorted(Loaded(EVTX).ids * 2)


def _raw_events(shared_data: Path) -> Iterator[tuple[bytes, list[Json]]]:
    evtx_library = pytest.importorskip("evtx")
    for path in sorted((shared_data / "active_directory" / "evtx_to_mitre").glob("*.evtx")):
        yield path.read_bytes(), [json.loads(found["data"])["Event"] for found in
                                  evtx_library.PyEvtxParser(str(path)).records_json()]


NOISE = {4656, 4660, 4661, 4673, 4688, 5140, 5145}
BY_SUBJECT = {4720, 4722, 4724, 4726, 4728, 4729, 4732, 4733, 4738, 4741, 4742, 4743, 4756, 4781, 4799, 5136, 4662}


def test_real_logs_give_every_event_that_is_in_scope_with_its_actor(shared_data: Path) -> None:
    total = 0
    for data, events in _raw_events(shared_data):
        loaded = Loaded(data)
        assert loaded.source == "windows_security"
        numbers = Counter(int(found["System"]["EventID"]) for found in events)
        wanted = sum(count for number, count in numbers.items() if number not in NOISE)
        assert len(loaded.ids) == len(set(loaded.ids)) == wanted
        assert {(fault.reason, fault.disposition) for fault in loaded.faults} <= {("out_of_scope", "rejected")}
        assert Counter(int(row[0].split(" ")[0]) for row in loaded["activity"].select("action").rows()) == Counter(
            {number: count for number, count in numbers.items() if number not in NOISE})
        subjects = {found["EventData"]["SubjectUserSid"] for found in events
                    if int(found["System"]["EventID"]) in BY_SUBJECT}
        actors = {row[0].split(":", 2)[2] for row in loaded.rows("activity", "actor_id", "action")
                  if int(row[1].split(" ")[0]) in BY_SUBJECT}
        assert {sid for sid in subjects if sid.startswith("S-1-5-21")} == {a for a in actors if a.startswith("S-1-5-21")}
        failures = sum(1 for found in events if int(found["System"]["EventID"]) not in NOISE
                       and int(found["System"]["Keywords"], 16) & 0x10000000000000)
        assert loaded["activity"].filter(loaded["activity"]["outcome"] != "success").height == failures
        total += wanted
    assert total > 300


def test_real_exports_of_collectors_give_every_event_that_is_in_scope(shared_data: Path) -> None:
    scope = {4624, 4648, 4662, 4702, 4720, 4724, 4726, 4728, 4729, 4739, 4768, 4769}
    for name in ("otrf_windows/empire_wmic_add_user_backdoor.zip", "otrf_goldensaml/WindowsEvents.Zip",
                 "otrf_windows/covenant_dcsync_dcerpc_drsuapi_DsGetNCChanges.zip"):
        with zipfile.ZipFile(shared_data / "active_directory" / name) as archive:
            data = archive.read(archive.namelist()[0])
        raw = [json.loads(line) for line in data.splitlines() if line.strip()]
        loaded = Loaded(data)
        assert loaded.source == "windows_security"
        wanted = Counter(found["EventID"] for found in raw if found["EventID"] in scope)
        assert Counter(int(row[0].split(" ")[0]) for row in loaded["activity"].select("action").rows()) == wanted
        assert [fault for fault in loaded.faults if fault.disposition != "rejected"] == []
        assert len(loaded.ids) + len(loaded.faults) == len(raw)


def test_nxlog_times_of_a_real_log_are_within_seconds_of_when_they_reached_the_collector(shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "active_directory/otrf_windows/empire_wmic_add_user_backdoor.zip") as archive:
        data = archive.read(archive.namelist()[0])
    reached = sorted(json.loads(line)["@timestamp"][:16] for line in data.splitlines() if b'"EventID":4720' in line)
    [(time,)] = [row[:1] for row in Loaded(data).rows("activity", "time", "action") if row[1].startswith("4720 ")]
    assert [f"{time:%Y-%m-%dT%H:%M}"] == reached


def test_an_evtx_file_is_recognised_by_its_first_bytes_alone() -> None:
    match = recognise(member(EVTX[:5000]).sample)
    assert match is not None
    assert (match[0], match[1].shape) == ("windows_security", "evtx")
    assert loaders()["windows_security"].detect(member(b"ElfChnk\0" + EVTX[8:]).sample) is None
