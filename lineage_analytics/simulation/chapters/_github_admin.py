"""What the owners of a GitHub organisation decide: members, seats, keys, tokens, rules, people from outside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import END, Decision, Deed, Key, Link, Story

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.simulation.chapters._github_cast import Cast
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import Account, World

_HASH = "c3ludGhldGljLXRva2VuLWhhc2g="
"""What a log shows of a token; this is the word synthetic, of no token at all."""


def tell(world: World, dice: Dice, cast: Cast) -> None:
    admin, made = _Admin(world, dice, cast), dict[str, str]()
    for back, (action, details) in zip((64, 50, 33, 29, 24, 17, 13, 8, 3), admin.routine(), strict=False):
        if back < world.days:
            made[action] = admin.change(admin.at(back, 8, 15), dice.pick(cast.owners), action, **details).event_id
    if "team.add_member" in made:
        world.undo(made["team.add_member"], made["team.remove_member"])
    _token(world, admin, cast)
    _deploy_key(world, dice, admin, cast)
    _outsider(world, admin, cast)
    _weaker_rule(admin, cast)


class _Admin:
    """Changes by owners, each a decision of its own that no record shows to be approved."""

    def __init__(self, world: World, dice: Dice, cast: Cast) -> None:
        self._world, self._dice, self._cast = world, dice, cast

    def at(self, back: int, first: float, last: float) -> datetime:
        return self._dice.moment(END.replace(hour=0, minute=0, second=0) - timedelta(days=back), first, last)

    def routine(self) -> list[tuple[str, dict[str, Any]]]:
        """Members of teams and seats for the assistant, as they are given and taken."""
        dice, people = self._dice, self._cast.people
        passing = dice.pick(people)
        team = {"team": "northwind-synthetic/platform", "team_id": 7_310_042}
        return [
            ("team.add_member", {"user": passing, "operation_type": "create", **team}),
            *(("copilot.cfb_seat_assignment_created", {"user": dice.pick(people), "operation_type": "create"})
              for _ in range(5)),
            ("team.remove_member", {"user": passing, "operation_type": "remove", **team}),
            ("copilot.cfb_seat_assignment_created", {"user": dice.pick(people), "operation_type": "create"}),
            ("org.update_member", {"user": dice.pick(people), "operation_type": "modify", "permission": "admin",
                                   "old_permission": "read"}),
        ]

    def record(self, time: datetime, who: Account, action: str, **details: Any) -> Deed:
        deed = Deed(time, "github_audit", self._dice.base32(22), who, action, details=details)
        self._world.deeds.append(deed)
        return deed

    def change(self, time: datetime, who: Account, action: str, **details: Any) -> Deed:
        deed = self.record(time, who, action, **details)
        self.decide(deed)
        return deed

    def decide(self, deed: Deed, approvals: int = 0, *, own: bool | None = False) -> None:
        self._world.decisions.append(Decision(
            deed.event_id, deed.time, deed.action, "none", initiator="proved", approver="unknown", rollback="unknown",
            provider="github", self_approved=own, approvals=approvals))


def _token(world: World, admin: _Admin, cast: Cast) -> None:
    """A token is asked for and given: one record approves it and makes it, so that none came first."""
    holder, owner = cast.people[-1], cast.owners[0]
    token, request = 4_410_027, 880_133
    asked_at = admin.at(22, 9, 10)
    shared: dict[str, Any] = {"user": holder, "user_programmatic_access_id": token,
                              "user_programmatic_access_request_id": request, "repository_selection": "subset"}
    asked = admin.record(asked_at, holder, "personal_access_token.request_created", operation_type="create", **shared)
    given = admin.record(asked_at + timedelta(minutes=95), owner, "personal_access_token.access_granted",
                         operation_type="modify", **shared)
    admin.decide(given, approvals=1, own=None)
    world.decisions[-1].stated_order = "order_uncertain"
    world.links.append(Link(given.event_id, asked.event_id, "requested_by", provable=True))
    holder.keys.append(Key(str(token), "token", None))  # how old it is, no record says
    used = [admin.record(admin.at(back, 1, 4), holder, "git.clone", repo=cast.repositories[0], operation_type="access",
                         programmatic_access_type="Fine-grained personal access token", token_id=token,
                         hashed_token=_HASH, transport_protocol_name="https")
            for back in (20, 14, 9, 2)]
    world.stories.append(Story(
        "token_clones_by_night", f"A personal access token of {holder.name} was approved by {owner.name}; since then "
        "it clones at night.", [given.event_id, str(token), *(deed.event_id for deed in used)],
        "The token is tied to its approval, and every use of it to the token.", ["VIS-07"]))


def _deploy_key(world: World, dice: Dice, admin: _Admin, cast: Cast) -> None:
    """A key that may write to a repository, no account: whoever holds it pushes in nobody's name."""
    owner, key = cast.owners[-1], 118_204_771
    repository = cast.repositories[3]
    made = admin.change(admin.at(19, 10, 16), owner, "public_key.create", repo=repository, public_key_id=key,
                        title="mirror (synthetic)", read_only="false", fingerprint="SHA256:synthetic0mirror",
                        operation_type="create")
    owner.keys.append(Key(str(key), "ssh_key", made.time))
    pushed = [admin.record(dice.moment(made.time.replace(hour=0, minute=0, second=0) + timedelta(days=later), 2, 4),
                           cast.deploy_key, "git.push", repo=repository, operation_type="modify",
                           transport_protocol_name="ssh", programmatic_access_type="Public Key (User/Deploy)")
              for later in (3, 6, 11)]
    world.stories.append(Story(
        "pushes_by_deploy_key", f"{owner.name} made a deploy key that may write to {repository.full_name}; somebody "
        "pushes with it at night.", [made.event_id, str(key), *(deed.event_id for deed in pushed)],
        "The pushes belong to a key, to no person.", ["VIS-02"]))


def _outsider(world: World, admin: _Admin, cast: Cast) -> None:
    owner = cast.owners[0]
    let_in = admin.change(admin.at(26, 15, 17), owner, "org.add_outside_collaborator", user=cast.outsider,
                          repo=cast.repositories[0], operation_type="create", permission="write")
    world.stories.append(Story(
        "collaborator_from_outside", f"{owner.name} let {cast.outsider.name} in to write to "
        f"{cast.repositories[0].full_name}; no person of the organisation stands behind the account.",
        [let_in.event_id, cast.outsider.native_id], "The account is listed with what it did.", ["VIS-02"]))


def _weaker_rule(admin: _Admin, cast: Cast) -> None:
    """The day before the merge past the rules, the rule had been loosened for administrators."""
    admin.change(admin.at(5, 16, 18), cast.owners[0], "protected_branch.update_admin_enforced",
                 repo=cast.repositories[3], branch="main", name="main", operation_type="modify", old_value="true",
                 new_value="false")
