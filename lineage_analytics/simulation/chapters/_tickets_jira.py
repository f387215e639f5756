"""The access desk in Jira Service Management: who asks, who decides, who carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Link, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import EntraEvent, Person, World

SOURCE = PROVIDER = "jira"
HOST = "access.northwind-synthetic.example"
PROJECT = "ACC"
_LAST = END.replace(hour=0, minute=0, second=0)
_WANTED = ("Read the sales reports", "Join the project room", "Write to the price list", "Use the test environment")


@dataclass
class Issue:
    """A request with its history and approval, as the deeds that its writer spells out."""

    key: str
    native_id: str
    what: str
    asked: Deed
    text: str
    approval: Deed | None = None
    history: list[Deed] = field(default_factory=list)
    status: str = "Waiting for approval"

    @property
    def latest(self) -> datetime:
        return max(deed.time for deed in (self.asked, self.approval, *self.history) if deed is not None)


class Board:
    """Accounts and requests; issues in the order of their keys."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice = world, dice
        self.accounts: dict[int, Account] = {}
        self.issues: list[Issue] = []
        self.robot = self._listed(Account(PROVIDER, HOST, f"712020:{dice.guid()}", "Automation for Jira", "app"))
        self._ids = {"issue": 4_210_000, "history": 9_310_000, "approval": 8_610_000}

    def _listed(self, account: Account) -> Account:
        self.world.accounts.append(account)
        return account

    def account(self, person: Person) -> Account:
        if person.number not in self.accounts:
            self.accounts[person.number] = self._listed(Account(
                PROVIDER, HOST, f"712020:{self.dice.guid()}", person.name, "human", person))
        return self.accounts[person.number]

    def _id(self, kind: str) -> str:
        self._ids[kind] += self.dice.whole(1, 9)
        return str(self._ids[kind])

    def ask(self, time: datetime, who: Person, what: str, text: str = "") -> Issue:
        native_id = self._id("issue")
        asked = Deed(time, SOURCE, native_id, self.account(who), "issue:create", details={"kind": "issue"})
        issue = Issue(f"{PROJECT}-{len(self.issues) + 118}", native_id, what, asked, text)
        self.issues.append(issue)
        self.world.deeds.append(asked)
        return issue

    def answer(self, issue: Issue, time: datetime, who: Person, verdict: str = "approved") -> Deed:
        """The approval as it ended, then what the desk's workflow made of the issue at once."""
        given = Deed(time, SOURCE, self._id("approval"), self.account(who), f"approval:{verdict}",
                     details={"kind": "approval", "verdict": verdict, "asked": issue.asked.time})
        issue.approval = given
        self.world.deeds.append(given)
        self.world.links.append(Link(given.event_id, issue.native_id, "about", provable=True))
        moved = self.move(issue, time, self.account(who),
                          "Waiting for support" if verdict == "approved" else "Declined")
        if verdict != "approved":  # that status is a decision too
            self.world.links.append(Link(moved.event_id, issue.native_id, "about", provable=True))
        return given

    def move(self, issue: Issue, time: datetime, who: Account, status: str) -> Deed:
        moved = Deed(time, SOURCE, self._id("history"), who, "issue:transition",
                     details={"kind": "history", "field": "status", "from": issue.status, "to": status})
        issue.status = status
        issue.history.append(moved)
        self.world.deeds.append(moved)
        return moved

    def assign(self, issue: Issue, time: datetime, who: Person) -> None:
        """The robot hands the issue to somebody."""
        made = Deed(time, SOURCE, self._id("history"), self.robot, "issue:update assignee", details={
            "kind": "history", "field": "assignee", "from": None, "to": self.account(who).native_id})
        issue.history.append(made)
        self.world.deeds.append(made)

    def work(self, issue: Issue, time: datetime, who: Person) -> Deed:
        """Somebody begins, and it is a decision carried out."""
        done = self.move(issue, time, self.account(who), "In Progress")
        given = issue.approval
        before = given is not None and given.time < time
        own = given is not None and given.who is issue.asked.who
        self.world.links.append(Link(done.event_id, issue.native_id, "requested_by", provable=True))
        if given is not None:
            self.world.links.append(Link(done.event_id, given.event_id, "authorised_by", provable=True))
        self.world.decisions.append(Decision(
            done.event_id, time, "issue:transition In Progress", "none", initiator="proved",
            approver="proved" if before and not own else "missing" if given is not None else "unknown",
            rollback="unknown", provider=PROVIDER, approved="proved" if before else "unknown",
            self_approved=True if own else None, approvals=int(given is not None)))
        return done


def begin(world: World, dice: Dice) -> None:
    """Requests of all kinds; some ask for what an administrator then did in the directory."""
    board = Board(world, dice)
    world.cast["jira"] = board
    here = [p for p in world.persons if p.declared and p.left_on is None]
    admins = [p for p in here if p.admin_id]
    staff = [p for p in here if not p.admin_id]
    _everyday(board, dice, staff, admins)
    _behind_the_directory(board, dice, staff, admins)
    _stories(board, dice, staff, admins)


def _run(board: Board, at: datetime, who: Person, approver: Person, worker: Person, what: str, text: str = "",
         waits: tuple[float, float] = (3.0, 6.0)) -> tuple[Issue, Deed, Deed]:
    """A request that is approved and carried out; the robot closes it."""
    dice = board.dice
    issue = board.ask(at, who, what, text)
    given = board.answer(issue, at + timedelta(seconds=int(3600 * waits[0])), approver)
    if dice.chance(0.5):
        board.assign(issue, given.time + timedelta(seconds=40), worker)
    done = board.work(issue, at + timedelta(seconds=int(3600 * waits[1])), worker)
    closed = board.move(issue, done.time + timedelta(minutes=dice.whole(5, 120)), board.robot, "Resolved")
    board.world.links.append(Link(closed.event_id, done.event_id, "resulted_in", provable=True))
    return issue, given, done


def _everyday(board: Board, dice: Dice, staff: list[Person], admins: list[Person]) -> None:
    for day in board.world.midnights[1:-2]:
        if day.weekday() > 4 or not dice.chance(0.35):
            continue
        at, who = dice.moment(day, 7, 10), dice.pick(staff)
        approver, worker = dice.some(admins, 2)
        if dice.chance(0.15):
            issue = board.ask(at, who, dice.pick(_WANTED))
            board.answer(issue, at + timedelta(hours=2), approver, "declined")
            continue
        _run(board, at, who, approver, worker, dice.pick(_WANTED), waits=(0.3 + 4 * dice.share(), 5 + 3 * dice.share()))


def _behind_the_directory(board: Board, dice: Dice, staff: list[Person], admins: list[Person]) -> None:
    """Requests for a group or a role of the directory, carried out there by hand: its log names no ticket."""
    world = board.world
    first, last = world.midnights[2], END - timedelta(hours=4)
    made = [e for e in world.entra if e.service == "Core Directory" and e.actor.person in admins
            and e.activity in ("Add member to group", "Add member to role") and first < e.time < last]
    told: list[tuple[EntraEvent, Issue, Deed]] = []
    for event in sorted(made, key=lambda e: (e.time, e.event_id))[::-1][:10:2]:
        worker = event.actor.person
        assert worker is not None  # noqa: S101  (narrows the type)
        approver = next(p for p in dice.mixed(admins) if p is not worker)
        at = event.time - timedelta(hours=dice.whole(20, 30))
        waits = (2 + 6 * dice.share(), ((event.time - at).total_seconds() - 120) / 3600)
        issue, given, _ = _run(board, at, dice.pick(staff), approver, worker, event.activity, waits=waits,
                               text="For the new project (synthetic)")
        world.links.append(Link(event.event_id, given.event_id, "authorised_by", provable=False))
        told.append((event, issue, given))
    world.stories.append(Story(
        "access_requests_behind_changes_of_the_directory", "Groups and roles of the directory were given after an "
        "approved request in Jira; the directory's log names no request.",
        [found for event, issue, given in told for found in (event.event_id, issue.key, given.event_id)],
        "Nothing proves which request a change of the directory answers.", ["LIN-05"]))


def _stories(board: Board, dice: Dice, staff: list[Person], admins: list[Person]) -> None:
    world = board.world

    def at(back: int) -> datetime:
        return dice.moment(_LAST - timedelta(days=back), 8, 10)

    own, own_vote, _ = _run(board, at(10), admins[1], admins[1], admins[2], "Write to the price list")
    unasked = board.ask(at(7), staff[0], "Read the salary reports", "Agreed on the phone, see CHG0030042 (synthetic)")
    board.move(unasked, unasked.asked.time + timedelta(minutes=20), board.account(admins[3]), "Waiting for support")
    board.work(unasked, unasked.asked.time + timedelta(minutes=50), admins[3])
    waiting = board.ask(at(2), staff[1], "Use the test environment")
    world.stories += [
        Story("access_request_approved_by_who_asked", f"{own.key} was approved by {admins[1].login}, who asked for it.",
              [own.key, own.native_id, own_vote.event_id], "It is listed as approved by the same person.", ["LIN-06"]),
        Story("access_request_waved_through", f"{unasked.key} was moved past its approval by hand, with a ticket's "
              "number as the reason.", [unasked.key, unasked.native_id],
              "It is carried out without an approval on record.", ["LIN-05"]),
        Story("access_request_still_open", f"Nobody has answered {waiting.key}.", [waiting.key, waiting.native_id],
              "It is pending.", ["LIN-05"]),
    ]


def account_cells(account: Account) -> dict[str, Any]:
    """An account as the site writes it into issues."""
    return {"self": f"https://{HOST}/rest/api/3/user?accountId={account.native_id.replace(':', '%3A')}",
            "accountId": account.native_id, "accountType": "atlassian" if account.person else "app",
            "displayName": account.name, "active": True}
