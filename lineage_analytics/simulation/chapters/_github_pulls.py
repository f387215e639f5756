"""Pull requests from opening over review to merge, as the audit log and the webhooks tell them; and what they set off.

The audit log does not say how a review ended, the webhooks do. The agent writes more and more pull requests, and they
are approved ever faster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.activity import call
from lineage_analytics.simulation.model import END, Account, Decision, Deed, Link, Principal, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.chapters._github_cast import Cast, Repository
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import World

_WAIT = (420, 2400)
"""Seconds from the last approval to the merge, while checks run."""
_TOPICS = ("retry policy", "log format", "queue size", "cache keys", "error page", "index", "timeouts", "input checks")


@dataclass
class Pull:
    """One pull request. ``head`` is its newest commit, ``starter`` the person who set the agent to work."""

    repository: Repository
    number: int
    pull_id: int
    title: str
    author: Account
    created: datetime
    head: str
    base: str
    branch: str
    starter: Account | None = None
    merged: datetime | None = None
    merger: Account | None = None
    commit: str = ""
    deeds: list[Deed] = field(default_factory=list)
    said: dict[str, datetime] = field(default_factory=dict)
    """When each review was submitted, by its id."""

    @property
    def url(self) -> str:
        return f"https://github.com/{self.repository.full_name}/pull/{self.number}"


class Pulls:
    """Opens, reviews and merges, each with its records, true links and decision."""

    def __init__(self, world: World, dice: Dice, cast: Cast) -> None:
        self._world, self._dice, self._cast = world, dice, cast
        self._number = {repository.number: dice.whole(40, 900) for repository in cast.repositories}
        self._id = dice.whole(1_600_000_000, 1_700_000_000)

    def opened(self, time: datetime, author: Account, repository: Repository, starter: Account | None = None) -> Pull:
        """A pull request and the records of its opening. The agent's name the person it acts for."""
        dice = self._dice
        self._number[repository.number] += dice.whole(1, 4)
        self._id += dice.whole(3, 90)
        number, title = self._number[repository.number], f"Change {dice.pick(_TOPICS)} (synthetic)"
        pull = Pull(repository, number, self._id, title, author, time, dice.hexadecimal(40), dice.hexadecimal(40),
                    f"{'pilot' if starter else 'work'}/{dice.hexadecimal(6)}", starter)
        self._audit(pull, time, author, "pull_request.create")
        self._hook(pull, time, author, "opened", str(pull.pull_id))
        return pull

    def pushed(self, pull: Pull, time: datetime) -> None:
        """Another commit on the branch: what was approved before it is not what stands there now."""
        pull.head = self._dice.hexadecimal(40)
        deed = Deed(time, "github_audit", self._dice.base32(22), pull.author, "git.push", details={
            "repo": pull.repository, "transport_protocol_name": "https"})
        self._world.deeds.append(deed)
        pull.deeds.append(deed)

    def reviewed(self, pull: Pull, time: datetime, reviewer: Account, state: str = "approved") -> Deed:
        self._id += self._dice.whole(3, 90)
        self._audit(pull, time, reviewer, "pull_request_review.submit")
        review = self._hook(pull, time, reviewer, state, str(self._id))
        if state != "commented":
            self._link(review, pull.deeds[0], "about")
        return review

    def withdrawn(self, pull: Pull, time: datetime, review: Deed) -> Deed:
        """The reviewer takes the review back; both logs say so."""
        row = self._audit(pull, time, review.who, "pull_request_review.dismiss")  # type: ignore[arg-type]
        self._hook(pull, time, review.who, "dismissed", review.event_id)  # type: ignore[arg-type]
        self._link(row, pull.deeds[0], "about")
        return row

    def closed(self, pull: Pull, time: datetime, who: Account) -> None:
        """Closed without a merge: turned down."""
        self._link(self._audit(pull, time, who, "pull_request.close"), pull.deeds[0], "about")
        self._link(self._hook(pull, time, who, "closed", str(pull.pull_id)), pull.deeds[0], "about")

    def merged(self, pull: Pull, time: datetime, merger: Account, approval: Deed | None, *,
               taken_back: bool = False) -> Deed:
        """The merge, in both logs, with the decision it is. ``taken_back``: its approval did not stand any more."""
        pull.merged, pull.merger, pull.commit = time, merger, self._dice.hexadecimal(40)
        done = self._audit(pull, time, merger, "pull_request.merge", head_sha=pull.head)
        copy = self._hook(pull, time, merger, "closed", str(pull.pull_id))
        self._world.tellings.append((copy.event_id, done.event_id))
        for record in (done, copy):
            self._link(record, pull.deeds[0], "requested_by")
            if approval is not None:
                self._link(record, approval, "authorised_by")
        self._decide(pull, done, approval, without="missing" if taken_back else "unknown")
        return done

    def _decide(self, pull: Pull, done: Deed, approval: Deed | None, without: str) -> None:
        """Whether accounts are of one person is on no record here, but for one account that does both."""
        own = approval is not None and approval.who in (pull.author, pull.starter)
        by_agent = pull.merger is self._cast.agent
        involvement = "drafts" if pull.starter else "none"
        if by_agent and approval is not None:
            involvement = "executes_autonomous" if own else "executes_approved"
        self._world.decisions.append(Decision(
            done.event_id, done.time, done.action, involvement, initiator="proved",
            approver=without if approval is None else "missing" if own else "proved", rollback="unknown",
            provider="github", approved=without if approval is None else "proved",
            self_approved=True if own else None, approvals=int(approval is not None),
            recommendation="proved" if pull.starter else "unknown",
            stated_order="prior" if without == "missing" else "", verdict="denied" if without == "missing" else ""))

    def _audit(self, pull: Pull, time: datetime, who: Account, action: str, **more: Any) -> Deed:
        acted_for = {"acted_for": pull.starter} if who is self._cast.agent else {}
        deed = Deed(time, "github_audit", self._dice.base32(22), who, action, details={
            "repo": pull.repository, "pull_request_id": pull.pull_id, "pull_request_title": pull.title,
            "pull_request_url": pull.url, "operation_type": "create" if action.endswith("create") else "modify",
            **acted_for, **more})
        self._world.deeds.append(deed)
        pull.deeds.append(deed)
        return deed

    def _hook(self, pull: Pull, time: datetime, who: Account, what: str, native: str) -> Deed:
        """A delivery; it goes out a second after what it tells."""
        shown = {"pull": pull, "head": pull.head, "merged": pull.merged is not None, "native": native,
                 "said": pull.said.setdefault(native, time)}
        deed = Deed(time + timedelta(seconds=1), "github_reviews", native, who, what, details=shown)
        self._world.deeds.append(deed)
        return deed

    def _link(self, source: Deed, target: Deed, rel: str, *, provable: bool = True) -> None:
        self._world.links.append(Link(source.event_id, target.event_id, rel, provable))


def tell(world: World, dice: Dice, cast: Cast) -> None:
    pulls = Pulls(world, dice, cast)
    merges = _of_people(world, dice, cast, pulls)
    merges += _of_the_agent(world, dice, cast, pulls)
    _own_errand(world, dice, cast, pulls)
    _older_commit(world, dice, cast, pulls)
    _past_the_rules(world, dice, cast, pulls)
    _approval_taken_back(world, dice, cast, pulls)
    _deployed(world, dice, cast, merges)


def _told_until() -> datetime:
    return END - timedelta(hours=2)


def _of_people(world: World, dice: Dice, cast: Cast, pulls: Pulls) -> list[tuple[Pull, Deed]]:
    """About one a working day: another engineer reviews, sometimes asks for changes first; some stay open."""
    merges = []
    for day in world.midnights[:-1]:
        if day.weekday() > 4 or not dice.chance(0.7):
            continue
        author = dice.pick(cast.people)
        reviewer = dice.pick([a for a in cast.people if a is not author])
        pull = pulls.opened(dice.moment(day, 7, 12), author, dice.early(cast.repositories))
        at = pull.created + timedelta(seconds=int(min(max(dice.around(5400, 0.8), 300), 30_000)))
        if dice.chance(0.2):
            pulls.reviewed(pull, at, reviewer, "changes_requested")
            pulls.pushed(pull, at + timedelta(minutes=30))
            at += timedelta(minutes=dice.whole(40, 90))
        if dice.chance(0.1):
            pulls.reviewed(pull, at, reviewer, "commented")
            if dice.chance(0.5):
                pulls.closed(pull, at + timedelta(minutes=30), reviewer)
            continue
        approval = pulls.reviewed(pull, at, reviewer)
        merged_at = at + timedelta(seconds=dice.whole(*_WAIT))
        if merged_at < _told_until():
            merges.append((pull, pulls.merged(pull, merged_at, dice.pick((author, reviewer)), approval)))
    return merges


def _of_the_agent(world: World, dice: Dice, cast: Cast, pulls: Pulls) -> list[tuple[Pull, Deed]]:
    """Few at first, hours until a review; then several a day, approved by the lead within seconds, merged by itself."""
    merges, dwells = [], []
    for number, day in enumerate(world.midnights[:-1]):
        part = number / world.days
        if day.weekday() > 4 or part < 0.25:
            continue
        for _ in range(int(3.4 * (part - 0.25) + dice.share())):
            starter = dice.pick([a for a in cast.people if a is not cast.lead])
            pull = pulls.opened(dice.moment(day, 8, 16), cast.agent, dice.early(cast.repositories), starter)
            dwell = int(max(dice.around(9000 * ((1 - part) / 0.75) ** 4 + 12, 0.35), 4))
            approval = pulls.reviewed(pull, pull.created + timedelta(seconds=min(dwell, 20_000)), cast.lead)
            if part < 0.6 and dice.chance(0.3):
                continue
            merger = cast.agent if part > 0.5 else starter
            done = pulls.merged(pull, approval.time + timedelta(seconds=dice.whole(*_WAIT)), merger, approval)
            merges.append((pull, done))
            dwells.append((dwell, approval.event_id))
    world.stories.append(Story(
        "coding_agent_approved_ever_faster", f"The coding agent {cast.agent.name} opens more pull requests every week; "
        f"{cast.lead.name} approves nearly all, after hours at first and within seconds at the end.",
        [cast.agent.native_id, cast.lead.native_id, *(event for _, event in dwells[-5:])],
        "Time to approve falls as volume grows, and one person gives the approvals.", ["ACC-01", "LIN-05"]))
    return merges


def _own_errand(world: World, dice: Dice, cast: Cast, pulls: Pulls) -> None:
    """Two people set the agent to work and approve what it made of it."""
    last, found = END.replace(hour=0, minute=0, second=0), []
    for back in (15, 6):
        starter = cast.people[-1] if back == 15 else cast.people[-2]
        pull = pulls.opened(dice.moment(last - timedelta(days=back), 9, 14), cast.agent, cast.repositories[1], starter)
        approval = pulls.reviewed(pull, pull.created + timedelta(seconds=dice.whole(40, 300)), starter)
        done = pulls.merged(pull, approval.time + timedelta(seconds=dice.whole(*_WAIT)), cast.agent, approval)
        found += [approval.event_id, done.event_id]
    world.stories.append(Story(
        "approved_by_who_sent_the_agent", "Two pull requests of the coding agent were approved by the person it worked "
        "for.", found, "They count as approved by the person who asked.", ["LIN-06"]))


def _older_commit(world: World, dice: Dice, cast: Cast, pulls: Pulls) -> None:
    """A commit follows the approval and is merged with it, unseen."""
    author, reviewer = cast.people[2], cast.people[3]
    at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=10), 9, 12)
    pull = pulls.opened(at, author, cast.repositories[2])
    approval = pulls.reviewed(pull, at + timedelta(minutes=50), reviewer)
    seen = pull.head
    pulls.pushed(pull, approval.time + timedelta(minutes=20))
    done = pulls.merged(pull, approval.time + timedelta(minutes=35), author, approval)
    decision = world.decisions[-1]
    decision.approved = decision.approver = "missing"
    decision.stated_order, decision.verdict, decision.planted_match = "prior", "stale", "different"
    world.stories.append(Story(
        "approval_of_an_older_commit", f"The approval of {pull.url} was for commit {seen[:12]}; what was merged has "
        "one more.", [approval.event_id, done.event_id, seen, pull.head],
        "Approval and merge name different commits.", []))


def _approval_taken_back(world: World, dice: Dice, cast: Cast, pulls: Pulls) -> None:
    """A reviewer withdraws an approval; what it was for is merged all the same."""
    author, reviewer = cast.people[4], cast.people[1]
    at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=18), 8, 11)
    pull = pulls.opened(at, author, cast.repositories[0])
    approval = pulls.reviewed(pull, at + timedelta(minutes=70), reviewer)
    back = pulls.withdrawn(pull, approval.time + timedelta(minutes=25), approval)
    done = pulls.merged(pull, back.time + timedelta(minutes=40), author, None, taken_back=True)
    world.stories.append(Story(
        "approval_taken_back", f"{reviewer.name} took back the approval of {pull.url}; {author.name} merged it.",
        [approval.event_id, back.event_id, done.event_id], "It counts as merged without a standing approval.",
        ["LIN-05"]))


def _past_the_rules(world: World, dice: Dice, cast: Cast, pulls: Pulls) -> None:
    """An owner merges past the protection of the main branch, reviewed by nobody."""
    owner = cast.owners[0]
    at = dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=4), 17, 19)
    pull = pulls.opened(at, owner, cast.repositories[3])
    past = Deed(at + timedelta(minutes=4), "github_audit", dice.base32(22), owner, "protected_branch.policy_override",
                details={"repo": pull.repository, "branch": "refs/heads/main", "pull_request_url": pull.url,
                         "pull_request_id": pull.pull_id, "operation_type": "modify", "overridden_codes": [
                             "review_policy_not_satisfied"], "reasons": [{
                                 "code": "review_policy_not_satisfied", "message": "synthetic: one review is needed"}]})
    world.deeds.append(past)
    done = pulls.merged(pull, past.time, owner, None)
    world.decisions.append(Decision(
        past.event_id, past.time, past.action, "none", initiator="proved", approver="unknown", rollback="unknown",
        provider="github"))
    world.stories.append(Story(
        "merged_past_the_protection", f"{owner.name} merged {pull.url} past the protection of the main branch; nobody "
        "had reviewed it.", [past.event_id, done.event_id],
        "The way round the rule is listed as a change of its own, with its reason; no approval is on record.",
        ["LIN-05"]))


def _deployed(world: World, dice: Dice, cast: Cast, merges: list[tuple[Pull, Deed]]) -> None:
    """Merges of the last weeks run the pipeline, whose role updates a stack. No record holds a key of both."""
    role: Principal = world.cast["deploy"]
    for pull, merge in merges:
        if (END - merge.time).days > 40 or not dice.chance(0.5):
            continue
        run = dice.whole(9_000_000_000, 9_900_000_000)
        started = Deed(merge.time + timedelta(seconds=20), "github_audit", dice.base32(22), merge.who,
                       "workflows.created_workflow_run", details={
                           "repo": pull.repository, "workflow_run_id": run, "head_branch": "main",
                           "head_sha": pull.commit, "event": "push", "name": "deploy", "operation_type": "create",
                           **({"acted_for": pull.starter} if pull.starter and pull.merger is pull.author else {})})
        if dice.chance(0.4):  # the environment waits for somebody's word
            world.deeds.append(Deed(started.time + timedelta(seconds=60), "github_audit", dice.base32(22), cast.lead,
                                    "workflows.approve_workflow_job", details={
                                        "repo": pull.repository, "workflow_run_id": run, "environment_name": "prod",
                                        "operation_type": "modify"}))
        update = call(dice, merge.time + timedelta(seconds=dice.whole(120, 400)), role, "cloudformation:UpdateStack")
        update.request = {"stackName": f"synthetic-{pull.repository.name}"}
        world.deeds.append(started)
        world.aws.append(update)
        world.links.append(Link(merge.event_id, update.event_id, "resulted_in", provable=False))
