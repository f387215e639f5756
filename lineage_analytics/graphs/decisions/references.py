"""Cases that belong together because one names the other's key: its ticket, its commit, its run, its request.

A change of access is the host; what led to it elsewhere (the run, the pull request, the agent's trace, the ticket, the
advice) is a guest and joins it. Keys that a system wrote prove the link (tier 4). A ticket number in a field made for
it does where the ticket states the same target and is safe (tier 3), and reaches tier 2 where it is not safe; a number
in free text reaches tier 2 at most. A ticket whose target differs, or cannot be compared, is no link (decision-lineage
5.1, 5.4). No key is followed from one tenant into another unless the customer declares both to be one organisation. A
guest that several changes name, or none for sure, stays by itself and lends its requests and decisions to each.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import networkx as nx

from lineage_analytics.graphs.decisions.case import Joint
from lineage_analytics.graphs.decisions.places import names_of
from lineage_analytics.graphs.decisions.steps import SKEW_BETWEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lineage_analytics.graphs.decisions.matching import Joining
    from lineage_analytics.graphs.decisions.places import Places
    from lineage_analytics.graphs.decisions.steps import Step

TICKET, TAG = "ticket", "tag"
_WRITTEN = frozenset({"commit", "run", "trace", "request", "recommendation"})
_NAMED = {
    "change_number": TICKET, "request_number": TICKET, "issue_key": TICKET, "github_workflow_run": "run",
    "gcp_recommendation": "recommendation", "access_finding_id": "recommendation",
    "entra_recommendation": "recommendation", "pim_request_id": "request",
}
"""What a case's own key is called where others state it."""
_READ = 20
_SHOWN = 5
_REL = "authorised_by"
CYCLIC = "cyclic"
_PROVED, _INFERRED = 3, 2


class Key(NamedTuple):
    """A key as followed: within one organisation."""

    organisation: str | None
    kind: str
    value: str


def follow(work: Joining, places: Places) -> None:
    """Every case joined to, or lent the decisions of, the cases whose keys it names."""
    _Follower(work, places).follow()


class _Follower:
    """Hosts and guests by key. Work grows with the number of keys, however many cases share one."""

    def __init__(self, work: Joining, places: Places) -> None:
        self._work, self._places = work, places
        self._rank = {number: case.rank for number, case in work.numbered()}
        self._done = {number: any(step.kind in ("action", "rollback") for step in case.steps)
                      for number, case in work.numbered()}

    def follow(self) -> None:
        self._cycles()
        stated = self._index(lambda step: [key for key in step.stated[:_READ] if key.partition(":")[0] in _WRITTEN])
        if stated:
            known = _merged(stated, self._index(_own_written))
            for rank in sorted({*self._rank.values()} - {0}):
                self._pass(rank, known, known, Joint("native_ref", 4, "stated-key"))
        tickets = self._index(lambda step: [key for key in step.stated[:_READ] if key.startswith(f"{TICKET}:")])
        quoted = self._index(_quoted)
        if tickets or quoted:
            own = self._index(_own_ticket)
            for rank in sorted({*self._rank.values()} - {0}):
                self._pass(rank, tickets, own, Joint("business_key", _PROVED, "ticket-and-target"))
                self._pass(rank, quoted, own, Joint("quoted_key", _INFERRED, "quoted-ticket-and-target"))

    def _cycles(self) -> None:
        """Cases that name each other as what they came of: none of it can be so, and it is told."""
        stated = self._index(lambda step: step.stated[:_READ])
        own = _merged(self._index(_own_written), self._index(_own_ticket)) if stated else {}
        claims = nx.DiGraph((number, other) for key, askers in stated.items() for other in own.get(key, ())[:_SHOWN]
                            for number in askers if number != other)
        for circle in nx.strongly_connected_components(claims):
            if len(circle) > 1:
                members = [self._step(number) for number in sorted(circle)]
                for step in members:
                    others = [one for one in members[:_SHOWN + 1] if one is not step]
                    self._work.doubt(step, "triggered_by", others, CYCLIC)

    def _index(self, keys: Callable[[Step], Iterable[str]]) -> dict[Key, list[int]]:
        """Cases by key, each once, in their order."""
        found: dict[Key, dict[int, None]] = defaultdict(dict)
        for number, case in self._work.numbered():
            for step in case.steps:
                if not (step.stated or step.quoted or step.key):
                    continue
                organisation = self._places.organisation(step.tenant)
                for key in keys(step):
                    kind, _, value = key.partition(":")
                    found[Key(organisation, kind, value)][number] = None
        return {key: list(numbers) for key, numbers in found.items()}

    def _pass(self, rank: int, asking: Mapping[Key, Sequence[int]], known: Mapping[Key, Sequence[int]],
              joint: Joint) -> None:
        """Guests of one rank, put to the hosts that name them."""
        hosts: dict[int, dict[int, None]] = defaultdict(dict)
        guests: dict[int, dict[int, None]] = defaultdict(dict)
        for key, askers in asking.items():
            among = {root: None for number in known.get(key, ())
                     if self._rank[root := self._work.root_of(number)] == rank}
            if not among:
                continue
            for number in askers:
                host = self._work.root_of(number)
                if self._rank[host] < rank:
                    for guest in list(among)[:_SHOWN]:
                        hosts[guest][host] = None
                        guests[host][guest] = None
        for host in [host for host, among in guests.items() if len(among) > 1]:
            among = guests.pop(host)
            self._work.doubt(self._step(host), _REL, [self._step(guest) for guest in among], "ambiguous")
            for guest in among:
                hosts[guest].pop(host, None)
        for guest, named_by in hosts.items():
            if named_by:
                self._put(guest, list(named_by), joint)

    def _put(self, guest: int, hosts: list[int], joint: Joint) -> None:
        """A guest that one host names for sure joins it; else it stays, and lends what it says. What was done stays a
        case of its own beside a request that led to nothing."""
        kept = [(host, made) for host in hosts if (made := self._judged(guest, host, joint)) is not None]
        if joint.method != "native_ref" and len({self._work.anchor(host).target for host, _ in kept}) > 1:
            kept = [(host, Joint(made.method, _INFERRED, f"{made.rule}:key-reused")) for host, made in kept]
        if len(kept) == 1 and kept[0][1].tier >= _PROVED and (self._done[kept[0][0]] or not self._done[guest]):
            host, made = kept[0]
            self._work.absorb(guest, host, made)
        else:
            for host, made in kept:
                self._work.lend(guest, host, made)

    def _judged(self, guest: int, host: int, joint: Joint) -> Joint | None:
        """The evidence of one link, or none: a ticket is nothing where the targets differ or cannot be compared, and
        worth less where it was opened again, or had ended before the change."""
        if joint.method == "native_ref":
            return joint
        agreed = self._agree(guest, host)
        if not agreed:
            self._work.doubt(self._step(host), _REL, [self._step(guest)], "ambiguous" if agreed is None
                             else "target_differs")
            return None
        unsafe = unsafe_for(self._work.held(guest), self._step(host))
        if unsafe is None:
            return joint
        self._work.doubt(self._step(host), _REL, [self._step(guest)], "key_unsafe")
        return Joint(joint.method, _INFERRED, f"{joint.rule}:{unsafe}")

    def _agree(self, guest: int, host: int) -> bool | None:
        """Whether a ticket is about what the host changes; None where either does not say, or it is not declared."""
        target = self._work.anchor(host).target
        items = {step.target for step in self._work.held(guest) if step.target is not None}
        if target is None or not items:
            return None
        if target in items:
            return True
        meant = [self._places.stands_for(item) for item in items]
        if not all(meant):
            return None
        names = names_of(target)
        return all(names & one for one in meant)

    def _step(self, number: int) -> Step:
        return self._work.anchor(number)


def _merged(one: Mapping[Key, Sequence[int]], other: Mapping[Key, Sequence[int]]) -> dict[Key, list[int]]:
    return {key: list(dict.fromkeys((*one.get(key, ()), *other.get(key, ())))) for key in {**one, **other}}


def _quoted(step: Step) -> Iterable[str]:
    """Ticket numbers in texts, and in tags that whoever acted chose."""
    chosen = (key.partition(":")[2] for key in step.stated[:_READ] if key.startswith(f"{TAG}:"))
    return [f"{TICKET}:{_number(key)}" for key in (*step.quoted[:_READ], *chosen)]


def _own_written(step: Step) -> Iterable[str]:
    kind = _NAMED.get(step.key_kind or "")
    return (f"{kind}:{step.key}",) if kind is not None and kind != TICKET and step.key else ()


def _own_ticket(step: Step) -> Iterable[str]:
    return (f"{TICKET}:{_number(step.key)}",) if step.key and _NAMED.get(step.key_kind or "") == TICKET else ()


def _number(key: str) -> str:
    return key.strip().upper()


def unsafe_for(ticket: Sequence[Step], change: Step) -> str | None:
    """Why a ticket does not stand for a change: it went on after it was closed, or the change came after its end.

    A vote that comes late is no reopening.
    """
    closed = [step.time for step in ticket if step.kind == "outcome" and _closes(step)]
    if not closed:
        return None
    if any(step.time > min(closed) and step.kind in ("request", "action") for step in ticket):
        return "reopened"
    return "after-its-end" if change.time - max(closed) > SKEW_BETWEEN else None


def _closes(step: Step) -> bool:
    return "clos" in step.operation.casefold() or "resolv" in step.operation.casefold()
