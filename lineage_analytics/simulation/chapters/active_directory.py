"""A small forest on premises: sign-ins every day, accounts made and changed, and one way to its administrators that
somebody takes at night.

Nothing in these records says that a person acts with an account, so whoever changes something by hand is unknown.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters import _ad_forest
from lineage_analytics.simulation.chapters._ad_forest import COMPUTERS, MIDNIGHT, NETBIOS, REALM, Forest
from lineage_analytics.simulation.model import DOMAIN, END, Account, Decision, Deed, Link, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

SOURCE = "windows_security"
_NOBODY = {"SubjectUserSid": "S-1-0-0", "SubjectUserName": "-", "SubjectDomainName": "-", "SubjectLogonId": "0x0"}
_REPLICATION = ("{1131f6aa-9c07-11d1-f79f-00c04fc2dcd2}", "{1131f6ad-9c07-11d1-f79f-00c04fc2dcd2}")
_FIRST_NUMBER = 31_000_000
Data = dict[str, str]


class Recorder:
    """Writes events with record numbers that rise with time. Half of the numbers of a second are everyday's."""

    def __init__(self, world: World, forest: Forest, *, everyday: bool) -> None:
        self._start, self._forest, self._first = world.start, forest, 0 if everyday else 5
        self._taken: dict[tuple[str, datetime], int] = {}

    def event(self, time: datetime, who: Account | None, code: int, data: Data, *, dc: int = 1, success: bool = True,
              ) -> Deed:
        host = f"{COMPUTERS[dc - 1]}.{DOMAIN}".lower()
        while self._taken.get((host, time), 0) > 4:
            time += timedelta(seconds=1)
        slot = self._taken.get((host, time), 0)
        self._taken[host, time] = slot + 1
        number = _FIRST_NUMBER + int((time - self._start).total_seconds()) * 10 + self._first + slot
        return Deed(time, SOURCE, f"{host}/{number}", who, str(code), "success" if success else "failure",
                    {"id": code, "data": data, "host": host, "number": number})


def subject(who: Account) -> Data:
    """Whoever did it, as events name them."""
    sid = "S-1-5-18" if who.native_id.endswith("-S-1-5-18") else who.native_id
    return {"SubjectUserSid": sid, "SubjectUserName": who.details["sam"], "SubjectDomainName": NETBIOS,
            "SubjectLogonId": f"0x{0x3e7 if sid == 'S-1-5-18' else int(sid.rsplit('-', 1)[-1]) * 4099:x}"}


def target(who: Account, domain: str = NETBIOS) -> Data:
    return {"TargetUserName": who.details["sam"], "TargetDomainName": domain, "TargetSid": who.native_id}


def distinguished(who: Account) -> str:
    unit = f"OU={who.details['unit']}" if who.details["unit"] != "Users" else "CN=Users"
    return f"CN={who.details['sam']},{unit}," + ",".join(f"DC={part}" for part in DOMAIN.split("."))


def begin(world: World, dice: Dice) -> None:
    """The forest, joiners and everyday changes, and what happened at night."""
    forest = _ad_forest.founded(world, dice)
    world.cast["active_directory"] = forest
    told = _Told(world, forest, dice, Recorder(world, forest, everyday=False))
    told.joiners()
    told.everyday()
    told.night()
    told.replication()
    told.tickets()
    told.errand()
    told.rewritten()


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Sign-ins of people, software and computers, and what fails."""
    forest: Forest = world.cast["active_directory"]
    log = Recorder(world, forest, everyday=True)
    able = [a for a in (*forest.people, *forest.admins) if a.enabled and (a.created or day) < day]
    for who in sorted(dice.some(able, dice.whole(1, 2) if day.weekday() > 4 else dice.whole(3, 5)),
                      key=lambda a: a.native_id):
        yield signed_in(log, dice.moment(day, 6, 17), who, dc=dice.whole(1, 2))
    for who in (*forest.services.values(), *forest.computers.values()):
        if works(who, day) and (who.details["sort"] == "user" or dice.chance(0.25) or who.name == "DC01$"):
            yield signed_in(log, dice.moment(day, who.details["hour"], who.details["hour"] + 1), who, dc=1)
    if dice.chance(0.3):
        sync = forest.others[-1]
        yield replicated(log, dice.moment(day, 0, 5), sync, forest)
    if dice.chance(0.35):
        who = dice.pick(able)
        yield log.event(dice.moment(day, 6, 17), who, 4771, {
            **target(who), "ServiceName": f"krbtgt/{REALM}", "TicketOptions": "0x40810010", "Status": "0x18",
            "PreAuthType": "2", "IpAddress": address(who), "IpPort": "49900"}, success=False)
    if dice.chance(0.2):
        yield log.event(dice.moment(day), None, 4625, {
            **_NOBODY, "TargetUserSid": "S-1-0-0", "TargetUserName": "guest.wifi", "TargetDomainName": NETBIOS,
            "Status": "0xc000006d", "SubStatus": "0xc0000064", "LogonType": "3", "IpAddress": "203.0.113.77"},
            success=False)


def works(who: Account, day: datetime) -> bool:
    rhythm, back = who.details["rhythm"], (END - day).days
    if rhythm == "stopped100":
        return back >= 100
    return {"weekly": day.weekday() == 1, "weekday": day.weekday() < 5}.get(rhythm, True)


def address(who: Account) -> str:
    return f"::ffff:192.0.2.{int(who.native_id.rsplit('-', 1)[-1]) % 200 + 10}"


def signed_in(log: Recorder, time: datetime, who: Account, dc: int = 1) -> Deed:
    return log.event(time, who, 4624, {
        **_NOBODY, "TargetUserSid": who.native_id, "TargetUserName": who.details["sam"], "TargetDomainName": NETBIOS,
        "TargetLogonId": f"0x{int(time.timestamp()) % 10**7:x}", "LogonType": "3", "LogonProcessName": "Kerberos",
        "AuthenticationPackageName": "Kerberos", "IpAddress": address(who).removeprefix("::ffff:"), "IpPort": "49812",
        "ElevatedToken": "%%1842"}, dc=dc)


def replicated(log: Recorder, time: datetime, who: Account, forest: Forest) -> Deed:
    return log.event(time, who, 4662, {
        **subject(who), "ObjectServer": "DS", "ObjectType": "%{19195a5b-6da0-11d0-afd3-00c04fd930c9}",
        "ObjectName": f"%{{{forest.guid}}}", "OperationType": "Object Access", "HandleId": "0x0",
        "AccessMask": "0x100", "Properties": "%%7688 " + " ".join(_REPLICATION)})


class _Told:
    """What is told apart from everyday life."""

    def __init__(self, world: World, forest: Forest, dice: Dice, log: Recorder) -> None:
        self._world, self._forest, self._dice, self._log = world, forest, dice, log
        self._open: dict[tuple[str, str], str] = {}

    def _at(self, back: int, first: float, last: float) -> datetime:
        return self._dice.moment(MIDNIGHT - timedelta(days=back), first, last)

    def _tell(self, deed: Deed) -> Deed:
        self._world.deeds.append(deed)
        return deed

    def _change(self, time: datetime, who: Account, code: int, data: Data, title: str, dc: int = 1) -> Deed:
        """A change. Who acts with an account that is no software is on no record, nor is any approval."""
        made = self._tell(self._log.event(time, who, code, subject(who) | data, dc=dc))
        involvement = "none" if who.kind == "service_account" else "unknown"
        self._world.decisions.append(Decision(
            made.event_id, made.time, f"{code} {title}", involvement, initiator="unknown", approver="unknown",
            rollback="unknown", provider="ad"))
        return made

    def _member(self, time: datetime, who: Account, group: str, member: Account, *, added: bool = True) -> Deed:
        held = self._forest.groups[group]
        if added:
            held.details["members"].append(member)
        else:
            held.details["members"].remove(member)
        code, title = (4728, "added to") if added else (4729, "removed from")
        made = self._change(time, who, code, {
            "MemberName": distinguished(member), "MemberSid": member.native_id, **target(held), "PrivilegeList": "-"},
            f"A member was {title} a security-enabled global group")
        place = group, member.native_id
        earlier = self._open.pop(place, None)  # nobody is put in twice: the earlier one is the opposite
        if earlier is None:
            self._open[place] = made.event_id
        else:
            self._world.undo(earlier, made.event_id)
        return made

    def _attribute(self, of: Account, attribute: str, syntax: str, value: str, operation: str = "") -> Data:
        """A value of an attribute that came; events of one ``operation`` are one change."""
        return {
            "OpCorrelationID": "{" + (operation or self._dice.guid()) + "}", "AppCorrelationID": "-", "DSName": DOMAIN,
            "DSType": "%%14676", "ObjectDN": distinguished(of), "ObjectGUID": "{" + of.details["guid"] + "}",
            "ObjectClass": "user", "AttributeLDAPDisplayName": attribute, "AttributeSyntaxOID": syntax,
            "AttributeValue": value, "OperationType": "%%14674"}

    def _links(self, rel: str, *pairs: tuple[Deed, Deed]) -> None:
        self._world.links += [Link(one.event_id, other.event_id, rel, provable=False) for one, other in pairs]

    def joiners(self) -> None:
        """Software makes the accounts of people who join."""
        maker = self._forest.services["gmsa-joiner$"]
        for who in self._forest.people:
            at = who.details.get("joined")
            if at is None:
                continue
            made = self._change(at, maker, 4720, {
                **target(who), "SamAccountName": who.details["sam"], "OldUacValue": "0x0", "NewUacValue": "0x15",
                "PrivilegeList": "-"}, "A user account was created")
            enabled = self._change(at + timedelta(seconds=1), maker, 4722, target(who), "A user account was enabled")
            self._links("part_of", (enabled, made))

    def everyday(self) -> None:
        """Passwords set anew, accounts unlocked, people added to a group or taken out of it."""
        dice, forest = self._dice, self._forest
        staff = [a for a in forest.people if a.enabled and "joined" not in a.details]
        for day in self._world.midnights:
            if day.weekday() > 4 or (END - day).days < 1 or not dice.chance(0.35):
                continue
            at, admin, who = dice.moment(day, 7, 15), dice.pick(forest.admins), dice.pick(staff)
            if dice.chance(0.35):
                self._change(at, admin, 4724, target(who), "An attempt was made to reset an account's password")
                if who.keys[0].created is None or who.keys[0].created < at:
                    _ad_forest.password(who, at)
            elif dice.chance(0.4):
                system = forest.system
                locked = self._tell(self._log.event(at, system, 4740, subject(system) | target(who, "WKS-07")))
                opened = self._change(at + timedelta(minutes=dice.whole(3, 50)), admin, 4767, target(who),
                                      "A user account was unlocked")
                self._links("informed_by", (opened, locked))
            else:
                group = forest.groups["Finance Readers"]
                present = who in group.details["members"]
                self._member(at, admin, "Finance Readers", who, added=not present)
        refused, admin = dice.pick(staff), forest.admins[-1]
        self._tell(self._log.event(self._at(6, 9, 11), admin, 4724, subject(admin) | target(refused), success=False))

    def night(self) -> None:
        """The help desk's right over a service account, and where that leads."""
        forest, dice = self._forest, self._dice
        helper = next(m for m in forest.groups["Helpdesk"].details["members"])
        backup = forest.services["svc-backup"]
        friend = next(a for a in reversed(forest.people) if a.enabled and a is not helper)
        at = self._at(13, 1.4, 1.6)
        key = self._change(at, helper, 5136, self._attribute(
            backup, "msDS-KeyCredentialLink", "2.5.5.7", f"B:828:0002{dice.hexadecimal(40)}:synthetic"),
            "A directory service object was modified")
        ticket = self._tell(self._log.event(at + timedelta(minutes=4), backup, 4768, {
            **target(backup, REALM), "ServiceName": "krbtgt", "ServiceSid": f"{forest.sid}-502", "Status": "0x0",
            "TicketOptions": "0x40810010", "TicketEncryptionType": "0x12", "PreAuthType": "16",
            "CertIssuerName": helper.details["sam"], "IpAddress": address(helper), "IpPort": "50123"}))
        added = self._member(at + timedelta(minutes=9), backup, "Domain Admins", friend)
        self._tell(signed_in(self._log, at + timedelta(minutes=12), friend))
        marked = self._change(at + timedelta(minutes=41), forest.system, 5136, self._attribute(
            friend, "adminCount", "2.5.5.9", "1"), "A directory service object was modified")
        removed = self._member(at + timedelta(minutes=87), backup, "Domain Admins", friend, added=False)
        friend.details["admincount"] = True
        self._links("follows", (ticket, key), (added, ticket), (marked, added))
        groups = forest.groups
        self._world.stories += [
            Story("ad_way_to_domain_admins", "The help desk may write to svc-backup, which two nested groups let add "
                  "members to Domain Admins.", [groups["Helpdesk"].native_id, backup.native_id,
                                                *(groups[name].native_id for name in (
                                                    "Backup Operators T0", "Tier 0 Infrastructure", "Domain Admins"))],
                  "The right of the help desk on svc-backup stands beside what its groups may do."),
            Story("ad_key_written_at_night", f"{helper.name} of the help desk wrote a key to svc-backup at night and "
                  "signed in as it.", [key.event_id, ticket.event_id, helper.native_id, backup.native_id],
                  "The write is listed with who made it; no approval of it is on record.", ["LIN-05"]),
            Story("ad_administrator_for_an_hour", f"{friend.name} was in Domain Admins for 78 minutes of a night, put "
                  "there and taken out by svc-backup.", [added.event_id, removed.event_id, marked.event_id,
                                                         friend.native_id],
                  "Both changes are listed as by svc-backup, which is software; what set it off is in no record.",
                  ["LIN-01", "LIN-05"])]

    def replication(self) -> None:
        """A scanner's account nobody owns may copy all password hashes, and did so once from elsewhere."""
        who, forest = self._forest.services["svc-legacyscan"], self._forest
        at = self._at(9, 3, 4)
        made = [self._tell(replicated(self._log, at + timedelta(seconds=n), who, forest)) for n in (0, 2, 3)]
        self._world.stories.append(Story(
            "ad_account_that_copied_the_directory", "svc-legacyscan may replicate the directory with its secrets, and "
            "did so one night; nobody is stated as its owner.", [who.native_id, *(deed.event_id for deed in made)],
            "Its rights GetChanges and GetChangesAll over the domain stand beside its use of them; it has no owner.",
            ["VIS-04"]))

    def tickets(self) -> None:
        """Somebody asked for tickets of every service within seconds, with weak encryption; such events name nobody by
        SID, so that the name alone is known."""
        forest = self._forest
        who = next(a for a in forest.people if a.enabled and "joined" not in a.details)
        name = f"{who.details['sam']}@{REALM}"
        asked = Account("ad", "", name.lower(), name, "unknown", person=None, listed=None)
        self._world.accounts.append(asked)
        at = self._at(11, 20, 22)
        made = [self._tell(self._log.event(at + timedelta(seconds=number), asked, 4769, {
            "TargetUserName": name, "TargetDomainName": REALM, "ServiceName": service.details["sam"],
            "ServiceSid": service.native_id, "TicketOptions": "0x40810000", "TicketEncryptionType": "0x17",
            "IpAddress": address(who), "IpPort": "50500", "Status": "0x0", "TransmittedServices": "-"}))
            for number, service in enumerate(forest.services.values()) if service.details["spns"]]
        self._world.stories.append(Story(
            "ad_tickets_of_every_service", f"{name} asked for weakly encrypted tickets of all service accounts within "
            "seconds.", [asked.ref, *(deed.event_id for deed in made)],
            "The requests are listed by a name that no inventory of its directory proves.", ["VIS-01", "VIS-02"]))

    def errand(self) -> None:
        """An account made, used and deleted in one night: no collection lists it."""
        forest, admin = self._forest, self._forest.admins[0]
        made = _ad_forest.account(forest, self._dice, "tmp-maint", forest.next(), "user", "unknown", unit="Tier 0")
        made.listed = False
        self._world.accounts.append(made)
        at = self._at(17, 22, 23)
        born = self._change(at, admin, 4720, {
            **target(made), "SamAccountName": "tmp-maint", "OldUacValue": "0x0", "NewUacValue": "0x15",
            "PrivilegeList": "-"}, "A user account was created")
        used = [self._tell(signed_in(self._log, at + timedelta(minutes=n), made)) for n in (3, 8, 21)]
        gone = self._change(at + timedelta(minutes=38), admin, 4726, target(made) | {"PrivilegeList": "-"},
                            "A user account was deleted")
        self._world.undo(born.event_id, gone.event_id)
        self._world.stories.append(Story(
            "ad_account_for_one_night", "tmp-maint was made, used and deleted within an hour of a night.",
            [made.native_id, born.event_id, *(deed.event_id for deed in used), gone.event_id],
            "It is listed among actors in no inventory, with what it did.", ["VIS-01", "VIS-02"]))

    def rewritten(self) -> None:
        """A value replaced by another is two events of one operation, and one change."""
        dice, forest = self._dice, self._forest
        admin, who, operation = forest.admins[-1], forest.people[-1], dice.guid()
        at = self._at(8, 10, 12)
        values = [self._attribute(who, "scriptPath", "2.5.5.12", f"{name}-synthetic.cmd", operation)
                  for name in ("logon", "logon-new")]
        gone = self._change(at, admin, 5136, values[0] | {"OperationType": "%%14675"},
                            "A directory service object was modified")
        self._world.decisions[-1].rollback = "proved"  # the record holds the value that stood before
        come = self._tell(self._log.event(at, admin, 5136, subject(admin) | values[1]))
        self._world.stories.append(Story(
            "ad_one_change_in_two_events", f"The logon script of {who.name} was replaced by another: one event takes "
            "the old value away, the next puts the new one there.", [gone.event_id, come.event_id, who.native_id],
            "Both events are one decision.", ["ACC-01"]))
