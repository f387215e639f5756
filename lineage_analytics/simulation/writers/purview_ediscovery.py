"""Purview eDiscovery: the item reports of a case on three people, the second taken when the case had grown."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import SITES
from lineage_analytics.simulation.writers.files import as_csv, put, zulu
from lineage_analytics.simulation.writers.m365_audit import address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Conversation, File, World

Row = dict[str, Any]
_HEADINGS = """
File ID, Status, Error warning, Added by, All custodians, Attachment names, Author, BCC, BCC expanded, Category,
CC, CC expanded, Client conversation ID, Compound path, Contains deleted message, Contains edited message,
Content source application, Conversation index, Conversation name, Conversation topic, Conversation type, Created,
Created by, Custodian, Data source, Date, Deduped compound path, Deduped custodians, Deduped file IDs,
Deduped group file IDs, Deduped thread file IDs, Detected language, DG expansion result, Doc authors,
Doc comments, Doc company, Doc date created, Doc index, Doc keywords, Doc subject, Doc template,
Document ID index, Document ID path, Dominant theme, Email action, Email date sent, Email delivery receipt,
Email importance, Email internet headers, Email level, Email participant domains, Email read receipt,
Email recipient domains, Email recipients, Email security, Email sender domain, Email sensitivity, Email set,
Email thread, Error code, Error ignored, Extracted content type, Extracted text length, Extracted text path,
Family duplicate set, Family ID, Family size, File class, File extension, File name, Group ID,
Group representative ID, Has attachment, Has text, Has unique attachment, Identifier, Immutable ID,
In reply to ID, Inclusive type, Input file ID, Internet message ID, Is attachment from transcript, Is bcc to me,
Is doc from conversation, Is draft, Is encrypted, Is external, Is group representative, Is inclusive,
Is modern attachment, Is read, Is representative, Is thread representative, Is top for group, Item class,
Item source, Last modified by, Last modified time, Last modified time for retention, Load ID, Location ID,
Location sub type, Marked as pivot, Meeting end date, Meeting name, Meeting start date, Message kind,
Modern attachment embedded URLs, Modern attachment parent ID, Native copy from, Native MD5, Native SHA 256,
ND ET sort excl attach, ND ET sort incl attach, ND set, Organizer, Original file extension, Original path,
Parent ID, Parent node, Participants, Participant expansion, Pivot ID, Potentially privileged,
Preservation original URL, Processing error type, Received, Recipient count, Redacted file path,
Redacted text path, Representative ID, Retention label, Retention URL, Sender, Sender/Author, Sensitive type,
Sensitivity label, Set ID, Set order inclusives first, Shared with, Similarity percent, Size, Source ID,
SPO content type ID, SPO document link, SPO preservation original document unique ID, SPO unique ID,
Subject/Title, Tags, Target path, Team name, Teams annoucement title, Teams channel, Themes list,
Thread participant domains, Thread participants, Thread representative ID, Title, To, To expanded, Type,
Version group ID, Version number, Was remediated, Word count, Workload
""".replace("\n", " ").strip().split(", ")
_NOBODY = "00000000-0000-0000-0000-000000000000"


def write(directory: Path, world: World) -> int:
    """The first report lacks the last person; the second has everything again."""
    if not world.conversations:
        return 0
    dice = Dice(world.seed, "ediscovery")
    people = list(dict.fromkeys(talk.person.number for talk in world.conversations))
    mailboxes = {number: (dice.hexadecimal(32).upper(), dice.guid()) for number in people}
    items = [(talk.person.number, row) for talk in world.conversations
             for row in _items(talk, *mailboxes[talk.person.number], dice)]
    first = [row for number, row in items if number != people[-1]]
    for name, rows in (("Items.1.csv.gz", first), ("Items.2.csv.gz", [row for _, row in items])):
        put(directory / name, as_csv(_HEADINGS, ([row.get(heading, "") for heading in _HEADINGS] for row in rows)))
    return len(items)


def _items(talk: Conversation, source: str, location: str, dice: Dice) -> Iterator[Row]:
    """A prompt and an answer a turn, and the first document that an answer is from."""
    assistant = "Microsoft 365 Chat" if talk.host == "BizChat" else f"Copilot in {talk.host}"
    squeezed = "".join(sign for sign in talk.thread if sign not in ":@.")
    mine = f"{talk.person.name} <{talk.person.login}>"
    parent = ""
    for turn in talk.turns:
        for shift, sender, to in ((0, talk.person.login, assistant), (900, assistant, mine)):
            message, time = str(int(turn.prompt) + shift), turn.time + timedelta(milliseconds=shift)
            parent = f"Exchange/source{source}/TEAMS/{squeezed}/{time:%Y%m%d%H}/{squeezed}-m{message}-1"
            yield _item(talk, time) | {
                "Compound path": f"{talk.person.login}/TeamsMessagesData/{assistant}.html", "Immutable ID": parent,
                "Internet message ID": message, "Item source": talk.person.login, "Location ID": location,
                "Location sub type": "PrimaryMailBox", "Sender": sender, "Sender/Author": sender,
                "Source ID": talk.person.login, "SPO unique ID": _NOBODY, "To": to, "Type": "Message",
                "Participants": f"{mine};{assistant};;", "Workload": "Exchange", "File extension": "html",
                "Target path": f"Items.1.001.synthetic.zip\\Exchange\\{talk.person.login}\\{assistant}.html",
            }
    files = [access.file for turn in talk.turns for access in turn.accessed or ()]
    if files:
        yield _document(talk, files[0], parent, dice)


def _item(talk: Conversation, time: datetime) -> Row:
    return {
        "File ID": "\ufeff", "Status": "Succeeded", "Added by": "IndexQuery", "Data source": "All people and groups",
        "Date": time.strftime("%Y-%m-%d %H:%M:%SZ"), "Email date sent": zulu(time), "Received": zulu(time),
        "Item class": f"IPM.SkypeTeams.Message.Copilot.{talk.host}", "Subject/Title": "(synthetic)",
        "Has attachment": "False", "Is read": "True",
    }


def _document(talk: Conversation, file: File, parent: str, dice: Dice) -> Row:
    """A document shared in the conversation lies on a site, which has no mailbox."""
    return _item(talk, talk.turns[0].time) | {
        "Compound path": address(file), "File extension": file.name.rpartition(".")[2], "File name": file.name,
        "Immutable ID": f"SharePoint/source{dice.hexadecimal(32).upper()}/item_{file.item_id}",
        "Is modern attachment": "True", "Item source": file.site, "Location sub type": "SharePointSite",
        "Modern attachment parent ID": parent, "Source ID": f"{SITES}/sites/{file.site}/",
        "SPO unique ID": file.item_id, "Sensitivity label": file.label, "Type": "Document", "Workload": "SharePoint",
    }
