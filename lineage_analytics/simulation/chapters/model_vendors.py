"""Two vendors of models: who talks to Claude, who runs programs on the API of OpenAI, and whose keys those are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Account, Decision, Deed, Key, Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Person, World

ANTHROPIC, OPENAI = "anthropic_compliance", "openai_audit"
_MIDNIGHT = END.replace(hour=0, minute=0, second=0)
_MOST = 40


@dataclass
class Claude:
    """The organisation at Anthropic. ``directory`` keeps its members in step with the directory."""

    organisation: str
    people: list[Account]
    admin: Account
    directory: Account
    reader: Account
    projects: list[str] = field(default_factory=list)


@dataclass
class Platform:
    """The organisation at OpenAI, which its records do not name. ``script`` is the key of a script."""

    organisation: str
    people: list[Account]
    owner: Account
    batch: Account
    script: Account


def begin(world: World, dice: Dice) -> None:
    """Accounts and keys at both vendors; what was given to whom."""
    staff = [p for p in world.persons if p.left_on is None and p.declared and not p.admin_id]
    admins = [p for p in world.persons if p.admin_id]
    claude = _claude(dice, dice.some(staff, min(max(len(staff) // 5, 4), _MOST)), admins[0])
    platform = _platform(dice, dice.some(staff, min(max(len(staff) // 12, 3), _MOST)), admins[1])
    world.cast["model_vendors"] = claude, platform
    world.accounts += [*claude.people, claude.admin, claude.directory, claude.reader,
                       *platform.people, platform.owner, platform.batch, platform.script]
    _claude_story(_Changes(world, dice, ANTHROPIC, "anthropic"), world, dice, claude)
    _platform_story(_Changes(world, dice, OPENAI, "openai"), world, dice, platform)


def _claude(dice: Dice, staff: list[Person], admin: Person) -> Claude:
    organisation = "org_01synthetic" + dice.base32(9)

    def account(prefix: str, name: str, kind: str, person: Person | None = None) -> Account:
        return Account("anthropic", organisation, prefix + dice.base32(18), name, kind, person=person, logged=True)

    return Claude(
        organisation, [account("user_01", p.login, "human", p) for p in staff],
        account("user_01", admin.login, "human", admin),
        Account("anthropic", organisation, "scim_directory_sync", "directory", "app"),
        account("apikey_01", "compliance reader (synthetic)", "api_key"),
        ["claude_proj_01" + dice.base32(12) for _ in range(6)])


def _platform(dice: Dice, staff: list[Person], owner: Person) -> Platform:
    def account(native: str, name: str, kind: str, person: Person | None = None) -> Account:
        return Account("openai", "", native, name, kind, person=person, logged=True)

    def user(person: Person) -> Account:
        return account("user-" + dice.base32(24), person.login, "human", person)

    return Platform(
        "org-synthetic" + dice.base32(11), [user(p) for p in staff], user(owner),
        account("svc_acct_" + dice.base32(16), "nightly batch (synthetic)", "service_account"),
        account("key_" + dice.base32(16), "script (synthetic)", "api_key"))


def day(world: World, day: datetime, dice: Dice) -> Iterator[Deed]:
    """Chats and files of people at work; sign-ins to the platform; what the reader's key looks at."""
    claude, platform = world.cast["model_vendors"]
    for who in claude.people if day.weekday() < 5 else ():
        if dice.chance(0.16):
            kind, about = dice.weighted((
                (("claude_chat_created", "claude_chat_id"), 6.0), (("claude_file_uploaded", "claude_file_id"), 2.0),
                (("claude_artifact_created", "claude_artifact_id"), 1.0)))
            yield _deed(dice, ANTHROPIC, dice.moment(day, 7, 17), who, kind, **{
                about: about.removesuffix("_id") + "_01" + dice.base32(12)})
    if any(key.created is not None and key.created < day for key in claude.reader.keys):
        yield _deed(dice, ANTHROPIC, dice.moment(day, 3, 4), claude.reader, "claude_chat_viewed",
                    claude_chat_id="claude_chat_01" + dice.base32(12))
    for who in platform.people if day.weekday() < 5 else ():
        if dice.chance(0.15):
            failed = dice.chance(0.05)
            yield _deed(dice, OPENAI, dice.moment(day, 7, 16), who, "login.failed" if failed else "login.succeeded",
                        "failure" if failed else "success",
                        **({"error_code": "invalid_credentials", "error_message": "synthetic"} if failed else {}))


def _deed(dice: Dice, source: str, time: datetime, who: Account, action: str, outcome: str = "success",
          **details: Any) -> Deed:
    prefix = "activity_01" if source == ANTHROPIC else "audit_log-"
    return Deed(time, source, prefix + dice.base32(16), who, action, outcome, details)


class _Changes:
    """Changes of access at one vendor, each a decision that no record shows to be approved or to have a way back."""

    def __init__(self, world: World, dice: Dice, source: str, provider: str) -> None:
        self._world, self._dice, self._source, self._provider = world, dice, source, provider

    def at(self, back: int, first: float = 8, last: float = 16) -> datetime:
        return self._dice.moment(_MIDNIGHT - timedelta(days=back), first, last)

    def told(self, *backs: int) -> list[int]:
        return [back for back in backs if back < self._world.days]

    def record(self, time: datetime, who: Account, action: str, /, **details: Any) -> Deed:
        deed = _deed(self._dice, self._source, time, who, action, **details)
        self._world.deeds.append(deed)
        return deed

    def make(self, time: datetime, who: Account, action: str, /, **details: Any) -> Deed:
        """Who set software off is on no record."""
        deed = self.record(time, who, action, **details)
        self._world.decisions.append(Decision(
            deed.event_id, deed.time, deed.action, "none", initiator="proved" if who.kind == "human" else "unknown",
            approver="unknown", rollback="unknown", provider=self._provider))
        return deed


def _claude_story(changes: _Changes, world: World, dice: Dice, cast: Claude) -> None:
    """Projects are shared; members come with the directory; a key that may read every chat, and a connector."""
    for back in changes.told(96, 75, 58, 43, 28, 21, 14, 6, 2):
        project = dice.pick(cast.projects)
        changes.make(changes.at(back), dice.pick(cast.people), "role_assignment_granted",
                     target_id=dice.pick(cast.people).native_id, target_type="organization_member",
                     role="chat_project:editor", resource_type="chat_project", resource_id=project)
    for back in changes.told(52, 17, 4):
        changes.make(changes.at(back, 1, 2), cast.directory, "org_user_added",
                     user_id=dice.pick(cast.people).native_id)
    born = min(world.days - 1, 95)
    made = changes.make(changes.at(born, 0, 0.1), cast.admin, "api_key_created", api_key_id=cast.reader.native_id)
    cast.reader.keys.append(Key(cast.reader.native_id, "key", made.time))
    lost = "apikey_01" + dice.base32(18)
    born_lost = changes.make(changes.at(16), cast.people[0], "api_key_created", api_key_id=lost)
    gone = changes.make(changes.at(15), cast.admin, "api_key_deleted", api_key_id=lost)
    world.undo(born_lost.event_id, gone.event_id, provable=False)
    shared = changes.make(changes.at(10, 18, 20), cast.people[1], "claude_project_sharing_updated",
                          claude_project_id=cast.projects[0], audience=["organization"])
    added = changes.make(changes.at(10, 20, 21), cast.people[1], "mcp_server_added", mcp_server_id="mcp_01synthetic")
    world.accounts.append(Account("anthropic", cast.organisation, lost, "lost key", "api_key"))
    world.stories += [
        Story("key_that_reads_every_chat", f"A key that {cast.admin.name} made reads chats of people every night.",
              [made.event_id, cast.reader.native_id], "The key is listed with its maker, its age and what it read.",
              ["VIS-08"]),
        Story("key_lost_and_deleted", "A key was made and deleted a day later.", [lost, gone.event_id],
              "It counts among no keys in use.", ["VIS-07"]),
        Story("project_opened_to_all", f"{cast.people[1].name} opened a project to the whole organisation, and an hour "
              "later put a connector in.", [shared.event_id, added.event_id, cast.projects[0]],
              "Both changes are listed; no approval is on record.", ["LIN-05"])]


def _platform_story(changes: _Changes, world: World, dice: Dice, cast: Platform) -> None:
    """A service account with a key; a key for a script that one night makes a stranger an owner."""
    project = "proj_synthetic" + dice.base32(8)
    shared = {"project": project}
    for back in changes.told(88, 62, 35, 23):
        changes.make(changes.at(back), cast.owner, "role.assignment.created", detail=_role(
            "reader", cast.organisation, dice.pick(cast.people).native_id), **shared)
    changes.make(changes.at(min(world.days - 1, 40), 9, 10), cast.owner, "service_account.created",
                 detail={"id": cast.batch.native_id, "data": {"role": "member"}}, **shared)
    for back in changes.told(38, 29, 20, 11, 3):
        changes.make(changes.at(back, 2, 3), cast.batch, "rate_limit.updated", detail={
            "id": f"rl-synthetic-{back}", "changes_requested": {"max_requests_per_1_minute": 100 * back}}, **shared)
    made = changes.make(changes.at(27), cast.people[0], "api_key.created", detail={
        "id": cast.script.native_id, "data": {"scopes": ["api.model.request", "api.management.write"]}}, **shared)
    cast.script.keys.append(Key(cast.script.native_id, "key", made.time))
    stranger = "user-" + dice.base32(24)
    night = changes.at(8, 1, 3)
    came = changes.make(night, cast.script, "user.added", detail={"id": stranger, "data": {"role": "reader"}})
    ruled = changes.make(night + timedelta(minutes=6), cast.script, "role.assignment.created",
                         detail=_role("owner", cast.organisation, stranger))
    sent = changes.make(changes.at(8, 9, 11), cast.owner, "user.deleted", detail={"id": stranger})
    world.undo(came.event_id, sent.event_id)
    world.accounts.append(Account("openai", "", stranger, "stranger", "human"))
    world.stories.append(Story(
        "script_key_makes_an_owner", "By night the key of a script added a user whom nobody knows and made it an owner "
        "of the organisation; the user was deleted in the morning, the key was not.",
        [made.event_id, cast.script.native_id, came.event_id, ruled.event_id, stranger],
        "The grant belongs to the key, which is still in use; who set it off is unknown.", ["LIN-01", "VIS-02"]))


def _role(role: str, organisation: str, holder: str) -> dict[str, str]:
    return {"id": f"role_assignment_role-api-organization-{role}__api-organization__{organisation}_{holder}",
            "principal_id": holder, "principal_type": "user", "resource_id": organisation,
            "resource_type": "api.organization"}
