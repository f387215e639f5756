"""The made-up organisation as plain data: who is there, what each may do, what each did, how changes were decided.

Truth is read from these objects; the writers only spell them out in the providers' formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

END = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)
"""The newest record, and so the moment a report is about."""

NAME = "Northwind (synthetic)"
DOMAIN = "northwind-synthetic.example"
SITES = "https://northwind-synthetic.sharepoint.example"
AWS_ACCOUNT = "111122223333"
PARTNER_ACCOUNT = "444455556666"
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")


@dataclass(frozen=True)
class Statement:
    """One policy statement. ``not_actions`` replaces ``actions`` when it is not empty."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    effect: str = "Allow"
    not_actions: tuple[str, ...] = ()
    condition: tuple[tuple[str, str, str], ...] = ()
    """Operator, key and value of each condition."""

    def document(self) -> dict[str, Any]:
        body: dict[str, Any] = {"Effect": self.effect}
        body |= {"NotAction": list(self.not_actions)} if self.not_actions else {"Action": list(self.actions)}
        body["Resource"] = list(self.resources) if len(self.resources) > 1 else self.resources[0]
        if self.condition:
            body["Condition"] = {operator: {key: value} for operator, key, value in self.condition}
        return body


@dataclass(frozen=True)
class Policy:
    """A managed policy, or an inline one when ``arn`` is empty. ``readable`` False: its document is not exported."""

    name: str
    statements: tuple[Statement, ...]
    arn: str = ""
    policy_id: str = ""
    created: datetime = END
    readable: bool = True

    def document(self) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [s.document() for s in self.statements]}


@dataclass
class Person:
    """A person with a directory account and mailbox; ``admin_id`` is a second, administrative account."""

    number: int
    name: str
    login: str
    object_id: str
    department: str
    declared: bool = True
    left_on: datetime | None = None
    admin_id: str = ""
    admin_login: str = ""
    diligence: float = 0.0
    """Chance of work on a weekday."""
    copilot: bool = False
    files: tuple[File, ...] = ()
    """Documents it works on, the usual ones first."""
    sid: str = ""
    """The account on premises that the directory synchronises from; empty for those who have none."""

    @property
    def ref(self) -> str:
        return f"P{self.number:04d}"


@dataclass
class Key:
    """An access key or a password."""

    key_id: str
    kind: str
    created: datetime | None
    """None: the credential report does not state it."""
    active: bool = True
    last_used: datetime | None = None
    expires: datetime | None = None
    """End of a certificate, whose age does not matter."""


@dataclass
class Group:
    name: str
    group_id: str
    arn: str
    created: datetime
    policies: list[Policy]


@dataclass
class Principal:
    """An IAM user or role.

    ``kind`` is what a reader of all exports can prove: human service_account workload role unknown;
    ``excluded`` why it counts in no denominator. ``trust`` are the statements of a role's trust policy.
    """

    name: str
    native_id: str
    arn: str
    created: datetime
    kind: str
    path: str = "/"
    is_role: bool = False
    excluded: str = ""
    archetype: str = ""
    policies: list[Policy] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    boundary: Policy | None = None
    trust: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    password: Key | None = None
    in_report: bool = True
    inventoried: bool = True
    person: Person | None = None
    owner_state: str = "false"
    """Has it a valid owner: true, false or unknown (a tag with no confirmation date)."""
    purpose: str = ""
    session: str = ""
    federated: str = ""
    uses: tuple[str, ...] = ()
    rhythm: str = ""
    hour: float = 0.0
    """When its daily work begins, in hours UTC."""
    busy: float = 0.0
    """Calls on a working day, on average."""
    last_day: datetime | None = None
    """Midnight of its last working day; None: it never worked."""
    quiet: bool = False
    """A person's account that has not been seen for more than the look-back."""
    stated_use: datetime | None = None
    """Last use the inventory states: role last used, key last used."""
    account: str = AWS_ACCOUNT
    may_be_assumed_by: list[Principal] = field(default_factory=list)
    environment: str = ""

    @property
    def is_nhi(self) -> bool:
        return self.kind in ("service_account", "workload") and not self.excluded and self.inventoried


@dataclass(frozen=True)
class OwnerRow:
    """A row of ``declared/owners.csv``."""

    identity: str
    owner: str
    confirmed_on: str
    purpose: str


@dataclass
class Agent:
    """A software principal of the directory, such as the AI agent that assigns roles."""

    name: str
    object_id: str
    app_id: str
    logged: bool = False
    """Whether a log of its use reaches back to the first day."""


@dataclass(slots=True)
class AwsEvent:
    """One CloudTrail record."""

    time: datetime
    principal: Principal | None
    """None: an AWS service acted by itself."""
    service: str
    name: str
    event_id: str
    read_only: bool = True
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    error: str = ""
    person: Person | None = None
    """Behind a single sign-on session."""
    via_q: bool = False
    console: bool = False
    request_id: str = ""
    invoked_by: str = ""
    region: str = "eu-west-1"
    on_time: bool = False
    """Delivered with its day, without asking chance, so that a chapter's events leave the others where they are."""

    @property
    def action(self) -> str:
        return f"{self.service}:{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """A document on a site. ``label`` is empty when unlabelled."""

    name: str
    site: str
    label: str
    item_id: str


@dataclass(slots=True)
class FileEvent:
    time: datetime
    person: Person
    operation: str
    file: File
    event_id: str


@dataclass(slots=True)
class Access:
    """One resource an assistant touched. ``outcome``: none audited blocked deferred."""

    file: File
    outcome: str = "none"
    xpia: bool | None = None


@dataclass(slots=True)
class Interaction:
    """One exchange with Microsoft 365 Copilot. ``accessed`` None: the record has no such field."""

    time: datetime
    person: Person
    event_id: str
    host: str
    thread: str
    accessed: list[Access] | None
    context: File | None = None
    jailbreak: bool | None = None
    web: bool | None = None
    apart: dict[str, Any] | None = None
    """What the record states beyond the ordinary, for one that a chapter adds."""
    audited: bool = True
    """Whether the audit export has it; if not, Activity Explorer alone does."""

    @property
    def prompt(self) -> str:
        """The id of the prompt, which every record of the turn states: its time in milliseconds."""
        return str(int(self.time.timestamp()) * 1000 + int(self.event_id[:3], 16) % 1000)


@dataclass(frozen=True)
class Conversation:
    """A thread that mailbox copies show: no resources, no flags, and not which of its messages make a turn."""

    person: Person
    host: str
    thread: str
    turns: tuple[Interaction, ...]


@dataclass
class Account:
    """An account with another provider than AWS and the directory; or one there that people do not use.

    ``listed``: True an inventory or a declaration lists it, False one of its tenant is loaded and does not, None no
    inventory of its tenant is loaded. ``owner_state``, ``keys`` and ``purpose`` as of a Principal.
    """

    provider: str
    tenant: str
    native_id: str
    name: str
    kind: str
    person: Person | None = None
    listed: bool | None = None
    excluded: str = ""
    created: datetime | None = None
    enabled: bool | None = None
    owner_state: str = "false"
    purpose: str = ""
    keys: list[Key] = field(default_factory=list)
    logged: bool = False
    """Whether a log of its use reaches back to the first day."""
    details: dict[str, Any] = field(default_factory=dict)
    """What its writers need besides."""

    @property
    def ref(self) -> str:
        return f"{self.provider}:{self.tenant}:{self.native_id}"

    @property
    def is_nhi(self) -> bool:
        return self.kind not in ("human", "unknown", "group", "role") and not self.excluded and self.listed is True


@dataclass(slots=True)
class Deed:
    """One record of a log that has no type of its own here; ``details`` are spelled out by the source's writer."""

    time: datetime
    source: str
    event_id: str
    who: Account | Person | Principal | Agent | None
    action: str
    outcome: str = "success"
    details: dict[str, Any] = field(default_factory=dict)
    admin: bool = False
    """By a person's administrative account."""


@dataclass
class Happened:
    """What happened on one day, each list in order of time."""

    day: datetime
    aws: list[AwsEvent] = field(default_factory=list)
    files: list[FileEvent] = field(default_factory=list)
    asked: list[Interaction] = field(default_factory=list)
    entra: list[EntraEvent] = field(default_factory=list)
    deeds: dict[str, list[Deed]] = field(default_factory=dict)
    """By source."""

    def add(self, deed: Deed) -> None:
        self.deeds.setdefault(deed.source, []).append(deed)

    def sort(self) -> None:
        lists: list[list[Any]] = [self.aws, self.files, self.asked, self.entra, *self.deeds.values()]
        for events in lists:
            events.sort(key=lambda event: (event.time, event.event_id))


@dataclass
class Actor:
    """Who stands in a directory audit record: a person (with either account), an agent, or the provider."""

    person: Person | None = None
    agent: Agent | None = None
    admin: bool = False
    service: str = ""

    @property
    def object_id(self) -> str:
        if self.person is not None:
            return self.person.admin_id if self.admin else self.person.object_id
        return self.agent.object_id if self.agent else ""


@dataclass
class EntraEvent:
    """One directory audit record; ``details`` are its additional details."""

    time: datetime
    activity: str
    actor: Actor
    event_id: str
    correlation_id: str
    service: str
    category: str
    operation: str
    targets: list[dict[str, Any]]
    details: list[tuple[str, str]]
    reason: str = ""


@dataclass
class Decision:
    """One change of access with what really happened.

    ``involvement``: none, advises, drafts, executes_approved, executes_autonomous, unknown (who or what acted, or
    whether a person decided, is on no record); ``really`` is what it was where the records cannot tell. ``approver``
    (another person approved first), ``rollback``, ``initiator``, ``inputs`` and ``recommendation`` are element states;
    ``approved`` is that of an approval by any person before execution, be it one's own. ``by_policy``: a rule let it
    through beforehand.
    """

    event_id: str
    time: datetime
    operation: str
    involvement: str
    initiator: str
    approver: str
    rollback: str
    provider: str
    executed: bool = True
    approved: str = "unknown"
    approved_by: str = ""
    self_approved: bool | None = False
    """None: somebody of it is mapped to no person, so that one cannot tell."""
    approvals: int = 0
    quoted: bool = False
    retroactive: bool = False
    inputs: str = "unknown"
    recommendation: str = "unknown"
    really: str = ""
    stated_order: str = ""
    """Of approval and change, where it is not what the other answers imply: prior retroactive order_uncertain none."""
    verdict: str = ""
    """On the approval, where it is not what the order implies: denied expired automated_policy order_uncertain."""
    planted_match: str = ""
    """What was done beside what was approved, where it is not the usual: exact different unknown."""
    rolled_back_by: str = ""
    rollback_kind: str = ""
    by_policy: bool = False

    @property
    def order(self) -> str:
        """When the approval came, seen from the change; none: there is none; empty: no record could tell of one."""
        if self.stated_order or self.retroactive or self.by_policy:
            return self.stated_order or ("retroactive" if self.retroactive else "prior")
        return {"proved": "prior", "missing": "none"}.get(self.approved, "")

    @property
    def approval(self) -> str:
        """The verdict that the records allow; empty where nothing was planted to be said."""
        implied = {"retroactive": "retroactive", "prior": "approved_before", "order_uncertain": "order_uncertain"}
        return self.verdict or ("automated_policy" if self.by_policy else implied.get(self.order, ""))

    @property
    def effect_match(self) -> str:
        """What was done beside what was approved; empty where nothing was. Votes on tickets do not say for what."""
        told = self.order in ("prior", "retroactive") and not self.verdict and not self.by_policy
        usual = "unknown" if self.provider in ("servicenow", "jira") else "exact"
        return self.planted_match or (usual if told else "")

    @property
    def accountable(self) -> str:
        """The person who answers for it by having approved it; empty where nobody else than who asked did."""
        return self.approved_by if self.approver == "proved" and self.order == "prior" else ""


@dataclass(frozen=True)
class Link:
    """A true link between two records, and whether the records prove it."""

    source: str
    target: str
    rel: str
    provable: bool


@dataclass(frozen=True)
class Assignment:
    """A role somebody holds in the directory, or ``over`` a part of Azure. ``state``: standing eligible timebound
    activated, or unknown where an inventory does not say; ``until`` None: no end; ``since`` None: from the start."""

    holder: str
    role: str
    state: str
    until: datetime | None = None
    since: datetime | None = None
    over: str = "/"
    software: bool = False
    """Whether it is held by no person."""


@dataclass(frozen=True)
class RoleRequest:
    """A request for a directory role with the audit records that tell it. ``denied`` with no ``answer``: open."""

    request_id: str
    flow: str
    requester: Actor
    person: Person
    admin: bool
    role: tuple[str, str]
    asked: EntraEvent
    answer: EntraEvent | None
    done: EntraEvent | None
    until: datetime | None
    reason: str
    denied: bool
    ticket: str = ""

    @property
    def holder(self) -> str:
        return self.person.admin_id if self.admin else self.person.object_id


@dataclass
class Story:
    """Something planted, and what a good report says of it."""

    name: str
    what: str
    where: list[str]
    says: str
    measures: list[str] = field(default_factory=list)


@dataclass
class World:
    """Everything of one simulation."""

    seed: int
    days: int
    tenant: str
    persons: list[Person] = field(default_factory=list)
    guests: list[Person] = field(default_factory=list)
    principals: list[Principal] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    owners: list[OwnerRow] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    aws: list[AwsEvent] = field(default_factory=list)
    """What is told apart from everyday life, which is made day by day and never held."""
    interactions: list[Interaction] = field(default_factory=list)
    entra: list[EntraEvent] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    tellings: list[tuple[str, str]] = field(default_factory=list)
    """Records of two exports that tell the same act, by their ids: a link to either is a link to it."""
    assignments: list[Assignment] = field(default_factory=list)
    role_requests: list[RoleRequest] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    """Those that an export of mailbox copies holds besides the audit log."""
    stories: list[Story] = field(default_factory=list)
    cast: dict[str, Any] = field(default_factory=dict)
    """Those with a part in a story, by the name of the part."""

    def undo(self, undone: str, undoing: str, *, provable: bool = True) -> None:
        """One record's change really took back another's; provable where the provider documents the pair."""
        self.links.append(Link(undoing, undone, "rolls_back", provable))

    @property
    def start(self) -> datetime:
        """Midnight of the first day."""
        return self.midnights[0]

    @property
    def midnights(self) -> list[datetime]:
        last = END.replace(hour=0, minute=0, second=0)
        return [last - timedelta(days=back) for back in range(self.days - 1, -1, -1)]

    @property
    def silent(self) -> frozenset[datetime]:
        """Days the Microsoft 365 export lacks: nothing of them was delivered."""
        last = END.replace(hour=0, minute=0, second=0)
        return frozenset(last - timedelta(days=back) for back in (18, 19, 20) if self.days > back + 1)
