"""The service desk's people in ServiceNow, and how one change request runs from asking to closing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Link

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

SOURCE, PROVIDER = "servicenow", "servicenow"
HOST = "itsm.northwind-synthetic.example"
MACHINE = "svc-release-bridge"
GROUPS = ("Change Advisory Board", "Service Desk", "Cloud Operations")
LAST = END.replace(hour=0, minute=0, second=0)


class Ref(NamedTuple):
    """A reference to a row of another table, with what people see of it."""

    table: str
    native_id: str
    label: str


Cell = str | Ref
STATES = {"new": "-5", "authorize": "-3", "scheduled": "-2", "closed": "3", "canceled": "4"}
"""Values of a change's state by what people see."""


@dataclass
class Plan:
    """What is to happen with one change. ``votes``: who approves, how long after asking, and the answer. ``work``: when
    it is carried out after asking; None: never."""

    asker: Account
    worker: Account
    what: str
    item: Ref
    votes: tuple[tuple[Account, timedelta, str], ...]
    work: timedelta | None
    kind: str = "normal"
    reason: str = "Planned work (synthetic)"
    edited: bool = False
    """One approver comments on the approval after the work: the row is touched again."""
    seen_before: bool = False
    """An earlier export holds the ticket as it stood before the work."""
    pending: Account | None = None
    """An approver who has not answered."""


@dataclass
class Change:
    """A told change: the records that state it."""

    number: str
    native_id: str
    rows: list[Deed] = field(default_factory=list)
    votes: list[Deed] = field(default_factory=list)

    @property
    def authority(self) -> str:
        """The record of the last vote."""
        return self.votes[-1].event_id


class Desk:
    """Everybody with an account at the service desk, and the pen that writes tickets."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice = world, dice
        self.accounts: dict[int, Account] = {}
        self.groups: list[Account] = []
        self.members: list[tuple[str, Account, Account]] = []
        self._number = 30_110
        self._items: dict[str, Ref] = {}
        for person in world.persons:
            if person.declared:
                self.account(person)
        self.machine = self._machine()

    def account(self, person: Person) -> Account:
        """The account of a person; one that nobody declared has an account that the export of users lacks."""
        found = self.accounts.get(person.number)
        if found is None:
            found = Account(
                PROVIDER, HOST, self.dice.hexadecimal(32), person.login.split("@", maxsplit=1)[0],
                "human" if person.declared else "unknown", person, listed=person.declared,
                created=LAST - timedelta(days=self.dice.whole(400, 1900), hours=-9), enabled=person.left_on is None)
            self.accounts[person.number] = found
            self.world.accounts.append(found)
        return found

    def _machine(self) -> Account:
        owner = next(p for p in self.world.persons if p.declared and p.left_on is None)
        machine = Account(
            PROVIDER, HOST, self.dice.hexadecimal(32), MACHINE, "service_account", listed=True,
            created=LAST - timedelta(days=800, hours=-9), enabled=True, details={"manager": self.account(owner)})
        self.world.accounts.append(machine)
        return machine

    def group(self, name: str, members: list[Account]) -> None:
        group = Account(PROVIDER, HOST, self.dice.hexadecimal(32), name, "group", listed=True,
                        created=LAST - timedelta(days=900, hours=-9))
        self.world.accounts.append(group)
        self.groups.append(group)
        self.members += [(self.dice.hexadecimal(32), group, account) for account in members]

    def _next_number(self) -> str:
        self._number += self.dice.whole(1, 4)
        return f"CHG{self._number:07d}"

    def item(self, name: str) -> Ref:
        """The configuration item of that name."""
        return self._items.setdefault(name, Ref("cmdb_ci", self.dice.hexadecimal(32), name))

    def row(self, time: datetime, who: Account | None, table: str, native_id: str, version: int,
            fields: dict[str, Cell]) -> Deed:
        """A row of a table as it stood at a time, written by somebody; None: by the workflow."""
        cells: dict[str, Cell] = {
            "sys_id": native_id, "sys_class_name": table, **fields, "sys_updated_on": stamp(time),
            "sys_updated_by": who.name if who else "system", "sys_mod_count": str(version)}
        return Deed(time, SOURCE, native_id, who, table, details={"table": table, "row": cells})

    def change(self, asked_at: datetime, plan: Plan) -> Change:
        """A change request with its votes, its true links and the decision it is."""
        dice = self.dice
        change = Change(self._next_number(), dice.hexadecimal(32))
        voted = [self._vote(change, asked_at, asked_at + after, who, answer) for who, after, answer in plan.votes]
        if plan.pending is not None:
            self._open_vote(change, asked_at, plan.pending)
        if plan.edited and plan.work is not None:
            self._touched(change, asked_at + plan.work + timedelta(hours=5))
        approved = bool(plan.votes) and all(answer == "approved" for *_, answer in plan.votes) and plan.pending is None
        refused = any(answer == "rejected" for *_, answer in plan.votes)
        fields: dict[str, Cell] = {
            "number": change.number, "type": plan.kind, "short_description": plan.what, "justification": plan.reason,
            "opened_at": stamp(asked_at), "opened_by": user(plan.asker), "requested_by": user(plan.asker),
            "assigned_to": user(plan.worker), "cmdb_ci": plan.item, "sys_created_on": stamp(asked_at),
            "sys_created_by": plan.asker.name, "approval": "not requested"}
        if approved or refused:
            fields["approval"] = "approved" if approved else "rejected"
            fields["approval_set"] = stamp(max(voted) + timedelta(seconds=2))
        if approved and plan.seen_before:
            self._tell(change, self.row(max(voted) + timedelta(minutes=3), plan.votes[-1][0], "change_request",
                                        change.native_id, 3, fields | {"state": "scheduled"}))
        if plan.work is None:
            self._unfinished(change, asked_at, plan, fields, refused=refused)
        else:
            self._finished(change, asked_at + plan.work, plan, fields)
        self._links(change)
        return change

    def _tell(self, change: Change, deed: Deed) -> None:
        change.rows.append(deed)
        self.world.deeds.append(deed)

    def _unfinished(self, change: Change, asked_at: datetime, plan: Plan, fields: dict[str, Cell], *,
                    refused: bool) -> None:
        if refused:
            when = asked_at + max(after for _, after, _ in plan.votes) + timedelta(minutes=4)
            self._tell(change, self.row(when, plan.votes[-1][0], "change_request", change.native_id, 4, fields | {
                "state": "canceled", "closed_at": stamp(when), "closed_by": user(plan.votes[-1][0])}))
            return
        state = "authorize" if plan.pending is not None else "new"
        fields["approval"] = "requested" if plan.pending is not None else fields["approval"]
        self._tell(change, self.row(asked_at, plan.asker, "change_request", change.native_id, 0,
                                    fields | {"state": state}))

    def _finished(self, change: Change, began: datetime, plan: Plan, fields: dict[str, Cell]) -> None:
        ended = began + timedelta(minutes=self.dice.whole(8, 90))
        closed = ended + timedelta(minutes=self.dice.whole(10, 200))
        self._tell(change, self.row(closed, plan.worker, "change_request", change.native_id, 7, fields | {
            "state": "closed", "work_start": stamp(began), "work_end": stamp(ended), "closed_at": stamp(closed),
            "closed_by": user(plan.worker), "close_code": "successful", "close_notes": "Done (synthetic)"}))
        answers = [(who, change.votes[place].time) for place, (who, _, _) in enumerate(plan.votes)]
        before = bool(answers) and max(time for _, time in answers) < began
        own = bool(answers) and answers[-1][0] is plan.asker
        missing = plan.kind == "standard" or bool(answers)
        self.world.decisions.append(Decision(
            change.native_id, began, "change_request:implement", "none", initiator="proved",
            approver="proved" if before and not own else "missing" if missing else "unknown", rollback="unknown",
            provider=PROVIDER, approved="proved" if before else "missing" if missing else "unknown",
            self_approved=True if own else None, approvals=int(bool(answers)),
            retroactive=bool(answers) and not before, by_policy=plan.kind == "standard"))

    def _links(self, change: Change) -> None:
        done = [row for row in change.rows if "work_start" in row.details["row"]]
        self.world.links += [Link(vote.event_id, change.native_id, "about", provable=True) for vote in change.votes]
        if done and change.votes:
            self.world.links.append(Link(change.native_id, change.authority, "authorised_by", provable=True))

    def _approval(self, change: Change, approver: Account, asked_at: datetime) -> dict[str, Cell]:
        ticket = Ref("change_request", change.native_id, change.number)
        return {"approver": user(approver), "sysapproval": ticket, "document_id": ticket,
                "source_table": "change_request", "sys_created_on": stamp(asked_at), "sys_created_by": "system"}

    def _vote(self, change: Change, asked_at: datetime, at: datetime, who: Account, answer: str) -> datetime:
        vote = self.row(at, who, "sysapproval_approver", self.dice.hexadecimal(32), 1,
                        self._approval(change, who, asked_at) | {"state": answer, "comments": "ok (synthetic)"})
        change.votes.append(vote)
        self.world.deeds.append(vote)
        return at

    def _open_vote(self, change: Change, asked_at: datetime, who: Account) -> None:
        self.world.deeds.append(self.row(
            asked_at + timedelta(seconds=3), None, "sysapproval_approver", self.dice.hexadecimal(32), 0,
            self._approval(change, who, asked_at) | {"state": "requested"}))

    def _touched(self, change: Change, at: datetime) -> None:
        """The last vote's row is edited after the work, and exported so; the audit log has the vote's own moment."""
        vote = change.votes[-1]
        who = vote.who
        assert isinstance(who, Account)  # noqa: S101  (narrows the type)
        self.world.deeds.remove(vote)
        self.world.deeds.append(self.row(at, who, "sysapproval_approver", vote.event_id, 2, {
            **vote.details["row"], "comments": "late remark (synthetic)"}))
        audit = Deed(vote.time, SOURCE, self.dice.hexadecimal(32), who, "sys_audit", details={
            "table": "sys_audit", "row": {
                "sys_id": "", "tablename": "sysapproval_approver", "documentkey": vote.event_id, "fieldname": "state",
                "oldvalue": "requested", "newvalue": "approved", "user": who.name, "sys_created_on": stamp(vote.time),
                "sys_created_by": who.name, "reason": ""}})
        audit.details["row"]["sys_id"] = audit.event_id
        self.world.deeds.append(audit)
        change.votes[-1] = audit


def user(account: Account) -> Ref:
    return Ref("sys_user", account.native_id, account.person.name if account.person else account.name)


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
