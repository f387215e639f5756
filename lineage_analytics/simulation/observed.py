"""What a reader of all records could know at best, noted while the days are told: counts, last uses, who was seen.

Only sums are kept, so that the truth of a large organisation is told in little memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from lineage_analytics.simulation.activity import signing_key
from lineage_analytics.simulation.model import END, Account, Agent, Person

if TYPE_CHECKING:
    from lineage_analytics.simulation.model import AwsEvent, Deed, EntraEvent, Happened, Interaction, World

WINDOW, LOOKBACK = timedelta(days=30), timedelta(days=90)
SINCE = END - WINDOW
Answer = bool | None


@dataclass
class Seen:
    """Somebody who acted in the window."""

    kind: str
    listed: bool | None
    events: int = 0


@dataclass
class Copilot:
    """Sums over the interactions of the window, three-valued."""

    labelled: Counter[Answer] = field(default_factory=Counter)
    threaded: Counter[Answer] = field(default_factory=Counter)
    blocked: Counter[Answer] = field(default_factory=Counter)
    jailbreak: Counter[Answer] = field(default_factory=Counter)
    crossed: Counter[Answer] = field(default_factory=Counter)


class Observed:
    """Notes day after day; ``records`` counts distinct records by source, ``daily`` those of each day."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.actors: dict[str, Seen] = {}
        self.successes: dict[str, set[str]] = defaultdict(set)
        """Actions a principal did with success in the look-back, by native id, in lower case."""
        self.cluster_calls: set[tuple[str, tuple[str, str, str], bool]] = set()
        """Of the look-back in the cluster: who, what as verb, API group and resource with its part, with success."""
        self.project_calls: set[tuple[str, str, bool]] = set()
        """Of the look-back on Google Cloud: who, the method, with success."""
        self.last_use: dict[str, datetime] = {}
        self.daily: dict[str, Counter[date]] = defaultdict(Counter)
        self.copilot = Copilot()
        self._keys = {key.key_id: key for who in world.principals for key in who.keys}
        self._told_until = END - timedelta(hours=4)

    @property
    def records(self) -> dict[str, int]:
        return {source: sum(days.values()) for source, days in self.daily.items()}

    def day(self, happened: Happened) -> None:
        """Note everything of a day."""
        for event in happened.aws:
            self.aws(event)
        for file_event in happened.files:
            self._saw_person("m365_audit", file_event.person, file_event.time)
        for asked in happened.asked:
            if asked.audited:
                self._saw_person("m365_audit", asked.person, asked.time)
            self._question(asked)
        for change in happened.entra:
            self._change(change)
        for source, deeds in happened.deeds.items():
            for deed in deeds:
                self._deed(source, deed)

    def aws(self, event: AwsEvent) -> None:
        """Note one CloudTrail record."""
        self.daily["aws_cloudtrail"][event.time.date()] += 1
        who = event.principal
        if event.action == "q:SendMessage":
            self._bare_assistant(event.time)
        if who is None:
            return
        if not who.excluded:
            self._saw(who.native_id, who.kind, event.time, listed=who.inventoried)
        self.last_use[who.native_id] = max(self.last_use.get(who.native_id, event.time), event.time)
        if not event.error and event.time > END - LOOKBACK:
            self.successes[who.native_id].add(event.action.lower())
        if event.time <= self._told_until:
            self._note_last_use(event)

    def _bare_assistant(self, time: datetime, found: int = 0) -> None:
        """A use of an assistant whose record has no flags, and no list of resources that also names its host, such as
        Amazon Q's. ``found``: resources it names, with neither label nor what policy said of them."""
        if time > SINCE:
            self.copilot.labelled[False] += found
            self.copilot.blocked[None] += found
            self.copilot.threaded[False] += 1
            self.copilot.jailbreak[None] += 1
            self.copilot.crossed[None] += 1

    def _note_last_use(self, event: AwsEvent) -> None:
        """What the inventory will state as last use, taken a few hours before the end: of keys, and of some roles."""
        who = event.principal
        if who is None:
            return
        if event.name == "ConsoleLogin" and who.password is not None:
            who.password.last_used = max(who.password.last_used or event.time, event.time)
        key = self._keys.get(signing_key(event))
        if key is not None:
            key.last_used = max(key.last_used or event.time, event.time)
        if who.is_role and who.is_nhi:
            who.stated_use = max(who.stated_use or event.time, event.time)

    def finish(self) -> None:
        """After the last day: the inventory was taken a few hours before the end, and knows nothing later."""
        for who in self._world.principals:
            if who.stated_use is not None:
                who.stated_use = min(who.stated_use, self._told_until)
                if who.keys:
                    key = who.keys[-1]
                    key.last_used = max(key.last_used or who.stated_use, who.stated_use)

    def _saw(self, key: str, kind: str, time: datetime, *, listed: bool | None) -> None:
        if SINCE < time <= END:
            self.actors.setdefault(key, Seen(kind, listed)).events += 1

    def _saw_person(self, source: str, person: Person, time: datetime, *, admin: bool = False) -> None:
        self.daily[source][time.date()] += 1
        self._saw(person.admin_login if admin else person.login, "human", time, listed=person.declared)

    def _question(self, asked: Interaction) -> None:
        if asked.time <= SINCE:
            return
        sums = self.copilot
        sums.threaded[bool(asked.thread) and asked.accessed is not None] += 1
        sums.jailbreak[asked.jailbreak] += 1
        flags = [a.xpia for a in asked.accessed or () if a.xpia is not None]
        sums.crossed[any(flags) if flags else None] += 1
        for access in asked.accessed or ():
            sums.labelled[bool(access.file.label)] += 1
            sums.blocked[{"blocked": True, "deferred": None}.get(access.outcome, False)] += 1

    def _change(self, change: EntraEvent) -> None:
        if change.actor.person is not None:
            self._saw_person("entra_audit", change.actor.person, change.time, admin=change.actor.admin)
            return
        self.daily["entra_audit"][change.time.date()] += 1
        if change.actor.agent is not None:
            self._saw_agent(change.actor.agent, change.time)

    def _saw_agent(self, agent: Agent, time: datetime) -> None:
        self._saw(agent.object_id, "ai_agent", time, listed=True)
        self.last_use[agent.object_id] = max(self.last_use.get(agent.object_id, time), time)

    def _deed(self, source: str, deed: Deed) -> None:
        who = deed.who
        if deed.details.get("bare_assistant"):
            self._bare_assistant(deed.time, deed.details.get("found", 0))
        if isinstance(who, Person):
            self._saw_person(source, who, deed.time, admin=deed.admin)
            return
        self.daily[source][deed.time.date()] += 1
        if isinstance(who, Account):
            if not who.excluded:
                self._saw(who.ref, who.kind, deed.time, listed=who.listed)
            self.last_use[who.ref] = max(self.last_use.get(who.ref, deed.time), deed.time)
            if source == "k8s_audit" and END - LOOKBACK < deed.time <= END:
                said = deed.details
                over = "/".join(part for part in (said["resource"], said["sub"]) if part)
                call = (deed.action, said["group"] or "core", over)
                self.cluster_calls.add((who.ref, call, deed.outcome == "success"))
            elif source == "gcp_audit" and END - LOOKBACK < deed.time <= END:
                self.project_calls.add((who.ref, deed.action, deed.outcome == "success"))
        elif isinstance(who, Agent):
            self._saw_agent(who, deed.time)
        elif who is not None and not who.excluded:
            self._saw(who.native_id, who.kind, deed.time, listed=who.inventoried)
