"""GitHub pull requests and their reviews: verdicts, what they covered, and the merge (sources 6).

Shapes  webhook deliveries ``pull_request``, ``pull_request_review`` and of comments and threads of reviews (single,
        array, lines; also inside ``payload`` or ``log``); REST review objects; REST pull request objects; the listings
        of ``gh pr list --json`` with their reviews. States in either case.
Maps    every record to one ``activity`` row under the names of the audit log (``pull_request_review.submit``,
        ``pull_request.merge`` ...); reviews to decisions, pull requests to request, merge or closure in
        ``decision_steps``; accounts to ``identity_facts``.
Drops   bodies, titles and comments, but for ticket keys quoted in titles and branch names and the number of a pull
        request that a revert branch names. Pending reviews are nobody's decision yet: rejected as ``out_of_scope``.
Schema  webhook and REST API 2022-11-28; webhook actions without a rule are activity.

The case of a pull request is ``owner/name#number`` in lower case, which addresses state in every shape; the numeric id
of the repository is missing from REST reviews. ``decided_value`` of a review is the commit that was reviewed,
``applied_value`` of a merge the head that was merged: where they differ the approval was for something else. A
dismissal withdraws a review; REST states no time for it, so it stands at the time of the review.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders import _github_cli
from lineage_analytics.loaders._event_rows import ENVELOPES, NOBODY, Event, Who, quoted, seen, step, unwrapped
from lineage_analytics.loaders._github_names import PROVIDER, number, pull_key, see_organisation, typed
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.origin import REASON, why
from lineage_analytics.loaders.common.packings import json_or_array_chunks
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import Fields, flag, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "decision_steps", "identity_facts"})
SOURCE = "github_reviews"
_KNOWN = """action after active_lock_reason additions assignee assignees author_association auto_merge base before body
    body_html body_text changed_files changes closed_at comment comments comments_url commit_id commits commits_url
    created_at deletions diff_url draft enterprise head html_url id installation issue_url label labels links locked
    maintainer_can_modify merge_commit_sha mergeable mergeable_state merged merged_at merged_by milestone node_id number
    organization patch_url pull_request pull_request_url rebaseable reason repository requested_reviewer
    requested_reviewers requested_team requested_teams review review_comment_url review_comments review_comments_url
    sender state statuses_url submitted_at thread title updated_at url user _links"""
KNOWN = dict.fromkeys((*_KNOWN.split(), *_github_cli.KNOWN), "")
_ENVELOPES = ("payload", *ENVELOPES)
_VERDICTS = {"approved": "approve", "changes_requested": "deny", "dismissed": "withdraw"}
_ACTIONS = {"opened": "create", "reopened": "reopen", "closed": "close", "review_requested": "create_review_request"}
_TALKED = {"created": "create", "edited": "update", "deleted": "delete", "resolved": "resolve",
           "unresolved": "unresolve"}
_KINDS = {"create": "request", "reopen": "request", "ready_for_review": "request", "create_review_request": "request",
          "converted_to_draft": "draft", "merge": "action", "close": "decision"}
_REVERT = re.compile(r"^revert-(\d{1,9})-")


class Pull(NamedTuple):
    """A pull request as a record shows it."""

    key: str | None
    tenant: str | None
    fields: Fields

    @property
    def target(self) -> str | None:
        return f"{PROVIDER}:{self.tenant or ''}:pull_request/{self.key}" if self.key else None

    def quoted(self) -> list[str]:
        """Keys in the title and the branch name, and the pull request that a revert branch names."""
        branch = text(obj(self.fields.get("head")).get("ref"))
        undone = _REVERT.match(branch or "")
        keys = quoted(text(self.fields.get("title")), branch)
        return sorted({*keys, f"{self.key.partition('#')[0]}#{undone[1]}"}) if undone and self.key else keys

    def commits(self) -> list[str]:
        """The head that was merged and the commit the merge made: what a run or a deployment names."""
        return stated(commit=(obj(self.fields.get("head")).get("sha"), self.fields.get("merge_commit_sha")))


def detect(sample: Sample) -> Match | None:
    """Deliveries with a pull request and a repository; REST reviews and pull requests by their keys."""
    row = unwrapped(sample.first or {}, *_ENVELOPES)
    if isinstance(row.get("pull_request"), dict) and isinstance(row.get("repository"), dict) and "action" in row:
        return Match("json", 0.95, "webhook deliveries about pull requests")
    if row.keys() >= {"state", "user", "pull_request_url"} and row.keys() & {"submitted_at", "commit_id"}:
        return Match("json", 0.95, "REST review objects: state, user and pull_request_url")
    if _github_cli.is_listing(row):
        return Match("json", 0.9, "pull requests as the GitHub command line lists them")
    if _is_pull(row):
        return Match("json", 0.95, "REST pull request objects: number, head, base and merge_commit_sha")
    return None


def _is_pull(row: Mapping[str, Any]) -> bool:
    return row.keys() >= {"number", "head", "base", "state"} and bool(row.keys() & {"merge_commit_sha", "merged_at"})


def extract(document: Document) -> Iterator[Chunk]:
    """Deliveries and objects as they stand in the file."""
    yield from json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, decision steps and identity facts of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    fields = unwrapped(entry.fields, *_ENVELOPES)
    entry.fields = fields
    if "review" in fields or "pull_request_url" in fields:
        _review(entry, fields)
    elif talk := next((part for part in ("comment", "thread") if isinstance(fields.get(part), dict)), None):
        _talk(entry, fields, talk)
    elif isinstance(fields.get("pull_request"), dict) or _is_pull(fields):
        _pull_event(entry, fields)
    elif _github_cli.is_listing(fields):
        _listing(entry, fields)
    else:
        raise RecordFault("no_pull_request", "neither a review nor a pull request")


def _pull_of(fields: Fields, said: Fields) -> Pull:
    """The pull request, in the organisation or else the account that owns its repository."""
    _wanted_one_owner(fields)
    repository = obj(fields.get("repository")) or obj(obj(said.get("base")).get("repo"))
    key = pull_key(*(text(said.get(held)) for held in ("html_url", "url", "pull_request_url")))
    label, at = text(repository.get("full_name")), number(said.get("number"))
    key = key or (f"{label.lower()}#{at}" if label and at else None)
    owner = obj(repository.get("owner"))
    tenant = number(obj(fields.get("organization")).get("id")) or number(owner.get("id")) or (
        key.partition("/")[0] if key else None)
    return Pull(key, tenant, said)


def _wanted_one_owner(fields: Fields) -> None:
    """A delivery for an organisation is about that organisation's repositories."""
    organisation = number(obj(fields.get("organization")).get("id"))
    owner = number(obj(obj(fields.get("repository")).get("owner")).get("id"))
    if organisation is not None and owner is not None and organisation != owner:
        raise RecordFault(REASON, why(owner, organisation))


def _review(entry: Entry, fields: Fields) -> None:
    review = obj(fields.get("review")) or fields
    pull = _pull_of(fields, obj(fields.get("pull_request")) or review)
    state, native = (text(review.get("state")) or "unknown").lower(), number(review.get("id"))
    if state == "pending":
        raise RecordFault("out_of_scope", "a review that was not submitted", "rejected")
    entry.identify(PROVIDER, pull.tenant, f"review/{native}/{state}" if native else None, within="")
    author = typed(obj(review.get("user")), pull.tenant)
    dismissed = state == "dismissed"
    by = typed(obj(fields.get("sender")), pull.tenant) if dismissed else author
    said = entry.time(review.get("submitted_at"), "submitted_at")
    event = Event(_dismissed_at(entry, fields, said) if dismissed else said,
                  f"pull_request_review.{'dismiss' if dismissed else 'submit'}", "success", by, native)
    _verdict(entry, event, pull, review, "review")
    _activity(entry, event, pull, fields)
    seen(entry, by)
    if author.id != by.id:
        seen(entry, author)


def _verdict(entry: Entry, event: Event, pull: Pull, review: Fields, part: str) -> None:
    verdict = _VERDICTS.get((text(review.get("state")) or "").lower())
    step(entry, event, part, "decision" if verdict else "signal", target=pull.target, verdict=verdict,
         capacity="approver" if verdict in ("approve", "deny") else "reviewer",
         decided_value=name(review.get("commit_id")), justification_present=text(review.get("body")) is not None,
         native_key_kind="github_pull_request" if pull.key else None, native_key=pull.key, quoted_keys=pull.quoted())


def _talk(entry: Entry, fields: Fields, part: str) -> None:
    """What was said on a review: that it was said, by whom and when."""
    said, about = obj(fields.get("pull_request")), obj(fields.get(part))
    pull = _pull_of(fields, said)
    delivered = (text(fields.get("action")) or "unknown").lower()
    native = number(about.get("id")) or name(about.get("node_id"))
    time = entry.time(about.get("updated_at") or about.get("created_at") or said.get("updated_at"), "updated_at")
    action = _TALKED.get(delivered, delivered)
    entry.identify(PROVIDER, pull.tenant, f"{part}/{native}/{action}/{time.isoformat()}" if native else None, within="")
    actor = typed(obj(fields.get("sender")), pull.tenant)
    _activity(entry, Event(time, f"pull_request_review_{part}.{action}", "success", actor, native), pull, fields)
    seen(entry, actor)


def _listing(entry: Entry, fields: Fields) -> None:
    """A pull request with its reviews in one record: every review that was submitted is a step of it."""
    said, reviews = _github_cli.as_rest(fields)
    pull = _pull_event(entry, said)
    for at, review in enumerate(reviews):
        state = (text(review.get("state")) or "").lower()
        if state == "pending":
            continue
        author, native = typed(review["user"], pull.tenant), name(review.get("id")) or str(at)
        dismissed = state == "dismissed"
        event = Event(entry.time(review.get("submitted_at"), "submittedAt"),
                      f"pull_request_review.{'dismiss' if dismissed else 'submit'}", "success",
                      NOBODY if dismissed else author, native)
        _verdict(entry, event, pull, review, f"review/{native}")
        seen(entry, author)


def _dismissed_at(entry: Entry, fields: Fields, said: datetime) -> datetime:
    """A delivery tells of the dismissal as it happens, when the pull request changes; an object tells no time."""
    changed = obj(fields.get("pull_request")).get("updated_at")
    return max(said, entry.time(changed, "updated_at")) if changed else said


def _activity(entry: Entry, event: Event, pull: Pull, fields: Fields) -> None:
    owner = obj(fields.get("organization")) or obj(obj(obj(pull.fields.get("base")).get("repo")).get("owner"))
    see_organisation(entry, number(owner.get("id")), name(owner.get("login")))
    entry.add(tables.ACTIVITY, time=event.time, actor_id=event.actor.id, action=event.operation, outcome=event.outcome,
              resource_id=pull.target, is_read=False, event_id=event.event_id, unmapped=entry.leftovers(KNOWN))


def _pull_event(entry: Entry, fields: Fields) -> Pull:
    said = obj(fields.get("pull_request")) or fields
    pull = _pull_of(fields, said)
    merged = name(said.get("merged_at")) is not None or flag(said.get("merged")) is True
    delivered = text(fields.get("action")) if said is not fields else None
    action = _action(delivered, said, merged=merged)
    at = said.get({"create": "created_at", "merge": "merged_at", "close": "closed_at"}.get(action, "updated_at"))
    native = number(said.get("id"))
    time = entry.time(at or said.get("updated_at"), "the time of the pull request")
    later = "" if action in ("create", "merge") else f"/{time.isoformat()}"
    known_as = pull.key or native
    entry.identify(PROVIDER, pull.tenant, f"pull/{known_as}/{action}{later}" if known_as else None, within="")
    author = typed(obj(said.get("user")), pull.tenant)
    sender = typed(obj(fields.get("sender")), pull.tenant)
    merger = typed(obj(said.get("merged_by")), pull.tenant)
    actor = {"create": author, "merge": merger if merger.id else sender}.get(action, sender)
    event = Event(time, f"pull_request.{action}", "success", actor, native)
    _steps(entry, event, pull, author, action)
    if delivered is None and action != "create" and said.get("created_at"):
        began = entry.time(said.get("created_at"), "created_at")
        opened = Event(began, "pull_request.create", "success", author, native)
        _steps(entry, opened, pull, author, "create")
    _activity(entry, event, pull, fields)
    for who in (author, actor):
        seen(entry, who)
    return pull


def _action(delivered: str | None, said: Fields, *, merged: bool) -> str:
    """What happened, in the words of the audit log; of an object its last stage."""
    if delivered is None:
        return "merge" if merged else "close" if name(said.get("closed_at")) else "create"
    action = _ACTIONS.get(delivered.lower(), delivered.lower())
    return "merge" if action == "close" and merged else action


def _steps(entry: Entry, event: Event, pull: Pull, author: Who, action: str) -> None:
    kind = _KINDS.get(action)
    if kind is None:
        return
    if kind == "request" and flag(pull.fields.get("draft")) is True:
        kind = "draft"
    merge = action == "merge"
    step(entry, event, action, kind, target=pull.target, verb="set" if merge else None,
         verdict="deny" if kind == "decision" else None, initiator_id=author.id,
         applied_value=name(obj(pull.fields.get("head")).get("sha")) if merge else None,
         before_state=name(obj(pull.fields.get("base")).get("sha")) if merge else None,
         after_state=name(pull.fields.get("merge_commit_sha")) if merge else None,
         native_key_kind="github_pull_request" if pull.key else None, native_key=pull.key, quoted_keys=pull.quoted(),
         stated_keys=pull.commits() if merge else [])
