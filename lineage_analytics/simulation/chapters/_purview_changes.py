"""Changes in the Microsoft 365 log: a link for anyone, access asked for, an agent, Security Copilot switched on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import END, SITES, Access, Account, Decision, Deed, Interaction, Link, Story

if TYPE_CHECKING:
    from lineage_analytics.simulation.chapters._purview_sites import Exposure
    from lineage_analytics.simulation.dice import Dice
    from lineage_analytics.simulation.model import File, Person, World

AUDIT, EXPLORER = "m365_audit", "purview_activity_explorer"
MIDNIGHT = END.replace(hour=0, minute=0, second=0)
AGENT = "Leave Helper (synthetic)"
_SCHEMA = "nws_leaveHelper"
_SECURITY = "Copilot.Security.SecurityCopilot"


def thread(dice: Dice) -> str:
    """A thread of the length that mailbox copies keep whole: 44 characters."""
    return f"19:{dice.base32(20)}{dice.hexadecimal(24)}@thread.v2"


def _at(back: int, hour: int, minute: int = 0) -> datetime:
    return MIDNIGHT - timedelta(days=back) + timedelta(hours=hour, minutes=minute)


class _Told:
    """Puts records and the decisions they are into the world."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice = world, dice

    def deed(self, time: datetime, who: Person, action: str, *, admin: bool = False, **details: Any) -> Deed:
        made = Deed(time, AUDIT, self.dice.guid(), who, action, details=details, admin=admin)
        self.world.deeds.append(made)
        return made

    def change(self, time: datetime, who: Person, action: str, *, admin: bool = False, **details: Any) -> Deed:
        """A change that took effect. That somebody approved it, or how it can be taken back, is on no record."""
        made = self.deed(time, who, action, admin=admin, **details)
        self.decide(made)
        return made

    def decide(self, made: Deed, initiator: str = "proved") -> None:
        self.world.decisions.append(Decision(made.event_id, made.time, made.action, "none", initiator, "unknown",
                                             "unknown", "m365"))

    def link(self, source: Deed, target: Deed | Interaction, rel: str) -> None:
        self.world.links.append(Link(source.event_id, target.event_id, rel, provable=False))

    def asks(self, asked: Interaction) -> Interaction:
        self.world.interactions.append(asked)
        return asked


def tell(world: World, dice: Dice, able: list[Person], exposure: Exposure) -> None:
    """All changes of the last month; ``able`` are people who may have made them."""
    told = _Told(world, dice)
    owner, curious, maker = dice.some(able, 3)
    _link_for_anyone(told, owner, exposure)
    _access_asked_for(told, owner, curious)
    _agent_for_everyone(told, maker, [p for p in able if p is not maker][:5])


def _document(file: File) -> dict[str, Any]:
    site = f"{SITES}/sites/{file.site}/"
    return {"RecordType": 14, "Workload": "SharePoint", "ItemType": "File", "SiteUrl": site,
            "ObjectId": f"{site}Shared%20Documents/{quote(file.name)}", "SourceFileName": file.name,
            "SourceRelativeUrl": "Shared Documents", "ListItemUniqueId": file.item_id, "ClientIP": "198.51.100.7"}


def _link_for_anyone(told: _Told, owner: Person, exposure: Exposure) -> None:
    """A label is lowered in the evening, a link for anyone made, the label put back; the link stands for two days."""
    file = next(f for label in ("Highly Confidential", "Confidential") for f in told.world.files
                if f.label == names.LABELS[label])
    low, high = names.LABELS["General"], file.label
    document, relabelled = _document(file), "FileSensitivityLabelChanged"
    labelled = document | {"RecordType": 6}
    lowered = told.deed(_at(6, 20, 5), owner, relabelled, **labelled, SensitivityLabelId=low,
                        OldSensitivityLabelId=high)
    made = told.change(_at(6, 20, 12), owner, "AnonymousLinkCreated", **document,
                       UniqueSharingId=told.dice.guid(), EventData="<Type>View</Type>")
    raised = told.deed(_at(6, 20, 31), owner, relabelled, **labelled, SensitivityLabelId=high,
                       OldSensitivityLabelId=low)
    for deed, label, old in ((lowered, low, high), (raised, high, low)):
        told.world.deeds.append(Deed(deed.time, EXPLORER, deed.event_id, owner, "LabelChanged",
                                     details={"file": file, "label": label, "old": old}))
    for site in exposure.sites:
        if site.name == file.site:
            site.anyone_links = {day: 1 for day in exposure.weekly if _at(6, 0) < day < _at(4, 0)}
    admin = next(p for p in told.world.persons if p.admin_id)
    asked = _security_copilot(told, admin)
    removed = told.change(_at(4, 11, 40), admin, "AnonymousLinkRemoved", admin=True, **document,
                          UniqueSharingId=made.details["UniqueSharingId"], EventData="<Type>View</Type>")
    told.world.undo(made.event_id, removed.event_id)
    told.link(removed, asked, "informed_by")
    told.world.stories.append(Story(
        "label_lowered_for_a_link", f"{owner.login} lowered the label of a confidential document in the evening, "
        "made a link for anyone, and put the label back; two days later an administrator took the link away "
        "after asking Security Copilot.", [lowered.event_id, made.event_id, raised.event_id, removed.event_id],
        "The link is a change of access by one person, undone by another after two days; nobody's approval of it is "
        "on record.", ["LIN-01"]))


def _security_copilot(told: _Told, admin: Person) -> Interaction:
    """Security Copilot is switched on, its agent triggered, and an administrator asks it. Gives the last question."""
    told.change(_at(27, 9, 20), admin, "UpdateTenantSettings", admin=True, RecordType=325, Workload="Copilot",
                ObjectId="LoggingAuditData", ModifiedProperties=[
                    {"Name": "LoggingAuditData", "OldValue": "False", "NewValue": "True"}])
    told.deed(_at(9, 6, 0), admin, "CopilotForSecurityTrigger", RecordType=383, Workload="Copilot",
              ObjectId="synthetic-phishing-triage-trigger")
    about = thread(told.dice)
    turns = [told.asks(Interaction(_at(4, 11, minute), admin, told.dice.guid(), "SecurityCopilot", about, None,
                                   apart={"AppIdentity": _SECURITY})) for minute in (12, 19, 28)]
    told.world.stories.append(Story(
        "security_copilot_session", f"{admin.login} asked Security Copilot three questions about a link.",
        [turn.event_id for turn in turns],
        "The session is one thread of three interactions; its records hold no list of resources, so they cannot be "
        "traced to any.", ["COP-09"]))
    return turns[-1]


def _access_asked_for(told: _Told, owner: Person, curious: Person) -> None:
    """Somebody asks for a document, its owner says yes, and it is shared.

    No record states a key of the request, so that this request and this answer led to it is likely and not proved.
    """
    document = _document(told.world.files[1])
    whom: dict[str, Any] = {"TargetUserOrGroupName": curious.login, "TargetUserOrGroupType": "Member"}
    asked = told.deed(_at(8, 9, 5), curious, "AccessRequestCreated", **document)
    answer = told.deed(_at(8, 10, 40), owner, "AccessRequestApproved", **document, **whom)
    shared = told.deed(_at(8, 10, 41), owner, "SharingSet", **document, **whom,
                       EventData="<Permissions granted>Read</Permissions granted>")
    told.decide(shared, initiator="unknown")
    told.link(answer, asked, "about")
    told.link(shared, asked, "requested_by")
    told.link(shared, answer, "authorised_by")


def _agent_for_everyone(told: _Told, maker: Person, users: list[Person]) -> None:
    """A Studio agent is made, later opened to everybody without sign-in; a document it reads holds a planted prompt."""
    world, dice = told.world, told.dice
    bot = dice.guid()
    agent = f"CopilotStudio.Declarative.{dice.guid()}"
    world.accounts.append(Account("m365", world.tenant, agent, AGENT, "ai_agent", listed=False))
    common: dict[str, Any] = {"RecordType": 256, "Workload": "PowerPlatform", "BotId": bot, "BotSchemaName": _SCHEMA}
    made = [told.change(_at(25, 13, 2), maker, "BotCreate", **common),
            told.change(_at(25, 13, 9), maker, "BotComponentCreate", **common, BotComponentId=dice.guid()),
            told.change(_at(25, 14, 30), maker, "BotUpdateOperation-BotPublish", **common),
            told.change(_at(11, 16, 48), maker, "BotUpdateOperation-BotAuthUpdate", **common),
            told.change(_at(11, 16, 50), maker, "BotUpdateOperation-BotShare", **common)]
    apart = {"AgentId": agent, "AgentName": AGENT, "AppIdentity": "Copilot.MicrosoftCopilot.BizChat"}
    handbooks = [f for f in world.files if f.site == "People"][:2]
    turns = []
    for number, back in enumerate((8, 7, 6, 5, 4, 1)):
        who = users[number % len(users)]
        asked = told.asks(Interaction(
            dice.moment(MIDNIGHT - timedelta(days=back), 8, 15), who, dice.guid(), "BizChat", thread(dice),
            [Access(file, xpia=back == 4 and file is handbooks[0]) for file in handbooks], jailbreak=False,
            apart=apart))
        turns.append(asked)
        _runtime(told, asked, agent)
    flagged = turns[4]
    world.stories += [
        Story("agent_opened_to_everybody", f"{maker.login} made the agent {AGENT}, later took its sign-in away and "
              "shared it.", [agent, *(deed.event_id for deed in made)],
              "Each change of the agent is listed with who made it; no approval of any is on record.", ["LIN-05"]),
        Story("one_turn_in_two_records", "The agent's runtime logs each turn a second time.",
              [turn.event_id for turn in turns], "Each turn counts once.", ["COP-09"]),
        Story("agent_read_a_planted_prompt", "A document that the agent read holds a prompt planted for it.",
              [flagged.event_id, handbooks[0].item_id], "The interaction is listed as flagged.", ["COP-11"]),
    ]


def _runtime(told: _Told, asked: Interaction, agent: str) -> None:
    """The agent's runtime logs the turn as well: the same thread and prompt, and no list of resources."""
    told.deed(asked.time + timedelta(seconds=1), asked.person, "CopilotInteraction", RecordType=261, Workload="Copilot",
              AppIdentity=f"Copilot.Studio.Default-{told.world.tenant}-{_SCHEMA}", AgentId=agent, AgentName=AGENT,
              CopilotEventData={"AppHost": "Copilot Studio", "ThreadId": asked.thread, "Messages": [
                  {"Id": asked.prompt, "isPrompt": True}, {"Id": str(int(asked.prompt) + 900), "isPrompt": False}]})
