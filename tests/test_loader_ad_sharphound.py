"""SharpHound collections. Objects here are made up, except those under ``shared_data``."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders import recognise
from lineage_analytics.loaders._sharphound_types import type_of
from lineage_analytics.loaders.common.values import fold, obj
from tests._documents import Loaded, member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]
DOMAIN = "S-1-5-21-111-222-333"
OTHER = "S-1-5-21-444-555-666"
ALICE, SERVICE, ADMINS, SERVER = (f"{DOMAIN}-{rid}" for rid in (1101, 1102, 512, 1103))
ALICE_ID, SERVICE_ID, ADMINS_ID, SERVER_ID = (f"ad:{DOMAIN}:{sid}" for sid in (ALICE, SERVICE, ADMINS, SERVER))
DOMAIN_ID, OTHER_ID = f"ad:{DOMAIN}:{DOMAIN}", f"ad:{OTHER}:{OTHER}"
UNIT, POLICY = "A0000000-0000-4000-8000-00000000000A", "B0000000-0000-4000-8000-00000000000B"
UNIT_ID, POLICY_ID = f"ad:{DOMAIN}:{UNIT.lower()}", f"ad:{DOMAIN}:{POLICY.lower()}"
CANARY = "Winter2024-canary!"


def properties(name: str, **more: Any) -> Json:
    return {"domain": "CORP.LOCAL", "name": name, "distinguishedname": f"CN={name},DC=CORP,DC=LOCAL",
            "domainsid": DOMAIN, "description": CANARY, "whencreated": 1600000000} | more


def item(native: str, held: Json, **more: Any) -> Json:
    return {"Properties": held, "Aces": [], "ObjectIdentifier": native, "IsDeleted": False, "IsACLProtected": False,
            "ContainedBy": None} | more


def ace(principal: str, right: str, *, inherited: bool = False) -> Json:
    return {"PrincipalSID": principal, "PrincipalType": "User", "RightName": right, "IsInherited": inherited}


def collection(kind: str, *data: Json, version: int = 6, meta_first: bool = False) -> bytes:
    meta = {"methods": 521215, "type": kind, "count": 99, "version": version}
    whole = {"meta": meta, "data": data} if meta_first else {"data": data, "meta": meta}
    return json.dumps(whole).encode()


def user(native: str, name: str, held: Json | None = None, **more: Any) -> Json:
    stated = {"samaccountname": name.title(), "enabled": True, "hasspn": False, "serviceprincipalnames": [],
              "email": None, "lastlogon": 1700000000, "lastlogontimestamp": 1699000000, "pwdlastset": 1650000000,
              "userpassword": CANARY, "unixpassword": None, "sidhistory": []} | (held or {})
    return item(native, properties(f"{name}@CORP.LOCAL", **stated), AllowedToDelegate=[], HasSIDHistory=[], SPNTargets=[],
                PrimaryGroupSID=f"{DOMAIN}-513") | more


def result(*found: Any, collected: bool = True) -> Json:
    return {"Results": list(found), "Collected": collected, "FailureReason": None}


def ref(native: str, kind: str = "User") -> Json:
    return {"ObjectIdentifier": native, "ObjectType": kind}


USERS = collection(
    "users",
    user(ALICE, "ALICE", {"email": "Alice@Corp.example"}, Aces=[ace(SERVICE, "GenericAll"), ace(ADMINS, "Owns")]),
    user(SERVICE, "SQLSVC", {"hasspn": True, "lastlogon": 0, "lastlogontimestamp": -1, "pwdlastset": 0, "gmsa": False},
         HasSIDHistory=[ref(f"{OTHER}-1500")], AllowedToDelegate=[ref(SERVER, "Computer")]),
)
GROUPS = collection("groups", item(
    ADMINS, properties("DOMAIN ADMINS@CORP.LOCAL", samaccountname="Domain Admins", admincount=True),
    Members=[ref(ALICE), ref("CN=FOREIGN,DC=OTHER,DC=LOCAL", "Base")],
    Aces=[ace("CORP.LOCAL-S-1-5-32-544", "WriteDacl", inherited=True)]), meta_first=True)
COMPUTERS = collection("computers", item(
    SERVER, properties("SRV1.CORP.LOCAL", samaccountname="SRV1$", enabled=True, unconstraineddelegation=True,
                       lastlogon=0, lastlogontimestamp=1699000000, pwdlastset=1690000000),
    PrimaryGroupSID=f"{DOMAIN}-515", AllowedToDelegate=[], AllowedToAct=[ref(SERVICE)], HasSIDHistory=[],
    DumpSMSAPassword=[],
    Sessions=result({"UserSID": ALICE, "ComputerSID": SERVER}),
    PrivilegedSessions=result({"UserSID": SERVICE, "ComputerSID": SERVER}, collected=False),
    RegistrySessions=result(),
    LocalGroups=[{"ObjectIdentifier": f"{SERVER}-544", "Name": "ADMINISTRATORS", "LocalNames": []} | result(ref(ALICE)),
                 {"ObjectIdentifier": f"{SERVER}-555", "Name": "RDP", "LocalNames": []} | result(
                     ref(SERVICE), collected=False)],
    UserRights=[{"Privilege": "SeRemoteInteractiveLogonRight"} | result(ref(ADMINS, "Group"))],
    Status=None, IsDC=False, DomainSID=DOMAIN))
OLD_COMPUTERS = collection("computers", item(
    SERVER, properties("SRV1.CORP.LOCAL", samaccountname="SRV1$"), LocalAdmins=result(ref(ALICE)),
    RemoteDesktopUsers=result(ref(SERVICE), collected=False), Sessions=result(collected=False), AllowedToDelegate=[]),
    version=4)
DOMAINS = collection("domains", item(
    DOMAIN, properties("CORP.LOCAL", functionallevel="2016"), ChildObjects=[ref(UNIT, "OU")],
    Links=[{"GUID": POLICY, "IsEnforced": True}], GPOChanges={"LocalAdmins": [ref(ALICE)], "RemoteDesktopUsers": [],
                                                              "DcomUsers": [], "PSRemoteUsers": [],
                                                              "AffectedComputers": [ref(SERVER, "Computer")]},
    Trusts=[{"TargetDomainSid": OTHER, "TargetDomainName": "OTHER.LOCAL", "IsTransitive": True,
             "SidFilteringEnabled": False, "TrustDirection": "Inbound", "TrustType": "External"}]))
UNITS = collection("ous", item(UNIT, properties("TIER0@CORP.LOCAL", blocksinheritance=True), Links=[], ChildObjects=[],
                               GPOChanges={}, ContainedBy=ref(DOMAIN, "Domain")))
TEMPLATES = collection("certtemplates", item(
    POLICY, properties("WEB@CORP.LOCAL", enrollmentflag="NONE", requiresmanagerapproval=False,
                       enrolleesuppliessubject=True), Aces=[ace(f"{DOMAIN}-513", "Enroll")]))
AUTHORITIES = collection("enterprisecas", item(
    UNIT, properties("CORP-CA@CORP.LOCAL", caname="CORP-CA"), HostingComputer=SERVER,
    EnabledCertTemplates=[ref(POLICY, "CertTemplate")], CARegistryData={
        "CASecurity": {"Data": [ace(ADMINS, "ManageCA")], "Collected": True, "FailureReason": None}}))
LATER = collection("quantumthings", item(UNIT, properties("Q@CORP.LOCAL", secretnote=CANARY), Aces=[ace(ALICE, "Owns")],
                                         Extra=7))
EMPTY_AND_ONE = json.dumps({"data": [item(POLICY, properties("GPO@CORP.LOCAL", gpcpath="\\\\CORP.LOCAL\\SYSVOL"))],
                            "meta": {"type": "gpos", "methods": 0, "count": 1, "version": 5}}, indent=2).encode()



def old(kind: str, *data: Json, version: int | None = 3) -> bytes:
    """A file of SharpHound 3: the list stands under the name of the type."""
    meta = {"type": kind, "count": len(data)} | ({"version": version} if version else {})
    return b"\xef\xbb\xbf" + json.dumps({kind: data, "meta": meta}).encode()


def ace_of_3(principal: str, right: str, sort: str = "") -> Json:
    return {"PrincipalSID": principal, "PrincipalType": "User", "RightName": right, "AceType": sort, "IsInherited": False}


def member_of_3(native: str, kind: str = "User") -> Json:
    return {"MemberId": native, "MemberType": kind}


USERS_OF_3 = old("users", {
    "ObjectIdentifier": ALICE, "Properties": properties("ALICE@CORP.LOCAL", samaccountname="Alice", enabled=True),
    "PrimaryGroupSid": f"{DOMAIN}-513", "AllowedToDelegate": [SERVER], "SPNTargets": [], "HasSIDHistory": [], "Aces": [
        ace_of_3(SERVICE, "ExtendedRight", "User-Force-Change-Password"), ace_of_3(SERVICE, "ExtendedRight", "All"),
        ace_of_3(ADMINS, "Owner"), ace_of_3(ADMINS, "GenericAll")]})
GROUPS_OF_3 = old("groups", {
    "ObjectIdentifier": ADMINS, "Properties": properties("DOMAIN ADMINS@CORP.LOCAL"), "Members": [member_of_3(ALICE)],
    "Aces": [ace_of_3(SERVICE, "WriteProperty", "AddMember")]})
COMPUTERS_OF_3 = old("computers", {
    "ObjectIdentifier": SERVER, "Properties": properties("SRV1.CORP.LOCAL", samaccountname="SRV1$"), "Aces": [],
    "PrimaryGroupSid": f"{DOMAIN}-515", "LocalAdmins": [member_of_3(ALICE)], "RemoteDesktopUsers": [], "DcomUsers": [],
    "PSRemoteUsers": [], "Sessions": [{"UserId": ALICE, "ComputerId": SERVER}], "AllowedToDelegate": [],
    "AllowedToAct": [member_of_3(SERVICE)]})
DOMAINS_OF_3 = old("domains", {
    "ObjectIdentifier": DOMAIN, "Properties": properties("CORP.LOCAL"), "Aces": [], "Users": [ALICE], "Computers": [SERVER],
    "ChildOus": [UNIT], "LocalAdmins": [member_of_3(SERVICE)], "RemoteDesktopUsers": [], "DcomUsers": [],
    "PSRemoteUsers": [], "Links": [{"IsEnforced": True, "Guid": POLICY}], "Trusts": [
        {"TargetDomainSid": OTHER, "IsTransitive": True, "TrustDirection": 1, "TrustType": 3, "SidFilteringEnabled": False}]})
SESSIONS_OF_3 = old("sessions", {"UserId": ALICE, "ComputerId": SERVER})
DELETED = collection("users", user(ALICE, "ALICE", IsDeleted=True, Aces=[ace(SERVICE, "GenericAll")]))
GONE_POLICY = collection("gpos", item(POLICY, properties("GPO@CORP.LOCAL", gpcpath="x"), IsDeleted=True,
                                      Aces=[ace(SERVICE, "GenericAll")]))

CONTRACT_FILES = {"users": USERS, "users_of_3": USERS_OF_3, "groups_of_3": GROUPS_OF_3, "computers_of_3": COMPUTERS_OF_3,
                  "domains_of_3": DOMAINS_OF_3, "sessions_of_3": SESSIONS_OF_3, "deleted": DELETED, "gone": GONE_POLICY, "groups": GROUPS, "computers": COMPUTERS, "old_computers": OLD_COMPUTERS,
                  "domains": DOMAINS, "ous": UNITS, "certtemplates": TEMPLATES, "enterprisecas": AUTHORITIES,
                  "later": LATER, "gpos": EMPTY_AND_ONE}


def rights(loaded: Loaded) -> set[tuple[str, str, str, str]]:
    return {(who, kind, right, over) for who, kind, right, over in loaded.rows(
        "entitlements", "principal_id", "grant_kind", "privilege", "scope")}


def test_an_account_is_of_unknown_kind_unless_a_service_name_without_mailbox_says_otherwise() -> None:
    found = {row["id"]: row for row in Loaded(USERS)["identity_facts"].to_dicts()}
    assert (found[ALICE_ID]["kind"], found[SERVICE_ID]["kind"]) == ("unknown", "service_account")
    assert found[ALICE_ID]["alt_ids"] == [{"kind": "email", "value": "alice@corp.example"},
                                          {"kind": "sid", "value": ALICE},
                                          {"kind": "username", "value": "alice@corp.local"}]


def test_a_collection_of_version_3_says_its_rights_in_the_words_of_later_ones() -> None:
    assert rights(Loaded(USERS_OF_3)) == {
        (ALICE_ID, "membership", None, f"ad:{DOMAIN}:{DOMAIN}-513"), (ALICE_ID, "right", "AllowedToDelegate", SERVER_ID),
        (SERVICE_ID, "right", "ForceChangePassword", ALICE_ID), (SERVICE_ID, "right", "AllExtendedRights", ALICE_ID),
        (ADMINS_ID, "owner", "Owns", ALICE_ID), (ADMINS_ID, "right", "GenericAll", ALICE_ID)}
    assert rights(Loaded(GROUPS_OF_3)) == {
        (ALICE_ID, "membership", None, ADMINS_ID), (SERVICE_ID, "right", "AddMember", ADMINS_ID)}
    assert rights(Loaded(COMPUTERS_OF_3)) == {
        (SERVER_ID, "membership", None, f"ad:{DOMAIN}:{DOMAIN}-515"), (ALICE_ID, "right", "AdminTo", SERVER_ID),
        (SERVER_ID, "right", "HasSession", ALICE_ID), (SERVICE_ID, "right", "AllowedToAct", SERVER_ID)}
    assert rights(Loaded(DOMAINS_OF_3)) == {
        (DOMAIN_ID, "right", "Contains", one) for one in (ALICE_ID, SERVER_ID, UNIT_ID)} | {
        (SERVICE_ID, "right", "AdminTo", SERVER_ID), (POLICY_ID, "right", "GPLink", DOMAIN_ID),
        (DOMAIN_ID, "right", "TrustedBy", OTHER_ID)}
    assert rights(Loaded(SESSIONS_OF_3)) == {(SERVER_ID, "right", "HasSession", ALICE_ID)}


def test_one_collection_in_the_words_of_version_3_and_of_6_gives_the_same_identities() -> None:
    columns = ("id", "kind", "subkind", "display_name", "alt_ids", "enabled")
    anew = collection("users", user(ALICE, "ALICE", {"hasspn": False}))
    assert Loaded(USERS_OF_3).rows("identity_facts", *columns) == Loaded(anew).rows("identity_facts", *columns)


@pytest.mark.parametrize("version", [4, 5, 6])
def test_every_version_of_the_current_format_gives_the_same_rows(version: int) -> None:
    found, newest = (Loaded(collection("groups", *json.loads(GROUPS)["data"], version=number)) for number in (version, 6))
    assert found.ids == newest.ids
    assert all(frame.equals(newest[table]) for table, frame in found.frames.items())


def test_objects_known_by_name_alone_are_out_of_scope_with_what_would_do() -> None:
    found = Loaded(old("users", {"Name": "ALICE@CORP.LOCAL", "PrimaryGroup": "DOMAIN USERS@CORP.LOCAL",
                                 "Properties": {"objectsid": ALICE}}, version=None))
    assert [(fault.reason, fault.disposition, "SharpHound 3" in fault.detail) for fault in found.faults] == [
        ("out_of_scope", "rejected", True)]


def test_a_large_file_of_version_3_is_read_object_by_object() -> None:
    one = json.loads(GROUPS_OF_3.removeprefix(b"\xef\xbb\xbf"))["groups"][0]
    many = [one | {"ObjectIdentifier": f"{DOMAIN}-{5000 + n}", "Members": [member_of_3(ALICE)] * 9} for n in range(400)]
    found = Loaded(old("groups", *many))
    assert (len(found.ids), found.faults, found["identity_facts"]["kind"].unique().to_list()) == (400, [], ["group"])


def test_a_deleted_object_is_a_disabled_account_and_neither_holds_nor_gives_rights() -> None:
    found = Loaded(DELETED)
    assert found.rows("identity_facts", "id", "enabled") == [(ALICE_ID, False)]
    assert (found["entitlements"].height, found["credentials"].height) == (0, 0)
    gone = Loaded(GONE_POLICY)
    assert [json.loads(text)["deleted"] for text in gone["resources"]["attributes"]] == [True]
    assert gone["entitlements"].is_empty()


def test_the_later_logon_counts_and_zero_and_minus_one_are_not_times() -> None:
    found = {row["id"]: row for row in Loaded(USERS)["identity_facts"].to_dicts()}
    assert int(found[ALICE_ID]["last_seen_at"].timestamp()) == 1700000000
    assert (found[SERVICE_ID]["last_seen_at"], found[SERVICE_ID]["last_seen_basis"]) == (None, None)
    assert [(row["identity_id"], int(row["created_at"].timestamp())) for row in Loaded(
        USERS)["credentials"].to_dicts()] == [(ALICE_ID, 1650000000)]


def test_rights_owners_history_delegation_and_primary_groups_are_grants() -> None:
    assert rights(Loaded(USERS)) == {
        (SERVICE_ID, "right", "GenericAll", ALICE_ID), (ADMINS_ID, "owner", "Owns", ALICE_ID),
        (SERVICE_ID, "right", "HasSIDHistory", f"ad:{OTHER}:{OTHER}-1500"),
        (SERVICE_ID, "right", "AllowedToDelegate", SERVER_ID),
        (ALICE_ID, "membership", None, f"ad:{DOMAIN}:{DOMAIN}-513"),
        (SERVICE_ID, "membership", None, f"ad:{DOMAIN}:{DOMAIN}-513"),
    }


def test_a_well_known_group_has_one_id_wherever_it_is_named() -> None:
    builtin = item("CORP.LOCAL-S-1-5-32-544", properties("ADMINISTRATORS@CORP.LOCAL"), Members=[])
    assert Loaded(collection("groups", builtin)).rows("identity_facts", "id") == [("ad::CORP.LOCAL-S-1-5-32-544",)]
    assert ("ad::CORP.LOCAL-S-1-5-32-544", "right", "WriteDacl", ADMINS_ID) in rights(Loaded(GROUPS))


def test_what_was_not_collected_is_not_read() -> None:
    assert rights(Loaded(COMPUTERS)) == {
        (SERVER_ID, "right", "HasSession", ALICE_ID), (ALICE_ID, "right", "AdminTo", SERVER_ID),
        (ADMINS_ID, "right", "SeRemoteInteractiveLogonRight", SERVER_ID),
        (SERVICE_ID, "right", "AllowedToAct", SERVER_ID), (SERVER_ID, "right", "UnconstrainedDelegation", DOMAIN_ID),
        (SERVER_ID, "membership", None, f"ad:{DOMAIN}:{DOMAIN}-515"),
    }
    assert rights(Loaded(OLD_COMPUTERS)) == {(ALICE_ID, "right", "AdminTo", SERVER_ID)}


def test_trusts_point_from_the_trusted_to_the_trusting_domain() -> None:
    found = rights(Loaded(DOMAINS))
    assert found == {(DOMAIN_ID, "right", "TrustedBy", OTHER_ID), (POLICY_ID, "right", "GPLink", DOMAIN_ID),
                     (DOMAIN_ID, "right", "Contains", UNIT_ID), (ALICE_ID, "right", "AdminTo", SERVER_ID)}
    changed = json.loads(DOMAINS)
    for direction, expected in ((2, {(OTHER_ID, DOMAIN_ID)}), (3, {(OTHER_ID, DOMAIN_ID), (DOMAIN_ID, OTHER_ID)}),
                                ("Disabled", set())):
        changed["data"][0]["Trusts"][0]["TrustDirection"] = direction
        said = rights(Loaded(changed))
        assert {(who, over) for who, _, right, over in said if right == "TrustedBy"} == expected


def test_the_type_comes_from_the_meta_and_without_it_from_the_objects() -> None:
    assert Loaded(TEMPLATES).rows("resources", "id", "kind") == [(POLICY_ID, "cert_template")]
    cut = USERS[: USERS.rindex(b', "meta"')]
    whole, broken = Loaded(USERS), Loaded(cut)
    assert broken.ids == whole.ids
    assert broken.rows("identity_facts", "id", "kind") == whole.rows("identity_facts", "id", "kind")


def test_objects_of_a_later_type_are_resources_with_their_rights_and_noted() -> None:
    loaded = Loaded(LATER)
    assert loaded.rows("resources", "id", "kind") == [(UNIT_ID, "quantumthings")]
    assert rights(loaded) == {(ALICE_ID, "owner", "Owns", UNIT_ID)}
    [(left,)] = loaded.rows("resources", "unmapped")
    assert json.loads(left) == {"extra": 7, "properties": {"secretnote": "[content not stored]"}}


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_descriptions_and_password_attributes_are_stored_nowhere(name: str) -> None:
    loaded = Loaded(CONTRACT_FILES[name])
    assert loaded.ids
    assert CANARY not in json.dumps([frame.to_dicts() for frame in loaded.frames.values()], default=str)


def test_a_first_object_longer_than_the_head_and_an_empty_list_are_recognised() -> None:
    crowd = item(ADMINS, properties("ALL@CORP.LOCAL"), Members=[ref(f"{DOMAIN}-{rid}") for rid in range(2000, 4000)])
    loaded = Loaded(collection("groups", crowd))
    assert loaded.source == "ad_sharphound"
    assert loaded["entitlements"].height == 2000
    empty = recognise(member(collection("ntauthstores")).sample)
    assert empty is not None
    assert empty[0] == "ad_sharphound"
    assert Loaded(collection("ntauthstores")).ids == []


def lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): lowered(held) for key, held in value.items()}
    return [lowered(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", sorted(CONTRACT_FILES))
def test_keys_in_lower_case_give_the_same_records_and_grants(name: str) -> None:
    plain, low = Loaded(CONTRACT_FILES[name]), Loaded(lowered(json.loads(CONTRACT_FILES[name])))
    assert low.ids == plain.ids
    assert rights(low) == rights(plain)


def test_an_object_that_changed_between_two_collections_is_two_records_and_a_description_is_no_change() -> None:
    held = json.loads(USERS)
    held["data"][0]["Properties"]["description"] = "another"
    held["data"][1]["Properties"]["enabled"] = False
    before, after = Loaded(USERS).ids, Loaded(held).ids
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_former_sids_among_the_properties_are_read_and_named_once() -> None:
    held = json.loads(USERS)["data"][1]
    held["Properties"]["sidhistory"] = [f"{OTHER}-1500", f"{OTHER}-1501"]
    loaded = Loaded(collection("users", held))
    assert sorted(over for who, over, right in loaded["entitlements"].select("principal_id", "scope", "privilege").rows()
                  if right == "HasSIDHistory") == [f"ad:{OTHER}:{OTHER}-1500", f"ad:{OTHER}:{OTHER}-1501"]


def test_an_object_without_identifier_is_a_fault_and_costs_no_other() -> None:
    loaded = Loaded(collection("users", {"Properties": {}, "ObjectIdentifier": None}, *json.loads(USERS)["data"]))
    assert [(fault.reason, fault.position) for fault in loaded.faults] == [("no_id", 0)]
    assert len(loaded.ids) == 2


def test_an_object_nested_too_deeply_is_a_fault_and_costs_no_other() -> None:
    deep = USERS.replace(b'"Aces": []', b'"Aces": [], "Odd": ' + b"[" * 700 + b"]" * 700, 1)
    assert deep != USERS
    loaded = Loaded(deep)
    assert [fault.reason for fault in loaded.faults] == ["too_deep"]
    assert len(loaded.ids) == 1


def test_a_policy_that_fills_groups_on_too_many_computers_is_written_over_its_unit() -> None:
    changed = json.loads(DOMAINS)
    changed["data"][0]["GPOChanges"] = {
        "LocalAdmins": [ref(f"{DOMAIN}-{rid}") for rid in range(2000, 2500)],
        "AffectedComputers": [ref(f"{DOMAIN}-{rid}", "Computer") for rid in range(5000, 5401)]}
    found = {over for _, _, right, over in rights(Loaded(changed)) if right == "AdminTo"}
    assert found == {DOMAIN_ID}


def _real(shared_data: Path) -> Iterator[tuple[bytes, Json]]:
    for path in sorted((shared_data / "active_directory" / "bloodhound_sharphound").glob("*.json.gz")):
        data = gzip.decompress(path.read_bytes())
        yield data, json.loads(data.decode("utf-8-sig"))


def test_a_real_collection_is_read_whole(shared_data: Path) -> None:
    seen = 0
    for data, whole in _real(shared_data):
        loaded = Loaded(data)
        objects = whole["data"]
        assert loaded.source == "ad_sharphound"
        assert (len(loaded.ids), loaded.faults) == (len(objects), [])
        natives = {row[0].split(":", 2)[2].lower() for table in ("identity_facts", "resources")
                   for row in loaded.rows(table, "id")}
        assert natives == {found["ObjectIdentifier"].lower() for found in objects}
        aces = {(a["PrincipalSID"], a["RightName"], a["IsInherited"], found["ObjectIdentifier"].lower())
                for found in objects for a in found["Aces"]}
        names = {(row[0].split(":", 2)[2], row[1], row[2] == "inherited", row[3].split(":", 2)[2].lower())
                 for row in loaded.rows("entitlements", "principal_id", "privilege", "origin", "scope")
                 if row[2] in ("direct", "inherited") and row[1] not in (None, "DumpSMSAPassword")}
        ca = {(a["PrincipalSID"], a["RightName"], a["IsInherited"], found["ObjectIdentifier"].lower())
              for found in objects for a in (found.get("CARegistryData") or {}).get("CASecurity", {}).get("Data", [])}
        assert names == aces | ca
        members = {(m["ObjectIdentifier"], found["ObjectIdentifier"])
                   for found in objects for m in found.get("Members", ())}
        members |= {(found["ObjectIdentifier"], found["PrimaryGroupSID"]) for found in objects
                    if found.get("PrimaryGroupSID")}
        held = {(row[1].split(":", 2)[2], row[2].split(":", 2)[2]) for row in loaded.rows(
            "entitlements", "origin", "principal_id", "scope", "grant_kind")
            if row[3] == "membership" and row[0] != "local_group"}
        assert held == members
        seen += len(objects)
    assert seen == 784


def test_real_objects_show_the_type_that_their_file_states(shared_data: Path) -> None:
    for _, whole in _real(shared_data):
        for found in whole["data"]:
            assert type_of(None, fold(found), obj(found["Properties"])) == whole["meta"]["type"]


def test_sessions_in_a_file_of_their_own_say_the_same_as_those_of_the_computer() -> None:
    apart = Loaded(collection("sessions", {"ComputerSID": SERVER, "UserSID": ALICE, "LogonType": 2}))
    assert rights(apart) == {(SERVER_ID, "right", "HasSession", ALICE_ID)}
    assert (len(apart.ids), apart.faults) == (1, [])


@pytest.mark.parametrize(("stated", "kept"), [
    ({"IsACLProtected": True}, '{"protected":true}'), ({"IsACLProtected": False}, '{"protected":false}'),
    ({"IsACLProtected": None}, None),
    ({"IsACLProtected": None, "Properties": {"isaclprotected": True}}, '{"protected":true}')])
def test_whether_an_account_is_protected_from_inherited_rights_is_kept_with_where_it_lies(
        stated: Json, kept: str | None) -> None:
    held = user(ALICE, "ALICE")
    held |= {"ContainedBy": ref(UNIT, "OU"), **stated,
             "Properties": {**held["Properties"], **stated.get("Properties", {})}}
    found = Loaded(collection("users", held)).rows("entitlements", "privilege", "condition")
    assert [condition for privilege, condition in found if privilege == "Contains"] == [kept]
