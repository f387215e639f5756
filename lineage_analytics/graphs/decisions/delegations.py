"""Who acted on behalf of whom: chains of delegations, who began them, and what in them is not as it must be
(decision-lineage 7).

Authority is lent link by link: a person signs in, takes on a role, an agent acts with it, starts another agent. Each
link is a record of its own, and names the one it was made from. A step is tied to its delegation where its own record
states it, or by the session it was taken in. Two records that name different parents of one delegation give it none: a
chain ends where it cannot be told on. Chains are followed once for all, without recursion.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lineage_analytics.graphs.decisions.places import names_of, spelled
from lineage_analytics.graphs.decisions.steps import AI, SKEW_BETWEEN, SKEW_INSIDE, Person

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.places import Places
    from lineage_analytics.graphs.decisions.steps import Step

Row = dict[str, Any]
Key = tuple["str | None", str]
"""Organisation and uid: no chain leads out of an organisation."""
_Said = tuple[str, str, "str | None", "Sequence[str]"]  # finding, reading, whom it is about, records

DEEPEST = 32
"""Links of a chain that are looked at one by one, nearest first. More is a finding of its own."""
_SHOWN = 20
_SESSION = "session:"
_TALKS = ("session:", "trace:")
_DRAWN = frozenset({"token", "spawned", "stated"})
"""Kinds whose scopes are drawn from those of the parent. A role that is taken on has rights of its own."""
_COLUMNS = ("uid", "kind", "time", "issuer", "principal_id", "delegate_id", "origin_id", "trust", "scopes", "audience",
            "created_at", "expires_at", "parent_uid", "step_id", "record_id", "tenant", "source")


@dataclass
class Delegation:
    """One delegation, all its records together. What two of them state differently is not known, and in ``torn``."""

    key: Key
    kind: str
    principal: str | None = None
    delegate: str | None = None
    issuer: str | None = None
    origin: str | None = None
    trust: str | None = None
    scopes: tuple[str, ...] | None = None
    audience: tuple[str, ...] | None = None
    created: datetime | None = None
    expires: datetime | None = None
    parent: str | None = None
    sources: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    torn: frozenset[str] = frozenset()
    steps: tuple[str, ...] = field(default=())

    @property
    def uid(self) -> str:
        return self.key[1]


class Chain(NamedTuple):
    """The delegations of a step, the one it used first. ``depth``: how many there are, None where they go in a circle;
    ``links`` holds at most ``DEEPEST`` of them. ``end``: ``root`` the last was made from none, ``open`` it was made
    from one that is not on record, ``torn`` its records name different ones, ``cycle`` they lead back to themselves.
    ``root``: for whom the last link acts, where the chain has an end."""

    links: tuple[Delegation, ...]
    depth: int | None
    end: str
    root: Delegation | None

    @property
    def began(self) -> str | None:
        """Who stands at the beginning, as records say; None where it is not on record."""
        return self.root.principal if self.root is not None and self.end == "root" else None

    @property
    def records(self) -> list[str]:
        return sorted({record for link in self.links for record in link.records})


class Root(NamedTuple):
    """The person at the beginning of a chain, and the records that show the way there."""

    id: str
    records: list[str]


class _Way(NamedTuple):
    """Where the chain of a delegation leads: how deep, how it ends, its last link, and what those above it allow."""

    depth: int | None
    end: str
    last: Key
    scopes: tuple[str, ...] | None
    expires: datetime | None


class Delegations:
    """All delegations that steps used, and those they were made from."""

    def __init__(self, facts: Facts, steps: Sequence[Step], known: Mapping[str, Person], places: Places) -> None:
        self._known, self._places = known, places
        self._held = _merged(_read(facts, steps), places)
        self._by_step = {step: key for key, held in self._held.items() for step in held.steps}
        self._ways = _ways(self._held)
        self._switched = _switches(steps)
        self._chains: dict[Key, Chain] = {}
        self._faults: dict[Key, list[_Said]] = {}

    # --- asked by others ---------------------------------------------------------------------------------------------

    def chain(self, step: Step) -> Chain | None:
        """The chain behind a step; None where no record tells of a delegation."""
        key = self._used(step)
        if key is None:
            return None
        if key not in self._chains:
            self._chains[key] = self._chain(key)
        return self._chains[key]

    def root_human(self, step: Step) -> Root | None:
        """The person at the beginning of the chain behind a step; None where there is none, or it is not on record.
        ``records`` are those of the links that a chain shows, and of its last."""
        chain = self.chain(step)
        began = chain.began if chain is not None else None
        if chain is None or chain.root is None or began is None or self._known.get(began, Person()).kind != "human":
            return None
        return Root(began, sorted({*chain.records, *chain.root.records}))

    def findings(self, cases: Iterable[Case]) -> list[Row]:
        """Rows of DECISION_FINDINGS: what of section 7.2 does not hold for the delegations that a case's steps used."""
        if not self._held and not self._switched:
            return []
        return [row for case in cases for row in self._of_case(case)]

    # --- findings ----------------------------------------------------------------------------------------------------

    def _of_case(self, case: Case) -> Iterator[Row]:
        told: dict[tuple[str, str, str | None], tuple[list[Step], set[str]]] = {}
        for step in case.steps:
            for finding, reading, agent, records in self._of_step(step):
                steps, shown = told.setdefault((finding, reading, agent), ([], set()))
                steps.append(step)
                shown.update(records)
        for (finding, reading, agent), (steps, shown) in told.items():
            cited = steps[:_SHOWN]
            yield {"case_id": case.id, "finding": finding, "reading": reading, "agent_id": agent,
                   "step_ids": [step.id for step in cited],
                   "record_ids": sorted({*shown, *(record for step in cited for record in step.records)})}

    def _of_step(self, step: Step) -> Iterator[_Said]:
        if (switch := self._switched.get(step.id)) is not None:
            yield switch
        chain = self.chain(step)
        if chain is None:
            return
        used = chain.links[0]
        if (when := _out_of_time(step, used)) is not None:
            yield "delegation_out_of_time", when, used.delegate, used.records
        if _elsewhere(step, used):
            said = ", ".join((used.audience or ())[:3])
            yield ("delegation_wrong_audience", f"it was issued for use at {said}, and was used at {step.target}",
                   used.delegate, used.records)
        if chain.end == "cycle":
            yield ("delegation_cycle", "the delegations behind it lead back to themselves: who began them cannot be "
                   "told", None, chain.records)
        if chain.depth is not None and chain.depth > DEEPEST:
            yield ("delegation_too_deep", f"{chain.depth:,} delegations stand behind it, of which the nearest "
                   f"{DEEPEST} were looked at one by one", None, chain.records)
        for link in chain.links:
            yield from self._faults_of(link)

    def _faults_of(self, link: Delegation) -> list[_Said]:
        """``_of_link``, found once for all steps of a chain."""
        if link.key not in self._faults:
            self._faults[link.key] = list(self._of_link(link))
        return self._faults[link.key]

    def _of_link(self, link: Delegation) -> Iterator[_Said]:
        """What is not as it must be between a delegation and those it was made from."""
        if link.principal is not None and link.principal == link.delegate:
            yield "delegation_to_itself", "an account lent its authority to itself", link.delegate, link.records
        above = self._parent(link.key)
        if above is None or self._ways[link.key].end == "cycle":
            return
        bounds, records = self._ways[above], sorted({*link.records, *self._held[above].records})
        wider = _wider(link.scopes, bounds.scopes) if link.kind in _DRAWN else []
        if wider:
            yield ("scope_amplification", f"it allows what the delegation it was made from does not: "
                   f"{', '.join(wider[:3])}{' ...' if wider[3:] else ''}", link.delegate, records)
        if link.expires is not None and bounds.expires is not None and link.expires > bounds.expires:
            yield ("delegation_outlives_parent", f"it ends {link.expires:%Y-%m-%d %H:%M:%S}Z, the one it was made from "
                   f"{bounds.expires:%Y-%m-%d %H:%M:%S}Z", link.delegate, records)

    # --- the graph ---------------------------------------------------------------------------------------------------

    def _chain(self, key: Key) -> Chain:
        way, links = self._ways[key], list[Delegation]()
        seen: set[Key] = set()
        at: Key | None = key
        while at is not None and at not in seen and len(links) < DEEPEST:
            seen.add(at)
            links.append(self._held[at])
            at = self._parent(at)
        return Chain(tuple(links), way.depth, way.end, None if way.end == "cycle" else self._held[way.last])

    def _used(self, step: Step) -> Key | None:
        """The delegation a step used; None where its sessions name several."""
        if (own := self._by_step.get(step.id)) is not None:
            return own
        if not self._held:
            return None
        organisation = self._places.organisation(step.tenant)
        named = {key for one in step.stated if one.startswith(_SESSION)
                 if (key := (organisation, one.removeprefix(_SESSION))) in self._held}
        return named.pop() if len(named) == 1 else None

    def _parent(self, key: Key) -> Key | None:
        parent = self._held[key].parent
        above = (key[0], parent) if parent is not None else None
        return above if above in self._held else None


def _switches(steps: Sequence[Step]) -> dict[str, _Said]:
    """Steps of one agent in one conversation that were taken with different authority."""
    talks: dict[tuple[str | None, str, str], dict[str, list[Step]]] = defaultdict(lambda: defaultdict(list))
    for step in steps:
        agent = step.assistant or (step.actor if step.agent_class in AI else None)
        if agent is None or step.authority == "unknown":
            continue
        for key in step.stated:
            if key.startswith(_TALKS):
                talks[step.tenant, key, agent][step.authority].append(step)
    found: dict[str, _Said] = {}
    for (_, _, agent), modes in talks.items():
        if len(modes) < 2:
            continue
        words = " and ".join(mode.replace("_", " ") for mode in sorted(modes))
        records = sorted({record for those in modes.values() for step in those[:_SHOWN] for record in step.records})
        reading = f"in one conversation the agent acted with different authority: {words}"
        said: _Said = ("authority_switch", reading, agent, records)
        found.update({step.id: said for those in modes.values() for step in those})
    return found


def _read(facts: Facts, steps: Sequence[Step]) -> pl.DataFrame:
    """The delegations that steps used and those above them. Most sessions of a cloud change no access: of those only
    two columns are read."""
    told = facts["delegations"].filter(pl.col("time").is_null() | (pl.col("time") <= facts.as_of))
    above: dict[str, set[str]] = defaultdict(set)
    made = told.filter(pl.col("parent_uid").is_not_null()).select("uid", "parent_uid").collect()
    for uid, parent in made.iter_rows():
        above[uid].add(parent)
    own = told.filter(pl.col("step_id").is_not_null()).select("uid").collect()["uid"]
    todo = [key.removeprefix(_SESSION) for step in steps for key in step.stated if key.startswith(_SESSION)]
    todo += own.to_list()
    wanted = set[str]()
    while todo:
        uid = todo.pop()
        if uid not in wanted:
            wanted.add(uid)
            todo.extend(above.get(uid, ()))
    if not wanted:
        return told.head(0).select(_COLUMNS).collect()
    return told.filter(pl.col("uid").is_in(sorted(wanted))).select(_COLUMNS).collect()


def _merged(frame: pl.DataFrame, places: Places) -> dict[Key, Delegation]:
    """Delegations by organisation and uid, in that order."""
    rows: dict[Key, list[Row]] = defaultdict(list)
    for row in frame.iter_rows(named=True):
        rows[places.organisation(row["tenant"]), row["uid"]].append(row)
    return {key: _one(key, rows[key]) for key in sorted(rows, key=repr)}


def _one(key: Key, rows: Sequence[Row]) -> Delegation:
    """Records of one delegation: what one leaves out another may state; what they state differently is not known."""
    torn = set[str]()

    def agreed(column: str) -> Any:
        values = {tuple(sorted(held)) if isinstance(held, list) else held for row in rows
                  if (held := row[column]) is not None}
        if len(values) > 1:
            torn.add(column)
        return next(iter(values)) if len(values) == 1 else None

    return Delegation(
        key, agreed("kind") or "stated", agreed("principal_id"), agreed("delegate_id"), agreed("issuer"),
        agreed("origin_id"), agreed("trust"), agreed("scopes"), agreed("audience"), agreed("created_at"),
        agreed("expires_at"), agreed("parent_uid"), tuple(sorted({row["source"] for row in rows})),
        tuple(sorted({row["record_id"] for row in rows})), frozenset(torn),
        tuple(sorted({row["step_id"] for row in rows if row["step_id"] is not None})))


def _ways(held: Mapping[Key, Delegation]) -> dict[Key, _Way]:
    """Where each chain leads, each delegation once."""
    found: dict[Key, _Way] = {}
    for start in held:
        path: list[Key] = []
        place: dict[Key, int] = {}
        at: Key | None = start
        while at is not None and at not in found and at not in place:
            place[at] = len(path)
            path.append(at)
            parent = held[at].parent
            at = (at[0], parent) if parent is not None and (at[0], parent) in held else None
        if at is not None and at in place:  # a circle
            for key in path[place[at]:]:
                found[key] = _Way(None, "cycle", key, None, None)
            path = path[:place[at]]
        for key in reversed(path):
            link = held[key]
            above = found.get((key[0], link.parent)) if link.parent is not None else None
            found[key] = _below(key, link, above)
    return found


def _below(key: Key, link: Delegation, above: _Way | None) -> _Way:
    if above is None:
        end = "torn" if "parent_uid" in link.torn else "root" if link.parent is None else "open"
        return _Way(1, end, key, link.scopes, link.expires)
    scopes = link.scopes if link.scopes is not None or link.kind not in _DRAWN else above.scopes
    return _Way(None if above.depth is None else above.depth + 1, above.end, above.last, scopes,
                link.expires if link.expires is not None else above.expires)


def _wider(scopes: Sequence[str] | None, bounds: Sequence[str] | None) -> list[str]:
    """Scopes that no scope above covers; none where either is not stated. A star above covers what it matches."""
    if scopes is None or bounds is None:
        return []
    patterns = [bound.casefold() for bound in bounds]
    plain, starred = set(patterns), [one.replace("[", "[[]") for one in patterns if "*" in one]
    return [scope for scope in scopes if scope.casefold() not in plain
            and not any(fnmatchcase(scope.casefold(), one) for one in starred)]


def _out_of_time(step: Step, used: Delegation) -> str | None:
    """In words, where a step lies outside the validity of the delegation it used, further than clocks may differ."""
    band = SKEW_INSIDE if step.source in used.sources else SKEW_BETWEEN
    if used.created is not None and used.created - step.time > band:
        return f"it was used before it was issued at {used.created:%Y-%m-%d %H:%M:%S}Z"
    if used.expires is not None and step.time - used.expires > band:
        return f"it was used after it had ended at {used.expires:%Y-%m-%d %H:%M:%S}Z"
    return None


def _elsewhere(step: Step, used: Delegation) -> bool:
    """Whether a delegation was used on something else than it was issued for. Only audiences that are written as the
    target is, as an id with its provider or an ARN, can be compared; a name or an address of a service says nothing."""
    if not used.audience or step.target is None:
        return False
    meant = [one for one in used.audience if one.startswith(("arn:", f"{step.provider}:"))]
    if len(meant) != len(used.audience):
        return False
    named = names_of(step.target)
    return not any(spelled(one) in named or _within(step.target, one) for one in meant)


def _within(target: str, audience: str) -> bool:
    """Whether the target lies in what the audience names: a tenant, or a thing with parameters."""
    return target == audience or target.startswith((f"{audience.rstrip(':')}:", f"{audience}|", f"{audience}/"))


