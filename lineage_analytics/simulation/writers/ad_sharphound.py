"""A SharpHound collection of the forest: one file for each type of object, and the users again as a second run wrote
them, with a byte order mark, the meta before the objects and these in another order.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._ad_forest import MIDNIGHT, REALM, Forest
from lineage_analytics.simulation.model import DOMAIN
from lineage_analytics.simulation.writers.files import as_json, put

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Account, World

_METHODS = 521_215
_TYPES = {"user": "User", "group": "Group", "computer": "Computer"}
_DOMAIN = ",".join(f"DC={part.upper()}" for part in DOMAIN.split("."))
Json = dict[str, Any]


def write(directory: Path, world: World) -> int:
    """One file a type; gives the number of objects."""
    forest: Forest | None = world.cast.get("active_directory")
    if forest is None:
        return 0
    by_sort: dict[str, list[Account]] = {}
    for account in forest.accounts:
        by_sort.setdefault(account.details["sort"], []).append(account)
    files: dict[str, list[Json]] = {
        "users": [_user(forest, a) for a in by_sort["user"]], "groups": [_group(forest, a) for a in by_sort["group"]],
        "computers": [_computer(forest, a) for a in by_sort["computer"]], "domains": [_domain(forest)],
        "ous": [_unit(forest, name, native) for name, native in forest.units.items()]}
    stamp = f"{MIDNIGHT - timedelta(hours=3):%Y%m%d%H%M%S}"
    for kind, found in files.items():
        put(directory / f"{stamp}_{kind}.json.gz", as_json({"data": found, "meta": _meta(kind, found)}))
    again = list(reversed(files["users"]))
    put(directory / "second-run" / f"{stamp[:-2]}59_users.json.gz",
        b"\xef\xbb\xbf" + as_json({"meta": _meta("users", again), "data": again}))
    return sum(map(len, files.values()))


def _meta(kind: str, found: list[Json]) -> Json:
    return {"methods": _METHODS, "type": kind, "count": len(found), "version": 6,
            "collectorversion": "2.6.6.0 (synthetic)"}


def _epoch(time: datetime | None) -> int:
    return int(time.timestamp()) if time is not None else -1


def _properties(forest: Forest, account: Account) -> Json:
    said = account.details
    host = said.get("host", "").upper()
    unit = f"OU={said['unit'].upper()}" if said["unit"] in forest.units else "CN=USERS"
    return {
        "domain": REALM, "name": host or f"{said['sam'].upper()}@{REALM}", "domainsid": forest.sid,
        "distinguishedname": f"CN={said['sam'].upper()},{unit},{_DOMAIN}", "samaccountname": said["sam"],
        "isaclprotected": False, "description": None, "whencreated": _epoch(account.created),
        "admincount": bool(said.get("admincount")) or account in forest.admins}


def _object(forest: Forest, account: Account, properties: Json, **more: Any) -> Json:
    unit = account.details["unit"]
    holder = {"ObjectIdentifier": forest.units[unit].upper(), "ObjectType": "OU"} if unit in forest.units else None
    return {
        "Properties": _properties(forest, account) | properties,
        "Aces": [_ace(forest, *ace) for ace in account.details["aces"]], "ObjectIdentifier": account.native_id,
        "IsDeleted": False, "IsACLProtected": False, "ContainedBy": holder, **more}


def _ace(forest: Forest, principal: str, right: str, inherited: bool) -> Json:
    return {"PrincipalSID": principal, "PrincipalType": _sort(forest, principal), "RightName": right,
            "IsInherited": inherited}


def _sort(forest: Forest, native: str) -> str:
    groups = {group.native_id for group in forest.groups.values()}
    return "Group" if native in groups else "User"


def _logons(account: Account) -> Json:
    seen = account.details["seen"]
    changed = account.keys[0].created if account.keys else None
    return {"enabled": account.enabled, "lastlogon": 0, "lastlogontimestamp": _epoch(seen),
            "pwdlastset": _epoch(changed) if changed else 0}


def _user(forest: Forest, account: Account) -> Json:
    said = account.details
    return _object(
        forest, account, {
            **_logons(account), "displayname": account.person.name if account.person else None,
            "email": said.get("email"), "title": None, "hasspn": bool(said["spns"]), "gmsa": bool(said.get("gmsa")),
            "serviceprincipalnames": said["spns"], "pwdneverexpires": account.kind == "service_account",
            "passwordnotreqd": False, "dontreqpreauth": False, "unconstraineddelegation": False, "sensitive": False,
            "trustedtoauth": False, "homedirectory": None, "logonscript": None, "userpassword": None,
            "unixpassword": None, "unicodepassword": None, "sfupassword": None, "sidhistory": []},
        PrimaryGroupSID=f"{forest.sid}-513", AllowedToDelegate=[], SPNTargets=[], HasSIDHistory=[])


def _group(forest: Forest, account: Account) -> Json:
    members = [{"ObjectIdentifier": m.native_id, "ObjectType": _TYPES[m.details["sort"]]}
               for m in account.details["members"]]
    return _object(forest, account, {}, Members=members)


def _computer(forest: Forest, account: Account) -> Json:
    admins = [{"ObjectIdentifier": one.native_id, "ObjectType": _TYPES[one.details["sort"]]}
              for one in forest.administrators(account)]
    name, listed = account.name.removesuffix("$"), {"Collected": True, "FailureReason": None}
    sessions = [{"UserSID": user, "ComputerSID": computer} for computer, user in forest.sessions
                if computer == account.native_id]
    group = {"ObjectIdentifier": f"{account.native_id}-544", "Name": f"ADMINISTRATORS@{name}.{REALM}", "LocalNames": []}
    return _object(
        forest, account, {
            **_logons(account), "operatingsystem": "Windows Server 2022 Standard", "haslaps": not name.startswith("DC"),
            "unconstraineddelegation": name.startswith("DC"), "isdc": name.startswith("DC"), "sidhistory": [],
            "serviceprincipalnames": [f"HOST/{account.details['host']}"]},
        PrimaryGroupSID=f"{forest.sid}-{516 if name.startswith('DC') else 515}", AllowedToDelegate=[],
        AllowedToAct=[], HasSIDHistory=[], DumpSMSAPassword=[], IsDC=name.startswith("DC"), DomainSID=forest.sid,
        Status=None, UserRights=[], Sessions=listed | {"Results": []}, RegistrySessions=listed | {"Results": []},
        PrivilegedSessions=listed | {"Results": sessions}, LocalGroups=[group | listed | {"Results": admins}])


def _domain(forest: Forest) -> Json:
    aces = [(who, right, False) for who, right in forest.over_domain]
    return {
        "Properties": {"domain": REALM, "name": REALM, "distinguishedname": _DOMAIN, "domainsid": forest.sid,
                       "functionallevel": "2016", "collected": True, "whencreated": 1_420_000_000,
                       "machineaccountquota": 10, "description": None},
        "Aces": [_ace(forest, *ace) for ace in aces], "ObjectIdentifier": forest.sid, "IsDeleted": False,
        "IsACLProtected": False, "ContainedBy": None, "Trusts": [], "Links": [],
        "ChildObjects": [{"ObjectIdentifier": native.upper(), "ObjectType": "OU"} for native in forest.units.values()],
        "GPOChanges": {"LocalAdmins": [], "RemoteDesktopUsers": [], "DcomUsers": [], "PSRemoteUsers": [],
                       "AffectedComputers": []}}


def _unit(forest: Forest, name: str, native: str) -> Json:
    return {
        "Properties": {"domain": REALM, "name": f"{name.upper()}@{REALM}", "domainsid": forest.sid,
                       "distinguishedname": f"OU={name.upper()},{_DOMAIN}", "blocksinheritance": False,
                       "description": None, "whencreated": 1_430_000_000},
        "Aces": [], "ObjectIdentifier": native.upper(), "IsDeleted": False, "IsACLProtected": False,
        "ContainedBy": {"ObjectIdentifier": forest.sid, "ObjectType": "Domain"}, "Links": [], "ChildObjects": [],
        "GPOChanges": {"LocalAdmins": [], "RemoteDesktopUsers": [], "DcomUsers": [], "PSRemoteUsers": [],
                       "AffectedComputers": []}}
